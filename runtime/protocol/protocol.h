/*
 * The seam between what a call is (rpc) and how it travels (a protocol).
 *
 * The idea: a session is one connection under one protocol. rpc hands down "begin, send, answer,
 * cancel, more credit"; the session hands up "a call began, a message came, the call ended". Neither
 * side knows the other's types: a call on the wire is a vow_wire, which rpc embeds in its own call
 * and the protocol links into its tables. A protocol knows no channels, servers, retries or handlers.
 *
 *     rpc       channel, server, vow_call { vow_wire wire; ... }
 *                  |  vow_protocol            ^  vow_session_events
 *                  v                          |
 *     protocol  vow_session { stream, calls by id, output }
 *                  |  vow_stream_write ...    ^  vow_stream_events
 *     transport vow_stream
 *
 * The life of a wire: rpc gives it with begin (caller's side) or returns it from `began` (handler's
 * side). The session holds it until it has reported `ended`, or rpc has called answer or cancel:
 * after either the session has forgotten it, and will never touch it again (wire->session says so: an
 * answer may have to wait for the messages of its stream).
 *
 * The rule: functions going down never call an event on the way; what they cause comes later. Events
 * run inside vow_scheduler_enter/leave, and may call anything going down, for any call of the session,
 * and close it.
 */
#ifndef VOW_PROTOCOL_PROTOCOL_H
#define VOW_PROTOCOL_PROTOCOL_H

#include "runtime/base/map.h"
#include "runtime/base/status.h"
#include "runtime/base/unpack.h"
#include "runtime/transport/tls.h"
#include "runtime/transport/transport.h"

#include <vow/call.h>
#include <vow/method.h>

typedef struct vow_session  vow_session;
typedef struct vow_protocol vow_protocol;

/* Bytes of a method's name; it is UTF-8. */
#define VOW_METHOD_NAME_MAX 512

/* Of what a peer calls itself, with its NUL; the rest is cut. */
#define VOW_AGENT_MAX 64

/* Memory held for peers, counted together over all sessions of a server. */
typedef struct vow_account {
    size_t used;
    size_t limit;
} vow_account;

/* The wire half of a call. rpc zeroes it, and writes only where it says so. */
typedef struct vow_wire {
    vow_map_node node;    /* in the session's table; node.key is the call's id */
    vow_session *session; /* NULL: not on a connection */
    void        *incoming; /* the protocol's own: a message that is coming in, in pieces */
    void        *outgoing; /* and one that is going out; NULL: none */
    void        *flow;     /* the credit of a call that streams; NULL: none yet */
    size_t       queued;   /* bytes of a stream's messages that wait for credit, or for the connection */
    bool         is_ours;    /* begun by this side */
    bool         has_spoken; /* what the other side has sent had its metadata, if any; more would come too late */
    bool         has_ended;  /* the other side sends no more messages */
    bool         compresses; /* rpc's to set: what is sent next, where the protocol and the peer know how */
    bool         may_compress;   /* rpc's to set: was it ever so? */
    bool         was_compressed; /* the message that is handed up */
} vow_wire;

/* What rpc hands down when a call begins. */
typedef struct vow_begin {
    const vow_method       *method;
    const ProtobufCMessage *message;   /* lent; NULL: messages are sent later, and then the end */
    uint64_t                deadline_ns; /* on the loop's clock; UINT64_MAX: none */
    const vow_metadata     *metadata;  /* lent; NULL: none */
} vow_begin;

/* How a call ended, in either direction. */
typedef struct vow_ending {
    vow_status          status;      /* lent; with its details, and when to try again (runtime/base/details.h) */
    const vow_metadata *metadata;    /* lent; NULL: none. Of an answer: what has not left with a message; else none */
    const vow_metadata *trailing;    /* the same, of the end */
    bool                never_ran;   /* it provably never reached a handler */
    bool                at_once;     /* an answer that does not wait for what was sent before it */
} vow_ending;

#define VOW_ENDING(...) (&(const vow_ending){ __VA_ARGS__ })

/* What a session hands up when the peer begins a call. All of it is lent for the call of `began`. */
typedef struct vow_arrival {
    const void         *handler;     /* what `resolve` gave for the name */
    const char         *method;      /* the full name, NUL-terminated */
    uint64_t            deadline_ns; /* on the loop's clock; UINT64_MAX: none */
    const vow_metadata *metadata;    /* ended by a NULL name; NULL: none */
    bool                streams;     /* its messages come later; else there is one, which comes next */
    bool                shape_is_unknown; /* the peer does not say whether it streams: `began` sets that */
    vow_status          refusal;     /* `began` gives it when it returns NULL */
} vow_arrival;

typedef struct vow_session_events {
    /* Of a greeting: the peer speaks `protocol`, and `stream` is given to be opened with it. The greeting's session
     * has gone. NULL: where the protocol is known beforehand. */
    void (*recognised)(void *owner, const vow_protocol *protocol, vow_stream *stream);

    /* Hellos have been exchanged: calls may begin. */
    void (*ready)(void *owner);

    /* What serves `method`; called when a name is heard for the first time on this connection. NULL: nothing. */
    const void *(*resolve)(void *owner, const char *method);

    /* The peer begins a call; gives the wire to know it by, or NULL and arrival->refusal. */
    vow_wire *(*began)(void *owner, vow_arrival *arrival);

    /* A whole message, lent, that is within max_message_size and has not been looked into; its block may be taken. One
     * that does not end what the other side sends is a stream's, and holds its sender back until `taken`. */
    void (*message)(vow_wire *wire, vow_packed *packed, bool ends);

    /* The other side's metadata, lent: before its first message, or its end. That of a call comes with it. NULL: it has
     * none, and said so before its first message. */
    void (*metadata)(vow_wire *wire, const vow_metadata *metadata);

    /* The other side has sent its last message; an answer may still come. */
    void (*finished)(vow_wire *wire);

    /* What a stream had queued has left. */
    void (*room)(vow_wire *wire);

    /* The call is over: the handler's answer, or on the handler's side the caller's cancellation, or the
     * connection's loss, or a fault of the peer that concerns this call alone. */
    void (*ended)(vow_wire *wire, const vow_ending *ending);

    /* A call of ours has ended, or the peer's limit was raised: there is a place for another. */
    void (*place)(void *owner);

    /* The peer takes no new calls on this session; what it has goes on. */
    void (*goaway)(void *owner);

    /* All that was queued has left; told after goaway's step 2. */
    void (*flushed)(void *owner);

    /* The answer to the ping of this number. */
    void (*pong)(void *owner, uint64_t ping);

    /* The last event. Every wire has had its `ended` before. `why` is lent; OK: closed in good order. The session
     * is still to be freed with vow_session_close. */
    void (*closed)(void *owner, const vow_status *why);
} vow_session_events;

/* Limits; all are set by rpc, none has a default here. */
typedef struct vow_session_options {
    bool         is_server;
    const char  *target;               /* for messages: what the user calls this peer; lent until the end */
    const char  *address;              /* what the transport calls it, where that is another; likewise; NULL: is not */
    const char  *authority;            /* a client's: the host that it means, with its port; lent while it is opened */
    size_t       max_message_size;     /* of what comes in */
    size_t       max_inflate_ratio;    /* of a compressed message */
    size_t       max_calls;            /* of the peer's, at once */
    size_t       max_metadata_size;    /* names and values and 32 each, of one call; 16 KiB */
    size_t       max_metadata_count;   /* 100 */
    size_t       max_queued_bytes;     /* of output; beyond it the session stops reading, then fails what begins */
    uint64_t     stream_window;        /* bytes of a stream that may be on their way to this side, at first */
    int64_t      message_timeout_ms;   /* for the hello, and from a message's first frame to its last */
    int64_t      min_ping_interval_ms; /* of the peer's pings while it has no calls; 0: it may ping as it likes */
    vow_account *account;              /* NULL: not counted */

    /* Of a greeting: what the server is when a connection begins with TLS, lent; NULL, or points at NULL: nothing. */
    vow_tls_context *const *tls;
} vow_session_options;

/* What every session begins with. Its fields are the protocol's to write, and rpc's to read. */
struct vow_session {
    const vow_protocol       *protocol;   /* what every frame looks at comes first, and shares lines of the cache */
    const vow_session_events *events;
    void                     *owner;
    vow_loop                 *loop;
    vow_stream               *stream;     /* the session's own; NULL once it is gone */
    uint64_t                  heard_ns;   /* when something came last, whatever it was */
    size_t                    our_calls;  /* in the table and begun by us */
    bool                      is_ready;
    bool                      is_paused;  /* nothing is read, so nothing can be heard */
    bool                      goes_away;  /* the peer said so, or ran out of ids: begin nothing new */
    size_t                    peer_max_calls;
    uint64_t                  peer_max_message_size; /* UINT64_MAX: it does not say */
    size_t                    held_bytes; /* memory held for this peer: assemblies and queued output */
    vow_map                   calls;      /* vow_wire by id */
    vow_session_options       options;
    char                      agent[VOW_AGENT_MAX]; /* the peer's, as its hello says; "": it does not */
};

struct vow_protocol {
    const char *name;    /* "vow" */
    const char *lacks;   /* NULL; else the library without which this build can't speak it */
    const char *alpn;    /* "vow/1" */
    const char *service; /* the URL scheme without transport security: "tcp", "unix", "memory" are native */

    /* Could these first bytes of a connection be this protocol's? A server asks with what has come so far. */
    bool (*claims)(const uint8_t *first, size_t size, bool *need_more);

    /* Makes a session of a stream that is connected, and takes it. NULL: no memory; the stream is closed. */
    vow_session *(*open)(vow_stream *stream, const vow_session_options *options,
                         const vow_session_events *events, void *owner);

    /* Fails without having begun: message over the peer's limit, too much queued, no memory. `status` is given then. */
    vow_code (*begin)(vow_session *session, vow_wire *wire, const vow_begin *begin, vow_status *status);

    /* Sends a message of a stream, with `metadata` where it is the first. Fails: it is over the peer's limit, or no
     * memory; `status` is given then. */
    vow_code (*send)(vow_wire *wire, const ProtobufCMessage *message, const vow_metadata *metadata,
                     vow_status *status);

    /* Sends the metadata of this side, the handler's, before there is a message. Once, and not behind `send`. Fails:
     * the peer takes less; `status` is given then. */
    vow_code (*send_metadata)(vow_wire *wire, const vow_metadata *metadata, vow_status *status);

    /* No more messages come from this side, the caller's. */
    void (*finish)(vow_wire *wire);

    /* The application has taken a message of a stream: the sender may go on. */
    void (*taken)(vow_wire *wire, size_t size);

    /* Ends a call of the peer's. The status may turn into another one when the message can't be sent. `message` is
     * NULL on failure, and where replies were streamed. What a stream has queued still leaves before it: until then
     * the wire stays with its session, which tells of it as `ended`. */
    void (*answer)(vow_wire *wire, const ProtobufCMessage *message, const vow_ending *ending);

    /* Ends a call of ours before its answer, or one of the peer's without a word. */
    void (*cancel)(vow_wire *wire);

    /* Gives the ping's number, which comes back with `pong`; 0: none was sent. */
    uint64_t (*ping)(vow_session *session);

    /* Ends the session as if the connection had been lost: each wire gets its `ended`, and `closed` comes, from the
     * queue. `why` is told to the peer, too. */
    void (*lose)(vow_session *session, const vow_status *why);

    /* Step 1: begin nothing new, what is on its way is still taken. Step 2: this was the last. */
    void (*goaway)(vow_session *session, int step);

    /* Has all that was queued left? */
    bool (*is_flushed)(const vow_session *session);

    /* Stops or goes on reading, whatever the session itself thinks: rpc does so when memory is short. */
    void (*pause)(vow_session *session, bool paused);

    /* Ends the session and frees it, later if it must. Wires that are still in it get no `ended`; `why` (NULL:
     * nothing) is told to the peer. No event comes any more. */
    void (*close)(vow_session *session, const vow_status *why);
};

extern const vow_protocol vow_protocol_native;
extern const vow_protocol vow_protocol_grpc;

#endif
