/*
 * The futures of a stream: the next message, all of them, room for one more, and writing while there is room; and what
 * the other side said before its first.
 *
 * The idea: each is a small future of its own that holds the call and is known to it. It ends with its event,
 * with the call, or when its last handle is dropped, which the call does not mind.
 */
#include "runtime/rpc/channel.h"
#include "runtime/rpc/stream.h"

#include <string.h>

/* The memory of one message that was unpacked. */
typedef struct delivery {
    vow_arena arena;
    size_t    block_size;
    _Alignas(VOW_ARENA_ALIGNMENT) uint8_t room[];
} delivery;

#define DELIVERY_SIZE ((size_t)1 << 10)

struct vow_stream_wait {
    vow_future      future;  /* first */
    vow_link        link;    /* in rooms, or heads */
    vow_call       *call;    /* held */
    vow_deliver_fn *deliver; /* calls on_message; NULL: vow_call_next */
    union {
        vow_any_fn  *on_message;
        vow_room_fn *on_room;
    } function;
    void       *arg;
    vow_waiter *waiter; /* for what the function gave */
    delivery   *delivery;
    size_t      size; /* of the message in hand */
    bool        has_message;
};

_Static_assert(sizeof(vow_stream_wait) <= VOW_FUTURE_ROOM, "a wait fits the pool of futures");

/* Deliveries */

static delivery *delivery_new(vow_call *call)
{
    vow_blocks *blocks = &vow_call_scheduler(call)->blocks;
    size_t      block_size = DELIVERY_SIZE;
    delivery   *delivery = vow_blocks_take(blocks, &block_size);

    if (!delivery)
        return NULL;
    delivery->block_size = block_size;
    vow_arena_init(&delivery->arena, delivery->room, block_size - offsetof(struct delivery, room), blocks,
                   call->arena.cap);
    return delivery;
}

static void delivery_free(vow_stream_wait *wait)
{
    delivery *delivery = wait->delivery;

    wait->delivery = NULL;
    if (!delivery)
        return;
    vow_arena_done(&delivery->arena);
    vow_blocks_give(&vow_call_scheduler(wait->call)->blocks, delivery, delivery->block_size);
}

/* Waits */

/* The message in hand is done with: the sender may go on. */
static void wait_taken(vow_stream_wait *wait)
{
    vow_wire *wire = &wait->call->wire;

    if (!wait->has_message)
        return;
    wait->has_message = false;
    if (wire->session && wire->flow)
        wire->session->protocol->taken(wire, wait->size);
}

/* The wait has ended, in one way or another, and the call does not know it any more. */
static void wait_leave(vow_stream_wait *wait)
{
    vow_streaming *streaming = wait->call->streaming;

    if (streaming->reader == wait)
        streaming->reader = NULL;
    if (streaming->writer == wait)
        streaming->writer = NULL;
    vow_link_remove(&wait->link);
}

static void wait_cancel(vow_future *future)
{
    vow_stream_wait *wait = (vow_stream_wait *)future;
    vow_waiter      *waiter = wait->waiter;

    wait_leave(wait);
    wait_taken(wait);
    wait->waiter = NULL;
    if (waiter)
        vow_waiter_withdraw(waiter, future); /* what it waits for may still use the message */
}

static void wait_destroy(vow_future *future)
{
    vow_stream_wait *wait = (vow_stream_wait *)future;
    vow_call        *call = wait->call;

    delivery_free(wait);
    vow_future_give(future);
    vow_call_let_go(call);
}

static const vow_future_class wait_class = { .name = "wait", .cancel = wait_cancel, .destroy = wait_destroy };

static vow_stream_wait *wait_new(vow_call *call, void *arg)
{
    vow_stream_wait *wait = vow_future_new(vow_call_scheduler(call), &wait_class);

    if (!wait)
        return NULL;
    vow_link_init(&wait->link);
    wait->call = call;
    wait->arg = arg;
    wait->deliver = NULL;
    wait->waiter = NULL;
    wait->delivery = NULL;
    wait->has_message = false;
    VOW_CONSUMED(&call->future); /* who waits for what comes of a call has not forgotten it */
    vow_call_hold(call);
    return wait;
}

static void wait_succeed(vow_stream_wait *wait, void *value)
{
    wait_leave(wait);
    vow_future_succeed(&wait->future, value, NULL);
}

static void wait_fail(vow_stream_wait *wait, vow_status status)
{
    wait_leave(wait);
    vow_future_fail(&wait->future, status);
}

static void wait_end_as_call(vow_stream_wait *wait)
{
    const vow_status *why = &wait->call->streaming->why;

    if (why->code == VOW_OK)
        wait_succeed(wait, NULL);
    else
        wait_fail(wait, vow_status_share(why));
}

/* What a function gave has settled. */
static void wait_go_on(vow_task *task)
{
    vow_waiter      *waiter = vow_waiter_of(task);
    vow_stream_wait *wait = waiter->arg;

    wait->waiter = NULL;
    vow_future_busy(&wait->future);
    wait_taken(wait);
    if (waiter->source->status.code != VOW_OK)
        wait_fail(wait, vow_status_share(&waiter->source->status));
    else
        vow_streaming_step_soon(wait->call->streaming);
    vow_waiter_withdraw(waiter, &wait->future);
    vow_future_unbusy(&wait->future);
}

/* The function gave `future` (or NULL) to wait for before it is called again. */
static void wait_for(vow_stream_wait *wait, vow_future *future)
{
    vow_waiter *waiter;

    if (!future) {
        wait_taken(wait);
        return;
    }
    if (!vow_future_pending(&wait->future)) {
        vow_drop(future);
        return;
    }
    waiter = vow_future_take(future);
    if (!waiter) {
        wait_fail(wait, vow_status_no_memory());
        return;
    }
    waiter->arg = wait;
    wait->waiter = waiter;
    vow_waiter_wait(waiter, NULL, wait_go_on);
}

/* Reading */

static const ProtobufCMessageDescriptor *read_descriptor(const vow_call *call)
{
    return vow_call_is_callers(call) ? call->method->reply : call->method->request;
}

static void read_failed(vow_stream_wait *wait, vow_status status)
{
    vow_call *call = wait->call;

    if (vow_future_pending(&wait->future)) /* an interceptor may have cancelled it */
        wait_fail(wait, vow_status_share(&status));
    vow_call_end_with(call, status);
}

/* Hands a message to who waits for one. */
static void read_deliver(vow_stream_wait *wait, vow_packed *packed)
{
    vow_call         *call = wait->call;
    vow_status        status = VOW_STATUS_OK;
    ProtobufCMessage *message;

    vow_future_busy(&wait->future);
    delivery_free(wait);
    wait->delivery = delivery_new(call);
    wait->has_message = true;
    wait->size = packed->size;
    message = wait->delivery ? vow_call_unpack(call, &wait->delivery->arena, read_descriptor(call), packed,
                                               "message", &status)
                             : NULL;
    if (message && !vow_future_pending(&wait->future)) {
        wait_taken(wait);
    } else if (!message) {
        wait_taken(wait);
        read_failed(wait, status.code == VOW_OK ? vow_status_no_memory() : status);
    } else if (wait->deliver) {
        wait_for(wait, wait->deliver(call, message, wait->function.on_message, wait->arg));
    } else {
        wait_taken(wait);
        wait_succeed(wait, message);
    }
    vow_future_unbusy(&wait->future);
}

static bool reader_is_idle(const vow_streaming *streaming)
{
    return streaming->reader && !streaming->reader->waiter && !streaming->reader->has_message;
}

static void read_step(vow_streaming *streaming)
{
    while (reader_is_idle(streaming)) {
        vow_parcel *parcel = vow_parcel_first(&streaming->arrived);

        if (parcel) {
            vow_packed packed = { .data = parcel->bytes, .size = parcel->size };

            vow_link_remove(&parcel->link);
            streaming->call->was_compressed = parcel->is_compressed;
            read_deliver(streaming->reader, &packed);
            vow_streaming_unpark(streaming, parcel);
        } else if (streaming->is_over) {
            wait_end_as_call(streaming->reader);
        } else if (streaming->has_finished) {
            wait_succeed(streaming->reader, NULL);
        } else {
            delivery_free(streaming->reader); /* a stream that is idle holds nothing */
            break;
        }
    }
}

/* What nothing can wait for; NULL: it is fine. */
static vow_future *call_refuses(vow_call *call)
{
    vow_scheduler *scheduler = vow_call_any_scheduler(call);

    VOW_RULE_THREAD(scheduler);
    if (vow_call_is_missing(call))
        return vow_future_no_memory(scheduler);
    if (call->streaming)
        return NULL;
    if (vow_call_is_callers(call) && call->future.status.code != VOW_OK)
        return vow_failure_of(scheduler, vow_status_share(&call->future.status));
    return vow_failure_of(scheduler,
                          vow_status_make(VOW_FAILED_PRECONDITION, "%s does not stream", call->method->name));
}

static vow_future *failed_precondition(const vow_call *call, const char *why)
{
    return vow_failure_of(vow_call_scheduler(call),
                          vow_status_make(VOW_FAILED_PRECONDITION, "%s: %s", call->method->name, why));
}

static vow_future *reader_new(vow_call *call, vow_deliver_fn *deliver, vow_any_fn *on_message, void *arg)
{
    vow_future      *refusal = call_refuses(call);
    vow_stream_wait *wait;

    if (refusal)
        return refusal;
    if (call->streaming->reader)
        return failed_precondition(call, "somebody reads this call already");
    wait = wait_new(call, arg);
    if (!wait)
        return vow_future_no_memory(vow_call_scheduler(call));
    wait->deliver = deliver;
    wait->function.on_message = on_message;
    call->streaming->reader = wait;
    vow_streaming_step_soon(call->streaming);
    return &wait->future;
}

vow_future *vow_call_next(vow_call *call)
{
    return VOW_MADE(reader_new(call, NULL, NULL, NULL));
}

static vow_future *deliver_as_it_is(vow_call *call, const ProtobufCMessage *message, vow_any_fn *on_message,
                                    void *arg)
{
    return ((vow_message_fn *)on_message)(call, message, arg);
}

vow_future *vow_call_read(vow_call *call, vow_message_fn *on_message, void *arg)
{
    return VOW_MADE(reader_new(call, deliver_as_it_is, (vow_any_fn *)on_message, arg));
}

vow_future *vow_call_read_as(vow_call *call, vow_deliver_fn *deliver, vow_any_fn *on_message, void *arg)
{
    return VOW_MADE(reader_new(call, deliver, on_message, arg));
}

/* Writing */

/* It would be asked again at once, and for ever. */
static bool writer_idles(const vow_streaming *streaming)
{
    return !streaming->was_fed && !streaming->has_ended && !streaming->is_over;
}

static void write_ask(vow_stream_wait *wait)
{
    vow_streaming *streaming = wait->call->streaming;

    vow_future_busy(&wait->future);
    streaming->was_fed = false;
    wait_for(wait, wait->function.on_room(streaming->call, wait->arg));
    if (streaming->writer == wait && !wait->waiter) {
        if (writer_idles(streaming))
            wait_fail(wait, vow_status_make(VOW_FAILED_PRECONDITION,
                                            "%s: the function given to vow_call_write sent nothing and gave NULL: "
                                            "where there is nothing to send yet, it gives a future of what has to come "
                                            "first",
                                            wait->call->method->name));
        else if (streaming->has_ended || vow_streaming_has_room(streaming))
            vow_streaming_step_soon(streaming);
    }
    vow_future_unbusy(&wait->future);
}

static void write_step(vow_streaming *streaming)
{
    vow_stream_wait *wait = streaming->writer;

    if (!wait || wait->waiter)
        return;
    if (streaming->has_ended)
        wait_succeed(wait, NULL);
    else if (streaming->is_over)
        wait_end_as_call(wait);
    else if (vow_streaming_has_room(streaming))
        write_ask(wait);
}

static void rooms_step(vow_streaming *streaming)
{
    vow_link *link;

    while ((streaming->is_over || streaming->has_ended || vow_streaming_has_room(streaming)) &&
           (link = vow_list_first(&streaming->rooms))) {
        vow_stream_wait *wait = VOW_OWNER(link, vow_stream_wait, link);

        if (streaming->is_over)
            wait_end_as_call(wait);
        else
            wait_succeed(wait, NULL);
    }
}

/* The other side's metadata */

static void heads_step(vow_streaming *streaming)
{
    vow_call *call = streaming->call;
    vow_link *link;

    while ((streaming->has_heard || streaming->has_finished || streaming->is_over || !vow_call_is_callers(call)) &&
           (link = vow_list_first(&streaming->heads))) {
        vow_stream_wait *wait = VOW_OWNER(link, vow_stream_wait, link);

        if (streaming->is_over && !streaming->has_heard && streaming->why.code != VOW_OK)
            wait_end_as_call(wait);
        else
            wait_succeed(wait, (void *)(uintptr_t)call->received);
    }
}

/* A future in one of the lists. `list` is where it is in the streaming half of a call. */
static vow_future *wait_in(vow_call *call, size_t list)
{
    vow_future      *refusal = call_refuses(call);
    vow_stream_wait *wait;

    if (refusal)
        return refusal;
    wait = wait_new(call, NULL);
    if (!wait)
        return vow_future_no_memory(vow_call_scheduler(call));
    vow_list_append((vow_list *)(void *)((char *)call->streaming + list), &wait->link);
    vow_streaming_step_soon(call->streaming);
    return &wait->future;
}

vow_future *vow_call_when_room(vow_call *call)
{
    return VOW_MADE(wait_in(call, offsetof(vow_streaming, rooms)));
}

vow_future *vow_call_when_metadata(vow_call *call)
{
    return VOW_MADE(wait_in(call, offsetof(vow_streaming, heads)));
}

vow_future *vow_call_write(vow_call *call, vow_room_fn *on_room, void *arg)
{
    vow_future      *refusal = call_refuses(call);
    vow_stream_wait *wait;

    if (refusal)
        return VOW_MADE(refusal);
    if (call->streaming->writer)
        return VOW_MADE(failed_precondition(call, "somebody writes this call already"));
    if (call->streaming->has_ended)
        return VOW_MADE(failed_precondition(call, "vow_call_end has ended the messages of this side"));
    wait = wait_new(call, arg);
    if (!wait)
        return vow_future_no_memory(vow_call_scheduler(call));
    wait->function.on_room = on_room;
    call->streaming->writer = wait;
    vow_streaming_step_soon(call->streaming);
    return VOW_MADE(&wait->future);
}

/* Events */

void vow_stream_waits_step(vow_streaming *streaming)
{
    heads_step(streaming);
    read_step(streaming);
    rooms_step(streaming);
    write_step(streaming);
}

bool vow_stream_waits_deliver(vow_streaming *streaming, vow_packed *packed)
{
    if (!reader_is_idle(streaming))
        return false;
    streaming->call->was_compressed = streaming->call->wire.was_compressed;
    read_deliver(streaming->reader, packed);
    if (reader_is_idle(streaming))
        delivery_free(streaming->reader); /* a stream that is idle holds nothing */
    return true;
}
