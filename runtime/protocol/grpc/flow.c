/*
 * Flow control: what may be on its way to this side.
 *
 * The idea: the credit of the connection comes back as bytes come. That of a stream comes back while a
 * message is incomplete and nothing waits to be taken; else when rpc has taken what waits. So a reader that
 * stops costs a window and one message, and a message larger than the window never waits for itself.
 *
 * A stream of which a message was taken has the window that the connection's streams have grown to (gauge.h);
 * one that nobody reads keeps the one that it began with. The only message of a call is let come as soon as its
 * size is known: each byte of it would be given back as it comes.
 *
 * Source  RFC 9113, section 6.9.
 */
#include "runtime/protocol/grpc/session.h"

/* A window's bounds; and what lies around a message in it, so that one of 64 KiB passes at once. */
#define WINDOW_LEAST ((uint64_t)4 << 10)
#define WINDOW_MOST ((uint64_t)NGHTTP2_MAX_WINDOW_SIZE)
#define AROUND_MESSAGE 64

/* Of a message that comes as the only one, at most this much at a time, or what the connection's windows have grown
 * to. */
#define PARTS_WINDOW ((uint64_t)512 << 10)

static uint64_t window_within(uint64_t window)
{
    return window < WINDOW_MOST ? window : WINDOW_MOST;
}

uint64_t vow_grpc_first_window(const vow_grpc *grpc)
{
    uint64_t window = grpc->base.options.stream_window;

    return window_within((window < WINDOW_LEAST ? WINDOW_LEAST : window) + AROUND_MESSAGE);
}

int vow_grpc_tell_window(vow_grpc *grpc)
{
    return nghttp2_session_set_local_window_size(grpc->http, NGHTTP2_FLAG_NONE, 0,
                                                 (int32_t)window_within(grpc->gauge.connection_window));
}

static void window_told(vow_grpc *grpc, int error)
{
    if (error)
        vow_grpc_lose(grpc, vow_status_no_memory());
    vow_grpc_flush_later(grpc);
}

static void stream_window_grow(vow_grpc_call *call, uint64_t window)
{
    vow_grpc *grpc = call->grpc;

    if (window <= call->window || call->has_ended_in || call->is_reset || !vow_grpc_is_alive(grpc))
        return;
    call->window = window;
    window_told(grpc, nghttp2_session_set_local_window_size(grpc->http, NGHTTP2_FLAG_NONE, call->id,
                                                            (int32_t)window));
}

/* Larger ones come in parts, which the processor's cache can hold: at 1 MiB the whole of it took a sixth more time. */
void vow_grpc_only_message(vow_grpc_call *call)
{
    uint64_t whole = (uint64_t)call->message_size + VOW_GRPC_PREFIX;
    uint64_t grown = call->grpc->gauge.stream_window;
    uint64_t most = grown > PARTS_WINDOW ? grown : PARTS_WINDOW;

    if (whole >= call->window)
        stream_window_grow(call, window_within(whole + AROUND_MESSAGE < most ? whole + AROUND_MESSAGE : most));
}

/* May all of the only message be on its way that is still to come? Then its sender needs no more credit. One byte must
 * be left: without that, nghttp2 does not even end a stream. It counts padding in, which is not known here. */
static bool rest_may_come(const vow_grpc_call *call)
{
    size_t left = call->has_message_in ? 0 : call->message_size - call->message.size;

    if (!call->is_unary_in || !(call->has_message_in || call->prefix_size == VOW_GRPC_PREFIX))
        return false;
    return 4 * ((uint64_t)call->unconsumed + left) < call->window ||
           (int64_t)left < nghttp2_session_get_stream_local_window_size(call->grpc->http, call->id);
}

static void consume_stream(vow_grpc_call *call, size_t size)
{
    if (size == 0 || call->is_reset)
        return;
    nghttp2_session_consume_stream(call->grpc->http, call->id, size);
    vow_grpc_flush_later(call->grpc);
}

static void credit_give_back(vow_grpc_call *call)
{
    size_t size = call->unconsumed;

    call->unconsumed = 0;
    consume_stream(call, size);
}

void vow_grpc_came(vow_grpc *grpc, size_t size)
{
    nghttp2_session_consume_connection(grpc->http, size);
    if (vow_grpc_is_alive(grpc))
        vow_gauge_count(&grpc->gauge, &grpc->base, size);
}

void vow_grpc_came_of_call(vow_grpc_call *call)
{
    if (call->held == 0 && !rest_may_come(call))
        credit_give_back(call);
}

void vow_grpc_taken(vow_wire *wire, size_t size)
{
    vow_grpc_call *call = wire->flow;
    size_t         whole = size + VOW_GRPC_PREFIX;

    call->held -= whole;
    stream_window_grow(call, window_within(call->grpc->gauge.stream_window));
    if (call->held == 0) {
        credit_give_back(call);
        return;
    }
    whole = whole < call->unconsumed ? whole : call->unconsumed;
    call->unconsumed -= whole;
    consume_stream(call, whole);
}

bool vow_grpc_gauge_pong(vow_grpc *grpc, uint64_t ping)
{
    uint64_t before = grpc->gauge.connection_window;

    if (!vow_gauge_hear_pong(&grpc->gauge, &grpc->base, ping))
        return false;
    if (grpc->gauge.connection_window > before)
        window_told(grpc, vow_grpc_tell_window(grpc));
    return true;
}
