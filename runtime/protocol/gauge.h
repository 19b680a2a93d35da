/*
 * Windows that grow with what a round trip carries.
 *
 * The idea: a ping leaves when bytes come, and when a third of a stream's window or more has come until its
 * pong, the window is doubled (after gRPC's "BDP estimation"). But not where that round trip took twice as
 * long as the shortest one: bytes queue up on the way then, and more of them would only delay small calls.
 * While windows fit, pings become rare.
 *
 * The rule: it says how large a window is. Its user sees to it that only a stream that is read has such a
 * one.
 */
#ifndef VOW_PROTOCOL_GAUGE_H
#define VOW_PROTOCOL_GAUGE_H

#include "runtime/protocol/protocol.h"

/* What all streams of a connection may have on their way, at least. */
#define VOW_CONNECTION_WINDOW_LEAST ((uint64_t)1 << 20)

typedef struct vow_gauge {
    uint64_t stream_window;     /* what a stream that is read may have on its way to this side */
    uint64_t connection_window; /* and all of them together */
    uint64_t most;              /* for a stream */
    uint64_t ping;              /* the ping that is on its way; 0: none */
    uint64_t bytes;             /* came since it left */
    uint64_t sent_ns;           /* when it left */
    uint64_t shortest_ns;       /* round trip; 0: none was measured */
    uint64_t not_before_ns;
    uint64_t pause_ns; /* until the next; longer when the windows fit */
} vow_gauge;

/* A stream begins with `stream_window`. */
void vow_gauge_init(vow_gauge *gauge, uint64_t stream_window, const vow_stream *stream);

/* Counts bytes of messages that came; may send a ping. */
void vow_gauge_count(vow_gauge *gauge, vow_session *session, uint64_t bytes);

/* A pong came; windows may have grown. False: it answers somebody else's ping. */
bool vow_gauge_hear_pong(vow_gauge *gauge, const vow_session *session, uint64_t ping);

#endif
