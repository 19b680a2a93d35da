/*
 * The messages of a call that streams, on both sides: what has come and waits to be read, what waits to be sent,
 * and the futures that wait for either.
 *
 * The idea: a message that somebody waits for goes from the connection's buffer straight to its reader; one that
 * nobody waits for is kept as it came. What is kept has not been `taken`, and so holds its sender back.
 *
 *     stream.c   what is sent, what comes, and when it is over
 *     waits.c    the futures that wait for either
 *
 * The rule: the functions that a program calls only change what is there and queue `step`, which runs what follows.
 */
#ifndef VOW_RPC_STREAM_H
#define VOW_RPC_STREAM_H

#include "runtime/rpc/call.h"

#include <vow/stream.h>

typedef struct vow_stream_wait vow_stream_wait; /* a future of vow_call_next, _read, _write or _when_room */

struct vow_streaming {
    vow_call  *call;
    vow_task   step;   /* goes on with reading and writing */
    vow_task   serve;  /* begins a handler whose request streams */
    vow_list   arrived;
    vow_list   unsent; /* until there is a connection */
    vow_list   rooms;  /* who waits for room */
    vow_list   heads;  /* who waits for the other side's metadata */
    vow_stream_wait  *reader;
    vow_stream_wait  *writer;
    size_t     arrived_bytes;
    size_t     unsent_bytes;
    vow_status why;          /* the call is over, and so reading ends, and sending */
    bool       is_over;
    bool       has_arrived;  /* a message of the other side */
    bool       has_heard;    /* the other side's metadata, or that it has none */
    bool       has_finished; /* the other side's last message has come */
    bool       has_ended;    /* ours was sent: vow_call_end */
    bool       has_begun;    /* a caller whose request does not stream has sent it */
    bool       has_sent;     /* a message: the metadata before it has left */
    bool       was_fed;      /* something was sent since the writer's function was called */
};

/* A message as it came, or as it will be sent. */
typedef struct vow_parcel {
    vow_link link;
    size_t   size;
    bool     is_compressed; /* it came so, or shall leave so */
    uint8_t  bytes[];
} vow_parcel;

static inline vow_parcel *vow_parcel_first(const vow_list *list)
{
    vow_link *link = vow_list_first(list);

    return link ? VOW_OWNER(link, vow_parcel, link) : NULL;
}

static inline void vow_streaming_step_soon(vow_streaming *streaming)
{
    vow_scheduler_soon(vow_call_scheduler(streaming->call), &streaming->step);
}

static inline void vow_streaming_heard_metadata(vow_streaming *streaming)
{
    streaming->has_heard = true;
    if (!vow_list_empty(&streaming->heads))
        vow_streaming_step_soon(streaming);
}

/* Keeps a call, on either side, until it is let go. */
void vow_call_hold(vow_call *call);
void vow_call_let_go(vow_call *call);

/* Ends the call for a fault on this side. `status` is given. */
void vow_call_end_with(vow_call *call, vow_status status);

/* Gives a call its streaming half, in its own memory. False: no memory. */
bool vow_streaming_new(vow_call *call);
void vow_streaming_done(vow_call *call);

/* What was sent while interceptors began now passes them. */
void vow_streaming_pass_unsent(vow_call *call);

/* Sends what was sent before there was a connection. */
void vow_streaming_connected(vow_call *call);

/* The call is over. `at_once`: what was not read is dropped; else reading goes on to its end. `why` is lent. */
void vow_streaming_over_now(vow_call *call, vow_status why, bool at_once);

static inline void vow_streaming_over(vow_call *call, vow_status why, bool at_once)
{
    if (call->streaming)
        vow_streaming_over_now(call, why, at_once);
}

/* Is there room for a message? */
bool vow_streaming_has_room(const vow_streaming *streaming);

/* A message that waited has been read: frees it. */
void vow_streaming_unpark(vow_streaming *streaming, vow_parcel *parcel);

/* waits.c: goes on with what waits; hands a message over at once where somebody waits for it (false: nobody does; true:
 * the call may have gone). */
void vow_stream_waits_step(vow_streaming *streaming);
bool vow_stream_waits_deliver(vow_streaming *streaming, vow_packed *packed);

/* The events of a session. */
void vow_streaming_arrived(vow_call *call, vow_packed *packed);
void vow_streaming_finished(vow_wire *wire);
void vow_streaming_room(vow_wire *wire);

#endif
