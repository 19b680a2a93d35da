/*
 * The futures of a stream: the next message, all of them, room for one more, and writing while there is room; and what
 * the other side said before its first.
 *
 * The idea: each is a small future of its own that holds the call and is known to it. It ends with its event,
 * with the call, or when its last handle is dropped, which the call does not mind.
 */
#include "runtime/base/apart.h"
#include "runtime/base/sanitizer.h"
#include "runtime/rpc/channel.h"
#include "runtime/rpc/stream.h"

/* The memory of one message that was unpacked. */
typedef struct delivery {
    vow_arena arena;
    _Alignas(VOW_ARENA_ALIGNMENT) uint8_t room[];
} delivery;

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
    delivery   *delivery; /* of a message that somebody keeps */
    size_t      size;     /* of the message in hand */
    bool        has_message;
};

_Static_assert(sizeof(vow_stream_wait) <= VOW_FUTURE_ROOM, "a wait fits the pool of futures");

/* Deliveries */

static VOW_SELDOM delivery *delivery_new(vow_scheduler *scheduler, size_t cap)
{
    size_t    block_size = VOW_DELIVERY_SIZE;
    delivery *delivery = vow_blocks_take(&scheduler->blocks, &block_size);

    if (!delivery)
        return NULL;
    vow_arena_init(&delivery->arena, delivery->room, VOW_DELIVERY_SIZE - offsetof(struct delivery, room),
                   &scheduler->blocks, cap);
    return delivery;
}

/* The loop keeps one that is ready: of a burst of messages most are read, and done with, before the next one comes. */
static delivery *delivery_take(vow_scheduler *scheduler, size_t cap)
{
    delivery *delivery = scheduler->delivery;

    if (!delivery)
        return delivery_new(scheduler, cap);
    VOW_UNPOISON(delivery, VOW_DELIVERY_SIZE);
    scheduler->delivery = NULL;
    delivery->arena.cap = cap;
    return delivery;
}

static VOW_SELDOM void delivery_free(vow_scheduler *scheduler, delivery *delivery)
{
    vow_arena_done(&delivery->arena);
    vow_blocks_give(&scheduler->blocks, delivery, VOW_DELIVERY_SIZE);
}

static void delivery_give(vow_scheduler *scheduler, delivery *delivery)
{
    if (scheduler->delivery || !vow_arena_rewind(&delivery->arena, delivery->room)) {
        delivery_free(scheduler, delivery);
        return;
    }
    scheduler->delivery = delivery;
    VOW_POISON(delivery, VOW_DELIVERY_SIZE);
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

/* Nobody keeps a message any more. */
static void wait_give_delivery(vow_stream_wait *wait)
{
    delivery *delivery = wait->delivery;

    if (!delivery)
        return;
    wait->delivery = NULL;
    delivery_give(vow_call_scheduler(wait->call), delivery);
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

    wait_give_delivery(wait);
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

/* Waits for what the function gave before it is called again. */
static VOW_APART void wait_for(vow_stream_wait *wait, vow_future *future)
{
    vow_waiter *waiter;

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

static VOW_SELDOM void read_failed(vow_stream_wait *wait, vow_status status)
{
    vow_call *call = wait->call;

    wait_taken(wait);
    if (vow_future_pending(&wait->future)) /* an interceptor may have cancelled it */
        wait_fail(wait, vow_status_share(&status));
    vow_call_end_with(call, status);
}

/* Hands a message over that was unpacked. False: nobody keeps it. */
static inline bool read_hand_over(vow_stream_wait *wait, ProtobufCMessage *message)
{
    vow_future *future;

    if (!vow_future_pending(&wait->future)) { /* an interceptor has cancelled it */
        wait_taken(wait);
        return false;
    }
    if (!wait->deliver) {
        wait_taken(wait);
        wait_succeed(wait, message);
        return true;
    }
    future = wait->deliver(wait->call, message, wait->function.on_message, wait->arg);
    if (future)
        wait_for(wait, future);
    else
        wait_taken(wait);
    return future != NULL;
}

/* Unpacks a message for who waits for one. The wait is busy meanwhile, and so keeps the call. */
static void read_deliver(vow_stream_wait *wait, vow_packed *packed)
{
    vow_call         *call = wait->call;
    vow_scheduler    *scheduler = vow_call_scheduler(call);
    vow_status        status = vow_status_no_memory();
    ProtobufCMessage *message = NULL;
    delivery         *delivery;

    vow_future_busy(&wait->future);
    wait_give_delivery(wait);
    wait->has_message = true;
    wait->size = packed->size;
    delivery = delivery_take(scheduler, call->arena.cap);
    if (delivery)
        message = vow_call_unpack(call, &delivery->arena, read_descriptor(call), packed, "message", &status);
    if (!message)
        read_failed(wait, status);
    if (message && read_hand_over(wait, message))
        wait->delivery = delivery;
    else if (delivery)
        delivery_give(scheduler, delivery);
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
            wait_give_delivery(streaming->reader); /* a stream that is idle holds nothing */
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
    vow_future    *future;

    vow_future_busy(&wait->future);
    streaming->was_fed = false;
    future = wait->function.on_room(streaming->call, wait->arg);
    if (future)
        wait_for(wait, future);
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
    return true;
}
