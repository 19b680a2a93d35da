/*
 * What a session of gRPC has to send.
 *
 * The idea: nghttp2 is asked for it at the end of the loop's iteration, or of a read for what answers it; and before,
 * as soon as there is enough for the peer to begin with. Some KiB are collected in one buffer and leave; when they
 * have, it is asked for more. So what waits for a slow peer stays with nghttp2. A large part of a message is not
 * collected: it is lent as a piece, and leaves from where it lies, between what was collected before and behind it.
 */
#include "runtime/protocol/grpc/session.h"

#include <string.h>

/* Output of this size is written at once: the peer can begin. What waits for a slow peer stays with nghttp2.
 */
#define FLUSH_AT ((size_t)16 << 10)
#define FIRST_BLOCK ((size_t)16 << 10)

/* DATA that is copied goes on to this. */
#define FILLED_MOST ((size_t)64 << 10)

/* Before, what a call or two have to say leaves at once, so that the peer wakes up meanwhile; then some KiB, and from
 * then on twice as much each time. But where other connections were heard in between, all are at work anyway. */
#define FLUSH_FIRST ((size_t)128)
#define FLUSH_NEXT ((size_t)2560)

/* What lies elsewhere leaves from there where it is as large; less is copied. */
#define PIECE_LEAST ((size_t)8 << 10)

/* Frames, those of messages aside, that a peer may let lie before it is not read, and when it is read again.
 */
#define FRAMES_TO_STOP 100
#define FRAMES_TO_GO_ON 2

/* Pieces */

/* Of all these, `gone` bytes have left: the other `size` take the place of what is filled. False: no memory. */
static bool filling_keep(vow_grpc *grpc, const vow_slice *slices, size_t count, size_t gone, size_t size)
{
    vow_buffer rest = { NULL, 0, 0 };
    uint8_t   *at = vow_buffer_make_room(&grpc->base, &rest, size, FIRST_BLOCK);

    grpc->filling.size = 0;
    if (!at)
        return false;
    for (size_t i = 0; i < count; i++) {
        size_t skip = gone < slices[i].size ? gone : slices[i].size;

        memcpy(at, slices[i].data + skip, slices[i].size - skip);
        at += slices[i].size - skip;
        gone -= skip;
    }
    rest.size = size;
    vow_buffer_give(&grpc->base, &grpc->filling);
    grpc->filling = rest;
    return true;
}

/* Writes what is filled, the piece in it, and `last` behind them. What the stream does not take is copied. False: no
 * memory. */
static bool output_write_pieces(vow_grpc *grpc, vow_slice last)
{
    vow_buffer     *filling = &grpc->filling;
    const vow_slice all[VOW_WRITE_SLICES] = { { filling->data, grpc->piece_at },
                                              grpc->piece,
                                              { filling->data + grpc->piece_at, filling->size - grpc->piece_at },
                                              last };
    vow_slice       slices[VOW_WRITE_SLICES];
    size_t          whole = filling->size + grpc->piece.size + last.size;
    size_t          count = 0;
    size_t          gone;

    for (size_t i = 0; i < VOW_WRITE_SLICES; i++) {
        if (all[i].size)
            slices[count++] = all[i];
    }
    gone = vow_stream_try_write(grpc->base.stream, slices, count);
    grpc->piece = (vow_slice){ NULL, 0 };
    grpc->left_bytes += gone;
    grpc->is_stuck = gone < whole;
    if (grpc->is_stuck)
        return filling_keep(grpc, slices, count, gone, whole - gone);
    filling->size = 0;
    return true;
}

bool vow_grpc_part_with_piece(vow_grpc *grpc)
{
    return grpc->piece.size == 0 || output_write_pieces(grpc, (vow_slice){ NULL, 0 });
}

bool vow_grpc_put(vow_grpc *grpc, const uint8_t *data, size_t size)
{
    uint8_t *at = vow_buffer_make_room(&grpc->base, &grpc->filling, size, FIRST_BLOCK);

    if (!at)
        return false;
    memcpy(at, data, size);
    grpc->filling.size += size;
    grpc->made_bytes += size;
    return true;
}

bool vow_grpc_put_piece(vow_grpc *grpc, const uint8_t *data, size_t size)
{
    if (size < PIECE_LEAST || grpc->is_stuck)
        return vow_grpc_put(grpc, data, size);
    grpc->made_bytes += size;
    if (grpc->piece.size)
        return output_write_pieces(grpc, (vow_slice){ data, size });
    grpc->piece = (vow_slice){ data, size };
    grpc->piece_at = grpc->filling.size;
    return true;
}

bool vow_grpc_has_filled(const vow_grpc *grpc)
{
    return grpc->filling.size >= FILLED_MOST;
}

/* Writing */

static void output_no_memory(vow_grpc *grpc)
{
    grpc->must_not_ask = true; /* a frame is lost, and what comes behind it would make no sense */
    vow_grpc_lose(grpc, vow_status_no_memory());
}

/* Collects what nghttp2 has to send, up to some KiB; more is asked for when that has left. False: it failed.
 */
static bool output_collect(vow_grpc *grpc)
{
    while (grpc->filling.size < FLUSH_AT && !grpc->must_not_ask) {
        const uint8_t *data;
        ssize_t        size = nghttp2_session_mem_send(grpc->http, &data);

        if (size == 0)
            return true;
        if (size < 0) {
            grpc->must_not_ask = true;
            vow_grpc_http_failed(grpc, (int)size);
            return false;
        }
        if (!vow_grpc_put(grpc, data, (size_t)size)) {
            output_no_memory(grpc);
            return false;
        }
    }
    return true;
}

/* False: the rest is lent to the stream, or there was no memory. */
static bool output_write(vow_grpc *grpc)
{
    vow_buffer swap = grpc->leaving;
    vow_slice  slice;

    if (!vow_grpc_part_with_piece(grpc)) {
        output_no_memory(grpc);
        return false;
    }
    if (grpc->filling.size == 0)
        return true;
    grpc->leaving = grpc->filling;
    grpc->filling = swap;
    grpc->filling.size = 0;
    slice = (vow_slice){ grpc->leaving.data, grpc->leaving.size };
    grpc->left_bytes += slice.size;
    if (!vow_stream_write(grpc->base.stream, &slice, 1)) {
        grpc->is_writing = true;
        return false;
    }
    grpc->leaving.size = 0;
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

/* Writes what was collected, and goes on until nghttp2 has no more or the stream takes no more. */
static void output_write_all(vow_grpc *grpc)
{
    bool goes_on = true;

    grpc->collected = 0;
    grpc->is_stuck = false;
    while (goes_on) {
        goes_on = output_collect(grpc);
        if (grpc->filling.size == 0 && grpc->piece.size == 0)
            break;
        goes_on &= output_write(grpc);
    }
    output_press(grpc);
}

static bool output_may_flush(const vow_grpc *grpc)
{
    return !grpc->is_writing && !grpc->is_feeding && grpc->base.stream;
}

void vow_grpc_flush(vow_grpc *grpc)
{
    if (!output_may_flush(grpc))
        return;
    vow_life_enter(&grpc->life);
    output_write_all(grpc);
    if (!grpc->is_writing && grpc->filling.size == 0)
        output_rest(grpc);
    vow_life_leave(&grpc->life);
}

void vow_grpc_flush_within(vow_grpc *grpc)
{
    if (!output_may_flush(grpc))
        return;
    vow_life_enter(&grpc->life);
    grpc->is_within = true;
    output_write_all(grpc);
    grpc->is_within = false;
    vow_life_leave(&grpc->life);
}

void vow_grpc_flush_task(vow_task *task)
{
    vow_grpc *grpc = VOW_OWNER(task, vow_grpc, flush);

    grpc->flush_at = grpc->is_alone ? FLUSH_FIRST : FLUSH_NEXT;
    vow_grpc_flush(grpc);
}

void vow_grpc_flush_much(vow_grpc *grpc)
{
    if (grpc->collected < grpc->flush_at || !output_may_flush(grpc))
        return;
    if (grpc->flush_at < FLUSH_NEXT)
        grpc->flush_at = FLUSH_NEXT;
    else if (grpc->flush_at < FLUSH_AT)
        grpc->flush_at *= 2;
    vow_grpc_flush_within(grpc);
}

void vow_grpc_flush_later(vow_grpc *grpc)
{
    if (grpc->is_writing)
        output_press(grpc);
    else
        vow_scheduler_late(vow_grpc_scheduler(grpc), &grpc->flush);
}
