/*
 * What one run of a client or of a memory program found, and the line that carries it to the driver.
 *
 * The idea: programs print names with values ("calls_per_s=1007399.0 mb_per_s=..."), so that a person
 * who runs one by hand can read it; the driver reads the same line back.
 */
#ifndef BENCH_MEASURE_RESULTS_H
#define BENCH_MEASURE_RESULTS_H

#include <stdbool.h>

typedef struct bench_results {
    double calls_per_s;
    double mb_per_s; /* 10^6 bytes of payload, one way */
    double p50_us;
    double p99_us;
    double client_us_per_call; /* of processor time, user and system, all threads */
    double server_us_per_call;
} bench_results;

typedef struct bench_memory_results {
    double bytes_per_call; /* of anonymous memory, at the client */
    double server_bytes_per_call;
} bench_memory_results;

void bench_results_print(const bench_results *results);
void bench_memory_results_print(const bench_memory_results *results);

/* False: the line is something else; the results are left as they were. */
bool bench_results_parse(const char *line, bench_results *results);
bool bench_memory_results_parse(const char *line, bench_memory_results *results);

#endif
