/*
 * Expectations: "p99<5ms", "errors<0.1%", "rate>4900", and whether what was measured holds them.
 */
#ifndef VOW_LOAD_EXPECT_H
#define VOW_LOAD_EXPECT_H

#include "tools/vow-load/problem.h"
#include "tools/vow-load/tally.h"

#include <stdbool.h>

#define LOAD_EXPECTATIONS_MAX 32 /* of one run */

typedef enum load_measure {
    LOAD_QUANTILE, /* p50, p99.9; `share` says which */
    LOAD_MEAN,
    LOAD_MIN,
    LOAD_MAX,
    LOAD_ERRORS,       /* how many */
    LOAD_ERRORS_SHARE, /* of all calls that ended */
    LOAD_RATE,         /* answered calls a second */
    LOAD_RATE_SHARE,   /* of the rate that was wanted */
    LOAD_CALLS         /* answered */
} load_measure;

typedef enum load_relation { LOAD_BELOW, LOAD_AT_MOST, LOAD_ABOVE, LOAD_AT_LEAST, LOAD_EQUAL } load_relation;

typedef struct load_expectation {
    const char   *text; /* lent, as it was parsed */
    load_measure  measure;
    double        share;
    load_relation relation;
    double        bound; /* seconds, calls, calls a second, or a share */
} load_expectation;

/* What an expectation is held against. */
typedef struct load_measured {
    const load_tally *tally;       /* lent */
    double            rate;        /* answered calls a second */
    double            wanted_rate; /* 0 in a closed loop */
} load_measured;

/* `text` is lent as long as the expectation is used. */
bool load_expectation_parse(load_expectation *expectation, const char *text, load_problem *problem);

/* Also what was measured, in the unit of `bound`. Where no call was answered, no latency holds anything. */
bool load_expectation_holds(const load_expectation *expectation, const load_measured *measured,
                            double *value);

/* "4.2 ms", "0.03 %": a value in the words of its measure. Gives `text`. */
char *load_expectation_words(const load_expectation *expectation, double value, char text[32]);

#endif
