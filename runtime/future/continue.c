/*
 * Waiting for a future: done, detach, wait, and the four that give another future.
 *
 * The idea: then, recover and either are one continuation with a different condition. Its result
 * waits for the source; once the function has run, it waits for what that gave, and both ways of
 * waiting are one waiter at a time, `upstream`. Where a result that only passes on is waited for by
 * another such, the middle one is cut out: a chain that feeds itself stays one link long.
 */
#include "runtime/future/future.h"

#include <assert.h>

typedef struct continuation {
    vow_future  future;
    vow_waiter *upstream; /* NULL: the function is running, or has run and nothing is left to wait for */
} continuation;

#define WAITING "vow_then, vow_recover or vow_either" /* in what is said of their functions */

_Static_assert(sizeof(continuation) <= VOW_FUTURE_ROOM, "a continuation fits the pool of futures");

/* done, detach, wait */

static void done_run(vow_task *task)
{
    vow_waiter *waiter = vow_waiter_of(task);

    vow_waiter_call(waiter);
    vow_waiter_end(waiter);
}

void vow_done(vow_future *future, vow_done_fn *done, void *arg)
{
    vow_waiter *waiter;

    VOW_RULE_HANDLE(future);
    waiter = vow_future_take(future);
    if (!waiter) {
        /* Not even a waiter is left: better now than never. */
        done(future, arg);
        return;
    }
    waiter->function.done = done;
    waiter->arg = arg;
    vow_waiter_wait(waiter, NULL, done_run);
}

static void done_with_nothing(vow_future *settled, void *arg)
{
    (void)settled;
    (void)arg;
}

void vow_detach(vow_future *future)
{
    if (!future)
        return;
    VOW_RULE_HANDLE(future);
    vow_done(future, done_with_nothing, NULL);
}

vow_code vow_wait(vow_future *future)
{
    vow_scheduler *scheduler = future->scheduler;
    vow_code       code = VOW_OK;

    VOW_RULE_READABLE(future);
    VOW_CONSUMED(future);
    if (scheduler->depth > 0)
        return VOW_FAILED_PRECONDITION;
    vow_future_hold(future);
    while (vow_future_pending(future) && code == VOW_OK)
        code = scheduler->kind->turn(scheduler);
    if (!vow_future_pending(future))
        code = future->status.code;
    vow_future_let_go(future);
    return code;
}

/* then, recover, either */

static void continuation_cancel(vow_future *future)
{
    continuation *result = (continuation *)future;
    vow_waiter   *waiter = result->upstream;

    result->upstream = NULL;
    if (waiter)
        vow_waiter_withdraw(waiter, future);
}

static const vow_future_class continuation_class = {
    .name = "then",
    .cancel = continuation_cancel,
    .destroy = vow_future_give,
};

static void adoption_run(vow_task *task)
{
    vow_waiter   *waiter = vow_waiter_of(task);
    continuation *result = (continuation *)waiter->target;

    result->upstream = NULL;
    vow_waiter_pass_on(waiter, &result->future);
}

/* Does nobody but another future see `future`, whose function is running, and only to become what it becomes?
 * Gives that waiter. */
static vow_waiter *future_sole_adopter(const vow_future *future)
{
    vow_link *only = vow_list_first(&future->waiters);

    if (future->handles != 1 || future->busy != 1 || !only ||
        VOW_OWNER(only, vow_task, link)->run != adoption_run)
        return NULL;
    return vow_waiter_of(VOW_OWNER(only, vow_task, link));
}

/* `next` only passes on what it has adopted itself, and nobody else sees it: wait for that instead. */
static vow_waiter *waiter_skip(vow_waiter *waiter, vow_future *target)
{
    continuation *next = (continuation *)waiter->source;
    vow_waiter   *inner;

    if (next->future.class != &continuation_class || next->future.handles != 1 || next->future.busy > 0 ||
        !next->upstream || next->upstream->task.run != adoption_run)
        return waiter;
    if (!vow_future_move_attached(target, &next->future))
        return waiter;
    inner = next->upstream;
    next->upstream = NULL;
    vow_waiter_end(waiter);
    return inner;
}

/* Becomes what `next` is or will be, and takes its handle. NULL: success with no value. */
static void continuation_adopt(continuation *result, vow_future *next)
{
    vow_waiter *waiter;
    vow_waiter *outer;

    if (!next) {
        vow_future_succeed(&result->future, NULL, NULL);
        return;
    }
    VOW_RULE_OF(WAITING, next, next != &result->future,
                "a function must not give the future that waits for it");
    VOW_RULE_OF(WAITING, next, next->scheduler == result->future.scheduler,
                "futures of two loops can't wait for each other");
    waiter = vow_future_take(next);
    if (!waiter) {
        vow_future_become_untaken(&result->future, next);
        return;
    }
    if (!vow_future_pending(next)) {
        vow_waiter_pass_on(waiter, &result->future);
        return;
    }
    waiter = waiter_skip(waiter, &result->future);
    outer = future_sole_adopter(&result->future);
    if (outer && vow_future_move_attached(outer->target, &result->future)) {
        result = (continuation *)outer->target;
        vow_waiter_end(outer);
    }
    result->upstream = waiter;
    vow_link_remove(&waiter->task.link);
    vow_waiter_wait(waiter, &result->future, adoption_run);
}

/* The source is lent for the length of the call alone. */
static void continuation_take_lent(continuation *result, vow_future *lent)
{
    VOW_RULE_OF(WAITING, lent, false,
                "a function gives a handle of its own: `return vow_future_ref(settled);` passes what is "
                "lent on");
    vow_future_become_untaken(&result->future, lent);
}

static void continuation_run(vow_waiter *waiter, bool applies)
{
    continuation *result = (continuation *)waiter->target;
    vow_future   *source = waiter->source;
    vow_future   *next;

    result->upstream = NULL;
    if (!applies) {
        vow_waiter_pass_on(waiter, &result->future);
        return;
    }
    vow_future_busy(&result->future);
    source->lent++;
    next = waiter->function.then(source, waiter->arg);
    source->lent--;
    if (next && next->owned == 0 && vow_future_pending(&result->future)) {
        continuation_take_lent(result, next);
        next = NULL;
    }
    vow_waiter_withdraw(waiter, &result->future);
    if (vow_future_pending(&result->future))
        continuation_adopt(result, next);
    else
        vow_drop(next); /* the result was cancelled meanwhile */
    vow_future_unbusy(&result->future);
}

static void then_run(vow_task *task)
{
    continuation_run(vow_waiter_of(task), vow_waiter_of(task)->source->status.code == VOW_OK);
}

static void recover_run(vow_task *task)
{
    continuation_run(vow_waiter_of(task), vow_waiter_of(task)->source->status.code != VOW_OK);
}

static void either_run(vow_task *task)
{
    continuation_run(vow_waiter_of(task), true);
}

static vow_future *continue_with(vow_future *source, void (*run)(vow_task *task), vow_then_fn *function,
                                 void *arg)
{
    vow_scheduler *scheduler = source->scheduler;
    continuation  *result = vow_future_new(scheduler, &continuation_class);
    vow_waiter    *waiter;

    if (!result) {
        vow_drop(source);
        return vow_future_no_memory(scheduler);
    }
    result->upstream = NULL;
    waiter = vow_future_take(source);
    if (!waiter) {
        vow_drop(&result->future);
        return vow_future_no_memory(scheduler);
    }
    waiter->function.then = function;
    waiter->arg = arg;
    result->upstream = waiter;
    vow_waiter_wait(waiter, &result->future, run);
    return &result->future;
}

vow_future *vow_then(vow_future *future, vow_then_fn *on_value, void *arg)
{
    VOW_RULE_HANDLE(future);
    return VOW_MADE(continue_with(future, then_run, on_value, arg));
}

vow_future *vow_recover(vow_future *future, vow_then_fn *on_error, void *arg)
{
    VOW_RULE_HANDLE(future);
    return VOW_MADE(continue_with(future, recover_run, on_error, arg));
}

vow_future *vow_either(vow_future *future, vow_then_fn *on_settled, void *arg)
{
    VOW_RULE_HANDLE(future);
    return VOW_MADE(continue_with(future, either_run, on_settled, arg));
}

/* finally */

/* Cancels the source and goes on waiting: the function runs whatever happens. The result is busy until it
 * has. */
static void finally_cancel(vow_future *future)
{
    continuation *result = (continuation *)future;

    if (result->upstream)
        vow_waiter_cancel_source(result->upstream);
}

static const vow_future_class finally_class = {
    .name = "finally",
    .cancel = finally_cancel,
    .destroy = vow_future_give,
};

static void finally_run(vow_task *task)
{
    vow_waiter   *waiter = vow_waiter_of(task);
    continuation *result = (continuation *)waiter->target;

    result->upstream = NULL;
    vow_waiter_call(waiter);
    if (vow_future_pending(&result->future))
        vow_waiter_pass_on(waiter, &result->future);
    else
        vow_waiter_withdraw(waiter, &result->future);
    vow_future_unbusy(&result->future);
}

static vow_future *finally(vow_future *future, vow_done_fn *always, void *arg)
{
    vow_scheduler *scheduler = future->scheduler;
    continuation  *result = vow_future_new(scheduler, &finally_class);
    vow_waiter    *waiter = vow_future_take(future);

    if (result)
        result->upstream = NULL;
    if (waiter) {
        waiter->function.done = always;
        waiter->arg = arg;
        vow_waiter_wait(waiter, result ? &result->future : NULL, result ? finally_run : done_run);
    } else {
        always(future, arg);
    }
    if (result && waiter) {
        result->upstream = waiter;
        vow_future_busy(&result->future);
        return &result->future;
    }
    if (waiter)
        vow_waiter_cancel_source(waiter);
    if (result)
        vow_drop(&result->future);
    return vow_future_no_memory(scheduler);
}

vow_future *vow_finally(vow_future *future, vow_done_fn *always, void *arg)
{
    VOW_RULE_HANDLE(future);
    return VOW_MADE(finally(future, always, arg));
}
