#include "options.h"

#include "measure/arguments.h"
#include "measure/fail.h"
#include "statistics.h"
#include "tables.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>

static void print_help_and_exit(void)
{
    printf("bench/run [--quick] [--rounds N] [--seconds S] [--workload NAME]... [--peer NAME]...\n"
           "          [--json FILE] [--html FILE] [--against FILE]\n"
           "bench/run --check\n\n"
           "Measures vow beside bare libuv and other libraries: calls and messages a second, latency, "
           "processor\n"
           "time and memory. ./dev bench leaves build/bench/report.html and report.json as well.\n\n"
           "  --quick          a few short rounds, in less than 3 minutes\n"
           "  --rounds N       that are interleaved; 5\n"
           "  --seconds S      of measuring in each run, after a fifth of it to warm up; 1\n"
           "  --workload NAME  only this one, or those that a pattern like 'unary-*' matches; may be "
           "repeated; of:\n");
    for (size_t i = 0; i < bench_workload_count; i++) {
        char text[128];

        bench_workload_describe(&bench_workloads[i], text, sizeof text);
        printf("                     %-16s%s\n", bench_workloads[i].name, text);
    }
    printf("  --peer NAME      only this one, beside the floor it is compared with; as above; of:\n"
           "                    ");
    for (size_t i = 0; i < bench_peer_count; i++)
        printf(" %s", bench_peers[i].name);
    printf("\n"
           "  --json FILE      writes all figures of all rounds to FILE\n"
           "  --html FILE      writes a page with plots to FILE\n"
           "  --against FILE   compares with the JSON of an earlier run, and says what changed beyond the "
           "noise\n"
           "  --check          holds the benchmark against servers that delay and stall as they are told\n\n"
           "Exit status: 0; 1 a run failed, and the rest is reported; 2 the command line or FILE makes no "
           "sense;\n"
           "3 something of vow's got worse since FILE, measured twice; 128 + N stopped by signal N.\n");
    exit(0);
}

static void names_add(bench_names *names, const char *option, const char *name)
{
    if (names->count == BENCH_NAMES_MOST)
        bench_fail_usage("--%s is given more than %d times", option, BENCH_NAMES_MOST);
    names->names[names->count++] = name;
}

bool bench_names_match(const bench_names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++) {
        if (fnmatch(names->names[i], name, 0) == 0)
            return true;
    }
    return names->count == 0;
}

static const char *peer_name(size_t index)
{
    return bench_peers[index].name;
}

static const char *workload_name(size_t index)
{
    return bench_workloads[index].name;
}

/* Each of `names` must match one of a table's. */
static void names_check(const bench_names *names, const char *what, const char *(*name_at)(size_t index),
                        size_t count)
{
    for (size_t n = 0; n < names->count; n++) {
        bool found = false;

        for (size_t i = 0; i < count; i++)
            found = found || fnmatch(names->names[n], name_at(i), 0) == 0;
        if (!found)
            bench_fail_usage("there is no %s \"%s\"", what, names->names[n]);
    }
}

static void option_take(int option, const char *value, void *into)
{
    bench_options *options = into;

    switch (option) {
    case 'h':
        print_help_and_exit();
        break;
    case 'q':
        options->is_quick = true;
        break;
    case 'c':
        options->is_check = true;
        break;
    case 'r':
        options->rounds = bench_argument_count("rounds", value, 1, BENCH_ROUNDS_MOST);
        break;
    case 's':
        options->seconds = bench_argument_seconds("seconds", value);
        break;
    case 'w':
        names_add(&options->workloads, "workload", value);
        break;
    case 'p':
        names_add(&options->peers, "peer", value);
        break;
    case 'j':
        options->json = value;
        break;
    case 'm':
        options->html = value;
        break;
    default:
        options->against = value;
    }
}

bench_options bench_options_read(int argc, char **argv)
{
    static const struct option known[] = {
        { "quick", no_argument, NULL, 'q' },
        { "check", no_argument, NULL, 'c' },
        { "rounds", required_argument, NULL, 'r' },
        { "seconds", required_argument, NULL, 's' },
        { "workload", required_argument, NULL, 'w' },
        { "peer", required_argument, NULL, 'p' },
        { "json", required_argument, NULL, 'j' },
        { "html", required_argument, NULL, 'm' },
        { "against", required_argument, NULL, 'a' },
        { "help", no_argument, NULL, 'h' },
        { 0 },
    };
    bench_options options = { 0 };

    bench_arguments_take(argc, argv, known, option_take, &options);
    names_check(&options.workloads, "workload", workload_name, bench_workload_count);
    names_check(&options.peers, "peer", peer_name, bench_peer_count);
    return options;
}
