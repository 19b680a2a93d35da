/*
 * What a peer may cost, and how much of it in how short a time.
 *
 * The idea: a bucket of tokens that come back with time. What costs this side more than its sender takes one:
 * a call that is cancelled before its answer, a frame that says nothing. Cancelling the losers of a race is
 * what calls are for, so answers fill the bucket of cancels, too; a peer that empties it is not read for a
 * while, and is told to calm down when it does so again and again. Pings have strikes instead: what is
 * refused is a habit.
 *
 * Source  CVE-2023-44487 ("rapid reset"); gRFC A8, "Server-side Connection Management" (ping strikes).
 */
#ifndef VOW_PROTOCOL_BUCKET_H
#define VOW_PROTOCOL_BUCKET_H

#include "runtime/protocol/protocol.h"

/* Calls that their caller ends before the answer, for each connection. */
#define VOW_CANCELS_MAX 1000
#define VOW_CANCELS_PER_S 33
#define VOW_CANCELS_PER_ANSWER 4
#define VOW_CANCELS_TO_GO_ON 100

/* What a client of vow's sends of them: less than a server bears, since they may come closer together than they were
 * sent. */
#define VOW_CANCELS_SENT_MAX 900
#define VOW_CANCELS_SENT_PER_S 30

/* How long an empty bucket of cancels keeps a peer from being read. */
#define VOW_CANCELS_STOP_MS (VOW_CANCELS_TO_GO_ON * 1000 / VOW_CANCELS_PER_S)

/* In this time a peer is stopped twice. */
#define VOW_STOPS_WITHIN_S 30

typedef struct vow_bucket {
    uint64_t most; /* thousandths of tokens, as all of these */
    uint64_t per_ms;
    uint64_t tokens;
    uint64_t filled_ns;
    uint64_t stops[3]; /* when its owner was stopped, lately */
} vow_bucket;

/* Full. */
void vow_bucket_init(vow_bucket *bucket, unsigned most, unsigned per_s, uint64_t now_ns);

/* False: there are not so many, and none is taken. */
bool vow_bucket_take(vow_bucket *bucket, unsigned count, uint64_t now_ns);
void vow_bucket_give(vow_bucket *bucket, unsigned count);

/* Notes that its owner is stopped. True: for the third time in VOW_STOPS_WITHIN_S. */
bool vow_bucket_stop(vow_bucket *bucket, uint64_t now_ns);

/* Pings that came too soon. */
typedef struct vow_strikes {
    uint64_t heard_ns; /* when the last ping came; 0: none yet */
    unsigned count;
} vow_strikes;

/* Notes a ping; `is_free`: a frame of a call was sent since the last. False: it was one too many. */
bool vow_strikes_ping(vow_strikes *strikes, const vow_session *session, bool is_free);

/* How far apart the peer's pings must be now. */
int64_t vow_strikes_interval_ms(const vow_session *session);

#endif
