#include "runtime/future/scheduler.h"

#include "runtime/base/sanitizer.h"
#include "runtime/future/future.h"

/* Tasks that run before the loop looks at its sockets again. */
#define BUDGET 1024

vow_code vow_scheduler_init(vow_scheduler *scheduler, const vow_scheduler_kind *kind, uint64_t seed)
{
    *scheduler = (vow_scheduler){ .kind = kind, .random = seed };
    vow_list_init(&scheduler->ready);
    vow_list_init(&scheduler->hasty);
    vow_list_init(&scheduler->late);
    vow_list_init(&scheduler->reaped);
    vow_list_init(&scheduler->sources);
#ifdef VOW_DEBUG
    vow_list_init(&scheduler->all_futures);
#endif
    scheduler->now_ns = kind->clock_ns(scheduler);
    vow_timers_init(&scheduler->timers, scheduler->now_ns);
    vow_pool_init(&scheduler->futures, VOW_FUTURE_ROOM);
    vow_pool_init(&scheduler->waiters, sizeof(vow_waiter));
    vow_pool_init(&scheduler->calls, VOW_CALL_SIZE);
    vow_blocks_init(&scheduler->blocks);
    return vow_futures_open(scheduler);
}

void vow_scheduler_done(vow_scheduler *scheduler)
{
    vow_futures_close(scheduler);
    vow_pool_done(&scheduler->futures);
    vow_pool_done(&scheduler->waiters);
    vow_pool_done(&scheduler->calls);
    VOW_UNPOISON(scheduler->delivery, scheduler->delivery ? VOW_DELIVERY_SIZE : 0);
    vow_blocks_give(&scheduler->blocks, scheduler->delivery, VOW_DELIVERY_SIZE);
    vow_blocks_done(&scheduler->blocks);
}

static void queue_append(vow_scheduler *scheduler, vow_list *queue, vow_task *task)
{
    if (vow_task_queued(task))
        return;
    if (!vow_scheduler_has_tasks(scheduler))
        scheduler->kind->wake(scheduler);
    vow_list_append(queue, &task->link);
}

void vow_scheduler_soon(vow_scheduler *scheduler, vow_task *task)
{
    queue_append(scheduler, &scheduler->ready, task);
}

void vow_scheduler_late(vow_scheduler *scheduler, vow_task *task)
{
    queue_append(scheduler, &scheduler->late, task);
}

void vow_scheduler_hasten(vow_scheduler *scheduler, vow_task *task)
{
    vow_task_cancel(task);
    queue_append(scheduler, &scheduler->hasty, task);
}

static void queue_run(vow_list *queue, unsigned budget)
{
    vow_link *link;

    while (budget-- > 0 && (link = vow_list_shift(queue))) {
        vow_task *task = VOW_OWNER(link, vow_task, link);

        task->run(task);
    }
}

void vow_scheduler_settle(vow_scheduler *scheduler)
{
    if (scheduler->depth > 1)
        return;
    queue_run(&scheduler->ready, BUDGET);
    queue_run(&scheduler->hasty, BUDGET);
}

bool vow_scheduler_run(vow_scheduler *scheduler)
{
    vow_scheduler_enter(scheduler);
    queue_run(&scheduler->ready, BUDGET);
    queue_run(&scheduler->hasty, BUDGET);
    queue_run(&scheduler->late, BUDGET);
    vow_scheduler_leave(scheduler);
    return vow_scheduler_has_tasks(scheduler);
}

void vow_scheduler_tick(vow_scheduler *scheduler)
{
    vow_scheduler_enter(scheduler);
    vow_timers_expire(&scheduler->timers, scheduler->now_ns);
    vow_scheduler_leave(scheduler);
}

uint64_t vow_scheduler_now_ns(vow_scheduler *scheduler)
{
    if (scheduler->depth == 0)
        scheduler->now_ns = scheduler->kind->clock_ns(scheduler);
    return scheduler->now_ns;
}

uint64_t vow_scheduler_after_ms(vow_scheduler *scheduler, int64_t ms)
{
    uint64_t now = vow_scheduler_now_ns(scheduler);
    uint64_t room = UINT64_MAX - 1 - now;

    if (ms <= 0)
        return now;
    return (uint64_t)ms > room / 1000000u ? UINT64_MAX - 1 : now + (uint64_t)ms * 1000000u;
}
