#include "runtime/rpc/intercept.h"

#include "runtime/base/apart.h"
#include "runtime/base/details.h"
#include "runtime/base/memory.h"
#include "runtime/protocol/message.h"
#include "runtime/rpc/channel.h"
#include "runtime/rpc/server.h"
#include "runtime/rpc/stream.h"

#include <assert.h>
#include <string.h>

/* Chains */

static const vow_interceptor *interceptor_of(vow_link *link)
{
    return &VOW_OWNER(link, vow_chain_link, link)->interceptor;
}

bool vow_chain_add(vow_list *chain, const vow_interceptor *interceptor)
{
    vow_chain_link *added = vow_alloc_zeroed(sizeof *added);
    size_t          size = sizeof added->interceptor;

    if (!added)
        return false;
    memcpy(&added->interceptor, interceptor, interceptor->size < size ? interceptor->size : size);
    vow_list_append(chain, &added->link);
    return true;
}

void vow_chain_done(vow_list *chain)
{
    vow_link *link;

    while ((link = vow_list_shift(chain)))
        vow_free(VOW_OWNER(link, vow_chain_link, link));
}

void vow_channel_intercept(vow_channel *channel, const vow_interceptor *interceptor)
{
    if (channel->anchor.is_missing)
        return;
    VOW_RULE_THREAD(vow_scheduler_of(channel->anchor.loop));
    if (!vow_chain_add(&channel->chain, interceptor) && channel->fault.code == VOW_OK)
        channel->fault = vow_status_make(VOW_RESOURCE_EXHAUSTED, "%s: there was no memory for an interceptor",
                                         channel->target);
}

void vow_server_intercept(vow_server *server, const vow_interceptor *interceptor)
{
    if (server->anchor.is_missing)
        return;
    VOW_RULE_THREAD(vow_scheduler_of(server->anchor.loop));
    if (vow_chain_add(&server->chain, interceptor))
        return;
    server->lacks_interceptor = true;
    if (server->fault.code == VOW_OK)
        server->fault = vow_status_make(VOW_RESOURCE_EXHAUSTED, "there was no memory for an interceptor");
}

/* One call */

static void interception_let_go(vow_task *task)
{
    vow_call_let_go(VOW_OWNER(task, vow_interception, let_go)->call);
}

bool vow_intercept_new(vow_call *call, vow_list *chain)
{
    vow_scheduler    *scheduler = vow_call_scheduler(call);
    vow_interception *interception = vow_arena_alloc(&call->arena, sizeof *interception);

    if (!interception)
        return false;
    *interception = (vow_interception){
        .call = call,
        .chain = chain,
        .begun = &chain->head,
        .inner = &chain->head,
        .began_ns = vow_scheduler_clock_ns(scheduler),
        .is_beginning = true,
    };
    vow_task_init(&interception->let_go, interception_let_go);
    vow_arena_init(&interception->scratch, NULL, 0, &scheduler->blocks, SIZE_MAX);
    call->interception = interception;
    if (vow_call_is_callers(call))
        vow_call_hold(call);
    return true;
}

/* Nobody needs the message any more that waited. */
static void kept_free(vow_interception *interception)
{
    vow_blocks *blocks = &vow_call_scheduler(interception->call)->blocks;

    interception->message = NULL;
    vow_arena_done(&interception->scratch);
    if (interception->kept_block_size)
        vow_blocks_give(blocks, (void *)(uintptr_t)interception->kept.data, interception->kept_block_size);
    interception->kept_block_size = 0;
}

void vow_intercept_done(vow_call *call)
{
    vow_interception *interception = call->interception;

    if (!interception)
        return;
    assert(!interception->waiter && !vow_task_queued(&interception->let_go));
    kept_free(interception);
    vow_status_done(&interception->verdict);
    call->interception = NULL;
}

/* Begin */

void vow_intercept_keep(vow_call *call, const ProtobufCMessage *message)
{
    vow_interception *interception = call->interception;
    size_t            size = vow_message_size(message);
    size_t            block_size = size + 1;
    uint8_t          *data;

    kept_free(interception);
    data = vow_blocks_take(&vow_call_scheduler(call)->blocks, &block_size);
    if (!data) {
        vow_call_end_with(call, vow_status_no_memory());
        return;
    }
    vow_message_pack(message, data);
    interception->kept = (vow_raw)VOW_RAW_INIT(data, size);
    interception->kept_block_size = block_size;
    interception->message = &interception->kept.base;
}

/* Those before the one that answers see its answer; those after it have not begun. */
static void answer_early(vow_interception *interception, const ProtobufCMessage *answer)
{
    vow_call                         *call = interception->call;
    const ProtobufCMessageDescriptor *wanted = call->method->reply;

    if (!vow_message_is(answer, wanted)) {
        vow_call_end_with(call,
                          vow_status_make(VOW_INTERNAL, "%s answers with a %s, and an interceptor gave a %s",
                                          call->method->name, wanted->name, vow_message_type(answer)));
        return;
    }
    interception->inner = interception->begun->previous;
    if (!vow_call_is_callers(call)) {
        vow_call_reply(call, answer);
        return;
    }
    vow_intercept_keep(call, answer);
    if (!interception->is_over)
        vow_caller_answer(call, interception->kept.data, interception->kept.data_size);
}

/* `source` has settled (NULL: there was none to wait for). Does the call go on? */
static bool begin_goes_on(vow_interception *interception, vow_future *source)
{
    vow_call *call = interception->call;

    if (interception->is_over)
        return false;
    if (interception->verdict.code == VOW_OK &&
        (!source || (source->status.code == VOW_OK && !source->value))) {
        interception->inner = interception->begun;
        return true;
    }
    interception->is_beginning = false;
    if (interception->verdict.code != VOW_OK)
        vow_call_end_with(call, vow_status_share(&interception->verdict));
    else if (source->status.code != VOW_OK)
        vow_call_end_with(call, vow_status_share(&source->status));
    else
        answer_early(interception, source->value);
    return false;
}

static void begin_run(vow_interception *interception);

static void begin_settled(vow_task *task)
{
    vow_waiter       *waiter = vow_waiter_of(task);
    vow_interception *interception = waiter->arg;
    vow_call         *call = interception->call;

    vow_call_hold(call);
    interception->waiter = NULL;
    if (begin_goes_on(interception, waiter->source))
        begin_run(interception);
    vow_waiter_end(waiter);
    vow_call_let_go(call);
}

static void call_let_go(void *object)
{
    vow_call_let_go(object);
}

static void begin_wait(vow_interception *interception, vow_future *future)
{
    vow_call   *call = interception->call;
    vow_waiter *waiter;

    vow_call_hold(call); /* until its work has ended, which may use what is in the call's memory */
    future = vow_attach(future, call, call_let_go);
    waiter = vow_future_take(future);
    if (!waiter) {
        vow_call_end_with(call, vow_status_no_memory());
        return;
    }
    waiter->arg = interception;
    interception->waiter = waiter;
    vow_waiter_wait(waiter, NULL, begin_settled);
}

/* Calls the next ones, until one wants to wait, or the call has ended. */
static void begin_run(vow_interception *interception)
{
    vow_call *call = interception->call;

    while (interception->begun->next != &interception->chain->head) {
        const vow_interceptor *next = interceptor_of(interception->begun->next);
        vow_future            *future;
        bool                   goes_on;

        interception->begun = interception->begun->next;
        future = next->begin ? next->begin(call, next->arg) : NULL;
        if (future && vow_future_pending(future) && !interception->is_over &&
            interception->verdict.code == VOW_OK) {
            begin_wait(interception, future);
            return;
        }
        goes_on = begin_goes_on(interception, future);
        vow_drop(future);
        if (!goes_on)
            return;
    }
    interception->is_beginning = false;
    interception->go_on(call, interception->message);
    kept_free(interception);
}

void vow_intercept_begin(vow_call *call, const ProtobufCMessage *message, vow_go_on_fn *go_on)
{
    vow_interception *interception = call->interception;

    interception->go_on = go_on;
    interception->message = message;
    begin_run(interception);
    if (vow_intercept_pending(call) && message)
        vow_intercept_keep(call, message);
}

/* Messages */

/* The next one that a message passes after `at` (NULL: the first of all); NULL: it has passed the last. */
static vow_link *pass_next(const vow_interception *interception, vow_link *at, bool inward)
{
    vow_link *outermost = interception->chain->head.next;
    vow_link *innermost = interception->inner;

    if (innermost == &interception->chain->head)
        return NULL;
    if (!at)
        return inward ? outermost : innermost;
    if (at == (inward ? innermost : outermost))
        return NULL;
    return inward ? at->next : at->previous;
}

/* May the call go on with what an interceptor gave for a message? Else there is a verdict. */
static bool given_is_good(vow_interception *interception, const ProtobufCMessage *given,
                          const ProtobufCMessageDescriptor *wanted, const char *function)
{
    const char *method = interception->call->method->name;

    if (interception->verdict.code != VOW_OK)
        return false;
    if (given && given->descriptor == wanted)
        return true;
    interception->verdict =
        given ? vow_status_make(VOW_INTERNAL, "%s: an interceptor's %s was given a %s, and gave a %s", method,
                                function, wanted->name, vow_message_type(given))
              : vow_status_make(VOW_INTERNAL,
                                "%s: an interceptor's %s gave no message, and did not say why "
                                "(vow_call_end_as)",
                                method, function);
    return false;
}

/* A packed message may take the place of any on its way out. */
static const ProtobufCMessageDescriptor *wanted_after(const ProtobufCMessage *message, const vow_call *call)
{
    if (message && message->descriptor == &vow_raw_descriptor)
        return &vow_raw_descriptor;
    return vow_call_is_callers(call) ? call->method->request : call->method->reply;
}

static const ProtobufCMessage *pass_out(vow_interception *interception, const ProtobufCMessage *message)
{
    vow_call *call = interception->call;
    bool      inward = vow_call_is_callers(call);
    vow_link *at = NULL;

    while ((at = pass_next(interception, at, inward))) {
        const vow_interceptor *interceptor = interceptor_of(at);

        if (!interceptor->send)
            continue;
        message = interceptor->send(call, message, interceptor->arg);
        if (interception->is_over)
            return NULL;
        if (!given_is_good(interception, message, wanted_after(message, call), "send")) {
            vow_call_end_with(call, vow_status_share(&interception->verdict));
            return NULL;
        }
    }
    interception->sent_count++;
    interception->sent_bytes += vow_message_size(message);
    return message;
}

static bool somebody_sees_what_is_sent(const vow_interception *interception)
{
    vow_link *at = NULL;

    while ((at = pass_next(interception, at, true))) {
        if (interceptor_of(at)->send)
            return true;
    }
    return false;
}

const ProtobufCMessage *vow_intercept_send_packed(vow_call *call, const vow_raw *packed)
{
    vow_interception                 *interception = call->interception;
    const ProtobufCMessageDescriptor *descriptor = call->method->request;
    ProtobufCAllocator                allocator = vow_arena_allocator(&interception->scratch);
    ProtobufCMessage                 *message;

    if (descriptor == &vow_raw_descriptor || !somebody_sees_what_is_sent(interception))
        return pass_out(interception, &packed->base);
    vow_arena_done(&interception->scratch);
    message = protobuf_c_message_unpack(descriptor, &allocator, packed->data_size, packed->data);
    if (message)
        return pass_out(interception, message);
    vow_call_end_with(call,
                      vow_status_make(VOW_RESOURCE_EXHAUSTED,
                                      "%s: no memory to show a message to interceptors, or it does not parse",
                                      call->method->name));
    return NULL;
}

const ProtobufCMessage *vow_intercept_send(vow_call *call, const ProtobufCMessage *message)
{
    vow_interception *interception = call->interception;

    if (interception->is_over || interception->is_beginning)
        return message;
    vow_call_hold(call); /* an interceptor may end it */
    if (message == &interception->kept.base)
        message = vow_intercept_send_packed(call, &interception->kept);
    else
        message = pass_out(interception, message);
    vow_call_let_go(call);
    return message;
}

/* Gives the last one's message; NULL: the call has ended, or there is a verdict. */
static ProtobufCMessage *pass_in(vow_interception *interception, ProtobufCMessage *message)
{
    vow_call                         *call = interception->call;
    const ProtobufCMessageDescriptor *wanted = message->descriptor;
    bool                              inward = !vow_call_is_callers(call);
    vow_link                         *at = NULL;

    while ((at = pass_next(interception, at, inward))) {
        const vow_interceptor *interceptor = interceptor_of(at);

        if (!interceptor->receive)
            continue;
        message = interceptor->receive(call, message, interceptor->arg);
        if (interception->is_over || !given_is_good(interception, message, wanted, "receive"))
            return NULL;
    }
    return message;
}

VOW_APART ProtobufCMessage *vow_intercept_receive(vow_call *call, vow_arena *arena, ProtobufCMessage *message,
                                                  size_t size, vow_status *status)
{
    vow_interception *interception = call->interception;

    if (interception->is_over)
        return message; /* what is read after the end */
    interception->received_count++;
    interception->received_bytes += size;
    interception->arena = arena;
    message = pass_in(interception, message);
    interception->arena = NULL;
    if (message)
        return message;
    *status =
        interception->verdict.code == VOW_OK
            ? vow_status_make(VOW_CANCELLED, "%s: the call ended while an interceptor looked at a message",
                              call->method->name)
            : vow_status_share(&interception->verdict);
    return NULL;
}

/* End */

static void end_apply_verdict(vow_interception *interception, vow_status *status)
{
    if (interception->verdict.code == VOW_OK)
        return;
    vow_status_done(status);
    *status = interception->verdict;
    interception->verdict = VOW_STATUS_OK;
}

static void end_run(vow_interception *interception, vow_status *status)
{
    vow_call       *call = interception->call;
    vow_call_result result = {
        .size = sizeof result,
        .duration_ns = vow_scheduler_clock_ns(vow_call_scheduler(call)) - interception->began_ns,
        .sent_count = interception->sent_count,
        .sent_bytes = interception->sent_bytes,
        .received_count = interception->received_count,
        .received_bytes = interception->received_bytes,
    };

    for (vow_link *at = interception->begun; at != &interception->chain->head; at = at->previous) {
        const vow_interceptor *interceptor = interceptor_of(at);

        if (!interceptor->end)
            continue;
        result.code = status->code;
        result.details = vow_status_details(status, &result.details_size);
        result.message = vow_status_message(status);
        interceptor->end(call, &result, interceptor->arg);
        end_apply_verdict(interception, status);
    }
}

vow_status vow_intercept_end_now(vow_call *call, vow_status status)
{
    vow_interception *interception = call->interception;
    vow_waiter       *waiter = interception->waiter;

    if (interception->is_over)
        return status;
    interception->is_over = true;
    end_apply_verdict(interception, &status);
    interception->waiter = NULL;
    if (waiter)
        vow_waiter_end(waiter);
    if (interception->is_beginning)
        kept_free(interception);
    end_run(interception, &status);
    if (vow_call_is_callers(call))
        vow_scheduler_soon(vow_call_scheduler(call), &interception->let_go);
    return status;
}

void vow_call_end_as(vow_call *call, vow_code code, const char *format, ...)
{
    va_list arguments;

    VOW_RULE(call->interception, "vow_call_end_as is for interceptors: a handler answers with vow_call_fail");
    if (!call->interception)
        return;
    vow_status_done(&call->interception->verdict);
    va_start(arguments, format);
    call->interception->verdict = vow_status_make_list(code, format, arguments);
    va_end(arguments);
}

/* What they may change */

struct vow_slot {
    vow_slot   *next;
    const void *key;
    size_t      size;
    _Alignas(VOW_ARENA_ALIGNMENT) uint8_t bytes[];
};

void *vow_call_slot(vow_call *call, const void *key, size_t size)
{
    vow_slot *slot;

    if (vow_call_is_missing(call))
        return NULL;
    for (slot = call->slots; slot; slot = slot->next) {
        if (slot->key == key)
            return size <= slot->size ? slot->bytes : NULL;
    }
    slot = size <= SIZE_MAX - sizeof *slot ? vow_arena_alloc(&call->arena, sizeof *slot + size) : NULL;
    if (!slot)
        return NULL;
    *slot = (vow_slot){ .next = call->slots, .key = key, .size = size };
    call->slots = slot;
    return memset(slot->bytes, 0, size);
}

/* Where the metadata is that this side will send. */
static const vow_metadata **sent_metadata(vow_call *call)
{
    return vow_call_is_callers(call) ? &call->side.caller.metadata : &call->side.handling.metadata;
}

const vow_metadata *vow_call_sent_metadata(const vow_call *call)
{
    static const vow_metadata nothing[] = { { NULL, NULL, 0 } };
    const vow_metadata       *sent = NULL;

    if (!vow_call_is_missing(call))
        sent = *sent_metadata((vow_call *)(uintptr_t)call);
    return sent ? sent : nothing;
}

/* Gives a copy, or NULL for none, in *copy. False: the call will end so. */
static bool metadata_copy(vow_call *call, const vow_metadata *metadata, const vow_metadata **copy)
{
    vow_error error = { VOW_RESOURCE_EXHAUSTED, "no memory for metadata" };
    bool      failed = vow_metadata_check(metadata, &error) != VOW_OK;

    if (!failed)
        *copy = vow_call_copy_metadata(call, metadata, &failed);
    if (failed)
        vow_call_end_as(call, error.code == VOW_INVALID_ARGUMENT ? VOW_INTERNAL : error.code,
                        "%s: an interceptor's %s", call->method->name, error.message);
    return !failed;
}

void vow_call_replace_metadata(vow_call *call, const vow_metadata *metadata)
{
    const vow_metadata *copy;

    if (!vow_call_is_missing(call) && metadata_copy(call, metadata, &copy))
        *sent_metadata(call) = copy;
}

void vow_call_replace_received_metadata(vow_call *call, const vow_metadata *metadata)
{
    static const vow_metadata nothing[] = { { NULL, NULL, 0 } };
    const vow_metadata       *copy;

    if (!vow_call_is_callers(call) && metadata_copy(call, metadata, &copy))
        call->received = copy ? copy : nothing;
}

void vow_call_set_timeout(vow_call *call, int64_t timeout_ms)
{
    uint64_t deadline_ns = VOW_NO_DEADLINE;

    if (vow_call_is_missing(call) || call->state == VOW_CALL_GONE || call->state == VOW_CALL_ENDED)
        return;
    if (timeout_ms >= 0)
        deadline_ns = vow_scheduler_after_ms(vow_call_scheduler(call), timeout_ms);
    if (!vow_call_is_callers(call) && deadline_ns >= call->deadline_ns)
        return;
    vow_timers_disarm(&vow_call_scheduler(call)->timers, &call->timer);
    vow_call_set_deadline(call, deadline_ns);
}
