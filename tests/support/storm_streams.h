/*
 * The streams of a storm: both sides send, and what comes back is what was sent, in order, or the call's end says why.
 *
 * The idea: a message is its stream's number, its place and a pattern of both, so that one that is lost, doubled, cut
 * or another's is seen at once. Messages are often larger than a window, and readers often slower than senders.
 */
#ifndef VOW_TESTS_STORM_STREAMS_H
#define VOW_TESTS_STORM_STREAMS_H

#include <vow/vow.h>

#define STORM_STREAMS_MAX 64

typedef struct storm_stream storm_stream;

typedef struct storm_streams {
    vow_loop     *loop;
    uint64_t      random;
    storm_stream *streams[STORM_STREAMS_MAX];
    size_t        count;
    size_t        size_max;    /* of a message */
    size_t        pending;
    uint64_t      messages;    /* that came back */
    uint64_t      ended_well;
    uint64_t      held;        /* calls that were lent to a handler */
    uint64_t      let_go;
    void (*fail)(void *owner, const char *what, size_t stream);
    void (*tell)(void *owner, const char *what, size_t stream);
    void *owner;
} storm_streams;

void storm_streams_serve(vow_server *server, storm_streams *streams);

/* Begins one. One that `has_to_succeed` is neither dropped nor slow. */
void storm_streams_begin(storm_streams *streams, vow_channel *channel, int64_t timeout_ms, bool has_to_succeed);

/* Drops one of those that are open, if it may be. */
void storm_streams_drop_one(storm_streams *streams);

/* Drops all, and frees what they had. */
void storm_streams_close(storm_streams *streams);

#endif
