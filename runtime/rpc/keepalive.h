/*
 * Pings that find out whether the other side is still there.
 *
 * The idea: whatever comes is a sign of life. A ping leaves when nothing has come for some time, and the
 * session is lost when nothing comes for some time after that. A timer looks at when something was heard
 * last; a frame costs nothing.
 *
 * The rule: it is stopped before its session is closed.
 */
#ifndef VOW_RPC_KEEPALIVE_H
#define VOW_RPC_KEEPALIVE_H

#include "runtime/base/timers.h"
#include "runtime/protocol/protocol.h"

/* A side that asks more often than this is a burden, not careful (gRFC A8). */
#define VOW_KEEPALIVE_LEAST_MS 10000

typedef struct vow_keepalive {
    vow_timer    timer;
    vow_session *session;
    int64_t      interval_ms;
    int64_t      timeout_ms;
    uint64_t     pinged_ns;   /* when the ping left of which nothing has come; 0: there is none */
    bool         looks_again; /* its time is over, and what has come is read before it is lost */
} vow_keepalive;

/* The option as a program gives it: 0 is `usual_ms`, less than the least is taken for that, negative is off
 * (0). */
int64_t vow_keepalive_interval(int64_t given_ms, int64_t usual_ms);

void vow_keepalive_init(vow_keepalive *keepalive);

/* `interval_ms` 0: never. A client's session is asked about only while it has calls. */
void vow_keepalive_start(vow_keepalive *keepalive, vow_session *session, int64_t interval_ms,
                         int64_t timeout_ms);
void vow_keepalive_stop(vow_keepalive *keepalive);

#endif
