/*
 * When calls are due: a rate, or several one after the other, and the warm-up before them.
 *
 * The idea: call number n has one intended moment, which follows from the schedule alone, whoever makes it
 * and however late. So a server that stalls cannot hold up the clock that it is measured with, and several
 * threads that share the numbers among them make the same calls as one would. In a closed loop calls have no
 * moment of their own; the schedule only says which part of the run a moment belongs to.
 *
 * Moments count from the start of the run, in nanoseconds. Pure arithmetic: nothing here asks for the time.
 */
#ifndef VOW_LOAD_SCHEDULE_H
#define VOW_LOAD_SCHEDULE_H

#include "tools/vow-load/problem.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOAD_STEPS_MAX 100
#define LOAD_RATE_MAX 10e6

typedef struct load_step {
    double   rate; /* calls a second; 0: as fast as answers come */
    uint64_t length_ns;
} load_step;

typedef struct load_schedule {
    bool      is_open;    /* calls have a moment of their own */
    bool      has_warmup; /* step 0 is not measured */
    uint64_t  count;      /* of measured calls; 0: as many as there is time for */
    size_t    step_count;
    load_step steps[LOAD_STEPS_MAX + 1];
    uint64_t  begins_ns[LOAD_STEPS_MAX + 2]; /* of each step, and the end of the last */
    double    calls[LOAD_STEPS_MAX + 2];     /* due before each step, and in all */
} load_schedule;

/*
 * Steps of "5000", "1000..10000/1000:5s" (from, to, by, each for so long), or a list of such with commas,
 * "100:10s,500:10s". A step without a length has `length_ns`.
 */
bool load_schedule_open(load_schedule *schedule, const char *rates, uint64_t length_ns,
                        load_problem *problem);

/* One step without a rate. */
void load_schedule_closed(load_schedule *schedule, uint64_t length_ns);

/* Puts a warm-up before the first step, at its rate; 0: none. Call it last. */
void load_schedule_warm_up(load_schedule *schedule, uint64_t warm_up_ns);

/* Ends after so many measured calls. Of an open schedule, which then has one step, they are its length. */
void load_schedule_limit(load_schedule *schedule, uint64_t count);

/* The length of all. */
uint64_t load_schedule_length_ns(const load_schedule *schedule);

/* How many calls an open schedule has, warm-up included. */
uint64_t load_schedule_calls(const load_schedule *schedule);

/*
 * Of an open schedule: when call `index` is due, and the step it belongs to. False: the schedule is over.
 *
 * `*step` is where the search begins: 0, or what was given for an earlier call.
 */
bool load_schedule_due(const load_schedule *schedule, uint64_t index, uint64_t *due_ns, size_t *step);

/* The step that a moment belongs to, searched from `step` on; `step_count` behind the last. */
size_t load_schedule_step_at(const load_schedule *schedule, uint64_t moment_ns, size_t step);

#endif
