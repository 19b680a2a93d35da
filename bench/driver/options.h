/*
 * The driver's own command line.
 */
#ifndef BENCH_DRIVER_OPTIONS_H
#define BENCH_DRIVER_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#define BENCH_NAMES_MOST 32

/* Names or patterns, of which any will do; none: all. */
typedef struct bench_names {
    const char *names[BENCH_NAMES_MOST];
    size_t      count;
} bench_names;

typedef struct bench_options {
    bool        is_quick;
    bool        is_check; /* only the checks of the benchmark itself */
    size_t      rounds;   /* 0: not given */
    double      seconds;  /* 0: not given */
    bench_names workloads;
    bench_names peers;
    const char *json; /* files; NULL: none */
    const char *html;
    const char *against;
} bench_options;

/* Exits with status 2 on a command line that makes no sense. The strings are lent by `argv`. */
bench_options bench_options_read(int argc, char **argv);

bool bench_names_match(const bench_names *names, const char *name);

#endif
