/*
 * Jobs that are started as there is room for them: each, and retry as one job in several attempts.
 *
 * The idea: the user's start function is called from a task, never inside vow_each or vow_retry, and
 * a few times in one task at most, so that jobs which end at once cannot keep the loop from its sockets.
 */
#include "runtime/future/future.h"

#include "runtime/base/details.h"

/* each */

#define STARTS_IN_A_ROW 64

typedef struct each {
    vow_future    future;
    vow_task      more; /* starts jobs */
    size_t        block_size;
    size_t        count;
    size_t        next; /* job to be started */
    size_t        running;
    size_t        slots;
    vow_start_fn *start;
    void         *arg;
    vow_waiter   *jobs[]; /* those that run, in no order */
} each;

static void each_cancel(vow_future *future)
{
    each *jobs = (each *)future;

    size_t running = jobs->running;

    vow_task_cancel(&jobs->more);
    jobs->running = 0;
    for (size_t i = 0; i < running; i++)
        vow_waiter_withdraw(jobs->jobs[i], future);
}

static void each_destroy(vow_future *future)
{
    each *jobs = (each *)future;

    vow_blocks_give(&future->scheduler->blocks, jobs, jobs->block_size);
}

static const vow_future_class each_class = { .name = "each", .cancel = each_cancel, .destroy = each_destroy };

static void each_fail(each *jobs, vow_future *failed)
{
    vow_future_become_untaken(&jobs->future, failed);
    each_cancel(&jobs->future);
}

static void each_add(each *jobs, vow_waiter *waiter)
{
    waiter->index = (uint32_t)jobs->running;
    jobs->jobs[jobs->running++] = waiter;
}

/* The last one takes its place. */
static void each_remove(each *jobs, const vow_waiter *waiter)
{
    vow_waiter *last = jobs->jobs[--jobs->running];

    jobs->jobs[waiter->index] = last;
    last->index = waiter->index;
}

static void each_settled(vow_task *task)
{
    vow_waiter *waiter = vow_waiter_of(task);
    each       *jobs = (each *)waiter->target;

    each_remove(jobs, waiter);
    vow_future_busy(&jobs->future);
    if (waiter->source->status.code != VOW_OK)
        each_fail(jobs, waiter->source);
    else if (jobs->next < jobs->count)
        vow_scheduler_soon(jobs->future.scheduler, &jobs->more);
    else if (jobs->running == 0)
        vow_future_succeed(&jobs->future, NULL, NULL);
    vow_waiter_withdraw(waiter, &jobs->future);
    vow_future_unbusy(&jobs->future);
}

/* Starts one job. False: it can't be waited for, or the whole was cancelled by it. */
static bool each_start(each *jobs)
{
    vow_future *job = jobs->start(jobs->next++, jobs->arg);
    vow_waiter *waiter;

    if (!vow_future_pending(&jobs->future)) {
        vow_drop(job);
        return false;
    }
    if (!job)
        return true;
    VOW_RULE_OF("vow_each", job, job->state != VOW_FUTURE_DEAD && job->owned > 0,
                "the function that starts gives a handle of its own");
    waiter = vow_future_take(job);
    if (!waiter) {
        each_fail(jobs, job);
        return false;
    }
    each_add(jobs, waiter);
    vow_waiter_wait(waiter, &jobs->future, each_settled);
    return true;
}

static void each_more(vow_task *task)
{
    each  *jobs = VOW_OWNER(task, each, more);
    size_t started = 0;
    bool   going = true;

    vow_future_busy(&jobs->future);
    while (going && jobs->next < jobs->count && jobs->running < jobs->slots && started++ < STARTS_IN_A_ROW)
        going = each_start(jobs);
    if (going && jobs->next < jobs->count && jobs->running < jobs->slots)
        vow_scheduler_soon(jobs->future.scheduler, &jobs->more);
    else if (going && jobs->next == jobs->count && jobs->running == 0)
        vow_future_succeed(&jobs->future, NULL, NULL);
    vow_future_unbusy(&jobs->future);
}

static each *each_new(vow_scheduler *scheduler, size_t count, size_t slots)
{
    size_t size = sizeof(each) + slots * sizeof(vow_waiter *);
    each  *jobs = NULL;

    if (slots < (UINT32_MAX - sizeof(each)) / sizeof(vow_waiter *))
        jobs = vow_blocks_take(&scheduler->blocks, &size);
    if (!jobs)
        return NULL;
    vow_future_init(&jobs->future, scheduler, &each_class);
    vow_task_init(&jobs->more, each_more);
    jobs->block_size = size;
    jobs->count = count;
    jobs->next = 0;
    jobs->running = 0;
    jobs->slots = slots;
    return jobs;
}

vow_future *vow_each(vow_loop *loop, size_t count, size_t at_once, vow_start_fn *start, void *arg)
{
    vow_scheduler *scheduler = vow_scheduler_of(loop);
    each          *jobs;

    VOW_RULE_THREAD(scheduler);
    if (scheduler->is_closing)
        return VOW_MADE(vow_failure_of(scheduler, vow_status_make(VOW_CANCELLED, "the loop was closed")));
    jobs = each_new(scheduler, count, at_once == 0 || at_once > count ? count : at_once);
    if (!jobs)
        return vow_future_no_memory(scheduler);
    jobs->start = start;
    jobs->arg = arg;
    vow_future_is_source(&jobs->future);
    vow_scheduler_soon(scheduler, &jobs->more);
    return VOW_MADE(&jobs->future);
}

/* retry */

#define PAUSE_MAX_MS 120000
#define JITTER_PERCENT 20

typedef struct retry {
    vow_future    future;
    vow_task      again; /* starts an attempt */
    vow_timer     timer;
    size_t        block_size;
    vow_waiter   *attempt; /* NULL: none is running */
    size_t        attempts;
    size_t        made;
    int64_t       pause_ms;
    vow_start_fn *start;
    void         *arg;
    bool          holds; /* the loop, during a pause */
} retry;

static void retry_hold(retry *again, bool hold)
{
    if (again->holds == hold)
        return;
    again->holds = hold;
    if (hold)
        vow_scheduler_hold(again->future.scheduler);
    else
        vow_scheduler_release(again->future.scheduler);
}

static void retry_cancel(vow_future *future)
{
    retry      *again = (retry *)future;
    vow_waiter *waiter = again->attempt;

    again->attempt = NULL;
    vow_task_cancel(&again->again);
    vow_timers_disarm(&future->scheduler->timers, &again->timer);
    retry_hold(again, false);
    if (waiter)
        vow_waiter_withdraw(waiter, future);
}

static void retry_destroy(vow_future *future)
{
    vow_blocks_give(&future->scheduler->blocks, future, ((retry *)future)->block_size);
}

static const vow_future_class retry_class = { .name = "retry",
                                              .cancel = retry_cancel,
                                              .destroy = retry_destroy };

/* Who asks to be left alone for longer than the longest pause is not asked again. */
static bool is_worth_retrying(const vow_status *status)
{
    vow_code code = status->code;

    return (code == VOW_UNAVAILABLE || code == VOW_RESOURCE_EXHAUSTED || code == VOW_ABORTED) &&
           vow_status_push_back_ms(status) <= PAUSE_MAX_MS;
}

/* Pauses, for at least what the failure asks for. Not all that were told the same come back at the same moment. */
static void retry_pause(retry *again, int64_t asked_ms)
{
    vow_scheduler *scheduler = again->future.scheduler;
    uint64_t       pause_us = (uint64_t)again->pause_ms * 1000;
    uint64_t       asked_us = asked_ms > 0 ? (uint64_t)asked_ms * 1000 : 0;

    pause_us = vow_random_jitter(&scheduler->random, pause_us, JITTER_PERCENT);
    if (pause_us < asked_us)
        pause_us = asked_us + vow_random_below(&scheduler->random, asked_us * JITTER_PERCENT / 100 + 1);
    vow_timers_arm(&scheduler->timers, &again->timer, vow_scheduler_now_ns(scheduler) + pause_us * 1000);
    again->pause_ms = again->pause_ms > PAUSE_MAX_MS / 2 ? PAUSE_MAX_MS : again->pause_ms * 2;
    retry_hold(again, true);
}

static void retry_settled(vow_task *task)
{
    vow_waiter *waiter = vow_waiter_of(task);
    retry      *again = (retry *)waiter->target;

    again->attempt = NULL;
    if (again->made < again->attempts && is_worth_retrying(&waiter->source->status)) {
        retry_pause(again, vow_status_push_back_ms(&waiter->source->status));
        vow_waiter_withdraw(waiter, &again->future);
    } else {
        vow_waiter_pass_on(waiter, &again->future);
    }
}

/* Waits for what the start function gave. */
static void retry_follow(retry *again, vow_future *attempt)
{
    vow_waiter *waiter;

    VOW_RULE_OF("vow_retry", attempt, attempt->state != VOW_FUTURE_DEAD && attempt->owned > 0,
                "the function that starts gives a handle of its own");
    waiter = vow_future_take(attempt);
    if (!waiter) {
        vow_future_become_untaken(&again->future, attempt);
        return;
    }
    again->attempt = waiter;
    vow_waiter_wait(waiter, &again->future, retry_settled);
}

static void retry_start(vow_task *task)
{
    retry      *again = VOW_OWNER(task, retry, again);
    vow_future *attempt;

    vow_future_busy(&again->future);
    attempt = again->start(again->made++, again->arg);
    if (!vow_future_pending(&again->future))
        vow_drop(attempt);
    else if (attempt)
        retry_follow(again, attempt);
    else
        vow_future_succeed(&again->future, NULL, NULL);
    vow_future_unbusy(&again->future);
}

static void retry_fire(vow_timer *timer)
{
    retry *again = VOW_OWNER(timer, retry, timer);

    retry_hold(again, false);
    vow_scheduler_soon(again->future.scheduler, &again->again);
}

static retry *retry_new(vow_scheduler *scheduler, size_t attempts, int64_t pause_ms)
{
    size_t size = sizeof(retry);
    retry *again = vow_blocks_take(&scheduler->blocks, &size);

    if (!again)
        return NULL;
    vow_future_init(&again->future, scheduler, &retry_class);
    vow_task_init(&again->again, retry_start);
    vow_timer_init(&again->timer, retry_fire);
    again->block_size = size;
    again->attempt = NULL;
    again->attempts = attempts;
    again->made = 0;
    again->pause_ms = pause_ms < 0 ? 0 : pause_ms > PAUSE_MAX_MS ? PAUSE_MAX_MS : pause_ms;
    again->holds = false;
    return again;
}

vow_future *vow_retry(vow_loop *loop, size_t attempts, int64_t pause_ms, vow_start_fn *start, void *arg)
{
    vow_scheduler *scheduler = vow_scheduler_of(loop);
    retry         *again;

    VOW_RULE_THREAD(scheduler);
    if (scheduler->is_closing)
        return VOW_MADE(vow_failure_of(scheduler, vow_status_make(VOW_CANCELLED, "the loop was closed")));
    if (attempts == 0)
        return VOW_MADE(
            vow_failure_of(scheduler, vow_status_make(VOW_INVALID_ARGUMENT, "retry: no attempts")));
    again = retry_new(scheduler, attempts, pause_ms);
    if (!again)
        return vow_future_no_memory(scheduler);
    again->start = start;
    again->arg = arg;
    vow_future_is_source(&again->future);
    vow_scheduler_soon(scheduler, &again->again);
    return VOW_MADE(&again->future);
}
