#include "overhead.h"

#include "fail.h"
#include "load.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#define TIMES 1000000
#define LATE_SECONDS 0.2
#define LATE_RATE 5000
#define QUANTILE_US(load, share) ((double)stats_histogram_quantile(&(load)->latency, share) / 1e3)

static const bench_client_options no_peer = {
    .server_pid = 0, /* this process */
    .outstanding = 1,
    .seconds = 3600,
    .connections = 1,
};

static double time_of_clock_ns(void)
{
    uint64_t began_ns = uv_hrtime();
    uint64_t now_ns = began_ns;

    for (int i = 0; i < TIMES; i++)
        now_ns = uv_hrtime();
    return (double)(now_ns - began_ns) / TIMES;
}

/* Every call is answered at once, at a time that a clock which costs nothing tells. */
static double time_of_call_ns(bench_load *load)
{
    uint64_t began_ns = uv_hrtime();
    uint64_t start_ns = 0;
    uint64_t now_ns = began_ns;

    bench_load_begin(load, &no_peer, began_ns);
    for (int i = 0; i < TIMES; i++, now_ns += 100) {
        if (bench_load_goes_on(load, now_ns) && bench_load_call(load, now_ns, &start_ns))
            bench_load_answered(load, start_ns, now_ns);
    }
    return (double)(uv_hrtime() - began_ns) / TIMES;
}

/* Calls are answered in the moment they begin, so that all latency is lateness. */
static void watch_timer(bench_load *load)
{
    bench_client_options options = no_peer;
    struct pollfd        timer = { .events = POLLIN };
    uint64_t             start_ns;

    options.rate = LATE_RATE;
    options.seconds = LATE_SECONDS;
    bench_load_begin(load, &options, uv_hrtime());
    timer.fd = bench_load_timer_open(load);
    for (;;) {
        uint64_t now_ns;

        if (poll(&timer, 1, -1) < 0)
            bench_fail("cannot wait for a timer: %m");
        bench_load_timer_clear(timer.fd);
        now_ns = uv_hrtime();
        if (!bench_load_goes_on(load, now_ns))
            break;
        while (bench_load_call(load, now_ns, &start_ns))
            bench_load_answered(load, start_ns, now_ns);
    }
    close(timer.fd);
}

bench_overhead bench_overhead_measure(void)
{
    bench_load    *load = bench_alloc(1, sizeof *load);
    bench_overhead overhead;

    overhead.clock_ns = time_of_clock_ns();
    overhead.call_ns = time_of_call_ns(load);
    watch_timer(load);
    overhead.late_p50_us = QUANTILE_US(load, 0.5);
    overhead.late_p99_us = QUANTILE_US(load, 0.99);
    free(load);
    return overhead;
}
