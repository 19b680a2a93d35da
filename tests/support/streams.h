/*
 * A service of streams for tests, in each direction, whose messages are texts.
 */
#ifndef VOW_TESTS_STREAMS_H
#define VOW_TESTS_STREAMS_H

#include "tests/support/world.h"

extern const vow_method streams_count; /* answers with the numbers up to the one that it is given */
extern const vow_method streams_join;  /* answers with how many messages it was sent, and their bytes */
extern const vow_method streams_chat;  /* sends back what it is sent, in order; fails with ABORTED at "fail" */
extern const vow_method streams_mute;  /* reads nothing, and never ends by itself */

void streams_serve(vow_server *server);

/* A world whose server has these beside the Calls service. */
world *streams_world(world_kind kind);

const char *streams_text(const ProtobufCMessage *message);

/* Sends a text; gives whether there is room for more. */
bool streams_send(vow_call *call, const char *text);

#endif
