/*
 * The life of a session: what every protocol does with its connection in the same way.
 *
 * The idea: a session waits for the peer's first word, is open, and ends in one of two ways. It is lost,
 * which rpc hears of from the queue; or rpc closes it: then what was queued still leaves, within a time, and
 * what comes meanwhile is read and dropped. A protocol's session begins with a vow_life, which begins with
 * the vow_session that rpc knows; what differs stands in a table.
 *
 * The rule: an event may close the session. Whoever calls one stands between enter and leave, and looks at
 * `state` afterwards.
 */
#ifndef VOW_PROTOCOL_LIFE_H
#define VOW_PROTOCOL_LIFE_H

#include "runtime/protocol/bucket.h"

#include <stdarg.h>

typedef struct vow_life vow_life;

typedef enum vow_life_state {
    VOW_LIFE_PREFACE, /* nothing is known of the peer */
    VOW_LIFE_HELLO,   /* it speaks this protocol, and has still to say how */
    VOW_LIFE_OPEN,
    VOW_LIFE_LOST,  /* `closed` was reported, or will be */
    VOW_LIFE_CLOSED /* by rpc; what was queued still leaves */
} vow_life_state;

/* Why a session does not read; a bit each. */
enum { VOW_PAUSED_BY_OWNER = 1, VOW_PAUSED_FOR_OUTPUT = 2, VOW_PAUSED_FOR_CANCELS = 4 };

typedef struct vow_life_kind {
    const char *first_word; /* that opens a session: "hello" */

    /* Queues the last word to the peer. VOW_OK: it ends in good order. */
    void (*say_why)(vow_life *life, vow_code code, const char *text);

    /* It is lost, and hears nothing any more. None of the protocol's own timers may fire from now on. */
    void (*stop)(vow_life *life);

    /* Ends all calls, as rpc is told. */
    void (*lose_calls)(vow_life *life, const vow_status *why);

    /* It is closed. Forgets all calls, without a word; no timer may fire from now on. */
    void (*forget_calls)(vow_life *life);

    /* Cancels a call that vow_life_cancel_later was told of, by its link. */
    void (*cancel)(vow_life *life, vow_link *late);

    /* Frees it. */
    void (*free)(vow_life *life);
} vow_life_kind;

struct vow_life {
    vow_session          base; /* first */
    const vow_life_kind *kind;
    vow_life_state       state;
    unsigned             paused; /* VOW_PAUSED_… */
    unsigned             busy;
    vow_bucket           cancels;
    vow_timer            timer; /* for the first word; then for the last ones */
    vow_task             lost;  /* reports the loss */
    vow_status           why;   /* it was lost */
    vow_task             end;   /* ends the stream of a session that was closed */
    vow_timer            cancels_back;
    vow_list             late; /* calls of ours that are cancelled as the bucket fills */
    vow_timer            late_timer;
    bool                 sent_last; /* the second goaway */
    bool has_last_words; /* closed by rpc, and keeps the loop alive until what was queued has left */
};

static inline vow_scheduler *vow_life_scheduler(const vow_life *life)
{
    return vow_scheduler_of(life->base.loop);
}

static inline bool vow_life_is_alive(const vow_life *life)
{
    return life->state < VOW_LIFE_LOST;
}

/* The option that message_timeout_ms was read from, for what the user is told. */
static inline const char *vow_life_timeout_name(const vow_life *life)
{
    return life->base.options.is_server ? "hello_timeout_ms" : "connect_timeout_ms";
}

/* Fills in what rpc sees. The stream is lent until the session is opened with it. */
void vow_session_init(vow_session *session, const vow_protocol *protocol, vow_stream *stream,
                      const vow_session_options *options, const vow_session_events *events, void *owner);

/* Behind vow_session_init; all else is zero. */
void vow_life_init(vow_life *life, const vow_life_kind *kind);

/* Takes the stream, and waits for the peer's first word. Its events have the session as their owner. */
void vow_life_begin(vow_life *life, const vow_stream_events *events);

/* Instead, where the protocol could not begin: closes the stream, and frees all. */
void vow_life_abandon(vow_life *life);

/* What may cause events runs between these: the session is not freed meanwhile. */
void vow_life_enter(vow_life *life);
void vow_life_leave(vow_life *life);

/* The first word has come: tells rpc. */
void vow_life_open(vow_life *life);

void vow_life_pause(vow_life *life, unsigned reason, bool paused);

/* While this side does not read, what is missing is not the peer's fault: the timer is armed again. */
bool vow_life_waits_for_us(vow_life *life, vow_timer *timer);

/* Ends all calls and the session, which rpc hears of from the queue, with `why`, which is given. */
void vow_life_lose(vow_life *life, vow_status why);

/* Tells the peer, and loses the session; `prefix` stands before what the user is told. */
void vow_life_refuse(vow_life *life, vow_code code, const char *prefix, const char *format, va_list arguments)
    VOW_PRINTF(4, 0);

/* All that was queued has left. */
void vow_life_drained(vow_life *life);

/* The calls in the session's table. */
void vow_life_add_call(vow_life *life, vow_wire *wire, uint64_t id, bool is_ours);
void vow_life_remove_call(vow_life *life, vow_wire *wire);

/* It was removed. Tells rpc, also of the place that has become free. */
void vow_life_call_ended(vow_life *life, vow_wire *wire, const vow_ending *ending);

/* A call of ours that was forgotten without a word holds its place at the peer no longer. */
void vow_life_ghost_ended(vow_life *life);

/* May a call of ours be cancelled? Towards others' servers, too, vow cancels no more than they allow. If not, it is
 * lent by `late`, until that is cancelled or removed. */
bool vow_life_may_cancel(vow_life *life);
void vow_life_cancel_later(vow_life *life, vow_link *late);

/* A call of the peer's was answered, or ended abnormally, whichever side asked. False: that was too much for
 * the third time, and the peer is to be told to calm down. */
void vow_life_answered(vow_life *life);
bool vow_life_cancelled(vow_life *life);

/* For the table of a stream's events. */
void vow_life_stream_opened(void *owner);
void vow_life_stream_closed(void *owner, const vow_status *why);

/* For a protocol's table. */
void vow_life_lose_session(vow_session *session, const vow_status *why);
void vow_life_pause_session(vow_session *session, bool paused);
void vow_life_close_session(vow_session *session, const vow_status *why);

#endif
