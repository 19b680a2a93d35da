/*
 * What one run found: figures with names, and the line that carries them to the driver.
 *
 * The idea: a program prints the figures that it has ("calls_per_s=1007399.2 mb_per_s=32.2 ..."), in words
 * that a person who runs it by hand can read; the driver reads the same line back, adds ratios, and
 * uses the same names in JSON. A figure that is not known is NAN, and is left out.
 */
#ifndef BENCH_MEASURE_RESULTS_H
#define BENCH_MEASURE_RESULTS_H

#include <stdbool.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum bench_figure {
    BENCH_CALLS_PER_S,
    BENCH_MB_PER_S, /* 10^6 bytes of payload, one way */
    BENCH_P50_US,
    BENCH_P90_US,
    BENCH_P99_US,
    BENCH_P999_US,
    BENCH_P9999_US,
    BENCH_MAX_US,
    BENCH_RATE_PER_S,         /* that was asked for; what came of it is calls_per_s */
    BENCH_CLIENT_US_PER_CALL, /* of processor time: user and system, all threads */
    BENCH_SERVER_US_PER_CALL,
    BENCH_CPU_US_PER_CALL, /* both sides added */
    BENCH_CALLS_RATIO,     /* calls or messages a second, to the floor's */
    BENCH_CPU_RATIO,       /* processor time a call, both sides added, to the floor's */
    BENCH_P50_RATIO,
    BENCH_P99_RATIO,
    BENCH_BYTES_PER_CALL, /* of anonymous memory, at the client */
    BENCH_SERVER_BYTES_PER_CALL,
    BENCH_BYTES_PER_STREAM,
    BENCH_SERVER_BYTES_PER_STREAM,
    BENCH_BYTES_PER_CONNECTION,
    BENCH_SERVER_BYTES_PER_CONNECTION,
    BENCH_ALONE_P50_US, /* of what is measured beside something: the same without it */
    BENCH_ALONE_P99_US,
    BENCH_SERVER_IDLE_BYTES,  /* resident, before the first connection */
    BENCH_SERVER_ADDED_BYTES, /* of anonymous memory, by which the load made it grow at most */
    BENCH_FIGURES
} bench_figure;

typedef struct bench_results {
    double figures[BENCH_FIGURES];
} bench_results;

/* "calls_per_s" */
extern const char *const bench_figure_names[BENCH_FIGURES];

bench_results bench_results_unknown(void);

/* Prints what is known, each as `before`, name, `between`, value. */
void bench_results_write(FILE *file, const bench_results *results, const char *before, const char *between);

/* Prints the line on standard output. */
void bench_results_print(const bench_results *results);

/* False: the line is something else; the results are left as they were. */
bool bench_results_parse(const char *line, bench_results *results);

#ifdef __cplusplus
}
#endif

#endif
