/*
 * The medians of a benchmark, as a table for a person and as JSON for a program.
 */
#ifndef BENCH_DRIVER_REPORT_H
#define BENCH_DRIVER_REPORT_H

#include "rounds.h"

#include <stdio.h>

void bench_report_table(FILE *file, const bench_setting *setting, const bench_choice *choice,
                        const bench_rounds *rounds);

/* One object a line; the names are those of measure/results.h, "peer" and "workload". */
void bench_report_json(FILE *file, const bench_choice *choice, const bench_rounds *rounds);

#endif
