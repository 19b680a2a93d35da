/*
 * Futures and time: sleep, timeout, shield.
 *
 * The idea: a future with a timer inside. It keeps the loop alive until it settles; disarming and
 * releasing that hold is one function, whichever way it ends.
 */
#include "runtime/future/future.h"

typedef struct timed {
    vow_future  future;
    vow_timer   timer;
    vow_waiter *upstream; /* timeout's; NULL: sleep, or settled */
    int64_t     timeout_ms;
} timed;

_Static_assert(sizeof(timed) <= VOW_FUTURE_ROOM, "a timed future fits the pool of futures");

static timed *timed_new(vow_scheduler *scheduler, const vow_future_class *class,
                        void (*fire)(vow_timer *timer), int64_t ms)
{
    timed *waiting = vow_future_new(scheduler, class);

    if (!waiting)
        return NULL;
    waiting->upstream = NULL;
    waiting->timeout_ms = ms;
    vow_timer_init(&waiting->timer, fire);
    vow_timers_arm(&scheduler->timers, &waiting->timer, vow_scheduler_after_ms(scheduler, ms));
    vow_scheduler_hold(scheduler);
    return waiting;
}

static void timed_stop(timed *waiting)
{
    vow_timers_disarm(&waiting->future.scheduler->timers, &waiting->timer);
    vow_scheduler_release(waiting->future.scheduler);
}

/* sleep */

static void sleep_cancel(vow_future *future)
{
    timed_stop((timed *)future);
}

static const vow_future_class sleep_class = { .name = "sleep",
                                              .cancel = sleep_cancel,
                                              .destroy = vow_future_give };

static void sleep_fire(vow_timer *timer)
{
    timed *sleep = VOW_OWNER(timer, timed, timer);

    timed_stop(sleep);
    vow_future_succeed(&sleep->future, NULL, NULL);
}

vow_future *vow_sleep(vow_loop *loop, int64_t ms)
{
    vow_scheduler *scheduler = vow_scheduler_of(loop);
    timed         *sleep;

    VOW_RULE_THREAD(scheduler);
    if (scheduler->is_closing)
        return VOW_MADE(vow_failure_of(scheduler, vow_status_make(VOW_CANCELLED, "the loop was closed")));
    sleep = timed_new(scheduler, &sleep_class, sleep_fire, ms);
    if (!sleep)
        return vow_future_no_memory(scheduler);
    vow_future_is_source(&sleep->future);
    return VOW_MADE(&sleep->future);
}

/* timeout */

static void timeout_cancel(vow_future *future)
{
    timed      *timeout = (timed *)future;
    vow_waiter *waiter = timeout->upstream;

    timeout->upstream = NULL;
    timed_stop(timeout);
    if (waiter)
        vow_waiter_withdraw(waiter, future);
}

static const vow_future_class timeout_class = {
    .name = "timeout",
    .cancel = timeout_cancel,
    .destroy = vow_future_give,
};

static void timeout_expire(timed *timeout)
{
    vow_future_stop(&timeout->future, vow_status_make(VOW_DEADLINE_EXCEEDED, "not settled within %lld ms",
                                                      (long long)timeout->timeout_ms));
}

/* What has settled in time is only waiting for its turn in the queue. */
static void timeout_fire(vow_timer *timer)
{
    timed *timeout = VOW_OWNER(timer, timed, timer);

    if (vow_future_pending(timeout->upstream->source))
        timeout_expire(timeout);
}

static void timeout_settled(vow_task *task)
{
    vow_waiter *waiter = vow_waiter_of(task);
    timed      *timeout = (timed *)waiter->target;

    timeout->upstream = NULL;
    timed_stop(timeout);
    vow_waiter_pass_on(waiter, &timeout->future);
}

static vow_future *timeout_new(vow_future *future, int64_t timeout_ms)
{
    vow_scheduler *scheduler = future->scheduler;
    timed         *timeout = timed_new(scheduler, &timeout_class, timeout_fire, timeout_ms);
    vow_waiter    *waiter = vow_future_take(future);

    if (timeout && waiter) {
        timeout->upstream = waiter;
        vow_waiter_wait(waiter, &timeout->future, timeout_settled);
        if (timeout_ms == 0 && vow_future_pending(future))
            timeout_expire(timeout);
        return &timeout->future;
    }
    if (waiter)
        vow_waiter_end(waiter);
    if (timeout)
        vow_drop(&timeout->future);
    return vow_future_no_memory(scheduler);
}

vow_future *vow_timeout(vow_future *future, int64_t timeout_ms)
{
    VOW_RULE_HANDLE(future);
    return VOW_MADE(timeout_new(future, timeout_ms < 0 ? 0 : timeout_ms));
}

/* shield */

typedef struct shield {
    vow_future  future;
    vow_waiter *upstream;
} shield;

static void shield_unheard(vow_task *task)
{
    vow_waiter *waiter = vow_waiter_of(task);
    vow_future *target = waiter->target;

    if (!target) {
        vow_waiter_end(waiter);
        return;
    }
    vow_waiter_withdraw(waiter, target);
    vow_future_unbusy(target);
}

/* The source goes on, and its handle stays with the waiter until it has settled; what is attached to the
 * result waits for that as well. */
static void shield_cancel(vow_future *future)
{
    shield     *shielded = (shield *)future;
    vow_waiter *waiter = shielded->upstream;

    shielded->upstream = NULL;
    if (!waiter)
        return;
    waiter->task.run = shield_unheard;
    vow_future_busy(future);
}

static const vow_future_class shield_class = { .name = "shield",
                                               .cancel = shield_cancel,
                                               .destroy = vow_future_give };

static void shield_settled(vow_task *task)
{
    vow_waiter *waiter = vow_waiter_of(task);
    shield     *shielded = (shield *)waiter->target;

    shielded->upstream = NULL;
    vow_waiter_pass_on(waiter, &shielded->future);
}

static vow_future *shield_new(vow_future *future)
{
    vow_scheduler *scheduler = future->scheduler;
    shield        *shielded = vow_future_new(scheduler, &shield_class);
    vow_waiter    *waiter = vow_future_take(future);

    if (!waiter) {
        if (shielded)
            vow_drop(&shielded->future);
        return vow_future_no_memory(scheduler);
    }
    if (shielded)
        shielded->upstream = waiter;
    vow_waiter_wait(waiter, shielded ? &shielded->future : NULL, shielded ? shield_settled : shield_unheard);
    return shielded ? &shielded->future : vow_future_no_memory(scheduler);
}

vow_future *vow_shield(vow_future *future)
{
    VOW_RULE_HANDLE(future);
    return VOW_MADE(shield_new(future));
}
