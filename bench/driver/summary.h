/*
 * What the rounds of one peer on one workload come to: medians, and their ratio to the floor's.
 *
 * The idea: a ratio is taken within each round, between runs that were neighbours in time, and the
 * median over the rounds comes last. So a disturbance that lasts for a round harms both or neither.
 */
#ifndef BENCH_DRIVER_SUMMARY_H
#define BENCH_DRIVER_SUMMARY_H

#include "pair.h"

#include <stddef.h>

typedef struct bench_summary {
    const bench_peer     *peer;
    const bench_workload *workload;
    bench_outcome         median;      /* of each figure by itself */
    double                calls_ratio; /* calls a second, to the floor's */
    double                cpu_ratio;   /* processor time a call, both sides added, to the floor's */
} bench_summary;

/* `floor` may be `rounds` itself; each has `count` outcomes, one a round. Not for a workload that is weighed: NULL. */
bench_summary bench_summarize(const bench_peer *peer, const bench_workload *workload, const bench_outcome *rounds,
                              const bench_outcome *floor, size_t count);

#endif
