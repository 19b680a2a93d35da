/*
 * What a person, a program or a browser is shown of a result.
 */
#ifndef VOW_LOAD_SHOW_H
#define VOW_LOAD_SHOW_H

#include "tools/vow-load/capacity.h"
#include "tools/vow-load/options.h"
#include "tools/vow-load/plan.h"
#include "tools/vow-load/run.h"
#include "tools/vow-load/verdict.h"

#include <stdio.h>

/* One rate of a search for the capacity. */
typedef struct load_trial {
    double rate; /* wanted */
    double answered;
    double p50, p99, value; /* seconds; and what the expectation is about */
    double failed;
    bool   held;
    char   why[80]; /* it did not; "" where `value` says so */
} load_trial;

typedef struct load_findings {
    const load_options *options;
    const load_plan    *plan;
    const load_result  *result; /* of a search: of the last run that held, or else of the last */
    const load_verdict *verdict;
    const load_trial   *trials; /* of a search */
    size_t              trial_count;
    double              capacity;     /* the highest rate that held; 0: none */
    double              first_call_s; /* NAN: there was no trial call */
} load_findings;

/* The percentiles that are told, with their names: "p99.9". */
extern const struct load_percentile {
    const char *name;
    double      share;
} load_percentiles[];
extern const size_t load_percentile_count;

/* "open loop, 5,000 calls/s for 10.0 s after 1.00 s of warm-up; 1 connection, 1 thread" */
void load_show_plan(char *text, size_t size, const load_plan *plan);

void load_show_text(FILE *file, const load_findings *findings);

/* One line while it runs, in place of the one before; on a terminal only. */
void load_show_moment(FILE *file, const load_moment *moment);

/* One line for each rate of a search. */
void load_show_trial(FILE *file, const load_trial *trial, const load_expectation *expectation);

/* False: the file could not be written; `problem` says why. */
bool load_show_json(const char *path, const load_findings *findings, load_problem *problem);
bool load_show_html(const char *path, const load_findings *findings, load_problem *problem);

#endif
