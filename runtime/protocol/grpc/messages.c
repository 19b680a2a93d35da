/*
 * The messages of a call: a flag and a size before each, cut into DATA frames as HTTP/2 likes.
 *
 * The idea: a message that lies whole in what was read is handed up from there; one in pieces is put together
 * in a block that grows with what has come. What is sent is packed once, behind its prefix, into a chunk of
 * its call, and copied into the connection's output when nghttp2 has found credit for it.
 *
 * Source  gRPC, "gRPC over HTTP2", Length-Prefixed-Message.
 */
#include "runtime/protocol/grpc/session.h"

#include "runtime/protocol/grpc/compress.h"

#include <string.h>

/* What is taken for messages that wait, at least. */
#define CHUNK ((size_t)4 << 10)

/* What a message in pieces takes at first, and how fast it may grow. */
#define FIRST_ROOM ((size_t)64 << 10)
#define GROWTH 4

/* What streams collect for a write: one of them, and all together. */
#define QUEUE_FOR_FLUSH ((size_t)16 << 10)
#define QUEUES_FOR_FLUSH ((size_t)64 << 10)

/* What comes: messages */

static vow_status message_too_large(const vow_grpc *grpc, size_t size)
{
    return vow_status_make(VOW_RESOURCE_EXHAUSTED,
                           "a message of %zu bytes came; %zu are allowed (max_message_size)", size,
                           grpc->base.options.max_message_size);
}

/* Is no message under way? */
bool vow_grpc_call_is_whole(const vow_grpc_call *call)
{
    return call->prefix_size == 0 || (call->is_unary_in && call->has_message_in);
}

static void message_tell(vow_grpc_call *call, vow_packed *packed)
{
    if (!call->is_unary_in)
        call->held += packed->size + VOW_GRPC_PREFIX; /* as large as rpc will say that it has taken */
    call->wire->was_compressed = call->is_compressed;
    call->grpc->base.events->message(call->wire, packed, call->is_unary_in);
}

/* A message in a buffer, which keeps nothing. */
static vow_packed buffer_packed(vow_buffer *buffer)
{
    vow_packed packed = { buffer->data, buffer->size, buffer->data, buffer->block_size };

    *buffer = (vow_buffer){ NULL, 0, 0 };
    return packed;
}

/* Hands a message up as it was before it was compressed, or fails the call. */
static void message_hand_up(vow_grpc_call *call, vow_packed *packed)
{
    vow_session *session = &call->grpc->base;
    vow_buffer   inflated = { NULL, 0, 0 };
    vow_packed   original;
    vow_status   status;

    if (!call->is_compressed) {
        message_tell(call, packed);
    } else if (!vow_grpc_inflate(session, packed->data, packed->size, &inflated, &status)) {
        vow_grpc_fail(call, status);
    } else {
        original = buffer_packed(&inflated);
        message_tell(call, &original);
        vow_held_give_rest(session, &original);
    }
}

/* A message is complete. */
static void message_came(vow_grpc_call *call, vow_packed *packed)
{
    call->has_message_in = true;
    call->prefix_size = 0;
    call->begun_ns = 0;
    message_hand_up(call, packed);
}

/* A request that does not stream is served when its stream has ended: so long it is kept. */
static bool must_be_kept(const vow_grpc_call *call)
{
    return call->is_unary_in && call->grpc->base.options.is_server;
}

static void message_end(vow_grpc_call *call)
{
    vow_session *session = &call->grpc->base;
    vow_packed   packed;

    if (must_be_kept(call)) {
        call->has_message_in = true;
        return;
    }
    packed = buffer_packed(&call->message);
    message_came(call, &packed);
    vow_held_give_rest(session, &packed);
}

bool vow_grpc_deliver_last(vow_grpc_call *call)
{
    vow_session *session = &call->grpc->base;
    vow_packed   packed;

    if (!call->has_message_in)
        return false;
    packed = buffer_packed(&call->message);
    call->wire->has_ended = true;
    message_hand_up(call, &packed);
    vow_held_give_rest(session, &packed);
    return true;
}

static size_t message_room(const vow_grpc_call *call, size_t more)
{
    size_t wanted = call->message.size + more;
    size_t room = wanted * GROWTH < FIRST_ROOM ? FIRST_ROOM : wanted * GROWTH;

    return room < call->message_size ? room : call->message_size;
}

static vow_status message_no_memory(const vow_grpc_call *call)
{
    const vow_account *account = call->grpc->base.options.account;

    if (!account)
        return vow_status_make(VOW_RESOURCE_EXHAUSTED, "no memory for a message of %zu bytes",
                               call->message_size);
    return vow_status_make(
        VOW_RESOURCE_EXHAUSTED,
        "no memory for a message: the server holds %zu bytes for its peers; %zu are allowed "
        "(max_memory)",
        account->used, account->limit);
}

/* Takes a part of a message that does not lie whole in what came. False: the call has failed. */
static bool message_append(vow_grpc_call *call, const uint8_t *data, size_t size)
{
    vow_session *session = &call->grpc->base;

    size_t room = message_room(call, size) - call->message.size;

    if (size == 0)
        return true;
    if (!vow_held_is_within(session, room) || !vow_buffer_make_room(session, &call->message, room, 0)) {
        vow_grpc_fail(call, message_no_memory(call));
        return false;
    }
    memcpy(call->message.data + call->message.size, data, size);
    call->message.size += size;
    return true;
}

/* The prefix is complete. False: the call has failed. */
static bool prefix_read(vow_grpc_call *call)
{
    const uint8_t *at = call->prefix;

    call->is_compressed = at[0] == 1;
    call->message_size = (size_t)at[1] << 24 | (size_t)at[2] << 16 | (size_t)at[3] << 8 | at[4];
    if (call->has_message_in && call->is_unary_in)
        vow_grpc_fail(call, vow_status_make(VOW_INTERNAL, "a second message came, and the method has one"));
    else if (at[0] == 1 && !call->has_gzip_in)
        vow_grpc_fail(
            call, vow_status_make(VOW_INTERNAL, "a message is compressed, and grpc-encoding names no way"));
    else if (at[0] > 1)
        vow_grpc_fail(call,
                      vow_status_make(VOW_INTERNAL, "a message begins with %u; 0 and 1 are allowed", at[0]));
    else if (call->message_size > call->grpc->base.options.max_message_size)
        vow_grpc_fail(call, message_too_large(call->grpc, call->message_size));
    else
        return true;
    return false;
}

static size_t prefix_take(vow_grpc_call *call, const uint8_t *data, size_t size)
{
    size_t missing = VOW_GRPC_PREFIX - call->prefix_size;
    size_t used = size < missing ? size : missing;

    memcpy(call->prefix + call->prefix_size, data, used);
    call->prefix_size += used;
    if (!call->begun_ns)
        call->begun_ns = call->grpc->base.heard_ns;
    return used;
}

/* Takes bytes of a message whose prefix was read; gives how many. */
static size_t message_take(vow_grpc_call *call, const uint8_t *data, size_t size)
{
    size_t missing = call->message_size - call->message.size;
    size_t used = size < missing ? size : missing;

    if (used == missing && call->message.size == 0 && !must_be_kept(call))
        message_came(call, &(vow_packed){ .data = data, .size = used });
    else if (message_append(call, data, used) && used == missing)
        message_end(call);
    return used;
}

static bool prefix_is_read(const vow_grpc_call *call)
{
    return call->prefix_size == VOW_GRPC_PREFIX && !(must_be_kept(call) && call->has_message_in);
}

static void data_take(vow_grpc_call *call, const uint8_t *data, size_t size)
{
    while (call->wire && !call->is_answered &&
           (size > 0 || (prefix_is_read(call) && call->message_size == 0))) {
        size_t used;

        if (must_be_kept(call) && call->has_message_in) {
            vow_grpc_fail(call,
                          vow_status_make(VOW_INTERNAL, "a second message came, and the method takes one"));
            return;
        }
        if (!prefix_is_read(call)) {
            used = prefix_take(call, data, size);
            if (call->prefix_size == VOW_GRPC_PREFIX && !prefix_read(call))
                return;
            if (call->prefix_size == VOW_GRPC_PREFIX && call->is_unary_in)
                vow_grpc_only_message(call);
        } else {
            used = message_take(call, data, size);
        }
        data += used;
        size -= used;
    }
}

int vow_grpc_on_data(nghttp2_session *http, uint8_t flags, int32_t id, const uint8_t *data, size_t size,
                     void *user)
{
    vow_grpc      *grpc = user;
    vow_grpc_call *call = nghttp2_session_get_stream_user_data(http, id);

    (void)flags;
    vow_grpc_came(grpc, size);
    if (!call || !vow_grpc_is_alive(grpc))
        return 0;
    call->unconsumed += size;
    data_take(call, data, size);
    vow_grpc_came_of_call(call);
    return 0;
}

/* What goes out */

static void call_emptied(vow_task *task)
{
    vow_grpc_call *call = VOW_OWNER(task, vow_grpc_call, emptied);

    vow_grpc *grpc = call->grpc;

    if (!call->wire || call->queued || !vow_grpc_is_alive(grpc))
        return; /* more was sent meanwhile; it will leave, too */
    vow_life_enter(&grpc->life);
    if (call->is_answered)
        vow_grpc_end(call, VOW_ENDING(.status = VOW_STATUS_OK));
    else
        grpc->base.events->room(call->wire);
    vow_life_leave(&grpc->life);
}

void vow_grpc_messages_init(vow_grpc_call *call)
{
    vow_task_init(&call->emptied, call_emptied);
}

static void chunk_free(vow_grpc_call *call)
{
    vow_grpc_chunk *chunk = call->first;

    call->first = chunk->next;
    if (!call->first)
        call->last = NULL;
    vow_held_give(&call->grpc->base, chunk, chunk->block_size);
}

static void queued_less(vow_grpc_call *call, size_t size)
{
    call->queued -= size;
    call->grpc->queued -= size;
    if (!call->wire)
        return;
    if (call->wire->queued)
        call->wire->queued = call->queued;
    if (call->queued == 0)
        vow_scheduler_soon(vow_grpc_scheduler(call->grpc), &call->emptied);
}

void vow_grpc_messages_done(vow_grpc_call *call)
{
    vow_task_cancel(&call->emptied);
    vow_buffer_give(&call->grpc->base, &call->message);
    call->grpc->queued -= call->queued;
    while (call->first)
        chunk_free(call);
}

/* Room for `size` bytes behind what is queued, in one piece. NULL: no memory. */
static uint8_t *chunk_make_room(vow_grpc_call *call, size_t size)
{
    vow_grpc_chunk *chunk = call->last;
    size_t          block_size = sizeof *chunk + (size < CHUNK ? size * 2 : size);

    if (chunk && sizeof *chunk + chunk->size + size <= chunk->block_size)
        return chunk->bytes + chunk->size;
    if (chunk && block_size < CHUNK)
        block_size = CHUNK; /* one small message after the other */
    chunk = vow_held_take(&call->grpc->base, &block_size);
    if (!chunk)
        return NULL;
    *chunk = (vow_grpc_chunk){ .block_size = block_size };
    if (call->last)
        call->last->next = chunk;
    else
        call->first = chunk;
    call->last = chunk;
    return chunk->bytes;
}

/* Before the response's headers, what they will say counts. */
static bool call_compresses(const vow_grpc_call *call, const vow_wire *wire)
{
    bool is_known = call->has_gzip_out || (call->takes_gzip && !call->has_headers_out);

    return wire->compresses && is_known;
}

/* Packs a message into `to`, which has room for it, and compresses it. Gives its size then; 0: it goes as it
 * is. */
static size_t pack_compressed(vow_grpc_call *call, uint8_t *to, const ProtobufCMessage *message, size_t size)
{
    vow_session *session = &call->grpc->base;
    size_t       block_size = size;
    uint8_t     *packed = size ? vow_held_take(session, &block_size) : NULL;
    size_t       compressed;

    if (!packed)
        return 0;
    vow_message_pack(message, packed);
    compressed = vow_grpc_deflate(session->loop, to, packed, size);
    vow_held_give(session, packed, block_size);
    return compressed;
}

/* Will all that is queued leave with the next write? Then nothing waits, and there is room for more: a write
 * for each message would cost more than all the rest of it. */
static bool queue_leaves_soon(const vow_grpc_call *call)
{
    nghttp2_session *http = call->grpc->http;

    return call->queued < QUEUE_FOR_FLUSH && call->grpc->collected < QUEUES_FOR_FLUSH &&
           (int64_t)call->queued <= nghttp2_session_get_stream_remote_window_size(http, call->id) &&
           (int64_t)call->queued <= nghttp2_session_get_remote_window_size(http);
}

vow_code vow_grpc_queue(vow_grpc_call *call, const vow_wire *wire, const ProtobufCMessage *message)
{
    size_t   size = vow_message_size(message);
    size_t   compressed = 0;
    uint8_t *at = size > UINT32_MAX ? NULL : chunk_make_room(call, size + VOW_GRPC_PREFIX);

    if (!at)
        return VOW_RESOURCE_EXHAUSTED;
    if (call_compresses(call, wire))
        compressed = pack_compressed(call, at + VOW_GRPC_PREFIX, message, size);
    if (compressed)
        size = compressed;
    else
        vow_message_pack(message, at + VOW_GRPC_PREFIX);
    at[0] = compressed > 0;
    at[1] = (uint8_t)(size >> 24);
    at[2] = (uint8_t)(size >> 16);
    at[3] = (uint8_t)(size >> 8);
    at[4] = (uint8_t)size;
    call->last->size += size + VOW_GRPC_PREFIX;
    call->queued += size + VOW_GRPC_PREFIX;
    call->grpc->queued += size + VOW_GRPC_PREFIX;
    call->grpc->collected += size + VOW_GRPC_PREFIX;
    if (call->wire && !queue_leaves_soon(call))
        call->wire->queued = call->queued;
    return VOW_OK;
}

void vow_grpc_drop_queued(vow_grpc_call *call)
{
    queued_less(call, call->queued);
    while (call->first)
        chunk_free(call);
}

void vow_grpc_resume(vow_grpc_call *call)
{
    if (call->is_deferred && nghttp2_session_resume_data(call->grpc->http, call->id) == 0)
        call->is_deferred = false;
    vow_grpc_flush_later(call->grpc);
}

/* Says how much there is for the next DATA frame; vow_grpc_send_data then writes it. */
static ssize_t provider_read(nghttp2_session *http, int32_t id, uint8_t *buffer, size_t most, uint32_t *flags,
                             nghttp2_data_source *source, void *user)
{
    vow_grpc_call *call = source->ptr;
    size_t         size = call->queued < most ? call->queued : most;

    (void)buffer;
    (void)user;
    if (size == 0 && !call->ends_out) {
        call->is_deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (size < call->queued || !call->ends_out)
        return (ssize_t)size;
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (!call->trailers.fields)
        return (ssize_t)size;
    *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    if (nghttp2_submit_trailer(http, id, call->trailers.fields, call->trailers.count) != 0)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    return (ssize_t)size;
}

nghttp2_data_provider vow_grpc_provider(vow_grpc_call *call)
{
    return (nghttp2_data_provider){ { .ptr = call }, provider_read };
}

int vow_grpc_send_data(nghttp2_session *http, nghttp2_frame *frame, const uint8_t *head, size_t size,
                       nghttp2_data_source *source, void *user)
{
    vow_grpc      *grpc = user;
    vow_grpc_call *call = source->ptr;
    uint8_t       *at = vow_grpc_make_room(grpc, VOW_HTTP2_HEAD + size);
    size_t         left = size;

    (void)http;
    (void)frame;
    if (!at)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    memcpy(at, head, VOW_HTTP2_HEAD);
    at += VOW_HTTP2_HEAD;
    while (left > 0) {
        vow_grpc_chunk *chunk = call->first;
        size_t          part = chunk->size - chunk->sent < left ? chunk->size - chunk->sent : left;

        memcpy(at, chunk->bytes + chunk->sent, part);
        at += part;
        left -= part;
        chunk->sent += part;
        if (chunk->sent == chunk->size)
            chunk_free(call);
    }
    grpc->filling.size += VOW_HTTP2_HEAD + size;
    grpc->made_bytes += VOW_HTTP2_HEAD + size;
    grpc->watch.has_sent_of_calls = true;
    grpc->watch.moved_ns = vow_scheduler_now_ns(vow_grpc_scheduler(grpc));
    queued_less(call, size);
    return 0;
}

/* What rpc hands down of a stream */

vow_code vow_grpc_send(vow_wire *wire, const ProtobufCMessage *message, const vow_metadata *metadata,
                       vow_status *status)
{
    vow_grpc_call *call = wire->flow;

    if (vow_grpc_queue(call, wire, message) == VOW_OK &&
        (wire->is_ours || vow_grpc_submit_headers(call, metadata))) {
        vow_grpc_resume(call);
        return VOW_OK;
    }
    *status = vow_status_no_memory();
    return VOW_RESOURCE_EXHAUSTED;
}

void vow_grpc_finish(vow_wire *wire)
{
    vow_grpc_call *call = wire->flow;

    call->ends_out = true;
    vow_grpc_resume(call);
}
