/*
 * Many futures into one: all, all_settled, any, race, quorum, as_completed.
 *
 * The idea: they are one combinator that counts. Each kind is a row of three rules: when has it
 * succeeded, when has it failed, and does it become the part that decided. The parts' handles are
 * held until the combinator ends, so that vow_future_at can lend them.
 */
#include "runtime/future/future.h"

#include <assert.h>

typedef struct combinator combinator;

typedef struct combinator_kind {
    vow_future_class future_class;
    size_t (*needed)(const combinator *combinator); /* successes (or settled parts) that make it succeed */
    bool failures_count;                            /* a failed part counts as a success */
    bool becomes_part;                              /* its value is that of the part that decided */
} combinator_kind;

struct combinator {
    vow_future             future;
    const combinator_kind *kind;
    size_t                 block_size;
    size_t                 count;
    size_t                 quorum;
    size_t                 succeeded;
    size_t                 failed;
    vow_done_fn           *each; /* as_completed's */
    void                  *arg;
    vow_waiter            *parts[]; /* NULL: the part was dropped */
};

static void combinator_cancel(vow_future *future)
{
    combinator *all = (combinator *)future;

    for (size_t i = 0; i < all->count; i++) {
        vow_waiter *waiter = all->parts[i];

        all->parts[i] = NULL;
        if (waiter)
            vow_waiter_withdraw(waiter, future);
    }
}

static void combinator_destroy(vow_future *future)
{
    combinator *all = (combinator *)future;

    for (size_t i = 0; i < all->count; i++) {
        if (all->parts[i])
            vow_waiter_end(all->parts[i]);
    }
    vow_blocks_give(&future->scheduler->blocks, all, all->block_size);
}

static vow_future *combinator_part(const vow_future *future, size_t index)
{
    const combinator *all = (const combinator *)future;

    return index < all->count && all->parts[index] ? all->parts[index]->source : NULL;
}

#define COMBINATOR_CLASS(class_name)                                                                         \
    {                                                                                                        \
        .name = (class_name), .cancel = combinator_cancel, .destroy = combinator_destroy,                    \
        .part = combinator_part                                                                              \
    }

static size_t needs_every(const combinator *all)
{
    return all->count;
}

static size_t needs_one(const combinator *all)
{
    (void)all;
    return 1;
}

static size_t needs_quorum(const combinator *all)
{
    return all->quorum;
}

static const combinator_kind all_kind = { COMBINATOR_CLASS("all"), needs_every, false, false };
static const combinator_kind all_settled_kind = { COMBINATOR_CLASS("all_settled"), needs_every, true, false };
static const combinator_kind any_kind = { COMBINATOR_CLASS("any"), needs_one, false, true };
static const combinator_kind race_kind = { COMBINATOR_CLASS("race"), needs_one, true, true };
static const combinator_kind quorum_kind = { COMBINATOR_CLASS("quorum"), needs_quorum, false, false };
static const combinator_kind as_completed_kind = { COMBINATOR_CLASS("as_completed"), needs_every, true,
                                                   false };

/* Those that have lost are cancelled, and stay readable; what others hold, too, is left alone. */
static void combinator_cancel_rest(combinator *all)
{
    for (size_t i = 0; i < all->count; i++) {
        if (all->parts[i])
            vow_waiter_abandon(all->parts[i]);
    }
}

/* Settles as the rules say after `part` has settled; does nothing while it is still open. */
static void combinator_decide(combinator *all, vow_future *part)
{
    const combinator_kind *kind = all->kind;
    size_t                 good = all->succeeded + (kind->failures_count ? all->failed : 0);
    size_t                 lost = all->succeeded + all->failed - good;
    bool                   reached = good >= kind->needed(all);
    bool                   unreachable = kind->needed(all) > all->count - lost;

    if (!reached && !unreachable)
        return;
    vow_future_busy(&all->future); /* whoever is told may drop it */
    if (unreachable || kind->becomes_part)
        vow_future_become(&all->future, part);
    else
        vow_future_succeed(&all->future, NULL, NULL);
    combinator_cancel_rest(all);
    vow_future_unbusy(&all->future);
}

/* `each` may drop the combinator, and with it the part. */
static void combinator_lend(combinator *all, vow_future *part)
{
    vow_future_hold(part);
    part->lent++;
    all->each(part, all->arg);
    part->lent--;
    vow_future_let_go(part);
}

static void combinator_part_settled(vow_task *task)
{
    vow_waiter *waiter = vow_waiter_of(task);
    combinator *all = (combinator *)waiter->target;
    vow_future *part = waiter->source;

    if (part->status.code == VOW_OK)
        all->succeeded++;
    else
        all->failed++;
    vow_future_busy(&all->future);
    vow_waiter_stay(waiter);
    if (all->each)
        combinator_lend(all, part);
    if (vow_future_pending(&all->future))
        combinator_decide(all, part);
    vow_future_unbusy(&all->future);
}

static void futures_drop(size_t count, vow_future *futures[])
{
    for (size_t i = 0; i < count; i++)
        vow_drop(futures[i]);
}

/* False: there is no memory to wait for one of those that stand for futures without memory. */
static bool combinator_take(combinator *all, vow_future *futures[])
{
    bool taken = true;

    for (size_t i = 0; i < all->count; i++) {
        vow_waiter *waiter = vow_future_take(futures[i]);

        all->parts[i] = waiter;
        if (!waiter) {
            taken = false;
            continue;
        }
        waiter->source->is_part = true;
        vow_waiter_wait(waiter, &all->future, combinator_part_settled);
    }
    return taken;
}

static combinator *combinator_new(vow_scheduler *scheduler, const combinator_kind *kind, size_t count)
{
    size_t      size = sizeof(combinator) + count * sizeof(vow_waiter *);
    combinator *all = NULL;

    if (count < (SIZE_MAX - sizeof(combinator)) / sizeof(vow_waiter *))
        all = vow_blocks_take(&scheduler->blocks, &size);
    if (!all)
        return NULL;
    vow_future_init(&all->future, scheduler, &kind->future_class);
    all->kind = kind;
    all->block_size = size;
    all->count = count;
    all->quorum = 0;
    all->succeeded = 0;
    all->failed = 0;
    all->each = NULL;
    return all;
}

static vow_future *combine(vow_loop *loop, const combinator_kind *kind, size_t quorum, size_t count,
                           vow_future *futures[], vow_done_fn *each, void *arg)
{
    vow_scheduler *scheduler = vow_scheduler_of(loop);
    combinator    *all = combinator_new(scheduler, kind, count);

    if (!all) {
        futures_drop(count, futures);
        return vow_future_no_memory(scheduler);
    }
    all->quorum = quorum;
    all->each = each;
    all->arg = arg;
    if (!combinator_take(all, futures)) {
        vow_future_stop(&all->future, vow_status_no_memory());
    } else if (kind->needed(all) == 0) {
        vow_future_succeed(&all->future, NULL, NULL);
        combinator_cancel_rest(all);
    } else if (kind->needed(all) > count) {
        vow_future_fail(&all->future,
                        vow_status_make(VOW_INVALID_ARGUMENT, "%s: %zu of %zu futures can't succeed",
                                        kind->future_class.name, kind->needed(all), count));
        combinator_cancel_rest(all);
    }
    return &all->future;
}

vow_future *vow_all(vow_loop *loop, size_t count, vow_future *futures[])
{
    VOW_RULE_THREAD(vow_scheduler_of(loop));
    return VOW_MADE(combine(loop, &all_kind, 0, count, futures, NULL, NULL));
}

vow_future *vow_all_settled(vow_loop *loop, size_t count, vow_future *futures[])
{
    VOW_RULE_THREAD(vow_scheduler_of(loop));
    return VOW_MADE(combine(loop, &all_settled_kind, 0, count, futures, NULL, NULL));
}

vow_future *vow_any(vow_loop *loop, size_t count, vow_future *futures[])
{
    VOW_RULE_THREAD(vow_scheduler_of(loop));
    return VOW_MADE(combine(loop, &any_kind, 0, count, futures, NULL, NULL));
}

vow_future *vow_race(vow_loop *loop, size_t count, vow_future *futures[])
{
    VOW_RULE_THREAD(vow_scheduler_of(loop));
    return VOW_MADE(combine(loop, &race_kind, 0, count, futures, NULL, NULL));
}

vow_future *vow_quorum(vow_loop *loop, size_t needed, size_t count, vow_future *futures[])
{
    VOW_RULE_THREAD(vow_scheduler_of(loop));
    return VOW_MADE(combine(loop, &quorum_kind, needed, count, futures, NULL, NULL));
}

vow_future *vow_as_completed(vow_loop *loop, size_t count, vow_future *futures[], vow_done_fn *each,
                             void *arg)
{
    VOW_RULE_THREAD(vow_scheduler_of(loop));
    return VOW_MADE(combine(loop, &as_completed_kind, 0, count, futures, each, arg));
}
