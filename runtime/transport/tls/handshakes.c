/*
 * How many handshakes a server has, a second and at once: one costs it hundreds of times what a call does.
 *
 * The idea: each takes a turn, a moment that is an interval behind the last one's; so the queue is a number,
 * and who waits stands in it in order. What came of a tenth of a second without any may begin at once.
 *
 * Source: the generic cell rate algorithm, ITU-T I.371, annex A.
 */
#include "runtime/transport/tls/tls.h"

#define SECOND_NS UINT64_C(1000000000)
#define BURST_NS (SECOND_NS / 10)

bool vow_tls_context_take_turn(vow_tls_context *context, uint64_t now_ns, uint64_t latest_ns,
                               uint64_t *turn_ns)
{
    uint64_t interval = SECOND_NS / context->options.max_handshakes_per_second;
    uint64_t ahead = BURST_NS > interval ? BURST_NS - interval : 0;
    uint64_t slot = context->next_slot_ns > now_ns ? context->next_slot_ns : now_ns;
    uint64_t turn = slot > now_ns + ahead ? slot - ahead : now_ns;

    if (turn > latest_ns)
        return false;
    context->next_slot_ns = slot + interval;
    *turn_ns = turn;
    return true;
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
