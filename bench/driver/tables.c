#include "tables.h"

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

const bench_peer bench_peers[] = {
    [BENCH_FLOOR] = { "floor",
                      {
                          [BENCH_ECHO] = { "bench_floor_server", "bench_floor_client" },
                          [BENCH_STREAM] = { "bench_floor_receiver", "bench_floor_sender" },
                      } },
    { "vow",
      {
          [BENCH_ECHO] = { "bench_vow_server", "bench_vow_client" },
          [BENCH_STREAM] = { "bench_vow_server", "bench_vow_sender" },
          [BENCH_BESIDE] = { "bench_vow_server", "bench_vow_beside" },
          [BENCH_CALLS] = { "bench_vow_server", "bench_vow_memory" },
          [BENCH_IDLE] = { "bench_vow_server", "bench_vow_idle" },
          [BENCH_STALLED] = { "bench_vow_server", "bench_vow_stalled" },
      } },
};
const size_t bench_peer_count = COUNT_OF(bench_peers);

const bench_workload bench_workloads[] = {
    { "unary-1", BENCH_ECHO, .outstanding = 1, .size = 32 },
    { "unary-100", BENCH_ECHO, .outstanding = 100, .size = 32 },
    { "unary-1000", BENCH_ECHO, .outstanding = 1000, .size = 32 },
    { "bytes-64k", BENCH_ECHO, .outstanding = 4, .size = 64 << 10 },
    { "bytes-1m", BENCH_ECHO, .outstanding = 4, .size = 1 << 20 },
    { "stream-64", BENCH_STREAM, .outstanding = 1, .size = 64 },
    { "stream-bulk", BENCH_STREAM, .outstanding = 1, .size = 256 << 10 },
    { "beside", BENCH_BESIDE, .outstanding = 1, .size = 32 },
    { "memory", BENCH_CALLS, .outstanding = 100000, .size = 32 },
    { "idle", BENCH_IDLE, .outstanding = 10000, .size = 32 },
    { "stalled-1", BENCH_STALLED, .outstanding = 1, .size = 16 << 10 },
    { "stalled-1000", BENCH_STALLED, .outstanding = 1000, .size = 16 << 10 },
};
const size_t bench_workload_count = COUNT_OF(bench_workloads);

bool bench_peer_runs(const bench_peer *peer, const bench_workload *workload)
{
    return peer->programs[workload->kind].client;
}

bool bench_workload_is_weighed(const bench_workload *workload)
{
    return workload->kind == BENCH_CALLS || workload->kind == BENCH_IDLE || workload->kind == BENCH_STALLED;
}
