#include "arguments.h"

#include "fail.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define OUTSTANDING_MOST 10000000
#define CONNECTIONS_MOST 100000
#define THREADS_MOST 64
#define SIZE_MOST (16u << 20)
#define SECONDS_LEAST 0.001
#define SECONDS_MOST 3600.0
#define RATE_LEAST 0.001
#define RATE_MOST 1e7
#define NOT_GIVEN SIZE_MAX

size_t bench_argument_count(const char *option, const char *text, size_t least, size_t most)
{
    char         *end;
    unsigned long value;

    errno = 0;
    value = strtoul(text, &end, 10);
    /* strtoul takes "-1" for a very large number. */
    if (!isdigit((unsigned char)*text) || *end || errno || value < least || value > most)
        bench_fail_usage("--%s wants a whole number from %zu to %zu, not \"%s\"", option, least, most, text);
    return value;
}

double bench_argument_number(const char *option, const char *text, const char *what, double least,
                             double most)
{
    char  *end;
    double value = strtod(text, &end);

    if (end == text || *end || !(value >= least && value <= most)) /* no number is in no range */
        bench_fail_usage("--%s wants %s, from %g to %.0f, not \"%s\"", option, what, least, most, text);
    return value;
}

double bench_argument_seconds(const char *option, const char *text)
{
    return bench_argument_number(option, text, "seconds", SECONDS_LEAST, SECONDS_MOST);
}

/* Names the argument that getopt_long has just looked at. */
static void argument_refuse(char *const *argument)
{
    bench_fail_usage("\"%s\" is no option, or lacks its value", *argument);
}

void bench_arguments_take(int argc, char **argv, const struct option *known, bench_take_fn *take, void *into)
{
    int option;

    opterr = 0; /* getopt's own messages would come without the name */
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (option == '?')
            argument_refuse(&argv[optind - 1]);
        take(option, optarg, into);
    }
    if (optind < argc)
        argument_refuse(&argv[optind]);
}

static void print_help_and_exit(const char *arguments)
{
    printf("%s %s\nOne program of the benchmark; bench/run runs them all.\n", program_invocation_short_name,
           arguments);
    exit(0);
}

static void server_option_take(int option, const char *value, void *into)
{
    bench_server_options *options = into;

    switch (option) {
    case 'l':
        options->listen = value;
        break;
    case 's':
        options->silent = true;
        break;
    case 't':
        options->threads = bench_argument_count("threads", value, 1, THREADS_MOST);
        break;
    default:
        print_help_and_exit("--listen tcp://127.0.0.1:0 [--silent] [--threads N]");
    }
}

bench_server_options bench_server_options_read(int argc, char **argv)
{
    static const struct option known[] = {
        { "listen", required_argument, NULL, 'l' },
        { "silent", no_argument, NULL, 's' },
        { "threads", required_argument, NULL, 't' },
        { "help", no_argument, NULL, 'h' },
        { 0 },
    };
    bench_server_options options = { .threads = 1 };

    bench_arguments_take(argc, argv, known, server_option_take, &options);
    if (!options.listen)
        bench_fail_usage("--listen is missing");
    return options;
}

static void client_option_take(int option, const char *value, void *into)
{
    bench_client_options *options = into;

    switch (option) {
    case 't':
        options->target = value;
        break;
    case 'p':
        options->server_pid = (pid_t)bench_argument_count("server-pid", value, 1, INT_MAX);
        break;
    case 'o':
        options->outstanding = bench_argument_count("outstanding", value, 0, OUTSTANDING_MOST);
        break;
    case 'b':
        options->size = bench_argument_count("size", value, 0, SIZE_MOST);
        break;
    case 's':
        options->seconds = bench_argument_seconds("seconds", value);
        break;
    case 'c':
        options->connections = bench_argument_count("connections", value, 1, CONNECTIONS_MOST);
        break;
    case 'r':
        options->rate = bench_argument_number("rate", value, "calls a second", RATE_LEAST, RATE_MOST);
        break;
    default:
        print_help_and_exit("--target URL --server-pid PID --outstanding N --size BYTES [--seconds S] "
                            "[--connections C] [--rate R]");
    }
}

static void client_options_check(const bench_client_options *options)
{
    if (!options->target || !options->server_pid || options->outstanding == NOT_GIVEN ||
        options->size == NOT_GIVEN)
        bench_fail_usage("--target, --server-pid, --outstanding and --size are needed");
    if (options->seconds > 0 && options->outstanding < options->connections)
        bench_fail_usage("--outstanding is %zu: of %zu connections each wants one call at least",
                         options->outstanding, options->connections);
}

bench_client_options bench_client_options_read(int argc, char **argv)
{
    static const struct option known[] = {
        { "target", required_argument, NULL, 't' },
        { "server-pid", required_argument, NULL, 'p' },
        { "outstanding", required_argument, NULL, 'o' },
        { "size", required_argument, NULL, 'b' },
        { "seconds", required_argument, NULL, 's' },
        { "connections", required_argument, NULL, 'c' },
        { "rate", required_argument, NULL, 'r' },
        { "help", no_argument, NULL, 'h' },
        { 0 },
    };
    bench_client_options options = { .outstanding = NOT_GIVEN, .size = NOT_GIVEN, .connections = 1 };

    bench_arguments_take(argc, argv, known, client_option_take, &options);
    client_options_check(&options);
    return options;
}
