/*
 * Messages that come: a flag and a size before each, cut into DATA frames as HTTP/2 likes.
 *
 * The idea: a message that lies whole in what was read is handed up from there; one in pieces is put together
 * in a block. The rest of a large frame is read straight into that.
 *
 * Source  gRPC, "gRPC over HTTP2", Length-Prefixed-Message.
 */
#include "runtime/protocol/grpc/session.h"

#include "runtime/protocol/grpc/compress.h"

#include <string.h>

/* What a message in pieces takes at first, and how fast it may grow; but all at once, as long as the peer holds no more
 * than this. */
#define FIRST_ROOM ((size_t)64 << 10)
#define GROWTH 4
#define TRUSTED_BYTES ((size_t)8 << 20)

/* What is missing of a frame is read into its message where it is as much. */
#define DIRECT_LEAST ((size_t)32 << 10)

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

/* What the message's block shall have; where it grows, what comes before had to be copied. */
static size_t message_room(const vow_grpc_call *call, size_t more)
{
    size_t whole = call->message_size + (call->message_size >= DIRECT_LEAST ? VOW_GRPC_BEHIND : 0);
    size_t wanted = call->message.size + more;
    size_t room = wanted * GROWTH < FIRST_ROOM ? FIRST_ROOM : wanted * GROWTH;

    return room < whole && call->grpc->base.held_bytes + whole > TRUSTED_BYTES ? room : whole;
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

/* False: no memory. */
static bool message_grow(vow_grpc_call *call, size_t more)
{
    vow_session *session = &call->grpc->base;
    size_t       room = message_room(call, more);
    size_t       size = room - call->message.size;

    /* The last says that a block of so many bytes is to have no more. */
    return vow_held_is_within(session, size) && vow_buffer_make_room(session, &call->message, size, room + 1);
}

/* Takes a part of a message that does not lie whole in what came. False: the call has failed. */
static bool message_append(vow_grpc_call *call, const uint8_t *data, size_t size)
{
    if (size == 0)
        return true;
    if (call->message.size + size > call->message.block_size && !message_grow(call, size)) {
        vow_grpc_fail(call, message_no_memory(call));
        return false;
    }
    if (call->message.data + call->message.size != data) /* else it was read into there */
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

vow_room vow_grpc_direct_room(vow_grpc *grpc)
{
    size_t         left;
    vow_grpc_call *call = vow_grpc_watch_data(grpc, &left);
    size_t         room;

    grpc->direct.size = 0;
    if (left < DIRECT_LEAST || !call || !call->wire || !call->message.size)
        return (vow_room){ NULL, 0 };
    room = call->message.block_size - call->message.size;
    if (call->message_size - call->message.size < left)
        left = call->message_size - call->message.size;
    if (room < left + VOW_GRPC_BEHIND)
        left = room < VOW_GRPC_BEHIND ? 0 : room - VOW_GRPC_BEHIND;
    if (left < DIRECT_LEAST)
        return (vow_room){ NULL, 0 };
    grpc->direct = (vow_grpc_direct){ call->message.data + call->message.size, left };
    return (vow_room){ grpc->direct.at, left + VOW_GRPC_BEHIND };
}
