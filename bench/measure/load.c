#include "load.h"

#include "fail.h"
#include "process.h"

#include <string.h>

#define WARM_UP_SHARE 0.2

static uint64_t seconds_to_ns(double seconds)
{
    return (uint64_t)(seconds * 1e9);
}

void bench_load_begin(bench_load *load, const bench_client_options *options, uint64_t now_ns)
{
    if (options->seconds <= 0)
        bench_fail_usage("--seconds is missing");
    memset(load, 0, sizeof *load);
    load->options = options;
    load->turn_ns = now_ns + seconds_to_ns(options->seconds * WARM_UP_SHARE);
}

bool bench_load_turn(bench_load *load, uint64_t now_ns)
{
    uint64_t client_ns = bench_process_cpu_ns(0);
    uint64_t server_ns = bench_process_cpu_ns(load->options->server_pid);
    bool     warm_up_is_over = load->began_ns == 0;

    if (warm_up_is_over) {
        memset(&load->latency, 0, sizeof load->latency);
        load->began_ns = now_ns;
        load->turn_ns = now_ns + seconds_to_ns(load->options->seconds);
    } else {
        load->ended_ns = now_ns;
    }
    load->client_ns = client_ns - load->client_ns;
    load->server_ns = server_ns - load->server_ns;
    return warm_up_is_over;
}

bench_results bench_load_results(const bench_load *load)
{
    double        seconds = (double)(load->ended_ns - load->began_ns) / 1e9;
    double        calls = (double)load->latency.count;
    bench_results results = bench_results_unknown();

    if (load->latency.count == 0)
        bench_fail("not one call was answered in %g s", load->options->seconds);
    results.figures[BENCH_CALLS_PER_S] = calls / seconds;
    results.figures[BENCH_MB_PER_S] = calls * (double)load->options->size / seconds / 1e6;
    results.figures[BENCH_P50_US] = (double)stats_histogram_quantile(&load->latency, 0.50) / 1e3;
    results.figures[BENCH_P99_US] = (double)stats_histogram_quantile(&load->latency, 0.99) / 1e3;
    results.figures[BENCH_CLIENT_US_PER_CALL] = (double)load->client_ns / calls / 1e3;
    results.figures[BENCH_SERVER_US_PER_CALL] = (double)load->server_ns / calls / 1e3;
    return results;
}

void bench_load_print(const bench_load *load)
{
    bench_results results = bench_load_results(load);

    bench_results_print(&results);
}
