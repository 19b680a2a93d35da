/*
 * Pings, and how many are too many.
 *
 * The idea: a ping costs its sender as much as us, so what is refused is a habit, not a ping. One that comes
 * after we have sent a frame of a call is free: with those a peer measures what a round trip carries, and it
 * has just been given more than it asks for. Others must be some time apart, more of it while the peer has no
 * calls; two that are not are forgiven.
 *
 * Source  gRFC A8, "Server-side Connection Management": ping strikes.
 */
#include "runtime/protocol/native/session.h"

/* Pongs that the peer has not taken: then it must take them before it is read again; then it is a flood. */
#define PONGS_TO_STOP 100
#define PONGS_MAX 1000

uint64_t vow_pings_send(vow_session *session)
{
    vow_native      *native = vow_native_of(session);
    const vow_header ping = { .kind = VOW_FRAME_PING, .ping = native->pings + 1 };

    if (native->life.state != VOW_LIFE_OPEN)
        return 0;
    native->pings++;
    vow_native_send(native, &ping);
    return native->pings;
}

static bool ping_is_allowed(vow_native *native)
{
    bool is_free = native->output.has_sent_of_calls;

    native->output.has_sent_of_calls = false;
    return vow_strikes_ping(&native->strikes, &native->base, is_free);
}

void vow_pings_hear_ping(vow_native *native, const vow_header *header)
{
    const vow_header pong = { .kind = VOW_FRAME_PONG, .ping = header->ping };

    if (native->base.options.min_ping_interval_ms > 0 && !ping_is_allowed(native)) {
        vow_native_refuse(native, VOW_RESOURCE_EXHAUSTED,
                          "too_many_pings: they must be %lld ms apart (min_ping_interval_ms)",
                          (long long)vow_strikes_interval_ms(&native->base));
        return;
    }
    if (++native->output.pongs > PONGS_MAX) {
        vow_native_break(native, "%d pings came whose answers were not taken", PONGS_MAX);
        return;
    }
    vow_native_send(native, &pong);
    if (native->output.pongs >= PONGS_TO_STOP && vow_native_is_alive(native))
        vow_life_pause(&native->life, VOW_PAUSED_FOR_OUTPUT, true);
}

void vow_pings_hear_pong(vow_native *native, const vow_header *header)
{
    if (header->ping != native->pongs + 1 || header->ping > native->pings) {
        vow_native_break(native, "PONG %llu answers no ping", (unsigned long long)header->ping);
        return;
    }
    native->pongs++;
    if (!vow_gauge_hear_pong(&native->gauge, &native->base, header->ping))
        native->base.events->pong(native->base.owner, header->ping);
}
