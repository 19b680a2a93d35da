/*
 * A peer that says what it likes: a plain socket, and the frames that a test writes into it.
 *
 * The idea: a test writes bytes, right or wrong, and reads the frames that come back, while the world's loop runs.
 * What the peer sees of the connection's end (in good order, or reset) is kept.
 */
#ifndef VOW_TESTS_RAW_PEER_H
#define VOW_TESTS_RAW_PEER_H

#include "runtime/protocol/native/hello.h"
#include "runtime/protocol/native/header.h"
#include "tests/support/message_writer.h"
#include "tests/support/world.h"

typedef struct raw_peer {
    world  *world;
    int     fd;
    bool    has_ended; /* the other side has closed */
    bool    does_not_read;
    writer  got;
    size_t  at; /* of the frame that comes next in `got` */
} raw_peer;

/* A connection to the world's server. */
raw_peer *raw_connect(world *world);
void      raw_free(raw_peer *peer);

/* Ends the connection so that the other side sees a reset. */
void raw_reset(raw_peer *peer);

/* A listener that vow does not know of; `target` is set to its address. Gives its descriptor. */
int       raw_listen(world_kind kind, char target[160]);
raw_peer *raw_accept(world *world, int listener);

/* Sends all of it, or as much as the other side takes before it closes. */
void raw_send(raw_peer *peer, const void *data, size_t size);
void raw_send_writer(raw_peer *peer, writer *writer); /* and empties it */

/* Lets the loop and the socket do what they have to do now. */
void raw_turn(raw_peer *peer, int wait_ms);

/* Runs until the other side has closed, or fails the test. */
void raw_run_to_end(raw_peer *peer);

/* Runs until a frame of `kind` (0: any) comes, and gives it; what comes before is dropped.
 * False: the connection has ended. */
bool raw_next(raw_peer *peer, vow_frame_kind kind, vow_header *header, vow_bytes *payload);

/* Takes the frame behind the first `*taken` bytes, the preface included. False: it is not all there. */
bool take_frame(const writer *got, size_t *taken, vow_header *header, vow_bytes *payload);

/* Writing */

void write_frame(writer *writer, const vow_header *header, const void *payload, size_t size);
void write_preface(writer *writer);
void write_hello(writer *writer, uint32_t min_version, uint32_t max_version);

/* Preface and hello of a peer that follows the protocol. */
void write_greeting(writer *writer);

/* The name of a method of the Calls service gets a number. */
void write_method(writer *writer, uint32_t number, const char *name);

/* A call with a Text for its request. */
void write_text_call(writer *writer, uint64_t call, uint32_t method, const char *text);

#define HEADER(...) (&(const vow_header){ __VA_ARGS__ })

#endif
