#include "tables.h"

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

const bench_peer bench_peers[] = {
    [BENCH_FLOOR] = { .name = "floor", .server = "bench_floor_server", .client = "bench_floor_client" },
    { .name = "vow",
      .server = "bench_vow_server",
      .client = "bench_vow_client",
      .memory = "bench_vow_memory" },
};
const size_t bench_peer_count = COUNT_OF(bench_peers);

const bench_workload bench_workloads[] = {
    { .name = "unary-1", .outstanding = 1, .size = 32 },
    { .name = "unary-100", .outstanding = 100, .size = 32 },
    { .name = "unary-1000", .outstanding = 1000, .size = 32 },
    { .name = "bytes-64k", .outstanding = 4, .size = 64 << 10 },
    { .name = "bytes-1m", .outstanding = 4, .size = 1 << 20 },
    { .name = "memory", .outstanding = 100000, .size = 32, .weighed = true },
};
const size_t bench_workload_count = COUNT_OF(bench_workloads);

bool bench_peer_runs(const bench_peer *peer, const bench_workload *workload)
{
    return !workload->weighed || peer->memory;
}
