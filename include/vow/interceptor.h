/*
 * Interceptors: what runs around every call of a channel or a server.
 *
 * The idea: a chain of structs of functions, each of which may be NULL. A call passes them on its way out
 * (channel) or in (server), first added first, and on its way back in the opposite order. The same struct
 * serves both sides. What an interceptor keeps for one call it keeps in vow_call_slot.
 *
 * The rule: an interceptor neither answers, sends, drops nor cancels the call that it is asked about. It says
 * what becomes of it by what it returns, and by vow_call_end_as. Which method it is says vow_call_method:
 * compare that, not names.
 *
 * A server's calls that never get as far as a handler (no such method, a limit) pass no interceptor; nor do
 * those that a channel can't begin (a target that makes no sense, a parent that was cancelled).
 */
#ifndef VOW_INTERCEPTOR_H
#define VOW_INTERCEPTOR_H

#include <vow/call.h>
#include <vow/channel.h>
#include <vow/server.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How a call ended on this side, and what it carried. */
typedef struct vow_call_result {
    size_t      size; /* of this struct */
    vow_code    code;
    const char *message;        /* "" on success; lent */
    uint64_t    duration_ns;    /* since the call began on this side, what callbacks computed included */
    uint64_t    sent_count;     /* messages of this side */
    uint64_t    sent_bytes;     /* packed */
    uint64_t    received_count; /* messages of the other side that were handed over */
    uint64_t    received_bytes; /* packed */
    const void *details;        /* of a failure: a packed google.rpc.Status, as vow_future_details; NULL: none. Lent */
    size_t      details_size;
} vow_call_result;

/** Functions that run for each call, in this order; all may be NULL. */
typedef struct vow_interceptor {
    size_t size; /* of this struct; VOW_INTERCEPTOR fills it in */

    /**
     * Before the call leaves (channel) or reaches its handler (server).
     *
     * NULL: the call goes on. A future: the call waits for it. When it succeeds without a value the call goes
     * on; a value, a message of the method's reply type, is the answer, and the call goes no further; a
     * failure ends the call as it failed. The future is cancelled when the call ends before it.
     *
     * On a channel it runs inside vow_call_unary or vow_call_start.
     */
    vow_future *(*begin)(vow_call *call, void *arg);

    /**
     * A message on its way out, lent: a request on a channel, a reply on a server. Gives what is sent
     * instead, which it keeps until it is called again or the call ends; or `message`; or NULL: the call
     * ends, as vow_call_end_as said, else as VOW_INTERNAL. What is packed already comes as it is, a vow_raw.
     */
    const ProtobufCMessage *(*send)(vow_call *call, const ProtobufCMessage *message, void *arg);

    /**
     * A message that came in. May change it, or give another of the same type. vow_call_alloc gives memory
     * that lives as long as the message. NULL: as with `send`.
     */
    ProtobufCMessage *(*receive)(vow_call *call, ProtobufCMessage *message, void *arg);

    /**
     * The call is over: exactly once for each call whose `begin` was called (or would have been), whatever
     * ended it. On a server before the answer leaves, on a channel before the future settles. vow_call_end_as
     * changes how it ends, unless the caller has cancelled it or gone: then nobody is left to be told.
     */
    void (*end)(vow_call *call, const vow_call_result *result, void *arg);

    void *arg; /* lent: outlives the channel or server, and its calls */
} vow_interceptor;

#define VOW_INTERCEPTOR(...) VOW_OPTIONS(vow_interceptor, __VA_ARGS__)

/**
 * Adds an interceptor at the end of the chain, for calls that begin from now on. Copies `interceptor`.
 *
 * Fails   no memory: every call of the channel fails with VOW_RESOURCE_EXHAUSTED; none goes without it.
 */
VOW_API void vow_channel_intercept(vow_channel *channel, const vow_interceptor *interceptor);

/**
 * Adds an interceptor at the end of the chain, for calls that arrive from now on. Copies `interceptor`.
 *
 * Fails   no memory: vow_server_listen fails, and every call is refused with VOW_RESOURCE_EXHAUSTED.
 */
VOW_API void vow_server_intercept(vow_server *server, const vow_interceptor *interceptor);

/* In an interceptor's functions */

/**
 * The call ends so, once the function that calls this has returned. `code` VOW_OK is taken for VOW_UNKNOWN: a
 * success needs a message, which `begin` can give.
 */
VOW_API void vow_call_end_as(vow_call *call, vow_code code, const char *format, ...) VOW_PRINTF(3, 4);

/**
 * Memory of this call for `key`, an address of yours: `size` bytes, zeroed when they are first asked for,
 * which live as long as the call. A handler, too, finds there what an interceptor has put in.
 *
 * Fails   NULL: no memory; or there is less than `size` under that key.
 */
VOW_API void *vow_call_slot(vow_call *call, const void *key, size_t size) VOW_MUST_USE;

/** What this side will send with the call, ended by a NULL name; never NULL. Lives until it is replaced. */
VOW_API const vow_metadata *vow_call_sent_metadata(const vow_call *call);

/**
 * In `begin`: replaces all metadata that this side will send; copied.
 * Fails: a name or value that is not allowed, too much of it, or no memory: the call ends so.
 */
VOW_API void vow_call_replace_metadata(vow_call *call, const vow_metadata *metadata);

/** In `begin` on a server: what the handler will see instead of what the caller sent; copied. Fails: as
 * above. */
VOW_API void vow_call_replace_received_metadata(vow_call *call, const vow_metadata *metadata);

/**
 * In `begin`: moves the deadline to `timeout_ms` from now; VOW_NO_TIMEOUT: none. On a server it only moves
 * closer: the caller waits no longer than it said. A call's parent ends it when its own time is over,
 * whatever is set here.
 */
VOW_API void vow_call_set_timeout(vow_call *call, int64_t timeout_ms);

#ifdef __cplusplus
}
#endif
#endif
