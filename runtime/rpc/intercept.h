/*
 * Interceptors inside: a channel's or server's chain, and the way of one call along it.
 *
 * The idea: a call of a chain that is not empty gets an interception, in its own memory; all others have NULL
 * there, and cost a test. Each moment of a call asks it in one place of its side:
 *
 *     begin     caller.c: caller_intercept     handler.c: handling_intercept
 *     send      caller.c, stream.c             handler.c: vow_call_reply; stream.c
 *     receive   vow_call_unpack, for both
 *     end       caller_end_as                  handling_end, handling_gone, vow_handling_abandon
 *
 * The rule: an interceptor's function may close or drop anything. Whoever calls in here looks at the call's
 * state afterwards. On the caller's side the call's memory stays until the next turn, on the handler's it
 * must be lent.
 */
#ifndef VOW_RPC_INTERCEPT_H
#define VOW_RPC_INTERCEPT_H

#include "runtime/rpc/call.h"

#include <vow/interceptor.h>

/* One interceptor of a chain. */
typedef struct vow_chain_link {
    vow_link        link;
    vow_interceptor interceptor;
} vow_chain_link;

/* Goes on with a call once all interceptors have begun. `message` is what vow_intercept_begin was given,
 * lent. */
typedef void vow_go_on_fn(vow_call *call, const ProtobufCMessage *message);

struct vow_interception {
    vow_call               *call;
    vow_list               *chain; /* lent by the channel or server */
    vow_link               *begun; /* the last one whose begin was called */
    vow_link               *inner; /* messages pass it and those before it */
    vow_go_on_fn           *go_on;
    vow_waiter             *waiter;  /* for what begin gave */
    const ProtobufCMessage *message; /* for go_on: lent, or what is kept */
    vow_task                let_go;  /* caller's side: gives the call's memory back, once it is over */
    vow_raw                 kept;    /* a message that waits for begin */
    size_t                  kept_block_size; /* 0: none is kept */
    vow_arena  scratch; /* of a message that was kept, and is unpacked for those who want to see it */
    vow_arena *arena;   /* of the message that `receive` looks at; NULL: none */
    vow_status verdict; /* of vow_call_end_as */
    uint64_t   began_ns;
    uint64_t   sent_count, sent_bytes;
    uint64_t   received_count, received_bytes;
    bool       is_beginning; /* not all have begun: the handler has not seen the call, or it has not left */
    bool       is_over;      /* `end` was called */
};

/* Adds a copy to the end of a chain. False: no memory. */
bool vow_chain_add(vow_list *chain, const vow_interceptor *interceptor);
void vow_chain_done(vow_list *chain);

/* Gives a call its interception. False: no memory. */
bool vow_intercept_new(vow_call *call, vow_list *chain);
void vow_intercept_done(vow_call *call);

/* Calls each `begin`, now or as their futures settle, and then `go_on`; or ends the call. `message` is lent
 * for this call, and kept where it has to wait; NULL: none. */
void vow_intercept_begin(vow_call *call, const ProtobufCMessage *message, vow_go_on_fn *go_on);

/* Keeps a message that comes while they begin, for `go_on`. Ends the call where there is no memory. */
void vow_intercept_keep(vow_call *call, const ProtobufCMessage *message);

/* What is sent instead of `message`; NULL: the call has been ended. While they begin, `message` itself. */
const ProtobufCMessage *vow_intercept_send(vow_call *call, const ProtobufCMessage *message);

/* The same of a message that was packed while they began; what is given lives until the next. */
const ProtobufCMessage *vow_intercept_send_packed(vow_call *call, const vow_raw *packed);

/* What is handed over instead of `message`, which lies in `arena`; NULL: `status` is given and says why. */
ProtobufCMessage *vow_intercept_receive(vow_call *call, vow_arena *arena, ProtobufCMessage *message,
                                        size_t size, vow_status *status);

/* The call is over. Takes how it ended, and gives how it ends. The first time only; later, `status` itself.
 */
vow_status vow_intercept_end_now(vow_call *call, vow_status status);

static inline vow_status vow_intercept_end(vow_call *call, vow_status status)
{
    return call->interception ? vow_intercept_end_now(call, status) : status;
}

/* Has the call not got past its interceptors' begin, and never will where it has ended? */
static inline bool vow_intercept_holds(const vow_call *call)
{
    return call->interception && call->interception->is_beginning;
}

/* Do interceptors still begin? */
static inline bool vow_intercept_pending(const vow_call *call)
{
    return vow_intercept_holds(call) && !call->interception->is_over;
}

/* Where vow_call_alloc takes memory from. */
static inline vow_arena *vow_intercept_arena(vow_call *call)
{
    return call->interception && call->interception->arena ? call->interception->arena : &call->arena;
}

#endif
