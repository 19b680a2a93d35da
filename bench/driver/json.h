/*
 * Records as JSON: for other programs, and for comparing a later run with.
 *
 *     { "format": "vow-bench", "version": 2, "seconds": 1.5, "facts": { "commit": "..." },
 *       "results": [ { "workload": "unary-100", "peer": "vow", "raised": "", "failed": false,
 *                      "figures": { "calls_per_s": { "median": 1.0, "low": 0.9, "high": 1.1, "rounds": [ 1.0
 * ] } } } ] }
 *
 * The names of figures are those of measure/results.h. "rounds" has all rounds in their order, null where one
 * lacks the figure; "low" and "high" are the ends of the median's interval, null if a single round has it.
 */
#ifndef BENCH_DRIVER_JSON_H
#define BENCH_DRIVER_JSON_H

#include "record.h"

#include <stdbool.h>
#include <stdio.h>

#define BENCH_JSON_VERSION 2

/* False: the file could not be written. */
bool bench_json_write(FILE *file, const bench_record *record);

/* Reads `path` into `record`, which is empty. False: it is no such file, and `problem` says in what. */
bool bench_json_read(const char *path, bench_record *record, char *problem, size_t size);

#endif
