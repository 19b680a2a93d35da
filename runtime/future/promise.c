/*
 * Futures that somebody settles: values, failures, promises.
 *
 * The idea: a promise is the same object as its future, seen from the other end, and keeps it busy
 * until it is resolved or rejected. So a producer may settle it long after the last consumer has gone.
 */
#include "runtime/future/future.h"

#include "runtime/base/details.h"

#include <vow/details.h>

#include <assert.h>

/* Settled from the start */

static void nothing_to_cancel(vow_future *future)
{
    (void)future;
}

static const vow_future_class value_class = {
    .name = "value",
    .cancel = nothing_to_cancel,
    .destroy = vow_future_give,
};

vow_future *vow_value(vow_loop *loop, void *value, vow_release_fn *release)
{
    vow_scheduler *scheduler = vow_scheduler_of(loop);
    vow_future    *future;

    VOW_RULE_THREAD(scheduler);
    future = vow_future_new(scheduler, &value_class);
    if (!future)
        return vow_attach(vow_future_no_memory(scheduler), value, release);
    vow_future_succeed(future, value, release);
    return VOW_MADE(future);
}

vow_future *vow_failure_of(vow_scheduler *scheduler, vow_status status)
{
    vow_future *future = vow_future_new(scheduler, &value_class);

    if (!future) {
        vow_status_done(&status);
        return vow_future_no_memory(scheduler);
    }
    vow_future_fail(future, status);
    return future;
}

vow_future *vow_failure(vow_loop *loop, vow_code code, const char *format, ...)
{
    va_list    arguments;
    vow_status status;

    VOW_RULE_THREAD(vow_scheduler_of(loop));
    va_start(arguments, format);
    status = vow_status_make_list(code, format, arguments);
    va_end(arguments);
    return VOW_MADE(vow_failure_of(vow_scheduler_of(loop), status));
}

vow_future *vow_failure_with(vow_loop *loop, vow_code code, const ProtobufCMessage *const details[],
                             const char *format, ...)
{
    va_list    arguments;
    vow_status status;

    VOW_RULE_THREAD(vow_scheduler_of(loop));
    va_start(arguments, format);
    status = vow_status_make_list(code, format, arguments);
    va_end(arguments);
    vow_status_add_details(&status, details);
    return VOW_MADE(vow_failure_of(vow_scheduler_of(loop), status));
}

vow_future *vow_keep(vow_future *source, const void *value)
{
    vow_scheduler *scheduler = source->scheduler;
    vow_future    *future;

    VOW_RULE_READABLE(source);
    if (vow_future_pending(source) || source->status.code != VOW_OK)
        return VOW_MADE(
            vow_failure_of(scheduler, vow_status_make(VOW_FAILED_PRECONDITION,
                                                      "vow_keep: the source has no value to share")));
    future = vow_future_new(scheduler, &value_class);
    if (!future)
        return vow_future_no_memory(scheduler);
    future->shared = source;
    vow_future_hold(source);
    vow_future_succeed(future, (void *)(uintptr_t)value, NULL);
    return VOW_MADE(future);
}

/* Promises */

struct vow_promise {
    vow_future future; /* first: a promise is its future, seen from the other end */
    vow_task   tell;   /* calls `cancelled` */
    void (*cancelled)(void *arg);
    void *arg;
    bool  is_kept; /* resolved or rejected */
    bool  was_cancelled;
};

_Static_assert(sizeof(vow_promise) <= VOW_FUTURE_ROOM, "a promise fits the pool of futures");

static void promise_tell(vow_task *task)
{
    vow_promise *promise = VOW_OWNER(task, vow_promise, tell);

    promise->cancelled(promise->arg);
}

/* The producer is told from the queue: it may be the one who cancels. */
static void promise_tell_soon(vow_promise *promise)
{
    if (promise->was_cancelled && promise->cancelled && !promise->is_kept)
        vow_scheduler_soon(promise->future.scheduler, &promise->tell);
}

static void promise_cancel(vow_future *future)
{
    vow_promise *promise = (vow_promise *)future;

    promise->was_cancelled = true;
    promise_tell_soon(promise);
}

static const vow_future_class promise_class = {
    .name = "promise",
    .cancel = promise_cancel,
    .destroy = vow_future_give,
};

vow_future *vow_promise_new(vow_loop *loop, vow_promise **given)
{
    vow_scheduler *scheduler = vow_scheduler_of(loop);
    vow_promise   *promise;

    VOW_RULE_THREAD(scheduler);
    *given = NULL;
    if (scheduler->is_closing)
        return VOW_MADE(vow_failure_of(scheduler, vow_status_make(VOW_CANCELLED, "the loop was closed")));
    promise = vow_future_new(scheduler, &promise_class);
    if (!promise)
        return vow_future_no_memory(scheduler);
    vow_task_init(&promise->tell, promise_tell);
    promise->cancelled = NULL;
    promise->arg = NULL;
    promise->is_kept = false;
    promise->was_cancelled = false;
    vow_future_busy(&promise->future);
    vow_future_is_source(&promise->future);
    *given = promise;
    return VOW_MADE(&promise->future);
}

#ifdef VOW_DEBUG
static void rule_promise(const vow_promise *promise, const char *function)
{
    vow_rule_alive(&promise->future, function);
    if (promise->future.class != &promise_class || promise->is_kept)
        vow_rule_broken_by(function,
                           "a promise is resolved or rejected once, and not touched again; it was before",
                           promise->future.made_by);
}
#define RULE_PROMISE(promise) rule_promise((promise), __func__)
#else
#define RULE_PROMISE(promise) ((void)0)
#endif

bool vow_promise_wanted(const vow_promise *promise)
{
    if (!promise)
        return false;
    RULE_PROMISE(promise);
    return vow_future_pending(&promise->future);
}

void vow_promise_on_cancel(vow_promise *promise, void (*cancelled)(void *arg), void *arg)
{
    if (!promise)
        return;
    RULE_PROMISE(promise);
    promise->cancelled = cancelled;
    promise->arg = arg;
    promise_tell_soon(promise);
}

/* Takes the promise from its producer. False: nobody waits any more. */
static bool promise_keep(vow_promise *promise)
{
    promise->is_kept = true;
    vow_task_cancel(&promise->tell);
    return vow_future_pending(&promise->future);
}

void vow_resolve(vow_promise *promise, void *value, vow_release_fn *release)
{
    if (promise)
        RULE_PROMISE(promise);
    if (!promise || promise->is_kept) {
        if (release)
            release(value);
        return;
    }
    if (promise_keep(promise))
        vow_future_succeed(&promise->future, value, release);
    else if (release)
        release(value);
    vow_future_unbusy(&promise->future);
}

/* `details` is NULL where there are none. */
static void promise_reject(vow_promise *promise, vow_code code, const ProtobufCMessage *const details[],
                           const char *format, va_list arguments)
{
    vow_status status = vow_status_make_list(code, format, arguments);

    if (details)
        vow_status_add_details(&status, details);
    if (promise_keep(promise))
        vow_future_fail(&promise->future, status);
    else
        vow_status_done(&status);
    vow_future_unbusy(&promise->future);
}

void vow_reject(vow_promise *promise, vow_code code, const char *format, ...)
{
    va_list arguments;

    if (!promise)
        return;
    RULE_PROMISE(promise);
    if (promise->is_kept)
        return;
    va_start(arguments, format);
    promise_reject(promise, code, NULL, format, arguments);
    va_end(arguments);
}

void vow_reject_with(vow_promise *promise, vow_code code, const ProtobufCMessage *const details[],
                     const char *format, ...)
{
    va_list arguments;

    if (!promise)
        return;
    RULE_PROMISE(promise);
    if (promise->is_kept)
        return;
    va_start(arguments, format);
    promise_reject(promise, code, details, format, arguments);
    va_end(arguments);
}
