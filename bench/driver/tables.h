/*
 * What is measured: the peers and the workloads.
 *
 * The idea: a peer is one entry here and programs that speak the command line of measure/arguments.h, a pair
 * of them for each kind of workload. The first peer is the floor, which all others are compared with.
 */
#ifndef BENCH_DRIVER_TABLES_H
#define BENCH_DRIVER_TABLES_H

#include <stdbool.h>
#include <stddef.h>

typedef enum bench_kind {
    BENCH_ECHO,
    BENCH_STREAM,  /* messages in one direction */
    BENCH_BESIDE,  /* small calls alone, then beside a bulk stream on the same connection */
    BENCH_CALLS,   /* weighed: never answered */
    BENCH_IDLE,    /* weighed: streams that are open, and that nothing is sent on any more */
    BENCH_STALLED, /* weighed: streams that the server does not read */
    BENCH_KINDS
} bench_kind;

/* Names of files beside the driver's own. NULL: the peer has no part in this kind. */
typedef struct bench_programs {
    const char *server;
    const char *client;
} bench_programs;

typedef struct bench_peer {
    const char    *name;
    bench_programs programs[BENCH_KINDS];
} bench_peer;

typedef struct bench_workload {
    const char *name;
    bench_kind  kind;
    size_t      outstanding; /* calls, or streams */
    size_t      size;        /* bytes of payload in each message */
} bench_workload;

extern const bench_peer     bench_peers[];
extern const size_t         bench_peer_count;
extern const bench_workload bench_workloads[];
extern const size_t         bench_workload_count;

#define BENCH_FLOOR 0 /* index of the peer that the ratios compare with */

/* Does this peer have programs for this workload? */
bool bench_peer_runs(const bench_peer *peer, const bench_workload *workload);

/* Is it memory that is measured, and not time? */
bool bench_workload_is_weighed(const bench_workload *workload);

#endif
