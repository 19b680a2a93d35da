/*
 * A handler that relays another call's stream: client, relay, server, and back pressure from end to end.
 *
 * The idea: one end sends as long as there is room and the other does not read until the test says so. Then
 * each of the four ends of the two calls may hold its window and one message, and the one that sends has to
 * wait.
 */
#include "runtime/rpc/stream.h"
#include "tests/support/streams.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW ((size_t)16 << 10)
#define TEXT_SIZE 1000

/* A message as it is sent: its text, with number and padding, and the field's own bytes. */
#define MESSAGE_SIZE (TEXT_SIZE + 3)
#define MESSAGES 2000
#define HOPS 2
#define PROBES 50

enum { CLIENT, RELAY_IN, RELAY_OUT, BACKEND, ENDS };

typedef struct relay {
    world       *world; /* its server is the relay */
    vow_server  *backend;
    vow_channel *onward;
    char         address[160];
    vow_call    *ends[ENDS]; /* of the stream under test; NULL: not yet, or over */
    size_t       most[ENDS]; /* bytes that each has held */
    bool         backend_sends;
    vow_promise *gate; /* the reader waits for it */
    vow_future  *opened;
    size_t       sent;
    size_t       read;
    bool         is_in_order;
    bool         has_ended; /* the reader has seen the end */
} relay;

/* Sending and reading */

static vow_future *send_more(vow_call *call, void *arg)
{
    relay *relay = arg;
    bool   has_room = true;
    char   text[TEXT_SIZE + 1];

    while (has_room && relay->sent < MESSAGES) {
        snprintf(text, sizeof text, "%-*zu", TEXT_SIZE, relay->sent++);
        has_room = streams_send(call, text);
    }
    if (relay->sent == MESSAGES)
        vow_call_end(call);
    return NULL;
}

static vow_future *read_one(vow_call *call, const ProtobufCMessage *message, void *arg)
{
    relay *relay = arg;

    (void)call;
    relay->is_in_order &= strtoul(streams_text(message), NULL, 10) == relay->read;
    relay->read++;
    return NULL;
}

struct reader {
    relay    *relay;
    vow_call *call;
};

static vow_future *read_all(vow_future *opened, void *arg)
{
    struct reader *reader = arg;

    (void)opened;
    return vow_call_read(reader->call, read_one, reader->relay);
}

static void reader_ended(vow_future *end, void *arg)
{
    relay *relay = arg;

    relay->has_ended = vow_future_code(end) == VOW_OK;
}

static vow_future *read_when_open(relay *relay, vow_call *call)
{
    struct reader *reader = calloc(1, sizeof *reader);

    assert_non_null(reader);
    *reader = (struct reader){ relay, call };
    return vow_finally(vow_attach(vow_then(vow_future_ref(relay->opened), read_all, reader), reader, free),
                       reader_ended, relay);
}

/* The two servers */

static void serve_backend(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    relay *relay = handler->arg;

    (void)request;
    relay->ends[BACKEND] = call;
    vow_call_answer(call, relay->backend_sends ? vow_call_write(call, send_more, relay)
                                               : read_when_open(relay, call));
}

static vow_future *forward(vow_call *call, const ProtobufCMessage *message, void *arg)
{
    vow_call *other = arg;

    (void)call;
    return vow_call_send(other, message) ? NULL : vow_call_when_room(other);
}

static vow_future *forward_end(vow_future *end, void *arg)
{
    (void)end;
    vow_call_end(arg);
    return NULL;
}

static vow_future *forget_values(vow_future *all, void *arg)
{
    (void)all;
    (void)arg;
    return NULL;
}

static void drop_call(void *call)
{
    vow_call_drop(call);
}

/* What a relay is: two readings, each of which waits for room at the other side. */
static void serve_relay(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    relay      *relay = handler->arg;
    vow_call   *child = vow_call_start(relay->onward, handler->method, VOW_CALL(.parent = call));
    vow_future *ways[] = {
        vow_then(vow_call_read(call, forward, child), forward_end, child),
        vow_call_read(child, forward, call),
    };

    (void)request;
    if (handler->method == &streams_mute) {
        relay->ends[RELAY_IN] = call;
        relay->ends[RELAY_OUT] = child;
    }
    vow_call_answer(call, vow_attach(vow_then(vow_all(vow_call_loop(call), 2, ways), forget_values, NULL),
                                     child, drop_call));
}

/* The world */

/* The stream under test is Mute; Chat goes the same way and comes back. */
static void relay_serve(relay *relay)
{
    const vow_handler handlers[] = {
        { sizeof(vow_handler), &streams_mute, serve_relay, NULL, relay },
        { sizeof(vow_handler), &streams_chat, serve_relay, NULL, relay },
        { sizeof(vow_handler), &streams_mute, serve_backend, NULL, relay },
    };

    vow_server_handle(relay->world->server, &handlers[0]);
    vow_server_handle(relay->world->server, &handlers[1]);
    streams_serve(relay->backend);
    vow_server_handle(relay->backend, &handlers[2]);
}

static void probe(relay *relay)
{
    vow_call   *call = vow_call_start(relay->world->channel, &streams_chat, NULL);
    vow_future *next;

    for (int i = 0; i < PROBES; i++) {
        next = vow_call_next(call);
        streams_send(call, "probe");
        assert_int_equal(world_settle(relay->world, next), VOW_OK);
    }
    vow_call_end(call);
    assert_int_equal(world_settle(relay->world, vow_call_when_closed(call)), VOW_OK);
    vow_call_drop(call);
}

static int open_relay(void **state, world_kind kind)
{
    relay    *relay = calloc(1, sizeof *relay);
    vow_error error;

    assert_non_null(relay);
    relay->is_in_order = true;
    relay->world =
        world_new_with(kind, VOW_SERVER(.stream_window = WINDOW), VOW_CHANNEL(.stream_window = WINDOW));
    relay->backend = vow_server_open(relay->world->loop, VOW_SERVER(.stream_window = WINDOW));
    if (vow_server_listen(relay->backend, "tcp://127.0.0.1:0", &error) != VOW_OK)
        fail_msg("%s", error.message);
    snprintf(relay->address, sizeof relay->address, "tcp://127.0.0.1:%d", vow_server_port(relay->backend));
    relay->onward =
        vow_channel_open(relay->world->loop, relay->address, VOW_CHANNEL(.stream_window = WINDOW));
    relay_serve(relay);
    relay->opened = vow_promise_new(relay->world->loop, &relay->gate);
    probe(relay); /* and so connect */
    *state = relay;
    return 0;
}

static int open_simulated(void **state)
{
    return open_relay(state, WORLD_SIMULATED);
}
static int open_tcp(void **state)
{
    return open_relay(state, WORLD_TCP);
}

static int close_relay(void **state)
{
    relay *relay = *state;

    vow_drop(relay->opened);
    vow_channel_close(relay->onward);
    vow_server_close(relay->backend);
    world_free(relay->world);
    free(relay);
    return 0;
}

/* Measuring */

static void relay_measure(relay *relay)
{
    for (size_t i = 0; i < ENDS; i++) {
        const vow_call *call = relay->ends[i];
        size_t          bytes = 0;

        if (call)
            bytes = call->wire.queued + call->streaming->arrived_bytes + call->streaming->unsent_bytes;
        if (bytes > relay->most[i])
            relay->most[i] = bytes;
    }
}

static bool sender_waits(const world *world, void *arg)
{
    relay *relay = arg;

    (void)world;
    relay_measure(relay);
    return relay->ends[BACKEND] && relay->sent > WINDOW / MESSAGE_SIZE;
}

static bool reader_is_at_its_end(const world *world, void *arg)
{
    relay *relay = arg;

    (void)world;
    return relay->has_ended;
}

static void assert_each_end_held_no_more_than_its_window_and_a_message(const relay *relay)
{
    static const char *const names[ENDS] = { "the client", "the relay, towards the client",
                                             "the relay, towards the server", "the server" };

    for (size_t i = 0; i < ENDS; i++) {
        if (relay->most[i] > WINDOW + MESSAGE_SIZE)
            fail_msg("%s held %zu bytes", names[i], relay->most[i]);
    }
}

/* Waits until nothing moves any more: what goes the same way meanwhile has come back many times. */
static void run_until_it_stands_still(relay *relay)
{
    size_t sent;

    world_run_until(relay->world, sender_waits, relay);
    probe(relay);
    sent = relay->sent;
    probe(relay);
    assert_int_equal(relay->sent, sent);
    relay_measure(relay);
}

static void assert_the_sender_is_held_back(relay *relay)
{
    run_until_it_stands_still(relay);
    assert_int_equal(relay->read, 0);
    assert_in_range(relay->sent * MESSAGE_SIZE, WINDOW, HOPS * (WINDOW + 2 * MESSAGE_SIZE));
    assert_each_end_held_no_more_than_its_window_and_a_message(relay);
}

static void assert_all_arrives_once_it_is_read(relay *relay)
{
    memset(relay->ends, 0, sizeof relay->ends); /* they go, one after the other */
    vow_resolve(relay->gate, NULL, NULL);
    world_run_until(relay->world, reader_is_at_its_end, relay);
    assert_int_equal(relay->read, MESSAGES);
    assert_true(relay->is_in_order);
}

/* Tests */

static void a_server_that_does_not_read_holds_the_client_back_through_a_relay(void **state)
{
    relay      *relay = *state;
    vow_call   *call = vow_call_start(relay->world->channel, &streams_mute, NULL);
    vow_future *written = vow_call_write(call, send_more, relay);

    relay->ends[CLIENT] = call;
    assert_the_sender_is_held_back(relay);
    assert_all_arrives_once_it_is_read(relay);
    assert_int_equal(world_settle(relay->world, written), VOW_OK);
    assert_int_equal(world_settle(relay->world, vow_call_when_closed(call)), VOW_OK);
    vow_call_drop(call);
}

static void a_client_that_does_not_read_holds_the_server_back_through_a_relay(void **state)
{
    relay      *relay = *state;
    vow_call   *call = vow_call_start(relay->world->channel, &streams_mute, NULL);
    vow_future *read = read_when_open(relay, call);

    vow_call_end(call);
    relay->backend_sends = true;
    relay->ends[CLIENT] = call;
    assert_the_sender_is_held_back(relay);
    assert_all_arrives_once_it_is_read(relay);
    assert_int_equal(world_settle(relay->world, read), VOW_OK);
    vow_call_drop(call);
}

static void a_client_that_leaves_a_stalled_relay_ends_it_up_to_the_server(void **state)
{
    relay      *relay = *state;
    vow_call   *call = vow_call_start(relay->world->channel, &streams_mute, NULL);
    vow_future *written = vow_call_write(call, send_more, relay);

    relay->ends[CLIENT] = call;
    assert_the_sender_is_held_back(relay);
    vow_call_drop(call);
    assert_int_equal(world_settle(relay->world, written), VOW_CANCELLED);
    vow_resolve(relay->gate, NULL,
                NULL); /* a handler runs as long as a promise that it waits for is not kept */
    assert_int_equal(world_settle(relay->world, vow_server_drain(relay->world->server, 10000)), VOW_OK);
    assert_int_equal(world_settle(relay->world, vow_server_drain(relay->backend, 10000)), VOW_OK);
}

#define ON(world, test)                                                                                      \
    {                                                                                                        \
#test " (" #world ")", test, open_##world, close_relay, NULL                                         \
    }
#define ON_EACH(test) ON(simulated, test), ON(tcp, test)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EACH(a_server_that_does_not_read_holds_the_client_back_through_a_relay),
        ON_EACH(a_client_that_does_not_read_holds_the_server_back_through_a_relay),
        ON_EACH(a_client_that_leaves_a_stalled_relay_ends_it_up_to_the_server),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
