/*
 * One run: workers are started, make the calls of a plan, and what they counted becomes one result.
 *
 * The idea: the main thread makes no calls. It has a loop with signals and a tick; each tick takes from every
 * worker what it counted since the last, which becomes a moment of the run's history, and a look at whether
 * the server is still there.
 *
 * SIGINT and SIGTERM end a run early, with a result; the second one ends the program at once.
 */
#ifndef VOW_LOAD_RUN_H
#define VOW_LOAD_RUN_H

#include "tools/vow-load/plan.h"
#include "tools/vow-load/tally.h"

/* Of a run that is longer, the history ends there. */
#define LOAD_MOMENTS_MAX 3600

typedef enum load_end {
    LOAD_COMPLETE,
    LOAD_INTERRUPTED,   /* by a signal */
    LOAD_SERVER_GONE,   /* nothing but VOW_UNAVAILABLE for as long as the plan allows */
    LOAD_NO_CONNECTION, /* before it began */
    LOAD_NO_REQUEST     /* the template made none in mid-run */
} load_end;

/* What was seen between two ticks. Durations in seconds; NAN where no call was answered. */
typedef struct load_moment {
    double at; /* its end, since measuring began; below 0 in the warm-up */
    double length;
    double begun, answered, failed; /* calls */
    double p50, p99, max;
    double outstanding; /* at its end */
} load_moment;

typedef struct load_result {
    load_end     end;
    load_problem why;                              /* where the end is not LOAD_COMPLETE */
    load_tally  *steps[LOAD_STEPS_MAX + 1];        /* as in the schedule; the warm-up as well */
    double       step_seconds[LOAD_STEPS_MAX + 1]; /* that each was on */
    load_tally  *total;                            /* of what was measured */
    double       seconds;                          /* that were measured */
    double       rate;                             /* answered calls a second */
    double       wanted_rate;                      /* on average; 0 in a closed loop */
    uint64_t     begun;                            /* calls, warm-up included */
    uint64_t     missed;                           /* calls that were due and never began */
    double cpu_per_call; /* seconds of the generator's processor time; NAN: not measured, or too short */
    double cpu_share;    /* of one core, all threads together; likewise */
    load_moment *moments;
    size_t       moment_count;
} load_result;

/* Told of each moment, warm-up included; `moment` is lent. */
typedef void load_watch_fn(const load_moment *moment, void *arg);

/* `watch` may be NULL. Gives the result (load_result_free). */
load_result *load_run(const load_plan *plan, load_watch_fn *watch, void *arg);
void         load_result_free(load_result *result, const load_plan *plan);

/* Of a step of the result: answered calls a second while it was on. */
double load_result_step_rate(const load_result *result, size_t step);

#endif
