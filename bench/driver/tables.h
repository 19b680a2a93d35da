/*
 * What is measured: the peers and the workloads.
 *
 * The idea: a peer is one entry here and programs that speak the command line of measure/arguments.h, at
 * names that are made of the peer's and of the part they play: bench_grpc_cpp_server, bench_grpc_cpp_client.
 * A peer whose programs were not built is left out. The first peer is the floor, which all others are
 * compared with.
 */
#ifndef BENCH_DRIVER_TABLES_H
#define BENCH_DRIVER_TABLES_H

#include "measure/results.h"

#include <stdbool.h>
#include <stddef.h>

/* The part that the client plays, after which its program is called, is in brackets. */
typedef enum bench_kind {
    BENCH_ECHO,        /* [client] */
    BENCH_STREAM,      /* [sender] messages in one direction; of the floor, [receiver] is the server */
    BENCH_TALK,        /* [talk] messages on one stream, which the server sends back, N unanswered at most */
    BENCH_CHAIN,       /* [chain] 8 calls, each made when the one before was answered, count as one; over
                          bench_proxy */
    BENCH_TO_GRPC_CPP, /* [client] of every peer that speaks gRPC, against the server of gRPC C++ */
    BENCH_TO_VOW,      /* [client] of the same, against vow's */
    BENCH_H2LOAD,      /* bench_h2load_client, of all servers that speak HTTP/2 */
    BENCH_BESIDE,      /* [beside] small calls alone, then beside a bulk stream on the same connection */
    BENCH_CALLS,       /* [weigh] weighed: calls that are never answered */
    BENCH_CONNECTIONS, /* [weigh] weighed: connections that are idle */
    BENCH_IDLE,        /* [idle] weighed: streams that are open, and that nothing is sent on any more */
    BENCH_STALLED,     /* [stalled] weighed: streams that the server does not read */
    BENCH_KINDS
} bench_kind;

#define BENCH_HAS(kind) (1u << (kind))

typedef struct bench_peer {
    const char *name;
    const char *programs;    /* as the files are called: "grpc_cpp" */
    unsigned    kinds;       /* BENCH_HAS of each that it has a part in */
    const char *listen;      /* what its server is told; NULL: tcp://127.0.0.1:0 */
    bool        has_unix;    /* its server and client speak unix:///PATH, too */
    size_t      threads;     /* the most that its server can use; 0: 1 */
    size_t      size;        /* the most bytes that it takes in a message; 0: any of the workloads' */
    const char *receiver;    /* its server of BENCH_STREAM, where that is another program than "server" */
    const char *talker;      /* its server of BENCH_TALK, likewise */
    bool        has_no_rate; /* its client knows a closed loop only */
    bool        is_for_full; /* a quick run is without it, unless it is named */
    const char *package;     /* Debian's, whose version is reported; NULL: it is part of this tree */
} bench_peer;

typedef struct bench_workload {
    const char *name;
    bench_kind  kind;
    size_t      outstanding; /* calls, or streams */
    size_t      size;        /* bytes of payload in each message */
    size_t      connections; /* 0: 1 */
    size_t      threads;     /* of the server; 0: 1 */
    bool        over_unix;
    bool        is_for_full; /* as of peers */
    const char *peer;        /* the one that it is for; NULL: all that have a part in it */
    double      rate;        /* calls a second, open loop; 0: closed loop */
    double      rate_of;     /* or this share of what the peer reached in unary-100 of the same round */
} bench_workload;

extern const bench_peer     bench_peers[];
extern const size_t         bench_peer_count;
extern const bench_workload bench_workloads[];
extern const size_t         bench_workload_count;

#define BENCH_FLOOR 0 /* index of the peer that the ratios compare with */

/* NULL: there is none of this name. */
const bench_peer     *bench_peer_find(const char *name);
const bench_workload *bench_workload_find(const char *name);

/* Has this peer a part in this workload? */
bool bench_peer_runs(const bench_peer *peer, const bench_workload *workload);

/* The names of the programs, in `name`. */
void bench_peer_server(const bench_peer *peer, bench_kind kind, char *name, size_t size);
void bench_peer_client(const bench_peer *peer, bench_kind kind, char *name, size_t size);

/* Is it a part of vow, and not something that vow is compared with? NULL is not. */
bool bench_peer_is_ours(const bench_peer *peer);

/* Is it memory that is measured, and not time? */
bool bench_workload_is_weighed(const bench_workload *workload);

/* Of a kind that is weighed, the figure of the client; the server's is the one after it. */
bench_figure bench_kind_weight(bench_kind kind);

/* Is it about how long a call takes, and not about how many can be made? */
bool bench_workload_is_latency(const bench_workload *workload);

/* "100 calls of 32 bytes at once over 10 connections" */
void bench_workload_describe(const bench_workload *workload, char *text, size_t size);

/* Does the server leave calls unanswered? */
bool bench_workload_is_silent(const bench_workload *workload);

#endif
