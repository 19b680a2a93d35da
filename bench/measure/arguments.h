/*
 * The command line that every peer's programs speak, so that the driver can run any of them.
 *
 *     server --listen tcp://127.0.0.1:0 | unix:///PATH [--silent] [--threads N]
 *     client --target URL --server-pid PID --outstanding N --size BYTES --seconds S [--connections C]
 *            [--rate R]
 *     weigh  --target URL --server-pid PID --outstanding N --size BYTES [--connections C]
 *
 * A server prints the address it listens on as its first line, in the form that its client takes as URL, and
 * after it, parted by spaces, what it has raised of its limits ("max_calls=200000"). A silent one answers
 * nothing but empty messages.
 * A client keeps N calls in flight in all, spread evenly over C connections, for S seconds, after a warm-up
 * of a fifth of that, and prints one line of results. With a rate, R calls a second begin instead, at most N
 * at once (load.h). `weigh` makes N calls that nobody answers, or opens C connections and lets them be where
 * N is 0, and prints what one of them takes.
 */
#ifndef BENCH_MEASURE_ARGUMENTS_H
#define BENCH_MEASURE_ARGUMENTS_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bench_server_options {
    const char *listen;
    bool        silent;
    size_t      threads; /* that serve; 1 if not given */
} bench_server_options;

typedef struct bench_client_options {
    const char *target;
    pid_t       server_pid;  /* whose processor time and memory the client reads beside its own */
    size_t      outstanding; /* 0 only without seconds */
    size_t      size;        /* bytes of payload, each way */
    double      seconds;     /* of measuring; 0 where memory is weighed, which has no use for it */
    size_t      connections; /* 1 if not given; with seconds, at most `outstanding` */
    double      rate;        /* calls a second that are to begin; 0: each when another was answered */
} bench_client_options;

/* Both exit with status 2 on a command line that makes no sense. The strings are lent by `argv`. */
bench_server_options bench_server_options_read(int argc, char **argv);
bench_client_options bench_client_options_read(int argc, char **argv);

/* How many of `all` (calls, say) fall to the one at `index` of `count`: evenly, the first ones get the rest.
 */
static inline size_t bench_share(size_t all, size_t count, size_t index)
{
    return all / count + (index < all % count);
}

/* One value from `least` to `most`: a whole number, or any (of `what`: "seconds"). */
size_t bench_argument_count(const char *option, const char *text, size_t least, size_t most);
double bench_argument_number(const char *option, const char *text, const char *what, double least,
                             double most);

/* Seconds, from a thousandth of one up to an hour. */
double bench_argument_seconds(const char *option, const char *text);

/* Calls `take` with each of the options that getopt_long knows by `known`, and its value; exits with status 2
 * at whatever else is on the command line. */
typedef void bench_take_fn(int option, const char *value, void *into);
void bench_arguments_take(int argc, char **argv, const struct option *known, bench_take_fn *take, void *into);

#ifdef __cplusplus
}
#endif

#endif
