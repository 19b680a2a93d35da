/*
 * The growth of anonymous memory at both ends, for each of what it grew with.
 *
 * The idea: a program looks once when some calls, streams or connections are there, and again when all are.
 * What a process takes by itself is there before the first look, and falls out.
 */
#ifndef BENCH_MEASURE_WEIGHT_H
#define BENCH_MEASURE_WEIGHT_H

#include "results.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

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

#ifdef __cplusplus
}
#endif

#endif
