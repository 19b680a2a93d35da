/*
 * What is measured: the peers and the workloads.
 *
 * The idea: a peer is one entry here and programs that speak the command line of measure/arguments.h.
 * The first peer is the floor, which all others are compared with.
 */
#ifndef BENCH_DRIVER_TABLES_H
#define BENCH_DRIVER_TABLES_H

#include <stdbool.h>
#include <stddef.h>

/* The names of its programs are those of files beside the driver's own. */
typedef struct bench_peer {
    const char *name;
    const char *server;
    const char *client;
    const char *memory; /* NULL: it keeps nothing for a call */
} bench_peer;

typedef struct bench_workload {
    const char *name;
    size_t      outstanding;
    size_t      size;    /* bytes of payload, each way */
    bool        weighed; /* the memory program runs, and nothing is answered */
} bench_workload;

extern const bench_peer     bench_peers[];
extern const size_t         bench_peer_count;
extern const bench_workload bench_workloads[];
extern const size_t         bench_workload_count;

#define BENCH_FLOOR 0 /* index of the peer that the ratios compare with */

/* Does this peer have programs for this workload? */
bool bench_peer_runs(const bench_peer *peer, const bench_workload *workload);

#endif
