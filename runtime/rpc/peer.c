#include "runtime/base/memory.h"
#include "runtime/protocol/greeting.h"
#include "runtime/rpc/server.h"
#include "runtime/rpc/stream.h"

#include <assert.h>
#include <string.h>

/* Life */

void vow_peer_drop(vow_peer *peer)
{
    vow_server *server = peer->server;

    assert(peer->references > 0);
    if (--peer->references > 0)
        return;
    vow_facts_done(&peer->facts);
    vow_free(peer->name);
    vow_free(peer->host);
    vow_free(peer);
    vow_server_drop(server);
}

/* The server lets go of a peer without a session. */
static void peer_forget(vow_peer *peer)
{
    vow_server *server = peer->server;

    peer->session = NULL;
    vow_peer_life_end(peer);
    server->paused -= peer->is_paused;
    server->account.used -= peer->hidden;
    server->hidden -= peer->hidden;
    if (peer->listener)
        peer->listener->peers--;
    vow_link_remove(&peer->link);
    vow_drain_progress(server);
    vow_peer_drop(peer);
}

void vow_peer_close(vow_peer *peer, const vow_status *why)
{
    vow_session *session = peer->session;

    if (!session)
        return;
    vow_peer_life_end(peer); /* the session may be freed at once */
    session->protocol->close(session, why);
    peer_forget(peer);
}

/* Events of the session */

static void peer_ready(void *owner)
{
    vow_peer *peer = owner;

    vow_facts_keep(&peer->facts, peer->session);
    vow_peer_life_begin(peer);
}

static const void *peer_resolve(void *owner, const char *method)
{
    return vow_server_find(((vow_peer *)owner)->server, method);
}

static vow_wire *peer_began(void *owner, vow_arrival *arrival)
{
    return vow_handling_began(owner, arrival);
}

static void peer_nothing(void *owner)
{
    (void)owner;
}

static void peer_flushed(void *owner)
{
    vow_peer_flushed(owner);
}

static void peer_pong(void *owner, uint64_t ping)
{
    vow_peer_pong(owner, ping);
}

static void peer_closed(void *owner, const vow_status *why)
{
    (void)why;
    vow_peer_close(owner, NULL);
}

static vow_session_options peer_session_options(const vow_peer *peer);

/* Without memory for a session the stream has been closed. */
static void peer_recognised(void *owner, const vow_protocol *protocol, vow_stream *stream);

static const vow_session_events peer_events = {
    .recognised = peer_recognised,
    .ready = peer_ready,
    .resolve = peer_resolve,
    .began = peer_began,
    .message = vow_handling_message,
    .metadata = vow_call_hear_metadata,
    .finished = vow_streaming_finished,
    .room = vow_streaming_room,
    .ended = vow_handling_ended,
    .place = peer_nothing,
    .goaway = peer_nothing,
    .flushed = peer_flushed,
    .pong = peer_pong,
    .closed = peer_closed,
};

/* Accepting */

static size_t server_count_host(const vow_server *server, const char *host)
{
    size_t          count = 0;
    const vow_link *link;

    for (link = server->peers.head.next; link != &server->peers.head; link = link->next) {
        const vow_peer *peer = VOW_OWNER(link, vow_peer, link);

        count += peer->host && strcmp(peer->host, host) == 0;
    }
    return count;
}

/* Why this connection can't be served; OK: it can. */
static vow_status accept_check(const vow_server_listener *listener, const vow_stream *stream)
{
    const vow_server         *server = listener->server;
    const vow_server_options *options = &server->options;

    if (listener->peers >= options->max_connections)
        return vow_status_make(VOW_RESOURCE_EXHAUSTED, "%s has %zu connections, its limit (max_connections)",
                               vow_listener_address(listener->listener), listener->peers);
    if (!vow_stream_is_local(stream) &&
        server_count_host(server, vow_stream_peer_host(stream)) >= options->max_connections_per_peer)
        return vow_status_make(VOW_RESOURCE_EXHAUSTED,
                               "%s has %zu connections from %s, the limit (max_connections_per_peer)",
                               vow_listener_address(listener->listener), options->max_connections_per_peer,
                               vow_stream_peer_host(stream));
    if (server->account.used >= server->account.limit)
        return vow_status_make(VOW_RESOURCE_EXHAUSTED, "%s holds %zu bytes for its peers, its limit (max_memory)",
                               vow_listener_address(listener->listener), server->account.used);
    return VOW_STATUS_OK;
}

static vow_peer *peer_new(vow_server_listener *listener, const vow_stream *stream)
{
    vow_peer *peer = vow_alloc_zeroed(sizeof *peer);
    bool      is_local = vow_stream_is_local(stream);

    if (!peer)
        return NULL;
    peer->server = listener->server;
    peer->server->references++;
    peer->listener = listener;
    peer->references = 1;
    vow_link_init(&peer->link);
    vow_peer_life_init(peer);
    peer->name = vow_text_copy(vow_stream_peer(stream));
    peer->host = is_local ? NULL : vow_text_copy(vow_stream_peer_host(stream));
    if (peer->name && (is_local || peer->host))
        return peer;
    vow_peer_drop(peer);
    return NULL;
}

static vow_session_options peer_session_options(const vow_peer *peer)
{
    const vow_server_options *options = &peer->server->options;

    return (vow_session_options){
        .is_server = true,
        .target = peer->name,
        .max_message_size = options->max_message_size,
        .max_inflate_ratio = options->max_inflate_ratio,
        .max_calls = options->max_calls_per_connection,
        .max_metadata_size = VOW_MAX_METADATA_SIZE,
        .max_metadata_count = VOW_MAX_METADATA_COUNT,
        .max_queued_bytes = VOW_MAX_QUEUED_BYTES,
        .stream_window = options->stream_window,
        .message_timeout_ms = options->hello_timeout_ms,
        .min_ping_interval_ms = options->min_ping_interval_ms < 0 ? 0 : options->min_ping_interval_ms,
        .account = &peer->server->account,
        .tls = &peer->server->tls,
    };
}

/* Refused is the connection, so that those that there are can go on to make calls. */
static void peer_charge_hidden(vow_peer *peer, size_t hidden)
{
    vow_account *account = &peer->server->account;
    vow_status   why;

    peer->hidden = hidden;
    peer->server->hidden += hidden;
    account->used += hidden;
    if (hidden == 0 || account->used <= account->limit)
        return;
    why = vow_status_make(VOW_RESOURCE_EXHAUSTED,
                          "the server holds %zu bytes for its peers, its limit (max_memory)",
                          account->used - hidden);
    vow_peer_close(peer, &why);
    vow_status_done(&why);
}

static void peer_recognised(void *owner, const vow_protocol *protocol, vow_stream *stream)
{
    vow_peer           *peer = owner;
    vow_session_options options = peer_session_options(peer);
    size_t              hidden = vow_stream_hidden_memory(stream);

    peer->session = protocol->open(stream, &options, &peer_events, peer);
    if (peer->session)
        peer_charge_hidden(peer, hidden);
    else
        peer_forget(peer);
}

void vow_peer_accept(void *owner, vow_stream *stream)
{
    vow_server_listener *listener = owner;
    vow_status           refusal = accept_check(listener, stream);
    vow_peer            *peer = peer_new(listener, stream);
    vow_session_options  options;

    if (!peer) {
        vow_status_done(&refusal);
        vow_stream_close(stream);
        return;
    }
    options = peer_session_options(peer);
    peer->session = vow_greeting_open(stream, &options, &peer_events, peer);
    if (!peer->session) {
        vow_status_done(&refusal);
        vow_peer_drop(peer);
        return;
    }
    vow_list_append(&peer->server->peers, &peer->link);
    listener->peers++;
    if (refusal.code != VOW_OK)
        vow_peer_close(peer, &refusal);
    vow_status_done(&refusal);
}

/* Memory */

/* Only what handlers have becomes free while a peer is not read. A peer that holds nothing but messages that are
 * still coming in would wait for itself. */

static void peer_pause(vow_peer *peer, bool paused)
{
    vow_server *server = peer->server;

    peer->is_paused = paused;
    if (paused)
        server->paused++;
    else
        server->paused--;
    peer->session->protocol->pause(peer->session, paused);
}

static void server_pause_largest(vow_server *server)
{
    vow_peer *largest = NULL;
    vow_link *link;

    for (link = server->peers.head.next; link != &server->peers.head; link = link->next) {
        vow_peer *peer = VOW_OWNER(link, vow_peer, link);

        if (!peer->is_paused && peer->arenas > (largest ? largest->arenas : 0))
            largest = peer;
    }
    if (largest)
        peer_pause(largest, true);
}

static void server_resume_all(vow_server *server)
{
    vow_link *link;

    for (link = server->peers.head.next; link != &server->peers.head; link = link->next) {
        vow_peer *peer = VOW_OWNER(link, vow_peer, link);

        if (peer->is_paused)
            peer_pause(peer, false);
    }
}

void vow_peer_memory_freed(vow_peer *peer)
{
    vow_server *server = peer->server;

    if (peer->is_paused && peer->session && peer->arenas == 0)
        peer_pause(peer, false);
    if (server->paused)
        vow_server_balance_memory(server);
}

/* What connections hold just by being there does not come back when nothing is read: the calls share the rest. */
void vow_server_balance_memory(vow_server *server)
{
    size_t used = server->account.used - server->hidden;
    size_t limit = server->account.limit > server->hidden ? server->account.limit - server->hidden : 0;

    if (used > limit / 4 * 3)
        server_pause_largest(server);
    else if (server->paused && used < limit / 2)
        server_resume_all(server);
}
