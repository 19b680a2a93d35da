/*
 * How many handshakes a server has, a second and at once: one costs it hundreds of times what a call does.
 *
 * The idea: each takes a slot, an interval behind the last one's, and begins up to a tenth of a second ahead of it:
 * what came of that without any may begin at once. Who has to wait stands in a queue, in order, and takes a slot when
 * the turn comes: who leaves before that has taken none.
 *
 * Source: the generic cell rate algorithm, ITU-T I.371, annex A.
 */
#include "runtime/transport/tls/tls.h"

#define SECOND_NS UINT64_C(1000000000)
#define BURST_NS (SECOND_NS / 10)

static uint64_t turns_interval(const vow_tls_context *context)
{
    return SECOND_NS / context->options.max_handshakes_per_second;
}

/* When the next handshake may begin, after `before` others. */
static uint64_t turns_next(const vow_tls_context *context, uint64_t now_ns, size_t before)
{
    uint64_t interval = turns_interval(context);
    uint64_t ahead = BURST_NS > interval ? BURST_NS - interval : 0;
    uint64_t slot = (context->next_slot_ns > now_ns ? context->next_slot_ns : now_ns) + before * interval;

    return slot > now_ns + ahead ? slot - ahead : now_ns;
}

static void turns_take_slot(vow_tls_context *context, uint64_t now_ns)
{
    context->next_slot_ns =
        (context->next_slot_ns > now_ns ? context->next_slot_ns : now_ns) + turns_interval(context);
}

static void turns_arm(vow_tls_context *context)
{
    uint64_t now_ns = vow_scheduler_now_ns(context->scheduler);

    vow_timers_arm(&context->scheduler->timers, &context->turn, turns_next(context, now_ns, 0));
}

static void turns_come(vow_timer *timer)
{
    vow_tls_context *context = VOW_OWNER(timer, vow_tls_context, turn);
    uint64_t         now_ns = vow_scheduler_now_ns(context->scheduler);
    vow_link        *first;

    context->references++; /* whose turn it is may be the last that has it */
    while ((first = vow_list_first(&context->turns)) && turns_next(context, now_ns, 0) <= now_ns) {
        vow_tls_turn *turn = VOW_OWNER(first, vow_tls_turn, link);

        vow_tls_turn_give(turn);
        turns_take_slot(context, now_ns);
        turn->came(turn);
    }
    if (first)
        turns_arm(context);
    vow_tls_context_drop(context);
}

void vow_tls_turns_init(vow_tls_context *context)
{
    vow_list_init(&context->turns);
    vow_timer_init(&context->turn, turns_come);
}

vow_tls_turn_time vow_tls_turn_take(vow_tls_turn *turn, vow_tls_context *context, vow_scheduler *scheduler,
                                    uint64_t latest_ns)
{
    uint64_t now_ns = vow_scheduler_now_ns(scheduler);
    uint64_t turn_ns = turns_next(context, now_ns, context->waiting);

    if (turn_ns > latest_ns)
        return VOW_TLS_TURN_TOO_LATE;
    if (turn_ns <= now_ns && context->waiting == 0) {
        turns_take_slot(context, now_ns);
        return VOW_TLS_TURN_NOW;
    }
    vow_link_init(&turn->link);
    vow_list_append(&context->turns, &turn->link);
    turn->context = context;
    context->references++;
    context->scheduler = scheduler;
    if (context->waiting++ == 0)
        turns_arm(context);
    return VOW_TLS_TURN_LATER;
}

void vow_tls_turn_give(vow_tls_turn *turn)
{
    vow_tls_context *context = turn->context;

    if (!context)
        return;
    turn->context = NULL;
    vow_link_remove(&turn->link);
    if (--context->waiting == 0)
        vow_timers_disarm(&context->scheduler->timers, &context->turn);
    vow_tls_context_drop(context);
}

bool vow_tls_context_is_busy(const vow_tls_context *context)
{
    return context->shaking >= context->options.max_handshakes;
}

void vow_tls_handshake_began(vow_tls_stream *tls)
{
    tls->is_counted = true;
    tls->context->shaking++;
}

void vow_tls_handshake_ended(vow_tls_stream *tls)
{
    tls->context->shaking -= tls->is_counted;
    tls->is_counted = false;
}
