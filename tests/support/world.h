/*
 * A world for tests: a loop, a server with the Calls service, and a channel to it.
 *
 * The idea: a test says what happens to calls and reads what came of them; where it runs (simulated
 * network, TCP, Unix socket, memory; native or gRPC; with TLS) is one word when the world is made.
 */
#ifndef VOW_TESTS_WORLD_H
#define VOW_TESTS_WORLD_H

#include "calls.vow.h"

#include <vow/vow.h>

#define WORLD_HELD_MAX 1024

typedef enum world_kind {
    WORLD_SIMULATED,
    WORLD_TCP,
    WORLD_UNIX,
    WORLD_MEMORY,
    WORLD_GRPC, /* over TCP */
    WORLD_GRPC_SIMULATED,
    WORLD_TLS, /* over TCP */
    WORLD_TLS_MEMORY,
    WORLD_TLS_SIMULATED,
    WORLD_GRPCS, /* over TCP */
    WORLD_GRPCS_SIMULATED
} world_kind;

typedef struct world {
    world_kind   kind;
    uv_loop_t   *uv; /* NULL: simulated */
    vow_loop    *loop;
    vow_server  *server;
    vow_channel *channel;
    char         address[160]; /* that the server listens on */
    char         target[170];  /* that the channel calls */
    vow_call    *held[WORLD_HELD_MAX]; /* calls of Hold that are not answered yet */
    size_t       held_count;
    size_t       held_ever;
    size_t       gone; /* held calls whose caller has gone */
} world;

world *world_new(world_kind kind);
world *world_new_with(world_kind kind, const vow_server_options *server, const vow_channel_options *channel);

/* Closes everything; fails the test when the loop does not end or something is left of it. */
void world_free(world *world);

/* Runs the loop until `*flag`, or fails the test after some seconds. */
void world_run_until(world *world, bool (*reached)(const struct world *world, void *arg), void *arg);

/* Runs the world until `future` has settled. */
void world_wait(world *world, vow_future *future);

/* The code `future` settles with. Takes it. */
vow_code world_settle(world *world, vow_future *future);

/* The same, and the text of the failure, which lives until the next. */
const char *world_error(world *world, vow_future *future);

/* The same, and the text of the reply, a Text, where there is one. */
const char *world_text(world *world, vow_future *reply);

/* Waits until `count` calls are held by the handler. */
void world_wait_for_held(world *world, size_t count);

/* Answers the call held longest. */
void world_answer_held(world *world, const char *text);

vow_future *world_echo(world *world, const char *text, const vow_call_options *options);
vow_future *world_hold(world *world, const char *text, const vow_call_options *options);

/* Whatever befell others, the world's own channel is answered. */
void world_assert_serves(world *world);

/* Lets time pass: simulated time, or the loop's. */
void world_advance_ms(world *world, int64_t ms);

#endif
