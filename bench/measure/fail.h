/*
 * How a program of the benchmark gives up: one line on standard error, and an exit status.
 *
 * The idea: a benchmark that goes on after a surprise prints wrong figures. So every call that can
 * fail goes through bench_must, or ends in bench_fail, and the driver reports the program's end.
 */
#ifndef BENCH_MEASURE_FAIL_H
#define BENCH_MEASURE_FAIL_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Exits with status 1. */
void bench_fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* Exits with status 2, which says that the command line was wrong. */
void bench_fail_usage(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* `status` is what a function of libuv gave: fails with "cannot <what>: <libuv's text>" if it is an error. */
void bench_must(int status, const char *what);

/* Of zeroed memory; never NULL. */
void *bench_alloc(size_t count, size_t size) __attribute__((malloc, warn_unused_result));

#ifdef __cplusplus
}
#endif

#endif
