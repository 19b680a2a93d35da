/*
 * A client's load: when measuring begins and ends, and what was seen in between.
 *
 * The idea: the client tells the time once per read callback, before the answers that it brought; all
 * answers of a callback and all calls made in it share that stamp. Measuring begins and ends on such a
 * stamp, so that calls, processor time and seconds are counted between the same two moments.
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

typedef struct bench_load {
    const bench_client_options *options;   /* lent */
    uint64_t                    turn_ns;   /* the end of the warm-up, then the end of measuring */
    uint64_t                    began_ns;  /* 0 during the warm-up */
    uint64_t                    ended_ns;  /* 0 until then */
    uint64_t                    client_ns; /* processor time: when measuring began, then what it took */
    uint64_t                    server_ns;
    stats_histogram             latency; /* of each call answered while measuring */
} bench_load;

/* The warm-up begins at `now_ns`, with the first calls. */
void bench_load_begin(bench_load *load, const bench_client_options *options, uint64_t now_ns);

/* The rare half of bench_load_goes_on: a turn has come. */
bool bench_load_turn(bench_load *load, uint64_t now_ns);

/* The client has read at `now_ns`: may it go on? */
static inline bool bench_load_goes_on(bench_load *load, uint64_t now_ns)
{
    return now_ns < load->turn_ns || bench_load_turn(load, now_ns);
}

static inline void bench_load_answered(bench_load *load, uint64_t sent_ns, uint64_t now_ns)
{
    stats_histogram_add(&load->latency, now_ns - sent_ns);
}

bench_results bench_load_results(const bench_load *load);
void          bench_load_print(const bench_load *load);

#endif
