/*
 * More calls cancelled in a burst than a server takes: the rest is cancelled later, and costs nobody anything.
 */
#include "tests/support/kinds.h"
#include "tests/support/streams.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <string.h>
#include <vow/testing.h>

#define BURST 1400
#define AT_ONCE 50

static size_t running;

static void handler_ends(vow_future *settled, void *arg)
{
    (void)settled;
    (void)arg;
    running--;
}

/* Runs until nobody waits any more. */
static void serve_counted(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    (void)request;
    (void)handler;
    running++;
    vow_done(vow_call_when_closed(call), handler_ends, NULL);
    vow_call_answer(call, vow_call_when_closed(call));
}

static const vow_method *const methods[] = { &calls_calls_read_method, &streams_count, &streams_chat };

static world *world_of(world_kind kind, const vow_method *method)
{
    const vow_handler handler = { .size = sizeof handler, .method = method, .serve = serve_counted };
    world            *world = world_new_with(kind, VOW_SERVER(.max_calls_per_connection = 1000), NULL);

    running = 0;
    vow_server_handle(world->server, &handler);
    return world;
}

/* Begins AT_ONCE calls, and cancels them when their handlers run. */
static void cancel_some(world *world, const vow_method *method)
{
    vow_call *calls[AT_ONCE];

    for (size_t i = 0; i < AT_ONCE; i++) {
        calls[i] = vow_call_start(world->channel, method, NULL);
        if (!method->client_streams)
            streams_send(calls[i], "");
    }
    world_advance_ms(world, 5);
    for (size_t i = 0; i < AT_ONCE; i++)
        vow_call_drop(calls[i]);
}

static void assert_costs_nobody(world_kind kind)
{
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        world      *world = world_of(kind, methods[i]);
        vow_future *other = world_hold(world, "", VOW_CALL(.timeout_ms = VOW_NO_TIMEOUT));

        for (size_t count = 0; count < BURST; count += AT_ONCE)
            cancel_some(world, methods[i]);
        world_advance_ms(world, 100);
        assert_in_range(running, BURST - 950, BURST - 850); /* those that are not cancelled yet */
        world_advance_ms(world, 20000);
        assert_int_equal(running, 0);
        world_answer_held(world, "still there");
        assert_string_equal(world_text(world, other), "still there");
        world_free(world);
    }
}

static void a_burst_of_cancelled_calls_costs_nobody_anything(void **state)
{
    (void)state;
    assert_costs_nobody(WORLD_SIMULATED);
}

static void a_burst_of_cancelled_calls_costs_nobody_anything_grpc(void **state)
{
    (void)state;
    assert_costs_nobody(WORLD_GRPC_SIMULATED);
}

static void a_channel_may_be_closed_with_calls_that_are_cancelled_later(void **state)
{
    world *world = world_of(WORLD_SIMULATED, &streams_chat);

    (void)state;
    for (size_t count = 0; count < BURST; count += AT_ONCE)
        cancel_some(world, &streams_chat);
    vow_channel_close(world->channel);
    world->channel = vow_channel_open(world->loop, world->target, NULL);
    world_advance_ms(world, 1000);
    assert_int_equal(running, 0);
    world_free(world);
}

/* Cancels that come closer together than they were sent are no more than the server bears. */
static void assert_costs_nobody_with_jitter(world_kind kind)
{
    world      *world = world_of(kind, &streams_chat);
    vow_future *other;

    vow_network_set_faults(vow_network_of(world->loop),
                           VOW_NETWORK_FAULTS(.latency_us = 20000, .jitter_us = 100000, .bytes_per_second = 100000000));
    vow_channel_close(world->channel);
    world->channel = vow_channel_open(world->loop, world->target, NULL);
    other = world_hold(world, "", VOW_CALL(.timeout_ms = VOW_NO_TIMEOUT));
    for (int round = 0; round < 2; round++) {
        for (size_t count = 0; count < BURST; count += AT_ONCE) {
            cancel_some(world, &streams_chat);
            world_advance_ms(world, 100);
        }
        world_advance_ms(world, 20000 + 30000 * round);
    }
    assert_int_equal(running, 0);
    world_answer_held(world, "still there");
    assert_string_equal(world_text(world, other), "still there");
    world_free(world);
}

static void cancels_that_come_closer_together_cost_nobody_anything(void **state)
{
    (void)state;
    assert_costs_nobody_with_jitter(WORLD_SIMULATED);
}

static void cancels_that_come_closer_together_cost_nobody_anything_grpc(void **state)
{
    (void)state;
    assert_costs_nobody_with_jitter(WORLD_GRPC_SIMULATED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_of_cancelled_calls_costs_nobody_anything),
        { "a_burst_of_cancelled_calls_costs_nobody_anything (grpc)",
          a_burst_of_cancelled_calls_costs_nobody_anything_grpc, NULL, NULL, NULL },
        cmocka_unit_test(cancels_that_come_closer_together_cost_nobody_anything),
        { "cancels_that_come_closer_together_cost_nobody_anything (grpc)",
          cancels_that_come_closer_together_cost_nobody_anything_grpc, NULL, NULL, NULL },
        cmocka_unit_test(a_channel_may_be_closed_with_calls_that_are_cancelled_later),
    };

    return kinds_run_tests("cancelling much", tests);
}
