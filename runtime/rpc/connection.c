#include "runtime/base/memory.h"
#include "runtime/rpc/channel.h"
#include "runtime/rpc/stream.h"

#include <string.h>

/* Life */

void vow_connection_drop(vow_connection *connection)
{
    if (--connection->references > 0)
        return;
    vow_facts_done(&connection->facts);
    vow_free(connection->peer);
    vow_free(connection);
}

/* The channel lets go of a connection that has neither dial nor session any more. */
static void connection_leave(vow_connection *connection)
{
    vow_channel *channel = connection->channel;

    if (connection->state != VOW_CONNECTION_LEAVING)
        channel->usable--;
    if (connection->state == VOW_CONNECTION_CONNECTING)
        channel->connecting--;
    connection->state = VOW_CONNECTION_LEAVING;
    vow_timers_disarm(&vow_scheduler_of(channel->anchor.loop)->timers, &connection->timer);
    vow_link_remove(&connection->link);
    connection->channel = NULL;
    vow_connection_drop(connection);
    vow_watches_tell(channel);
    vow_channel_drop(channel);
}

static void connection_end_session(vow_connection *connection)
{
    vow_session *session = connection->session;

    vow_keepalive_stop(&connection->keepalive);
    vow_timers_disarm(&vow_scheduler_of(connection->channel->anchor.loop)->timers, &connection->idle);
    connection->session = NULL;
    if (session)
        session->protocol->close(session, NULL);
}

void vow_connection_close(vow_connection *connection)
{
    vow_dial_stop(connection->dial);
    connection->dial = NULL;
    connection_end_session(connection);
    connection_leave(connection);
}

static void connection_is_quiet(vow_connection *connection)
{
    const vow_channel *channel = connection->channel;
    vow_scheduler     *scheduler = vow_scheduler_of(channel->anchor.loop);

    if (channel->options.idle_timeout_ms <= 0)
        return;
    connection->quiet_ns = vow_scheduler_now_ns(scheduler);
    if (!vow_timer_armed(&connection->idle)) /* else it will see that it has come too early */
        vow_timers_arm(&scheduler->timers, &connection->idle,
                       vow_scheduler_after_ms(scheduler, channel->options.idle_timeout_ms));
}

static void connection_idle(vow_timer *timer)
{
    vow_connection *connection = VOW_OWNER(timer, vow_connection, idle);
    vow_scheduler  *scheduler = vow_scheduler_of(connection->channel->anchor.loop);
    uint64_t        idle_ns = (uint64_t)connection->channel->options.idle_timeout_ms * 1000000u;
    uint64_t        now = vow_scheduler_now_ns(scheduler);

    if (connection->session->our_calls > 0)
        return; /* the last of them arms it again */
    if (now - connection->quiet_ns < idle_ns)
        vow_timers_arm(&scheduler->timers, timer, connection->quiet_ns + idle_ns);
    else
        vow_connection_close(connection);
}

void vow_connection_call_ended(vow_connection *connection)
{
    vow_session *session = connection->session;

    if (!session || session->our_calls > 0)
        return;
    if (connection->state == VOW_CONNECTION_LEAVING)
        vow_connection_close(connection);
    else
        connection_is_quiet(connection);
}

/* No address could be reached. Takes `why`. */
static void connection_failed(vow_connection *connection, vow_status why)
{
    vow_channel *channel = connection->channel;

    why = vow_channel_name_target(channel, why);
    channel->references++; /* what follows may drop the last */
    vow_connection_close(connection);
    vow_channel_connect_failed(channel, &why);
    vow_status_done(&why);
    vow_channel_drop(channel);
}

/* The server that was reached is of no use: to the next. Takes `why`. */
static void connection_try_next(vow_connection *connection, vow_status why)
{
    connection_end_session(connection);
    vow_free(connection->peer);
    connection->peer = NULL;
    vow_dial_go_on(connection->dial, &why);
    vow_status_done(&why);
}

/* Events of the session */

static void session_ready(void *owner)
{
    vow_connection *connection = owner;
    vow_channel    *channel = connection->channel;

    vow_facts_keep(&connection->facts, connection->session);
    vow_timers_disarm(&vow_scheduler_of(channel->anchor.loop)->timers, &connection->timer);
    vow_dial_stop(connection->dial);
    connection->dial = NULL;
    connection->state = VOW_CONNECTION_READY;
    channel->connecting--;
    vow_keepalive_start(&connection->keepalive, connection->session, channel->options.keepalive_ms,
                        channel->options.keepalive_timeout_ms);
    connection_is_quiet(connection);
    vow_channel_connected(channel);
}

static void session_place(void *owner)
{
    vow_connection *connection = owner;
    bool            is_leaving = connection->state == VOW_CONNECTION_LEAVING;

    vow_connection_call_ended(connection);
    if (!is_leaving)
        vow_channel_serve_waiting(connection->channel);
}

static void session_goaway(void *owner)
{
    vow_connection *connection = owner;
    vow_channel    *channel = connection->channel;

    if (connection->state == VOW_CONNECTION_LEAVING)
        return;
    if (connection->state == VOW_CONNECTION_CONNECTING)
        channel->connecting--;
    connection->state = VOW_CONNECTION_LEAVING;
    channel->usable--;
    channel->references++;
    vow_connection_call_ended(connection);
    vow_channel_serve_waiting(channel);
    vow_channel_drop(channel);
}

static void session_closed(void *owner, const vow_status *why)
{
    vow_connection *connection = owner;

    if (connection->state == VOW_CONNECTION_CONNECTING) {
        if (why->code == VOW_OK)
            connection_try_next(connection,
                                vow_status_make(VOW_UNAVAILABLE, "%s: the server closed the connection",
                                                connection->channel->target));
        else
            connection_try_next(connection, vow_status_share(why));
        return;
    }
    connection->channel->references++;
    vow_channel *channel = connection->channel;
    vow_connection_close(connection);
    vow_channel_serve_waiting(channel);
    vow_channel_drop(channel);
}

/* A server may call its clients once vow has that; until then it is told that nothing is served here. */
static const void *session_resolve(void *owner, const char *method)
{
    (void)owner;
    (void)method;
    return NULL;
}

static vow_wire *session_began(void *owner, vow_arrival *arrival)
{
    (void)owner;
    arrival->refusal = vow_status_make(VOW_UNIMPLEMENTED, "%s: this peer serves no methods", arrival->method);
    return NULL;
}

/* This side says no goaway. */
static void session_flushed(void *owner)
{
    (void)owner;
}

/* Whatever comes is a sign of life; a pong is nothing more. */
static void session_pong(void *owner, uint64_t ping)
{
    (void)owner;
    (void)ping;
}

static const vow_session_events session_events = {
    .ready = session_ready,
    .resolve = session_resolve,
    .began = session_began,
    .message = vow_caller_message,
    .metadata = vow_call_hear_metadata,
    .finished = vow_streaming_finished,
    .room = vow_streaming_room,
    .ended = vow_caller_ended,
    .place = session_place,
    .goaway = session_goaway,
    .flushed = session_flushed,
    .pong = session_pong,
    .closed = session_closed,
};

/* Connecting */

static vow_session_options connection_session_options(const vow_connection *connection)
{
    const vow_channel_options *options = &connection->channel->options;

    return (vow_session_options){
        .is_server = false,
        .target = connection->channel->target,
        .max_message_size = options->max_message_size,
        .max_inflate_ratio = options->max_inflate_ratio,
        .max_calls = 1,
        .max_metadata_size = VOW_MAX_METADATA_SIZE,
        .max_metadata_count = VOW_MAX_METADATA_COUNT,
        .max_queued_bytes = options->max_queued_bytes,
        .stream_window = options->stream_window,
        .message_timeout_ms = options->connect_timeout_ms,
    };
}

/* Whom the caller means, for HTTP/2. Who is expected by another name, is called by it as well: gRPC's
 * GRPC_SSL_TARGET_NAME_OVERRIDE_ARG is the default of :authority, too (core, surface/channel.cc). */
static const char *connection_authority(const vow_connection *connection, char room[VOW_DIAL_AUTHORITY_MAX])
{
    const vow_channel *channel = connection->channel;
    const char        *name = channel->tls ? vow_tls_context_server_name(channel->tls) : NULL;

    if (name)
        return name;
    vow_dial_authority(connection->dial, room);
    return room;
}

static void dial_opened(void *owner, vow_stream *stream)
{
    vow_connection     *connection = owner;
    vow_session_options options = connection_session_options(connection);
    const vow_channel  *channel = connection->channel;
    char                authority[VOW_DIAL_AUTHORITY_MAX];

    options.authority = connection_authority(connection, authority);
    connection->peer = vow_text_copy(vow_stream_peer(stream));
    options.address = connection->peer;
    if (channel->tls)
        stream = vow_tls_connected(channel->tls, stream, vow_dial_host(connection->dial), channel->target);
    if (stream)
        connection->session = channel->protocol->open(stream, &options, &session_events, connection);
    if (!connection->session || !connection->peer)
        connection_failed(connection,
                          vow_status_make(VOW_RESOURCE_EXHAUSTED, "%s: no memory for a connection",
                                          channel->target));
}

static void dial_failed(void *owner, const vow_status *why)
{
    connection_failed(owner, vow_status_share(why));
}

static const vow_dial_events dial_events = { .opened = dial_opened, .failed = dial_failed };

static void connection_arm(vow_connection *connection)
{
    const vow_channel *channel = connection->channel;
    vow_scheduler     *scheduler = vow_scheduler_of(channel->anchor.loop);

    vow_timers_arm(&scheduler->timers, &connection->timer,
                   vow_scheduler_after_ms(scheduler, channel->options.connect_timeout_ms));
}

static const char *connection_awaits(const vow_connection *connection)
{
    const vow_stream *stream = connection->session->stream;

    return stream && vow_stream_is_shaking_hands(stream) ? "the TLS handshake" : "the server's hello";
}

/* A server that accepts and says nothing is left for the next, which has as long. */
static void connection_timed_out(vow_timer *timer)
{
    vow_connection *connection = VOW_OWNER(timer, vow_connection, timer);
    const char     *target = connection->channel->target;
    long long       timeout_ms = connection->channel->options.connect_timeout_ms;
    char            so_far[VOW_DIAL_CAUSES_MAX];

    if (connection->session) {
        connection_arm(connection);
        connection_try_next(connection,
                            vow_status_make(VOW_UNAVAILABLE,
                                            "%s: still waiting for %s after %lld ms (connect_timeout_ms)",
                                            target, connection_awaits(connection), timeout_ms));
        return;
    }
    vow_dial_tell(connection->dial, so_far, sizeof so_far);
    connection_failed(connection, vow_status_make(VOW_UNAVAILABLE,
                                                  "%s: still connecting after %lld ms "
                                                  "(connect_timeout_ms)%s",
                                                  target, timeout_ms, so_far));
}

static vow_connection *connection_new(vow_channel *channel)
{
    vow_connection *connection = vow_alloc_zeroed(sizeof *connection);

    if (!connection)
        return NULL;
    connection->channel = channel;
    connection->state = VOW_CONNECTION_CONNECTING;
    connection->references = 1;
    vow_timer_init(&connection->timer, connection_timed_out);
    vow_timer_init(&connection->idle, connection_idle);
    vow_keepalive_init(&connection->keepalive);
    vow_list_append(&channel->connections, &connection->link);
    channel->references++;
    channel->usable++;
    channel->connecting++;
    vow_watches_tell(channel);
    return connection;
}

void vow_connection_open(vow_channel *channel)
{
    vow_connection *connection = connection_new(channel);
    vow_error       error;
    vow_status      status;

    if (!connection) {
        status = vow_status_no_memory();
        vow_channel_connect_failed(channel, &status);
        return;
    }
    connection_arm(connection);
    connection->dial =
        vow_dial_start(channel->anchor.loop, channel->address, &dial_events, connection, &error);
    if (!connection->dial)
        connection_failed(connection, vow_status_of_error(&error));
}
