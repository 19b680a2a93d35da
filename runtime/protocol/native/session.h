/*
 * The inside of a session of vow's native protocol.
 *
 *     session.c   a connection from its first byte to its last
 *     input.c     bytes to frames, and frames to whole messages
 *     hearing.c   frames to events
 *     calls.c     the calls there are, and what rpc hands down to frames
 *     entries.c   metadata that came
 *     flow.c      streams: their messages, and the credit that paces them
 *     methods.c   the numbers of methods' names, in both directions
 *     pings.c     pings, and how many are too many
 *     fit.c       headers that are larger than the peer's frames
 *     output.c    what has still to be sent
 *     header.c, hello.c   the codecs
 *
 * The rule: an event may close the session. Whoever calls one looks at `state` afterwards; `busy` keeps the memory.
 */
#ifndef VOW_PROTOCOL_NATIVE_SESSION_H
#define VOW_PROTOCOL_NATIVE_SESSION_H

#include "runtime/protocol/gauge.h"
#include "runtime/protocol/life.h"
#include "runtime/protocol/native/hello.h"
#include "runtime/protocol/native/output.h"

/* A message that is coming in, in pieces. Its memory grows with what has come, not with what was announced. */
typedef struct vow_assembly {
    struct vow_native *native;
    vow_wire          *wire;
    vow_timer          timer;
    size_t             block_size;
    size_t             size;   /* announced */
    size_t             filled;
    vow_metadata      *trailing; /* of the frame that began a reply; a block */
    size_t             trailing_size;
    _Alignas(16) uint8_t bytes[];
} vow_assembly;

/* How the frame of the last message of a stream began, behind its length. In a burst the next ones begin in the same
 * way, and are the same but for their payload. */
typedef struct vow_seen {
    struct vow_flow *flow;  /* of the stream; NULL: no frame is like the last one */
    uint64_t         start; /* the header and its size, in little-endian order */
    uint64_t         mask;  /* the bytes of `start` that count */
    size_t           size;  /* how many they are; 0: none */
} vow_seen;

typedef struct vow_input {
    vow_buffer    kept;        /* the beginning of a frame */
    vow_assembly *direct;      /* the rest of a frame's payload is read straight into it */
    size_t        skip;        /* bytes of a payload that nobody wants */
    vow_room      room;        /* given last */
    vow_timer     timer;       /* a frame that has begun must end */
    vow_seen      seen;
    size_t        direct_left;
    bool          direct_more; /* the message goes on behind this frame */
    bool          expects_large; /* as the payload before it was */
    size_t        assembling;  /* bytes of memory of messages that are coming in */
} vow_input;

#define VOW_METHODS_MAX 4096

/* A name heard from the peer; its number is its place + 1. */
typedef struct vow_heard {
    char       *name;
    const void *handler;
} vow_heard;

/* A method that the peer was told of. It is known by its name: a vow_method's memory may be used again for another. */
typedef struct vow_told {
    char    *name; /* a copy; NULL: a free place */
    uint32_t number;
    uint32_t hash;
} vow_told;

typedef struct vow_methods {
    const char       *last;      /* what is called most is called again; NULL: nothing yet */
    uint32_t          last_number;
    vow_heard        *heard;
    size_t            heard_count;
    size_t            heard_room;
    vow_told         *told; /* open addressing by the name's hash */
    size_t            told_count;
    size_t            told_room; /* a power of two */
} vow_methods;

/* A call that streams, in either direction. */
typedef struct vow_flow {
    vow_pace           pace; /* what this side sends */
    struct vow_native *native;
    vow_task           emptied;    /* tells that all that was queued has left */
    uint64_t           granted;    /* what the peer may still send */
    uint64_t           held;       /* of messages that have not been taken; they count with their charge */
    uint64_t           assembling; /* of the message that is coming in */
    bool               is_read;     /* a message was taken: the window is the connection's */
    bool               is_answered; /* the wire waits for its last messages to leave */
} vow_flow;

typedef struct vow_native {
    union { /* first */
        vow_session base;
        vow_life    life; /* which begins with it */
    };
    size_t           max_frame_size; /* that comes in */
    uint64_t         next_call;      /* ours */
    uint64_t         last_peer_call; /* the highest id that the peer has begun */
    vow_methods      methods;
    vow_output       output;
    vow_input        input;
    uint64_t         pings;          /* sent; the number of the last */
    uint64_t         pongs;          /* heard */
    vow_strikes      strikes;        /* the peer's pings */
    vow_map          ghosts;         /* calls of ours that were forgotten and not cancelled: they hold their places */
    uint64_t         peer_stream_window; /* the credit that a stream to the peer begins with */
    uint64_t         granted;            /* of the connection's window, what the peer has left */
    vow_gauge        gauge;
    bool             said_hello;
    bool             said_preface;
} vow_native;

static inline vow_native *vow_native_of(vow_session *session)
{
    return (vow_native *)session;
}

static inline vow_scheduler *vow_native_scheduler(const vow_native *native)
{
    return vow_scheduler_of(native->base.loop);
}

static inline bool vow_native_is_alive(const vow_native *native)
{
    return vow_life_is_alive(&native->life);
}

/* As vow_life_lose. */
static inline void vow_native_lose(vow_native *native, vow_status why)
{
    vow_life_lose(&native->life, why);
}

/* session.c */

/* The peer broke the protocol: tells it so, and ends the session. */
void vow_native_break(vow_native *native, const char *format, ...) VOW_PRINTF(2, 3);

/* The same with another code, and with `format` alone as what the peer is told. */
void vow_native_refuse(vow_native *native, vow_code code, const char *format, ...) VOW_PRINTF(3, 4);

/* The same for what did not come in time, which may be the network's doing: the calls end as VOW_UNAVAILABLE. */
void vow_native_give_up(vow_native *native, const char *format, ...) VOW_PRINTF(2, 3);

/* A peer that does not take its answers is not read, until it does. */
void vow_native_check_output(vow_native *native);

/* Queues a frame without payload; loses the session when there is no memory. */
void vow_native_send(vow_native *native, const vow_header *header);

/* The peer's hello and goaway. */
void vow_native_greet(vow_native *native, vow_bytes payload);
void vow_native_hear_goaway(vow_native *native, const vow_header *header);

/* input.c */

void     vow_input_init(vow_native *native);
void     vow_input_done(vow_native *native);
vow_room vow_input_room(vow_native *native);
void     vow_input_read(vow_native *native, size_t size);

/* Takes the payload of a frame, all of it or its beginning (`size` of `whole` bytes), for a message that is complete
 * with this frame unless `more` is set. */
typedef struct vow_payload {
    const uint8_t *data;
    size_t         size;
    size_t         whole;
} vow_payload;

/* False: the session was broken, or there was no memory and the call has ended. */
bool vow_input_assemble(vow_native *native, vow_wire *wire, const vow_header *header, const vow_payload *payload);

void vow_input_skip(vow_native *native, const vow_payload *payload);

/* This side has held a message back, and does so no longer: the time for what is missing begins anew. */
void vow_input_go_on(vow_wire *wire);

void vow_input_free(vow_native *native, vow_wire *wire);

/* hearing.c */

/* A whole frame, or one whose payload has begun. */
void vow_hearing_frame(vow_native *native, const vow_header *header, const vow_payload *payload);

/* A whole frame like the last one, of `flow`. False: it may not come, or not so; nothing has happened. */
bool vow_hearing_next(vow_native *native, vow_flow *flow, const uint8_t *payload, size_t size);

/* The message of a wire is complete. */
void vow_hearing_message(vow_native *native, vow_wire *wire, vow_packed *packed, const vow_metadata *trailing);

/* calls.c */

/* NULL: there is none, or none any more. */
vow_wire *vow_calls_find(vow_native *native, uint64_t id);

/* The peer has ended a call that was forgotten: where that held a place still, the place is free. */
void vow_calls_ghost_ends(vow_native *native, uint64_t id);

/* For the table of a life: cancels a call that was forgotten. */
void vow_calls_cancel_late(vow_life *life, vow_link *late);

/* Fails one call, at both ends. `status` is given. */
void vow_calls_fail(vow_native *native, vow_wire *wire, vow_status status);

/* Tells the peer how a call of its ended, behind what was sent of its stream. */
void vow_calls_send_status(vow_native *native, vow_wire *wire, uint64_t id, const vow_ending *ending);

/* Ends one, as rpc is told. */
void vow_calls_end(vow_native *native, vow_wire *wire, const vow_ending *ending);

/* Ends all, with the session's loss. */
void vow_calls_lose(vow_native *native, const vow_status *why);

/* Forgets all, without a word to rpc. */
void vow_calls_forget(vow_native *native);

vow_code vow_calls_begin(vow_session *session, vow_wire *wire, const vow_begin *begin, vow_status *status);
void     vow_calls_answer(vow_wire *wire, const ProtobufCMessage *message, const vow_ending *ending);
void     vow_calls_cancel(vow_wire *wire);

/* entries.c */

/* Builds metadata from a header's, in a block of the loop's (vow_entries_free). NULL and VOW_OK: there is none. */
vow_code vow_entries_read(vow_native *native, const vow_entries *entries, vow_metadata **metadata, size_t *block_size,
                          vow_error *error);
void     vow_entries_free(vow_native *native, vow_metadata *metadata, size_t block_size);

/* flow.c */

void vow_flow_init(vow_native *native);

/* Makes the wire one that streams, if it is none yet. NULL: no memory. */
vow_flow *vow_flow_of(vow_native *native, vow_wire *wire);
void      vow_flow_free(vow_native *native, vow_wire *wire);

/* Counts a frame of a stream that came, whether its call is still known or not. False: the session was broken. */
bool vow_flow_receive(vow_native *native, vow_wire *wire, const vow_header *header, size_t payload_size);

/* The same for a frame that is a whole message, and is being handed up. False: it may not come; nothing was counted. */
bool vow_flow_receive_next(vow_native *native, vow_flow *flow, size_t size);

/* A message of a stream is complete, and is being handed up. */
void vow_flow_message(vow_native *native, vow_wire *wire, size_t size);

/* Does the message that is coming in wait for its reader, who has not taken one before it? */
bool vow_flow_holds_back(const vow_wire *wire);

void vow_flow_hear_credit(vow_native *native, const vow_header *header, vow_wire *wire);

void     vow_flow_emptied(vow_output *output, vow_pace *pace);
vow_code vow_flow_send(vow_wire *wire, const ProtobufCMessage *message, const vow_metadata *metadata,
                       vow_status *status);
vow_code vow_flow_send_metadata(vow_wire *wire, const vow_metadata *metadata, vow_status *status);
void     vow_flow_finish(vow_wire *wire);
void     vow_flow_taken(vow_wire *wire, size_t size);

/* fit.c */

/* Does the frame that this header makes, before a message of `message_size` bytes in frames of their own, fit those
 * that the peer takes? Messages are cut to these; headers can't be. False: `status` is given. */
bool vow_fit_call(vow_native *native, const vow_header *header, const vow_begin *begin, size_t message_size,
                  vow_status *status);
bool vow_fit_answer(vow_native *native, const vow_header *header, size_t message_size, vow_status *status);

/* Makes a header fit that has to arrive: without its metadata, then without its details, then with less of its text. A
 * success does not do without its metadata: it becomes a failure, whose text is that of `why`, which is given. */
void vow_fit_trim(vow_native *native, vow_header *header);
void vow_fit_status(vow_native *native, vow_header *header, vow_status *why);

/* pings.c */

uint64_t vow_pings_send(vow_session *session);
void     vow_pings_hear_ping(vow_native *native, const vow_header *header);
void     vow_pings_hear_pong(vow_native *native, const vow_header *header);

/* methods.c */

void vow_methods_init(vow_methods *methods);
void vow_methods_done(vow_methods *methods);

/* The peer gives a name a number. */
void vow_methods_hear(vow_native *native, const vow_header *header);

/* The number for `method`, of which the peer is told first; 0: send the name. */
uint32_t vow_methods_tell(vow_native *native, const vow_method *method);

#endif
