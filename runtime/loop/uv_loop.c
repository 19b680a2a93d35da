/*
 * The loop on a uv_loop_t.
 *
 * Five handles, none of which keeps uv_run alive by itself:
 *
 *     timer    fires what is due; armed for the first of all timers
 *     prepare  before the loop sleeps: drains the queues, arms `timer`
 *     check    after it has polled: drains the queues, so that answers to what was read leave at once
 *     idle     started while there is work in hand, so that the loop neither sleeps nor ends
 *     async    wakes the loop for posts of other threads; referenced while something holds the loop
 */
#include "runtime/base/memory.h"
#include "runtime/loop/loop.h"
#include "runtime/loop/mailbox.h"

#include <pthread.h>
#include <signal.h>
#include <uv.h>

#define NS_PER_MS 1000000u

typedef struct uv_side {
    vow_loop     loop; /* first */
    uv_loop_t   *uv;
    pthread_t    thread;
    uv_prepare_t prepare;
    uv_check_t   check;
    uv_idle_t    idle;
    uv_timer_t   timer;
    uv_async_t   async;
    vow_mailbox  mailbox;
    uint64_t     timer_ms; /* what `timer` is armed for; UINT64_MAX: it is not */
    bool         is_awake; /* `idle` is started */
    bool         is_polling;
    bool         is_waiting; /* in vow_wait */
    unsigned     open_handles;
} uv_side;

static uv_side *side_of(const vow_scheduler *scheduler)
{
    return (uv_side *)(uintptr_t)scheduler;
}

/* An idle handle needs a callback; that it is active is all that counts. */
static void idle_ran(uv_idle_t *idle)
{
    (void)idle;
}

static void side_stay_awake(uv_side *side)
{
    if (side->is_awake || !side->open_handles)
        return;
    side->is_awake = true;
    uv_idle_start(&side->idle, idle_ran);
}

static void side_may_sleep(uv_side *side)
{
    if (!side->is_awake)
        return;
    side->is_awake = false;
    uv_idle_stop(&side->idle);
}

/* Ending */

static void handle_closed(uv_handle_t *handle)
{
    uv_side *side = handle->data;

    if (--side->open_handles > 0)
        return;
    vow_mailbox_done(&side->mailbox);
    vow_loop_done(&side->loop);
    vow_free(side);
}

static void side_close_handles(uv_side *side)
{
    side->is_awake = false;
    uv_close((uv_handle_t *)&side->prepare, handle_closed);
    uv_close((uv_handle_t *)&side->check, handle_closed);
    uv_close((uv_handle_t *)&side->idle, handle_closed);
    uv_close((uv_handle_t *)&side->timer, handle_closed);
    uv_close((uv_handle_t *)&side->async, handle_closed);
}

static bool side_ends(uv_side *side)
{
    if (!vow_loop_closing(&side->loop) || !vow_loop_is_quiet(&side->loop) || !vow_mailbox_empty(&side->mailbox) ||
        uv_is_closing((uv_handle_t *)&side->idle))
        return false;
    side_close_handles(side);
    return true;
}

/* Turning */

static void side_drain(uv_side *side)
{
    bool more = vow_scheduler_run(&side->loop.scheduler);

    if (side_ends(side))
        return;
    if (more)
        side_stay_awake(side);
    else
        side_may_sleep(side);
}

static void timer_fired(uv_timer_t *timer)
{
    uv_side *side = timer->data;

    side->timer_ms = UINT64_MAX;
    vow_scheduler_tick(&side->loop.scheduler);
}

/* A timer that fires too early finds nothing due and does no harm: so it is moved only towards now. */
static void side_arm_timer(uv_side *side)
{
    uint64_t next_ns = vow_timers_next_ns(&side->loop.scheduler.timers);
    uint64_t next_ms = next_ns / NS_PER_MS + 1;
    uint64_t now_ms;

    if (next_ns == VOW_TIMERS_NEVER || next_ms >= side->timer_ms)
        return;
    now_ms = uv_now(side->uv);
    side->timer_ms = next_ms;
    uv_timer_start(&side->timer, timer_fired, next_ms > now_ms ? next_ms - now_ms : 0, 0);
    uv_unref((uv_handle_t *)&side->timer);
}

static void prepared(uv_prepare_t *prepare)
{
    uv_side *side = prepare->data;

    side_drain(side);
    if (uv_is_closing((uv_handle_t *)&side->timer))
        return;
    side_arm_timer(side);
    side->is_polling = true;
}

static void checked(uv_check_t *check)
{
    uv_side *side = check->data;

    side->is_polling = false;
    side_drain(side);
}

static void posted(uv_async_t *async)
{
    uv_side *side = async->data;

    vow_scheduler_enter(&side->loop.scheduler);
    vow_mailbox_run(&side->mailbox);
    vow_scheduler_leave(&side->loop.scheduler);
    side_stay_awake(side);
}

/* The kind */

static void kind_wake(vow_scheduler *scheduler)
{
    side_stay_awake(side_of(scheduler));
}

static uint64_t kind_clock_ns(vow_scheduler *scheduler)
{
    (void)scheduler;
    return uv_hrtime();
}

static void kind_keep_alive(vow_scheduler *scheduler, bool keep)
{
    uv_side *side = side_of(scheduler);

    if (keep)
        uv_ref((uv_handle_t *)&side->async);
    else
        uv_unref((uv_handle_t *)&side->async);
}

static vow_code kind_turn(vow_scheduler *scheduler)
{
    uv_side *side = side_of(scheduler);

    if (side->is_waiting || side->is_polling || !uv_loop_alive(side->uv))
        return VOW_FAILED_PRECONDITION;
    side->is_waiting = true;
    uv_run(side->uv, UV_RUN_ONCE);
    side->is_waiting = false;
    return VOW_OK;
}

static bool kind_on_thread(const vow_scheduler *scheduler)
{
    return pthread_equal(side_of(scheduler)->thread, pthread_self());
}

static void kind_idle(vow_scheduler *scheduler)
{
    side_stay_awake(side_of(scheduler));
}

static void side_wake(void *arg)
{
    uv_side *side = arg;

    uv_async_send(&side->async);
}

/* Another thread touches nothing of the loop once the letter is in the box. */
static vow_code kind_post(vow_loop *loop, void (*run)(void *arg), void *arg)
{
    uv_side *side = (uv_side *)loop;
    bool     is_own = kind_on_thread(&loop->scheduler);
    vow_code code = vow_mailbox_put(&side->mailbox, run, arg);

    if (is_own && code == VOW_OK)
        side_stay_awake(side);
    return code;
}

/* A job on its way through libuv's pool. */
typedef struct uv_carrier {
    uv_work_t    work;
    vow_offload *job;
    vow_loop    *loop;
} uv_carrier;

static void carrier_run(uv_work_t *work)
{
    vow_offload *job = ((uv_carrier *)work->data)->job;

    job->run(job);
}

static void carrier_ran(uv_work_t *work, int status)
{
    uv_carrier    *carrier = work->data;
    vow_offload   *job = carrier->job;
    vow_scheduler *scheduler = vow_scheduler_of(carrier->loop);

    vow_free(carrier);
    vow_scheduler_enter(scheduler);
    job->ran(job, status == 0);
    vow_scheduler_leave(scheduler);
}

static vow_code kind_offload(vow_loop *loop, vow_offload *job)
{
    uv_carrier *carrier = vow_alloc(sizeof *carrier);

    if (!carrier)
        return VOW_RESOURCE_EXHAUSTED;
    *carrier = (uv_carrier){ .job = job, .loop = loop };
    carrier->work.data = carrier;
    job->carrier = carrier;
    if (uv_queue_work(((uv_side *)loop)->uv, &carrier->work, carrier_run, carrier_ran) == 0)
        return VOW_OK;
    vow_free(carrier);
    return VOW_RESOURCE_EXHAUSTED;
}

static void kind_recall(vow_loop *loop, vow_offload *job)
{
    (void)loop;
    uv_cancel((uv_req_t *)&((uv_carrier *)job->carrier)->work);
}

static void kind_close(vow_loop *loop)
{
    side_stay_awake((uv_side *)loop);
}

static const vow_loop_kind uv_kind = {
    .scheduler = {
        .wake = kind_wake,
        .clock_ns = kind_clock_ns,
        .keep_alive = kind_keep_alive,
        .turn = kind_turn,
        .on_thread = kind_on_thread,
        .idle = kind_idle,
    },
    .post = kind_post,
    .offload = kind_offload,
    .recall = kind_recall,
    .close = kind_close,
};

uv_loop_t *vow_loop_uv(const vow_loop *loop)
{
    return side_of(&loop->scheduler)->uv;
}

/* Attaching */

/* libuv writes without MSG_NOSIGNAL: a peer that vanishes would end a program that never thought of signals. */
static void ignore_broken_pipes(void)
{
    struct sigaction action;

    if (sigaction(SIGPIPE, NULL, &action) == 0 && !(action.sa_flags & SA_SIGINFO) && action.sa_handler == SIG_DFL) {
        action.sa_handler = SIG_IGN;
        sigaction(SIGPIPE, &action, NULL);
    }
}

static void side_start_handles(uv_side *side)
{
    uv_prepare_init(side->uv, &side->prepare);
    uv_check_init(side->uv, &side->check);
    uv_idle_init(side->uv, &side->idle);
    uv_timer_init(side->uv, &side->timer);
    side->prepare.data = side;
    side->check.data = side;
    side->idle.data = side;
    side->timer.data = side;
    side->async.data = side;
    side->open_handles = 5;
    uv_prepare_start(&side->prepare, prepared);
    uv_check_start(&side->check, checked);
    uv_unref((uv_handle_t *)&side->prepare);
    uv_unref((uv_handle_t *)&side->check);
    uv_unref((uv_handle_t *)&side->timer);
    uv_unref((uv_handle_t *)&side->async);
}

static uint64_t seed_of_clock(const void *unique)
{
    uint64_t state = uv_hrtime() ^ (uint64_t)(uintptr_t)unique;

    return vow_random_next(&state);
}

vow_loop *vow_loop_attach(uv_loop_t *uv)
{
    uv_side *side = vow_alloc_zeroed(sizeof *side);

    if (!side)
        return NULL;
    side->uv = uv;
    side->thread = pthread_self();
    side->timer_ms = UINT64_MAX;
    if (vow_loop_init(&side->loop, &uv_kind, seed_of_clock(side)) != VOW_OK)
        goto fail;
    if (uv_async_init(uv, &side->async, posted) != 0) {
        vow_loop_done(&side->loop);
        goto fail;
    }
    vow_mailbox_init(&side->mailbox, side_wake, side);
    side_start_handles(side);
    ignore_broken_pipes();
    return &side->loop;

fail:
    vow_free(side);
    return NULL;
}
