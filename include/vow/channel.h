/*
 * Channels: a way to call one service, over however many connections.
 *
 * The idea: a channel is made from a URL and connects when it is first called. It reconnects with
 * growing pauses, keeps what each call needs (deadline, cancellation, limits), and gives a future
 * for every call. Generated stubs call vow_call_unary for you.
 *
 * Targets: tcp://host:port, unix:///path, memory://name; the same over TLS, tls://host:port; and gRPC without and with
 * it, grpc://host:port and grpcs://host:port. Several servers behind one channel, of which any will do:
 * tcp://host:port,host:port,… (up to 16). They are tried in this order, and a name's addresses in turn of their
 * families. The next one is tried when the last has failed, or has not answered for 250 ms; the first to connect is
 * used (RFC 8305). When it drains or dies, the channel goes over the whole list again. vow_call_peer says which
 * address a call went to.
 */
#ifndef VOW_CHANNEL_H
#define VOW_CHANNEL_H

#include <vow/call.h>
#include <vow/future.h>
#include <vow/method.h>
#include <vow/tls.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct vow_channel vow_channel;

/** Zero is the default of every field. */
typedef struct vow_channel_options {
    size_t  size;                 /* of this struct; VOW_CHANNEL fills it in */
    int64_t connect_timeout_ms;   /* one attempt, see docs/limits.md; 10,000 */
    int64_t call_timeout_ms;      /* of a unary call that sets none; 10,000, or VOW_NO_TIMEOUT */
    size_t  connections;          /* opened as calls need them, at most; 1, up to 256 */
    size_t  max_message_size;     /* bytes of a reply as it is sent; 4 MiB */
    size_t  max_decoded_size;     /* bytes of memory that a reply may take; 16 MiB */
    size_t  max_waiting_calls;    /* that have no connection or place on one yet; 10,000 */
    int64_t backoff_min_ms;       /* first pause before connecting again; 1,000 */
    int64_t backoff_max_ms;       /* longest; 120,000 */
    size_t  max_queued_bytes;     /* of output per connection; beyond it calls fail; 64 MiB */
    size_t  stream_window;        /* bytes of a stream that may be on their way to the reader, at first; 64 KiB */
    int64_t keepalive_ms;         /* of silence, with calls open, before a ping asks whether the server is there;
                                     0: never; at least 10,000 */
    int64_t keepalive_timeout_ms; /* for anything to come after that ping; 20,000 */
    const char *const *inherited; /* names of metadata that a call has of its parent; see VOW_NAMES; copied */
    int64_t idle_timeout_ms;      /* a connection without calls is closed after that; 0: never */
    size_t  max_inflate_ratio;    /* how many times its size a compressed reply may become, beyond 64 KiB; 100 */
    const vow_tls_options *tls;   /* of tls:// and grpcs:// targets alone; VOW_TLS; copied. NULL: the system's CAs */
} vow_channel_options;

#define VOW_CHANNEL(...) VOW_OPTIONS(vow_channel_options, __VA_ARGS__)

#ifndef __cplusplus
#define VOW_NAMES(...) ((const char *const[]){ __VA_ARGS__, NULL })
#endif

/**
 * Opens a channel to `target`; nothing is connected before the first call.
 *
 * Owns    gives the channel (vow_channel_close); copies `target` and `options` (NULL: all defaults).
 * Fails   never: a target that makes no sense gives a channel whose calls fail and say so.
 */
VOW_API vow_channel *vow_channel_open(vow_loop *loop, const char *target, const vow_channel_options *options)
    VOW_MUST_USE;

/** Closes the channel; its calls settle as VOW_CANCELLED. Owns: takes `channel`. */
VOW_API void vow_channel_close(vow_channel *channel);

VOW_API vow_loop *vow_channel_loop(const vow_channel *channel);

/* What it is connected to */

/** What a channel is doing; in gRPC's terms IDLE, CONNECTING, READY, TRANSIENT_FAILURE and SHUTDOWN. */
typedef enum vow_connectivity {
    VOW_CHANNEL_IDLE,       /* no connection, and no call has asked for one */
    VOW_CHANNEL_CONNECTING, /* the first connection is on its way */
    VOW_CHANNEL_READY,      /* at least one takes calls */
    VOW_CHANNEL_FAILING,    /* the last attempt failed, and the next one waits for the pause to end */
    VOW_CHANNEL_CLOSED
} vow_connectivity;

VOW_API vow_connectivity vow_channel_connectivity(const vow_channel *channel);

/** "READY", for logs. */
VOW_API const char *vow_connectivity_name(vow_connectivity connectivity);

/**
 * Connects, where that is not done, and succeeds once a call could go out at once.
 *
 * It tries until it succeeds, with the channel's pauses; vow_timeout sets an end. Keeps uv_run going meanwhile.
 *
 * Fails   VOW_CANCELLED: the channel was closed. VOW_INVALID_ARGUMENT: its target makes no sense.
 */
VOW_API vow_future *vow_channel_ready(vow_channel *channel) VOW_MUST_USE;

/**
 * Succeeds once the channel's connectivity is another than `from`, which may be at once. What came and went within one
 * iteration of the loop may have been missed: ask vow_channel_connectivity. Closing the channel is a change, too.
 */
VOW_API vow_future *vow_channel_changed(vow_channel *channel, vow_connectivity from) VOW_MUST_USE;

/** Zero is the default of every field. */
typedef struct vow_call_options {
    size_t              size;           /* of this struct; VOW_CALL fills it in */
    int64_t             timeout_ms;     /* 0: the channel's, none where the method streams; or VOW_NO_TIMEOUT */
    vow_call           *parent;         /* a handler's call that this one is made for; see below */
    const vow_metadata *metadata;       /* see VOW_METADATA; copied */
    bool                wait_for_ready; /* wait for a connection instead of failing when one can't be had */
    bool                compress;       /* as vow_call_compress, from the first message on */
} vow_call_options;

#define VOW_CALL(...) VOW_OPTIONS(vow_call_options, __VA_ARGS__)

/*
 * A call inherits of its parent: the deadline, where it is the earlier one; the cancellation (not its being answered);
 * the trace (vow_call_trace), under a new parent id; and the metadata that the channel names in `inherited`. What
 * the call's own `metadata` names wins.
 */

/**
 * Calls a method that takes one message and answers with one.
 *
 * The value of the future is the reply, of type method->reply; it lives as long as a handle does.
 * Without a timeout of its own the call has the channel's, and no more than its parent's.
 *
 * Owns    borrows `request`: it is packed before this returns. Gives the future.
 * Fails   VOW_UNAVAILABLE: no connection, or it was lost. VOW_DEADLINE_EXCEEDED. VOW_CANCELLED: the
 *         channel was closed, or the parent cancelled. VOW_RESOURCE_EXHAUSTED: a limit, which is named.
 *         VOW_INTERNAL: the peer broke the protocol. Else what the handler answered.
 */
VOW_API vow_future *vow_call_unary(vow_channel *channel, const vow_method *method,
                                   const ProtobufCMessage *request, const vow_call_options *options)
    VOW_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
