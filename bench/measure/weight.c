#include "weight.h"

#include "process.h"

bench_weight bench_weight_now(pid_t server_pid)
{
    return (bench_weight){
        .client_bytes = bench_process_anon_bytes(0),
        .server_bytes = bench_process_anon_bytes(server_pid),
    };
}

static double growth(uint64_t before, uint64_t after, size_t count)
{
    return ((double)after - (double)before) / (double)count;
}

void bench_weight_print(const bench_weight *before, pid_t server_pid, size_t count,
                        bench_figure client_figure)
{
    bench_weight  after = bench_weight_now(server_pid);
    bench_results results = bench_results_unknown();

    results.figures[client_figure] = growth(before->client_bytes, after.client_bytes, count);
    results.figures[client_figure + 1] = growth(before->server_bytes, after.server_bytes, count);
    bench_results_print(&results);
}
