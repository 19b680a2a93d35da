/*
 * The rounds of a benchmark, and what they come to: medians, and ratios to the floor.
 *
 * The idea: every round runs every peer on every workload, so that what disturbs the machine for a
 * while disturbs all of them. A ratio is taken within a round, between runs that were neighbours in
 * time, and its median over the rounds comes last.
 */
#ifndef BENCH_DRIVER_ROUNDS_H
#define BENCH_DRIVER_ROUNDS_H

#include "pair.h"

#include <stddef.h>

/* What is run of the tables. */
typedef struct bench_choice {
    size_t                rounds;
    const bench_peer     *peer;     /* beside the floor; NULL: all */
    const bench_workload *workload; /* NULL: all */
    unsigned             *kinds;    /* of each peer, those whose programs are here: BENCH_HAS */
} bench_choice;

typedef struct bench_rounds bench_rounds;

/* Runs them all. NULL: one run failed, and why has been said; none is left running. */
bench_rounds *bench_rounds_run(const bench_setting *setting, const bench_choice *choice);
void          bench_rounds_free(bench_rounds *rounds);

/* Is this peer's part of this workload among what was chosen? */
bool bench_choice_has(const bench_choice *choice, const bench_peer *peer, const bench_workload *workload);

/* The median of each figure by itself. */
bench_results bench_rounds_median(const bench_rounds *rounds, const bench_peer *peer,
                                  const bench_workload *workload);

/* The limits that this peer's server raised for this workload; "": none. Lent by `rounds`. */
const char *bench_rounds_raised(const bench_rounds *rounds, const bench_peer *peer,
                                const bench_workload *workload);

#endif
