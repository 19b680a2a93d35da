#include "runtime/protocol/native/output.h"

#include "runtime/base/apart.h"
#include "runtime/protocol/native/outgoing.h"

#include <assert.h>
#include <string.h>

/* What one flush writes at most before others have their turn. */
#define FLUSH_MAX ((size_t)1 << 20)

/* What is taken for small frames at first, which holds what makes the first flush; and once an iteration has more than
 * that, which holds what makes its largest, and a short message. So of a thousand connections that have a call each,
 * none takes much. */
#define FIRST_BLOCK ((size_t)4 << 10)
#define BUSY_BLOCK ((size_t)20 << 10)

/* A message that is alone leaves so many frames at a time. */
#define FRAMES_ALONE 4

/* What is taken for the messages of a stream that wait, at least. */
#define STREAM_BLOCK ((size_t)4 << 10)

/* What one stream may send before others have their turn, in small frames. */
#define STREAM_TURN ((size_t)64 << 10)

static vow_scheduler *output_scheduler(const vow_output *output)
{
    return vow_scheduler_of(output->session->loop);
}

/* Memory */

static void outgoing_free(vow_output *output, vow_outgoing *outgoing)
{
    output->queued_bytes -= outgoing->size - outgoing->sent;
    if (outgoing->wire)
        outgoing->wire->outgoing = NULL;
    vow_link_remove(&outgoing->link);
    vow_held_give(output->session, outgoing, outgoing->block_size);
}

/* Sending */

static void output_flush(vow_output *output);

static void output_flush_task(vow_task *task)
{
    vow_output *output = VOW_OWNER(task, vow_output, flush);

    output->flush_at = VOW_FLUSH_FIRST;
    output_flush(output);
}

static void output_flush_later(vow_output *output)
{
    if (!output->is_writing && !vow_task_queued(&output->flush))
        vow_scheduler_late(output_scheduler(output), &output->flush);
}

static size_t outgoing_next_size(const vow_outgoing *outgoing, size_t frames)
{
    size_t left = outgoing->size - outgoing->sent;

    return frames * outgoing->frame_size < left ? frames * outgoing->frame_size : left;
}

/* Credit */

/* Payload and charge of the frame at `at`, which is whole. */
static uint64_t frame_cost(const uint8_t *at, size_t *whole)
{
    size_t length = at[0] | (size_t)at[1] << 8 | (size_t)at[2] << 16 | (size_t)at[3] << 24;
    size_t header_size = 0;
    size_t prefix = 0;

    do
        header_size |= (size_t)(at[4 + prefix] & 0x7f) << (7 * prefix);
    while (at[4 + prefix++] & 0x80);
    *whole = 4 + length;
    return length - prefix - header_size + VOW_STREAM_FRAME_CHARGE;
}

/* Takes credit for the frames of a stream that may leave now; gives their bytes. */
static size_t paced_take(vow_output *output, vow_outgoing *outgoing, size_t frames)
{
    vow_pace *pace = outgoing->pace;
    size_t    most = outgoing->frame_size ? frames * outgoing->frame_size : STREAM_TURN;
    size_t    at = outgoing->sent;

    while (at < outgoing->size && at - outgoing->sent < most) {
        size_t   whole;
        uint64_t cost = frame_cost(outgoing->bytes + at, &whole);

        if (at >= outgoing->free_from)
            cost = 0;
        if (cost > pace->credit || cost > output->credit)
            break;
        pace->credit -= cost;
        output->credit -= cost;
        at += whole;
    }
    return at - outgoing->sent;
}

/* A block that can't go on for want of credit waits for that of its stream, or with others for the
 * connection's. */
static void paced_block(vow_output *output, vow_outgoing *outgoing)
{
    size_t whole;

    if (frame_cost(outgoing->bytes + outgoing->sent, &whole) > outgoing->pace->credit)
        outgoing->pace->is_blocked = true;
    else
        vow_list_append(&output->starved, &outgoing->link);
}

void vow_output_credit(vow_output *output, vow_pace *pace, uint64_t credit)
{
    pace->credit += credit;
    if (pace->credit > pace->window)
        pace->window = pace->credit;
    if (!pace->is_blocked)
        return;
    pace->is_blocked = false;
    vow_list_append(&output->large, &pace->first->link);
    output_flush_later(output);
}

void vow_output_connection_credit(vow_output *output, uint64_t credit)
{
    output->credit += credit;
    if (vow_list_empty(&output->starved))
        return;
    vow_list_splice(&output->large, &output->starved);
    output_flush_later(output);
}

/* A block of a stream has left, and the next one has its turn. */
static void paced_advance(vow_output *output, vow_pace *pace)
{
    pace->first = pace->first->next;
    if (pace->first)
        vow_list_append(&output->large, &pace->first->link);
    else
        pace->last = NULL;
}

/* The writer is told of room as soon as the last of a stream is on its way: the next message is then packed
 * while the kernel has this one. */
static void paced_leaves(vow_output *output, vow_pace *pace, size_t size)
{
    pace->wire->queued -= size;
    output->paced_bytes -= size;
    output->has_sent_of_calls = true;
    if (pace->wire->queued == 0)
        output->emptied(output, pace);
}

static size_t output_choose_slices(vow_output *output, vow_slice *slices)
{
    size_t frames = 1;
    size_t count = 0;

    if (output->filling.size) {
        vow_buffer swap = output->leaving;

        output->leaving = output->filling;
        output->filling = swap;
        output->filling.size = 0;
        output->pongs_leaving = output->pongs;
        slices[count++] = (vow_slice){ output->leaving.data, output->leaving.size };
    }
    if (!vow_list_empty(&output->large) && output->large.head.next == output->large.head.previous)
        frames = FRAMES_ALONE;
    while (output->sending_count < VOW_WRITE_SLICES - 1 && !vow_list_empty(&output->large)) {
        vow_outgoing *outgoing = VOW_OWNER(vow_list_shift(&output->large), vow_outgoing, link);
        size_t        size =
            outgoing->pace ? paced_take(output, outgoing, frames) : outgoing_next_size(outgoing, frames);

        if (size == 0) {
            paced_block(output, outgoing);
            continue;
        }
        if (outgoing->pace)
            paced_leaves(output, outgoing->pace, size);
        slices[count++] = (vow_slice){ outgoing->bytes + outgoing->sent, size };
        output->sending[output->sending_count] = outgoing;
        output->sending_size[output->sending_count++] = size;
    }
    return count;
}

static void output_has_left(vow_output *output)
{
    output->queued_bytes -= output->leaving.size;
    output->leaving.size = 0;
    output->pongs -= output->pongs_leaving;
    output->pongs_leaving = 0;
    for (size_t i = 0; i < output->sending_count; i++) {
        vow_outgoing *outgoing = output->sending[i];

        outgoing->sent += output->sending_size[i];
        output->queued_bytes -= output->sending_size[i];
        if (outgoing->sent < outgoing->size && !outgoing->is_dropped) {
            vow_list_append(&output->large, &outgoing->link);
            continue;
        }
        if (outgoing->pace)
            paced_advance(output, outgoing->pace);
        outgoing_free(output, outgoing);
    }
    output->sending_count = 0;
}

static void output_rest(vow_output *output)
{
    vow_buffer_give(output->session, &output->filling);
    vow_buffer_give(output->session, &output->leaving);
    output->pongs = 0;
    output->pongs_leaving = 0;
}

static void output_flush(vow_output *output)
{
    vow_slice slices[VOW_WRITE_SLICES];
    size_t    before = output->queued_bytes;
    size_t    count;

    if (output->is_writing || !output->session->stream)
        return;
    while ((count = output_choose_slices(output, slices)) > 0) {
        if (!vow_stream_write(output->session->stream, slices, count)) {
            output->is_writing = true;
            break;
        }
        output_has_left(output);
        if (before - output->queued_bytes >= FLUSH_MAX && output->queued_bytes > 0) {
            output_flush_later(output);
            break;
        }
    }
    if (count == 0)
        output_rest(output);
    output->drained(output);
}

void vow_output_written(vow_output *output)
{
    output->is_writing = false;
    output_has_left(output);
    output_flush(output);
}

/* Filling */

bool vow_output_make_room(vow_output *output, size_t size)
{
    size_t least = output->flush_at > VOW_FLUSH_FIRST ? BUSY_BLOCK : FIRST_BLOCK;

    return vow_buffer_make_room(output->session, &output->filling, size, least) != NULL;
}

static VOW_APART void output_flush_early(vow_output *output)
{
    output->flush_at += output->flush_at < VOW_FLUSH_MOST ? output->flush_at / 2 : 0;
    output_flush(output);
    if (output->queued_bytes)
        output_flush_later(output);
}

static inline void output_filled(vow_output *output, const uint8_t *end)
{
    size_t size = (size_t)(end - output->filling.data);

    output->queued_bytes += size - output->filling.size;
    output->filling.size = size;
    if (size >= output->flush_at)
        output_flush_early(output);
    else
        output_flush_later(output);
}

vow_code vow_output_raw(vow_output *output, const void *data, size_t size)
{
    if (!vow_output_make_room(output, size))
        return VOW_RESOURCE_EXHAUSTED;
    memcpy(output->filling.data + output->filling.size, data, size);
    output_filled(output, output->filling.data + output->filling.size + size);
    return VOW_OK;
}

vow_code vow_output_frame(vow_output *output, const vow_header *header, vow_bytes payload)
{
    uint8_t *at;

    if (!vow_output_make_room(output, vow_header_room(header) + payload.size))
        return VOW_RESOURCE_EXHAUSTED;
    at = vow_header_write(output->filling.data + output->filling.size, header, payload.size);
    if (payload.size)
        memcpy(at, payload.data, payload.size);
    output_filled(output, at + payload.size);
    return VOW_OK;
}

/* Large messages */

/* False: all of it has left, and nothing remains to be queued. */
static bool outgoing_pack(vow_output *output, vow_outgoing *outgoing, const ProtobufCMessage *message,
                          size_t size, const vow_cut *cut)
{
    vow_outgoing_pack(output, outgoing, message, size, cut);
    if (output->filling.size || outgoing->size)
        output_flush_later(output);
    if (outgoing->size)
        return true;
    vow_held_give(output->session, outgoing, outgoing->block_size);
    return false;
}

static vow_code output_large(vow_output *output, vow_header *header, const ProtobufCMessage *message,
                             size_t size, vow_wire *wire)
{
    const vow_cut cut = { .header = { .kind = VOW_FRAME_MESSAGE, .call = header->call, .more = true },
                          .max_frame_size = output->max_frame_size };
    vow_outgoing *outgoing = vow_outgoing_new(output, size, &cut);

    if (!outgoing)
        return VOW_RESOURCE_EXHAUSTED;
    header->more = true;
    header->message_size = size;
    if (vow_output_frame(output, header, (vow_bytes){ NULL, 0 }) != VOW_OK) {
        vow_held_give(output->session, outgoing, outgoing->block_size);
        return VOW_RESOURCE_EXHAUSTED;
    }
    if (!outgoing_pack(output, outgoing, message, size, &cut))
        return VOW_OK;
    outgoing->wire = wire;
    if (wire)
        wire->outgoing = outgoing;
    vow_list_append(&output->large, &outgoing->link);
    output->queued_bytes += outgoing->size;
    return VOW_OK;
}

/* Short messages */

/* What one may have, in frames of a size, where a message may have `most` bytes. */
static size_t short_room(size_t max_frame_size, uint64_t most)
{
    size_t room = max_frame_size - VOW_HEADER_PLAIN_MAX; /* VOW_FRAME_LEAST and VOW_WINDOW_LEAST are more */

    room = room < VOW_SHORT_MESSAGE ? room : VOW_SHORT_MESSAGE;
    return room < most ? room : (size_t)most;
}

void vow_output_agree(vow_output *output, size_t max_frame_size, uint64_t window, uint64_t max_message_size)
{
    output->max_frame_size = max_frame_size;
    output->short_room = short_room(max_frame_size, max_message_size);
    output->short_stream_room =
        short_room(window / 4 < max_frame_size ? (size_t)window / 4 : max_frame_size, max_message_size);
}

/* Where a frame of up to `size` bytes begins. NULL: there is no room for it. */
static inline uint8_t *output_short_frame(vow_output *output, size_t size)
{
    if (output->filling.block_size - output->filling.size >= size)
        return output->filling.data + output->filling.size;
    /* The first of an iteration; what has gone the long way leaves, and gives the block back, as well. */
    if (output->filling.data || !vow_output_make_room(output, size))
        return NULL;
    return output->filling.data;
}

/* Packs one of up to `room` bytes at `at`, and closes the frame. Gives its end, or NULL: it has to go the long way. */
static inline uint8_t *frame_pack_short(uint8_t *frame, const ProtobufCMessage *message, uint8_t *at, size_t room)
{
    uint8_t *end = vow_message_pack_short(message, at, at + room);

    if (end)
        vow_header_close_frame(frame, end);
    return end;
}

bool vow_output_short(vow_output *output, const vow_short_header *header, const ProtobufCMessage *message)
{
    size_t   room = output->short_room;
    uint8_t *frame = output_short_frame(output, VOW_HEADER_PLAIN_MAX + room);
    uint8_t *end = frame ? frame_pack_short(frame, message, vow_header_begin_frame(frame, header), room) : NULL;

    if (!end)
        return false;
    output->has_sent_of_calls = true;
    output_filled(output, end);
    return true;
}

vow_code vow_output_message(vow_output *output, vow_header *header, const ProtobufCMessage *message,
                            size_t size, vow_wire *wire)
{
    uint8_t *at;

    output->has_sent_of_calls = true;
    if (size > VOW_LARGE_MESSAGE || (size > 0 && size + vow_header_room(header) > output->max_frame_size))
        return output_large(output, header, message, size, wire);
    if (!vow_output_make_room(output, vow_header_room(header) + size))
        return VOW_RESOURCE_EXHAUSTED;
    at = vow_header_write(output->filling.data + output->filling.size, header, size);
    vow_message_pack(message, at);
    output_filled(output, at + size);
    return VOW_OK;
}

/* Streams */

/* Of a frame of a stream; most have no metadata. */
static size_t stream_header_room(const vow_header *header)
{
    return header->to_send ? vow_header_room(header) : VOW_HEADER_PLAIN_MAX;
}

/* A frame of a stream takes no more than a quarter of its window: half of the window comes back at least, so
 * that a frame never waits for ever. */
static size_t stream_max_frame_size(const vow_output *output, const vow_pace *pace)
{
    size_t quarter = (size_t)(pace->window / 4);

    return quarter < output->max_frame_size ? quarter : output->max_frame_size;
}

static void pace_append(vow_output *output, vow_pace *pace, vow_outgoing *outgoing)
{
    outgoing->pace = pace;
    if (pace->last) {
        pace->last->next = outgoing;
    } else {
        pace->first = outgoing;
        vow_list_append(&output->large, &outgoing->link);
    }
    pace->last = outgoing;
}

/* Room for a small frame at the end of what a stream has queued. NULL: no memory. */
static uint8_t *pace_make_room(vow_output *output, vow_pace *pace, size_t size)
{
    vow_outgoing *last = pace->last;
    size_t        block_size = sizeof *last + (size < STREAM_BLOCK ? STREAM_BLOCK : size);

    if (last && last->frame_size == 0 && sizeof *last + last->size + size <= last->block_size)
        return last->bytes + last->size;
    last = vow_held_take(output->session, &block_size);
    if (!last)
        return NULL;
    *last = (vow_outgoing){ .block_size = block_size, .free_from = SIZE_MAX };
    vow_link_init(&last->link);
    pace_append(output, pace, last);
    return last->bytes;
}

static void paced_more(vow_output *output, vow_pace *pace, size_t size)
{
    pace->wire->queued += size;
    output->paced_bytes += size;
    output->queued_bytes += size;
}

static void pace_filled(vow_output *output, vow_pace *pace, const uint8_t *end)
{
    size_t size = (size_t)(end - pace->last->bytes) - pace->last->size;

    pace->last->size += size;
    paced_more(output, pace, size);
    output_flush_later(output);
}

/* Whatever credit a peer gives, it is not sent what it does not read: the sender hears that there is no room. */
static bool output_is_full(const vow_output *output)
{
    return vow_output_pressing(output) > output->session->options.max_queued_bytes;
}

/* Has a message to wait for those before it, or for credit? */
static bool pace_waits(const vow_output *output, const vow_pace *pace, uint64_t cost)
{
    return pace->first || cost > pace->credit || cost > output->credit || output_is_full(output);
}

static void pace_pay(vow_output *output, vow_pace *pace, uint64_t cost)
{
    pace->credit -= cost;
    output->credit -= cost;
    output->has_sent_of_calls = true;
}

/* Begins a frame of a stream, as the last one began where that was of the same. Gives where the message goes. */
static inline uint8_t *output_begin_stream(vow_output *output, uint8_t *frame, uint64_t call)
{
    vow_beginning *beginning = &output->beginning;

    if (beginning->call != call) {
        const vow_short_header header = { .kind = VOW_FRAME_STREAM, .call = call };

        beginning->size = (size_t)(vow_header_begin_frame(beginning->bytes, &header) - beginning->bytes);
        beginning->call = call;
    }
    memcpy(frame, beginning->bytes, sizeof beginning->bytes);
    return frame + beginning->size;
}

bool vow_output_stream_short(vow_output *output, vow_pace *pace, const ProtobufCMessage *message)
{
    size_t   room = output->short_stream_room;
    uint8_t *frame = output_short_frame(output, VOW_HEADER_SHORT_MAX + room);
    uint8_t *at, *end;
    uint64_t cost;

    if (!frame)
        return false;
    at = output_begin_stream(output, frame, pace->wire->node.key);
    end = frame_pack_short(frame, message, at, room);
    if (!end)
        return false;
    cost = (uint64_t)(end - at) + VOW_STREAM_FRAME_CHARGE;
    if (pace_waits(output, pace, cost))
        return false;
    pace_pay(output, pace, cost);
    output_filled(output, end);
    return true;
}

static vow_code stream_small(vow_output *output, vow_pace *pace, const vow_header *header,
                             const ProtobufCMessage *message, size_t size)
{
    uint64_t cost = size + VOW_STREAM_FRAME_CHARGE;
    size_t   room = stream_header_room(header) + size;
    uint8_t *at;

    if (pace_waits(output, pace, cost)) {
        at = pace_make_room(output, pace, room);
        if (!at)
            return VOW_RESOURCE_EXHAUSTED;
        at = vow_header_write(at, header, size);
        vow_message_pack(message, at);
        pace_filled(output, pace, at + size);
        return VOW_OK;
    }
    if (!vow_output_make_room(output, room))
        return VOW_RESOURCE_EXHAUSTED;
    pace_pay(output, pace, cost);
    at = vow_header_write(output->filling.data + output->filling.size, header, size);
    vow_message_pack(message, at);
    output_filled(output, at + size);
    return VOW_OK;
}

static const vow_raw no_bytes = VOW_RAW_INIT(NULL, 0);

static vow_code stream_large(vow_output *output, vow_pace *pace, vow_header *header,
                             const ProtobufCMessage *message, size_t size)
{
    vow_cut       cut = { .header = { .kind = VOW_FRAME_STREAM, .call = header->call, .more = true },
                          .max_frame_size = stream_max_frame_size(output, pace),
                          .pace = pace };
    vow_outgoing *outgoing = vow_outgoing_new(output, size, &cut);

    if (!outgoing)
        return VOW_RESOURCE_EXHAUSTED;
    header->more = true;
    header->message_size = size;
    if (stream_small(output, pace, header, &no_bytes.base, 0) != VOW_OK) {
        vow_held_give(output->session, outgoing, outgoing->block_size);
        return VOW_RESOURCE_EXHAUSTED;
    }
    cut.waits = pace->first;
    if (!outgoing_pack(output, outgoing, message, size, &cut))
        return VOW_OK;
    pace_append(output, pace, outgoing);
    paced_more(output, pace, outgoing->size);
    return VOW_OK;
}

vow_code vow_output_stream(vow_output *output, vow_pace *pace, vow_header *header,
                           const ProtobufCMessage *message, size_t size)
{
    if (size > VOW_LARGE_MESSAGE ||
        (size > 0 && size + stream_header_room(header) > stream_max_frame_size(output, pace)))
        return stream_large(output, pace, header, message, size);
    return stream_small(output, pace, header, message, size);
}

vow_code vow_output_behind(vow_output *output, vow_pace *pace, const vow_header *header)
{
    uint8_t *at;

    if (!pace->first)
        return vow_output_frame(output, header, (vow_bytes){ NULL, 0 });
    at = pace_make_room(output, pace, vow_header_room(header));
    if (!at)
        return VOW_RESOURCE_EXHAUSTED;
    if (pace->last->free_from == SIZE_MAX)
        pace->last->free_from = pace->last->size;
    pace_filled(output, pace, vow_header_write(at, header, 0));
    return VOW_OK;
}

static bool output_is_sending(const vow_output *output, const vow_outgoing *outgoing)
{
    for (size_t i = 0; i < output->sending_count; i++) {
        if (output->sending[i] == outgoing)
            return true;
    }
    return false;
}

void vow_output_forget(vow_output *output, vow_wire *wire)
{
    vow_outgoing *outgoing = wire->outgoing;

    if (!outgoing)
        return;
    wire->outgoing = NULL;
    outgoing->wire = NULL;
    outgoing->is_dropped = true;
    if (!output_is_sending(output, outgoing))
        outgoing_free(output, outgoing);
}

void vow_output_forget_stream(vow_output *output, vow_pace *pace)
{
    vow_outgoing *outgoing = pace->first;

    output->paced_bytes -= pace->wire->queued;
    pace->wire->queued = 0;
    while (outgoing) {
        vow_outgoing *next = outgoing->next;

        outgoing->pace = NULL;
        outgoing->is_dropped = true;
        if (!output_is_sending(output, outgoing))
            outgoing_free(output, outgoing);
        outgoing = next;
    }
    pace->first = NULL;
    pace->last = NULL;
    pace->is_blocked = false;
}

/* Life */

void vow_output_init(vow_output *output, vow_session *session, void (*drained)(vow_output *output),
                     void (*emptied)(vow_output *output, vow_pace *pace))
{
    *output = (vow_output){
        .session = session,
        .flush_at = VOW_FLUSH_FIRST,
        .drained = drained,
        .emptied = emptied,
    };
    vow_output_agree(output, VOW_FRAME_UNTIL_HELLO, UINT64_MAX, UINT64_MAX);
    vow_list_init(&output->large);
    vow_list_init(&output->starved);
    vow_task_init(&output->flush, output_flush_task);
}

void vow_output_done(vow_output *output)
{
    vow_link *link;

    vow_task_cancel(&output->flush);
    for (size_t i = 0; i < output->sending_count; i++)
        outgoing_free(output, output->sending[i]);
    output->sending_count = 0;
    while ((link = vow_list_first(&output->large)))
        outgoing_free(output, VOW_OWNER(link, vow_outgoing, link));
    while ((link = vow_list_first(&output->starved)))
        outgoing_free(output, VOW_OWNER(link, vow_outgoing, link));
    vow_buffer_give(output->session, &output->filling);
    vow_buffer_give(output->session, &output->leaving);
    output->queued_bytes = 0;
}
