/*
 * A call on its handler's side, from its arrival to its answer.
 *
 * The idea: the call belongs to three who let go of it in any order: the caller (who may leave), the
 * handler (who must answer), and functions and futures that still use its memory (`lent`). It is
 * answered once; it is freed when it is answered and nothing uses it.
 */
#include "runtime/base/apart.h"
#include "runtime/base/details.h"
#include "runtime/protocol/message.h"
#include "runtime/protocol/metadata.h"
#include "runtime/rpc/intercept.h"
#include "runtime/rpc/server.h"
#include "runtime/rpc/stream.h"

#include <vow/details.h>

#include <assert.h>
#include <string.h>

/* How long a handler may go on for nobody before it is reported. */
#define FORGOTTEN_AFTER_MS 30000

/* Life */

void vow_handling_charge(vow_call *call, size_t bytes)
{
    vow_handling *handling = &call->side.handling;
    vow_server   *server = handling->server;

    server->account.used = server->account.used - handling->charged + bytes;
    handling->peer->arenas = handling->peer->arenas - handling->charged + bytes;
    handling->charged = bytes;
}

static void handling_free(vow_call *call)
{
    vow_handling *handling = &call->side.handling;
    vow_server   *server = handling->server;
    vow_peer     *peer = handling->peer;

    assert(call->state == VOW_CALL_ENDED && !handling->lent && !handling->answer);
    vow_handling_charge(call, 0);
    vow_peer_memory_freed(peer);
    vow_drop(handling->on_closed);
    vow_drop(handling->on_draining);
    vow_link_remove(&call->link);
    vow_timers_disarm(&vow_call_scheduler(call)->timers, &call->timer);
    vow_scheduler_release(vow_call_scheduler(call));
    vow_call_free(call);
    peer->running--;
    server->running--;
    server->references++;
    vow_peer_call_ended(peer);
    vow_peer_drop(peer);
    vow_drain_progress(server);
    vow_server_drop(server);
}

static void handling_may_free(vow_call *call)
{
    /* An answer that waits for the messages of its stream still has its wire. */
    if (call->state == VOW_CALL_ENDED && call->side.handling.lent == 0 && !call->wire.session)
        handling_free(call);
}

static void handling_drop_answer(vow_call *call)
{
    vow_waiter *waiter = call->side.handling.answer;

    call->side.handling.answer = NULL;
    if (waiter)
        vow_waiter_end(waiter);
}

static void handling_tell_closed(vow_call *call, vow_code code, const char *why)
{
    vow_promise *closed = call->side.handling.closed;
    vow_promise *draining = call->side.handling.draining;

    call->side.handling.closed = NULL;
    call->side.handling.draining = NULL;
    vow_reject(draining, VOW_CANCELLED, "the call was over before its server drained");
    if (code == VOW_OK)
        vow_resolve(closed, NULL, NULL);
    else
        vow_reject(closed, code, "%s", why);
}

/* The call has its answer, and the handler owes nothing any more. What it gave to vow_call_answer may still run. */
static void handling_answered(vow_call *call)
{
    vow_handling *handling = &call->side.handling;

    call->state = VOW_CALL_ENDED;
    vow_timers_disarm(&vow_call_scheduler(call)->timers, &call->timer);
    handling->lent++;
    vow_streaming_over(call, VOW_STATUS_OK, true);
    handling_tell_closed(call, VOW_OK, NULL);
    handling_drop_answer(call);
    handling->lent--;
    if (call->wire.session) /* its last messages wait for credit, in the call's time */
        vow_call_set_deadline(call, call->deadline_ns);
    handling_may_free(call);
}

/* Answering */

static bool call_is_open(const vow_call *call)
{
    return call->state == VOW_CALL_OPEN && call->wire.session;
}

/* `status` is lent. */
static void handling_end_as(vow_call *call, const ProtobufCMessage *message, vow_status status)
{
    const vow_handling *handling = &call->side.handling;

    if (call_is_open(call))
        call->wire.session->protocol->answer(
            &call->wire, message,
            VOW_ENDING(.status = status, .metadata = handling->metadata, .trailing = handling->trailing));
    if (call->state != VOW_CALL_ENDED)
        handling_answered(call);
}

/* What the protocol would make of the answer: interceptors are told how the call ends. `status` is lent; gives one. */
static vow_status status_that_leaves(const vow_call *call, const ProtobufCMessage *message, const vow_status *status)
{
    uint64_t most = call_is_open(call) ? call->wire.session->peer_max_message_size : UINT64_MAX;
    size_t   size = message ? vow_message_size(message) : 0;

    if (size <= most)
        return vow_status_share(status);
    return vow_status_make(VOW_RESOURCE_EXHAUSTED,
                           "the reply has %zu bytes; the caller takes %llu (its max_message_size)", size,
                           (unsigned long long)most);
}

/* As interceptors make of it. */
static void handling_end_intercepted(vow_call *call, const ProtobufCMessage *message, vow_status status)
{
    call->side.handling.lent++;
    status = vow_intercept_end(call, status_that_leaves(call, message, &status));
    handling_end_as(call, status.code == VOW_OK ? message : NULL, status);
    vow_status_done(&status);
    vow_handling_let_go(call);
}

static void handling_end(vow_call *call, const ProtobufCMessage *message, vow_status status)
{
    if (call->interception)
        handling_end_intercepted(call, message, status);
    else
        handling_end_as(call, message, status);
}

void vow_handling_fail(vow_call *call, vow_status status)
{
    handling_end(call, NULL, status);
    vow_status_done(&status);
}

void vow_call_reply(vow_call *call, const ProtobufCMessage *message)
{
    const ProtobufCMessageDescriptor *wanted = call->method->reply;

    VOW_RULE_THREAD(vow_call_scheduler(call));
    VOW_RULE_LIVES(call);
    if (!vow_message_is(message, wanted)) {
        vow_handling_fail(call, vow_status_make(VOW_INTERNAL, "%s answers with a %s, and its handler gave a %s",
                                            call->method->name, wanted->name, vow_message_type(message)));
        return;
    }
    if (call->method->server_streams) {
        call->side.handling.lent++; /* an interceptor may end it */
        vow_call_send(call, message);
        vow_handling_end_stream(call);
        vow_handling_let_go(call);
        return;
    }
    if (call->interception && !(message = vow_intercept_send(call, message)))
        return;
    handling_end(call, message, VOW_STATUS_OK);
}

void vow_handling_end_stream(vow_call *call)
{
    if (call->state == VOW_CALL_ENDED)
        return;
    if (!call->method->server_streams) {
        vow_handling_fail(call, vow_status_make(VOW_INTERNAL, "%s: the handler ended the call without a reply",
                                                call->method->name));
        return;
    }
    if (call->streaming && call->streaming->is_over && call->state == VOW_CALL_OPEN) { /* a message could not be sent */
        vow_handling_fail(call, vow_status_share(&call->streaming->why));
        return;
    }
    if (call->streaming)
        call->streaming->has_ended = true;
    handling_end(call, NULL, VOW_STATUS_OK);
}

void vow_call_fail(vow_call *call, vow_code code, const char *format, ...)
{
    va_list arguments;

    VOW_RULE_THREAD(vow_call_scheduler(call));
    VOW_RULE_LIVES(call);
    va_start(arguments, format);
    vow_handling_fail(call, vow_status_make_list(code, format, arguments));
    va_end(arguments);
}

void vow_call_fail_with(vow_call *call, vow_code code, const ProtobufCMessage *const details[], const char *format,
                        ...)
{
    va_list    arguments;
    vow_status status;

    VOW_RULE_THREAD(vow_call_scheduler(call));
    VOW_RULE_LIVES(call);
    va_start(arguments, format);
    status = vow_status_make_list(code, format, arguments);
    va_end(arguments);
    vow_status_add_details(&status, details);
    vow_handling_fail(call, status);
}

void vow_handling_let_go(vow_call *call)
{
    call->side.handling.lent--;
    handling_may_free(call);
}

static void handling_let_go(void *object)
{
    vow_handling_let_go(object);
}

static void answer_run(vow_task *task)
{
    vow_waiter *waiter = vow_waiter_of(task);
    vow_call   *call = waiter->arg;
    vow_future *source = waiter->source;

    call->side.handling.answer = NULL;
    call->side.handling.lent++;
    if (source->status.code != VOW_OK)
        vow_handling_fail(call, vow_status_share(&source->status));
    else if (source->value)
        vow_call_reply(call, source->value);
    else if (call->method->server_streams)
        vow_handling_end_stream(call);
    else if (call->state != VOW_CALL_ENDED)
        vow_call_fail(call, VOW_INTERNAL, "%s: the handler's future has no value, and the handler has not replied",
                      call->method->name);
    vow_waiter_end(waiter);
    call->side.handling.lent--;
    handling_may_free(call);
}

void vow_call_answer(vow_call *call, vow_future *future)
{
    vow_handling *handling = &call->side.handling;
    vow_waiter   *waiter;

    VOW_RULE_THREAD(vow_call_scheduler(call));
    VOW_RULE_LIVES(call);
    if (call->state == VOW_CALL_ENDED || handling->answer) {
        vow_drop(future); /* the first answer counts */
        return;
    }
    handling->lent++;
    future = vow_attach(future, call, handling_let_go);
    waiter = vow_future_take(future);
    if (!waiter) {
        vow_handling_fail(call, vow_status_no_memory());
        return;
    }
    waiter->arg = call;
    handling->answer = waiter;
    vow_waiter_wait(waiter, NULL, answer_run);
    if (call->state == VOW_CALL_GONE)
        vow_waiter_cancel_source(waiter);
}

void *vow_call_alloc(vow_call *call, size_t size)
{
    vow_arena *arena = vow_intercept_arena(call);
    void      *memory = vow_arena_alloc(arena, size);

    if (memory) {
        if (!vow_call_is_callers(call))
            vow_handling_charge(call, call->arena.used);
        return memset(memory, 0, size);
    }
    vow_call_end_with(call, vow_status_make(VOW_RESOURCE_EXHAUSTED,
                                            "%s: no memory for the call, or more than max_decoded_size (%zu bytes)",
                                            call->method->name, arena->cap));
    return NULL;
}

static void handling_add_metadata(vow_call *call, const vow_metadata **list, const vow_metadata *metadata)
{
    const vow_metadata *joined;
    vow_error           error;
    bool                failed = false;

    if (vow_metadata_check(metadata, &error) != VOW_OK) {
        vow_call_fail(call, VOW_INTERNAL, "%s: %s", call->method->name, error.message);
        return;
    }
    joined = vow_call_join_metadata(call, *list, metadata, &failed);
    if (failed)
        vow_call_fail(call, VOW_RESOURCE_EXHAUSTED, "%s: no memory for metadata", call->method->name);
    else if (vow_metadata_check(joined, &error) != VOW_OK) /* each part is allowed, all together may be too much */
        vow_call_fail(call, VOW_INTERNAL, "%s: %s", call->method->name, error.message);
    else
        *list = joined;
}

/* A caller's goes into its options. */
static bool may_send_metadata(const vow_call *call)
{
    VOW_RULE(!vow_call_is_callers(call), "this is for handlers; a caller's metadata goes into VOW_CALL(.metadata)");
    return !vow_call_is_callers(call) && call->state != VOW_CALL_ENDED;
}

void vow_call_send_metadata(vow_call *call, const vow_metadata *metadata)
{
    vow_handling *handling = &call->side.handling;

    if (!may_send_metadata(call))
        return;
    if (handling->metadata_has_left || (call->streaming && call->streaming->has_sent))
        handling_add_metadata(call, &handling->trailing, metadata);
    else
        handling_add_metadata(call, &handling->metadata, metadata);
}

void vow_call_flush_metadata(vow_call *call)
{
    vow_handling       *handling = &call->side.handling;
    const vow_metadata *metadata = handling->metadata;
    vow_status          status;

    if (!may_send_metadata(call) || !call->wire.session || handling->metadata_has_left ||
        (call->streaming && call->streaming->has_sent))
        return;
    if (call->wire.session->protocol->send_metadata(&call->wire, metadata, &status) != VOW_OK) {
        vow_status_done(&status); /* it stays, and the answer fails with it: the call is the handler's until then */
        return;
    }
    handling->metadata = NULL;
    handling->metadata_has_left = true;
}

void vow_call_send_trailing_metadata(vow_call *call, const vow_metadata *metadata)
{
    if (may_send_metadata(call))
        handling_add_metadata(call, &call->side.handling.trailing, metadata);
}

/* When nobody waits any more */

static void handling_report(vow_call *call)
{
    vow_report("%s: its handler still runs %d s after its caller, %s, has gone: it must answer the call (vow_call_fail "
               "will do)",
               call->method->name, FORGOTTEN_AFTER_MS / 1000, vow_call_peer(call));
}

static void handling_end_streaming(vow_call *call, vow_code code, const char *why)
{
    vow_status status;

    if (!call->streaming)
        return;
    status = vow_status_make(code, "%s", why);
    vow_streaming_over(call, status, true);
    vow_status_done(&status);
}

static void handling_tell_interceptors(vow_call *call, vow_code code, const char *why)
{
    vow_status status;

    if (!call->interception)
        return;
    status = vow_intercept_end(call, vow_status_make(code, "%s", why));
    vow_status_done(&status); /* nobody is left to be told */
}

/* The handler is left alone with the call until it has answered, where it has seen it. */
static void handling_gone(vow_call *call, vow_code code, const char *why)
{
    vow_scheduler *scheduler = vow_call_scheduler(call);
    vow_handling  *handling = &call->side.handling;
    bool           was_seen = !vow_intercept_holds(call);

    call->wire.session = NULL;
    call->state = was_seen ? VOW_CALL_GONE : VOW_CALL_ENDED;
    handling->lent++;
    if (was_seen)
        vow_timers_arm(&scheduler->timers, &call->timer, vow_scheduler_after_ms(scheduler, FORGOTTEN_AFTER_MS));
    else
        vow_timers_disarm(&scheduler->timers, &call->timer);
    handling_tell_interceptors(call, code, why);
    handling_end_streaming(call, code, why);
    handling_tell_closed(call, code, why);
    vow_call_cancel_children(call);
    if (handling->answer)
        vow_waiter_cancel_source(handling->answer);
    vow_handling_let_go(call);
}

void vow_handling_ended(vow_wire *wire, const vow_ending *ending)
{
    vow_call *call = vow_call_of_wire(wire);

    wire->session = NULL;
    if (call->state == VOW_CALL_WAITING || call->state == VOW_CALL_ENDED) {
        call->state = VOW_CALL_ENDED; /* no handler has seen it, or it was answered and its messages have left */
        handling_may_free(call);
        return;
    }
    handling_gone(call, VOW_CANCELLED, vow_status_message(&ending->status));
}

static void handling_timer(vow_timer *timer)
{
    vow_call  *call = VOW_OWNER(timer, vow_call, timer);
    vow_status status;

    if (call->state == VOW_CALL_GONE) {
        handling_report(call);
        return;
    }
    status = vow_status_make(VOW_DEADLINE_EXCEEDED, "%s: not answered within the call's time", call->method->name);
    vow_handling_abandon(call, &status);
    vow_status_done(&status);
}

void vow_handling_abandon(vow_call *call, const vow_status *why)
{
    bool       was_open = call->state == VOW_CALL_OPEN;
    vow_status told;

    if (call->state == VOW_CALL_ENDED && call->wire.session) {
        call->wire.session->protocol->cancel(&call->wire);
        handling_may_free(call);
        return;
    }
    if (call->state == VOW_CALL_GONE || call->state == VOW_CALL_ENDED)
        return;
    call->side.handling.lent++;
    told = vow_intercept_end(call, vow_status_share(why));
    if (call->wire.session)
        call->wire.session->protocol->answer(
            &call->wire, NULL, VOW_ENDING(.status = told, .at_once = true, .never_ran = !was_open));
    vow_status_done(&told);
    if (was_open && call->state == VOW_CALL_OPEN) {
        handling_gone(call, why->code == VOW_DEADLINE_EXCEEDED ? why->code : VOW_CANCELLED, vow_status_message(why));
    } else {
        call->wire.session = NULL;
        call->state = VOW_CALL_ENDED;
    }
    vow_handling_let_go(call);
}

bool vow_call_cancelled(const vow_call *call)
{
    return call->state == VOW_CALL_GONE;
}

vow_future *vow_call_when_closed(vow_call *call)
{
    vow_handling *handling = &call->side.handling;

    if (vow_call_is_callers(call))
        return VOW_MADE(vow_shield(vow_future_ref(&call->future)));
    if (!handling->on_closed) {
        vow_future *future = vow_promise_new(call->loop, &handling->closed);

        if (!handling->closed)
            return future;
        handling->on_closed = future;
        if (call->state == VOW_CALL_GONE)
            handling_tell_closed(call, VOW_CANCELLED, "the caller has gone");
        else if (call->state == VOW_CALL_ENDED)
            handling_tell_closed(call, VOW_OK, NULL);
    }
    handling->lent++; /* who waits may have its argument in the call's memory */
    return vow_attach(vow_shield(vow_future_ref(handling->on_closed)), call, handling_let_go);
}

bool vow_call_draining(const vow_call *call)
{
    const vow_handling *handling = &call->side.handling;

    return !vow_call_is_callers(call) && (handling->server->drain || handling->peer->is_leaving);
}

void vow_handling_tell_draining(vow_call *call)
{
    vow_promise *draining = call->side.handling.draining;

    call->side.handling.draining = NULL;
    vow_resolve(draining, NULL, NULL);
}

vow_future *vow_call_when_draining(vow_call *call)
{
    vow_handling *handling = &call->side.handling;
    vow_loop     *loop = vow_call_loop(call);

    VOW_RULE_THREAD(vow_call_any_scheduler(call));
    if (vow_call_is_callers(call))
        return vow_failure(loop, VOW_FAILED_PRECONDITION, "only a call's handler is told that its server drains");
    if (vow_call_draining(call))
        return VOW_MADE(vow_value(loop, NULL, NULL));
    if (call->state == VOW_CALL_ENDED || call->state == VOW_CALL_GONE)
        return vow_failure(loop, VOW_CANCELLED, "the call was over before its server drained");
    if (!handling->on_draining) {
        vow_future *future = vow_promise_new(loop, &handling->draining);

        if (!handling->draining)
            return future;
        handling->on_draining = future;
    }
    handling->lent++;
    return vow_attach(vow_shield(vow_future_ref(handling->on_draining)), call, handling_let_go);
}

/* Arriving */

static vow_status arrival_check(const vow_peer *peer, const vow_arrival *arrival)
{
    const vow_server *server = peer->server;
    const vow_entry  *entry = arrival->handler;

    if (!entry || !entry->handler.serve)
        return vow_status_make(VOW_UNIMPLEMENTED, "%s is not served here", arrival->method);
    if (entry->handler.method && entry->handler.method->client_streams != arrival->streams)
        return vow_status_make(VOW_INTERNAL, "%s takes %s, and the caller sends %s", arrival->method,
                               arrival->streams ? "one message" : "a stream of messages",
                               arrival->streams ? "a stream" : "one");
    if (server->lacks_interceptor)
        return vow_status_make(VOW_RESOURCE_EXHAUSTED, "the server had no memory for one of its interceptors");
    if (server->running >= server->options.max_calls)
        return vow_status_make(VOW_RESOURCE_EXHAUSTED, "the server runs %zu calls, its limit (max_calls)",
                               server->running);
    if (server->account.used >= server->account.limit)
        return vow_status_make(VOW_RESOURCE_EXHAUSTED,
                               "the server holds %zu bytes for its peers, its limit (max_memory)",
                               server->account.used);
    return VOW_STATUS_OK;
}

/* A method without a description of its own: its messages stay as they came. */
static const vow_method *call_make_method(vow_call *call, const char *name, bool streams)
{
    size_t      size = strlen(name) + 1;
    vow_method *method = vow_arena_alloc(&call->arena, sizeof *method);
    char       *copy = vow_arena_alloc(&call->arena, size);

    if (!method || !copy)
        return NULL;
    *method = (vow_method){
        .size = sizeof *method,
        .name = memcpy(copy, name, size),
        .request = &vow_raw_descriptor,
        .reply = &vow_raw_descriptor,
        .client_streams = streams,
    };
    return method;
}

static bool handling_fill(vow_call *call, const vow_arrival *arrival)
{
    bool                failed;
    const vow_metadata *received = vow_call_copy_metadata(call, arrival->metadata, &failed);

    if (received)
        call->received = received;
    if (!call->method)
        call->method = call_make_method(call, arrival->method, arrival->streams);
    if (!call->method || failed || (vow_method_streams(call->method) && !vow_streaming_new(call)))
        return false;
    return vow_list_empty(&call->side.handling.server->chain) ||
           vow_intercept_new(call, &call->side.handling.server->chain);
}

static vow_call *handling_new(vow_peer *peer, const vow_entry *entry)
{
    vow_server *server = peer->server;
    vow_call   *call = vow_call_new(server->anchor.loop, entry->handler.method, server->options.max_decoded_size,
                                    handling_timer);

    if (!call)
        return NULL;
    call->side.handling = (vow_handling){ .server = server, .peer = peer, .entry = entry };
    call->peer = peer->name;
    peer->references++;
    peer->running++;
    server->running++;
    vow_list_append(&server->calls, &call->link);
    return call;
}

static void handling_serve(vow_call *call, const ProtobufCMessage *request)
{
    vow_handling      *handling = &call->side.handling;
    const vow_handler *handler = &handling->entry->handler;

    handling->lent++;
    handler->serve(call, request, handler);
    handling->lent--;
    if (call->state == VOW_CALL_OPEN) /* most have been answered, and need no timer */
        vow_call_set_deadline(call, call->deadline_ns);
    handling_may_free(call);
}

/* The request, as it came. */
static void handling_take_request(vow_call *call, vow_packed *packed)
{
    vow_handling     *handling = &call->side.handling;
    vow_status        status;
    ProtobufCMessage *request =
        vow_call_unpack(call, &call->arena, call->method->request, packed, "request", &status);

    if (!request) {
        vow_handling_fail(call, status);
        return;
    }
    if (call->arena.used) {
        vow_handling_charge(call, call->arena.used);
        vow_server_balance_memory(handling->server);
    }
    handling_serve(call, request);
}

/* All interceptors have begun. */
static void handling_go_on(vow_call *call, const ProtobufCMessage *request)
{
    const vow_raw *raw = (const vow_raw *)request;
    vow_packed     packed;

    vow_handling_charge(call, call->arena.used); /* what was kept of it meanwhile goes now */
    if (!raw) {
        handling_serve(call, NULL);
        return;
    }
    packed = (vow_packed){ .data = raw->data, .size = raw->data_size };
    handling_take_request(call, &packed);
}

static void handling_intercept(vow_call *call, const ProtobufCMessage *request)
{
    call->side.handling.lent++;
    vow_intercept_begin(call, request, handling_go_on);
    if (vow_intercept_pending(call)) {
        vow_handling_charge(call, call->arena.used + call->interception->kept_block_size);
        vow_call_set_deadline(call, call->deadline_ns);
    }
    vow_handling_let_go(call);
}

static void handling_serve_task(vow_task *task)
{
    vow_streaming *streaming = VOW_OWNER(task, vow_streaming, serve);
    vow_call      *call = streaming->call;

    call->state = VOW_CALL_OPEN;
    if (call->interception)
        handling_intercept(call, NULL);
    else
        handling_serve(call, NULL);
}

/* A handler whose request streams begins once the session knows the call. */
static void handling_serve_soon(vow_call *call)
{
    vow_task_init(&call->streaming->serve, handling_serve_task);
    vow_scheduler_soon(vow_call_scheduler(call), &call->streaming->serve);
}

vow_wire *vow_handling_began(vow_peer *peer, vow_arrival *arrival)
{
    const vow_entry *entry = arrival->handler;
    vow_call        *call;

    if (arrival->shape_is_unknown)
        arrival->streams = entry && entry->handler.method && entry->handler.method->client_streams;
    arrival->refusal = arrival_check(peer, arrival);
    if (arrival->refusal.code != VOW_OK)
        return NULL;
    call = handling_new(peer, arrival->handler);
    if (call && handling_fill(call, arrival)) {
        call->deadline_ns = arrival->deadline_ns;
        if (arrival->streams)
            handling_serve_soon(call);
        return &call->wire;
    }
    arrival->refusal = vow_status_no_memory();
    if (call) {
        call->state = VOW_CALL_ENDED;
        handling_free(call);
    }
    return NULL;
}

/* The one message of a call that does not stream. */
static VOW_APART void handling_request(vow_call *call, vow_packed *packed)
{
    const vow_raw request = VOW_RAW_INIT(packed->data, packed->size);

    call->was_compressed = call->wire.was_compressed;
    call->state = VOW_CALL_OPEN;
    if (call->interception)
        handling_intercept(call, &request.base);
    else
        handling_take_request(call, packed);
}

void vow_handling_message(vow_wire *wire, vow_packed *packed, bool ends)
{
    if (ends)
        handling_request(vow_call_of_wire(wire), packed);
    else
        vow_streaming_arrived(vow_call_of_wire(wire), packed);
}
