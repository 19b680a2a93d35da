/*
 * What comes from the peer: frames to events.
 *
 * The idea: what may come, and from whom, is a table. A fault that concerns one call ends that call; anything
 * that a peer which follows the protocol can't send ends the session.
 */
#include "runtime/protocol/native/session.h"

#include "runtime/base/details.h"

#include <string.h>

#define NS_PER_US 1000u

static bool id_is_peers(const vow_native *native, uint64_t id)
{
    return (id & 1) == (native->base.options.is_server ? 1 : 0);
}

/* Was there ever such a call? Frames may cross with its end. */
static bool id_was_begun(const vow_native *native, uint64_t id)
{
    return id > 0 && (id_is_peers(native, id) ? id <= native->last_peer_call : id < native->next_call);
}

/* Frames: a call begins */

typedef struct arrival_of {
    vow_heard heard;
    char      name[VOW_METHOD_NAME_MAX + 1];
} arrival_of;

/* The method of a CALL: by its number, or by a name for which there was no number. */
static bool call_find_method(vow_native *native, const vow_header *header, arrival_of *of)
{
    vow_methods *methods = &native->methods;
    vow_bytes    name = header->method_name;

    if (header->method > methods->heard_count || (header->method == 0 && !name.data)) {
        vow_native_break(native, "CALL %llu is for method %u, which was not named",
                         (unsigned long long)header->call, header->method);
        return false;
    }
    if (header->method) {
        of->heard = methods->heard[header->method - 1];
        return true;
    }
    if (name.size == 0 || name.size > VOW_METHOD_NAME_MAX) {
        vow_native_break(native, "CALL has a name of %zu bytes; 1 to %d are allowed", name.size,
                         VOW_METHOD_NAME_MAX);
        return false;
    }
    memcpy(of->name, name.data, name.size);
    of->name[name.size] = '\0';
    of->heard = (vow_heard){ of->name, native->base.events->resolve(native->base.owner, of->name) };
    return true;
}

static vow_status message_too_large(const vow_native *native, uint64_t size)
{
    return vow_status_make(VOW_RESOURCE_EXHAUSTED,
                           "a message of %llu bytes came; %zu are allowed (max_message_size)",
                           (unsigned long long)size, native->base.options.max_message_size);
}

static uint64_t frame_message_size(const vow_header *header, const vow_payload *payload)
{
    return header->more ? header->message_size : payload->whole;
}

/* What keeps a call from beginning, before rpc is asked; OK: nothing. */
static vow_status call_check(const vow_native *native, const vow_header *header, const vow_payload *payload)
{
    size_t theirs = native->base.calls.count - (native->base.our_calls - native->ghosts.count);

    if (frame_message_size(header, payload) > native->base.options.max_message_size)
        return message_too_large(native, frame_message_size(header, payload));
    if (theirs >= native->base.options.max_calls)
        return vow_status_make(VOW_RESOURCE_EXHAUSTED,
                               "the connection has %zu calls, its limit (max_calls_per_connection)", theirs);
    return VOW_STATUS_OK;
}

static uint64_t call_deadline(vow_native *native, const vow_header *header)
{
    uint64_t now = vow_scheduler_now_ns(vow_native_scheduler(native));

    if (header->time_left_us == 0 || header->time_left_us > (UINT64_MAX - 1 - now) / NS_PER_US)
        return UINT64_MAX;
    return now + header->time_left_us * NS_PER_US;
}

/* Asks rpc for a wire. NULL: refused, and the caller is told. */
static vow_wire *call_admit(vow_native *native, const vow_header *header, const arrival_of *of,
                            const vow_payload *payload)
{
    vow_arrival   arrival = { .handler = of->heard.handler,
                              .method = of->heard.name,
                              .deadline_ns = call_deadline(native, header),
                              .streams = header->streams,
                              .refusal = call_check(native, header, payload) };
    vow_metadata *metadata = NULL;
    size_t        block_size;
    vow_error     error;
    vow_wire     *wire = NULL;

    if (arrival.refusal.code == VOW_OK &&
        vow_entries_read(native, &header->metadata, &metadata, &block_size, &error) != VOW_OK)
        arrival.refusal = vow_status_of_error(&error);
    if (arrival.refusal.code == VOW_OK) {
        arrival.metadata = metadata;
        wire = native->base.events->began(native->base.owner, &arrival);
        vow_entries_free(native, metadata, block_size);
    }
    if (!wire)
        vow_calls_send_status(native, NULL, header->call,
                              VOW_ENDING(.never_ran = true, .status = arrival.refusal));
    vow_status_done(&arrival.refusal);
    return wire;
}

/* Its id is beyond what the last goaway named. Who has heard that ignores this; who has not must not wait. */
static void call_refuse_late(vow_native *native, const vow_header *header)
{
    vow_status why = vow_status_make(VOW_UNAVAILABLE, "the server is stopping, and did not serve the call");

    vow_calls_send_status(native, NULL, header->call, VOW_ENDING(.status = why, .never_ran = true));
    vow_status_done(&why);
}

static void hear_call(vow_native *native, const vow_header *header, const vow_payload *payload)
{
    arrival_of of;
    vow_wire  *wire = NULL;

    if (!id_is_peers(native, header->call) || header->call <= native->last_peer_call) {
        vow_native_break(native, "CALL %llu; the last one was %llu, and ids grow in steps of 2",
                         (unsigned long long)header->call, (unsigned long long)native->last_peer_call);
        return;
    }
    if (header->streams && payload->whole > 0) {
        vow_native_break(native, "CALL %llu streams, and has %zu bytes of payload",
                         (unsigned long long)header->call, payload->whole);
        return;
    }
    if (!call_find_method(native, header, &of))
        return;
    native->last_peer_call = header->call;
    if (native->life.sent_last)
        call_refuse_late(native, header);
    else
        wire = call_admit(native, header, &of, payload);
    if (!wire) {
        vow_input_skip(native, payload);
        return;
    }
    vow_life_add_call(&native->life, wire, header->call, false);
    wire->has_spoken = true;
    if (header->streams)
        return;
    wire->has_ended = true;
    vow_input_assemble(native, wire, header, payload);
}

/* Frames: a message goes on, a call ends */

/* Gives the wire of a call of ours; NULL: it has gone, or never was, which breaks the session. */
static vow_wire *find_ours(vow_native *native, const vow_header *header)
{
    vow_wire *wire = vow_calls_find(native, header->call);

    if (wire && wire->is_ours)
        return wire;
    if (wire || id_is_peers(native, header->call) || !id_was_begun(native, header->call))
        vow_native_break(native, "%s for call %llu, which this side has not begun",
                         vow_frame_kind_name(header->kind), (unsigned long long)header->call);
    return NULL;
}

/* What the other side sends before its messages, and before its end. False: the call has ended. */
static bool take_metadata(vow_native *native, vow_wire *wire, const vow_header *header)
{
    bool          is_late = wire->has_spoken;
    vow_metadata *metadata = NULL;
    size_t        block_size = 0;
    vow_error     error;

    wire->has_spoken = true;
    if (header->metadata.count == 0)
        return true;
    if (is_late)
        vow_error_set(&error, VOW_INTERNAL, "metadata came behind a message");
    else
        vow_entries_read(native, &header->metadata, &metadata, &block_size, &error);
    if (!metadata) {
        vow_calls_fail(
            native, wire,
            vow_status_make(VOW_INTERNAL, "%s: the peer's %s", native->base.options.target, error.message));
        return false;
    }
    native->base.events->metadata(wire, metadata);
    vow_entries_free(native, metadata, block_size);
    return vow_native_is_alive(native) && vow_calls_find(native, header->call) == wire;
}

static void hear_metadata(vow_native *native, const vow_header *header, const vow_payload *payload)
{
    vow_wire *wire = find_ours(native, header);

    (void)payload;
    if (wire && header->metadata.count == 0 && !wire->has_spoken) {
        wire->has_spoken = true;
        native->base.events->metadata(wire, NULL);
    } else if (wire) {
        take_metadata(native, wire, header);
    }
}

/* What comes with the end of the other side's messages. False: the call has ended. */
static bool take_trailing(vow_native *native, vow_wire *wire, const vow_header *header,
                          vow_metadata **trailing, size_t *block_size)
{
    vow_error error;

    if (vow_entries_read(native, &header->trailing, trailing, block_size, &error) == VOW_OK)
        return true;
    vow_calls_fail(native, wire,
                   vow_status_make(VOW_INTERNAL, "%s: the peer's trailing %s", native->base.options.target,
                                   error.message));
    return false;
}

static bool reply_keep_trailing(vow_wire *wire, vow_metadata *trailing, size_t block_size)
{
    vow_assembly *assembly = wire->incoming;

    if (!assembly || !trailing)
        return false;
    assembly->trailing = trailing;
    assembly->trailing_size = block_size;
    return true;
}

static void reply_take(vow_native *native, vow_wire *wire, const vow_header *header, const vow_payload *payload)
{
    vow_metadata *trailing = NULL;
    size_t        block_size = 0;

    if (!take_metadata(native, wire, header) ||
        !take_trailing(native, wire, header, &trailing, &block_size)) {
        vow_input_skip(native, payload);
        return;
    }
    wire->has_ended = true;
    if (!header->more && payload->size == payload->whole) {
        vow_hearing_message(native, wire, &(vow_packed){ .data = payload->data, .size = payload->size }, trailing);
        vow_entries_free(native, trailing, block_size);
        return;
    }
    if (!vow_input_assemble(native, wire, header, payload) || !vow_native_is_alive(native) ||
        !reply_keep_trailing(wire, trailing, block_size))
        vow_entries_free(native, trailing, block_size);
}

static void hear_reply(vow_native *native, const vow_header *header, const vow_payload *payload)
{
    vow_wire *wire = find_ours(native, header);

    if (!wire) {
        if (vow_native_is_alive(native))
            vow_calls_ghost_ends(native, header->call);
        vow_input_skip(native, payload);
        return;
    }
    if (wire->incoming) {
        vow_native_break(native, "REPLY for call %llu, whose last message has not ended",
                         (unsigned long long)header->call);
        return;
    }
    if (frame_message_size(header, payload) > native->base.options.max_message_size) {
        vow_input_skip(native, payload);
        vow_calls_fail(native, wire, message_too_large(native, frame_message_size(header, payload)));
        return;
    }
    reply_take(native, wire, header, payload);
}

static void hear_message(vow_native *native, const vow_header *header, const vow_payload *payload)
{
    vow_wire *wire = vow_calls_find(native, header->call);

    if (wire && wire->incoming && wire->has_ended)
        vow_input_assemble(native, wire, header, payload);
    else if (wire || !id_was_begun(native, header->call))
        vow_native_break(native, "MESSAGE for call %llu, which expects none",
                         (unsigned long long)header->call);
    else
        vow_input_skip(native, payload);
}

static vow_code code_of_peer(uint32_t code)
{
    return code > VOW_OK && code <= VOW_UNAUTHENTICATED ? (vow_code)code : VOW_UNKNOWN;
}

/* What the peer says of the failure beyond its code. */
static vow_status status_of_peer(const vow_header *header)
{
    vow_status status =
        vow_status_copy_text(code_of_peer(header->code), (const char *)header->text.data, header->text.size);

    vow_status_copy_details(&status, header->details.data, header->details.size);
    if (header->has_push_back)
        vow_status_set_push_back(&status, header->push_back_ms < VOW_PUSH_BACK_MAX_MS
                                              ? (int64_t)header->push_back_ms
                                              : VOW_PUSH_BACK_MAX_MS);
    return status;
}

/* The status matters more than what is wrong with its metadata. */
static void hear_failure(vow_native *native, vow_wire *wire, const vow_header *header)
{
    vow_metadata *metadata = NULL;
    vow_metadata *trailing = NULL;
    size_t        metadata_size = 0;
    size_t        trailing_size = 0;
    vow_status    status = status_of_peer(header);
    vow_error     error;

    if (!wire->has_spoken)
        vow_entries_read(native, &header->metadata, &metadata, &metadata_size, &error);
    vow_entries_read(native, &header->trailing, &trailing, &trailing_size, &error);
    if (metadata)
        native->base.events->metadata(wire, metadata);
    if (vow_native_is_alive(native) && vow_calls_find(native, header->call) == wire)
        vow_calls_end(native, wire,
                      VOW_ENDING(.status = status, .trailing = trailing,
                                 .never_ran = header->never_ran && !wire->has_spoken));
    vow_entries_free(native, metadata, metadata_size);
    vow_entries_free(native, trailing, trailing_size);
    vow_status_done(&status);
}

static void hear_status(vow_native *native, const vow_header *header, const vow_payload *payload)
{
    vow_wire     *wire = find_ours(native, header);
    vow_metadata *trailing = NULL;
    size_t        block_size = 0;

    (void)payload;
    if (!wire) {
        if (vow_native_is_alive(native))
            vow_calls_ghost_ends(native, header->call);
        return;
    }
    if (header->code != VOW_OK) {
        hear_failure(native, wire, header);
        return;
    }
    if (wire->incoming) { /* what came of it must not pass for all of the stream */
        vow_native_break(native, "STATUS for call %llu, in the middle of a message",
                         (unsigned long long)header->call);
        return;
    }
    /* The end of a stream. */
    if ((header->metadata.count > 0 && !take_metadata(native, wire, header)) ||
        !take_trailing(native, wire, header, &trailing, &block_size))
        return;
    vow_calls_end(native, wire, VOW_ENDING(.status = VOW_STATUS_OK, .trailing = trailing));
    vow_entries_free(native, trailing, block_size);
}

void vow_hearing_message(vow_native *native, vow_wire *wire, vow_packed *packed, const vow_metadata *trailing)
{
    uint64_t id = wire->node.key;
    bool     is_ours = wire->is_ours;
    bool     is_last = wire->has_ended;

    if (!is_last)
        vow_flow_message(native, wire, packed->size);
    native->base.events->message(wire, packed, is_last);
    /* Who reads a stream may have dropped the call, whose memory is gone then. */
    if (is_ours && is_last && vow_calls_find(native, id) == wire)
        vow_calls_end(native, wire, VOW_ENDING(.status = VOW_STATUS_OK, .trailing = trailing));
}

/* Streams */

static bool was_answered(const vow_wire *wire)
{
    const vow_flow *flow = wire->flow;

    return flow && flow->is_answered;
}

/* May the message begin? False: the call has ended. */
static bool stream_begin_message(vow_native *native, vow_wire *wire, const vow_header *header,
                                 const vow_payload *payload)
{
    if (frame_message_size(header, payload) <= native->base.options.max_message_size)
        return take_metadata(native, wire, header);
    vow_calls_fail(native, wire, message_too_large(native, frame_message_size(header, payload)));
    return false;
}

static void hear_stream(vow_native *native, const vow_header *header, const vow_payload *payload)
{
    vow_wire *wire = vow_calls_find(native, header->call);

    if (!wire && !id_was_begun(native, header->call)) {
        vow_native_break(native, "STREAM for call %llu, which was never begun",
                         (unsigned long long)header->call);
        return;
    }
    if (wire && !vow_flow_of(native, wire)) {
        vow_calls_fail(native, wire, vow_status_no_memory());
        wire = NULL;
    }
    if (!vow_flow_receive(native, wire, header, payload->whole))
        return;
    if (!wire || was_answered(wire) ||
        (!wire->incoming && !stream_begin_message(native, wire, header, payload))) {
        vow_input_skip(native, payload);
        return;
    }
    if (native->input.seen.size > 0)
        native->input.seen.flow = wire->flow;
    vow_input_assemble(native, wire, header, payload);
}

bool vow_hearing_next(vow_native *native, vow_flow *flow, const uint8_t *payload, size_t size)
{
    vow_wire *wire = flow->pace.wire;

    if (wire->incoming || flow->is_answered || size > native->base.options.max_message_size ||
        !vow_flow_receive_next(native, flow, size))
        return false;
    if (vow_native_is_alive(native))
        native->base.events->message(wire, &(vow_packed){ .data = payload, .size = size }, false);
    return true;
}

static void hear_end(vow_native *native, const vow_header *header, const vow_payload *payload)
{
    vow_wire *wire = vow_calls_find(native, header->call);

    (void)payload;
    if (!id_is_peers(native, header->call) || !id_was_begun(native, header->call))
        vow_native_break(native, "END for call %llu, which its sender has not begun",
                         (unsigned long long)header->call);
    else if (wire && (wire->has_ended || wire->incoming))
        vow_native_break(native, "END for call %llu, %s", (unsigned long long)header->call,
                         wire->has_ended ? "whose messages had ended" : "in the middle of a message");
    else if (wire) {
        wire->has_ended = true;
        if (!was_answered(wire))
            native->base.events->finished(wire);
    }
}

static void hear_credit(vow_native *native, const vow_header *header, const vow_payload *payload)
{
    vow_wire *wire = header->call ? vow_calls_find(native, header->call) : NULL;

    (void)payload;
    if (header->call && !wire && !id_was_begun(native, header->call))
        vow_native_break(native, "CREDIT for call %llu, which was never begun",
                         (unsigned long long)header->call);
    else if (wire && !vow_flow_of(native, wire)) /* it may be given before anything was sent */
        vow_calls_fail(native, wire, vow_status_no_memory());
    else
        vow_flow_hear_credit(native, header, wire);
}

/* The caller of a call that we serve has gone */

static void hear_cancel(vow_native *native, const vow_header *header, const vow_payload *payload)
{
    vow_wire *wire = vow_calls_find(native, header->call);

    (void)payload;
    if (!id_is_peers(native, header->call) || !id_was_begun(native, header->call)) {
        vow_native_break(native, "CANCEL for call %llu, which its sender has not begun",
                         (unsigned long long)header->call);
        return;
    }
    if (!wire)
        return; /* crossed with the answer */
    vow_calls_end(native, wire, VOW_ENDING(.status = vow_status_cancelled()));
    if (!vow_life_cancelled(&native->life))
        vow_native_break(native, "too many calls were cancelled, for the third time in %d s: calm down",
                         VOW_STOPS_WITHIN_S);
}

/* Frames that concern no call */

static void hear_ping(vow_native *native, const vow_header *header, const vow_payload *payload)
{
    (void)payload;
    vow_pings_hear_ping(native, header);
}

static void hear_pong(vow_native *native, const vow_header *header, const vow_payload *payload)
{
    (void)payload;
    vow_pings_hear_pong(native, header);
}

static void hear_goaway(vow_native *native, const vow_header *header, const vow_payload *payload)
{
    (void)payload;
    vow_native_hear_goaway(native, header);
}

static void hear_hello(vow_native *native, const vow_header *header, const vow_payload *payload)
{
    (void)header;
    vow_native_greet(native, (vow_bytes){ payload->data, payload->size });
}

static void hear_method(vow_native *native, const vow_header *header, const vow_payload *payload)
{
    (void)payload;
    vow_methods_hear(native, header);
}

/* What may come in which state, and who hears it. */
static const struct {
    bool in_hello;
    bool in_open;
    bool has_payload;
    void (*hear)(vow_native *native, const vow_header *header, const vow_payload *payload);
} rules[VOW_FRAME_KINDS] = {
    [VOW_FRAME_CALL] = { false, true, true, hear_call },
    [VOW_FRAME_MESSAGE] = { false, true, true, hear_message },
    [VOW_FRAME_REPLY] = { false, true, true, hear_reply },
    [VOW_FRAME_STATUS] = { false, true, false, hear_status },
    [VOW_FRAME_CANCEL] = { false, true, false, hear_cancel },
    [VOW_FRAME_PING] = { false, true, false, hear_ping },
    [VOW_FRAME_PONG] = { false, true, false, hear_pong },
    [VOW_FRAME_GOAWAY] = { true, true, false, hear_goaway },
    [VOW_FRAME_HELLO] = { true, false, true, hear_hello },
    [VOW_FRAME_METHOD] = { false, true, false, hear_method },
    [VOW_FRAME_CREDIT] = { false, true, false, hear_credit },
    [VOW_FRAME_STREAM] = { false, true, true, hear_stream },
    [VOW_FRAME_END] = { false, true, false, hear_end },
    [VOW_FRAME_METADATA] = { false, true, false, hear_metadata },
};

void vow_hearing_frame(vow_native *native, const vow_header *header, const vow_payload *payload)
{
    bool in_hello = native->life.state == VOW_LIFE_HELLO;

    if (!(in_hello ? rules[header->kind].in_hello : rules[header->kind].in_open))
        vow_native_break(native, "%s is not allowed %s", vow_frame_kind_name(header->kind),
                         in_hello ? "before the hello" : "here");
    else if (payload->whole > 0 && !rules[header->kind].has_payload)
        vow_native_break(native, "%s has %zu bytes of payload, and takes none",
                         vow_frame_kind_name(header->kind), payload->whole);
    else
        rules[header->kind].hear(native, header, payload);
}
