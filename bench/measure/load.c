#include "load.h"

#include "fail.h"
#include "process.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define WARM_UP_SHARE 0.2
#define NS_PER_S 1000000000
#define TICK_LEAST_NS 50000

static const struct {
    bench_figure figure;
    double       share;
} quantiles[] = {
    { BENCH_P50_US, 0.5 },    { BENCH_P90_US, 0.9 },      { BENCH_P99_US, 0.99 },
    { BENCH_P999_US, 0.999 }, { BENCH_P9999_US, 0.9999 }, { BENCH_MAX_US, 1 },
};

static uint64_t seconds_to_ns(double seconds)
{
    return (uint64_t)(seconds * NS_PER_S);
}

void bench_load_begin(bench_load *load, const bench_client_options *options, uint64_t now_ns)
{
    if (options->seconds <= 0)
        bench_fail_usage("--seconds is missing");
    memset(load, 0, sizeof *load);
    load->options = options;
    load->opened_ns = now_ns;
    /* Whole nanoseconds, so that the timer keeps in step with the intended moments. */
    if (options->rate > 0)
        load->interval_ns = (uint64_t)llround(NS_PER_S / options->rate);
    load->turn_ns = now_ns + seconds_to_ns(options->seconds * WARM_UP_SHARE);
}

uint64_t bench_load_due_ns(const bench_load *load)
{
    return load->opened_ns + load->begun * load->interval_ns;
}

bool bench_load_call_due(bench_load *load, uint64_t now_ns, uint64_t *start_ns)
{
    uint64_t due_ns = bench_load_due_ns(load);

    if (due_ns > now_ns)
        return false;
    load->begun++;
    *start_ns = due_ns;
    return true;
}

/* What was due and has no answer yet has taken this long at least, and more often than not longer: which
 * calls those are is not known here, and the latest intended ones are those that have waited least. */
static void load_count_unanswered(bench_load *load, uint64_t now_ns)
{
    uint64_t start_ns = load->opened_ns + load->answered * load->interval_ns;

    for (; start_ns < now_ns; start_ns += load->interval_ns)
        stats_histogram_add(&load->latency, now_ns - start_ns);
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
        load->completed = load->latency.count;
        if (load->interval_ns)
            load_count_unanswered(load, now_ns);
    }
    load->client_ns = client_ns - load->client_ns;
    load->server_ns = server_ns - load->server_ns;
    return warm_up_is_over;
}

static struct timespec time_of_ns(uint64_t ns)
{
    return (struct timespec){ .tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S) };
}

/* A client that was woken for each of half a million calls a second would do nothing else. */
static uint64_t load_tick_ns(const bench_load *load)
{
    uint64_t moments = (TICK_LEAST_NS + load->interval_ns - 1) / load->interval_ns;

    return moments * load->interval_ns;
}

int bench_load_timer_open(const bench_load *load)
{
    struct itimerspec moments = { .it_value = time_of_ns(load->opened_ns) };
    int               timer;

    if (!load->interval_ns)
        return -1;
    moments.it_interval = time_of_ns(load_tick_ns(load));
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (timer < 0 || timerfd_settime(timer, TFD_TIMER_ABSTIME, &moments, NULL) != 0)
        bench_fail("cannot set a timer: %m");
    return timer;
}

void bench_load_timer_clear(int timer)
{
    uint64_t times;

    if (read(timer, &times, sizeof times) < 0 && errno != EAGAIN)
        bench_fail("cannot read the timer: %m");
}

bench_results bench_load_results(const bench_load *load)
{
    double        seconds = (double)(load->ended_ns - load->began_ns) / NS_PER_S;
    double        calls = (double)load->completed;
    bench_results results = bench_results_unknown();

    if (load->completed == 0)
        bench_fail("not one call was answered in %g s", load->options->seconds);
    results.figures[BENCH_CALLS_PER_S] = calls / seconds;
    results.figures[BENCH_MB_PER_S] = calls * (double)load->options->size / seconds / 1e6;
    for (size_t i = 0; i < sizeof quantiles / sizeof *quantiles; i++)
        results.figures[quantiles[i].figure] =
            (double)stats_histogram_quantile(&load->latency, quantiles[i].share) / 1e3;
    results.figures[BENCH_CLIENT_US_PER_CALL] = (double)load->client_ns / calls / 1e3;
    results.figures[BENCH_SERVER_US_PER_CALL] = (double)load->server_ns / calls / 1e3;
    if (load->options->rate > 0)
        results.figures[BENCH_RATE_PER_S] = load->options->rate;
    return results;
}

void bench_load_print(const bench_load *load)
{
    bench_results results = bench_load_results(load);

    bench_results_print(&results);
}
