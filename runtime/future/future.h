/*
 * The inside of a future, for the classes of futures: promises, combinators, calls.
 *
 * The idea: a future is a state, a list of waiters and a count of handles. Each handle in the user's
 * hands has one waiter in reserve, so that waiting cannot fail for want of memory; taking a handle
 * over moves it into its waiter. Who waits for another future owns the waiter, and withdraws it to go.
 *
 *     user --handle--> future <--waiter-- result <--handle-- user
 *                      (source)           (target)
 *
 * Two counts decide its life. `handles`: at 0, a pending future is cancelled. `busy`: reasons why the
 * work behind it has not ended (a promise not resolved, a function running, work of a cancelled source).
 * With both at 0 it is destroyed: first what is attached, then its memory.
 *
 * The rule: nothing here recurses over futures. Settling queues waiters; letting go queues the future
 * on scheduler->reaped, which is emptied by the outermost caller.
 */
#ifndef VOW_FUTURE_FUTURE_H
#define VOW_FUTURE_FUTURE_H

#include "runtime/base/status.h"
#include "runtime/future/scheduler.h"

typedef struct vow_waiter vow_waiter;

struct vow_waiter {
    vow_task    task; /* in its source's list, then in the ready queue; spare ones are chained by link.next */
    vow_future *source; /* whose handle it is */
    vow_future *target; /* lent; whose result waits. NULL: vow_done, or the target has gone */
    union {
        vow_done_fn    *done;
        vow_then_fn    *then;
        vow_release_fn *release; /* of an attachment */
    } function;
    void    *arg;
    uint32_t index;   /* among the jobs of its target */
    bool     watches; /* in source->attached: tells the target when the work of the source has ended */
    bool     stays;   /* and is its target's afterwards, with its handle */
};

typedef struct vow_future_class {
    const char *name;

    /* Stops the work; the future is settled as cancelled already. */
    void (*cancel)(vow_future *future);

    /* Gives the memory back; all else is done. */
    void (*destroy)(vow_future *future);

    /* The part at `index`, or NULL. A class without parts has none. */
    vow_future *(*part)(const vow_future *future, size_t index);
} vow_future_class;

typedef enum vow_future_state {
    VOW_FUTURE_DEAD, /* memory of a pool */
    VOW_FUTURE_PENDING,
    VOW_FUTURE_SETTLED
} vow_future_state;

struct vow_future {
    const vow_future_class *class;
    vow_scheduler  *scheduler;
    vow_link        link; /* in scheduler->sources while pending, or in scheduler->reaped */
    vow_list        waiters;
    vow_waiter     *spare;    /* one for each handle in the user's hands */
    vow_waiter     *attached; /* what to release at the end, and who watches for it */
    uint32_t        handles;  /* the user's, waiters' and values that are shared */
    uint32_t        owned;    /* of these, in the user's hands */
    uint32_t        busy;
    uint16_t        lent; /* callbacks on the stack that it is lent to */
    uint8_t         state;
    bool            is_part; /* of a combinator, which lends it */
    vow_status      status;  /* once settled */
    void           *value;
    vow_release_fn *release; /* of the value */
    vow_future     *shared;  /* whose value it is; a handle */
    vow_waiter      own;     /* the first handle's */
#ifdef VOW_DEBUG
    vow_link    all;     /* in the list of all live futures */
    const void *made_by; /* code address of who made it */
    bool        consumed;
#endif
};

/* Begins life pending, with one handle in the user's hands. */
void vow_future_init(vow_future *future, vow_scheduler *scheduler, const vow_future_class *class);

/* A future from the pool of small futures, for classes of up to VOW_FUTURE_ROOM bytes. NULL: no memory. */
void *vow_future_new(vow_scheduler *scheduler, const vow_future_class *class);
void  vow_future_give(vow_future *future); /* a class's `destroy`: back into that pool */

#define VOW_FUTURE_ROOM (sizeof(vow_future) + 104)

/* Registers a pending future that nothing else would settle when the loop closes. */
void vow_future_is_source(vow_future *future);

/* Settles a pending future. `status` is given. */
void vow_future_succeed(vow_future *future, void *value, vow_release_fn *release);
void vow_future_fail(vow_future *future, vow_status status);

/* Settles `future` as `settled`, of which it keeps what it needs. */
void vow_future_become(vow_future *future, vow_future *settled);

/* The same for a source whose handle could not be taken; one that is pending was not the giver's to give. */
void vow_future_become_untaken(vow_future *future, vow_future *source);

/* Settles a pending future as failed, or as cancelled, and stops its work. `status` is given. */
void vow_future_stop(vow_future *future, vow_status status);
void vow_future_cancel(vow_future *future);

/* Work behind the future goes on, or ended. */
void vow_future_busy(vow_future *future);
void vow_future_unbusy(vow_future *future);

/* A handle that is not the user's, without a waiter in reserve. */
void vow_future_hold(vow_future *future);
void vow_future_let_go(vow_future *future);

/* Takes the user's handle, as the waiter that was in reserve for it; the waiter gives it back with
 * vow_waiter_end. NULL: the future is the one for when there is no memory, and there is none now either. */
vow_waiter *vow_future_take(vow_future *future);

/* Runs `run` from the queue once the source has settled. */
void vow_waiter_wait(vow_waiter *waiter, vow_future *target, void (*run)(vow_task *task));

/* Calls the function of vow_done, to which the source is lent. */
void vow_waiter_call(vow_waiter *waiter);

/* Lets the source go and frees the waiter, which waits no more. */
void vow_waiter_end(vow_waiter *waiter);

/* The same, and the target stays busy until the work of the source has ended, so that what is attached to it
 * outlives that. Where others share a source that is pending, only what is attached already counts. */
void vow_waiter_withdraw(vow_waiter *waiter, vow_future *target);

/* Settles the pending `target` as the source has settled, and withdraws. */
void vow_waiter_pass_on(vow_waiter *waiter, vow_future *target);

/* The source has settled; waiter and handle stay with the target, which is busy until the work has ended. */
void vow_waiter_stay(vow_waiter *waiter);

/* Cancels the source, unless others have handles to it; waits no more, and stays as above. */
void vow_waiter_abandon(vow_waiter *waiter);

/* Cancels the source, unless others have handles to it; the waiter goes on waiting. */
void vow_waiter_cancel_source(vow_waiter *waiter);

/* The future that is given when there is no memory for any other. */
vow_future *vow_future_no_memory(vow_scheduler *scheduler);

/* A failure with a status that is given. */
vow_future *vow_failure_of(vow_scheduler *scheduler, vow_status status) VOW_MUST_USE;

/* Moves what is attached; false: it can't be moved. */
bool vow_future_move_attached(vow_future *to, vow_future *from);

/* Makes, and frees, what a scheduler keeps for when there is no memory. */
vow_code vow_futures_open(vow_scheduler *scheduler);
void     vow_futures_close(vow_scheduler *scheduler);

static inline bool vow_future_pending(const vow_future *future)
{
    return future->state == VOW_FUTURE_PENDING;
}

static inline vow_waiter *vow_waiter_of(vow_task *task)
{
    return VOW_OWNER(task, vow_waiter, task);
}

/* What debug builds remember of a future, and the rules they check at the doors of public functions. VOW_MADE
 * notes the caller of the function it stands in, and gives the future. */
#ifdef VOW_DEBUG
void vow_trace_begin(vow_future *future);
void vow_trace_end(vow_future *future);
void vow_trace_report_unused(vow_scheduler *scheduler); /* what nobody ever waited for or dropped */
void vow_rule_alive(const vow_future *future, const char *function);
void vow_rule_handle(const vow_future *future, const char *function);
void vow_rule_readable(const vow_future *future, const char *function);

static inline vow_future *vow_future_made_by(vow_future *future, const void *address)
{
    future->made_by = address;
    return future;
}

#define VOW_MADE(future) vow_future_made_by((future), __builtin_return_address(0))
#define VOW_MADE_HERE(future) ((void)VOW_MADE(future))
#define VOW_CONSUMED(future) ((void)((future)->consumed = true))
#define VOW_RULE_ALIVE(future) vow_rule_alive((future), __func__)
#define VOW_RULE_HANDLE(future) vow_rule_handle((future), __func__)
#define VOW_RULE_READABLE(future) vow_rule_readable((future), __func__)
#define VOW_RULE_OF(function, future, kept, rule)                                                            \
    ((kept) ? (void)0 : vow_rule_broken_by((function), (rule), (future)->made_by))
#else
#define vow_trace_begin(future) ((void)0)
#define vow_trace_end(future) ((void)0)
#define vow_trace_report_unused(scheduler) ((void)0)
#define VOW_MADE(future) (future)
#define VOW_MADE_HERE(future) ((void)0)
#define VOW_CONSUMED(future) ((void)0)
#define VOW_RULE_ALIVE(future) ((void)0)
#define VOW_RULE_HANDLE(future) ((void)0)
#define VOW_RULE_READABLE(future) ((void)0)
#define VOW_RULE_OF(function, future, kept, rule) ((void)0)
#endif

#endif
