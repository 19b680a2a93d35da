/*
 * Bytes to frames.
 *
 * All connections read into the loop's one block in turn, and frames that lie whole in it are decoded in place.
 * What remains of a read is kept apart until the next one: the beginning of a small frame is copied in front of
 * what comes then; the payload of a large one goes straight into the message that it is a part of.
 */
#include "runtime/protocol/native/session.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define NS_PER_S 1000000000u

/* A payload of at least this need not be whole to be looked at. */
#define LARGE_PAYLOAD ((size_t)2 << 10)

/* What a message takes at first, and how fast it may grow. As long as all messages that are coming in on a connection
 * take no more than is trusted, each has its memory at once, and is never copied to a larger place. */
#define FIRST_ROOM ((size_t)64 << 10)
#define GROWTH 4
#define TRUSTED_BYTES ((size_t)8 << 20)

/* What is read straight into a message may run over into the next frame: its header is then here already. */
#define OVERRUN 64

/* Bytes of a frame behind its length that are compared with those of the one before: the size of the header, which has
 * two for its kind, and the others for the call's id, up to 2^28. */
#define SEEN_MOST 8

/* Behind a payload of at least this, only so much is read at first: where another one has come, the rest of it is read
 * into its own memory. Copying it out of the loop's block would take longer than the second read. */
#define WORTH_A_READ ((size_t)32 << 10)
#define LOOK_AHEAD ((size_t)256)

/* A message may take its timeout, and a second for each of these many bytes. */
#define SLOWEST_BYTES_PER_S ((size_t)64 << 10)

/* Messages in pieces */

void vow_input_free(vow_native *native, vow_wire *wire)
{
    vow_assembly *assembly = wire->incoming;

    if (!assembly)
        return;
    wire->incoming = NULL;
    if (native->input.direct == assembly) {
        native->input.direct = NULL;
        native->input.skip = native->input.direct_left;
    }
    vow_timers_disarm(&vow_native_scheduler(native)->timers, &assembly->timer);
    if (assembly->trailing)
        vow_blocks_give(&vow_native_scheduler(native)->blocks, assembly->trailing, assembly->trailing_size);
    native->input.assembling -= assembly->block_size;
    vow_held_give(&native->base, assembly, assembly->block_size);
}

/* All of a message must come in this time from now on. */
static void assembly_arm(vow_assembly *assembly)
{
    vow_scheduler *scheduler = vow_native_scheduler(assembly->native);
    int64_t        time_ms = assembly->native->base.options.message_timeout_ms +
                      (int64_t)(assembly->size * 1000 / SLOWEST_BYTES_PER_S);

    vow_timers_arm(&scheduler->timers, &assembly->timer, vow_scheduler_after_ms(scheduler, time_ms));
}

void vow_input_go_on(vow_wire *wire)
{
    if (wire->incoming)
        assembly_arm(wire->incoming);
}

static void assembly_timed_out(vow_timer *timer)
{
    vow_assembly *assembly = VOW_OWNER(timer, vow_assembly, timer);

    if (vow_life_waits_for_us(&assembly->native->life, timer))
        return;
    if (vow_flow_holds_back(assembly->wire)) {
        assembly_arm(assembly);
        return;
    }
    vow_native_give_up(assembly->native, "%zu bytes of a message of %zu have come in the time for all of it "
                                         "(%s, and a second for each %zu KiB)",
                       assembly->filled, assembly->size, vow_life_timeout_name(&assembly->native->life),
                       SLOWEST_BYTES_PER_S >> 10);
}

static vow_assembly *assembly_new(vow_native *native, vow_wire *wire, size_t size)
{
    bool           is_trusted = size <= TRUSTED_BYTES && native->input.assembling + size <= TRUSTED_BYTES;
    size_t         block_size = sizeof(vow_assembly) + (is_trusted || size < FIRST_ROOM ? size : FIRST_ROOM) + OVERRUN;
    vow_assembly  *assembly = vow_held_take_within(&native->base, &block_size);

    if (!assembly)
        return NULL;
    *assembly = (vow_assembly){ .native = native, .wire = wire, .block_size = block_size, .size = size };
    native->input.assembling += block_size;
    vow_timer_init(&assembly->timer, assembly_timed_out);
    assembly_arm(assembly);
    wire->incoming = assembly;
    return assembly;
}

static size_t assembly_room(const vow_assembly *assembly)
{
    return assembly->block_size - sizeof *assembly - OVERRUN;
}

/* Makes room for `size` bytes more, which are on their way. */
static vow_assembly *assembly_grow(vow_native *native, vow_assembly *assembly, size_t size)
{
    vow_scheduler *scheduler = vow_native_scheduler(native);
    size_t         wanted = assembly->filled + size;
    size_t         block_size =
        sizeof *assembly + (wanted > assembly->size / GROWTH ? assembly->size : wanted * GROWTH) + OVERRUN;
    vow_assembly  *larger;

    if (wanted <= assembly_room(assembly))
        return assembly;
    larger = vow_held_take_within(&native->base, &block_size);
    if (!larger)
        return NULL;
    *larger = *assembly;
    larger->block_size = block_size;
    memcpy(larger->bytes, assembly->bytes, assembly->filled);
    vow_timer_init(&larger->timer, assembly_timed_out);
    vow_timers_arm(&scheduler->timers, &larger->timer, assembly->timer.due_us * 1000);
    vow_timers_disarm(&scheduler->timers, &assembly->timer);
    native->input.assembling += block_size - assembly->block_size;
    vow_held_give(&native->base, assembly, assembly->block_size);
    larger->wire->incoming = larger;
    return larger;
}

/* The message is complete: of the assembly only its block is left, which is handed up with it. */
static void assembly_complete(vow_native *native, vow_assembly *assembly)
{
    vow_wire     *wire = assembly->wire;
    vow_metadata *trailing = assembly->trailing;
    size_t        trailing_size = assembly->trailing_size;
    vow_packed    packed = { assembly->bytes, assembly->size, assembly, assembly->block_size };

    wire->incoming = NULL;
    vow_timers_disarm(&vow_native_scheduler(native)->timers, &assembly->timer);
    native->input.assembling -= packed.block_size;
    vow_hearing_message(native, wire, &packed, trailing);
    vow_entries_free(native, trailing, trailing_size);
    vow_held_give_rest(&native->base, &packed);
}

/* The message of a frame that was read to its end may be complete. */
static void assembly_check(vow_native *native, vow_assembly *assembly, bool more)
{
    if (more && assembly->filled == assembly->size)
        vow_native_break(native, "a message goes on beyond its %zu bytes", assembly->size);
    else if (!more && assembly->filled < assembly->size)
        vow_native_break(native, "a message ended after %zu of its %zu bytes", assembly->filled, assembly->size);
    else if (!more)
        assembly_complete(native, assembly);
}

static bool assembly_fails(vow_native *native, vow_wire *wire, const vow_payload *payload)
{
    const vow_account *account = native->base.options.account;

    vow_input_skip(native, payload);
    vow_calls_fail(native, wire,
                   account ? vow_status_make(VOW_RESOURCE_EXHAUSTED,
                                             "no memory for a message: the server holds %zu bytes for its peers; %zu "
                                             "are allowed (max_memory)",
                                             account->used, account->limit)
                           : vow_status_make(VOW_RESOURCE_EXHAUSTED, "no memory for a message"));
    return false;
}

static bool assembly_append(vow_native *native, vow_wire *wire, bool more, const vow_payload *payload)
{
    vow_assembly *assembly = wire->incoming;

    if (payload->whole > assembly->size - assembly->filled) {
        vow_native_break(native, "a message goes on beyond its %zu bytes", assembly->size);
        return false;
    }
    assembly = assembly_grow(native, assembly, payload->whole);
    if (!assembly)
        return assembly_fails(native, wire, payload);
    native->input.expects_large = payload->whole >= WORTH_A_READ;
    if (payload->size)
        memcpy(assembly->bytes + assembly->filled, payload->data, payload->size);
    assembly->filled += payload->size;
    if (payload->size == payload->whole) {
        assembly_check(native, assembly, more);
        return true;
    }
    native->input.direct = assembly;
    native->input.direct_left = payload->whole - payload->size;
    native->input.direct_more = more;
    return true;
}

bool vow_input_assemble(vow_native *native, vow_wire *wire, const vow_header *header, const vow_payload *payload)
{
    bool is_first = !wire->incoming;

    if (is_first && !header->more && payload->size == payload->whole) {
        vow_hearing_message(native, wire, &(vow_packed){ .data = payload->data, .size = payload->size }, NULL);
        return true;
    }
    if (is_first && !assembly_new(native, wire, header->more ? (size_t)header->message_size : payload->whole))
        return assembly_fails(native, wire, payload);
    return assembly_append(native, wire, header->more, payload);
}

void vow_input_skip(vow_native *native, const vow_payload *payload)
{
    native->input.skip += payload->whole - payload->size;
}

/* Frames */

static uint32_t read_length(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* The size of the header at `at`, and of the number before it; 0: not all of that is there. */
static size_t read_header_size(const uint8_t *at, size_t size, size_t *header_size)
{
    size_t value = 0;

    for (size_t i = 0; i < size && i < 3; i++) {
        value |= (size_t)(at[i] & 0x7f) << (7 * i);
        if (!(at[i] & 0x80)) {
            *header_size = value;
            return i + 1;
        }
    }
    *header_size = size < 3 ? 0 : SIZE_MAX;
    return 0;
}

static bool is_payload_carrier(vow_frame_kind kind)
{
    return kind == VOW_FRAME_CALL || kind == VOW_FRAME_REPLY || kind == VOW_FRAME_MESSAGE ||
           kind == VOW_FRAME_STREAM;
}

/* False: it is wrong, and the session was broken. */
static bool input_read_header(vow_native *native, vow_header *header, const uint8_t *at, size_t size)
{
    const char *wrong = vow_header_read(header, at, size);

    if (wrong)
        vow_native_break(native, "the header of a frame %s", wrong);
    return !wrong;
}

static uint64_t read_start(const uint8_t *at)
{
    return read_length(at) | (uint64_t)read_length(at + 4) << 32;
}

/* Notes how a frame of a stream began that is about to be heard: others may be like it. `at` is behind its length. */
static void input_note(vow_native *native, const vow_header *header, const uint8_t *at, size_t size)
{
    uint8_t start[SEEN_MOST] = { 0 };

    native->input.seen = (vow_seen){ .flow = NULL };
    if (header->more || header->metadata.count > 0 || size > SEEN_MOST)
        return;
    memcpy(start, at, size);
    native->input.seen = (vow_seen){ .start = read_start(start), .mask = UINT64_MAX >> 8 * (SEEN_MOST - size),
                                     .size = size };
}

/* Takes one frame, or its beginning. Gives how many bytes were used; 0: more are needed first, or the session broke. */
static size_t input_take_frame(vow_native *native, const uint8_t *at, size_t size)
{
    size_t     length, prefix, header_size, whole, used;
    vow_header header;

    if (size < 5)
        return 0;
    length = read_length(at);
    if (length > native->max_frame_size || length == 0) {
        vow_native_break(native, "a frame of %zu bytes; 1 to %zu are allowed", length,
                         native->max_frame_size);
        return 0;
    }
    prefix = read_header_size(at + 4, size - 4, &header_size);
    if ((prefix && prefix + header_size > length) || header_size > VOW_HEADER_MAX) {
        vow_native_break(native, "a header of %zu bytes in a frame of %zu; %zu are allowed", header_size, length,
                         VOW_HEADER_MAX);
        return 0;
    }
    if (!prefix || size < 4 + prefix + header_size)
        return 0;
    if (!input_read_header(native, &header, at + 4 + prefix, header_size))
        return 0;
    used = 4 + prefix + header_size;
    whole = length - prefix - header_size;
    if (size - used < whole && (whole < LARGE_PAYLOAD || !is_payload_carrier(header.kind)))
        return 0;
    size = size - used < whole ? size - used : whole;
    if (header.kind == VOW_FRAME_STREAM)
        input_note(native, &header, at + 4, prefix + header_size);
    vow_hearing_frame(native, &header, &(vow_payload){ at + used, size, whole });
    return used + size;
}

/* Takes a frame that is like the last one, and whole. Gives how many bytes were used; 0: there is none. */
static inline size_t input_take_next(vow_native *native, const uint8_t *at, size_t size)
{
    const vow_seen *seen = &native->input.seen;
    size_t          length;

    if (!seen->flow || size < 4 + SEEN_MOST || ((read_start(at + 4) ^ seen->start) & seen->mask))
        return 0;
    length = read_length(at);
    if (length < seen->size || length > native->max_frame_size || size - 4 < length ||
        !vow_hearing_next(native, seen->flow, at + 4 + seen->size, length - seen->size))
        return 0;
    return 4 + length;
}

/* Takes the frames that are like the last one. */
static size_t input_take_burst(vow_native *native, const uint8_t *at, size_t size)
{
    size_t taken = 0;
    size_t used;

    while ((used = input_take_next(native, at + taken, size - taken)) > 0)
        taken += used;
    return taken;
}

/* The preface is checked byte by byte: who sends anything else is told soon, and by what it began with. */
static size_t input_take_preface(vow_native *native, const uint8_t *at, size_t size)
{
    size_t compared = size < VOW_PREFACE_SIZE ? size : VOW_PREFACE_SIZE;
    char   seen[3 * VOW_PREFACE_SIZE + 1] = "";

    if (memcmp(at, vow_preface, compared) == 0) {
        if (size < VOW_PREFACE_SIZE)
            return 0;
        native->life.state = VOW_LIFE_HELLO;
        return VOW_PREFACE_SIZE;
    }
    for (size_t i = 0, end = 0; i < compared; i++) {
        bool is_plain = at[i] >= 0x20 && at[i] < 0x7f;

        end += (size_t)snprintf(seen + end, sizeof seen - end, is_plain ? "%c" : "%02x ", at[i]);
    }
    vow_native_lose(native, vow_status_make(VOW_UNAVAILABLE,
                                            "%s: the peer does not speak vow's protocol (it began with \"%s\")",
                                            native->base.options.target, seen));
    return 0;
}

/* Takes what it can; gives how much that was. */
static size_t input_take(vow_native *native, const uint8_t *at, size_t size)
{
    size_t taken = 0;

    while (taken < size && vow_native_is_alive(native)) {
        size_t used;

        if (native->input.skip) {
            used = size - taken < native->input.skip ? size - taken : native->input.skip;
            native->input.skip -= used;
        } else if (native->life.state == VOW_LIFE_PREFACE) {
            used = input_take_preface(native, at + taken, size - taken);
        } else {
            used = input_take_burst(native, at + taken, size - taken);
            if (used == 0)
                used = input_take_frame(native, at + taken, size - taken);
        }
        if (used == 0)
            break;
        taken += used;
    }
    return taken;
}

/* Reading */

/* A frame must not take for ever: what trickles in byte by byte holds a connection. */
static void input_watch(vow_native *native, bool frame_is_open, bool has_moved)
{
    vow_scheduler *scheduler = vow_native_scheduler(native);
    vow_timer     *timer = &native->input.timer;

    if (!frame_is_open)
        vow_timers_disarm(&scheduler->timers, timer);
    else if (has_moved || !vow_timer_armed(timer))
        vow_timers_arm(&scheduler->timers, timer,
                       vow_scheduler_after_ms(scheduler, native->base.options.message_timeout_ms));
}

static void input_timed_out(vow_timer *timer)
{
    vow_native *native = VOW_OWNER(timer, vow_native, input.timer);

    if (vow_life_waits_for_us(&native->life, timer))
        return;
    vow_native_give_up(native, "a frame had begun %lld ms ago and has not ended (%s)",
                       (long long)native->base.options.message_timeout_ms, vow_life_timeout_name(&native->life));
}

/* The beginning of a frame is small, and is kept also when memory for peers is short: a call can't be refused before
 * its frame has been read. */
static void input_keep(vow_native *native, const uint8_t *data, size_t size)
{
    vow_buffer *kept = &native->input.kept;

    if (kept->block_size < size) {
        vow_buffer_give(&native->base, &native->input.kept);
        kept->block_size = size;
        kept->data = vow_held_take(&native->base, &kept->block_size);
        if (!kept->data) {
            kept->block_size = 0;
            vow_native_lose(native, vow_status_no_memory());
            return;
        }
    }
    memcpy(kept->data, data, size);
    kept->size = size;
}

vow_room vow_input_room(vow_native *native)
{
    vow_input *input = &native->input;
    uint8_t   *block;

    if (input->direct) {
        input->room = (vow_room){ input->direct->bytes + input->direct->filled, input->direct_left + OVERRUN };
        return input->room;
    }
    block = vow_loop_read_block(native->base.loop);
    if (!block)
        return (vow_room){ NULL, 0 };
    if (input->kept.size)
        memcpy(block, input->kept.data, input->kept.size);
    input->room = (vow_room){ block + input->kept.size, VOW_READ_BLOCK - input->kept.size };
    if (input->expects_large && input->room.size > LOOK_AHEAD)
        input->room.size = LOOK_AHEAD;
    input->expects_large = false;
    return input->room;
}

/* The rest of a frame, and perhaps the first bytes behind it, lie in the message. */
static void input_read_direct(vow_native *native, size_t size)
{
    vow_input    *input = &native->input;
    vow_assembly *assembly = input->direct;
    size_t        own = size < input->direct_left ? size : input->direct_left;
    uint8_t       overrun[OVERRUN];
    size_t        taken;

    assembly->filled += own;
    input->direct_left -= own;
    if (input->direct_left > 0)
        return;
    size -= own;
    memcpy(overrun, assembly->bytes + assembly->filled, size);
    input->direct = NULL;
    assembly_check(native, assembly, input->direct_more);
    taken = input_take(native, overrun, size);
    if (taken < size && vow_native_is_alive(native))
        input_keep(native, overrun + taken, size - taken);
}

static void input_read_block(vow_native *native, size_t size)
{
    vow_input *input = &native->input;
    uint8_t   *block = input->room.data - input->kept.size;
    size_t     kept = input->kept.size;
    size_t     taken;

    size += kept;
    input->kept.size = 0;
    taken = input_take(native, block, size);
    if (!vow_native_is_alive(native))
        return;
    if (taken < size)
        input_keep(native, block + taken, size - taken);
    else if (input->kept.data)
        vow_buffer_give(&native->base, &native->input.kept);
    input_watch(native, taken < size || input->direct, taken > 0);
}

void vow_input_read(vow_native *native, size_t size)
{
    if (!native->input.direct) {
        input_read_block(native, size);
        return;
    }
    input_read_direct(native, size);
    if (vow_native_is_alive(native))
        input_watch(native, native->input.direct || native->input.skip || native->input.kept.size, true);
}

void vow_input_init(vow_native *native)
{
    native->input = (vow_input){ .direct = NULL };
    vow_timer_init(&native->input.timer, input_timed_out);
}

void vow_input_done(vow_native *native)
{
    vow_timers_disarm(&vow_native_scheduler(native)->timers, &native->input.timer);
    vow_buffer_give(&native->base, &native->input.kept);
}
