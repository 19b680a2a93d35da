/*
 * What is read, on its way to nghttp2.
 *
 * The idea: a server's reads are fed in parts, each of which ends where a stream does. What a part has made whole is
 * served before the next one is fed, outside of nghttp2, so that answers leave while requests are read. The rest of a
 * large frame goes straight into its message.
 */
#include "runtime/protocol/grpc/session.h"

#include <string.h>

vow_room vow_grpc_room(void *owner)
{
    vow_grpc *grpc = owner;
    vow_room  room = vow_grpc_direct_room(grpc);
    uint8_t  *block;

    if (room.size)
        return room;
    block = vow_loop_read_block(grpc->base.loop);
    return (vow_room){ block, block ? VOW_READ_BLOCK : 0 };
}

/* Gives how much of it was read: some frames. What answers them may leave while the peer's next ones are read. */
static size_t session_feed_part(vow_grpc *grpc, const uint8_t *data, size_t size)
{
    ssize_t used;

    if (vow_grpc_is_alive(grpc))
        size = vow_grpc_watch_bytes(grpc, data, size);
    if (size == 0)
        return 0;
    grpc->is_feeding = true;
    used = nghttp2_session_mem_recv(grpc->http, data, size);
    grpc->is_feeding = false;
    if (used < 0) {
        grpc->must_not_feed = true;
        vow_grpc_http_failed(grpc, (int)used);
    }
    return size;
}

static void session_feed(vow_grpc *grpc, const uint8_t *data, size_t size)
{
    vow_scheduler *scheduler = vow_grpc_scheduler(grpc);

    if (grpc->must_not_feed)
        return;
    vow_life_enter(&grpc->life);
    grpc->base.heard_ns = vow_scheduler_now_ns(scheduler);
    grpc->is_alone = grpc->base.loop->heard == grpc;
    grpc->base.loop->heard = grpc;
    while (size > 0 && !grpc->must_not_feed) {
        size_t part = session_feed_part(grpc, data, size);

        data += part;
        size -= part;
        vow_grpc_serve(grpc);
        vow_grpc_flush_much(grpc);
    }
    vow_grpc_watch_rest(grpc);
    vow_grpc_flush_later(grpc);
    if (!grpc->is_writing)
        vow_scheduler_hasten(scheduler, &grpc->flush);
    vow_life_leave(&grpc->life);
}

/* What was read behind a message's part is copied: the message may be gone when it has been fed. */
static void session_feed_direct(vow_grpc *grpc, const vow_grpc_direct *direct, size_t size)
{
    uint8_t behind[VOW_GRPC_BEHIND];
    size_t  own = size < direct->size ? size : direct->size;

    memcpy(behind, direct->at + own, size - own);
    session_feed(grpc, direct->at, own);
    if (size > own)
        session_feed(grpc, behind, size - own);
}

void vow_grpc_read(void *owner, size_t size)
{
    vow_grpc       *grpc = owner;
    vow_grpc_direct direct = grpc->direct;

    grpc->direct.size = 0;
    if (!direct.size) {
        session_feed(grpc, vow_loop_read_block(grpc->base.loop), size);
        return;
    }
    vow_life_enter(&grpc->life);
    session_feed_direct(grpc, &direct, size);
    vow_life_leave(&grpc->life);
}
