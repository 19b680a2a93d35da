/*
 * The inside of a call: what both sides have in common.
 *
 * The idea: one struct on both sides and in all protocols, one pooled object that holds the wire half,
 * the future, the deadline's timer and the first bytes of its memory. The caller's side is in
 * caller.c, the handler's in handler.c, and what streams have beside in stream.c.
 *
 * The rule: a call ends once, with call_end of its side; it is freed when the last handle of its future
 * is gone (caller's side), or when it is answered and no longer lent to its handler.
 */
#ifndef VOW_RPC_CALL_H
#define VOW_RPC_CALL_H

#include "runtime/base/arena.h"
#include "runtime/future/future.h"
#include "runtime/protocol/metadata.h"
#include "runtime/protocol/protocol.h"

#include <vow/call.h>
#include <vow/channel.h>
#include <vow/server.h>

typedef struct vow_connection vow_connection; /* a channel's, to a server */
typedef struct vow_peer       vow_peer;       /* a server's, from a client */
typedef struct vow_entry      vow_entry;      /* a handler that a server has */
typedef struct vow_streaming  vow_streaming; /* what a call that streams has beside */
typedef struct vow_interception vow_interception; /* and one that interceptors see */
typedef struct vow_slot vow_slot; /* memory that is found by key */
typedef struct vow_attachment vow_attachment; /* what is released with a call's memory */

/* What is known of a connection once it is there; it outlives its session, for the calls that still refer to it. */
typedef struct vow_facts {
    uint64_t opened_ns;
    char     local[VOW_ENDPOINT_MAX];
    char     agent[VOW_AGENT_MAX];
    const char    *protocol;
    vow_tls_facts *tls; /* NULL: there is none */
} vow_facts;

void vow_facts_keep(vow_facts *facts, const vow_session *session);
void vow_facts_done(vow_facts *facts);

typedef enum vow_call_state {
    VOW_CALL_DEAD,
    VOW_CALL_WAITING,  /* caller: for a connection. Handler: for the request */
    VOW_CALL_OPEN,     /* on the wire; the handler has it */
    VOW_CALL_GONE,     /* handler: nobody waits for the answer any more */
    VOW_CALL_ENDED     /* settled; answered */
} vow_call_state;

/* What a call needs on the caller's side. */
typedef struct vow_caller {
    vow_channel            *channel; /* until it has ended */
    vow_connection         *connection;
    const ProtobufCMessage *request; /* packed in the arena, where the call waits, or may have to begin anew */
    const vow_metadata     *metadata; /* to be sent */
    ProtobufCMessage       *reply;
    vow_status              fault;   /* of a reply that could not be unpacked */
    bool                    waits_for_ready;
    bool                    is_waiting; /* in the channel's queue */
    bool                    was_retried;
} vow_caller;

/* What a call needs on the handler's side. */
typedef struct vow_handling {
    vow_server         *server;
    vow_peer           *peer;
    const vow_entry    *entry;
    vow_waiter         *answer;   /* waits for what vow_call_answer was given */
    vow_promise        *closed;   /* of vow_call_when_closed */
    vow_future         *on_closed; /* its future, to be shared */
    vow_promise        *draining;  /* of vow_call_when_draining */
    vow_future         *on_draining;
    const vow_metadata *metadata; /* to be sent with what is sent first */
    const vow_metadata *trailing; /* and with the answer */
    size_t              charged;  /* bytes counted in the server's account */
    unsigned            lent;     /* functions and futures that still use it */
    bool                metadata_has_left; /* vow_call_flush_metadata */
} vow_handling;

struct vow_call {
    vow_future          future; /* first. The reply, or a stream's end; without a class on the handler's side */
    vow_wire            wire;
    vow_loop           *loop;
    const vow_method   *method;
    vow_arena           arena;
    vow_timer           timer; /* the deadline's; then a report on a handler that goes on */
    uint64_t            deadline_ns;
    vow_link            link; /* in the channel's queue, or among the server's calls */
    vow_list            children;
    vow_link            sibling; /* among its parent's children */
    const vow_metadata *received;
    const vow_metadata *trailing; /* received by a caller */
    vow_streaming *streaming; /* NULL: neither side streams */
    vow_interception *interception; /* NULL: no interceptors */
    vow_slot         *slots;
    vow_attachment *attachments; /* the last one first */
    const char         *peer; /* lent by the connection, which the call references */
    vow_call_state      state;
    bool                was_compressed; /* the message that was handed over last */
    union {
        vow_caller   caller;
        vow_handling handling;
    } side;
    _Alignas(VOW_ARENA_ALIGNMENT) uint8_t room[];
};

#define VOW_NO_DEADLINE UINT64_MAX

/* What a server queues for one peer before it stops reading from it. */
#define VOW_MAX_QUEUED_BYTES ((size_t)4 << 20)

static inline vow_call *vow_call_of_wire(vow_wire *wire)
{
    return VOW_OWNER(wire, vow_call, wire);
}

static inline vow_scheduler *vow_call_scheduler(const vow_call *call)
{
    return vow_scheduler_of(call->loop);
}

extern const vow_future_class vow_caller_class;

static inline bool vow_call_is_callers(const vow_call *call)
{
    return call->future.class != NULL;
}

/* The call that is given when there is no memory for any other. */
static inline bool vow_call_is_missing(const vow_call *call)
{
    return call->future.class && call->future.class != &vow_caller_class;
}

/* Of no missing call. */
#define VOW_RULE_LIVES(call)                                                                                 \
    VOW_RULE((call)->state != VOW_CALL_DEAD,                                                                 \
             "the call is over: a handler's ends with its answer, a caller's with vow_call_drop")

/* Of any call that a program may have. */
static inline vow_scheduler *vow_call_any_scheduler(const vow_call *call)
{
    return vow_call_is_callers(call) ? call->future.scheduler : vow_call_scheduler(call);
}

static inline bool vow_method_streams(const vow_method *method)
{
    return method->client_streams || method->server_streams;
}

/* Gives a call without a side, or NULL: no memory. `fire` is its timer's. */
vow_call *vow_call_new(vow_loop *loop, const vow_method *method, size_t max_memory, void (*fire)(vow_timer *timer));
void      vow_call_free(vow_call *call);

/* Sets the deadline and arms the timer. */
void vow_call_set_deadline(vow_call *call, uint64_t deadline_ns);

/* What is left of the deadline, for a message: milliseconds. */
int64_t vow_call_timeout_left_ms(const vow_call *call);

/* Looks into `packed`, then unpacks it into `arena`, which may take its block. NULL: `status` is given and says why.
 * `what` is "request", "reply" or "message". */
ProtobufCMessage *vow_call_unpack(vow_call *call, vow_arena *arena, const ProtobufCMessageDescriptor *descriptor,
                                  vow_packed *packed, const char *what, vow_status *status);

/* Cancels the calls that were begun on behalf of this one. */
void vow_call_cancel_children(vow_call *call);

/* An event of a session: the other side's metadata. */
void vow_call_hear_metadata(vow_wire *wire, const vow_metadata *metadata);

/* Why there was no room for the other side's. */
vow_status vow_call_no_room_for_metadata(const vow_call *call);

/* Copies metadata into the call's memory. NULL: there was none, or no memory (then *failed is true). */
const vow_metadata *vow_call_copy_metadata(vow_call *call, const vow_metadata *metadata, bool *failed);

/* The same of two lists, `first` being the call's own already. */
const vow_metadata *vow_call_join_metadata(vow_call *call, const vow_metadata *first, const vow_metadata *second,
                                           bool *failed);

#endif
