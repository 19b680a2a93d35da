#include "arguments.h"

#include "fail.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define OUTSTANDING_MOST 10000000
#define SIZE_MOST (16u << 20)
#define SECONDS_MOST 3600.0

size_t bench_argument_count(const char *option, const char *text, size_t most)
{
    char         *end;
    unsigned long value;

    errno = 0;
    value = strtoul(text, &end, 10);
    /* strtoul takes "-1" for a very large number. */
    if (!isdigit((unsigned char)*text) || *end || errno || value < 1 || value > most)
        bench_fail_usage("--%s wants a whole number from 1 to %zu, not \"%s\"", option, most, text);
    return value;
}

double bench_argument_seconds(const char *option, const char *text)
{
    char  *end;
    double value = strtod(text, &end);

    if (end == text || *end || !isfinite(value) || value <= 0 || value > SECONDS_MOST)
        bench_fail_usage("--%s wants seconds, more than 0 and at most %.0f, not \"%s\"", option, SECONDS_MOST,
                         text);
    return value;
}

void bench_argument_refuse(char **argv)
{
    bench_fail_usage("\"%s\" is no option, or lacks its value", argv[optind - 1]);
}

static void print_help_and_exit(const char *arguments)
{
    printf("%s %s\nOne program of the benchmark; bench/run runs them all.\n", program_invocation_short_name,
           arguments);
    exit(0);
}

bench_server_options bench_server_options_read(int argc, char **argv)
{
    static const struct option known[] = {
        { "listen", required_argument, NULL, 'l' },
        { "silent", no_argument, NULL, 's' },
        { "help", no_argument, NULL, 'h' },
        { 0 },
    };
    bench_server_options options = { 0 };
    int                  option;

    opterr = 0; /* getopt's own messages would come without the name */
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case 'l':
            options.listen = optarg;
            break;
        case 's':
            options.silent = true;
            break;
        case 'h':
            print_help_and_exit("--listen tcp://127.0.0.1:0 [--silent]");
            break;
        default:
            bench_argument_refuse(argv);
        }
    }
    if (optind < argc)
        bench_argument_refuse(argv + 1);
    if (!options.listen)
        bench_fail_usage("--listen is missing");
    return options;
}

bench_client_options bench_client_options_read(int argc, char **argv)
{
    static const struct option known[] = {
        { "target", required_argument, NULL, 't' },
        { "server-pid", required_argument, NULL, 'p' },
        { "outstanding", required_argument, NULL, 'o' },
        { "size", required_argument, NULL, 'b' },
        { "seconds", required_argument, NULL, 's' },
        { "help", no_argument, NULL, 'h' },
        { 0 },
    };
    bench_client_options options = { 0 };
    int                  option;

    opterr = 0; /* getopt's own messages would come without the name */
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case 't':
            options.target = optarg;
            break;
        case 'p':
            options.server_pid = (pid_t)bench_argument_count("server-pid", optarg, INT_MAX);
            break;
        case 'o':
            options.outstanding = bench_argument_count("outstanding", optarg, OUTSTANDING_MOST);
            break;
        case 'b':
            options.size = bench_argument_count("size", optarg, SIZE_MOST);
            break;
        case 's':
            options.seconds = bench_argument_seconds("seconds", optarg);
            break;
        case 'h':
            print_help_and_exit("--target URL --server-pid PID --outstanding N --size BYTES --seconds S");
            break;
        default:
            bench_argument_refuse(argv);
        }
    }
    if (optind < argc)
        bench_argument_refuse(argv + 1);
    if (!options.target || !options.server_pid || !options.outstanding || !options.size)
        bench_fail_usage("--target, --server-pid, --outstanding and --size are needed");
    return options;
}
