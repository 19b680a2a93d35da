/*
 * Stopping a server in good order.
 *
 * The idea: after a time in which all goes on as before, listeners close, and leave is taken of each client
 * as farewell.c has it. The drain has ended when the last of them has gone.
 */
#include "runtime/base/memory.h"
#include "runtime/rpc/server.h"

#include <assert.h>

typedef struct vow_drain {
    vow_server  *server;
    vow_promise *promise;
    vow_timer    grace;
    vow_timer    lame; /* all goes on as before until it fires */
    bool         is_lame;
    vow_task     look; /* is anything left? */
} vow_drain;

static void drain_end(vow_drain *drain)
{
    vow_server    *server = drain->server;
    vow_scheduler *scheduler = vow_scheduler_of(server->anchor.loop);

    server->drain = NULL;
    server->drained = true;
    vow_timers_disarm(&scheduler->timers, &drain->grace);
    vow_timers_disarm(&scheduler->timers, &drain->lame);
    vow_task_cancel(&drain->look);
    vow_free(drain);
    vow_scheduler_release(scheduler);
    vow_server_drop(server);
}

static void drain_look(vow_task *task)
{
    vow_drain  *drain = VOW_OWNER(task, vow_drain, look);
    vow_server *server = drain->server;

    if (drain->is_lame || !vow_list_empty(&server->peers) || server->running > 0)
        return;
    vow_resolve(drain->promise, NULL, NULL);
    drain_end(drain);
}

void vow_drain_progress(vow_server *server)
{
    if (server->drain)
        vow_scheduler_soon(vow_scheduler_of(server->anchor.loop), &server->drain->look);
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
    drain_cut_short(
        VOW_OWNER(timer, vow_drain, grace), VOW_DEADLINE_EXCEEDED,
        "calls still ran, or answers had not arrived, when the grace was over; they were cancelled");
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
        if (peer->session->is_ready)
            vow_peer_leave(peer);
        else
            vow_peer_close(peer, &why);
    }
    vow_status_done(&why);
}

static void drain_begin(vow_drain *drain)
{
    vow_server *server = drain->server;

    drain->is_lame = false;
    vow_server_stop_listening(server);
    drain_tell_peers(server);
    vow_drain_progress(server);
}

static void drain_lame_over(vow_timer *timer)
{
    drain_begin(VOW_OWNER(timer, vow_drain, lame));
}

static void drain_tell_handlers(vow_server *server)
{
    for (vow_link *link = server->calls.head.next; link != &server->calls.head; link = link->next)
        vow_handling_tell_draining(VOW_OWNER(link, vow_call, link));
}

static void drain_start(vow_drain *drain, int64_t grace_ms)
{
    vow_scheduler *scheduler = vow_scheduler_of(drain->server->anchor.loop);
    int64_t        lame_ms = drain->server->options.lame_duck_ms;

    vow_task_init(&drain->look, drain_look);
    vow_timer_init(&drain->grace, drain_grace_over);
    vow_timer_init(&drain->lame, drain_lame_over);
    vow_timers_arm(&scheduler->timers, &drain->grace, vow_scheduler_after_ms(scheduler, grace_ms));
    drain_tell_handlers(drain->server);
    drain->is_lame = lame_ms > 0;
    if (drain->is_lame)
        vow_timers_arm(&scheduler->timers, &drain->lame, vow_scheduler_after_ms(scheduler, lame_ms));
    else
        drain_begin(drain);
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
    drain_start(drain, grace_ms);
    return future;
}
