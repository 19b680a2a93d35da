/*
 * A client's load: when calls begin, when measuring begins and ends, and what was seen in between.
 *
 * The idea: the client tells the time once per read callback, before the answers that it brought; all
 * answers of a callback and all calls made in it share that stamp. Measuring begins and ends on such a
 * stamp, so that calls, processor time and seconds are counted between the same two moments.
 *
 * Closed loop: a call begins when another was answered. Open loop (--rate): calls begin at intended moments,
 * evenly spaced, whatever the server does, and latency is counted from the intended moment. A call that is
 * late since all N are outstanding, or since the client was busy, has waited: leaving that out would hide
 * what a stalled server does to its callers. For both, a client does:
 *
 *     now_ns = uv_hrtime();                                        after a read, and whenever the timer fires
 *     if (!bench_load_goes_on(&load, now_ns))
 *         print and stop
 *     for each answer: bench_load_answered(&load, slot->start_ns, now_ns)
 *     while (there is a free slot && bench_load_call(&load, now_ns, &slot->start_ns))
 *         make the call
 *
 * The rule: once bench_load_goes_on has said no, the client makes no more calls; bench_load_print is due.
 */
#ifndef BENCH_MEASURE_LOAD_H
#define BENCH_MEASURE_LOAD_H

#include "arguments.h"
#include "results.h"

#include "tools/stats/histogram.h"

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bench_load {
    const bench_client_options *options;     /* lent */
    uint64_t                    opened_ns;   /* the warm-up's beginning, and the first intended moment */
    uint64_t                    interval_ns; /* between intended moments; 0: the closed loop */
    uint64_t                    turn_ns;     /* the end of the warm-up, then the end of measuring */
    uint64_t                    began_ns;    /* 0 during the warm-up */
    uint64_t                    ended_ns;    /* 0 until then */
    uint64_t                    client_ns;   /* processor time: when measuring began, then what it took */
    uint64_t                    server_ns;
    uint64_t                    begun; /* calls since the start; both count in the open loop only */
    uint64_t                    answered;
    uint64_t                    completed; /* of those measured, calls that were answered in time */
    stats_histogram             latency;   /* of each call answered while measuring */
} bench_load;

/* The warm-up begins at `now_ns`, with the first calls. */
void bench_load_begin(bench_load *load, const bench_client_options *options, uint64_t now_ns);

/* The rare half of bench_load_goes_on: a turn has come. */
bool bench_load_turn(bench_load *load, uint64_t now_ns);

/* The client has read, or its timer has fired, at `now_ns`: may it go on? */
static inline bool bench_load_goes_on(bench_load *load, uint64_t now_ns)
{
    return now_ns < load->turn_ns || bench_load_turn(load, now_ns);
}

/* The intended moment of the next call. Open loop only. */
uint64_t bench_load_due_ns(const bench_load *load);

/* The open half of bench_load_call. */
bool bench_load_call_due(bench_load *load, uint64_t now_ns, uint64_t *start_ns);

/* May a call begin at `now_ns`? If so it has begun, and `start_ns` is what its latency is counted from. */
static inline bool bench_load_call(bench_load *load, uint64_t now_ns, uint64_t *start_ns)
{
    if (load->interval_ns)
        return bench_load_call_due(load, now_ns, start_ns);
    *start_ns = now_ns;
    return true;
}

static inline void bench_load_answered(bench_load *load, uint64_t start_ns, uint64_t now_ns)
{
    stats_histogram_add(&load->latency, now_ns - start_ns);
    load->answered++;
}

/* Gives a descriptor that can be read at each intended moment (a timerfd, exact to the clock; timeouts in
 * milliseconds would be counted as the server's), but not more often than every 50 us, when all that is due
 * then begins together; -1 in the closed loop, which needs none. The process keeps it. */
int bench_load_timer_open(const bench_load *load);

/* The descriptor could be read: it no longer can until the next intended moment. */
void bench_load_timer_clear(int timer);

bench_results bench_load_results(const bench_load *load);
void          bench_load_print(const bench_load *load);

#ifdef __cplusplus
}
#endif

#endif
