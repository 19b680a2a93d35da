/*
 * The calls of a session: those that there are, how each ends, and what rpc hands down.
 *
 * The idea: a call is in the session's table from its first frame to its last, and nobody else links or unlinks it.
 */
#include "runtime/protocol/native/session.h"

#include "runtime/base/details.h"
#include "runtime/base/memory.h"

#include <assert.h>
#include <string.h>

#define NS_PER_US 1000u

/* A call of ours that was forgotten without a word, and still has its place at the peer: it is cancelled later, if it
 * has not ended by then. */
typedef struct ghost {
    vow_map_node node;
    vow_link     late;
} ghost;

/* The table of calls */

vow_wire *vow_calls_find(vow_native *native, uint64_t id)
{
    vow_map_node *node = vow_map_find(&native->base.calls, id);

    return node ? VOW_OWNER(node, vow_wire, node) : NULL;
}

/* The session forgets the wire. */
static void calls_remove(vow_native *native, vow_wire *wire)
{
    vow_input_free(native, wire);
    vow_output_forget(&native->output, wire);
    vow_flow_free(native, wire);
    vow_life_remove_call(&native->life, wire);
}

static void ghost_free(vow_native *native, ghost *ghost)
{
    vow_map_remove(&native->ghosts, &ghost->node);
    vow_link_remove(&ghost->late);
    vow_free(ghost);
}

void vow_calls_ghost_ends(vow_native *native, uint64_t id)
{
    vow_map_node *node = vow_map_find(&native->ghosts, id);

    if (!node)
        return;
    ghost_free(native, VOW_OWNER(node, ghost, node));
    vow_life_ghost_ended(&native->life);
}

void vow_calls_cancel_late(vow_life *life, vow_link *late)
{
    vow_native      *native = (vow_native *)life;
    const vow_header cancel = { .kind = VOW_FRAME_CANCEL, .call = VOW_OWNER(late, ghost, late)->node.key };

    vow_native_send(native, &cancel);
    vow_calls_ghost_ends(native, cancel.call);
}

/* Ending calls */

/* `wire` is NULL where the call has none, or has nothing before its status. */
void vow_calls_send_status(vow_native *native, vow_wire *wire, uint64_t id, const vow_ending *ending)
{
    const char    *text = vow_status_message(&ending->status);
    int64_t        push_back_ms = vow_status_push_back_ms(&ending->status);
    size_t         details_size;
    const uint8_t *details = vow_status_details(&ending->status, &details_size);
    vow_header     header = {
            .kind = VOW_FRAME_STATUS,
            .call = id,
            .code = (uint32_t)ending->status.code,
            .text = { (const uint8_t *)text, strlen(text) },
            .details = { details, details_size },
            .has_push_back = push_back_ms >= 0,
            .push_back_ms = push_back_ms >= 0 ? (uint64_t)push_back_ms : 0,
            .to_send = ending->metadata,
            .trailing_to_send = ending->trailing,
            .never_ran = ending->never_ran,
    };
    vow_flow  *flow = wire ? wire->flow : NULL;
    vow_status why = VOW_STATUS_OK;

    vow_fit_status(native, &header, &why);
    native->output.has_sent_of_calls = true;
    if (!flow)
        vow_native_send(native, &header);
    else if (vow_native_is_alive(native) &&
             vow_output_behind(&native->output, &flow->pace, &header) != VOW_OK)
        vow_native_lose(native, vow_status_no_memory());
    vow_status_done(&why);
}

void vow_calls_end(vow_native *native, vow_wire *wire, const vow_ending *ending)
{
    calls_remove(native, wire);
    vow_life_call_ended(&native->life, wire, ending);
}

void vow_calls_fail(vow_native *native, vow_wire *wire, vow_status status)
{
    uint64_t         id = wire->node.key;
    const vow_header cancel = { .kind = VOW_FRAME_CANCEL, .call = id };

    if (wire->is_ours)
        vow_native_send(native, &cancel);
    else
        vow_calls_send_status(native, NULL, id, VOW_ENDING(.status = status));
    if (wire->session)
        vow_calls_end(native, wire, VOW_ENDING(.status = status));
    vow_status_done(&status);
}

void vow_calls_lose(vow_native *native, const vow_status *why)
{
    vow_map_node *node;

    while ((node = vow_map_any(&native->base.calls))) {
        vow_wire *wire = VOW_OWNER(node, vow_wire, node);

        calls_remove(native, wire);
        native->base.events->ended(wire, VOW_ENDING(.status = *why));
    }
}

void vow_calls_forget(vow_native *native)
{
    vow_map_node *node;

    while ((node = vow_map_any(&native->base.calls)))
        calls_remove(native, VOW_OWNER(node, vow_wire, node));
    while ((node = vow_map_any(&native->ghosts)))
        ghost_free(native, VOW_OWNER(node, ghost, node));
}

/* What rpc hands down */

static uint64_t time_left_us(vow_native *native, uint64_t deadline_ns)
{
    uint64_t now = vow_scheduler_now_ns(vow_native_scheduler(native));

    if (deadline_ns == UINT64_MAX)
        return 0;
    return deadline_ns > now + NS_PER_US ? (deadline_ns - now) / NS_PER_US : 1;
}

static vow_code begin_check(const vow_native *native, size_t size, vow_status *status)
{
    const vow_session *session = &native->base;

    if (size > session->peer_max_message_size)
        *status = vow_status_make(VOW_RESOURCE_EXHAUSTED,
                                  "%s: the request has %zu bytes; the server takes %llu (its max_message_size)",
                                  session->options.target, size, (unsigned long long)session->peer_max_message_size);
    else if (vow_output_pressing(&native->output) > session->options.max_queued_bytes)
        *status = vow_status_make(VOW_RESOURCE_EXHAUSTED,
                                  "%s: %zu bytes wait to be sent; %zu are allowed (max_queued_bytes)",
                                  session->options.target, native->output.queued_bytes,
                                  session->options.max_queued_bytes);
    else
        return VOW_OK;
    return VOW_RESOURCE_EXHAUSTED;
}

static bool begin_shortly(vow_native *native, const vow_begin *begin, uint32_t method)
{
    const vow_short_header header = { .kind = VOW_FRAME_CALL,
                                      .call = native->next_call,
                                      .method = method,
                                      .time_left_us = time_left_us(native, begin->deadline_ns) };

    return method && begin->message && !begin->metadata && vow_output_short(&native->output, &header, begin->message);
}

static vow_code begin_any(vow_native *native, vow_wire *wire, const vow_begin *begin, uint32_t method, size_t size,
                          vow_status *status)
{
    vow_header header = { .kind = VOW_FRAME_CALL,
                          .call = native->next_call,
                          .method = method,
                          .time_left_us = time_left_us(native, begin->deadline_ns),
                          .streams = !begin->message,
                          .to_send = begin->metadata };

    if (method == 0)
        header.method_name = (vow_bytes){ (const uint8_t *)begin->method->name, strlen(begin->method->name) };
    if (!vow_fit_call(native, &header, begin, size, status))
        return VOW_RESOURCE_EXHAUSTED;
    *status = vow_status_no_memory();
    if (begin->message)
        return vow_output_message(&native->output, &header, begin->message, size, wire);
    if (!vow_flow_of(native, wire))
        return VOW_RESOURCE_EXHAUSTED;
    return vow_output_frame(&native->output, &header, (vow_bytes){ NULL, 0 });
}

vow_code vow_calls_begin(vow_session *session, vow_wire *wire, const vow_begin *begin, vow_status *status)
{
    vow_native *native = vow_native_of(session);
    size_t      size = begin->message ? vow_message_size(begin->message) : 0;
    uint32_t    method;

    assert(native->life.state == VOW_LIFE_OPEN);
    if (begin_check(native, size, status) != VOW_OK)
        return VOW_RESOURCE_EXHAUSTED;
    method = vow_methods_tell(native, begin->method);
    if (!begin_shortly(native, begin, method) &&
        begin_any(native, wire, begin, method, size, status) != VOW_OK) {
        vow_flow_free(native, wire);
        return VOW_RESOURCE_EXHAUSTED;
    }
    vow_life_add_call(&native->life, wire, native->next_call, true);
    native->next_call += 2;
    return VOW_OK;
}

static bool answer_shortly(vow_native *native, const vow_wire *wire, const ProtobufCMessage *message,
                           const vow_ending *ending)
{
    const vow_short_header header = { .kind = VOW_FRAME_REPLY, .call = wire->node.key };

    return !ending->metadata && !ending->trailing && vow_output_short(&native->output, &header, message);
}

static void answer_with_message(vow_native *native, vow_wire *wire, const ProtobufCMessage *message,
                                const vow_ending *ending)
{
    size_t     size = vow_message_size(message);
    vow_header header = { .kind = VOW_FRAME_REPLY,
                          .call = wire->node.key,
                          .to_send = ending->metadata,
                          .trailing_to_send = ending->trailing };
    vow_status status;

    if (size > native->base.peer_max_message_size) {
        status = vow_status_make(VOW_RESOURCE_EXHAUSTED,
                                 "the reply has %zu bytes; the caller takes %llu (its max_message_size)",
                                 size, (unsigned long long)native->base.peer_max_message_size);
    } else if (vow_fit_answer(native, &header, size, &status)) {
        if (vow_output_message(&native->output, &header, message, size, NULL) == VOW_OK)
            return;
        status = vow_status_no_memory();
    }
    vow_calls_send_status(native, NULL, header.call, VOW_ENDING(.status = status));
    vow_status_done(&status);
}

void vow_calls_answer(vow_wire *wire, const ProtobufCMessage *message, const vow_ending *ending)
{
    vow_native *native = vow_native_of(wire->session);
    vow_flow   *flow = wire->flow;

    if (message) {
        if (!answer_shortly(native, wire, message, ending))
            answer_with_message(native, wire, message, ending);
        calls_remove(native, wire);
    } else if (flow && flow->pace.first && !ending->at_once && vow_native_is_alive(native)) {
        flow->is_answered = true;
        vow_calls_send_status(native, wire, wire->node.key, ending);
    } else {
        vow_calls_send_status(native, ending->at_once ? NULL : wire, wire->node.key, ending);
        calls_remove(native, wire);
    }
    vow_life_answered(&native->life);
    vow_native_check_output(native);
}

/* Is the peer left with a part of a message? It waits for the rest. */
static bool cancel_cuts(const vow_wire *wire)
{
    const vow_flow *flow = wire->flow;

    return wire->outgoing || (flow && flow->pace.first);
}

/* A call that must not be cancelled yet runs on, and is not listened to. */
static bool cancel_leaves_ghost(vow_native *native, uint64_t id, bool was_sent_whole)
{
    ghost *ghost;

    if (vow_life_may_cancel(&native->life) || !was_sent_whole)
        return false;
    ghost = vow_alloc(sizeof *ghost);
    if (!ghost)
        return false;
    ghost->node.key = id;
    vow_map_insert(&native->ghosts, &ghost->node);
    vow_link_init(&ghost->late);
    vow_life_cancel_later(&native->life, &ghost->late);
    native->base.our_calls++;
    return true;
}

void vow_calls_cancel(vow_wire *wire)
{
    vow_native      *native = vow_native_of(wire->session);
    const vow_header cancel = { .kind = VOW_FRAME_CANCEL, .call = wire->node.key };
    bool             is_ours = wire->is_ours;
    bool             was_sent_whole = !cancel_cuts(wire);

    calls_remove(native, wire);
    if (is_ours && vow_native_is_alive(native) && !cancel_leaves_ghost(native, cancel.call, was_sent_whole))
        vow_native_send(native, &cancel);
}
