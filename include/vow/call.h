/*
 * One call: what its handler answers, and what either side can ask of it.
 *
 * The rule: a handler answers its call once, now or later, also when the caller has gone. Until
 * then, and until what it gave to vow_call_answer has really ended, the call, its request and its
 * memory are lent to it, and it counts as running. The first answer counts, later ones are ignored.
 */
#ifndef VOW_CALL_H
#define VOW_CALL_H

#include <vow/future.h>
#include <vow/method.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct vow_call vow_call;

/* In options whose default is some time: none at all. */
#define VOW_NO_TIMEOUT (-1)

/** One entry of an ordered multimap; an array of these ends with a NULL name. */
typedef struct vow_metadata {
    const char *name;       /* lower case: a-z 0-9 _ - .; ends in "-bin" where the value is bytes */
    const char *value;      /* printable ASCII; ends with a NUL that does not count */
    size_t      value_size; /* 0: value is a string */
} vow_metadata;

#ifndef __cplusplus
#define VOW_METADATA(...) ((const vow_metadata[]){ __VA_ARGS__, { .name = NULL } })
#endif

/* Answering */

/** Answers with `message`, which is lent: it is packed before this returns. */
VOW_API void vow_call_reply(vow_call *call, const ProtobufCMessage *message);

/** Answers with a failure. `code` VOW_OK is taken for VOW_UNKNOWN. */
VOW_API void vow_call_fail(vow_call *call, vow_code code, const char *format, ...) VOW_PRINTF(3, 4);

/**
 * Answers with what `future` becomes: its value, a message of the method's reply type, or its failure.
 * No value: the handler replies by itself, before the future settles.
 *
 * The future is cancelled when the caller goes, the deadline passes, or another answer came first.
 *
 * Owns    takes `future`.
 */
VOW_API void vow_call_answer(vow_call *call, vow_future *future);

/**
 * Memory, zeroed and aligned for any type, that lives as long as the call is lent.
 *
 * Fails   NULL: none is left; the call has been failed, and the handler just returns.
 */
VOW_API void *vow_call_alloc(vow_call *call, size_t size) VOW_MUST_USE;

/** Has the caller gone, or the deadline passed? Nobody waits for the answer any more. */
VOW_API bool vow_call_cancelled(const vow_call *call);

/**
 * A future that settles when the call is over.
 *
 * In a handler: as VOW_CANCELLED or VOW_DEADLINE_EXCEEDED, when nobody waits for the answer any more; with success
 * once the call has been answered. The call and its memory stay lent until its last handle is gone.
 * For a caller: with the final status, which may come before the last messages have been read.
 */
VOW_API vow_future *vow_call_when_closed(vow_call *call) VOW_MUST_USE;

/** Is the server draining, or the call's connection? A handler that could take long should end soon. */
VOW_API bool vow_call_draining(const vow_call *call);

/**
 * In a handler: succeeds when vow_call_draining becomes true, or at once. The call stays lent until its last handle is
 * gone.
 *
 * Fails   VOW_CANCELLED: the call was over before. VOW_FAILED_PRECONDITION: this is the caller's side.
 */
VOW_API vow_future *vow_call_when_draining(vow_call *call) VOW_MUST_USE;

/* Asking, on both sides */

/** The call behind the reply of a stub, lent as long as the future; NULL where there is none. */
VOW_API vow_call *vow_future_call(vow_future *reply);

VOW_API vow_loop         *vow_call_loop(const vow_call *call);
VOW_API const vow_method *vow_call_method(const vow_call *call);

/** "tcp://10.0.0.7:52144"; "" while there is no connection. */
VOW_API const char *vow_call_peer(const vow_call *call);

/** The connection that a call goes over. What it points at lives as long as the call. */
typedef struct vow_connection_info {
    size_t      size;      /* of this struct; VOW_CONNECTION_INFO_INIT fills it in */
    const char *peer;      /* as vow_call_peer */
    const char *local;     /* this side of it: "tcp://10.0.0.1:7000"; "" where the system does not say */
    const char *protocol;  /* "vow/1"; "h2" for gRPC */
    const char *agent;     /* what the peer calls itself, "vow/0.1.0"; "" where it does not, cut at 63 bytes */
    uint64_t    opened_ns; /* when both had said hello, on the loop's clock (vow_loop_now_ns) */

    /* What TLS has verified; all NULL without it. */
    const char        *tls_version;  /* "TLSv1.3" */
    const char        *peer_subject; /* of the peer's certificate, "CN=alice,O=Example"; NULL: it has none */
    const char        *peer_issuer;  /* the same of who vouches for it */
    const char *const *peer_names;   /* its subject alternative names: "dns:alice.example", "uri:spiffe://example/a",
                                        "email:…", "ip:…"; up to 64, ended by NULL; those with spaces or control
                                        characters are left out */
    bool tls_was_resumed;            /* the handshake went on from an earlier one */
} vow_connection_info;

#define VOW_CONNECTION_INFO_INIT \
    { sizeof(vow_connection_info), NULL, NULL, NULL, NULL, 0, NULL, NULL, NULL, NULL, false }

/**
 * Fills `info`, the size of which is set (VOW_CONNECTION_INFO_INIT).
 *
 * Fails   false: the call has had no connection yet; `info` is as it was.
 */
VOW_API bool vow_call_connection(const vow_call *call, vow_connection_info *info);

/** Milliseconds until the deadline, 0 once it has passed; INT64_MAX: there is none. */
VOW_API int64_t vow_call_time_left_ms(const vow_call *call);

/** Is this the call that a handler has? False: a caller's. For what serves both sides, as interceptors do. */
VOW_API bool vow_call_is_served(const vow_call *call);

/**
 * What the other side sent with the call, or with its first message or its end, whichever came first. In its order,
 * ended by a NULL name; never NULL. Lives as long as the call.
 */
VOW_API const vow_metadata *vow_call_metadata(const vow_call *call);

/** What a handler sent with the end of the call; its caller has it once the call has ended. As above. */
VOW_API const vow_metadata *vow_call_trailing_metadata(const vow_call *call);

/** The first value under `name` in vow_call_metadata; NULL when there is none. */
VOW_API const char *vow_call_metadata_get(const vow_call *call, const char *name);

/**
 * The first entry under `name` from `list` on; NULL when there is none. All of them, in their order:
 * `for (e = vow_metadata_find(list, name); e; e = vow_metadata_find(e + 1, name))`
 */
VOW_API const vow_metadata *vow_metadata_find(const vow_metadata *list, const char *name);

#define VOW_TRACE_SAMPLED 0x01u /* the caller may have recorded it */
#define VOW_TRACE_RANDOM 0x02u  /* the trace id is random */

/** The trace that a call belongs to; ids are lower-case hex. */
typedef struct vow_trace {
    char     trace_id[33];
    char     parent_id[17]; /* of the call itself, as its caller knows it */
    unsigned flags;
} vow_trace;

/**
 * In a handler: the trace that its caller sent. Calls with this one as their parent belong to it as well.
 *
 * Fails   false: none was sent, or it is malformed, and is not passed on either.
 * Source  W3C Trace Context, traceparent.
 */
VOW_API bool vow_call_trace(const vow_call *call, vow_trace *trace);

/**
 * Metadata of a handler: leaves with its first message, or with the answer where there is none; behind the first
 * message of a stream it goes with the answer, as trailing metadata. It does not leave before there is a message, or
 * the answer, or vow_call_flush_metadata is called. Added to what was set before; copied.
 *
 * Fails   a name or value that is not allowed, or over 100 entries or 16 KiB of it in all, fails the call with
 *         VOW_INTERNAL, which says what is wrong.
 */
VOW_API void vow_call_send_metadata(vow_call *call, const vow_metadata *metadata);

/**
 * Sends a handler's metadata now, before there is a message or the answer: the caller sees that the call has begun, and
 * may wait for what it says (vow_call_when_metadata). Also where there is none. What is set from now on is trailing.
 *
 * Once; behind the first message it does nothing. Metadata that is more than a frame of the caller's stays, and makes
 * the answer fail.
 */
VOW_API void vow_call_flush_metadata(vow_call *call);

/** Metadata that leaves with the answer of a handler, whatever it is. Otherwise as above, with a limit of its own. */
VOW_API void vow_call_send_trailing_metadata(vow_call *call, const vow_metadata *metadata);

/**
 * Releases `object` when the memory of the call ends: nobody has the call any more. The last one attached goes first.
 *
 * Owns    takes `object`.
 * Fails   false: no memory; it has been released.
 * See     vow_attach() for what belongs to a future.
 */
VOW_API bool vow_call_attach(vow_call *call, void *object, vow_release_fn *release) VOW_MUST_USE;

/* Compression */

/**
 * Compresses the messages that this side sends from now on, or no longer does.
 *
 * On gRPC, with gzip, where the other side takes it and the message becomes smaller; the native protocol does not
 * compress. A caller says so with VOW_CALL(.compress), and with this function only what changes later: what does not
 * begin so has no compressed messages at all. Likewise a handler's stream, whose first message says what may follow:
 * call this with true, and then with false, before a first message that shall not be compressed.
 *
 * Compress nothing in which a secret stands beside what an attacker may choose: the size tells of the secret.
 */
VOW_API void vow_call_compress(vow_call *call, bool compress);

/** Did the message of the other side that was handed over last come compressed? */
VOW_API bool vow_call_was_compressed(const vow_call *call);

#ifdef __cplusplus
}
#endif
#endif
