/*
 * The command line that every peer's programs speak, so that the driver can run any of them.
 *
 *     server --listen tcp://127.0.0.1:0 [--silent]
 *     client --target URL --server-pid PID --outstanding N --size BYTES --seconds S
 *     memory --target URL --server-pid PID --outstanding N --size BYTES
 *
 * A server prints the address it listens on as its first line, and after it, parted by spaces, what it
 * has raised of its limits ("max_calls=200000"). A silent one answers nothing but empty messages.
 * A client keeps N calls in flight for S seconds, after a warm-up of a fifth of that, and prints one
 * line of results. The memory program makes N calls that nobody answers, and prints what one takes.
 */
#ifndef BENCH_MEASURE_ARGUMENTS_H
#define BENCH_MEASURE_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef struct bench_server_options {
    const char *listen;
    bool        silent;
} bench_server_options;

typedef struct bench_client_options {
    const char *target;
    pid_t       server_pid; /* whose processor time and memory the client reads beside its own */
    size_t      outstanding;
    size_t      size;    /* bytes of payload, each way */
    double      seconds; /* of measuring; 0 in the memory program, which has no use for it */
} bench_client_options;

/* Both exit with status 2 on a command line that makes no sense. The strings are lent by `argv`. */
bench_server_options bench_server_options_read(int argc, char **argv);
bench_client_options bench_client_options_read(int argc, char **argv);

/* One value: a whole number from 1 to `most`, or a positive number of seconds up to an hour. */
size_t bench_argument_count(const char *option, const char *text, size_t most);
double bench_argument_seconds(const char *option, const char *text);

/* For what getopt_long does not know: names the argument it has just looked at, and exits with status 2. */
void bench_argument_refuse(char **argv) __attribute__((noreturn));

#endif
