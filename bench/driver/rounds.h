/*
 * The rounds of a benchmark.
 *
 * The idea: every round runs every peer on every workload, so that what disturbs the machine for a
 * while disturbs all of them. A ratio to the floor is taken within a round, between runs that were neighbours
 * in time; medians come last (record.h).
 *
 * A run that fails has been told of; that peer is not run on that workload again, and all others are: what
 * they find is as good as before.
 */
#ifndef BENCH_DRIVER_ROUNDS_H
#define BENCH_DRIVER_ROUNDS_H

#include "pair.h"
#include "record.h"

#include <stdbool.h>
#include <stddef.h>

/* What is run of the tables. */
typedef struct bench_choice {
    size_t rounds;
    double most_seconds; /* no further round begins that would end after so many; 0: all are run */
    bool  *wanted;       /* by workload and peer: see bench_choice_has */
} bench_choice;

/* Nothing is wanted yet. */
void bench_choice_init(bench_choice *choice);
void bench_choice_done(bench_choice *choice);

/* Is this peer wanted on this workload? May be set. */
bool *bench_choice_has(const bench_choice *choice, const bench_peer *peer, const bench_workload *workload);

/* Runs in each round, and about how long a round takes. */
size_t bench_choice_count(const bench_choice *choice);
double bench_choice_seconds(const bench_choice *choice, const bench_setting *setting);

/* Adds all runs to `record`, as many as come to their end. False: a run failed, or a signal came. */
bool bench_rounds_run(const bench_setting *setting, const bench_choice *choice, bench_record *record);

#endif
