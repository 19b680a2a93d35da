/*
 * What a connection has still to send.
 *
 * The idea: frames are written straight into `filling`, which leaves with one writev at the end of the loop's
 * iteration, or of a read for what answers it, or sooner when it has grown to some KiB, so that both ends work at
 * the same time. A large message leaves at once as far as the connection takes it (outgoing.h). The rest is packed
 * into a block of its own, frame headers in between, and is sent from there, a frame at a time and in turn with
 * other large messages: it never holds up a small one.
 *
 *     write 1   [ filling: small frames ............ ][ frame of A ][ frame of B ]
 *     write 2   [ what was filled meanwhile ][ next frame of A ][ next frame of B ]
 *
 * The messages of a stream leave as its credit allows. Those that find no credit wait in blocks of whole
 * frames, in the order of the stream; a block that may go on is one more large message among the others.
 *
 * Memory is taken for what is there to send, and given back when it has left.
 */
#ifndef VOW_PROTOCOL_NATIVE_OUTPUT_H
#define VOW_PROTOCOL_NATIVE_OUTPUT_H

#include "runtime/base/list.h"
#include "runtime/protocol/held.h"
#include "runtime/protocol/message.h"
#include "runtime/protocol/native/header.h"

/* The first flush of an iteration comes this soon, so that the peer wakes up while we go on; each further one
 * at twice as much, up to the most: a flush costs a system call, and soon a wake-up is not what is wanted but
 * throughput. */
#define VOW_FLUSH_FIRST ((size_t)2560)
#define VOW_FLUSH_MOST ((size_t)16 << 10)

/* Before the peer has said what it takes. */
#define VOW_FRAME_UNTIL_HELLO ((size_t)1 << 10)

/* A message of no more than this is packed behind its header at once, if it is simple: one pass tells its size, too. */
#define VOW_SHORT_MESSAGE ((size_t)1 << 10)

/* Messages of more than this go out of a block of their own. */
#define VOW_LARGE_MESSAGE ((size_t)16 << 10)

/* What a frame of a stream costs beyond its payload, in credit: a message of no bytes takes memory, too. */
#define VOW_STREAM_FRAME_CHARGE 32

typedef struct vow_outgoing vow_outgoing; /* a large message, or a part of a stream */

/* The sending half of a stream. */
typedef struct vow_pace {
    vow_wire     *wire;
    vow_outgoing *first; /* what waits, in order */
    vow_outgoing *last;
    uint64_t      credit;     /* that the peer has given */
    uint64_t      window;     /* the most that it ever was: it will be half as much again */
    bool          is_blocked; /* the first block waits for credit of the stream */
} vow_pace;

/* How the frames of one stream begin: those of a burst have this in common. */
typedef struct vow_beginning {
    uint64_t call;                         /* 0: of none */
    size_t   size;
    uint8_t  bytes[VOW_HEADER_SHORT_MAX]; /* the length is to be filled in */
} vow_beginning;

typedef struct vow_output {
    vow_session  *session; /* whose stream and account these are; what short messages need follows */
    vow_task      flush;
    vow_buffer    filling;
    size_t        flush_at; /* the size of `filling` that flushes it */
    size_t        queued_bytes;
    size_t        paced_bytes;    /* of these, in streams that have not been given their turn */
    size_t        short_room;     /* what a message may have to be short */
    bool          is_writing;
    bool          has_sent_of_calls; /* a frame of a call, since the peer's last ping */
    size_t        short_stream_room; /* and one of a stream */
    vow_beginning beginning;         /* of the stream that was sent last */
    size_t        max_frame_size;    /* the peer's */
    vow_buffer    leaving; /* lent to the stream while `is_writing` */
    vow_list      large;
    size_t        sending_count;
    size_t        pongs;          /* queued, and not known to have left */
    size_t        pongs_leaving;  /* of these, in what is being sent */
    void (*drained)(struct vow_output *output); /* some of what was queued has left */
    void (*emptied)(struct vow_output *output,
                    vow_pace          *pace); /* all that a stream had queued is on its way */
    vow_list      starved;                       /* of streams: wait for credit of the connection */
    uint64_t      credit;                        /* that the peer has given to all streams together */
    vow_outgoing *sending[VOW_WRITE_SLICES - 1]; /* parts of which are lent to the stream */
    size_t        sending_size[VOW_WRITE_SLICES - 1];
} vow_output;

void vow_output_init(vow_output *output, vow_session *session, void (*drained)(vow_output *output),
                     void (*emptied)(vow_output *output, vow_pace *pace));
void vow_output_done(vow_output *output); /* the stream has gone, or was closed */

/* What the peer takes: frames of such a size, and messages; the window that its streams begin with. */
void vow_output_agree(vow_output *output, size_t max_frame_size, uint64_t window, uint64_t max_message_size);

/* Queues a frame; `payload` is copied. Fails: no memory; nothing is queued. */
vow_code vow_output_frame(vow_output *output, const vow_header *header, vow_bytes payload);

/* Queues a message of `size` bytes behind `header`, which is completed as the message needs it. */
vow_code vow_output_message(vow_output *output, vow_header *header, const ProtobufCMessage *message,
                            size_t size, vow_wire *wire);

/* Queues a short message. False: it is not short, or not simple, or too large for the peer; nothing has happened. */
bool vow_output_short(vow_output *output, const vow_short_header *header, const ProtobufCMessage *message);

/* The same for a message of a stream that need not wait. */
bool vow_output_stream_short(vow_output *output, vow_pace *pace, const ProtobufCMessage *message);

/* The same bytes as they are, without a frame around them. */
vow_code vow_output_raw(vow_output *output, const void *data, size_t size);

/* Drops what has not left of a large message; the wire is being forgotten. */
void vow_output_forget(vow_output *output, vow_wire *wire);

/* Queues a message of a stream behind those that wait. */
vow_code vow_output_stream(vow_output *output, vow_pace *pace, vow_header *header,
                           const ProtobufCMessage *message, size_t size);

/* Queues a frame behind the messages of a stream; it costs no credit. */
vow_code vow_output_behind(vow_output *output, vow_pace *pace, const vow_header *header);

/* The peer gives credit: to one stream, or to all together. */
void vow_output_credit(vow_output *output, vow_pace *pace, uint64_t credit);
void vow_output_connection_credit(vow_output *output, uint64_t credit);

/* Makes room for `size` bytes more in `filling`. False: no memory. */
bool vow_output_make_room(vow_output *output, size_t size);

/* Drops what has not left of a stream. */
void vow_output_forget_stream(vow_output *output, vow_pace *pace);

/* The stream has taken what it was lent. */
void vow_output_written(vow_output *output);

/* What waits for the connection alone, and says whether the peer takes what it is sent. */
static inline size_t vow_output_pressing(const vow_output *output)
{
    return output->queued_bytes - output->paced_bytes;
}

static inline bool vow_output_empty(const vow_output *output)
{
    return output->queued_bytes == 0;
}

#endif
