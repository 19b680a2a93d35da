#include "tables.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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
    { "vow-tls", "vow", HAS_CALLS | HAS_STREAMS, .listen = "tls://127.0.0.1:0", .has_unix = true,
      .threads = 2 },
    { "vow-grpc", "vow", HAS_CALLS | HAS_STREAMS | HAS_HTTP2, .listen = "grpc://127.0.0.1:0",
      .has_unix = true, .threads = 2 },
    { "vow-grpcs", "vow", HAS_CALLS | HAS_STREAMS, .listen = "grpcs://127.0.0.1:0", .has_unix = true,
      .threads = 2, .is_for_full = true },
    { "grpc-cpp", "grpc_cpp", HAS_CALLS | HAS_STREAMS | HAS_HTTP2, .has_unix = true, .threads = 2,
      .package = "libgrpc++1.51" },
    { "nghttpd", "nghttpd", HAS(H2LOAD), .listen = "http+post://127.0.0.1:0", .package = "nghttp2-server" },
    { "nghttpd-get", "nghttpd", HAS(H2LOAD), .listen = "http+get://127.0.0.1:0",
      .package = "nghttp2-server" },
    { "capnp", "capnp", HAS_CALLS | HAS_STREAMS, .has_unix = true, .threads = 2,
      .package = "libcapnp-0.9.2" },
    { "nng", "nng", HAS_CALLS | HAS_STREAMS, .has_unix = true, .threads = 2, .receiver = "receiver",
      .talker = "talker", .package = "libnng1" },
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
    { "bytes-0", BENCH_ECHO, .outstanding = 100, .size = 0, .is_for_full = true },
    { "bytes-1k", BENCH_ECHO, .outstanding = 100, .size = 1 << 10 },
    { "bytes-64k", BENCH_ECHO, .outstanding = 4, .size = 64 << 10 },
    { "bytes-1m", BENCH_ECHO, .outstanding = 4, .size = 1 << 20 },
    { "bytes-4m", BENCH_ECHO, .outstanding = 4, .size = 4 << 20 },
    { "conns-100", BENCH_ECHO, .outstanding = 100, .size = 32, .connections = 100 },
    { "conns-1000", BENCH_ECHO, .outstanding = 1000, .size = 32, .connections = 1000 },
    { "threads-2", BENCH_ECHO, .outstanding = 1000, .size = 32, .connections = 64, .threads = 2 },
    { "unix-1", BENCH_ECHO, .outstanding = 1, .size = 32, .over_unix = true, .is_for_full = true },
    { "unix-100", BENCH_ECHO, .outstanding = 100, .size = 32, .over_unix = true },
    { "rate-5000", BENCH_ECHO, .outstanding = 1000, .size = 32, .rate = 5000 },
    { "rate-half", BENCH_ECHO, .outstanding = 1000, .size = 32, .rate_of = 0.5 },
    { "stream-64", BENCH_STREAM, .outstanding = 1, .size = 64 },
    { "stream-bulk", BENCH_STREAM, .outstanding = 1, .size = 256 << 10 },
    { "talk-100", BENCH_TALK, .outstanding = 100, .size = 32 },
    { "chain-8", BENCH_CHAIN, .outstanding = 1, .size = 32 },
    { "to-grpc-cpp-1", BENCH_TO_GRPC_CPP, .outstanding = 1, .size = 32 },
    { "to-grpc-cpp-100", BENCH_TO_GRPC_CPP, .outstanding = 100, .size = 32 },
    { "to-grpc-cpp-64k", BENCH_TO_GRPC_CPP, .outstanding = 4, .size = 64 << 10, .is_for_full = true },
    { "to-grpc-cpp-1m", BENCH_TO_GRPC_CPP, .outstanding = 4, .size = 1 << 20, .is_for_full = true },
    { "to-vow-100", BENCH_TO_VOW, .outstanding = 100, .size = 32 },
    { "to-vow-conns", BENCH_TO_VOW, .outstanding = 1000, .size = 32, .connections = 100,
      .is_for_full = true },
    { "to-vow-64k", BENCH_TO_VOW, .outstanding = 4, .size = 64 << 10, .is_for_full = true },
    { "to-vow-1m", BENCH_TO_VOW, .outstanding = 4, .size = 1 << 20, .is_for_full = true },
    { "h2load-100", BENCH_H2LOAD, .outstanding = 100, .size = 32 },
    { "h2load-1000", BENCH_H2LOAD, .outstanding = 1000, .size = 32, .connections = 100 },
    { "h2load-64k", BENCH_H2LOAD, .outstanding = 4, .size = 64 << 10, .is_for_full = true },
    { "h2load-1m", BENCH_H2LOAD, .outstanding = 4, .size = 1 << 20, .is_for_full = true },
    { "beside", BENCH_BESIDE, .outstanding = 1, .size = 32 },
    { "memory", BENCH_CALLS, .outstanding = 100000, .size = 32 },
    { "memory-1m", BENCH_CALLS, .outstanding = 1000000, .size = 32, .is_for_full = true, .peer = "vow" },
    { "idle-conns", BENCH_CONNECTIONS, .outstanding = 0, .size = 0, .connections = 10000 },
    { "idle", BENCH_IDLE, .outstanding = 10000, .size = 32 },
    { "stalled-1", BENCH_STALLED, .outstanding = 1, .size = 16 << 10, .is_for_full = true },
    { "stalled-1000", BENCH_STALLED, .outstanding = 1000, .size = 16 << 10 },
};
const size_t bench_workload_count = COUNT_OF(bench_workloads);

/* What a kind's client is called, after the peer; and what is to be said of it. */
static const struct {
    const char  *client;
    const char  *what; /* before the size of a message, when it is told; and after it */
    const char  *where;
    bench_figure weight; /* what is weighed at the client; 0: nothing is */
    bool         is_silent;
    const char  *server; /* whose it is; NULL: the peer's own */
} kinds[BENCH_KINDS] = {
    [BENCH_ECHO] = { "client", "calls", "" },
    [BENCH_STREAM] = { "sender", "messages", " one way on a stream" },
    [BENCH_TALK] = { "talk", "messages", " there and back on a stream" },
    [BENCH_CHAIN] = { "chain", "8 calls", ", each after the one before, on a link of 5 ms" },
    [BENCH_TO_GRPC_CPP] = { "client", "calls", " to gRPC C++'s server", .server = "grpc_cpp" },
    [BENCH_TO_VOW] = { "client", "calls", " to vow's server", .server = "vow" },
    [BENCH_H2LOAD] = { NULL, "requests", " under h2load" },
    [BENCH_BESIDE] = { "beside", "calls", ", alone and beside a stream of 4 MiB messages" },
    [BENCH_CALLS] = { "weigh", "memory for a call in flight, with messages", "", BENCH_BYTES_PER_CALL,
                      .is_silent = true },
    [BENCH_CONNECTIONS] = { "weigh", "memory for an idle connection, with messages", "",
                            BENCH_BYTES_PER_CONNECTION },
    [BENCH_IDLE] = { "idle", "memory for an idle stream, with messages", "", BENCH_BYTES_PER_STREAM,
                     .is_silent = true },
    [BENCH_STALLED] = { "stalled", "memory for a stream that is not read, with messages", "",
                        BENCH_BYTES_PER_STREAM, .is_silent = true },
};

const bench_peer *bench_peer_find(const char *name)
{
    for (size_t i = 0; i < bench_peer_count; i++) {
        if (strcmp(bench_peers[i].name, name) == 0)
            return &bench_peers[i];
    }
    return NULL;
}

const bench_workload *bench_workload_find(const char *name)
{
    for (size_t i = 0; i < bench_workload_count; i++) {
        if (strcmp(bench_workloads[i].name, name) == 0)
            return &bench_workloads[i];
    }
    return NULL;
}

bool bench_peer_runs(const bench_peer *peer, const bench_workload *workload)
{
    size_t threads = peer->threads ? peer->threads : 1;

    return (peer->kinds & BENCH_HAS(workload->kind)) && workload->threads <= threads &&
           (!workload->over_unix || peer->has_unix) && (!peer->size || workload->size <= peer->size) &&
           (!workload->peer || strcmp(workload->peer, peer->name) == 0) &&
           (!peer->has_no_rate || (workload->rate == 0 && workload->rate_of == 0));
}

bool bench_peer_is_ours(const bench_peer *peer)
{
    return peer && !peer->package && peer != &bench_peers[BENCH_FLOOR];
}

void bench_peer_server(const bench_peer *peer, bench_kind kind, char *name, size_t size)
{
    const char *programs = kinds[kind].server ? kinds[kind].server : peer->programs;
    const char *part = NULL;

    if (kind == BENCH_STREAM)
        part = peer->receiver;
    else if (kind == BENCH_TALK)
        part = peer->talker;
    snprintf(name, size, "bench_%s_%s", programs, part ? part : "server");
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
    return kinds[workload->kind].weight != 0;
}

bench_figure bench_kind_weight(bench_kind kind)
{
    return kinds[kind].weight;
}

bool bench_workload_is_latency(const bench_workload *workload)
{
    return workload->rate > 0 || workload->rate_of > 0 || workload->outstanding == 1;
}

/* Appends to `text`, of which `used` bytes are; what does not fit is cut. */
static void append(char *text, size_t size, size_t *used, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void append(char *text, size_t size, size_t *used, const char *format, ...)
{
    va_list values;

    va_start(values, format);
    vsnprintf(text + *used, size - *used, format, values);
    va_end(values);
    *used += strlen(text + *used);
}

static void append_size(char *text, size_t size, size_t *used, size_t bytes)
{
    if (bytes && bytes % (1 << 20) == 0)
        append(text, size, used, " of %zu MiB", bytes >> 20);
    else if (bytes && bytes % (1 << 10) == 0)
        append(text, size, used, " of %zu KiB", bytes >> 10);
    else
        append(text, size, used, " of %zu bytes", bytes);
}

void bench_workload_describe(const bench_workload *workload, char *text, size_t size)
{
    bool   is_weighed = bench_workload_is_weighed(workload);
    size_t used = 0;

    append(text, size, &used, "%s", kinds[workload->kind].what);
    append_size(text, size, &used, workload->size);
    append(text, size, &used, "%s", kinds[workload->kind].where);
    if (workload->outstanding > 0)
        append(text, size, &used, ", %zu %s", workload->outstanding, is_weighed ? "in all" : "at once");
    if (workload->rate > 0)
        append(text, size, &used, " at most, %.0f a second (open loop)", workload->rate);
    if (workload->rate_of > 0)
        append(text, size, &used, " at most, at %.0f %% of unary-100's rate (open loop)",
               workload->rate_of * 100);
    if (workload->connections > 1)
        append(text, size, &used, ", %zu connections", workload->connections);
    if (workload->threads > 1)
        append(text, size, &used, ", server on %zu threads", workload->threads);
    if (workload->over_unix)
        append(text, size, &used, ", Unix socket");
}

bool bench_workload_is_silent(const bench_workload *workload)
{
    return kinds[workload->kind].is_silent;
}
