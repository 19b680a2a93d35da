/*
 * Streams: their messages, and the credit that paces them.
 *
 * The idea: who receives gives credit, and who sends spends it. A frame of a stream costs its payload and a
 * charge, on its stream and on the connection. What this side gives back to a stream depends on what is held
 * of it:
 *
 *     credit out = window - messages not taken - (a message still coming in, if any is not taken)
 *
 * so that a reader that stops costs a window and one message, and a message larger than the window goes on as
 * long as it is the next one to be read. A stream of which nothing was ever taken has the window that it
 * began with. The connection's credit comes back as soon as frames come in: it bounds what is on its way, and
 * a stream that nobody reads never holds up another (grpc-go does the same).
 *
 * Windows grow with what a round trip carries (runtime/protocol/gauge.h).
 */
#include "runtime/protocol/native/session.h"

#include "runtime/base/apart.h"
#include "runtime/base/memory.h"

/* Nobody is given more credit than this: the sum would overflow, or nearly. */
#define CREDIT_MAX ((uint64_t)1 << 62)

static vow_flow *flow_of_wire(const vow_wire *wire)
{
    return wire->flow;
}

/* Life */

/* What the hello promises to each stream. */
static uint64_t first_window(const vow_native *native)
{
    uint64_t window = native->base.options.stream_window;

    return window < VOW_WINDOW_LEAST ? VOW_WINDOW_LEAST : window;
}

void vow_flow_init(vow_native *native)
{
    vow_gauge_init(&native->gauge, first_window(native), native->base.stream);
    native->granted = native->gauge.connection_window;
}

static void flow_emptied(vow_task *task)
{
    vow_flow   *flow = VOW_OWNER(task, vow_flow, emptied);
    vow_native *native = flow->native;
    vow_wire   *wire = flow->pace.wire;

    if (!vow_native_is_alive(native) || wire->queued)
        return; /* more was sent meanwhile; it will leave, too */
    if (flow->is_answered)
        vow_calls_end(native, wire, VOW_ENDING(.status = VOW_STATUS_OK));
    else
        native->base.events->room(wire);
}

vow_flow *vow_flow_of(vow_native *native, vow_wire *wire)
{
    vow_flow *flow = flow_of_wire(wire);

    if (flow)
        return flow;
    flow = vow_alloc_zeroed(sizeof *flow);
    if (!flow)
        return NULL;
    flow->native = native;
    flow->pace = (vow_pace){ .wire = wire,
                             .credit = native->peer_stream_window,
                             .window = native->peer_stream_window };
    /* What the hello promised, whatever the window has grown to since. */
    flow->granted = first_window(native);
    vow_task_init(&flow->emptied, flow_emptied);
    wire->flow = flow;
    return flow;
}

void vow_flow_free(vow_native *native, vow_wire *wire)
{
    vow_flow *flow = flow_of_wire(wire);

    if (!flow)
        return;
    if (native->input.seen.flow == flow)
        native->input.seen.flow = NULL;
    vow_output_forget_stream(&native->output, &flow->pace);
    vow_task_cancel(&flow->emptied);
    wire->flow = NULL;
    vow_free(flow);
}

/* Receiving */

static VOW_SELDOM void send_credit(vow_native *native, uint64_t call, uint64_t credit)
{
    const vow_header header = { .kind = VOW_FRAME_CREDIT, .call = call, .credit = credit };

    vow_native_send(native, &header);
}

static inline uint64_t flow_window(const vow_native *native, const vow_flow *flow)
{
    return flow->is_read ? native->gauge.stream_window : first_window(native);
}

/* What the peer may have left to send. */
static inline uint64_t flow_wanted(const vow_native *native, const vow_flow *flow)
{
    uint64_t window = flow_window(native, flow);
    uint64_t counted = flow->held + (flow->held ? flow->assembling : 0);

    return counted < window ? window - counted : 0;
}

/* Credit is given back once a quarter of a window has become free: not in a frame for each message. */
static inline bool flow_is_due(const vow_native *native, const vow_flow *flow)
{
    return flow_wanted(native, flow) >= flow->granted + flow_window(native, flow) / 4 && !flow->pace.wire->has_ended;
}

static void flow_grant(vow_native *native, vow_flow *flow)
{
    uint64_t wanted = flow_wanted(native, flow);

    send_credit(native, flow->pace.wire->node.key, wanted - flow->granted);
    flow->granted = wanted;
}

static void connection_grant(vow_native *native)
{
    uint64_t window = native->gauge.connection_window;

    if (native->granted > window / 2)
        return;
    send_credit(native, 0, window - native->granted);
    native->granted = window;
}

static bool receive_is_allowed(vow_native *native, vow_wire *wire, const vow_header *header, uint64_t cost)
{
    unsigned long long call = header->call;

    if (cost > native->granted)
        vow_native_break(native,
                         "STREAM for call %llu costs %llu bytes, and the connection had credit for %llu",
                         call, (unsigned long long)cost, (unsigned long long)native->granted);
    else if (wire && wire->has_ended)
        vow_native_break(native, "STREAM for call %llu, whose sender had ended its messages", call);
    else if (wire && flow_of_wire(wire) && cost > flow_of_wire(wire)->granted)
        vow_native_break(native, "STREAM for call %llu costs %llu bytes, and the call had credit for %llu",
                         call, (unsigned long long)cost, (unsigned long long)flow_of_wire(wire)->granted);
    else
        return true;
    return false;
}

bool vow_flow_receive(vow_native *native, vow_wire *wire, const vow_header *header, size_t payload_size)
{
    uint64_t  cost = payload_size + VOW_STREAM_FRAME_CHARGE;
    vow_flow *flow;

    if (!receive_is_allowed(native, wire, header, cost))
        return false;
    native->granted -= cost;
    vow_gauge_count(&native->gauge, &native->base, cost);
    connection_grant(native);
    flow = wire && vow_native_is_alive(native) ? flow_of_wire(wire) : NULL;
    if (flow) {
        flow->granted -= cost;
        flow->assembling += cost;
        if (header->more && flow_is_due(native, flow)) /* else it is complete, and counts until it is taken */
            flow_grant(native, flow);
    }
    return vow_native_is_alive(native);
}

bool vow_flow_receive_next(vow_native *native, vow_flow *flow, size_t size)
{
    uint64_t cost = size + VOW_STREAM_FRAME_CHARGE;

    if (flow->pace.wire->has_ended || cost > native->granted || cost > flow->granted)
        return false;
    native->granted -= cost;
    flow->granted -= cost;
    flow->held += cost;
    vow_gauge_count(&native->gauge, &native->base, cost);
    connection_grant(native);
    return true;
}

void vow_flow_message(vow_native *native, vow_wire *wire, size_t size)
{
    vow_flow *flow = flow_of_wire(wire);

    (void)native;
    flow->assembling = 0;
    flow->held += size + VOW_STREAM_FRAME_CHARGE;
}

static VOW_SELDOM void flow_go_on(vow_native *native, vow_flow *flow)
{
    if (flow->held == 0)
        vow_input_go_on(flow->pace.wire);
    if (vow_native_is_alive(native) && flow_is_due(native, flow))
        flow_grant(native, flow);
}

void vow_flow_taken(vow_wire *wire, size_t size)
{
    vow_native *native = vow_native_of(wire->session);
    vow_flow   *flow = flow_of_wire(wire);

    flow->held -= size + VOW_STREAM_FRAME_CHARGE;
    flow->is_read = true;
    if (wire->incoming || flow_is_due(native, flow))
        flow_go_on(native, flow);
}

bool vow_flow_holds_back(const vow_wire *wire)
{
    const vow_flow *flow = flow_of_wire(wire);

    return flow && flow->held > 0;
}

/* Sending */

void vow_flow_hear_credit(vow_native *native, const vow_header *header, vow_wire *wire)
{
    vow_flow *flow = wire ? flow_of_wire(wire) : NULL;
    uint64_t  has = header->call == 0 ? native->output.credit : flow ? flow->pace.credit : 0;

    if (header->credit == 0 || header->credit > CREDIT_MAX - has)
        vow_native_break(native, "CREDIT of %llu for call %llu, which has %llu",
                         (unsigned long long)header->credit, (unsigned long long)header->call,
                         (unsigned long long)has);
    else if (header->call == 0)
        vow_output_connection_credit(&native->output, header->credit);
    else if (flow)
        vow_output_credit(&native->output, &flow->pace, header->credit);
}

void vow_flow_emptied(vow_output *output, vow_pace *pace)
{
    vow_flow *flow = VOW_OWNER(pace, vow_flow, pace);

    vow_scheduler_soon(vow_scheduler_of(output->session->loop), &flow->emptied);
}

/* What is not short, or has to wait, or is the first. */
static VOW_APART vow_code flow_send_any(vow_wire *wire, const ProtobufCMessage *message, const vow_metadata *metadata,
                                        vow_status *status)
{
    vow_native *native = vow_native_of(wire->session);
    vow_flow   *flow = vow_flow_of(native, wire);
    size_t      size = vow_message_size(message);
    vow_header  header = { .kind = VOW_FRAME_STREAM, .call = wire->node.key, .to_send = metadata };

    if (size > native->base.peer_max_message_size)
        *status = vow_status_make(
            VOW_RESOURCE_EXHAUSTED, "%s: a message has %zu bytes; the peer takes %llu (its max_message_size)",
            native->base.options.target, size, (unsigned long long)native->base.peer_max_message_size);
    else if (!vow_fit_answer(native, &header, size, status))
        return VOW_RESOURCE_EXHAUSTED;
    else if (flow && vow_output_stream(&native->output, &flow->pace, &header, message, size) == VOW_OK)
        return VOW_OK;
    else
        *status = vow_status_no_memory();
    return VOW_RESOURCE_EXHAUSTED;
}

vow_code vow_flow_send(vow_wire *wire, const ProtobufCMessage *message, const vow_metadata *metadata,
                       vow_status *status)
{
    vow_flow *flow = flow_of_wire(wire);

    if (!metadata && flow && vow_output_stream_short(&vow_native_of(wire->session)->output, &flow->pace, message))
        return VOW_OK;
    return flow_send_any(wire, message, metadata, status);
}

vow_code vow_flow_send_metadata(vow_wire *wire, const vow_metadata *metadata, vow_status *status)
{
    vow_native      *native = vow_native_of(wire->session);
    const vow_header header = { .kind = VOW_FRAME_METADATA, .call = wire->node.key, .to_send = metadata };

    if (!vow_fit_answer(native, &header, 0, status))
        return VOW_RESOURCE_EXHAUSTED;
    native->output.has_sent_of_calls = true;
    vow_native_send(native, &header);
    return VOW_OK;
}

void vow_flow_finish(vow_wire *wire)
{
    vow_native      *native = vow_native_of(wire->session);
    vow_flow        *flow = flow_of_wire(wire);
    const vow_header end = { .kind = VOW_FRAME_END, .call = wire->node.key };

    if (vow_native_is_alive(native) && vow_output_behind(&native->output, &flow->pace, &end) != VOW_OK)
        vow_native_lose(native, vow_status_no_memory());
}
