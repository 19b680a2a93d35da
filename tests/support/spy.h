/*
 * An interceptor for tests that notes what it sees, and does what the test says.
 *
 * The idea: every spy of a test writes into one log, so that the order in which they were asked is one text:
 * "a.begin b.begin a.send b.send".
 */
#ifndef VOW_TESTS_SPY_H
#define VOW_TESTS_SPY_H

#include "tests/support/streams.h"

#include <vow/vow.h>

typedef struct spy spy;

struct spy {
    const char *name;
    char       *log; /* of SPY_LOG_SIZE bytes; NULL: none */

    /* What it does; NULL: nothing. */
    vow_future *(*on_begin)(spy *spy, vow_call *call);
    const ProtobufCMessage *(*on_send)(spy *spy, vow_call *call, const ProtobufCMessage *message);
    ProtobufCMessage *(*on_receive)(spy *spy, vow_call *call, ProtobufCMessage *message);
    void (*on_end)(spy *spy, vow_call *call, const vow_call_result *result);
    world *world; /* for these */

    /* What it saw. */
    vow_promise    *promise; /* of the last spy_waits */
    size_t          begun;
    size_t          withdrawn; /* futures of spy_waits that were cancelled */
    size_t          ended;
    vow_call_result result; /* of the last end; its message is below */
    char            message[300];
};

#define SPY_LOG_SIZE 1000

vow_interceptor spy_interceptor(spy *spy);

/* Puts a spy on the channel, or on the server, of a world. */
void spy_on_channel(world *world, spy *spy);
void spy_on_server(world *world, spy *spy);

/* For on_begin: a future that spy->promise settles. */
vow_future *spy_waits(spy *spy, vow_call *call);

/* Lets the call go on that waits. */
void spy_lets_go_on(spy *spy);

/* For on_send and on_receive: another text, which ends with ">name" or "<name". */
const ProtobufCMessage *spy_marks_sent(spy *spy, vow_call *call, const ProtobufCMessage *message);
ProtobufCMessage       *spy_marks_received(spy *spy, vow_call *call, ProtobufCMessage *message);

/* A call with spies on both sides, which the server's handler has, and holds. */
vow_future *spies_on_held_call(world *world, spy *here, spy *there);

/* Waits until the spy was asked, and until it has seen the end of, so many calls. */
void spy_wait_for_begun(world *world, spy *spy, size_t count);
void spy_wait_for_ended(world *world, spy *spy, size_t count);

/* A text in the memory of a call. */
ProtobufCMessage *spy_text(vow_call *call, const char *text);

#endif
