#include "weight.h"

#include "fail.h"
#include "process.h"

#define SPARE_FILES 100 /* beside the connections */

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

void bench_weigh(const bench_client_options *options, bench_figure figure, size_t batch, bench_make_fn *make,
                 void *arg)
{
    size_t       count = figure == BENCH_BYTES_PER_CONNECTION ? options->connections : options->outstanding;
    size_t       made = 0;
    bench_weight before = { 0 };

    if (count <= BENCH_WEIGHED_FIRST)
        bench_fail_usage("more than the %d that come before the first look are to be weighed",
                         BENCH_WEIGHED_FIRST);
    bench_process_raise_files(options->connections + SPARE_FILES);
    while (made < count) {
        size_t to = count - made < batch ? count : made + batch;

        make(made, to, arg);
        made = to;
        if (made == BENCH_WEIGHED_FIRST)
            before = bench_weight_now(options->server_pid);
    }
    bench_weight_print(&before, options->server_pid, count - BENCH_WEIGHED_FIRST, figure);
}
