#include "runtime/future/future.h"

#include "runtime/base/memory.h"

#include <assert.h>
#include <string.h>

/* Waiters for futures that could not be made: enough for a program that notices and stops asking. */
#define RESERVE 64

/* Waiters */

typedef struct reserve {
    vow_future  future;
    vow_waiter *free;
    vow_waiter  waiters[RESERVE];
} reserve;

static reserve *reserve_of(const vow_scheduler *scheduler)
{
    return (reserve *)scheduler->no_memory;
}

static bool future_is_immortal(const vow_future *future)
{
    return future == future->scheduler->no_memory;
}

static void waiters_push(vow_waiter **list, vow_waiter *waiter)
{
    waiter->task.link.next = *list ? &(*list)->task.link : NULL;
    *list = waiter;
}

static vow_waiter *waiters_pop(vow_waiter **list)
{
    vow_waiter *waiter = *list;

    if (waiter)
        *list = waiter->task.link.next ? VOW_OWNER(waiter->task.link.next, vow_waiter, task.link) : NULL;
    return waiter;
}

static bool waiter_is_reserved(const reserve *kept, const vow_waiter *waiter)
{
    return waiter >= kept->waiters && waiter < kept->waiters + RESERVE;
}

/* `home` is the future in whose memory the waiter may lie. */
static void waiter_free(vow_scheduler *scheduler, vow_future *home, vow_waiter *waiter)
{
    if (waiter == &home->own)
        return;
    if (waiter_is_reserved(reserve_of(scheduler), waiter))
        waiters_push(&reserve_of(scheduler)->free, waiter);
    else
        vow_pool_give(&scheduler->waiters, waiter);
}

vow_waiter *vow_future_take(vow_future *future)
{
    vow_waiter *waiter;

    VOW_CONSUMED(future);
    if (future_is_immortal(future)) {
        waiter = waiters_pop(&reserve_of(future->scheduler)->free);
        if (!waiter)
            waiter = vow_pool_take(&future->scheduler->waiters);
    } else {
        waiter = waiters_pop(&future->spare);
        future->owned -= waiter != NULL;
    }
    if (!waiter)
        return NULL;
    vow_link_init(&waiter->task.link);
    waiter->source = future;
    waiter->target = NULL;
    waiter->watches = false;
    waiter->stays = false;
    return waiter;
}

void vow_waiter_wait(vow_waiter *waiter, vow_future *target, void (*run)(vow_task *task))
{
    waiter->target = target;
    waiter->task.run = run;
    if (vow_future_pending(waiter->source))
        vow_list_append(&waiter->source->waiters, &waiter->task.link);
    else
        vow_scheduler_soon(waiter->source->scheduler, &waiter->task);
}

void vow_waiter_call(vow_waiter *waiter)
{
    waiter->source->lent++;
    waiter->function.done(waiter->source, waiter->arg);
    waiter->source->lent--;
}

void vow_waiter_end(vow_waiter *waiter)
{
    vow_future *source = waiter->source;

    vow_link_remove(&waiter->task.link);
    waiter_free(source->scheduler, source, waiter);
    vow_future_let_go(source);
}

static void waiter_watch(vow_waiter *waiter, vow_future *target, bool stays)
{
    waiter->target = target;
    waiter->watches = true;
    waiter->stays = stays;
    vow_future_busy(target);
    waiters_push(&waiter->source->attached, waiter);
}

/* The work behind the source has ended. */
static void watch_ended(vow_scheduler *scheduler, vow_future *home, vow_waiter *waiter)
{
    vow_future *target = waiter->target;

    if (waiter->stays) {
        waiter->watches = false;
        vow_link_init(&waiter->task.link);
    } else {
        waiter_free(scheduler, home, waiter);
    }
    vow_future_unbusy(target);
}

static bool future_has_ended(const vow_future *future)
{
    return !vow_future_pending(future) && future->busy == 0;
}

/* A future that others share may stay pending for ever: to watch it for each that once waited would be a
 * leak. */
static bool waiter_should_watch(const vow_waiter *waiter, const vow_future *target)
{
    const vow_future *source = waiter->source;

    if (future_has_ended(source))
        return false;
    return target->attached || (target->handles > 0 && (source->handles == 1 || !vow_future_pending(source)));
}

void vow_waiter_withdraw(vow_waiter *waiter, vow_future *target)
{
    vow_future *source = waiter->source;

    if (waiter->watches) {
        waiter->stays = false;
        vow_future_let_go(source);
        return;
    }
    vow_link_remove(&waiter->task.link);
    if (!waiter_should_watch(waiter, target)) {
        vow_waiter_end(waiter);
        return;
    }
    waiter_watch(waiter, target, false);
    vow_future_let_go(source);
}

void vow_waiter_pass_on(vow_waiter *waiter, vow_future *target)
{
    vow_future_busy(target); /* whoever is told may drop it */
    vow_future_become(target, waiter->source);
    vow_waiter_withdraw(waiter, target);
    vow_future_unbusy(target);
}

void vow_waiter_stay(vow_waiter *waiter)
{
    if (waiter->source->busy > 0)
        waiter_watch(waiter, waiter->target, true);
}

void vow_waiter_abandon(vow_waiter *waiter)
{
    bool is_waiting = vow_link_listed(&waiter->task.link) && !waiter->watches;

    if (!is_waiting)
        return;
    vow_link_remove(&waiter->task.link);
    if (waiter_should_watch(waiter, waiter->target))
        waiter_watch(waiter, waiter->target, true);
    vow_waiter_cancel_source(waiter);
}

static void future_review(vow_future *future);

void vow_waiter_cancel_source(vow_waiter *waiter)
{
    if (waiter->source->handles == 1 && vow_future_pending(waiter->source))
        future_review(waiter->source);
}

/* Life */

void vow_future_init(vow_future *future, vow_scheduler *scheduler, const vow_future_class *class)
{
    future->class = class;
    future->scheduler = scheduler;
    vow_link_init(&future->link);
    vow_list_init(&future->waiters);
    future->attached = NULL;
    future->handles = 1;
    future->owned = 1;
    future->busy = 0;
    future->lent = 0;
    future->state = VOW_FUTURE_PENDING;
    future->is_part = false;
    future->status = VOW_STATUS_OK;
    future->value = NULL;
    future->release = NULL;
    future->shared = NULL;
    future->spare = NULL;
    waiters_push(&future->spare, &future->own);
    vow_trace_begin(future);
}

void *vow_future_new(vow_scheduler *scheduler, const vow_future_class *class)
{
    vow_future *future;

    VOW_RULE_THREAD(scheduler);
    future = vow_pool_take(&scheduler->futures);
    if (future)
        vow_future_init(future, scheduler, class);
    return future;
}

void vow_future_give(vow_future *future)
{
    vow_pool_give(&future->scheduler->futures, future);
}

void vow_future_is_source(vow_future *future)
{
    vow_list_append(&future->scheduler->sources, &future->link);
}

/* Tells those who watch for the end of the work, and at the very end releases what is attached. */
static void future_end_attached(vow_future *future, bool is_last)
{
    vow_waiter *kept = NULL;
    vow_waiter *waiter;

    while ((waiter = waiters_pop(&future->attached))) {
        if (waiter->watches) {
            watch_ended(future->scheduler, future, waiter);
        } else if (is_last) {
            waiter->function.release(waiter->arg);
            waiter_free(future->scheduler, future, waiter);
        } else {
            waiters_push(&kept, waiter);
        }
    }
    while ((waiter = waiters_pop(&kept)))
        waiters_push(&future->attached, waiter);
}

static void future_release_value(vow_future *future)
{
    if (future->release)
        future->release(future->value);
    future->value = NULL;
    future->release = NULL;
    if (future->shared)
        vow_future_let_go(future->shared);
    future->shared = NULL;
}

static void future_destroy(vow_future *future)
{
    vow_scheduler *scheduler = future->scheduler;
    vow_waiter    *waiter;

    assert(future->handles == 0 && future->busy == 0 && !vow_future_pending(future));
    future_release_value(future);
    future_end_attached(future, true);
    vow_status_done(&future->status);
    while ((waiter = waiters_pop(&future->spare)))
        waiter_free(scheduler, future, waiter);
    future->state = VOW_FUTURE_DEAD;
    vow_trace_end(future);
    future->class->destroy(future);
}

static void future_reap(vow_future *future)
{
    if (vow_future_pending(future))
        vow_future_cancel(future);
    else if (future->handles == 0 && future->busy == 0)
        future_destroy(future);
    else if (future->busy == 0)
        future_end_attached(future, false);
}

/* Cancels a pending future, tells who watches one whose work has ended, and destroys one that nobody needs
 * any more. Queued and not done on the spot: a chain of a million takes no stack. */
static void future_review(vow_future *future)
{
    vow_scheduler *scheduler = future->scheduler;
    vow_link      *link;

    vow_link_remove(&future->link);
    vow_list_append(&scheduler->reaped, &future->link);
    if (scheduler->is_reaping)
        return;
    scheduler->is_reaping = true;
    while ((link = vow_list_shift(&scheduler->reaped)))
        future_reap(VOW_OWNER(link, vow_future, link));
    scheduler->is_reaping = false;
    if (scheduler->is_closing)
        scheduler->kind->idle(scheduler); /* which may free it */
}

void vow_future_hold(vow_future *future)
{
    if (!future_is_immortal(future))
        future->handles++;
}

void vow_future_let_go(vow_future *future)
{
    if (future_is_immortal(future))
        return;
    assert(future->handles > 0);
    if (--future->handles == 0)
        future_review(future);
}

void vow_future_busy(vow_future *future)
{
    future->busy++;
}

void vow_future_unbusy(vow_future *future)
{
    assert(future->busy > 0);
    if (--future->busy > 0 || vow_future_pending(future))
        return;
    if (future->handles == 0 || future->attached)
        future_review(future);
}

/* Settling */

static void future_settled(vow_future *future)
{
    vow_scheduler *scheduler = future->scheduler;

    future->state = VOW_FUTURE_SETTLED;
    vow_link_remove(&future->link);
    if (!vow_list_empty(&future->waiters)) {
        if (!vow_scheduler_has_tasks(scheduler))
            scheduler->kind->wake(scheduler);
        vow_list_splice(&scheduler->ready, &future->waiters);
    }
    if (future->busy == 0 && (future->handles == 0 || future->attached))
        future_review(future);
}

void vow_future_succeed(vow_future *future, void *value, vow_release_fn *release)
{
    assert(vow_future_pending(future));
    future->value = value;
    future->release = release;
    future_settled(future);
}

void vow_future_fail(vow_future *future, vow_status status)
{
    assert(vow_future_pending(future) && status.code != VOW_OK);
    future->status = status;
    future_settled(future);
}

/* Only what lies in the pool can move: the waiter inside a future goes with it. */
static bool attached_can_move(const vow_future *future)
{
    const vow_waiter *waiter = future->attached;

    while (waiter && waiter != &future->own)
        waiter = waiter->task.link.next ? VOW_OWNER(waiter->task.link.next, vow_waiter, task.link) : NULL;
    return !waiter;
}

bool vow_future_move_attached(vow_future *to, vow_future *from)
{
    vow_waiter *waiter;

    if (!attached_can_move(from))
        return false;
    while ((waiter = waiters_pop(&from->attached)))
        waiters_push(&to->attached, waiter);
    return true;
}

/* Whose value it is: the future that made it, past those that only passed it on. A future is kept for its
 * parts and for what is attached to it. */
static vow_future *future_origin(vow_future *future)
{
    bool passed_on = future->shared && !future->class->part && !future->attached;

    return passed_on ? future->shared : future;
}

void vow_future_become(vow_future *future, vow_future *settled)
{
    vow_future *origin;

    assert(!vow_future_pending(settled));
    if (settled->handles == 1 && settled->busy == 0)
        vow_future_move_attached(future, settled);
    origin = future_origin(settled);
    future->shared = origin;
    vow_future_hold(origin);
    if (settled->status.code == VOW_OK)
        vow_future_succeed(future, settled->value, NULL);
    else
        vow_future_fail(future, vow_status_share(&settled->status));
}

void vow_future_become_untaken(vow_future *future, vow_future *source)
{
    if (vow_future_pending(source))
        vow_future_fail(
            future, vow_status_make(VOW_FAILED_PRECONDITION, "a future was given without a handle to it"));
    else
        vow_future_become(future, source);
}

/* Busy meanwhile: nobody is told that the work has ended before the class has stopped it. */
void vow_future_stop(vow_future *future, vow_status status)
{
    vow_future_busy(future);
    vow_future_fail(future, status);
    future->class->cancel(future);
    vow_future_unbusy(future);
}

void vow_future_cancel(vow_future *future)
{
    vow_future_stop(future, vow_status_cancelled());
}

void vow_futures_cancel_all(vow_scheduler *scheduler)
{
    vow_link *link;

    vow_trace_report_unused(scheduler);
    while ((link = vow_list_first(&scheduler->sources)))
        vow_future_stop(VOW_OWNER(link, vow_future, link),
                        vow_status_make(VOW_CANCELLED, "the loop was closed"));
}

/* Handles */

vow_future *vow_future_ref(vow_future *future)
{
    vow_waiter *waiter;

    VOW_RULE_READABLE(future);
    VOW_CONSUMED(future);
    if (future_is_immortal(future))
        return future;
    waiter = vow_pool_take(&future->scheduler->waiters);
    if (!waiter)
        return vow_future_no_memory(future->scheduler);
    waiters_push(&future->spare, waiter);
    future->handles++;
    future->owned++;
    return future;
}

void vow_drop(vow_future *future)
{
    vow_waiter *waiter;

    if (!future)
        return;
    VOW_RULE_HANDLE(future);
    if (future_is_immortal(future))
        return;
    waiter = vow_future_take(future);
    if (!waiter)
        return;
    waiter_free(future->scheduler, future, waiter);
    vow_future_let_go(future);
}

void vow_cancel(vow_future *future)
{
    if (!future)
        return;
    VOW_RULE_READABLE(future);
    VOW_CONSUMED(future);
    if (vow_future_pending(future))
        vow_future_cancel(future);
}

static void release_late(vow_task *task)
{
    vow_waiter    *waiter = vow_waiter_of(task);
    vow_scheduler *scheduler = waiter->source->scheduler;

    waiter->function.release(waiter->arg);
    waiter_free(scheduler, scheduler->no_memory, waiter);
}

/* There is no handle to count: whoever waits for a future that could not be made is told in this turn. */
static void attach_to_no_memory(vow_future *future, void *object, vow_release_fn *release)
{
    vow_waiter *waiter = vow_future_take(future);

    if (!waiter) {
        release(object);
        return;
    }
    waiter->function.release = release;
    waiter->arg = object;
    vow_task_init(&waiter->task, release_late);
    vow_scheduler_late(future->scheduler, &waiter->task);
}

static void attach(vow_future *future, vow_waiter *waiter, void *object, vow_release_fn *release)
{
    waiter->watches = false;
    waiter->function.release = release;
    waiter->arg = object;
    waiters_push(&future->attached, waiter);
}

vow_future *vow_attach(vow_future *future, void *object, vow_release_fn *release)
{
    vow_scheduler *scheduler = future->scheduler;
    vow_waiter    *waiter;

    VOW_RULE_HANDLE(future);
    if (!release)
        return future;
    if (future_is_immortal(future)) {
        attach_to_no_memory(future, object, release);
        return future;
    }
    waiter = vow_pool_take(&scheduler->waiters);
    if (waiter) {
        attach(future, waiter, object, release);
        return future;
    }
    /* The handle's own waiter carries the object, and the handle goes. */
    waiter = vow_future_take(future);
    if (waiter) {
        attach(future, waiter, object, release);
        vow_future_let_go(future);
    }
    return vow_future_no_memory(scheduler);
}

/* When there is no memory */

static void immortal_stays(vow_future *future)
{
    (void)future;
}

static const vow_future_class immortal_class = { .name = "no memory",
                                                 .cancel = immortal_stays,
                                                 .destroy = immortal_stays };

vow_future *vow_future_no_memory(vow_scheduler *scheduler)
{
    return scheduler->no_memory;
}

vow_code vow_futures_open(vow_scheduler *scheduler)
{
    reserve *kept = vow_alloc_zeroed(sizeof *kept);

    if (!kept)
        return VOW_RESOURCE_EXHAUSTED;
    scheduler->no_memory = &kept->future;
    vow_future_init(&kept->future, scheduler, &immortal_class);
    vow_trace_end(&kept->future);
    vow_future_fail(&kept->future, vow_status_no_memory());
    for (size_t i = 0; i < RESERVE; i++)
        waiters_push(&kept->free, &kept->waiters[i]);
    return VOW_OK;
}

void vow_futures_close(vow_scheduler *scheduler)
{
    vow_free(reserve_of(scheduler));
    scheduler->no_memory = NULL;
}
