/*
 * What a result comes to: the exit status, and the words for it.
 */
#ifndef VOW_LOAD_VERDICT_H
#define VOW_LOAD_VERDICT_H

#include "tools/vow-load/expect.h"
#include "tools/vow-load/run.h"

/* A generator whose threads were busy for more of the time than this may be what was measured. */
#define LOAD_BUSY 0.9

/* Fewer of the calls that were due than this have begun: the rate was not reached. */
#define LOAD_RATE_REACHED 0.98

typedef enum load_status {
    LOAD_WELL = 0,
    LOAD_MISSED = 1,  /* an expectation, or calls failed */
    LOAD_USAGE = 2,   /* options, schema or template */
    LOAD_NOTHING = 3, /* could be measured */
    LOAD_GONE = 4,    /* the server, in mid-run */
    LOAD_TOO_FAST = 5 /* the rate was not reached */
} load_status;

typedef struct load_verdict {
    load_status status;
    bool        holds[LOAD_EXPECTATIONS_MAX]; /* as the expectations are ordered */
    double      values[LOAD_EXPECTATIONS_MAX];
    bool        rate_was_reached;
    char        words[600];   /* "" where there is nothing to say beyond the figures */
    char        warning[300]; /* that the figures may not be the server's, though all went well; or "" */
} load_verdict;

void load_verdict_of(load_verdict *verdict, const load_plan *plan, const load_result *result,
                     const load_expectation *expectations, size_t count);

#endif
