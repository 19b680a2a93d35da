#include "runtime/rpc/stream.h"

#include "runtime/base/apart.h"
#include "runtime/base/memory.h"
#include "runtime/protocol/message.h"
#include "runtime/rpc/channel.h"
#include "runtime/rpc/intercept.h"
#include "runtime/rpc/server.h"

#include <assert.h>
#include <string.h>

/* What one call may have queued, with its connection or before there is one. */
#define QUEUED_MAX ((size_t)16 << 20)

/* Before there is a connection there is room for this much. */
#define UNSENT_ROOM ((size_t)64 << 10)

void vow_call_hold(vow_call *call)
{
    if (vow_call_is_callers(call))
        vow_future_busy(&call->future);
    else
        call->side.handling.lent++;
}

void vow_call_let_go(vow_call *call)
{
    if (vow_call_is_callers(call))
        vow_future_unbusy(&call->future);
    else
        vow_handling_let_go(call);
}

void vow_call_end_with(vow_call *call, vow_status status)
{
    if (!vow_call_is_callers(call) && call->state == VOW_CALL_WAITING) {
        vow_handling_abandon(call, &status); /* its handler has not seen it */
        vow_status_done(&status);
    } else if (!vow_call_is_callers(call)) {
        vow_handling_fail(call, status);
    } else if (vow_future_pending(&call->future) && call->state != VOW_CALL_ENDED) {
        vow_caller_fail(call, status);
    } else {
        vow_status_done(&status);
    }
}

/* Parcels */

static vow_parcel *parcel_new(vow_list *list, size_t *bytes, size_t size, bool is_compressed)
{
    vow_parcel *parcel = vow_alloc(sizeof *parcel + size);

    if (!parcel)
        return NULL;
    vow_link_init(&parcel->link);
    parcel->size = size;
    parcel->is_compressed = is_compressed;
    *bytes += size;
    vow_list_append(list, &parcel->link);
    return parcel;
}

static void parcel_free(vow_parcel *parcel, size_t *bytes)
{
    *bytes -= parcel->size;
    vow_link_remove(&parcel->link);
    vow_free(parcel);
}

static void parcels_free(vow_list *list, size_t *bytes)
{
    vow_parcel *parcel;

    while ((parcel = vow_parcel_first(list)))
        parcel_free(parcel, bytes);
}

/* What waits to be read counts as held for the peer. */
static void arrived_charge(vow_call *call)
{
    if (!vow_call_is_callers(call))
        vow_handling_charge(call, call->arena.used + call->streaming->arrived_bytes);
}

void vow_streaming_unpark(vow_streaming *streaming, vow_parcel *parcel)
{
    parcel_free(parcel, &streaming->arrived_bytes);
    arrived_charge(streaming->call);
}

/* Sending */

/* Of a stream that has not ended. */
static bool streaming_is_clear(const vow_streaming *streaming)
{
    return streaming->call->wire.session ? streaming->call->wire.queued == 0 : streaming->unsent_bytes < UNSENT_ROOM;
}

bool vow_streaming_has_room(const vow_streaming *streaming)
{
    return !streaming->is_over && !streaming->has_ended && streaming_is_clear(streaming);
}

static VOW_SELDOM bool unsent_keep(vow_streaming *streaming, const ProtobufCMessage *message)
{
    bool        compresses = streaming->call->wire.compresses;
    vow_parcel *parcel =
        parcel_new(&streaming->unsent, &streaming->unsent_bytes, vow_message_size(message), compresses);

    if (!parcel)
        return false;
    vow_message_pack(message, parcel->bytes);
    return true;
}

static const vow_metadata *first_metadata(vow_call *call)
{
    const vow_metadata *metadata = NULL;

    if (!vow_call_is_callers(call) && !call->streaming->has_sent) {
        metadata = call->side.handling.metadata;
        call->side.handling.metadata = NULL;
    }
    call->streaming->has_sent = true;
    return metadata;
}

static size_t queued_bytes(const vow_call *call)
{
    return call->wire.queued + call->streaming->unsent_bytes;
}

/* A handler need not look at what vow_call_send gives: the call is its own until it ends it, and then ends as this. */
static VOW_SELDOM void send_fails(vow_call *call, vow_status status)
{
    if (vow_call_is_callers(call)) {
        vow_call_end_with(call, status);
        return;
    }
    vow_streaming_over(call, status, true);
    vow_status_done(&status);
}

static VOW_SELDOM void queue_overflows(vow_call *call)
{
    send_fails(call, vow_status_make(VOW_RESOURCE_EXHAUSTED,
                                            "%s: %zu bytes of messages wait to be sent; %zu are allowed: send when "
                                            "there is room (vow_call_when_room, vow_call_write)",
                                            call->method->name, queued_bytes(call), QUEUED_MAX));
}

/* Sends, or keeps, one message. False: nothing more can be sent. */
static bool send_message(vow_call *call, const ProtobufCMessage *message)
{
    vow_session *session = call->wire.session;
    vow_status   status;
    bool         is_sent;

    if (session) {
        is_sent = session->protocol->send(&call->wire, message, first_metadata(call), &status) == VOW_OK;
    } else {
        is_sent = unsent_keep(call->streaming, message);
        status = vow_status_no_memory();
    }
    if (is_sent && queued_bytes(call) <= QUEUED_MAX)
        return true;
    if (is_sent)
        queue_overflows(call);
    else
        send_fails(call, status);
    return false;
}

/* An interceptor's `end` may still have the call, whose streams are ended only after it. */
static bool caller_has_ended(const vow_call *call)
{
    return vow_call_is_callers(call) && call->state == VOW_CALL_ENDED;
}

/* What keeps a message from being sent at all. */
static bool send_is_allowed(vow_call *call, const ProtobufCMessage *message)
{
    bool                              is_callers = vow_call_is_callers(call);
    const ProtobufCMessageDescriptor *wanted = is_callers ? call->method->request : call->method->reply;

    if (caller_has_ended(call))
        return false;
    if (!call->streaming || (!is_callers && !call->method->server_streams))
        vow_call_end_with(call, vow_status_make(VOW_INTERNAL,
                                                "%s is answered once, with vow_call_reply, not vow_call_send",
                                                call->method->name));
    else if (!vow_message_is(message, wanted))
        vow_call_end_with(call, vow_status_make(is_callers ? VOW_INVALID_ARGUMENT : VOW_INTERNAL,
                                                "%s streams %s, and was given a %s", call->method->name,
                                                wanted->name, vow_message_type(message)));
    else
        return !call->streaming->is_over && !call->streaming->has_ended;
    return false;
}

bool vow_call_send(vow_call *call, const ProtobufCMessage *message)
{
    VOW_RULE_THREAD(vow_call_any_scheduler(call));
    if (vow_call_is_missing(call))
        return false;
    VOW_RULE_LIVES(call);
    if (!send_is_allowed(call, message))
        return false;
    if (call->interception) {
        message = vow_intercept_send(call, message);
        if (!message || call->streaming->is_over || call->streaming->has_ended)
            return false; /* an interceptor has sent the last one, or ended the call */
    }
    call->streaming->was_fed = true;
    if (vow_call_is_callers(call) && !call->method->client_streams) {
        call->streaming->has_ended = true;
        call->streaming->has_begun = true;
        vow_caller_start(call, message);
        return false;
    }
    return send_message(call, message) && streaming_is_clear(call->streaming);
}

void vow_call_end(vow_call *call)
{
    vow_streaming *streaming;

    VOW_RULE_THREAD(vow_call_any_scheduler(call));
    if (vow_call_is_missing(call))
        return;
    VOW_RULE_LIVES(call);
    streaming = call->streaming;
    if (!vow_call_is_callers(call)) {
        vow_handling_end_stream(call);
        return;
    }
    if (!streaming || streaming->is_over || streaming->has_ended || caller_has_ended(call))
        return;
    if (!call->method->client_streams) {
        vow_call_end_with(call, vow_status_make(VOW_INVALID_ARGUMENT,
                                                "%s takes a message, and was ended before one was sent",
                                                call->method->name));
        return;
    }
    streaming->has_ended = true;
    if (call->wire.session)
        call->wire.session->protocol->finish(&call->wire);
    vow_streaming_step_soon(streaming);
}

void vow_streaming_connected(vow_call *call)
{
    vow_streaming *streaming = call->streaming;
    vow_parcel           *parcel;
    bool                  compresses = call->wire.compresses;

    while (!streaming->is_over && (parcel = vow_parcel_first(&streaming->unsent))) {
        const vow_raw raw = VOW_RAW_INIT(parcel->bytes, parcel->size);
        bool          is_sent;

        call->wire.compresses = parcel->is_compressed;
        vow_link_remove(&parcel->link); /* what ends the call frees all that waits */
        streaming->unsent_bytes -= parcel->size;
        is_sent = send_message(call, &raw.base);
        vow_free(parcel);
        if (!is_sent)
            return;
    }
    call->wire.compresses = compresses;
    if (streaming->has_ended && call->method->client_streams && call->wire.session)
        call->wire.session->protocol->finish(&call->wire);
    vow_streaming_step_soon(streaming);
}

void vow_streaming_pass_unsent(vow_call *call)
{
    vow_streaming *streaming = call->streaming;
    vow_list       kept;
    vow_parcel    *parcel;
    bool           compresses = call->wire.compresses;

    vow_list_init(&kept);
    vow_list_splice(&kept, &streaming->unsent);
    streaming->unsent_bytes = 0;
    while ((parcel = vow_parcel_first(&kept))) {
        const vow_raw           raw = VOW_RAW_INIT(parcel->bytes, parcel->size);
        const ProtobufCMessage *message = NULL;

        if (!streaming->is_over)
            message = vow_intercept_send_packed(call, &raw);
        call->wire.compresses = parcel->is_compressed;
        if (message && !unsent_keep(streaming, message))
            vow_call_end_with(call, vow_status_no_memory());
        vow_link_remove(&parcel->link);
        vow_free(parcel);
    }
    call->wire.compresses = compresses;
}

/* Events */

/* Keeps a message as it came, until it is wanted. */
static VOW_APART void arrived_park(vow_call *call, const vow_packed *packed)
{
    vow_streaming *streaming = call->streaming;
    vow_parcel    *parcel =
        parcel_new(&streaming->arrived, &streaming->arrived_bytes, packed->size, call->wire.was_compressed);

    if (!parcel) {
        vow_call_end_with(call, vow_status_no_memory());
        return;
    }
    if (packed->size)
        memcpy(parcel->bytes, packed->data, packed->size);
    arrived_charge(call);
}

void vow_streaming_arrived(vow_call *call, vow_packed *packed)
{
    vow_streaming *streaming = call->streaming;

    streaming->has_arrived = true;
    vow_streaming_heard_metadata(streaming);
    if (!vow_list_empty(&streaming->arrived) || !vow_stream_waits_deliver(streaming, packed))
        arrived_park(call, packed);
}

void vow_streaming_finished(vow_wire *wire)
{
    vow_call *call = vow_call_of_wire(wire);

    call->streaming->has_finished = true;
    vow_streaming_step_soon(call->streaming);
}

void vow_streaming_room(vow_wire *wire)
{
    vow_call *call = vow_call_of_wire(wire);

    if (call->streaming)
        vow_streaming_step_soon(call->streaming);
}

/* Life */

static void streaming_step(vow_task *task)
{
    vow_streaming *streaming = VOW_OWNER(task, vow_streaming, step);
    vow_call      *call = streaming->call;

    vow_call_hold(call);
    vow_stream_waits_step(streaming);
    vow_call_let_go(call);
}

bool vow_streaming_new(vow_call *call)
{
    vow_streaming *streaming = vow_arena_alloc(&call->arena, sizeof *streaming);

    if (!streaming)
        return false;
    *streaming = (vow_streaming){ .call = call };
    vow_task_init(&streaming->step, streaming_step);
    vow_task_init(&streaming->serve, NULL);
    vow_list_init(&streaming->arrived);
    vow_list_init(&streaming->unsent);
    vow_list_init(&streaming->rooms);
    vow_list_init(&streaming->heads);
    call->streaming = streaming;
    return true;
}

void vow_streaming_done(vow_call *call)
{
    vow_streaming *streaming = call->streaming;

    if (!streaming)
        return;
    assert(!streaming->reader && !streaming->writer && vow_list_empty(&streaming->rooms) &&
           vow_list_empty(&streaming->heads));
    vow_task_cancel(&streaming->step);
    vow_task_cancel(&streaming->serve);
    parcels_free(&streaming->arrived, &streaming->arrived_bytes);
    parcels_free(&streaming->unsent, &streaming->unsent_bytes);
    vow_status_done(&streaming->why);
    call->streaming = NULL;
}

void vow_streaming_over_now(vow_call *call, vow_status why, bool at_once)
{
    vow_streaming *streaming = call->streaming;

    if (streaming->is_over)
        return;
    streaming->is_over = true;
    streaming->why = vow_status_share(&why);
    parcels_free(&streaming->unsent, &streaming->unsent_bytes);
    if (at_once) {
        parcels_free(&streaming->arrived, &streaming->arrived_bytes);
        arrived_charge(call);
    }
    vow_streaming_step_soon(streaming);
}
