/*
 * The generator: makes the calls of one loop, each when it is due, and counts what becomes of them.
 *
 * The idea: it knows the time and asks to be woken through a clock that it is given, and all else through
 * vow's public interface. So it runs on a simulated loop, where tests know every moment, as it does on a real
 * one.
 *
 * In an open loop a call begins when it is due, or, where as many as allowed are outstanding, as soon as one
 * ends; its latency counts from when it was due. In a closed loop each call that ends makes room for the
 * next, and its latency counts from when it began.
 *
 * On the loop's thread, but for load_generator_exchange.
 */
#ifndef VOW_LOAD_GENERATOR_H
#define VOW_LOAD_GENERATOR_H

#include "tools/vow-load/problem.h"
#include "tools/vow-load/requests.h"
#include "tools/vow-load/schedule.h"
#include "tools/vow-load/tally.h"

#include <vow/vow.h>

/* A lane of a closed loop rests so long after VOW_UNAVAILABLE: what fails at once would be tried a million
 * times. */
#define LOAD_REST_NS UINT64_C(20000000)

/* Calls that are due and could not begin within this time behind the schedule's end never do. */
#define LOAD_LATE_NS UINT64_C(100000000)

typedef struct load_clock {
    uint64_t (*now_ns)(void *arg);
    /* Asks for load_generator_wake at that moment, or now if it has passed, in place of what was asked
     * before. Never wakes within this call. */
    void (*wake_at)(void *arg, uint64_t moment_ns);
    void *arg;
} load_clock;

/* All that is pointed at is lent as long as the generator lives. */
typedef struct load_generator_setup {
    vow_channel *const  *channels;
    size_t               channel_count;
    const vow_method    *method;
    const vow_metadata  *metadata;
    int64_t              timeout_ms; /* or VOW_NO_TIMEOUT */
    const load_schedule *schedule;
    const load_requests *requests;
    uint64_t             first_request; /* the number of the schedule's first call */
    size_t               outstanding;   /* at most; at least 1 */
    size_t               place;         /* this one's among `of`, which share the schedule's calls in turn */
    size_t               of;
    load_clock           clock;
    void (*over)(void *arg); /* it makes no more calls, and none is outstanding */
    void *arg;
} load_generator_setup;

typedef struct load_generator load_generator;

load_generator *load_generator_new(const load_generator_setup *setup);

/* None of its calls may be outstanding. */
void load_generator_free(load_generator *generator);

void load_generator_start(load_generator *generator, uint64_t start_ns);
void load_generator_wake(load_generator *generator);

/* Begins no more calls. */
void load_generator_stop(load_generator *generator);

/* What ends from now on, because the caller closes the channels, counts as unfinished. */
void load_generator_give_up(load_generator *generator);

/* What it counted */

/* Of a step, lent. */
const load_tally *load_generator_step(const load_generator *generator, size_t step);

/* Since the start when it stopped making calls; 0: it has not. */
uint64_t load_generator_ended_ns(const load_generator *generator);

/* Calls of the schedule that were due and never began. */
uint64_t load_generator_missed(const load_generator *generator);

/* "" or why a request could not be made, which stopped it. */
const char *load_generator_problem(const load_generator *generator);

/*
 * Any thread: gives what was counted since the last time, and goes on with `empty`.
 *
 * Owns    takes `empty`; gives the tally (free).
 */
load_tally *load_generator_exchange(load_generator *generator, load_tally *empty);

#endif
