#include "runtime/rpc/keepalive.h"

#include "runtime/future/scheduler.h"

#define NS_PER_MS 1000000u

static vow_scheduler *keepalive_scheduler(const vow_keepalive *keepalive)
{
    return vow_scheduler_of(keepalive->session->loop);
}

static uint64_t moment_after(uint64_t ns, int64_t ms)
{
    return (uint64_t)ms > (UINT64_MAX - ns) / NS_PER_MS ? UINT64_MAX : ns + (uint64_t)ms * NS_PER_MS;
}

static void keepalive_look_at(vow_keepalive *keepalive, uint64_t due_ns)
{
    vow_timers_arm(&keepalive_scheduler(keepalive)->timers, &keepalive->timer, due_ns);
}

static void keepalive_lose(vow_keepalive *keepalive)
{
    vow_session *session = keepalive->session;
    vow_status   why = vow_status_make(
          VOW_UNAVAILABLE, "%s: the connection was lost: no pong within %lld ms (keepalive_timeout_ms)",
          session->options.target, (long long)keepalive->timeout_ms);

    session->protocol->lose(session, &why);
    vow_status_done(&why);
}

static void keepalive_ping(vow_keepalive *keepalive, uint64_t now)
{
    vow_session *session = keepalive->session;
    int64_t      soonest_ms =
        keepalive->timeout_ms < keepalive->interval_ms ? keepalive->timeout_ms : keepalive->interval_ms;

    if (!session->protocol->ping(session))
        return; /* it is lost, or nearly */
    keepalive->pinged_ns = now;
    keepalive->looks_again = false;
    keepalive_look_at(keepalive, moment_after(now, soonest_ms));
}

/* Nothing came since the ping left. */
static void keepalive_wait(vow_keepalive *keepalive, uint64_t now)
{
    uint64_t end = moment_after(keepalive->pinged_ns, keepalive->timeout_ms);

    if (now < end) {
        keepalive_look_at(keepalive, end);
    } else if (!keepalive->looks_again) {
        /* Timers run before sockets are read. Where this process was stopped, or its loop was blocked, the
         * pong may be here already. */
        keepalive->looks_again = true;
        keepalive_look_at(keepalive, moment_after(now, 1));
    } else {
        keepalive_lose(keepalive);
    }
}

static void keepalive_look(vow_timer *timer)
{
    vow_keepalive     *keepalive = VOW_OWNER(timer, vow_keepalive, timer);
    const vow_session *session = keepalive->session;
    uint64_t           now = vow_scheduler_now_ns(keepalive_scheduler(keepalive));
    uint64_t           due = moment_after(session->heard_ns, keepalive->interval_ms);
    bool               is_needed = session->options.is_server || session->our_calls > 0;

    if (keepalive->pinged_ns > session->heard_ns && !session->is_paused) {
        keepalive_wait(keepalive, now);
        return;
    }
    keepalive->pinged_ns = 0;
    if (session->is_paused || (now >= due && !is_needed))
        keepalive_look_at(keepalive, moment_after(now, keepalive->interval_ms));
    else if (now < due)
        keepalive_look_at(keepalive, due);
    else
        keepalive_ping(keepalive, now);
}

int64_t vow_keepalive_interval(int64_t given_ms, int64_t usual_ms)
{
    int64_t interval_ms = given_ms == 0 ? usual_ms : given_ms;

    if (interval_ms <= 0)
        return 0;
    return interval_ms < VOW_KEEPALIVE_LEAST_MS ? VOW_KEEPALIVE_LEAST_MS : interval_ms;
}

void vow_keepalive_init(vow_keepalive *keepalive)
{
    *keepalive = (vow_keepalive){ .session = NULL };
    vow_timer_init(&keepalive->timer, keepalive_look);
}

void vow_keepalive_start(vow_keepalive *keepalive, vow_session *session, int64_t interval_ms,
                         int64_t timeout_ms)
{
    if (interval_ms == 0)
        return;
    keepalive->session = session;
    keepalive->interval_ms = interval_ms;
    keepalive->timeout_ms = timeout_ms;
    keepalive_look_at(keepalive, moment_after(session->heard_ns, interval_ms));
}

void vow_keepalive_stop(vow_keepalive *keepalive)
{
    if (keepalive->session)
        vow_timers_disarm(&keepalive_scheduler(keepalive)->timers, &keepalive->timer);
    keepalive->session = NULL;
}
