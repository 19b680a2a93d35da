#include "runtime/protocol/native/outgoing.h"

#include <assert.h>
#include <string.h>

/* Pieces of a message that are smaller are gathered before they are written. */
#define PIECE_TO_WRITE ((size_t)8 << 10)

/* What one message may send before others have their turn: a message of the default max_message_size. What has not left
 * by then is copied, which takes the others as long as sending it. */
#define STRAIGHT_MAX ((size_t)4 << 20)

/* The bytes of a message pass through here in order, once. `from` to `at` in the block is what was put there
 * and has not left; while `is_straight`, that is a part of the frame under way. */
typedef struct framer {
    ProtobufCBuffer base; /* first */
    vow_output     *output;
    vow_outgoing   *outgoing;
    vow_header      header;
    vow_pace       *pace;
    uint8_t        *at;
    size_t          payload_size; /* of a full frame */
    size_t          frame_left;
    size_t          left;
    size_t          straight_left; /* bytes; once they are spent, no further frame leaves at once */
    size_t          stuck; /* bytes of a frame, the beginning of which has left: they go into `filling` */
    bool            is_straight;
} framer;

/* Is there credit for a frame that leaves at once? Takes it. */
static bool framer_pays(framer *framer, size_t payload_size)
{
    uint64_t cost = payload_size + VOW_STREAM_FRAME_CHARGE;

    if (!framer->pace)
        return true;
    if (cost > framer->pace->credit || cost > framer->output->credit)
        return false;
    framer->pace->credit -= cost;
    framer->output->credit -= cost;
    return true;
}

static void framer_begin_frame(framer *framer)
{
    size_t size = framer->payload_size < framer->left ? framer->payload_size : framer->left;

    if (framer->is_straight)
        framer->is_straight = framer->straight_left > 0 && framer_pays(framer, size);
    framer->straight_left -= framer->straight_left < size ? framer->straight_left : size;
    framer->header.more = size < framer->left;
    framer->at = vow_header_write(framer->at, &framer->header, size);
    framer->frame_left = size;
}

/* Room for it was made before the first byte left. */
static void framer_fill(framer *framer, const uint8_t *data, size_t size)
{
    vow_buffer *filling = &framer->output->filling;

    assert(filling->size + size <= filling->block_size);
    memcpy(filling->data + filling->size, data, size);
    filling->size += size;
    framer->output->queued_bytes += size;
}

static size_t slice_skip(vow_slice *slice, size_t size)
{
    size_t skip = slice->size < size ? slice->size : size;

    slice->data += skip;
    slice->size -= skip;
    return size - skip;
}

/* Some has left of what was filled; the rest moves to the front. */
static size_t filling_skip(vow_output *output, size_t size)
{
    vow_buffer *filling = &output->filling;
    size_t      skip = filling->size < size ? filling->size : size;

    if (skip < filling->size)
        memmove(filling->data, filling->data + skip, filling->size - skip);
    filling->size -= skip;
    output->queued_bytes -= skip;
    return size - skip;
}

/* Writes what is gathered, and `data` behind it. What does not leave is put where it leaves next. */
static void framer_write(framer *framer, const uint8_t *data, size_t size)
{
    vow_output *output = framer->output;
    vow_slice   gathered = { framer->outgoing->bytes, (size_t)(framer->at - framer->outgoing->bytes) };
    vow_slice   piece = { data, size };
    vow_slice   slices[3];
    size_t      count = 0;
    size_t      left;

    if (output->filling.size)
        slices[count++] = (vow_slice){ output->filling.data, output->filling.size };
    if (gathered.size)
        slices[count++] = gathered;
    if (piece.size)
        slices[count++] = piece;
    left = filling_skip(output, vow_stream_try_write(output->session->stream, slices, count));
    left = slice_skip(&gathered, left);
    slice_skip(&piece, left);
    framer->at = framer->outgoing->bytes;
    if (gathered.size + piece.size == 0 && output->filling.size == 0)
        return;
    framer->is_straight = false;
    framer->stuck = framer->frame_left - size;
    if (gathered.size)
        framer_fill(framer, gathered.data, gathered.size);
    if (piece.size)
        framer_fill(framer, piece.data, piece.size);
}

static void framer_take(framer *framer, const uint8_t *data, size_t size)
{
    if (framer->stuck) {
        framer_fill(framer, data, size);
        framer->stuck -= size;
    } else if (framer->is_straight && (size >= PIECE_TO_WRITE || size == framer->frame_left)) {
        framer_write(framer, data, size);
    } else {
        memcpy(framer->at, data, size);
        framer->at += size;
    }
    framer->frame_left -= size;
    framer->left -= size;
}

static void framer_append(ProtobufCBuffer *buffer, size_t size, const uint8_t *data)
{
    framer *framer = (struct framer *)buffer;

    while (size > 0 && framer->left > 0) {
        size_t part;

        if (framer->frame_left == 0)
            framer_begin_frame(framer);
        part = size < framer->frame_left ? size : framer->frame_left;
        framer_take(framer, data, part);
        data += part;
        size -= part;
    }
}

/* May frames leave from the message itself? Only when nothing but `filling` is there to leave before them,
 * and there is room in it for the rest of one. */
static bool output_goes_straight(vow_output *output, size_t frame_size)
{
    return !output->is_writing && output->session->stream && output->session->stream->transport->try_write &&
           vow_list_empty(&output->large) && output->sending_count == 0 &&
           vow_output_make_room(output, frame_size);
}

/* Bytes of a frame's header, with the length before it. */
static size_t cut_prefix(const vow_cut *cut)
{
    uint8_t sample[VOW_HEADER_PLAIN_MAX];

    return (size_t)(vow_header_write(sample, &cut->header, 0) - sample);
}

static size_t cut_payload(const vow_cut *cut)
{
    return cut->max_frame_size - (cut_prefix(cut) - 4);
}

vow_outgoing *vow_outgoing_new(vow_output *output, size_t size, const vow_cut *cut)
{
    size_t        payload_size = cut_payload(cut);
    size_t        frames = (size + payload_size - 1) / payload_size;
    size_t        block_size = sizeof(vow_outgoing) + size + frames * cut_prefix(cut);
    vow_outgoing *outgoing = vow_held_take(output->session, &block_size);

    if (!outgoing)
        return NULL;
    *outgoing = (vow_outgoing){ .block_size = block_size,
                                .frame_size = cut_prefix(cut) + payload_size,
                                .free_from = SIZE_MAX };
    vow_link_init(&outgoing->link);
    return outgoing;
}

void vow_outgoing_pack(vow_output *output, vow_outgoing *outgoing, const ProtobufCMessage *message,
                       size_t size, const vow_cut *cut)
{
    framer framer = { .base = { framer_append },
                      .output = output,
                      .outgoing = outgoing,
                      .header = cut->header,
                      .pace = cut->pace,
                      .at = outgoing->bytes,
                      .payload_size = cut_payload(cut),
                      .left = size,
                      .straight_left = STRAIGHT_MAX,
                      .is_straight = !cut->waits && output_goes_straight(output, cut->max_frame_size + 4) };

    if (message->descriptor == &vow_raw_descriptor)
        framer_append(&framer.base, size, ((const vow_raw *)message)->data);
    else
        protobuf_c_message_pack_to_buffer(message, &framer.base);
    assert(framer.left == 0 && framer.frame_left == 0 && framer.stuck == 0);
    outgoing->size = (size_t)(framer.at - outgoing->bytes);
}
