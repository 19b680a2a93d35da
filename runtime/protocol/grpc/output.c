/*
 * What a session of gRPC has to send.
 *
 * The idea: nghttp2 is asked for it at the end of the loop's iteration, or of a read for what answers it. Some KiB are
 * collected in one buffer and leave; when they have, it is asked for more. So what waits for a slow peer stays with
 * nghttp2.
 */
#include "runtime/protocol/grpc/session.h"

#include <string.h>

/* Output of this size is written at once: the peer can begin. What waits for a slow peer stays with nghttp2.
 */
#define FLUSH_AT ((size_t)16 << 10)
#define FIRST_BLOCK ((size_t)16 << 10)

/* Frames, those of messages aside, that a peer may let lie before it is not read, and when it is read again.
 */
#define FRAMES_TO_STOP 100
#define FRAMES_TO_GO_ON 2

uint8_t *vow_grpc_make_room(vow_grpc *grpc, size_t size)
{
    return vow_buffer_make_room(&grpc->base, &grpc->filling, size, FIRST_BLOCK);
}

/* Collects what nghttp2 has to send, up to some KiB; more is asked for when that has left. False: it failed.
 */
static bool output_collect(vow_grpc *grpc)
{
    while (grpc->filling.size < FLUSH_AT && !grpc->must_not_ask) {
        const uint8_t *data;
        ssize_t        size = nghttp2_session_mem_send(grpc->http, &data);
        uint8_t       *at;

        if (size == 0)
            return true;
        if (size < 0) {
            grpc->must_not_ask = true;
            vow_grpc_http_failed(grpc, (int)size);
            return false;
        }
        at = vow_grpc_make_room(grpc, (size_t)size);
        if (!at) {
            grpc->must_not_ask = true; /* the frame is lost, and what comes behind it would make no sense */
            vow_grpc_lose(grpc, vow_status_no_memory());
            return false;
        }
        memcpy(at, data, (size_t)size);
        grpc->filling.size += (size_t)size;
        grpc->made_bytes += (size_t)size;
    }
    return true;
}

bool vow_grpc_is_flushed(const vow_session *session)
{
    const vow_grpc *grpc = (const vow_grpc *)session;

    /* Answers that wait for credit still leave, as long as the last words may take; but not where nothing is
     * heard. */
    return !grpc->is_writing && grpc->filling.size == 0 && !vow_task_queued(&grpc->flush) &&
           (grpc->queued == 0 || grpc->must_not_feed);
}

/* A peer that does not take its answers is not read, until it does. nghttp2 keeps frames that wait to be
 * sent, and would keep any number. */
static void output_press(vow_grpc *grpc)
{
    size_t frames = nghttp2_session_get_outbound_queue_size(grpc->http);

    if (!grpc->base.options.is_server || !vow_grpc_is_alive(grpc))
        return;
    if (grpc->is_writing && frames >= FRAMES_TO_STOP)
        vow_life_pause(&grpc->life, VOW_PAUSED_FOR_OUTPUT, true);
    else if ((grpc->life.paused & VOW_PAUSED_FOR_OUTPUT) && frames <= FRAMES_TO_GO_ON)
        vow_life_pause(&grpc->life, VOW_PAUSED_FOR_OUTPUT, false);
}

static void output_rest(vow_grpc *grpc)
{
    vow_buffer_give(&grpc->base, &grpc->filling);
    vow_buffer_give(&grpc->base, &grpc->leaving);
    vow_life_drained(&grpc->life);
    if (vow_grpc_is_alive(grpc) && nghttp2_session_want_read(grpc->http) == 0 &&
        nghttp2_session_want_write(grpc->http) == 0)
        vow_grpc_lose(grpc, VOW_STATUS_OK);
}

void vow_grpc_flush(vow_grpc *grpc)
{
    if (grpc->is_writing || grpc->is_feeding || !grpc->base.stream)
        return;
    vow_life_enter(&grpc->life);
    grpc->collected = 0;
    while (output_collect(grpc) && grpc->filling.size > 0) {
        vow_buffer swap = grpc->leaving;
        vow_slice  slice;

        grpc->leaving = grpc->filling;
        grpc->filling = swap;
        grpc->filling.size = 0;
        slice = (vow_slice){ grpc->leaving.data, grpc->leaving.size };
        grpc->left_bytes += slice.size;
        if (!vow_stream_write(grpc->base.stream, &slice, 1)) {
            grpc->is_writing = true;
            break;
        }
        grpc->leaving.size = 0;
    }
    output_press(grpc);
    if (!grpc->is_writing && grpc->filling.size == 0)
        output_rest(grpc);
    vow_life_leave(&grpc->life);
}

void vow_grpc_flush_task(vow_task *task)
{
    vow_grpc_flush(VOW_OWNER(task, vow_grpc, flush));
}

void vow_grpc_flush_later(vow_grpc *grpc)
{
    if (grpc->is_writing)
        output_press(grpc);
    else
        vow_scheduler_late(vow_grpc_scheduler(grpc), &grpc->flush);
}
