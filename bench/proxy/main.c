/*
 * bench_proxy --target URL --listen URL [--delay-ms D]: what proxy.h says, as a process of its own.
 *
 * As a server does, it prints its address first: the listener's, under the target's scheme, so that a client
 * takes it for the server's.
 */
#include "measure/arguments.h"
#include "measure/fail.h"
#include "proxy.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DELAY_MS_DEFAULT 2.5 /* 5 ms there and back */
#define DELAY_MS_MOST 10000.0

struct options {
    const char *target;
    const char *listen;
    double      delay_ms;
};

static void option_take(int option, const char *value, void *into)
{
    struct options *options = into;

    switch (option) {
    case 't':
        options->target = value;
        break;
    case 'l':
        options->listen = value;
        break;
    case 'd':
        options->delay_ms = bench_argument_number("delay-ms", value, "milliseconds", 0, DELAY_MS_MOST);
        break;
    default:
        puts("bench_proxy --target URL --listen tcp://127.0.0.1:0 [--delay-ms 2.5]\n"
             "Passes on what it gets, in both directions, so many milliseconds later.");
        exit(0);
    }
}

static struct options options_read(int argc, char **argv)
{
    static const struct option known[] = {
        { "target", required_argument, NULL, 't' },
        { "listen", required_argument, NULL, 'l' },
        { "delay-ms", required_argument, NULL, 'd' },
        { "help", no_argument, NULL, 'h' },
        { 0 },
    };
    struct options options = { .delay_ms = DELAY_MS_DEFAULT };

    bench_arguments_take(argc, argv, known, option_take, &options);
    if (!options.target || !options.listen)
        bench_fail_usage("--target and --listen are needed");
    return options;
}

int main(int argc, char **argv)
{
    struct options options = options_read(argc, argv);
    const char    *scheme_end = strstr(options.target, "://");
    bench_proxy   *proxy;

    signal(SIGPIPE, SIG_IGN); /* libuv writes without MSG_NOSIGNAL */
    proxy = bench_proxy_open(uv_default_loop(), options.listen, options.target,
                             (uint64_t)(options.delay_ms * 1e6));
    printf("%.*s://127.0.0.1:%d\n", scheme_end ? (int)(scheme_end - options.target) : 0, options.target,
           bench_proxy_port(proxy));
    if (fflush(stdout) != 0)
        bench_fail("cannot tell the address: %m");
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
