/*
 * What a channel is connected to, and the futures that wait for it.
 *
 * Source  gRPC, "Connectivity Semantics and API".
 */
#include "runtime/transport/simulated.h"
#include "tests/support/failing.h"
#include "tests/support/setups.h"
#include "tests/support/sim_peer.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <string.h>

static vow_network *network_of(const world *world)
{
    return vow_network_of(world->loop);
}

static world *world_with_latency(const vow_channel_options *options)
{
    world *world = world_new_with(WORLD_SIMULATED, NULL, options);

    vow_network_set_faults(network_of(world), VOW_NETWORK_FAULTS(.latency_us = 10000));
    return world;
}

static void assert_is(const world *world, vow_connectivity expected)
{
    assert_string_equal(vow_connectivity_name(vow_channel_connectivity(world->channel)),
                        vow_connectivity_name(expected));
}

static void a_channel_goes_through_the_states_of_its_connection(void **state)
{
    world      *world = world_with_latency(NULL);
    vow_future *ready;

    (void)state;
    assert_is(world, VOW_CHANNEL_IDLE);
    ready = vow_channel_ready(world->channel);
    assert_is(world, VOW_CHANNEL_CONNECTING);
    assert_int_equal(world_settle(world, ready), VOW_OK);
    assert_is(world, VOW_CHANNEL_READY);
    vow_network_refuse(network_of(world));
    vow_network_reset(network_of(world));
    world_advance_ms(world, 50);
    assert_is(world, VOW_CHANNEL_IDLE);
    ready = vow_channel_ready(world->channel);
    assert_is(world, VOW_CHANNEL_CONNECTING);
    world_advance_ms(world, 50);
    assert_is(world, VOW_CHANNEL_FAILING);
    assert_false(vow_future_settled(ready));
    vow_network_heal(network_of(world));
    assert_int_equal(world_settle(world, ready), VOW_OK);
    assert_is(world, VOW_CHANNEL_READY);
    world_free(world);
}

static void a_ready_channel_sends_a_call_without_waiting(void **state)
{
    world      *world = *state;
    vow_future *again;

    assert_int_equal(world_settle(world, vow_channel_ready(world->channel)), VOW_OK);
    again = vow_channel_ready(world->channel);
    assert_true(vow_future_settled(again));
    vow_drop(again);
    assert_int_equal(world_settle(world, world_echo(world, "", NULL)), VOW_OK);
}

static void waiting_for_ready_goes_on_through_pauses(void **state)
{
    world      *world = world_with_latency(VOW_CHANNEL(.backoff_min_ms = 100));
    vow_future *ready;

    (void)state;
    vow_network_refuse(network_of(world));
    ready = vow_channel_ready(world->channel);
    world_advance_ms(world, 10000);
    assert_true(vow_network_count(network_of(world)).attempts > 5);
    assert_int_equal(world_settle(world, vow_timeout(ready, 1000)), VOW_DEADLINE_EXCEEDED);
    world_advance_ms(world, 30000); /* the attempt that is on its way ends, and nobody asks for another */
    assert_is(world, VOW_CHANNEL_IDLE);
    world_free(world);
}

static void a_change_is_told_once_it_has_happened(void **state)
{
    world      *world = world_with_latency(NULL);
    vow_future *changed = vow_channel_changed(world->channel, VOW_CHANNEL_IDLE);
    vow_future *at_once = vow_channel_changed(world->channel, VOW_CHANNEL_READY);
    vow_future *ready;

    (void)state;
    assert_int_equal(world_settle(world, at_once), VOW_OK);
    world_advance_ms(world, 1000);
    assert_false(vow_future_settled(changed));
    ready = vow_channel_ready(world->channel);
    assert_int_equal(world_settle(world, changed), VOW_OK);
    assert_is(world, VOW_CHANNEL_CONNECTING);
    changed = vow_channel_changed(world->channel, VOW_CHANNEL_CONNECTING);
    assert_int_equal(world_settle(world, changed), VOW_OK);
    assert_is(world, VOW_CHANNEL_READY);
    assert_int_equal(world_settle(world, ready), VOW_OK);
    world_free(world);
}

static void a_server_that_drains_leaves_the_channel_without_a_connection(void **state)
{
    world      *world = *state;
    vow_future *changed;
    vow_future *drain;

    assert_int_equal(world_settle(world, vow_channel_ready(world->channel)), VOW_OK);
    changed = vow_channel_changed(world->channel, VOW_CHANNEL_READY);
    drain = vow_server_drain(world->server, 5000);
    assert_int_equal(world_settle(world, changed), VOW_OK);
    assert_is(world, VOW_CHANNEL_IDLE);
    assert_int_equal(world_settle(world, drain), VOW_OK);
}

static void a_channel_that_is_closed_tells_all_who_wait(void **state)
{
    world       *world = *state;
    vow_channel *channel = vow_channel_open(world->loop, "tcp://127.0.0.1:1", NULL);
    vow_future  *ready = vow_channel_ready(channel);
    vow_future  *changed = vow_channel_changed(channel, vow_channel_connectivity(channel));

    vow_channel_close(channel);
    assert_non_null(
        strstr(world_error(world, ready), "CANCELLED: tcp://127.0.0.1:1: the channel was closed"));
    assert_int_equal(world_settle(world, changed), VOW_OK);
}

static void waits_that_are_dropped_leave_nothing(void **state)
{
    world *world = *state;

    for (int i = 0; i < 1000; i++) {
        vow_drop(vow_channel_changed(world->channel, VOW_CHANNEL_IDLE));
        vow_drop(vow_channel_ready(world->channel));
    }
    assert_int_equal(world_settle(world, world_echo(world, "", NULL)), VOW_OK);
}

static void waits_of_a_loop_that_is_closed_settle(void **state)
{
    vow_loop    *loop = vow_loop_simulated(1);
    vow_channel *channel = vow_channel_open(loop, "tcp://10.0.0.1:1", NULL);
    vow_future  *ready = vow_channel_ready(channel);
    vow_future  *changed = vow_channel_changed(channel, VOW_CHANNEL_CONNECTING);

    (void)state;
    vow_drop(ready);
    vow_drop(changed);
    vow_loop_close(loop);
}

static void a_target_without_sense_is_never_ready(void **state)
{
    world       *world = *state;
    vow_channel *channel = vow_channel_open(world->loop, "nonsense", NULL);

    assert_int_equal(vow_channel_connectivity(channel), VOW_CHANNEL_FAILING);
    assert_int_equal(world_settle(world, vow_channel_ready(channel)), VOW_INVALID_ARGUMENT);
    vow_channel_close(channel);
}

static void a_place_that_becomes_free_makes_a_full_channel_ready(void **state)
{
    world      *world = world_new_with(WORLD_SIMULATED, VOW_SERVER(.max_calls_per_connection = 1), NULL);
    vow_future *call = world_hold(world, "", NULL);
    vow_future *ready;

    (void)state;
    world_wait_for_held(world, 1);
    ready = vow_channel_ready(world->channel);
    world_advance_ms(world, 1000);
    assert_false(vow_future_settled(ready));
    world_answer_held(world, "");
    assert_int_equal(world_settle(world, ready), VOW_OK);
    assert_int_equal(world_settle(world, call), VOW_OK);
    world_free(world);
}

static void memory_that_ends_is_told_and_nothing_is_lost(void **state)
{
    size_t nth = 0;
    bool   failed = true;

    (void)state;
    for (; failed && nth < 500; nth++) {
        vow_loop    *loop;
        vow_channel *channel = NULL;

        failing_install(nth, true);
        loop = vow_loop_simulated(1);
        if (loop) {
            channel = vow_channel_open(loop, "tcp://10.0.0.1:1", VOW_CHANNEL(.backoff_min_ms = 1));
            vow_future *ready = vow_channel_ready(channel);
            vow_future *changed = vow_channel_changed(channel, VOW_CHANNEL_IDLE);

            vow_loop_advance(loop, 100);
            vow_drop(ready);
            vow_drop(changed);
        }
        failed = failing_has_failed();
        failing_stop();
        if (loop) {
            vow_channel_close(channel);
            vow_loop_close(loop);
        }
        assert_int_equal(failing_outstanding(), 0);
        failing_remove();
    }
    assert_in_range(nth, 5, 499);
}

/* A channel without calls */

static void a_connection_without_calls_is_closed_after_idle_timeout_ms(void **state)
{
    world *world = world_with_latency(VOW_CHANNEL(.idle_timeout_ms = 60000));

    (void)state;
    assert_int_equal(world_settle(world, world_echo(world, "", NULL)), VOW_OK);
    world_advance_ms(world, 30000);
    assert_int_equal(world_settle(world, world_echo(world, "", NULL)), VOW_OK);
    world_advance_ms(world, 59990);
    assert_is(world, VOW_CHANNEL_READY);
    world_advance_ms(world, 11);
    assert_is(world, VOW_CHANNEL_IDLE);
    assert_int_equal(world_settle(world, world_echo(world, "", NULL)), VOW_OK);
    assert_int_equal(vow_network_count(network_of(world)).connections, 2);
    world_free(world);
}

static void a_connection_with_a_call_is_not_idle(void **state)
{
    world      *world = world_with_latency(VOW_CHANNEL(.idle_timeout_ms = 1000));
    vow_future *call = world_hold(world, "", VOW_CALL(.timeout_ms = VOW_NO_TIMEOUT));

    (void)state;
    world_advance_ms(world, 100000);
    assert_is(world, VOW_CHANNEL_READY);
    vow_drop(call);
    world_advance_ms(world, 999);
    assert_is(world, VOW_CHANNEL_READY);
    world_advance_ms(world, 2);
    assert_is(world, VOW_CHANNEL_IDLE);
    world_free(world);
}

static void an_idle_connection_is_closed_on_real_sockets(void **state)
{
    world *world = world_new_with(WORLD_TCP, NULL, VOW_CHANNEL(.idle_timeout_ms = 20));

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(world_settle(world, world_echo(world, "", NULL)), VOW_OK);
        assert_int_equal(
            world_settle(world, vow_timeout(vow_channel_changed(world->channel, VOW_CHANNEL_READY), 5000)),
            VOW_OK);
        assert_is(world, VOW_CHANNEL_IDLE);
    }
    world_free(world);
}

#define ON_BOTH(test) ON_WORLD(simulated, test), ON_WORLD(tcp, test)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_channel_goes_through_the_states_of_its_connection),
        ON_BOTH(a_ready_channel_sends_a_call_without_waiting),
        cmocka_unit_test(waiting_for_ready_goes_on_through_pauses),
        cmocka_unit_test(a_change_is_told_once_it_has_happened),
        ON_BOTH(a_server_that_drains_leaves_the_channel_without_a_connection),
        ON_BOTH(a_channel_that_is_closed_tells_all_who_wait),
        ON_BOTH(waits_that_are_dropped_leave_nothing),
        cmocka_unit_test(waits_of_a_loop_that_is_closed_settle),
        ON_BOTH(a_target_without_sense_is_never_ready),
        cmocka_unit_test(a_place_that_becomes_free_makes_a_full_channel_ready),
        cmocka_unit_test(memory_that_ends_is_told_and_nothing_is_lost),
        cmocka_unit_test(a_connection_without_calls_is_closed_after_idle_timeout_ms),
        cmocka_unit_test(a_connection_with_a_call_is_not_idle),
        cmocka_unit_test(an_idle_connection_is_closed_on_real_sockets),
    };

    return cmocka_run_group_tests_name("connectivity", tests, NULL, NULL);
}
