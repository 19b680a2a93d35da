/*
 * What a future needs of a loop: run this soon, run that at time T, and memory to do it with.
 *
 * The idea: three queues of tasks that lie inside their owners. `ready` holds continuations, in order of
 * settlement, and is drained at the end of each read, and before the loop sleeps again, with a budget. `late`
 * holds what is best done once all of these have run: flushing an output buffer. `hasty` holds what is best
 * done at the end of an event: flushing the one whose connection was read, so that what answers it leaves,
 * and gives its memory back, before the next connection is read. A loop, real or simulated, begins with a
 * scheduler and implements the few functions of vow_scheduler_kind.
 *
 * The rule: a task runs from the queue, or at the end of an event, never inside the call that queued it.
 */
#ifndef VOW_FUTURE_SCHEDULER_H
#define VOW_FUTURE_SCHEDULER_H

#include "runtime/base/blocks.h"
#include "runtime/base/list.h"
#include "runtime/base/pool.h"
#include "runtime/base/random.h"
#include "runtime/base/rule.h"
#include "runtime/base/timers.h"

#include <vow/future.h>

typedef struct vow_task {
    vow_link link;
    void (*run)(struct vow_task *task);
} vow_task;

typedef struct vow_scheduler vow_scheduler;

/* What the two kinds of loop do differently. */
typedef struct vow_scheduler_kind {
    void (*wake)(vow_scheduler *scheduler);         /* a queue is no longer empty: do not sleep, do not end */
    uint64_t (*clock_ns)(vow_scheduler *scheduler); /* monotonic, now */
    void (*keep_alive)(vow_scheduler *scheduler, bool keep); /* the first hold came, or the last went */
    vow_code (*turn)(
        vow_scheduler *scheduler); /* vow_wait: one round of the loop, blocking; fails when nothing is left */
    bool (*on_thread)(const vow_scheduler *scheduler); /* is this the loop's thread? */
    void (*idle)(vow_scheduler *scheduler);            /* closing: an object has gone; perhaps the last */
} vow_scheduler_kind;

struct vow_scheduler {
    const vow_scheduler_kind *kind;
    vow_list                  ready;
    vow_list                  hasty;
    vow_list                  late;
    vow_timers                timers;
    uint64_t                  now_ns;
    uint64_t                  random;
    size_t                    holds; /* reasons to keep the loop from ending */
    unsigned                  depth; /* of vow's callbacks on the stack: vow_wait must not nest */
    bool                      is_closing;
    bool                      is_reaping;
    vow_list                  reaped; /* futures to be let go, without recursion */
    vow_list   sources;               /* pending futures that nothing else will settle when the loop closes */
    vow_pool   futures;
    vow_pool   waiters;
    vow_pool   calls;
    vow_blocks blocks;
    void      *delivery; /* the memory of a stream's message, ready to be used again: a block; NULL: none */
#ifdef VOW_DEBUG
    vow_list all_futures;
#endif
    vow_future *no_memory; /* immortal: what is given when there is nothing else to give */
};

static inline vow_scheduler *vow_scheduler_of(const vow_loop *loop)
{
    return (vow_scheduler *)(uintptr_t)loop; /* a loop begins with its scheduler */
}

/* A call, its future, its timer and the first bytes of its memory are one object of this size: small enough
 * that a thousand of them stay in the cache of a core. With the 8 bytes of malloc's own it is a multiple
 * of 16. */
#define VOW_CALL_SIZE 968

/* What a message of a stream is unpacked into at first; a size that blocks have. */
#define VOW_DELIVERY_SIZE ((size_t)1 << 10)

/* Fails: no memory. */
vow_code vow_scheduler_init(vow_scheduler *scheduler, const vow_scheduler_kind *kind, uint64_t seed);
void     vow_scheduler_done(vow_scheduler *scheduler);

/* Runs `task` soon, once; one that is queued already stays where it is. */
void vow_scheduler_soon(vow_scheduler *scheduler, vow_task *task);

static inline bool vow_scheduler_has_tasks(const vow_scheduler *scheduler)
{
    return !vow_list_empty(&scheduler->ready) || !vow_list_empty(&scheduler->hasty) ||
           !vow_list_empty(&scheduler->late);
}

/* Runs `task` once all that is ready has run. */
void vow_scheduler_late(vow_scheduler *scheduler, vow_task *task);

static inline void vow_task_init(vow_task *task, void (*run)(vow_task *task))
{
    vow_link_init(&task->link);
    task->run = run;
}

static inline bool vow_task_queued(const vow_task *task)
{
    return vow_link_listed(&task->link);
}

/* Takes `task` out of its queue. */
static inline void vow_task_cancel(vow_task *task)
{
    vow_link_remove(&task->link);
}

/* Runs `task` at the end of this event, once all has run that the event made ready. */
void vow_scheduler_hasten(vow_scheduler *scheduler, vow_task *task);

/* Ends an event: runs what is ready, then what is hasty. Where events nest, the outermost does. */
void vow_scheduler_settle(vow_scheduler *scheduler);

/* Drains all queues, as far as the budget goes. True: there is more to do. */
bool vow_scheduler_run(vow_scheduler *scheduler);

/* Reads the clock, and fires all timers that are due. */
void vow_scheduler_tick(vow_scheduler *scheduler);

/* Time as of this iteration; outside vow's callbacks, as of now. */
uint64_t vow_scheduler_now_ns(vow_scheduler *scheduler);

/* Time as of now, also inside a callback: for what measures how long they take. */
static inline uint64_t vow_scheduler_clock_ns(vow_scheduler *scheduler)
{
    return scheduler->kind->clock_ns(scheduler);
}

/* Brackets every entry from below: events of a transport, timers, tasks. */
static inline void vow_scheduler_enter(vow_scheduler *scheduler)
{
    if (scheduler->depth++ == 0)
        scheduler->now_ns = scheduler->kind->clock_ns(scheduler);
}

static inline void vow_scheduler_leave(vow_scheduler *scheduler)
{
    scheduler->depth--;
}

static inline void vow_scheduler_hold(vow_scheduler *scheduler)
{
    if (scheduler->holds++ == 0)
        scheduler->kind->keep_alive(scheduler, true);
}

static inline void vow_scheduler_release(vow_scheduler *scheduler)
{
    if (--scheduler->holds == 0)
        scheduler->kind->keep_alive(scheduler, false);
}

/* Cancels all futures that nothing else would settle: the loop is closing. */
void vow_futures_cancel_all(vow_scheduler *scheduler);

/* The moment `ms` from now; never overflows. */
uint64_t vow_scheduler_after_ms(vow_scheduler *scheduler, int64_t ms);

#define VOW_RULE_THREAD(scheduler)                                                                           \
    VOW_RULE((scheduler)->kind->on_thread(scheduler),                                                        \
             "a loop and what belongs to it is touched on the loop's own thread; see vow_loop_post")

#endif
