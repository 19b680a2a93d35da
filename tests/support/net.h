/*
 * A simulated network for tests: a listener, and ends that talk.
 *
 * The idea: what an end sends follows from its place in the stream, so that every end checks what it gets
 * byte for byte, however it was cut.
 */
#ifndef VOW_TESTS_NET_H
#define VOW_TESTS_NET_H

#include "runtime/transport/simulated.h"

#include <vow/vow.h>

#define TALK_MAX ((size_t)1 << 20)
#define ENDS_MAX 64

/* The bytes that every end sends, from the first on. */
extern uint8_t talk_pattern[TALK_MAX + 4096];

/* One end, and what befell it. It sends bytes that follow from their place, and checks those it gets. */
struct talker {
    vow_stream *stream; /* NULL: closed */
    vow_loop   *loop;
    size_t      to_send;
    size_t      sent;
    size_t      got;
    size_t      room; /* given at a time */
    size_t      reads;
    size_t      smallest_read;
    size_t      lent; /* of a write under way */
    uint64_t    opened_ns;
    uint64_t    first_read_ns;
    bool        was_opened;
    bool        has_closed;
    bool        has_no_room;
    bool        finishes; /* once all is sent */
    enum { CLOSES_NEVER, CLOSES_IN_OPENED, CLOSES_IN_ROOM, CLOSES_IN_READ, CLOSES_IN_WRITTEN } closes;
    vow_code code;
    char     why[200];
    uint8_t  buffer[4096];
};

struct net {
    vow_loop     *loop;
    vow_network  *network;
    vow_listener *listener;
    struct talker ends[ENDS_MAX]; /* of accepted streams */
    size_t        accepted;
    struct talker like; /* what accepted ends begin as */
    bool          closes_accepted;
};

/* A network whose listener is on tcp://127.0.0.1:7000, or at `address`. */
struct net *net_new(uint64_t seed);
struct net *net_new_at(uint64_t seed, const char *address);
void        net_free(struct net *net);

/* Opens a connection of which nothing is asked yet. */
void net_open(struct net *net, struct talker *client);

/* What a listener calls, with a net as its owner. */
void net_accept(void *owner, vow_stream *stream);

/* An end that has `to_send` bytes to send once it is open. */
struct talker talker_like(size_t to_send);

void talker_connect(struct net *net, struct talker *talker);
void talker_connect_to(struct net *net, struct talker *talker, const char *target);
void talker_send(struct talker *talker);
void talker_close(struct talker *talker);

extern const vow_stream_events talker_events;

#endif
