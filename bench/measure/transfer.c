#include "transfer.h"

#include "fail.h"
#include "process.h"
#include "results.h"

#include <inttypes.h>

#define WARM_UP_SHARE 0.2

void bench_transfer_begin(bench_transfer *transfer, const bench_client_options *options, uint64_t now_ns)
{
    double seconds = transfer->is_warm ? options->seconds : options->seconds * WARM_UP_SHARE;

    if (options->seconds <= 0)
        bench_fail_usage("--seconds is missing");
    transfer->options = options;
    transfer->began_ns = now_ns;
    transfer->stop_ns = now_ns + (uint64_t)(seconds * 1e9);
    transfer->client_ns = bench_process_cpu_ns(0);
    transfer->server_ns = bench_process_cpu_ns(options->server_pid);
}

static void transfer_print(const bench_transfer *transfer, double messages, uint64_t now_ns)
{
    double seconds = (double)(now_ns - transfer->began_ns) / 1e9;
    double client_ns = (double)(bench_process_cpu_ns(0) - transfer->client_ns);
    double server_ns = (double)(bench_process_cpu_ns(transfer->options->server_pid) - transfer->server_ns);
    bench_results results = bench_results_unknown();

    results.figures[BENCH_CALLS_PER_S] = messages / seconds;
    results.figures[BENCH_MB_PER_S] = messages * (double)transfer->options->size / seconds / 1e6;
    results.figures[BENCH_CLIENT_US_PER_CALL] = client_ns / messages / 1e3;
    results.figures[BENCH_SERVER_US_PER_CALL] = server_ns / messages / 1e3;
    bench_results_print(&results);
}

bool bench_transfer_ended(bench_transfer *transfer, uint64_t sent, uint64_t received, uint64_t now_ns)
{
    if (sent == 0 || received != sent)
        bench_fail("of %" PRIu64 " messages %" PRIu64 " were received", sent, received);
    if (transfer->is_warm) {
        transfer_print(transfer, (double)received, now_ns);
        return false;
    }
    transfer->is_warm = true;
    return true;
}
