#include "tables.h"

#include <stdio.h>

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

#define HAS(kind) BENCH_HAS(BENCH_##kind)
#define HAS_CALLS (HAS(ECHO) | HAS(CHAIN) | HAS(CALLS) | HAS(CONNECTIONS))
#define HAS_STREAMS (HAS(STREAM) | HAS(TALK))
#define HAS_HTTP2 (HAS(H2LOAD) | HAS(TO_GRPC_CPP) | HAS(TO_VOW))
#define HAS_WEIGHED_STREAMS (HAS(IDLE) | HAS(STALLED))

const bench_peer bench_peers[] = {
    [BENCH_FLOOR] = { "floor", "floor", HAS(ECHO) | HAS_STREAMS | HAS(CHAIN) | HAS(CONNECTIONS),
                      .has_unix = true, .threads = 2, .receiver = "receiver" },
    { "vow", "vow", HAS_CALLS | HAS_STREAMS | HAS(BESIDE) | HAS_WEIGHED_STREAMS, .has_unix = true,
      .threads = 2 },
    { "vow-tls", "vow", HAS_CALLS | HAS_STREAMS, .listen = "tls://127.0.0.1:0", .threads = 2 },
    { "vow-grpc", "vow", HAS_CALLS | HAS_STREAMS | HAS_HTTP2, .listen = "grpc://127.0.0.1:0", .threads = 2 },
    { "vow-grpcs", "vow", HAS_CALLS | HAS_STREAMS, .listen = "grpcs://127.0.0.1:0", .threads = 2 },
    { "grpc-cpp", "grpc_cpp", HAS_CALLS | HAS_STREAMS | HAS_HTTP2, .has_unix = true, .threads = 2,
      .package = "libgrpc++1.51" },
    { "nghttpd", "nghttpd", HAS(H2LOAD), .listen = "http+post://127.0.0.1:0", .package = "nghttp2-server" },
    { "nghttpd-get", "nghttpd", HAS(H2LOAD), .listen = "http+get://127.0.0.1:0",
      .package = "nghttp2-server" },
    { "capnp", "capnp", HAS_CALLS | HAS_STREAMS, .has_unix = true, .threads = 2,
      .package = "libcapnp-0.9.2" },
    { "nng", "nng", HAS_CALLS | HAS(STREAM), .has_unix = true, .threads = 2, .receiver = "receiver",
      .package = "libnng1" },
    { "zeromq", "zeromq", HAS_CALLS | HAS_STREAMS, .has_unix = true, .threads = 2, .receiver = "receiver",
      .package = "libzmq5" },
    { "thrift", "thrift", HAS(ECHO) | HAS(CHAIN) | HAS(CONNECTIONS) | HAS(STREAM), .has_unix = true,
      .threads = 2, .package = "libthrift-0.17.0" },
    { "redis", "redis", HAS(ECHO) | HAS(CHAIN) | HAS(CONNECTIONS), .has_unix = true, .threads = 2,
      .package = "redis-server" },
    { "redis-benchmark", "redis_benchmark", HAS(ECHO), .has_unix = true, .threads = 2, .size = 32,
      .has_no_rate = true, .package = "redis-tools" },
};
const size_t bench_peer_count = COUNT_OF(bench_peers);

const bench_workload bench_workloads[] = {
    { "unary-1", BENCH_ECHO, .outstanding = 1, .size = 32 },
    { "unary-10", BENCH_ECHO, .outstanding = 10, .size = 32 },
    { "unary-100", BENCH_ECHO, .outstanding = 100, .size = 32 },
    { "unary-1000", BENCH_ECHO, .outstanding = 1000, .size = 32 },
    { "bytes-0", BENCH_ECHO, .outstanding = 100, .size = 0 },
    { "bytes-1k", BENCH_ECHO, .outstanding = 100, .size = 1 << 10 },
    { "bytes-64k", BENCH_ECHO, .outstanding = 4, .size = 64 << 10 },
    { "bytes-1m", BENCH_ECHO, .outstanding = 4, .size = 1 << 20 },
    { "bytes-4m", BENCH_ECHO, .outstanding = 4, .size = 4 << 20 },
    { "conns-100", BENCH_ECHO, .outstanding = 100, .size = 32, .connections = 100 },
    { "conns-1000", BENCH_ECHO, .outstanding = 1000, .size = 32, .connections = 1000 },
    { "threads-2", BENCH_ECHO, .outstanding = 1000, .size = 32, .connections = 64, .threads = 2 },
    { "unix-1", BENCH_ECHO, .outstanding = 1, .size = 32, .over_unix = true },
    { "unix-100", BENCH_ECHO, .outstanding = 100, .size = 32, .over_unix = true },
    { "rate-5000", BENCH_ECHO, .outstanding = 1000, .size = 32, .rate = 5000 },
    { "rate-half", BENCH_ECHO, .outstanding = 1000, .size = 32, .rate_of = 0.5 },
    { "stream-64", BENCH_STREAM, .outstanding = 1, .size = 64 },
    { "stream-bulk", BENCH_STREAM, .outstanding = 1, .size = 256 << 10 },
    { "talk-100", BENCH_TALK, .outstanding = 100, .size = 32 },
    { "chain-8", BENCH_CHAIN, .outstanding = 1, .size = 32 },
    { "to-grpc-cpp-1", BENCH_TO_GRPC_CPP, .outstanding = 1, .size = 32 },
    { "to-grpc-cpp-100", BENCH_TO_GRPC_CPP, .outstanding = 100, .size = 32 },
    { "to-grpc-cpp-64k", BENCH_TO_GRPC_CPP, .outstanding = 4, .size = 64 << 10 },
    { "to-grpc-cpp-1m", BENCH_TO_GRPC_CPP, .outstanding = 4, .size = 1 << 20 },
    { "to-vow-100", BENCH_TO_VOW, .outstanding = 100, .size = 32 },
    { "to-vow-conns", BENCH_TO_VOW, .outstanding = 1000, .size = 32, .connections = 100 },
    { "to-vow-64k", BENCH_TO_VOW, .outstanding = 4, .size = 64 << 10 },
    { "to-vow-1m", BENCH_TO_VOW, .outstanding = 4, .size = 1 << 20 },
    { "h2load-100", BENCH_H2LOAD, .outstanding = 100, .size = 32 },
    { "h2load-1000", BENCH_H2LOAD, .outstanding = 1000, .size = 32, .connections = 100 },
    { "h2load-64k", BENCH_H2LOAD, .outstanding = 4, .size = 64 << 10 },
    { "h2load-1m", BENCH_H2LOAD, .outstanding = 4, .size = 1 << 20 },
    { "beside", BENCH_BESIDE, .outstanding = 1, .size = 32 },
    { "memory", BENCH_CALLS, .outstanding = 100000, .size = 32 },
    { "idle-conns", BENCH_CONNECTIONS, .outstanding = 0, .size = 0, .connections = 10000 },
    { "idle", BENCH_IDLE, .outstanding = 10000, .size = 32 },
    { "stalled-1", BENCH_STALLED, .outstanding = 1, .size = 16 << 10 },
    { "stalled-1000", BENCH_STALLED, .outstanding = 1000, .size = 16 << 10 },
};
const size_t bench_workload_count = COUNT_OF(bench_workloads);

/* What a kind's client is called, after the peer; and what is to be said of it. */
static const struct {
    const char *client;
    const char *server; /* whose it is; NULL: the peer's own */
    bool        is_weighed;
    bool        is_silent;
} kinds[BENCH_KINDS] = {
    [BENCH_ECHO] = { "client" },
    [BENCH_STREAM] = { "sender" },
    [BENCH_TALK] = { "talk" },
    [BENCH_CHAIN] = { "chain" },
    [BENCH_TO_GRPC_CPP] = { "client", .server = "grpc_cpp" },
    [BENCH_TO_VOW] = { "client", .server = "vow" },
    [BENCH_H2LOAD] = { NULL },
    [BENCH_BESIDE] = { "beside" },
    [BENCH_CALLS] = { "weigh", .is_weighed = true, .is_silent = true },
    [BENCH_CONNECTIONS] = { "weigh", .is_weighed = true },
    [BENCH_IDLE] = { "idle", .is_weighed = true, .is_silent = true },
    [BENCH_STALLED] = { "stalled", .is_weighed = true, .is_silent = true },
};

bool bench_peer_runs(const bench_peer *peer, const bench_workload *workload)
{
    size_t threads = peer->threads ? peer->threads : 1;

    return (peer->kinds & BENCH_HAS(workload->kind)) && workload->threads <= threads &&
           (!workload->over_unix || peer->has_unix) && (!peer->size || workload->size <= peer->size) &&
           (!peer->has_no_rate || (workload->rate == 0 && workload->rate_of == 0));
}

void bench_peer_server(const bench_peer *peer, bench_kind kind, char *name, size_t size)
{
    const char *programs = kinds[kind].server ? kinds[kind].server : peer->programs;
    bool        receives = kind == BENCH_STREAM && peer->receiver;

    snprintf(name, size, "bench_%s_%s", programs, receives ? peer->receiver : "server");
}

void bench_peer_client(const bench_peer *peer, bench_kind kind, char *name, size_t size)
{
    if (kind == BENCH_H2LOAD)
        snprintf(name, size, "bench_h2load_client");
    else
        snprintf(name, size, "bench_%s_%s", peer->programs, kinds[kind].client);
}

bool bench_workload_is_weighed(const bench_workload *workload)
{
    return kinds[workload->kind].is_weighed;
}

bool bench_workload_is_silent(const bench_workload *workload)
{
    return kinds[workload->kind].is_silent;
}
