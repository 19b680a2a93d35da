/*
 * The inside of a session of gRPC over HTTP/2.
 *
 * The idea: nghttp2 reads and writes the frames and keeps the state of streams and of HPACK; it does no I/O.
 * What came is fed to it, what it has to send is collected in one buffer and leaves at the end of the loop's
 * iteration or before. Here its callbacks become calls, and what rpc hands down becomes headers, messages and trailers.
 *
 *     session.c   a connection from its first byte to its last
 *     reading.c   what is read, on its way to nghttp2
 *     output.c    what nghttp2 has to send
 *     calls.c     the calls there are, and what rpc hands down to headers, trailers and resets
 *     hearing.c   header blocks that came
 *     messages.c  messages that come
 *     outgoing.c  messages on their way out
 *     flow.c      what may be on its way to this side
 *     watch.c     what a peer may cost
 *     compress.c  one message, compressed and inflated
 *     fields.c    the fields of a header block
 *     text.c      timeouts, percent-encoding, Base 64
 *
 * The rule: nghttp2 must not be entered from its own callbacks in ways that free what it stands on, and an
 * event may close the session: so what the callbacks find is told to rpc at once, but the session is freed
 * only when `busy` is 0.
 *
 * Source  gRPC, "gRPC over HTTP2"; RFC 9113.
 */
#ifndef VOW_PROTOCOL_GRPC_SESSION_H
#define VOW_PROTOCOL_GRPC_SESSION_H

#include "runtime/protocol/gauge.h"
#include "runtime/protocol/grpc/fields.h"
#include "runtime/protocol/grpc/text.h"
#include "runtime/protocol/grpc/watch.h"
#include "runtime/protocol/held.h"
#include "runtime/protocol/life.h"
#include "runtime/protocol/message.h"

#include <nghttp2/nghttp2.h>

/* DATA frames to and from a peer on this machine have up to so many bytes; others what HTTP/2 has by default, so that
 * small calls need not wait behind them for long. */
#define VOW_GRPC_FRAME ((uint32_t)16 << 10)
#define VOW_GRPC_FRAME_LOCAL ((uint32_t)256 << 10)

/* What stands before a message: a flag for compression, and its size. */
#define VOW_GRPC_PREFIX 5

typedef struct vow_grpc vow_grpc;

/* Bytes of a stream that wait to be sent. */
typedef struct vow_grpc_chunk {
    struct vow_grpc_chunk *next;
    size_t                 block_size;
    size_t                 size;
    size_t                 sent;
    uint8_t                bytes[];
} vow_grpc_chunk;

/* How a stream of HTTP/2 ends: with END_STREAM alone, or with trailers. */
typedef struct vow_grpc_trailers {
    const nghttp2_nv *fields; /* in a block with their texts; NULL: END_STREAM on the last DATA */
    size_t            count;
    size_t            block_size; /* 0: not in a block */
} vow_grpc_trailers;

/* One stream of HTTP/2. It may live longer than the wire (an answer that still leaves), and begins before it.
 */
typedef struct vow_grpc_call {
    vow_link  link; /* among the session's */
    vow_link  late; /* among those that are cancelled later */
    vow_grpc *grpc;
    vow_wire *wire; /* NULL: rpc does not know it yet, or has forgotten it */
    int32_t   id;

    bool is_unary_in;     /* the other side sends one message */
    bool has_headers_out; /* a response was begun */
    bool has_headers_in;  /* a response's headers have come */
    bool has_message_in;  /* one was handed up, or waits for the end of the stream */
    bool has_ended_in;    /* the other side's END_STREAM has come */
    bool ends_out;        /* nothing follows what is queued but the trailers */
    bool is_deferred;     /* nghttp2 is told when there is more to send */
    bool is_reset;        /* this side has ended it before its end */
    bool is_answered;     /* the wire waits for its last messages to leave */
    bool has_told_end;    /* the answer's last frame has left */
    bool is_ghost;        /* will be cancelled, and runs on until then: it keeps its place */
    bool has_gzip_in;     /* the other side said that its messages may be compressed */
    bool has_gzip_out;    /* this side has said so */
    bool takes_gzip;      /* the other side says that it does; of a caller */
    bool is_encoded;      /* in a way that is not known here */
    bool is_compressed;   /* the message that is coming in */
    bool is_packing;      /* the last chunk is being filled */
    bool is_closed;       /* its stream has gone, which is still to be told */

    uint64_t begun_ns;  /* when the message that is awaited began to come; 0: none is */
    uint64_t begins_at; /* where in what was made to be sent its request begins; UINT64_MAX: not made yet */

    /* What comes in */
    uint8_t    prefix[VOW_GRPC_PREFIX];
    size_t     prefix_size;
    vow_buffer message; /* that is coming in */
    size_t     message_size;
    size_t     held;       /* bytes of messages that rpc has not taken */
    size_t     unconsumed; /* bytes whose credit has not been given back */
    uint64_t   window;     /* that the other side was told of */

    /* What goes out */
    vow_grpc_chunk   *first;
    vow_grpc_chunk   *last;
    vow_slice         lent;     /* leaves behind these: a part of the message that is being packed */
    size_t            unpacked; /* bytes of that message which are still to come */
    size_t            queued;
    vow_grpc_trailers trailers;
    vow_task          emptied;     /* tells that all that was queued has left, or that it is closed */
    uint32_t          closed_with; /* HTTP/2's error */
    size_t            block_size;  /* of this */
} vow_grpc_call;

/* Where the rest of a message's frame is read to: into the message. */
typedef struct vow_grpc_direct {
    uint8_t *at;
    size_t   size; /* of what is missing of the frame; 0: what comes goes into the loop's block */
} vow_grpc_direct;

/* Room behind such a message: for the head of the next frame, so that it does not take a read of its own. */
#define VOW_GRPC_BEHIND ((size_t)64)

struct vow_grpc {
    union { /* first */
        vow_session base;
        vow_life    life; /* which begins with it */
    };
    nghttp2_session *http; /* NULL: gone */
    vow_grpc_fields  fields;
    vow_list         calls;
    char            *authority; /* of the target, for a client */

    char     timeout[VOW_GRPC_TIMEOUT_ROOM]; /* the last call's, as it was sent */
    uint64_t timeout_ns; /* 0: there was none */

    vow_buffer filling; /* what was made to be sent */
    vow_buffer leaving; /* lent to the stream while `is_writing` */
    vow_task   flush;
    bool       is_writing;
    bool       is_feeding;    /* inside nghttp2_session_mem_recv */
    bool       is_alone;      /* nothing else was heard on the loop between the last two times */
    bool       is_within;     /* what is sent must cause no event */
    bool       is_stuck;      /* the stream takes no more at once */
    bool       must_not_feed; /* nghttp2 has failed or was terminated: it is never fed again */
    bool       must_not_ask;  /* it has failed while it made what is to be sent: it is not asked for more */
    vow_slice  piece;         /* lent; leaves behind `piece_at` bytes of `filling` */
    size_t     piece_at;
    uint64_t   made_bytes;    /* ever made to be sent */
    uint64_t   left_bytes;    /* of these, given to the stream */
    size_t     collected;     /* bytes of messages that were queued since the last flush, or about so many */
    size_t     flush_at;      /* so much of this leaves without waiting for the end of the loop's iteration */
    size_t     queued;        /* bytes of messages that wait for credit, or their turn */

    vow_grpc_call  *came; /* its request is whole, and is served once nghttp2 has been left; NULL: none */
    vow_grpc_direct direct;

    vow_grpc_watch watch;
    vow_gauge      gauge;

    uint64_t pings;         /* sent; the number of the last */
    uint64_t pings_waiting; /* of these, behind a goaway that has not left */
    bool     goaway_waits;
    vow_task leave; /* tells that no stream ids are left */
};

static inline vow_grpc *vow_grpc_of(vow_session *session)
{
    return (vow_grpc *)session;
}

static inline vow_scheduler *vow_grpc_scheduler(const vow_grpc *grpc)
{
    return vow_scheduler_of(grpc->base.loop);
}

static inline bool vow_grpc_is_alive(const vow_grpc *grpc)
{
    return vow_life_is_alive(&grpc->life);
}

/* As vow_life_lose. */
static inline void vow_grpc_lose(vow_grpc *grpc, vow_status why)
{
    vow_life_lose(&grpc->life, why);
}

/* session.c */

/* Tells the peer with a GOAWAY, and loses the session. */
void vow_grpc_refuse(vow_grpc *grpc, vow_code code, uint32_t error, const char *format, ...) VOW_PRINTF(4, 5);

/* No stream ids are left: rpc takes another connection. */
void vow_grpc_ids_run_out(vow_grpc *grpc);

/* A goaway has left. */
void vow_grpc_goaway_sent(vow_grpc *grpc, const nghttp2_goaway *goaway);

/* What is said of a connection that nghttp2 has ended. */
vow_code vow_grpc_code_of_http2(uint32_t error, const char **what);

/* nghttp2 gave up: what it still has to say (a GOAWAY) leaves first. */
void vow_grpc_http_failed(vow_grpc *grpc, int error);

/* reading.c */

/* Events of the stream. */
vow_room vow_grpc_room(void *owner);
void     vow_grpc_read(void *owner, size_t size);

/* output.c */

/* Something is to be sent: it leaves when all that is ready has run; or now. */
void vow_grpc_flush_later(vow_grpc *grpc);
void vow_grpc_flush(vow_grpc *grpc);
void vow_grpc_flush_task(vow_task *task);

/* Or now, where so much was made that the peer should begin with it. */
void vow_grpc_flush_much(vow_grpc *grpc);

bool vow_grpc_is_flushed(const vow_session *session);

/* Inside a call of rpc's, where nothing may be told: what ends by what is sent is told of later. */
void vow_grpc_flush_within(vow_grpc *grpc);

/* Puts bytes behind what is to leave; is there enough of it? */
bool vow_grpc_put(vow_grpc *grpc, const uint8_t *data, size_t size);
bool vow_grpc_has_filled(const vow_grpc *grpc);

/* The same, but a large piece is lent until it is parted with, and leaves from where it lies, if the stream takes it.
 * False: no memory. */
bool vow_grpc_put_piece(vow_grpc *grpc, const uint8_t *data, size_t size);
bool vow_grpc_part_with_piece(vow_grpc *grpc);

/* hearing.c */

/* Callbacks of nghttp2. */
int vow_grpc_on_begin_headers(nghttp2_session *http, const nghttp2_frame *frame, void *user);
int vow_grpc_on_header(nghttp2_session *http, const nghttp2_frame *frame, const uint8_t *name,
                       size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags, void *user);

/* A header block, or the data of a stream, is complete. */
void vow_grpc_headers_came(vow_grpc *grpc, const nghttp2_frame *frame);
void vow_grpc_stream_ended(vow_grpc_call *call);

/* Serves the request that became whole: outside of nghttp2, so that its answer can leave at once. */
void vow_grpc_serve(vow_grpc *grpc);

/* calls.c */

/* Callbacks of nghttp2. */
int vow_grpc_on_stream_close(nghttp2_session *http, int32_t id, uint32_t error, void *user);
int vow_grpc_on_frame_sent(nghttp2_session *http, const nghttp2_frame *frame, void *user);
int vow_grpc_before_frame(nghttp2_session *http, const nghttp2_frame *frame, void *user);

/* NULL: no memory. */
vow_grpc_call *vow_grpc_call_new(vow_grpc *grpc);

/* NULL: there is none, or none any more. */
vow_grpc_call *vow_grpc_find(vow_grpc *grpc, int32_t id);

/* rpc and the session know the call by this wire. */
void vow_grpc_attach(vow_grpc_call *call, vow_wire *wire, bool is_ours);

/* Its stream has gone: tells rpc, where it must know, and frees it. */
void vow_grpc_closed(vow_grpc_call *call, uint32_t error);

/* Ends the stream of a call, once. */
void vow_grpc_reset(vow_grpc_call *call, uint32_t error);

/* Ends one call for a fault of the other side, at both ends. `status` is given. */
void vow_grpc_fail(vow_grpc_call *call, vow_status status);

/* Tells the caller how its call ended, behind what was sent. */
void vow_grpc_tell_end(vow_grpc_call *call, const vow_ending *ending);

/* A client that speaks HTTP and not gRPC is told so in HTTP. */
void vow_grpc_tell_http(vow_grpc_call *call, const char *http_status);

/* Begins a response, if it has not been. False: no memory. */
bool vow_grpc_submit_headers(vow_grpc_call *call, const vow_metadata *metadata);

/* Ends all, with the session's loss. Without a word to rpc: lets go of the wires; frees all. */
void vow_grpc_calls_lose(vow_grpc *grpc, const vow_status *why);
void vow_grpc_calls_detach(vow_grpc *grpc);
void vow_grpc_calls_forget(vow_grpc *grpc);

/* rpc is told that the wire has ended. */
void vow_grpc_end(vow_grpc_call *call, const vow_ending *ending);

vow_code vow_grpc_begin(vow_session *session, vow_wire *wire, const vow_begin *begin, vow_status *status);
void     vow_grpc_answer(vow_wire *wire, const ProtobufCMessage *message, const vow_ending *ending);
void     vow_grpc_cancel(vow_wire *wire);
void     vow_grpc_cancel_late(vow_life *life, vow_link *late); /* for the table of a life */
vow_code vow_grpc_send_metadata(vow_wire *wire, const vow_metadata *metadata, vow_status *status);

/* messages.c */

int vow_grpc_on_data(nghttp2_session *http, uint8_t flags, int32_t id, const uint8_t *data, size_t size,
                     void *user);

/* Is no message under way? */
bool vow_grpc_call_is_whole(const vow_grpc_call *call);

/* Where the next bytes go, if they belong to a message that has room for them: there; else size 0. */
vow_room vow_grpc_direct_room(vow_grpc *grpc);

/* A unary message waits for the end of its stream: hands it up, or fails the call. False: there was none. */
bool vow_grpc_deliver_last(vow_grpc_call *call);

/* outgoing.c */

/* Callbacks of nghttp2. */
ssize_t vow_grpc_frame_size(nghttp2_session *http, uint8_t type, int32_t id, int32_t connection_window,
                            int32_t stream_window, uint32_t frame_max, void *user);
int     vow_grpc_send_data(nghttp2_session *http, nghttp2_frame *frame, const uint8_t *head, size_t size,
                           nghttp2_data_source *source, void *user);

/* What nghttp2 asks for the bytes of a call. */
nghttp2_data_provider vow_grpc_provider(vow_grpc_call *call);

/* Drops what has not left; a message may have left in part. */
void vow_grpc_drop_queued(vow_grpc_call *call);

/* Makes room for a message. Gives its size; SIZE_MAX: no memory, or HTTP/2 has no room for it. */
size_t vow_grpc_reserve(vow_grpc_call *call, const ProtobufCMessage *message);

/* Then packs it, compressed where `wire` says so; what is large leaves meanwhile, if the stream was begun. */
void vow_grpc_pack(vow_grpc_call *call, const vow_wire *wire, const ProtobufCMessage *message, size_t size);

/* More was queued, or the end was: nghttp2 goes on with the stream. */
void vow_grpc_resume(vow_grpc_call *call);

/* Frees what a call has queued and is receiving. */
void vow_grpc_messages_init(vow_grpc_call *call);
void vow_grpc_messages_done(vow_grpc_call *call);

vow_code vow_grpc_send(vow_wire *wire, const ProtobufCMessage *message, const vow_metadata *metadata,
                       vow_status *status);
void     vow_grpc_finish(vow_wire *wire);

/* flow.c */

/* What each stream's window is at first. */
uint64_t vow_grpc_first_window(const vow_grpc *grpc);

/* Tells the connection's window, as large as it has become. Gives nghttp2's error. */
int vow_grpc_tell_window(vow_grpc *grpc);

/* `message_size` of the only message that the other side sends is known. */
void vow_grpc_only_message(vow_grpc_call *call);

/* Bytes of a stream came; then, what became of them is known. */
void vow_grpc_came(vow_grpc *grpc, size_t size);
void vow_grpc_came_of_call(vow_grpc_call *call);

/* A pong came: windows may have grown. False: it answers somebody else's ping. */
bool vow_grpc_gauge_pong(vow_grpc *grpc, uint64_t ping);

void vow_grpc_taken(vow_wire *wire, size_t size);

#endif
