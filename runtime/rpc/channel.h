/*
 * The inside of a channel: its connections, and the calls that wait for one.
 *
 * The idea: a call goes out on the ready connection with the fewest calls. When there is none, or none
 * has a place, the call is packed and queued; a connection that becomes ready, or gets a place, serves
 * the queue in order. Connections come and go; the channel keeps the pause between attempts.
 *
 *     caller.c      one call, from vow_call_unary to its settling
 *     channel.c     the queue, the choice of a connection, the pauses
 *     connection.c  one connection, from connecting to closed
 *     connectivity.c  who waits for the channel to become ready, or to change
 */
#ifndef VOW_RPC_CHANNEL_H
#define VOW_RPC_CHANNEL_H

#include "runtime/rpc/call.h"
#include "runtime/rpc/keepalive.h"
#include "runtime/transport/dial.h"

struct vow_channel {
    vow_anchor          anchor; /* first; what every call looks at follows, and shares lines of the cache */
    const vow_protocol *protocol;
    vow_status          fault;       /* of a target that makes no sense; every call fails with it */
    vow_list            connections; /* connecting, ready, and leaving ones with calls */
    vow_list            chain;       /* of interceptors */
    vow_list            waiting;     /* calls, for a place on a connection */
    vow_list            put_off;     /* calls that interceptors hold back */
    size_t              waiting_count; /* of both */
    vow_list            watches;     /* futures that wait for a change of connectivity */
    size_t              awaited;     /* of these, want a connection */
    size_t              references;  /* the program's, connections', calls' */
    size_t              usable;      /* of the connections, connecting or ready */
    bool                is_closed;
    vow_channel_options options;
    char               *target;      /* as the program wrote it */
    char               *address;     /* for the transport */
    vow_tls_context    *tls;         /* NULL: the target is without */
    vow_closer          closer;
    size_t              connecting;
    vow_timer           backoff;     /* armed: the last attempt failed, the next one waits */
    uint64_t            pause_ms;    /* before the next attempt, if that one fails, too */
    vow_status          last_failure;
    vow_task            tell;        /* looks whom a change concerns */
};

typedef enum vow_connection_state {
    VOW_CONNECTION_CONNECTING,
    VOW_CONNECTION_READY,
    VOW_CONNECTION_LEAVING /* takes no new calls; goes once those that it has are done */
} vow_connection_state;

struct vow_connection {
    vow_channel         *channel; /* what every call looks at comes first, and shares lines of the cache */
    vow_link             link;
    vow_session         *session; /* NULL: not yet, or gone */
    size_t               references; /* the channel's, and each call's that went over it */
    char                *peer;    /* "tcp://127.0.0.1:7000" */
    vow_connection_state state;
    uint64_t             quiet_ns; /* when its last call had ended */
    vow_timer            idle;    /* armed then, if idle ones are closed */
    vow_timer            timer;   /* bounds the time to connect */
    vow_dial            *dial;    /* until the session is ready: a server that is of no use is left for another */
    vow_keepalive        keepalive;
    vow_facts            facts;   /* once it is ready */
};

/* connection.c */

/* Begins to connect. What becomes of it comes back as vow_channel_connected or vow_channel_connect_failed, later. */
void vow_connection_open(vow_channel *channel);

/* Closes it; the calls on it have been ended. */
void vow_connection_close(vow_connection *connection);

void vow_connection_drop(vow_connection *connection);

/* After a call on it has ended: a connection that leaves goes with its last call, and another is idle. */
void vow_connection_call_ended(vow_connection *connection);

/* channel.c */

/* Finds a place for a call that has none: on a connection, or in the queue. Fails the call where there is neither. */
void vow_channel_place(vow_channel *channel, vow_call *call, const vow_begin *begin);

/* Its interceptors hold a call back. Fails it where too many calls wait already. */
void vow_channel_put_off(vow_channel *channel, vow_call *call);

/* Takes a call out of where it waits. */
void vow_channel_unqueue(vow_channel *channel, vow_call *call);

/* One more connection, where the channel may have it and has no other on its way. */
void vow_channel_connect_more(vow_channel *channel);

/* The connection for the next call; NULL: none has a place. */
vow_connection *vow_channel_pick(const vow_channel *channel);

void vow_channel_connected(vow_channel *channel);
void vow_channel_connect_failed(vow_channel *channel, const vow_status *why);
void vow_channel_serve_waiting(vow_channel *channel);
void vow_channel_drop(vow_channel *channel);

/* What the transport says of its address is said of the target, as the program wrote it. Takes and gives a status. */
vow_status vow_channel_name_target(const vow_channel *channel, vow_status why);

/* connectivity.c */

void vow_watches_init(vow_channel *channel);

/* After all that may have changed what the channel is connected to. */
void vow_watches_tell(vow_channel *channel);

/* The channel was closed. */
void vow_watches_end(vow_channel *channel);

/* caller.c */

/* Sends a call over a ready connection. False: it has failed and is settled. */
bool vow_caller_begin(vow_call *call, vow_connection *connection, const vow_begin *begin);

/* Begins a call of vow_call_start; `message` is NULL where the request streams. */
void vow_caller_start(vow_call *call, const ProtobufCMessage *message);

/* Sends a call that was queued. */
void vow_caller_begin_queued(vow_call *call, vow_connection *connection);

/* Packs the request into the call's memory: it will outlive vow_call_unary. False: the call has failed. */
bool vow_caller_keep(vow_call *call, const vow_begin *begin);

/* Settles a call as failed. `status` is given. */
void vow_caller_fail(vow_call *call, vow_status status);

/* An interceptor has answered instead of the server, with a packed message. */
void vow_caller_answer(vow_call *call, const uint8_t *data, size_t size);

/* The events of a session that concern one call. */
void vow_caller_message(vow_wire *wire, vow_packed *packed, bool ends);
void vow_caller_ended(vow_wire *wire, const vow_ending *ending);

#endif
