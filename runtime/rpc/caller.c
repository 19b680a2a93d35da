/*
 * A call on its caller's side, from vow_call_unary to its settling.
 *
 * The idea: the call is its future. It is waiting (in the channel's queue), open (on the wire) or ended;
 * caller_end takes it out of wherever it is, and everything that can end it goes through there: the
 * answer, the deadline, a cancellation, a lost connection, a closed channel.
 */
#include "runtime/rpc/channel.h"

#include "runtime/base/utf8.h"
#include "runtime/protocol/message.h"
#include "runtime/protocol/metadata.h"
#include "runtime/rpc/inherit.h"
#include "runtime/rpc/intercept.h"
#include "runtime/rpc/stream.h"

#include <assert.h>
#include <string.h>

#define NS_PER_MS 1000000u

/* A request of no more than this is kept until the call has ended. */
#define KEPT_REQUEST_MAX ((size_t)16 << 10)

/* Takes the call from the wire, the queue, its parent and the timers. The future is still to be settled. */
static void caller_end(vow_call *call)
{
    vow_caller     *caller = &call->side.caller;
    vow_channel    *channel = caller->channel;
    vow_connection *connection = call->wire.session ? caller->connection : NULL;

    assert(call->state != VOW_CALL_ENDED);
    call->state = VOW_CALL_ENDED;
    vow_timers_disarm(&vow_call_scheduler(call)->timers, &call->timer);
    vow_link_remove(&call->sibling);
    if (caller->is_waiting)
        vow_channel_unqueue(channel, call);
    if (connection) {
        channel->protocol->cancel(&call->wire);
        call->wire.session = NULL;
    }
    vow_scheduler_release(vow_call_scheduler(call));
}

/* What must come after the future has settled: it may free the connection, and the channel. */
static void caller_let_go(vow_call *call)
{
    vow_caller  *caller = &call->side.caller;
    vow_channel *channel = caller->channel;

    caller->channel = NULL;
    if (caller->connection)
        vow_connection_call_ended(caller->connection);
    vow_channel_drop(channel);
}

/* An interceptor may have dropped or cancelled the future meanwhile. `status` is given. */
static void caller_settle(vow_call *call, vow_status status)
{
    if (!vow_future_pending(&call->future))
        vow_status_done(&status);
    else if (status.code != VOW_OK)
        vow_future_fail(&call->future, status);
    else
        vow_future_succeed(&call->future, call->side.caller.reply, NULL);
}

void vow_caller_fail(vow_call *call, vow_status status)
{
    caller_end(call);
    status = vow_intercept_end(call, status);
    vow_streaming_over(call, status, true);
    caller_settle(call, status);
    vow_call_cancel_children(call);
    caller_let_go(call);
}

/* The future's class */

static void caller_cancel(vow_future *future)
{
    vow_call  *call = (vow_call *)future;
    vow_status status;

    if (call->state == VOW_CALL_ENDED)
        return;
    caller_end(call);
    status = vow_intercept_end(call, vow_status_share(&future->status));
    vow_status_done(&status); /* the future has settled: an interceptor changes nothing */
    vow_streaming_over(call, future->status, true);
    vow_call_cancel_children(call);
    caller_let_go(call);
}

static void caller_destroy(vow_future *future)
{
    vow_call   *call = (vow_call *)future;
    vow_caller *caller = &call->side.caller;

    if (caller->connection)
        vow_connection_drop(caller->connection);
    vow_status_done(&caller->fault);
    vow_call_free(call);
}

const vow_future_class vow_caller_class = { .name = "call", .cancel = caller_cancel, .destroy = caller_destroy };

vow_call *vow_future_call(vow_future *reply)
{
    while (reply->class != &vow_caller_class && reply->shared)
        reply = reply->shared;
    return reply->class == &vow_caller_class ? (vow_call *)reply : NULL;
}

/* Time */

static void caller_deadline(vow_timer *timer)
{
    vow_call    *call = VOW_OWNER(timer, vow_call, timer);
    vow_channel *channel = call->side.caller.channel;
    const char  *last = channel->last_failure.code == VOW_OK ? "" : vow_status_message(&channel->last_failure);

    if (vow_intercept_pending(call))
        vow_caller_fail(call, vow_status_make(VOW_DEADLINE_EXCEEDED,
                                              "%s: %s: an interceptor held the call back for all of its time",
                                              channel->target, call->method->name));
    else if (call->side.caller.is_waiting)
        vow_caller_fail(call, vow_status_make(VOW_DEADLINE_EXCEEDED, "%s: %s: no connection within the call's time%s%s",
                                              channel->target, call->method->name, *last ? "; " : "", last));
    else
        vow_caller_fail(call, vow_status_make(VOW_DEADLINE_EXCEEDED, "%s: %s: no answer within the call's time",
                                              channel->target, call->method->name));
}

static uint64_t caller_choose_deadline(vow_channel *channel, const vow_method *method,
                                       const vow_call_options *options)
{
    int64_t  usual_ms = vow_method_streams(method) ? VOW_NO_TIMEOUT : channel->options.call_timeout_ms;
    int64_t  timeout_ms = options->timeout_ms ? options->timeout_ms : usual_ms;
    uint64_t deadline = VOW_NO_DEADLINE;

    if (timeout_ms > 0)
        deadline = vow_scheduler_after_ms(vow_scheduler_of(channel->anchor.loop), timeout_ms);
    if (options->parent && options->parent->deadline_ns < deadline)
        deadline = options->parent->deadline_ns;
    return deadline;
}

/* Beginning */

/* Most requests fit into what is left of the call's first memory. NULL: this one does not. */
static const ProtobufCMessage *caller_pack_short(vow_call *call, const ProtobufCMessage *request)
{
    vow_raw *raw = vow_arena_alloc(&call->arena, sizeof *raw);
    size_t   room;
    uint8_t *data = vow_arena_rest(&call->arena, &room);
    uint8_t *end = raw ? vow_message_pack_short(request, data, data + room) : NULL;

    if (!end)
        return NULL;
    vow_arena_alloc(&call->arena, (size_t)(end - data));
    *raw = (vow_raw)VOW_RAW_INIT(data, (size_t)(end - data));
    return &raw->base;
}

static const ProtobufCMessage *caller_pack(vow_call *call, const ProtobufCMessage *request, size_t most)
{
    size_t   size = vow_message_size(request);
    vow_raw *raw = size <= most ? vow_arena_alloc(&call->arena, sizeof *raw + size + 1) : NULL;
    uint8_t *data;

    if (!raw)
        return NULL;
    data = (uint8_t *)(raw + 1);
    vow_message_pack(request, data);
    *raw = (vow_raw)VOW_RAW_INIT(data, size);
    return &raw->base;
}

/* A small request is packed into the call, and copied from there into what is sent: should the server turn the call
 * away, it can begin anew. False: it is not kept, or no more than it was. */
static bool caller_keep_small(vow_call *call, const vow_begin *begin)
{
    vow_caller *caller = &call->side.caller;
    bool        failed = false;

    if (caller->request || !begin->message)
        return false;
    if (caller->metadata != begin->metadata)
        caller->metadata = vow_call_copy_metadata(call, begin->metadata, &failed);
    if (!failed)
        caller->request = caller_pack_short(call, begin->message);
    if (!failed && !caller->request)
        caller->request = caller_pack(call, begin->message, KEPT_REQUEST_MAX);
    return caller->request != NULL;
}

static vow_begin caller_kept(const vow_call *call)
{
    return (vow_begin){
        .method = call->method,
        .message = call->side.caller.request,
        .deadline_ns = call->deadline_ns,
        .metadata = call->side.caller.metadata,
    };
}

bool vow_caller_begin(vow_call *call, vow_connection *connection, const vow_begin *begin)
{
    vow_begin  kept;
    vow_status status;

    call->side.caller.connection = connection;
    connection->references++;
    call->peer = connection->peer;
    if (caller_keep_small(call, begin)) {
        kept = caller_kept(call);
        begin = &kept;
    }
    if (connection->session->protocol->begin(connection->session, &call->wire, begin, &status) != VOW_OK) {
        vow_caller_fail(call, status);
        return false;
    }
    call->state = VOW_CALL_OPEN;
    if (call->streaming)
        vow_streaming_connected(call);
    return true;
}

void vow_caller_begin_queued(vow_call *call, vow_connection *connection)
{
    const vow_begin begin = caller_kept(call);

    vow_caller_begin(call, connection, &begin);
}

bool vow_caller_keep(vow_call *call, const vow_begin *begin)
{
    vow_caller *caller = &call->side.caller;
    bool        failed = false;

    if (begin->message && begin->message != caller->request)
        caller->request = caller_pack(call, begin->message, SIZE_MAX);
    if (caller->metadata != begin->metadata)
        caller->metadata = vow_call_copy_metadata(call, begin->metadata, &failed);
    if ((caller->request || !begin->message) && !failed)
        return true;
    vow_caller_fail(call, vow_status_make(VOW_RESOURCE_EXHAUSTED,
                                          "%s: %s: no memory to keep the request until there is a connection, or it is "
                                          "larger than max_decoded_size (%zu bytes)",
                                          caller->channel->target, call->method->name, call->arena.cap));
    return false;
}

static vow_call *caller_new(vow_channel *channel, const vow_method *method, const vow_call_options *options)
{
    vow_scheduler *scheduler = vow_scheduler_of(channel->anchor.loop);
    vow_call      *call =
        vow_call_new(channel->anchor.loop, method, channel->options.max_decoded_size, caller_deadline);

    if (!call)
        return NULL;
    vow_future_init(&call->future, scheduler, &vow_caller_class);
    call->side.caller = (vow_caller){ .channel = channel, .waits_for_ready = options->wait_for_ready };
    call->wire.compresses = call->wire.may_compress = options->compress;
    channel->references++;
    return call;
}

/* Becomes a child of its parent. False: the call has failed, with the parent that is over already for instance. */
static bool caller_inherit(vow_call *call, vow_call_options *options)
{
    vow_call   *parent = options->parent;
    const char *const *chosen = call->side.caller.channel->options.inherited;
    vow_error   error;

    if (!parent)
        return true;
    if (parent->state == VOW_CALL_GONE) {
        vow_caller_fail(call, vow_status_make(VOW_CANCELLED, "%s: the call that asked for it was cancelled",
                                              call->method->name));
        return false;
    }
    if (vow_inherit_metadata(call, parent, chosen, &options->metadata, &error) != VOW_OK) {
        vow_caller_fail(call, vow_status_of_error(&error));
        return false;
    }
    vow_list_append(&parent->children, &call->sibling);
    return true;
}

/* Filled where it is used: copying what has only just been cleared holds the processor up. */
static void options_read(vow_call_options *options, const vow_call_options *given)
{
    *options = (vow_call_options){ .size = sizeof *options };
    if (given)
        memcpy(options, given, given->size < sizeof *options ? given->size : sizeof *options);
}

static bool method_name_is_allowed(const char *name)
{
    size_t size = strlen(name);

    return size > 0 && size <= VOW_METHOD_NAME_MAX && vow_utf8_span(name, size) == size;
}

/* What is wrong with the call as the user asks for it; VOW_OK: nothing. */
static vow_code caller_check(const vow_channel *channel, const vow_method *method, const vow_call_options *options,
                             vow_error *error)
{
    if (!method_name_is_allowed(method->name))
        return vow_error_set(error, VOW_INVALID_ARGUMENT,
                             "%.64s: a method's name is UTF-8 of 1 to %d bytes; this one has %zu bytes", method->name,
                             VOW_METHOD_NAME_MAX, strlen(method->name));
    if (options->timeout_ms < 0 && options->timeout_ms != VOW_NO_TIMEOUT)
        return vow_error_set(error, VOW_INVALID_ARGUMENT, "%s: a timeout of %lld ms; VOW_NO_TIMEOUT means none",
                             method->name, (long long)options->timeout_ms);
    if (channel->is_closed || vow_loop_closing(channel->anchor.loop))
        return vow_error_set(error, VOW_CANCELLED, "%s: the channel was closed", channel->target);
    return vow_metadata_check(options->metadata, error);
}

static vow_code request_check(const vow_method *method, const ProtobufCMessage *request, vow_error *error)
{
    if (vow_method_streams(method))
        return vow_error_set(error, VOW_INVALID_ARGUMENT,
                             "%s streams: begin it with vow_call_start; vow_call_unary calls methods that do not",
                             method->name);
    if (!vow_message_is(request, method->request))
        return vow_error_set(error, VOW_INVALID_ARGUMENT, "%s takes a %s, and was given a %s", method->name,
                             method->request->name, vow_message_type(request));
    return VOW_OK;
}

/* All interceptors have begun. */
static void caller_go_on(vow_call *call, const ProtobufCMessage *message)
{
    if (call->side.caller.is_waiting)
        vow_channel_unqueue(call->side.caller.channel, call);
    if (call->method->client_streams)
        vow_streaming_pass_unsent(call);
    else if (message)
        message = vow_intercept_send(call, message);
    else
        return; /* it comes with vow_call_send */
    if (call->state == VOW_CALL_WAITING)
        vow_caller_start(call, message);
}

static void caller_intercept(vow_call *call, const ProtobufCMessage *message, const vow_metadata *metadata)
{
    vow_channel *channel = call->side.caller.channel;
    bool         failed = false;

    if (metadata)
        call->side.caller.metadata = vow_call_copy_metadata(call, metadata, &failed);
    if (failed || !vow_intercept_new(call, &channel->chain)) {
        vow_caller_fail(call, vow_status_no_memory());
        return;
    }
    vow_intercept_begin(call, message, caller_go_on);
    if (vow_intercept_pending(call))
        vow_channel_put_off(channel, call);
}

vow_future *vow_call_unary(vow_channel *channel, const vow_method *method, const ProtobufCMessage *request,
                           const vow_call_options *given)
{
    vow_scheduler   *scheduler = vow_scheduler_of(channel->anchor.loop);
    vow_call_options options;
    vow_error        error;
    vow_call        *call;

    VOW_RULE_THREAD(scheduler);
    options_read(&options, given);
    if (channel->anchor.is_missing)
        return vow_future_no_memory(scheduler);
    if (channel->fault.code != VOW_OK)
        return vow_failure_of(scheduler, vow_status_share(&channel->fault));
    if (caller_check(channel, method, &options, &error) != VOW_OK ||
        request_check(method, request, &error) != VOW_OK)
        return vow_failure_of(scheduler, vow_status_of_error(&error));
    call = caller_new(channel, method, &options);
    if (!call)
        return vow_future_no_memory(scheduler);
    VOW_MADE_HERE(&call->future);
    if (caller_inherit(call, &options)) {
        const vow_begin begin = {
            .method = method,
            .message = request,
            .deadline_ns = caller_choose_deadline(channel, method, &options),
            .metadata = options.metadata,
        };

        vow_call_set_deadline(call, begin.deadline_ns);
        if (vow_list_empty(&channel->chain))
            vow_channel_place(channel, call, &begin);
        else
            caller_intercept(call, request, options.metadata);
    }
    return &call->future;
}

/* Of a call that is begun later than it was made, too. */
void vow_caller_start(vow_call *call, const ProtobufCMessage *message)
{
    const vow_begin begin = {
        .method = call->method,
        .message = message,
        .deadline_ns = call->deadline_ns,
        .metadata = call->side.caller.metadata,
    };

    if (vow_intercept_pending(call))
        vow_intercept_keep(call, message);
    else
        vow_channel_place(call->side.caller.channel, call, &begin);
}

static void caller_prepare(vow_call *call, vow_call_options *options)
{
    vow_channel *channel = call->side.caller.channel;
    vow_error    error;
    bool         failed = false;

    if (!vow_streaming_new(call)) {
        vow_caller_fail(call, vow_status_no_memory());
    } else if (channel->fault.code != VOW_OK) {
        vow_caller_fail(call, vow_status_share(&channel->fault));
    } else if (caller_check(channel, call->method, options, &error) != VOW_OK) {
        vow_caller_fail(call, vow_status_of_error(&error));
    } else if (caller_inherit(call, options)) {
        call->side.caller.metadata = vow_call_copy_metadata(call, options->metadata, &failed);
        vow_call_set_deadline(call, caller_choose_deadline(channel, call->method, options));
        if (failed)
            vow_caller_fail(call, vow_status_no_memory());
        else if (!vow_list_empty(&channel->chain))
            caller_intercept(call, NULL, NULL);
        else if (call->method->client_streams)
            vow_caller_start(call, NULL);
    }
}

vow_call *vow_call_start(vow_channel *channel, const vow_method *method, const vow_call_options *given)
{
    vow_scheduler   *scheduler = vow_scheduler_of(channel->anchor.loop);
    vow_call_options options;
    vow_call        *call = NULL;

    VOW_RULE_THREAD(scheduler);
    options_read(&options, given);
    if (!channel->anchor.is_missing)
        call = caller_new(channel, method, &options);
    if (!call)
        return (vow_call *)vow_future_no_memory(scheduler); /* what takes a call knows it by its class */
    VOW_MADE_HERE(&call->future);
    caller_prepare(call, &options);
    return call;
}

void vow_call_drop(vow_call *call)
{
    if (!call)
        return;
    VOW_RULE(vow_call_is_callers(call),
             "this is for callers; a handler's call is lent to it, and ends with its answer");
    if (!vow_call_is_callers(call))
        return;
    VOW_RULE_HANDLE(&call->future);
    if (call->future.class == &vow_caller_class && vow_future_pending(&call->future))
        vow_future_cancel(&call->future);
    vow_drop(&call->future);
}

/* Answers */

void vow_caller_message(vow_wire *wire, vow_packed *packed, bool ends)
{
    vow_call   *call = vow_call_of_wire(wire);
    vow_caller *caller = &call->side.caller;

    if (ends == call->method->server_streams) {
        vow_caller_fail(call, vow_status_make(VOW_INTERNAL, "%s: %s: the server %s", caller->channel->target,
                                              call->method->name,
                                              ends ? "answers once, and the method streams its replies"
                                                   : "streams its replies, and the method answers once"));
        return;
    }
    if (call->streaming) {
        vow_streaming_arrived(call, packed);
        return;
    }
    call->was_compressed = wire->was_compressed;
    caller->reply = vow_call_unpack(call, &call->arena, call->method->reply, packed, "reply", &caller->fault);
}

void vow_caller_answer(vow_call *call, const uint8_t *data, size_t size)
{
    vow_packed packed = { .data = data, .size = size };

    vow_caller_message(&call->wire, &packed, !call->method->server_streams);
    if (call->state != VOW_CALL_ENDED)
        vow_caller_ended(&call->wire, VOW_ENDING(.status = VOW_STATUS_OK));
}

/* False: no memory. */
static bool caller_keep_trailing(vow_call *call, const vow_metadata *trailing)
{
    bool                failed;
    const vow_metadata *copy = vow_call_copy_metadata(call, trailing, &failed);

    if (copy)
        call->trailing = copy;
    return !failed;
}

/* How the call ended, whatever the server says of it. `status` is given. */
static vow_status caller_outcome(vow_call *call, const vow_ending *ending)
{
    vow_caller *caller = &call->side.caller;
    vow_status  fault = caller->fault;
    bool        has_reply = caller->reply || (call->streaming && call->streaming->has_arrived);

    if (ending->status.code != VOW_OK)
        return vow_status_share(&ending->status);
    caller->fault = VOW_STATUS_OK;
    if (fault.code == VOW_OK && !has_reply && !call->method->server_streams)
        fault = vow_status_make(VOW_INTERNAL, "%s: %s: the server ended the call without a reply",
                                caller->channel->target, call->method->name);
    return fault;
}

/* Is the call to begin anew? It has reached no handler, and what it sends is still here. */
static bool caller_may_retry(const vow_call *call, const vow_ending *ending)
{
    const vow_caller *caller = &call->side.caller;

    if (!ending->never_ran || ending->status.code != VOW_UNAVAILABLE || caller->was_retried ||
        caller->channel->is_closed)
        return false;
    return call->method->client_streams ? !call->streaming->has_sent : caller->request != NULL;
}

static void caller_retry(vow_call *call)
{
    vow_caller     *caller = &call->side.caller;
    vow_connection *connection = caller->connection;
    const vow_begin begin = caller_kept(call);

    caller->was_retried = true;
    caller->connection = NULL;
    call->wire = (vow_wire){ .compresses = call->wire.compresses, .may_compress = call->wire.may_compress };
    call->peer = "";
    call->state = VOW_CALL_WAITING;
    vow_channel_place(caller->channel, call, &begin);
    vow_connection_call_ended(connection);
    vow_connection_drop(connection);
}

void vow_caller_ended(vow_wire *wire, const vow_ending *ending)
{
    vow_call  *call = vow_call_of_wire(wire);
    vow_status status;

    wire->session = NULL; /* it has forgotten the wire: nothing to cancel */
    if (caller_may_retry(call, ending)) {
        caller_retry(call);
        return;
    }
    status = caller_outcome(call, ending);
    if (ending->trailing && !caller_keep_trailing(call, ending->trailing) && status.code == VOW_OK)
        status = vow_call_no_room_for_metadata(call);
    caller_end(call);
    status = vow_intercept_end(call, status);
    vow_streaming_over(call, status, false);
    caller_settle(call, status);
    vow_call_cancel_children(call);
    caller_let_go(call);
}
