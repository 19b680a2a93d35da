/*
 * The benchmark's driver: runs every peer on every workload in turn, and reports what that comes to.
 *
 * The idea: server and client are processes of their own, pinned to a core each, started afresh for each
 * run; rounds are interleaved (rounds.h). A run that fails ends the benchmark with a word on why, for a
 * table with a hole invites to overlook it.
 */
#include "child.h"
#include "measure/arguments.h"
#include "measure/fail.h"
#include "report.h"
#include "rounds.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROUNDS_DEFAULT 5
#define ROUNDS_MOST 1000
#define SECONDS_DEFAULT 1.5

static void print_help_and_exit(void)
{
    printf(
        "bench/run [--rounds N] [--seconds S] [--workload NAME] [--peer NAME] [--json FILE]\n\n"
        "Measures vow beside bare libuv: calls and messages a second, latency, processor time and memory.\n\n"
        "  --rounds N       rounds that are interleaved; %d\n"
        "  --seconds S      of measuring in each run, after a fifth of it to warm up; %g\n"
        "  --workload NAME  only this one of:",
        ROUNDS_DEFAULT, SECONDS_DEFAULT);
    for (size_t i = 0; i < bench_workload_count; i++)
        printf(" %s", bench_workloads[i].name);
    printf("\n  --peer NAME      only this one, beside the floor it is compared with, of:");
    for (size_t i = 0; i < bench_peer_count; i++)
        printf(" %s", bench_peers[i].name);
    printf("\n  --json FILE      writes the medians, an object a line, to FILE as well\n");
    exit(0);
}

static const bench_peer *peer_find(const char *name)
{
    for (size_t i = 0; i < bench_peer_count; i++) {
        if (strcmp(bench_peers[i].name, name) == 0)
            return &bench_peers[i];
    }
    bench_fail_usage("there is no peer \"%s\"", name);
}

static const bench_workload *workload_find(const char *name)
{
    for (size_t i = 0; i < bench_workload_count; i++) {
        if (strcmp(bench_workloads[i].name, name) == 0)
            return &bench_workloads[i];
    }
    bench_fail_usage("there is no workload \"%s\"", name);
}

static void options_read(int argc, char **argv, bench_setting *setting, bench_choice *choice,
                         const char **json)
{
    static const struct option known[] = {
        { "rounds", required_argument, NULL, 'r' },
        { "seconds", required_argument, NULL, 's' },
        { "workload", required_argument, NULL, 'w' },
        { "peer", required_argument, NULL, 'p' },
        { "json", required_argument, NULL, 'j' },
        { "help", no_argument, NULL, 'h' },
        { 0 },
    };
    int option;

    opterr = 0; /* getopt's own messages would come without the name */
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case 'r':
            choice->rounds = bench_argument_count("rounds", optarg, 1, ROUNDS_MOST);
            break;
        case 's':
            setting->seconds = bench_argument_seconds("seconds", optarg);
            break;
        case 'w':
            choice->workload = workload_find(optarg);
            break;
        case 'p':
            choice->peer = peer_find(optarg);
            break;
        case 'j':
            *json = optarg;
            break;
        case 'h':
            print_help_and_exit();
            break;
        default:
            bench_argument_refuse(argv);
        }
    }
    if (optind < argc)
        bench_argument_refuse(argv + 1);
    if (choice->workload && choice->peer && !bench_peer_runs(choice->peer, choice->workload))
        bench_fail_usage("%s has no part in %s", choice->peer->name, choice->workload->name);
}

/* The programs lie beside this one. */
static char *folder_find(char path[PATH_MAX])
{
    ssize_t size = readlink("/proc/self/exe", path, PATH_MAX - 1);

    if (size < 0)
        bench_fail("cannot find this program's own folder: %m");
    path[size] = '\0';
    return dirname(path);
}

static bool program_is_built(const bench_setting *setting, const char *program)
{
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/%s", setting->folder, program);
    return access(path, X_OK) == 0;
}

/* A peer is left out of a kind whose programs are not here; that is said before the first run. */
static void programs_check(const bench_setting *setting, bench_choice *choice)
{
    choice->kinds = bench_alloc(bench_peer_count, sizeof *choice->kinds);
    for (size_t i = 0; i < bench_peer_count; i++) {
        const bench_peer *peer = &bench_peers[i];
        size_t            missing = 0;
        char              server[64], client[64];

        for (bench_kind kind = 0; kind < BENCH_KINDS; kind++) {
            if (!(peer->kinds & BENCH_HAS(kind)))
                continue;
            bench_peer_server(peer, kind, server, sizeof server);
            bench_peer_client(peer, kind, client, sizeof client);
            if (program_is_built(setting, server) && program_is_built(setting, client))
                choice->kinds[i] |= BENCH_HAS(kind);
            else
                missing++;
        }
        if (choice->kinds[i] == 0 && (i == BENCH_FLOOR || choice->peer == peer))
            bench_fail("%s's programs are not in %s; build them with ./dev build", peer->name,
                       setting->folder);
        if (missing && (!choice->peer || choice->peer == peer))
            fprintf(stderr, "bench: %s is left out of %zu kinds of workload: its programs are not in %s\n",
                    peer->name, missing, setting->folder);
    }
}

static void cores_choose(bench_setting *setting)
{
    int cores[2];

    setting->server_core = setting->client_core = -1;
    if (bench_cores_find(cores, 2) < 2) {
        fprintf(stderr,
                "bench: fewer than 2 cores may be used here: server and client get in each other's way\n");
        return;
    }
    setting->server_core = cores[0];
    setting->client_core = cores[1];
}

/* Opened before anything is measured, and emptied only when there is something to write. */
static FILE *json_open(const char *path)
{
    int   descriptor;
    FILE *file;

    if (!path)
        return NULL;
    descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    file = descriptor < 0 ? NULL : fdopen(descriptor, "w");
    if (!file)
        bench_fail("cannot write %s: %m", path);
    return file;
}

static void json_write(FILE *file, const char *path, const bench_choice *choice, const bench_rounds *rounds)
{
    if (!file)
        return;
    /* A pipe or a device can't be emptied, and need not be. */
    if (ftruncate(fileno(file), 0) != 0 && errno != EINVAL)
        bench_fail("cannot write %s: %m", path);
    bench_report_json(file, choice, rounds);
    if (ferror(file) || fclose(file) != 0)
        bench_fail("cannot write %s: %m", path);
}

int main(int argc, char **argv)
{
    char          path[PATH_MAX];
    bench_setting setting = { .seconds = SECONDS_DEFAULT };
    bench_choice  choice = { .rounds = ROUNDS_DEFAULT };
    const char   *json_path = NULL;
    FILE         *json;
    bench_rounds *rounds;

    program_invocation_short_name = "bench"; /* as messages call it */
    options_read(argc, argv, &setting, &choice, &json_path);
    setting.folder = folder_find(path);
    programs_check(&setting, &choice);
    json = json_open(json_path);
    cores_choose(&setting);
    bench_signals_catch();

    rounds = bench_rounds_run(&setting, &choice);
    if (!rounds)
        return bench_signal_caught() ? 128 + bench_signal_caught() : 1;
    bench_report_table(stdout, &setting, &choice, rounds);
    if (fflush(stdout) != 0)
        bench_fail("cannot print the table: %m");
    json_write(json, json_path, &choice, rounds);
    bench_rounds_free(rounds);
    return 0;
}
