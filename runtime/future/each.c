/*
 * Jobs that are started as there is room for them: each, and retry as one job in several attempts.
 *
 * The idea: the user's start function is called from a task, never inside vow_each or vow_retry, and
 * a few times in one task at most, so that jobs which end at once cannot keep the loop from its sockets.
 */
#include "runtime/future/future.h"

#include <string.h>

/* --- each --------------------------------------------------------------------------------- */

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
    size_t        free_slot;
    vow_waiter   *jobs[]; /* running ones; NULL: a free slot */
} each;

static void each_cancel(vow_future *future)
{
    each *jobs = (each *)future;

    vow_task_cancel(&jobs->more);
    for (size_t i = 0; i < jobs->slots; i++) {
        vow_waiter *waiter = jobs->jobs[i];

        jobs->jobs[i] = NULL;
        if (waiter)
            vow_waiter_withdraw(waiter, future);
    }
}

static void each_destroy(vow_future *future)
{
    each *jobs = (each *)future;

    vow_blocks_give(&future->scheduler->blocks, jobs, jobs->block_size);
}

static const vow_future_class each_class = { .name = "each", .cancel = each_cancel, .destroy = each_destroy };

static void each_fail(each *jobs, vow_future *failed)
{
    vow_future_become(&jobs->future, failed);
    each_cancel(&jobs->future);
}

static void each_settled(vow_task *task)
{
    vow_waiter *waiter = vow_waiter_of(task);
    each       *jobs = (each *)waiter->target;

    jobs->jobs[waiter->index] = NULL;
    jobs->free_slot = waiter->index;
    jobs->running--;
    vow_future_busy(&jobs->future);
    if (waiter->source->status.code != VOW_OK)
        each_fail(jobs, waiter->source);
    else if (jobs->next < jobs->count)
        vow_scheduler_soon(jobs->future.scheduler, &jobs->more);
    else if (jobs->running == 0)
        vow_future_succeed(&jobs->future, NULL, NULL);
    vow_waiter_end(waiter);
    vow_future_unbusy(&jobs->future);
}

static size_t each_find_slot(each *jobs)
{
    while (jobs->jobs[jobs->free_slot])
        jobs->free_slot = (jobs->free_slot + 1) % jobs->slots;
    return jobs->free_slot;
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
    waiter = vow_future_take(job);
    if (!waiter) {
        each_fail(jobs, job);
        return false;
    }
    waiter->index = each_find_slot(jobs);
    jobs->jobs[waiter->index] = waiter;
    jobs->running++;
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

vow_future *vow_each(vow_loop *loop, size_t count, size_t at_once, vow_start_fn *start, void *arg)
{
    vow_scheduler *scheduler = vow_scheduler_of(loop);
    size_t         slots = at_once == 0 || at_once > count ? count : at_once;
    size_t         size = sizeof(each) + slots * sizeof(vow_waiter *);
    each          *jobs = NULL;

    if (slots < (SIZE_MAX - sizeof(each)) / sizeof(vow_waiter *))
        jobs = vow_blocks_take(&scheduler->blocks, &size);
    if (!jobs)
        return vow_future_no_memory(scheduler);
    vow_future_init(&jobs->future, scheduler, &each_class);
    VOW_MADE_HERE(&jobs->future);
    vow_task_init(&jobs->more, each_more);
    jobs->block_size = size;
    jobs->count = count;
    jobs->next = 0;
    jobs->running = 0;
    jobs->slots = slots;
    jobs->start = start;
    jobs->arg = arg;
    jobs->free_slot = 0;
    memset(jobs->jobs, 0, slots * sizeof jobs->jobs[0]);
    vow_future_is_source(&jobs->future);
    vow_scheduler_soon(scheduler, &jobs->more);
    return &jobs->future;
}

/* --- retry ---------------------------------------------------------------------------------- */

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

static const vow_future_class retry_class = { .name = "retry", .cancel = retry_cancel, .destroy = retry_destroy };

static bool code_is_worth_retrying(vow_code code)
{
    return code == VOW_UNAVAILABLE || code == VOW_RESOURCE_EXHAUSTED || code == VOW_ABORTED;
}

static void retry_pause(retry *again)
{
    vow_scheduler *scheduler = again->future.scheduler;
    uint64_t       pause_us = (uint64_t)again->pause_ms * 1000;

    pause_us = vow_random_jitter(&scheduler->random, pause_us, JITTER_PERCENT);
    vow_timers_arm(&scheduler->timers, &again->timer, vow_scheduler_now_ns(scheduler) + pause_us * 1000);
    again->pause_ms = again->pause_ms > PAUSE_MAX_MS / 2 ? PAUSE_MAX_MS : again->pause_ms * 2;
    retry_hold(again, true);
}

static void retry_settled(vow_task *task)
{
    vow_waiter *waiter = vow_waiter_of(task);
    retry      *again = (retry *)waiter->target;

    again->attempt = NULL;
    if (again->made < again->attempts && code_is_worth_retrying(waiter->source->status.code))
        retry_pause(again);
    else
        vow_future_become(&again->future, waiter->source);
    vow_waiter_end(waiter);
}

/* Waits for what the start function gave. */
static void retry_follow(retry *again, vow_future *attempt)
{
    vow_waiter *waiter = vow_future_take(attempt);

    if (!waiter) {
        vow_future_become(&again->future, attempt);
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

vow_future *vow_retry(vow_loop *loop, size_t attempts, int64_t pause_ms, vow_start_fn *start, void *arg)
{
    vow_scheduler *scheduler = vow_scheduler_of(loop);
    size_t         size = sizeof(retry);
    retry         *again = vow_blocks_take(&scheduler->blocks, &size);

    if (!again)
        return vow_future_no_memory(scheduler);
    vow_future_init(&again->future, scheduler, &retry_class);
    VOW_MADE_HERE(&again->future);
    vow_task_init(&again->again, retry_start);
    vow_timer_init(&again->timer, retry_fire);
    again->block_size = size;
    again->attempt = NULL;
    again->attempts = attempts;
    again->made = 0;
    again->pause_ms = pause_ms < 0 ? 0 : pause_ms > PAUSE_MAX_MS ? PAUSE_MAX_MS : pause_ms;
    again->start = start;
    again->arg = arg;
    again->holds = false;
    vow_future_is_source(&again->future);
    vow_scheduler_soon(scheduler, &again->again);
    return &again->future;
}
