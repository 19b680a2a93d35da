/*
 * The growth of anonymous memory at both ends, for each of what it grew with.
 */
#ifndef BENCH_VOW_WEIGHT_H
#define BENCH_VOW_WEIGHT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct bench_weight {
    uint64_t client_bytes;
    uint64_t server_bytes;
} bench_weight;

bench_weight bench_weight_now(pid_t server_pid);

/* Prints what each of `count` streams takes beyond `before`. */
void bench_weight_print_streams(const bench_weight *before, pid_t server_pid, size_t count);

/* Bytes for each of `count`. */
double bench_weight_growth(uint64_t before, uint64_t after, size_t count);

#endif
