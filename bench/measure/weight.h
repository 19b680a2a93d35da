/*
 * The growth of anonymous memory at both ends, for each of what it grew with.
 *
 * The idea: a program looks once when some calls, streams or connections are there, and again when all are.
 * What a process and its first connection take by themselves is there before the first look, and falls out.
 *
 * A program that can make its calls or connections a batch at a time says how, and bench_weigh does the rest.
 */
#ifndef BENCH_MEASURE_WEIGHT_H
#define BENCH_MEASURE_WEIGHT_H

#include "arguments.h"
#include "results.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bench_weight {
    uint64_t client_bytes;
    uint64_t server_bytes;
} bench_weight;

bench_weight bench_weight_now(pid_t server_pid);

/* The second look: prints what each of `count` has taken since `before`. `client_figure` is one of
 * BENCH_BYTES_PER_CALL, _STREAM and _CONNECTION; the server's figure is printed beside it. */
void bench_weight_print(const bench_weight *before, pid_t server_pid, size_t count,
                        bench_figure client_figure);

/* The first look comes when so many are there; a batch must divide it. */
#define BENCH_WEIGHED_FIRST 1000

/* Makes numbers `from` to `to`, not included; returns when both sides have them. */
typedef void bench_make_fn(size_t from, size_t to, void *arg);

/* Makes as many as the options say, at most `batch` at a time, and prints what each has taken. `figure` is
 * the client's, as above; it also says whether connections are counted, or what is outstanding. */
void bench_weigh(const bench_client_options *options, bench_figure figure, size_t batch, bench_make_fn *make,
                 void *arg);

#ifdef __cplusplus
}
#endif

#endif
