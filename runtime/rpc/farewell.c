/*
 * How long a connection from a client lives, and its end in good order.
 *
 * The idea: two goaways, as HTTP/2 has them. The first says "begin nothing new" and is followed by a
 * ping; what the client began before it heard that is on the way and still served. Its pong says that
 * it has heard: the second goaway names the last call. When those are answered and the answers have left, a
 * second ping asks whether they have come, and its pong ends the connection. A drain does so to all
 * connections, and age or idleness to one.
 *
 * Source: RFC 9113, section 6.8; gRFC A9.
 */
#include "runtime/base/memory.h"
#include "runtime/rpc/server.h"

/* Clients of one start must not all come back at once. */
#define AGE_JITTER_PERCENT 10

/* A client that does not answer pings is not waited for any longer. */
#define HEARD_WITHIN_MS 10000

#define US_PER_MS 1000u
#define NS_PER_US 1000u
#define AGE_MOST_MS (INT64_C(1) << 43)

static vow_scheduler *peer_scheduler(const vow_peer *peer)
{
    return vow_scheduler_of(peer->server->anchor.loop);
}

/* Arms one of its timers, for something that it was not for before. */
static void peer_arm(vow_peer *peer, vow_timer *timer, void (*fire)(vow_timer *timer), int64_t ms)
{
    vow_scheduler *scheduler = peer_scheduler(peer);

    vow_timers_disarm(&scheduler->timers, timer);
    timer->fire = fire;
    if (ms > 0)
        vow_timers_arm(&scheduler->timers, timer, vow_scheduler_after_ms(scheduler, ms));
}

/* Leaving */

static void receipt_is_overdue(vow_timer *timer)
{
    vow_peer_close(VOW_OWNER(timer, vow_peer, idle), NULL);
}

/* To close once the last answer is queued would lose it on a slow line, and so would closing once it has
 * left: the kernel forgets what it could not yet deliver when the client still sends. So the client is asked
 * whether it has it. */
static void peer_look(vow_task *task)
{
    vow_peer *peer = VOW_OWNER(task, vow_peer, look);

    if (!peer->session || peer->running > 0 || !peer->has_heard || peer->receipt ||
        !peer->session->protocol->is_flushed(peer->session))
        return;
    peer->receipt = peer->session->protocol->ping(peer->session);
    peer_arm(peer, &peer->idle, receipt_is_overdue, HEARD_WITHIN_MS);
}

void vow_peer_flushed(vow_peer *peer)
{
    if (peer->has_heard)
        vow_scheduler_soon(peer_scheduler(peer), &peer->look);
}

/* It begins no more calls. */
static void peer_heard(vow_peer *peer)
{
    peer->has_heard = true;
    peer_arm(peer, &peer->idle, NULL, 0);
    peer->session->protocol->goaway(peer->session, 2);
    vow_scheduler_soon(peer_scheduler(peer), &peer->look);
}

static void patience_over(vow_timer *timer)
{
    peer_heard(VOW_OWNER(timer, vow_peer, idle));
}

static void peer_tell_handlers(vow_peer *peer)
{
    const vow_list *calls = &peer->server->calls;

    for (vow_link *link = calls->head.next; link != &calls->head; link = link->next) {
        vow_call *call = VOW_OWNER(link, vow_call, link);

        if (call->side.handling.peer == peer)
            vow_handling_tell_draining(call);
    }
}

void vow_peer_leave(vow_peer *peer)
{
    if (peer->is_leaving)
        return;
    peer->is_leaving = true;
    peer_tell_handlers(peer);
    peer->session->protocol->goaway(peer->session, 1);
    peer->farewell = peer->session->protocol->ping(peer->session);
    peer_arm(peer, &peer->idle, patience_over, HEARD_WITHIN_MS);
}

void vow_peer_pong(vow_peer *peer, uint64_t ping)
{
    if (peer->is_leaving && !peer->has_heard && ping == peer->farewell)
        peer_heard(peer);
    else if (peer->receipt && ping == peer->receipt)
        vow_peer_close(peer, NULL);
}

/* Age */

static void peer_abandon_calls(vow_peer *peer, const vow_status *why)
{
    vow_list  calls;
    vow_link *link;

    vow_list_init(&calls);
    vow_list_splice(&calls, &peer->server->calls);
    while ((link = vow_list_shift(&calls))) {
        vow_call *call = VOW_OWNER(link, vow_call, link);

        vow_list_append(&peer->server->calls, link);
        if (call->side.handling.peer == peer)
            vow_handling_abandon(call, why);
    }
}

static void grace_over(vow_timer *timer)
{
    vow_peer  *peer = VOW_OWNER(timer, vow_peer, age);
    vow_status why =
        vow_status_make(VOW_UNAVAILABLE, "the connection has come to its age, and the time for its calls "
                                         "is over (max_age_ms, max_age_grace_ms)");

    peer->references++;
    peer_abandon_calls(peer, &why);
    vow_peer_close(peer, &why);
    vow_status_done(&why);
    vow_peer_drop(peer);
}

/* Of an idle connection, too: a call may be on its way. */
static void peer_retire(vow_peer *peer)
{
    vow_peer_leave(peer);
    peer_arm(peer, &peer->age, grace_over, peer->server->options.max_age_grace_ms);
}

static void age_reached(vow_timer *timer)
{
    peer_retire(VOW_OWNER(timer, vow_peer, age));
}

static void peer_arm_age(vow_peer *peer)
{
    vow_scheduler *scheduler = peer_scheduler(peer);
    int64_t        age_ms = peer->server->options.max_age_ms;
    uint64_t       age_us;

    if (age_ms <= 0 || age_ms > AGE_MOST_MS)
        return;
    age_us = vow_random_jitter(&scheduler->random, (uint64_t)age_ms * US_PER_MS, AGE_JITTER_PERCENT);
    peer->age.fire = age_reached;
    vow_timers_arm(&scheduler->timers, &peer->age, vow_scheduler_now_ns(scheduler) + age_us * NS_PER_US);
}

/* Idleness */

static void idle_reached(vow_timer *timer)
{
    vow_peer      *peer = VOW_OWNER(timer, vow_peer, idle);
    vow_scheduler *scheduler = peer_scheduler(peer);
    uint64_t       idle_ns = (uint64_t)peer->server->options.max_idle_ms * US_PER_MS * NS_PER_US;

    if (peer->running > 0)
        return; /* the last of them arms it again */
    if (vow_scheduler_now_ns(scheduler) - peer->quiet_ns < idle_ns)
        vow_timers_arm(&scheduler->timers, timer, peer->quiet_ns + idle_ns);
    else
        peer_retire(peer);
}

static void peer_is_quiet(vow_peer *peer)
{
    int64_t idle_ms = peer->server->options.max_idle_ms;

    if (idle_ms <= 0 || idle_ms > AGE_MOST_MS)
        return;
    peer->quiet_ns = vow_scheduler_now_ns(peer_scheduler(peer));
    if (!vow_timer_armed(&peer->idle)) /* else it will see that it has come too early */
        peer_arm(peer, &peer->idle, idle_reached, idle_ms);
}

void vow_peer_call_ended(vow_peer *peer)
{
    if (!peer->session || peer->running > 0)
        return;
    if (!peer->is_leaving)
        peer_is_quiet(peer);
    else if (peer->has_heard)
        vow_scheduler_soon(peer_scheduler(peer), &peer->look);
}

/* Life */

void vow_peer_life_init(vow_peer *peer)
{
    vow_keepalive_init(&peer->keepalive);
    vow_timer_init(&peer->age, NULL);
    vow_timer_init(&peer->idle, NULL);
    vow_task_init(&peer->look, peer_look);
}

void vow_peer_life_begin(vow_peer *peer)
{
    const vow_server_options *options = &peer->server->options;

    vow_keepalive_start(&peer->keepalive, peer->session, options->keepalive_ms,
                        options->keepalive_timeout_ms);
    peer_arm_age(peer);
    peer_is_quiet(peer);
}

void vow_peer_life_end(vow_peer *peer)
{
    vow_timers *timers = &peer_scheduler(peer)->timers;

    vow_keepalive_stop(&peer->keepalive);
    vow_timers_disarm(timers, &peer->age);
    vow_timers_disarm(timers, &peer->idle);
    vow_task_cancel(&peer->look);
}
