/*
 * The inside of a server: handlers, listeners, peers and the calls that run.
 *
 * The idea: a server outlives its close for as long as a handler still has a call of it: everything
 * that points at it holds a reference. Limits are kept where the thing limited comes in: connections
 * when accepted, calls when begun, memory when a request is unpacked.
 *
 *     server.c   open, handlers, listeners, close
 *     peer.c     one connection from a client: limits, events of its session
 *     handler.c  one call, from its arrival to its answer
 *     farewell.c  one connection's end in good order
 *     drain.c    the whole server's
 */
#ifndef VOW_RPC_SERVER_H
#define VOW_RPC_SERVER_H

#include "runtime/rpc/call.h"
#include "runtime/rpc/keepalive.h"

/* A handler that was registered. */
struct vow_entry {
    vow_map_node node; /* by hash of the method's name */
    vow_handler  handler;
};

typedef struct vow_server_listener {
    vow_link      link;
    vow_server   *server;
    vow_listener *listener;
    size_t        peers;
} vow_server_listener;

struct vow_server {
    vow_anchor         anchor; /* first */
    vow_server_options options;
    vow_closer         closer;
    vow_tls_context   *tls;   /* NULL: none */
    vow_status         fault; /* of a vow_server_handle that found no memory, or of TLS; vow_server_listen tells */
    vow_map            entries;
    vow_entry         *fallback; /* for methods that have no other; NULL: none */
    vow_list           chain; /* of interceptors */
    vow_list           listeners;
    vow_list           peers;
    vow_list           calls;   /* that run */
    size_t             running; /* of these, counted against max_calls */
    vow_account        account;
    size_t             hidden; /* of what is counted there: that of the peers' connections */
    size_t             paused; /* peers that are not read, since memory is short */
    int                port;
    size_t             references; /* the program's, peers', calls' */
    bool               lacks_interceptor; /* there was no memory for one: no call may go without it */
    bool               is_closed;
    struct vow_drain  *drain; /* NULL: not draining */
    bool               drained;
};

/* One connection from a client. */
struct vow_peer {
    vow_link             link; /* what every call looks at comes first, and shares lines of the cache */
    vow_server          *server;
    vow_session         *session;  /* NULL: gone */
    size_t               references;
    size_t               running;  /* calls that its handlers still have */
    size_t               arenas;   /* bytes of their memory */
    size_t               hidden;   /* bytes of the connection's that vow's allocator does not see */
    bool                 is_paused;
    bool                 is_leaving; /* the first goaway was sent */
    bool                 has_heard; /* it, or was given the time to; the second was sent */
    char                *name;     /* "tcp://10.0.0.7:52144" */
    uint64_t             quiet_ns; /* when its last call ended */
    vow_timer            idle;     /* armed then; then the patience for its pong */
    vow_timer            age;      /* of the connection; then the grace of its calls */
    vow_task             look;     /* is it done? */
    uint64_t             farewell; /* the ping behind the first goaway */
    uint64_t             receipt;  /* the ping behind the last answer; 0: none was sent */
    vow_server_listener *listener; /* NULL: has been closed */
    char                *host;     /* "10.0.0.7"; NULL: exempt from the limit per address */
    vow_keepalive        keepalive;
    vow_facts            facts;    /* once the hellos are exchanged */
};

void vow_server_drop(vow_server *server);

/* The server that is told by `closer` when its loop closes; NULL: it is something else's. */
vow_server *vow_server_of_closer(vow_closer *closer);

void vow_server_stop_listening(vow_server *server);

/* Nobody waits for the answers of its calls any more; `why` is told to the callers. */
void vow_server_abandon_calls(vow_server *server, const vow_status *why);

/* Finds what serves `method`; NULL: nothing. */
const vow_entry *vow_server_find(const vow_server *server, const char *method);

/* peer.c */

/* A connection was accepted: a peer of the listener's, or refused with a reason. */
void vow_peer_accept(void *listener, vow_stream *stream);

/* Ends the connection and tells the client why (NULL: nothing). Its calls have gone. */
void vow_peer_close(vow_peer *peer, const vow_status *why);
void vow_peer_drop(vow_peer *peer);

/* Stops reading from those whose calls hold most when memory is short, and goes on when it is not. */
void vow_server_balance_memory(vow_server *server);

/* The memory of one of its calls was given back. */
void vow_peer_memory_freed(vow_peer *peer);

/* handler.c */

/* The events of a session that concern one call. */
vow_wire *vow_handling_began(vow_peer *peer, vow_arrival *arrival);
void      vow_handling_message(vow_wire *wire, vow_packed *packed, bool ends);
void      vow_handling_ended(vow_wire *wire, const vow_ending *ending);

/* For streams: answers that all replies have been sent; fails the call, with a status that is given; lets go of a call
 * that was lent; counts its memory. */
void vow_handling_end_stream(vow_call *call);
void vow_handling_fail(vow_call *call, vow_status status);
void vow_handling_let_go(vow_call *call);
void vow_handling_charge(vow_call *call, size_t bytes);

/* Nobody waits for the answer any more: the server closes. `why` is told to the caller. */
void vow_handling_abandon(vow_call *call, const vow_status *why);

/* Tells its handler that the server, or its connection, drains. */
void vow_handling_tell_draining(vow_call *call);

/* farewell.c */

void vow_peer_life_init(vow_peer *peer);
void vow_peer_life_begin(vow_peer *peer);
void vow_peer_life_end(vow_peer *peer);

/* Takes leave of the client: it closes with its last call. */
void vow_peer_leave(vow_peer *peer);

void vow_peer_call_ended(vow_peer *peer);
void vow_peer_pong(vow_peer *peer, uint64_t ping);

/* All that was queued for it has left. */
void vow_peer_flushed(vow_peer *peer);

/* drain.c */

/* A call was answered, or a connection has gone. */
void vow_drain_progress(vow_server *server);

/* The server closes before its drain has ended. */
void vow_drain_abandon(vow_server *server);

#endif
