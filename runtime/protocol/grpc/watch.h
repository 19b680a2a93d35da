/*
 * What a peer may cost that keeps to the grammar of HTTP/2.
 *
 * The idea: the heads of frames are read here, before nghttp2 sees them. What says nothing (an empty DATA, a
 * PRIORITY, a change of SETTINGS) takes tokens out of a bucket; a header block has a number of frames, bytes
 * and seconds; a frame that has begun must end. Who goes beyond is told to calm down, and its connection
 * ends. Calls that end before their answer, whoever ended them, are charged by one function, to another
 * bucket.
 *
 * A message that has begun must end, too, and a peer that lets megabytes of answers lie must take some of
 * them now and then: calls are looked at every few seconds for that, since a timer for each would cost all
 * calls.
 *
 * Source  RFC 9113, section 10.5; CVE-2023-44487, CVE-2025-8671, CVE-2024-28182, CVE-2019-9511 to 9518.
 */
#ifndef VOW_PROTOCOL_GRPC_WATCH_H
#define VOW_PROTOCOL_GRPC_WATCH_H

#include "runtime/protocol/bucket.h"

/* The head of a frame of HTTP/2. */
#define VOW_HTTP2_HEAD ((size_t)9)

/* Frames of a header block behind its first. nghttp2 keeps to it as well. */
#define VOW_HTTP2_CONTINUATIONS_MAX 8

struct vow_grpc;
struct vow_grpc_call;

typedef struct vow_grpc_watch {
    uint8_t     head[VOW_HTTP2_HEAD];
    size_t      head_size;
    size_t      left;      /* of the frame that is coming, or of the client's preface */
    bool        ends_stream; /* a frame of what is looked at says so */
    bool        in_block;  /* a header block has begun and not ended */
    bool        has_moved; /* a frame has begun in what came last, behind the end of another */
    unsigned    continuations;
    size_t      block_size;
    bool        has_sent_of_calls; /* since the peer's last ping */
    vow_bucket  glitches;
    vow_strikes strikes;
    vow_timer   frame_timer;
    vow_timer   sweep_timer;
    uint64_t    moved_ns; /* when something of a call was sent last, or little waited */
} vow_grpc_watch;

void vow_grpc_watch_init(struct vow_grpc *grpc);
void vow_grpc_watch_stop(struct vow_grpc *grpc);

/* Looks at bytes that came, up to the end of one of the next frames. Gives how many may be read; 0: the session was
 * ended, and none may. */
size_t vow_grpc_watch_bytes(struct vow_grpc *grpc, const uint8_t *data, size_t size);

/* The call whose DATA is coming, and how much of the frame is missing; NULL: none. */
struct vow_grpc_call *vow_grpc_watch_data(struct vow_grpc *grpc, size_t *left);

/* All that came has been read: what has begun must end in time. */
void vow_grpc_watch_rest(struct vow_grpc *grpc);

/* There are calls to look at, now and then. */
void vow_grpc_watch_calls(struct vow_grpc *grpc);

/* A ping of the peer's. */
void vow_grpc_watch_ping(struct vow_grpc *grpc);

/* A call of the peer's ended abnormally, whichever side asked. */
void vow_grpc_watch_cancel(struct vow_grpc *grpc);

#endif
