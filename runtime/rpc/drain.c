/*
 * Stopping a server in good order.
 *
 * The idea: two goaways, as HTTP/2 has them. The first says "begin nothing new" and is followed by a
 * ping; what the client began before it heard that is on the way and still served. Its pong says that
 * it has heard: the second goaway names the last call, and when those are answered the connection closes.
 *
 * Source: RFC 9113, section 6.8.
 */
#include "runtime/base/memory.h"
#include "runtime/rpc/server.h"

#include <assert.h>

typedef struct vow_drain {
    vow_server  *server;
    vow_promise *promise;
    vow_timer    grace;
    vow_task     look; /* is anything left? */
} vow_drain;

static void drain_end(vow_drain *drain)
{
    vow_server    *server = drain->server;
    vow_scheduler *scheduler = vow_scheduler_of(server->anchor.loop);

    server->drain = NULL;
    server->drained = true;
    vow_timers_disarm(&scheduler->timers, &drain->grace);
    vow_task_cancel(&drain->look);
    vow_free(drain);
    vow_scheduler_release(scheduler);
    vow_server_drop(server);
}

static bool peer_is_done(const vow_peer *peer)
{
    return peer->running == 0 && peer->has_heard;
}

static void drain_close_idle_peers(vow_server *server)
{
    vow_link *link = server->peers.head.next;

    while (link != &server->peers.head) {
        vow_peer *peer = VOW_OWNER(link, vow_peer, link);

        link = link->next;
        if (peer_is_done(peer))
            vow_peer_close(peer, NULL);
    }
}

static void drain_look(vow_task *task)
{
    vow_drain  *drain = VOW_OWNER(task, vow_drain, look);
    vow_server *server = drain->server;

    drain_close_idle_peers(server);
    if (!vow_list_empty(&server->peers) || server->running > 0)
        return;
    vow_resolve(drain->promise, NULL, NULL);
    drain_end(drain);
}

void vow_drain_progress(vow_server *server)
{
    if (server->drain)
        vow_scheduler_soon(vow_scheduler_of(server->anchor.loop), &server->drain->look);
}

void vow_drain_pong(vow_peer *peer, uint64_t ping)
{
    if (ping != peer->farewell || peer->has_heard)
        return;
    peer->has_heard = true;
    peer->session->protocol->goaway(peer->session, 2);
    vow_drain_progress(peer->server);
}

static void drain_cut_short(vow_drain *drain, vow_code code, const char *text)
{
    vow_server *server = drain->server;
    vow_status  why = vow_status_make(VOW_UNAVAILABLE, "the server is stopping");
    vow_link   *link;

    vow_reject(drain->promise, code, "%s", text);
    server->references++;
    drain_end(drain);
    vow_server_abandon_calls(server, &why);
    while ((link = vow_list_first(&server->peers)))
        vow_peer_close(VOW_OWNER(link, vow_peer, link), &why);
    vow_status_done(&why);
    vow_server_drop(server);
}

static void drain_grace_over(vow_timer *timer)
{
    drain_cut_short(VOW_OWNER(timer, vow_drain, grace), VOW_DEADLINE_EXCEEDED,
                    "calls still ran when the grace was over; they were cancelled");
}

static void drain_cancelled(void *arg)
{
    drain_cut_short(arg, VOW_CANCELLED, "cancelled");
}

void vow_drain_abandon(vow_server *server)
{
    if (!server->drain)
        return;
    vow_reject(server->drain->promise, VOW_CANCELLED, "the server was closed");
    drain_end(server->drain);
}

/* A peer that has not said hello has begun no call and would not answer the ping: it goes at once. */
static void drain_tell_peers(vow_server *server)
{
    vow_status why = vow_status_make(VOW_UNAVAILABLE, "the server is stopping");
    vow_link  *link = server->peers.head.next;

    while (link != &server->peers.head) {
        vow_peer *peer = VOW_OWNER(link, vow_peer, link);

        link = link->next;
        if (!peer->session->is_ready) {
            vow_peer_close(peer, &why);
            continue;
        }
        peer->session->protocol->goaway(peer->session, 1);
        peer->farewell = peer->session->protocol->ping(peer->session);
    }
    vow_status_done(&why);
}

vow_future *vow_server_drain(vow_server *server, int64_t grace_ms)
{
    vow_scheduler *scheduler = vow_scheduler_of(server->anchor.loop);
    vow_drain     *drain;
    vow_future    *future;

    if (server->anchor.is_missing)
        return vow_future_no_memory(scheduler);
    VOW_RULE_THREAD(scheduler);
    if (server->drain || server->drained || server->is_closed)
        return vow_failure(server->anchor.loop, VOW_FAILED_PRECONDITION, "the server is stopping already");
    drain = vow_alloc_zeroed(sizeof *drain);
    if (!drain)
        return vow_future_no_memory(scheduler);
    future = vow_promise_new(server->anchor.loop, &drain->promise);
    if (!drain->promise) {
        vow_free(drain);
        return future;
    }
    drain->server = server;
    server->references++;
    server->drain = drain;
    vow_scheduler_hold(scheduler);
    vow_promise_on_cancel(drain->promise, drain_cancelled, drain);
    vow_task_init(&drain->look, drain_look);
    vow_timer_init(&drain->grace, drain_grace_over);
    vow_timers_arm(&scheduler->timers, &drain->grace, vow_scheduler_after_ms(scheduler, grace_ms));
    vow_server_stop_listening(server);
    drain_tell_peers(server);
    vow_drain_progress(server);
    return future;
}
