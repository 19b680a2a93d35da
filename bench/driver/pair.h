/*
 * One run: a peer's server and its client on one workload.
 */
#ifndef BENCH_DRIVER_PAIR_H
#define BENCH_DRIVER_PAIR_H

#include "measure/results.h"
#include "tables.h"

#include <stdbool.h>

/* How runs are made, the same for all of them. */
typedef struct bench_setting {
    const char *folder; /* of the peers' programs */
    double      seconds;
    double      weighed_share; /* of the calls and connections that a workload weighs, so many are made */
    int         server_core;   /* -1: any */
    int         client_core;
} bench_setting;

/* What a run gave. */
typedef struct bench_outcome {
    bench_results results;
    char          raised[128]; /* the limits that the server has raised, as it says; "": none */
} bench_outcome;

/* Runs the pair and stops it; in an open loop at `rate`, if it is not 0. False: the run failed, and why has
 * been said. */
bool bench_pair_run(const bench_setting *setting, const bench_peer *peer, const bench_workload *workload,
                    double rate, bench_outcome *outcome);

#endif
