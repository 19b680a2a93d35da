/*
 * Messages on their way out: a flag and a size before each, cut into DATA frames.
 *
 * The idea: a message is packed once, behind its prefix, into a chunk of its call, and nghttp2 asks for it when it has
 * found credit. A large field of it leaves from the user's memory while it is being packed, as far as there is credit
 * and the connection takes it; only the rest is copied.
 *
 * Source  gRPC, "gRPC over HTTP2", Length-Prefixed-Message.
 */
#include "runtime/protocol/grpc/session.h"

#include "runtime/protocol/grpc/compress.h"

#include <string.h>

/* What is taken for messages that wait, at least. */
#define CHUNK ((size_t)4 << 10)

/* What streams collect for a write: one of them, and all together. */
#define QUEUE_FOR_FLUSH ((size_t)16 << 10)
#define QUEUES_FOR_FLUSH ((size_t)64 << 10)

/* What makes frames large. */
#define LARGE_QUEUE ((size_t)64 << 10)

/* Messages of this size are packed field by field, and fields of this size are not copied. */
#define STRAIGHT_LEAST ((size_t)16 << 10)

static void call_emptied(vow_task *task)
{
    vow_grpc_call *call = VOW_OWNER(task, vow_grpc_call, emptied);
    vow_grpc      *grpc = call->grpc;

    if (!call->is_closed && (!call->wire || call->queued || !vow_grpc_is_alive(grpc)))
        return; /* more was sent meanwhile; it will leave, too */
    vow_life_enter(&grpc->life);
    if (call->is_closed)
        vow_grpc_closed(call, call->closed_with);
    else if (call->is_answered)
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

static void queued_more(vow_grpc_call *call, size_t size)
{
    call->queued += size;
    call->grpc->queued += size;
}

static void queued_less(vow_grpc_call *call, size_t size)
{
    call->queued -= size;
    call->grpc->queued -= size;
    if (!call->wire)
        return;
    if (call->wire->queued)
        call->wire->queued = call->queued;
    if (call->queued == 0 && !call->is_packing)
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

size_t vow_grpc_reserve(vow_grpc_call *call, const ProtobufCMessage *message)
{
    size_t size = vow_message_size(message);

    if (size > UINT32_MAX || !chunk_make_room(call, size + VOW_GRPC_PREFIX))
        return SIZE_MAX;
    return size;
}

static void chunk_filled(vow_grpc_call *call, size_t size)
{
    call->last->size += size;
    queued_more(call, size);
}

static void prefix_write(uint8_t *at, bool is_compressed, size_t size)
{
    at[0] = is_compressed;
    at[1] = (uint8_t)(size >> 24);
    at[2] = (uint8_t)(size >> 16);
    at[3] = (uint8_t)(size >> 8);
    at[4] = (uint8_t)size;
}

static bool goes_straight(const vow_grpc *grpc)
{
    return !grpc->is_feeding && !grpc->is_writing;
}

/* The fields of a large message pass through here in order. */
typedef struct packer {
    ProtobufCBuffer base; /* first */
    vow_grpc_call  *call;
} packer;

/* Sends what can leave of a field, from where it lies. */
static void packer_send(vow_grpc_call *call, size_t size, const uint8_t *data)
{
    call->lent = (vow_slice){ data, size };
    queued_more(call, size);
    vow_grpc_resume(call);
    vow_grpc_flush_within(call->grpc);
}

static void packer_append(ProtobufCBuffer *buffer, size_t size, const uint8_t *data)
{
    vow_grpc_call *call = ((packer *)buffer)->call;

    call->unpacked -= size < call->unpacked ? size : call->unpacked;
    if (size >= STRAIGHT_LEAST && goes_straight(call->grpc)) {
        packer_send(call, size, data);
        size = call->lent.size;
        data = call->lent.data;
        call->lent = (vow_slice){ NULL, 0 };
        call->last->size += size;
    } else {
        chunk_filled(call, size);
    }
    if (size)
        memcpy(call->last->bytes + call->last->size - size, data, size);
}

static void pack_straight(vow_grpc_call *call, const ProtobufCMessage *message, size_t size)
{
    packer packer = { { packer_append }, call };
    bool   has_waited = call->wire->queued > 0;

    call->unpacked = size;
    call->is_packing = true;
    if (message->descriptor == &vow_raw_descriptor)
        packer_append(&packer.base, size, ((const vow_raw *)message)->data);
    else
        protobuf_c_message_pack_to_buffer(message, &packer.base);
    call->is_packing = false;
    call->unpacked = 0;
    if (call->last->sent == call->last->size)
        chunk_free(call);
    if (call->queued == 0 && has_waited)
        vow_scheduler_soon(vow_grpc_scheduler(call->grpc), &call->emptied);
}

void vow_grpc_pack(vow_grpc_call *call, const vow_wire *wire, const ProtobufCMessage *message, size_t size)
{
    uint8_t *at = call->last->bytes + call->last->size;
    size_t   compressed = 0;

    call->grpc->collected += size + VOW_GRPC_PREFIX + VOW_HTTP2_HEAD;
    if (call_compresses(call, wire))
        compressed = pack_compressed(call, at + VOW_GRPC_PREFIX, message, size);
    prefix_write(at, compressed > 0, compressed ? compressed : size);
    chunk_filled(call, VOW_GRPC_PREFIX + compressed);
    if (!compressed && size >= STRAIGHT_LEAST && goes_straight(call->grpc)) {
        pack_straight(call, message, size);
    } else if (!compressed) {
        vow_message_pack(message, at + VOW_GRPC_PREFIX);
        chunk_filled(call, size);
    }
    if (call->wire && !queue_leaves_soon(call))
        call->wire->queued = call->queued;
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
    if (size == 0 && !(call->ends_out && call->unpacked == 0)) {
        call->is_deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (size < call->queued || call->unpacked || !call->ends_out)
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

/* Large ones for large messages alone: nghttp2 takes as much memory for a frame, although that lies elsewhere. */
ssize_t vow_grpc_frame_size(nghttp2_session *http, uint8_t type, int32_t id, int32_t connection_window,
                            int32_t stream_window, uint32_t frame_max, void *user)
{
    size_t most = ((const vow_grpc *)user)->queued;

    (void)http;
    (void)type;
    (void)id;
    (void)connection_window;
    (void)stream_window;
    if (most < LARGE_QUEUE)
        return VOW_GRPC_FRAME;
    if (most > VOW_GRPC_FRAME_LOCAL)
        most = VOW_GRPC_FRAME_LOCAL;
    return (ssize_t)(most < frame_max ? most : frame_max);
}

/* Puts up to `most` bytes, which lie in one piece, behind what leaves. Gives how many; 0: no memory. */
static size_t call_put(vow_grpc_call *call, size_t most)
{
    vow_grpc_chunk *chunk = call->first && call->first->sent < call->first->size ? call->first : NULL;
    vow_slice       next = chunk ? (vow_slice){ chunk->bytes + chunk->sent, chunk->size - chunk->sent } : call->lent;
    size_t          size = next.size < most ? next.size : most;

    if (!vow_grpc_put_piece(call->grpc, next.data, size))
        return 0;
    if (!chunk) {
        call->lent = (vow_slice){ next.data + size, next.size - size };
        return size;
    }
    chunk->sent += size;
    if (chunk->sent == chunk->size && !(call->is_packing && chunk == call->last)) {
        if (!vow_grpc_part_with_piece(call->grpc)) /* may lie in it */
            return 0;
        chunk_free(call);
    }
    return size;
}

int vow_grpc_send_data(nghttp2_session *http, nghttp2_frame *frame, const uint8_t *head, size_t size,
                       nghttp2_data_source *source, void *user)
{
    vow_grpc      *grpc = user;
    vow_grpc_call *call = source->ptr;
    size_t         left = size;

    (void)http;
    (void)frame;
    if (!vow_grpc_put(grpc, head, VOW_HTTP2_HEAD))
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    while (left > 0) {
        size_t part = call_put(call, left);

        if (part == 0)
            return NGHTTP2_ERR_CALLBACK_FAILURE;
        left -= part;
    }
    grpc->watch.has_sent_of_calls = true;
    grpc->watch.moved_ns = vow_scheduler_now_ns(vow_grpc_scheduler(grpc));
    queued_less(call, size);
    return vow_grpc_has_filled(grpc) ? NGHTTP2_ERR_PAUSE : 0;
}

/* What rpc hands down of a stream */

vow_code vow_grpc_send(vow_wire *wire, const ProtobufCMessage *message, const vow_metadata *metadata,
                       vow_status *status)
{
    vow_grpc_call *call = wire->flow;
    bool           has_begun = wire->is_ours || vow_grpc_submit_headers(call, metadata);
    size_t         size = has_begun ? vow_grpc_reserve(call, message) : SIZE_MAX;

    if (size == SIZE_MAX) {
        *status = vow_status_no_memory();
        return VOW_RESOURCE_EXHAUSTED;
    }
    vow_grpc_pack(call, wire, message, size);
    vow_grpc_resume(call);
    return VOW_OK;
}

void vow_grpc_finish(vow_wire *wire)
{
    vow_grpc_call *call = wire->flow;

    call->ends_out = true;
    vow_grpc_resume(call);
}
