#include "tools/vow-load/run.h"

#include "tools/vow-load/buffer.h"
#include "tools/vow-load/worker.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#define START_NS UINT64_C(2000000)           /* for every worker to hear that it begins */
#define TICK_MIN_NS UINT64_C(200000000)      /* shorter ones hold too few calls for a percentile */
#define MOMENT_LEAST 0.3                     /* of an interval */
#define CPU_LEAST_NS UINT64_C(50000000)      /* in less, threads that start and end are most of it */
#define TICKS_WANTED 200                     /* of a run whose length is known */
#define GRACE_NS UINT64_C(1000000000)        /* for calls that are outstanding when a run is broken off */
#define NO_DEADLINE_NS UINT64_C(10000000000) /* for them at its end, where calls have no deadline */

typedef struct run {
    const load_plan *plan;
    load_result     *result;
    load_watch_fn   *watch;
    void            *watch_arg;
    vow_loop        *loop;
    uv_timer_t       tick;
    uv_timer_t       grace;
    uv_signal_t      signals[2];
    load_worker    **workers;
    size_t           ready, over;
    bool             is_going;
    bool             is_ending; /* was broken off */
    uint64_t         start_ns;
    uint64_t         tick_ns;    /* of the last */
    uint64_t         refused_ns; /* when nothing but refusals began; 0: other things come */
    double           outstanding;
    uint64_t         cpu_from_ns; /* when its processor time was looked at, at the beginning of measuring */
    uint64_t         cpu_over_ns; /* since then */
    uint64_t         cpu_ns;      /* its processor time then, and in the end what it took since */
    double           cpu_calls;   /* made meanwhile */
} run;

/* Ending */

static void run_quit(run *run)
{
    uv_close((uv_handle_t *)&run->tick, NULL);
    uv_close((uv_handle_t *)&run->grace, NULL);
    for (size_t i = 0; i < 2; i++)
        uv_close((uv_handle_t *)&run->signals[i], NULL);
    vow_loop_release(run->loop);
}

static void run_give_up(uv_timer_t *timer)
{
    run *run = timer->data;

    for (size_t i = 0; i < run->plan->threads; i++)
        load_worker_stop(run->workers[i], true);
}

/* What is outstanding is waited for, but not for longer than a call may take. */
static void run_give_up_after(run *run, uint64_t ns)
{
    uv_timer_start(&run->grace, run_give_up, ns / 1000000 + 1, 0);
}

static void run_break_off(run *run, load_end end, const char *why)
{
    if (run->is_ending)
        return;
    run->is_ending = true;
    run->result->end = end;
    load_problem_set(&run->result->why, "%s", why);
    if (!run->is_going)
        return; /* the workers are being made ready; run_ready goes on from there */
    for (size_t i = 0; i < run->plan->threads; i++)
        load_worker_stop(run->workers[i], false);
    run_give_up_after(run, GRACE_NS);
}

static void run_on_signal(uv_signal_t *handle, int number)
{
    run *run = handle->data;

    if (run->is_ending && run->result->end == LOAD_INTERRUPTED)
        _exit(128 + number);
    run_break_off(run, LOAD_INTERRUPTED, number == SIGINT ? "interrupted" : "told to end");
}

/* Ticks */

static uint64_t run_measured_from_ns(const run *run)
{
    return run->start_ns + (run->plan->schedule.has_warmup ? run->plan->schedule.begins_ns[1] : 0);
}

static uint64_t cpu_now_ns(void)
{
    struct timespec time;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void run_begin_cpu(run *run)
{
    run->cpu_from_ns = uv_hrtime();
    run->cpu_ns = cpu_now_ns();
}

static void run_end_cpu(run *run)
{
    run->cpu_over_ns = uv_hrtime() - run->cpu_from_ns;
    run->cpu_ns = cpu_now_ns() - run->cpu_ns;
}

static load_tally *run_collect(run *run)
{
    load_tally *all = load_alloc(1, sizeof *all);

    for (size_t i = 0; i < run->plan->threads; i++) {
        load_tally *empty = load_alloc(1, sizeof *empty);
        load_tally *counted = load_generator_exchange(load_worker_generator(run->workers[i]), empty);

        load_tally_merge(all, counted);
        free(counted);
    }
    return all;
}

static double seconds_of(uint64_t ns)
{
    return (double)ns / 1e9;
}

static double quantile_seconds(const load_tally *tally, double share)
{
    return tally->latency.count ? seconds_of(stats_histogram_quantile(&tally->latency, share)) : NAN;
}

static load_moment run_moment(run *run, const load_tally *tally, uint64_t now_ns)
{
    double failed = (double)load_tally_failed(tally);

    run->outstanding += (double)tally->begun - (double)tally->answered - failed - (double)tally->unfinished;
    return (load_moment){
        .at = ((double)now_ns - (double)run_measured_from_ns(run)) / 1e9,
        .length = seconds_of(now_ns - run->tick_ns),
        .begun = (double)tally->begun,
        .answered = (double)tally->answered,
        .failed = failed,
        .p50 = quantile_seconds(tally, 0.5),
        .p99 = quantile_seconds(tally, 0.99),
        .max = quantile_seconds(tally, 1),
        .outstanding = run->outstanding,
    };
}

/* Nothing but refusals for a while: the server has gone, and more of them would tell nothing. */
static void run_look_for_server(run *run, const load_tally *tally, uint64_t now_ns)
{
    char why[LOAD_EXAMPLE_SIZE + 40];

    if (load_tally_failed(tally) > tally->failed[VOW_UNAVAILABLE] || tally->answered > 0)
        run->refused_ns = 0;
    else if (tally->failed[VOW_UNAVAILABLE] > 0 && run->refused_ns == 0)
        run->refused_ns = now_ns;
    if (run->refused_ns == 0 || now_ns - run->refused_ns < run->plan->give_up_ns)
        return;
    if (tally->failed[VOW_UNAVAILABLE] > 0) {
        snprintf(why, sizeof why, "the server has gone: %s", tally->example[VOW_UNAVAILABLE]);
        run_break_off(run, LOAD_SERVER_GONE, why);
    }
}

static uint64_t run_interval_ns(const run *run)
{
    uint64_t length_ns = load_schedule_length_ns(&run->plan->schedule);

    if (run->plan->schedule.count > 0 && !run->plan->schedule.is_open)
        return TICK_MIN_NS;
    return length_ns / TICKS_WANTED > TICK_MIN_NS ? length_ns / TICKS_WANTED : TICK_MIN_NS;
}

static void run_take_moment(run *run)
{
    uint64_t     now_ns = uv_hrtime();
    load_result *result = run->result;
    bool         is_measured = run->tick_ns >= run_measured_from_ns(run);
    load_tally  *tally;
    load_moment  moment;

    if (now_ns <= run->tick_ns)
        return; /* it has not begun */
    tally = run_collect(run);
    moment = run_moment(run, tally, now_ns);
    run->tick_ns = now_ns;
    if (is_measured)
        run->cpu_calls += moment.begun;
    /* What is left at the very end is too short to tell a rate, unless it is all there is. */
    if (is_measured && result->moment_count < LOAD_MOMENTS_MAX &&
        (moment.length > MOMENT_LEAST * seconds_of(run_interval_ns(run)) || result->moment_count == 0))
        result->moments[result->moment_count++] = moment;
    if (run->watch)
        run->watch(&moment, run->watch_arg);
    run_look_for_server(run, tally, now_ns);
    free(tally);
}

static void run_on_tick(uv_timer_t *timer);

/* One tick falls on the end of the warm-up: moments are counted from there. */
static void run_arm_tick(run *run)
{
    uint64_t now_ns = uv_hrtime(), from_ns = run_measured_from_ns(run);
    uint64_t next_ns = run_interval_ns(run);

    if (run->plan->schedule.has_warmup && now_ns < from_ns && from_ns - now_ns < next_ns)
        next_ns = from_ns - now_ns;
    uv_timer_start(&run->tick, run_on_tick, next_ns / 1000000 + 1, 0);
}

static void run_on_tick(uv_timer_t *timer)
{
    run *run = timer->data;
    bool was_warming_up = run->tick_ns < run_measured_from_ns(run);

    run_take_moment(run);
    if (was_warming_up && run->tick_ns >= run_measured_from_ns(run))
        run_begin_cpu(run);
    run_arm_tick(run);
}

/* Workers */

static void run_go(run *run)
{
    int64_t  timeout_ms = run->plan->timeout_ms;
    uint64_t grace_ns = timeout_ms < 0 ? NO_DEADLINE_NS : (uint64_t)timeout_ms * 1000000 + GRACE_NS;

    run->is_going = true;
    run->start_ns = uv_hrtime() + START_NS;
    run->tick_ns = run->start_ns;
    run_begin_cpu(run);
    for (size_t i = 0; i < run->plan->threads; i++)
        load_worker_go(run->workers[i], run->start_ns);
    run_arm_tick(run);
    run_give_up_after(run, load_schedule_length_ns(&run->plan->schedule) + grace_ns);
}

static void run_on_ready(load_worker *worker, void *arg)
{
    run        *run = arg;
    const char *problem = load_worker_problem(worker);

    if (*problem)
        run_break_off(run, LOAD_NO_CONNECTION, problem);
    if (++run->ready < run->plan->threads)
        return;
    if (run->is_ending)
        run_quit(run);
    else
        run_go(run);
}

static void run_on_over(load_worker *worker, void *arg)
{
    run        *run = arg;
    const char *problem = load_worker_problem(worker);

    if (*problem)
        run_break_off(run, LOAD_NO_REQUEST, problem);
    if (++run->over < run->plan->threads)
        return;
    run_take_moment(run);
    run_end_cpu(run);
    run_quit(run);
}

/* The result */

static void result_take_steps(load_result *result, const load_plan *plan, run *run)
{
    for (size_t s = 0; s < plan->schedule.step_count; s++) {
        result->steps[s] = load_alloc(1, sizeof *result->steps[s]);
        for (size_t w = 0; run->is_going && w < plan->threads; w++)
            load_tally_merge(result->steps[s],
                             load_generator_step(load_worker_generator(run->workers[w]), s));
        result->begun += result->steps[s]->begun;
        if (s > 0 || !plan->schedule.has_warmup)
            load_tally_merge(result->total, result->steps[s]);
    }
}

static void result_take_times(load_result *result, const load_plan *plan, run *run)
{
    const load_schedule *schedule = &plan->schedule;
    uint64_t             ended_ns = 0;
    double               wanted = 0;

    for (size_t w = 0; run->is_going && w < plan->threads; w++) {
        const load_generator *generator = load_worker_generator(run->workers[w]);

        ended_ns =
            load_generator_ended_ns(generator) > ended_ns ? load_generator_ended_ns(generator) : ended_ns;
        result->missed += load_generator_missed(generator);
    }
    for (size_t s = 0; s < schedule->step_count; s++) {
        uint64_t end_ns = schedule->begins_ns[s + 1] < ended_ns ? schedule->begins_ns[s + 1] : ended_ns;

        if (end_ns > schedule->begins_ns[s])
            result->step_seconds[s] = seconds_of(end_ns - schedule->begins_ns[s]);
        if (s == 0 && schedule->has_warmup)
            continue;
        result->seconds += result->step_seconds[s];
        wanted += result->step_seconds[s] * schedule->steps[s].rate;
    }
    if (result->seconds > 0) {
        result->rate = (double)result->total->completed / result->seconds;
        result->wanted_rate = schedule->is_open ? wanted / result->seconds : 0;
    }
}

static void result_take_overhead(load_result *result, const run *run)
{
    bool is_known = run->is_going && run->cpu_calls > 0 && run->cpu_over_ns >= CPU_LEAST_NS;

    result->cpu_per_call = is_known ? seconds_of(run->cpu_ns) / run->cpu_calls : NAN;
    result->cpu_share = is_known ? seconds_of(run->cpu_ns) / seconds_of(run->cpu_over_ns) : NAN;
}

double load_result_step_rate(const load_result *result, size_t step)
{
    return result->step_seconds[step] > 0
               ? (double)result->steps[step]->completed / result->step_seconds[step]
               : 0;
}

void load_result_free(load_result *result, const load_plan *plan)
{
    if (!result)
        return;
    for (size_t s = 0; s < plan->schedule.step_count; s++)
        free(result->steps[s]);
    free(result->total);
    free(result->moments);
    free(result);
}

/* The run */

static void run_open(run *run, uv_loop_t *uv)
{
    static const int numbers[] = { SIGINT, SIGTERM };

    uv_loop_init(uv);
    run->loop = vow_loop_attach(uv);
    if (!run->loop) {
        fputs("vow-load: no memory or file descriptors for a loop\n", stderr);
        exit(1);
    }
    vow_loop_hold(run->loop); /* for the workers' posts */
    uv_timer_init(uv, &run->tick);
    uv_timer_init(uv, &run->grace);
    run->tick.data = run;
    run->grace.data = run;
    for (size_t i = 0; i < 2; i++) {
        uv_signal_init(uv, &run->signals[i]);
        run->signals[i].data = run;
        uv_signal_start(&run->signals[i], run_on_signal, numbers[i]);
    }
}

static void run_start_workers(run *run)
{
    const load_worker_events events = { run_on_ready, run_on_over, run };

    run->workers = load_alloc(run->plan->threads, sizeof *run->workers);
    for (size_t i = 0; i < run->plan->threads; i++) {
        run->workers[i] = load_worker_start(run->plan, i, run->loop, &events);
        if (!run->workers[i]) {
            fprintf(stderr, "vow-load: cannot start thread %zu of %zu\n", i + 1, run->plan->threads);
            exit(1);
        }
    }
}

load_result *load_run(const load_plan *plan, load_watch_fn *watch, void *arg)
{
    load_result *result = load_alloc(1, sizeof *result);
    run          run = { .plan = plan, .result = result, .watch = watch, .watch_arg = arg };
    uv_loop_t    uv;

    result->total = load_alloc(1, sizeof *result->total);
    result->moments = load_alloc(LOAD_MOMENTS_MAX, sizeof *result->moments);
    run_open(&run, &uv);
    run_start_workers(&run);
    uv_run(&uv, UV_RUN_DEFAULT);
    for (size_t i = 0; i < plan->threads; i++)
        load_worker_quit(run.workers[i]);
    result_take_steps(result, plan, &run);
    result_take_times(result, plan, &run);
    result_take_overhead(result, &run);
    for (size_t i = 0; i < plan->threads; i++)
        load_worker_free(run.workers[i]);
    free(run.workers);
    vow_loop_close(run.loop);
    uv_run(&uv, UV_RUN_DEFAULT);
    uv_loop_close(&uv);
    return result;
}
