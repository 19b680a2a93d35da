/*
 * A channel and its connections: how it connects, comes back, spreads its calls, and what a call inherits.
 */
#include "runtime/transport/simulated.h"
#include "tests/support/setups.h"

#include <vow/testing.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_MS 1000000u

static vow_network *network_of(world *world)
{
    return vow_network_of(world->loop);
}

/* A simulated world whose connections take 2 ms to come about. */
static world *world_with_latency(const vow_channel_options *channel)
{
    world *world = world_new_with(WORLD_SIMULATED, NULL, channel);

    vow_network_set_faults(network_of(world), VOW_NETWORK_FAULTS(.latency_us = 1000));
    return world;
}

/* Timeouts */

static void an_attempt_to_connect_ends_after_connect_timeout_ms(void **state)
{
    world      *world = world_new_with(WORLD_SIMULATED, NULL, VOW_CHANNEL(.connect_timeout_ms = 300));
    vow_future *reply;

    (void)state;
    vow_network_set_faults(network_of(world), VOW_NETWORK_FAULTS(.hung = 1000));
    reply = world_echo(world, "", NULL);
    world_advance_ms(world, 299);
    assert_false(vow_future_settled(reply));
    world_advance_ms(world, 1);
    assert_int_equal(vow_future_code(reply), VOW_UNAVAILABLE);
    assert_non_null(strstr(vow_future_error(reply), "tcp://127.0.0.1"));
    assert_non_null(strstr(vow_future_error(reply), "still connecting after 300 ms (connect_timeout_ms)"));
    vow_drop(reply);
    world_free(world);
}

static void a_calls_deadline_passes_while_connecting(void **state)
{
    world      *world = world_new_with(WORLD_SIMULATED, NULL, NULL);
    vow_future *reply;

    (void)state;
    vow_network_set_faults(network_of(world), VOW_NETWORK_FAULTS(.hung = 1000));
    reply = world_echo(world, "", VOW_CALL(.timeout_ms = 70));
    world_advance_ms(world, 69);
    assert_false(vow_future_settled(reply));
    world_advance_ms(world, 1);
    assert_int_equal(vow_future_code(reply), VOW_DEADLINE_EXCEEDED);
    assert_non_null(strstr(vow_future_error(reply), "no connection within the call's time"));
    vow_drop(reply);
    world_free(world);
}

static void a_call_without_a_timeout_of_its_own_has_call_timeout_ms(void **state)
{
    world      *world = world_new_with(WORLD_SIMULATED, NULL, VOW_CHANNEL(.call_timeout_ms = 70));
    vow_future *reply = world_hold(world, "", NULL);

    (void)state;
    world_advance_ms(world, 69);
    assert_false(vow_future_settled(reply));
    world_advance_ms(world, 1);
    assert_int_equal(vow_future_code(reply), VOW_DEADLINE_EXCEEDED);
    vow_drop(reply);
    world_free(world);
}

static void no_timeout_means_none_for_a_call_and_for_a_channel(void **state)
{
    world      *world = world_new_with(WORLD_SIMULATED, NULL, VOW_CHANNEL(.call_timeout_ms = VOW_NO_TIMEOUT));
    vow_future *first = world_hold(world, "", NULL);
    vow_future *second = world_hold(world, "", VOW_CALL(.timeout_ms = VOW_NO_TIMEOUT));

    (void)state;
    world_wait_for_held(world, 2);
    world_advance_ms(world, 24 * 3600 * 1000);
    assert_int_equal(vow_call_time_left_ms(world->held[0]), INT64_MAX);
    assert_int_equal(vow_call_time_left_ms(vow_future_call(second)), INT64_MAX);
    world_answer_held(world, "");
    world_answer_held(world, "");
    assert_int_equal(world_settle(world, first), VOW_OK);
    assert_int_equal(world_settle(world, second), VOW_OK);
    world_free(world);
}

static void another_negative_timeout_is_an_invalid_argument(void **state)
{
    world      *world = world_new(WORLD_SIMULATED);
    const char *error = world_error(world, world_echo(world, "", VOW_CALL(.timeout_ms = -2)));

    (void)state;
    assert_string_equal(error, "INVALID_ARGUMENT: calls.Calls/Echo: a timeout of -2 ms; VOW_NO_TIMEOUT means none");
    world_free(world);
}

/* Connecting again */

/* Runs until the channel has tried `count` times; gives the time of the last in ms. */
static uint64_t wait_for_attempts(world *world, uint64_t count)
{
    for (int i = 0; i < 30000 && vow_network_count(network_of(world)).attempts < count; i++)
        world_advance_ms(world, 1);
    assert_int_equal(vow_network_count(network_of(world)).attempts, count);
    return vow_loop_now_ns(world->loop) / NS_PER_MS;
}

static void pauses_grow_by_1_6_up_to_the_longest_and_are_spread(void **state)
{
    static const uint64_t pauses[] = { 1000, 1600, 2560, 4096, 5000, 5000, 5000 };
    world      *world = world_with_latency(VOW_CHANNEL(.backoff_min_ms = 1000, .backoff_max_ms = 5000));
    vow_future *reply;
    uint64_t    before;
    size_t      off_centre = 0;

    (void)state;
    vow_network_refuse(network_of(world));
    reply = world_echo(world, "", VOW_CALL(.wait_for_ready = true, .timeout_ms = VOW_NO_TIMEOUT));
    before = wait_for_attempts(world, 1);
    for (size_t i = 0; i < sizeof pauses / sizeof pauses[0]; i++) {
        uint64_t now = wait_for_attempts(world, i + 2);
        uint64_t pause = now - before - 2; /* a refusal takes the way there and back */

        assert_in_range(pause, pauses[i] * 80 / 100 - 2, pauses[i] * 120 / 100 + 2);
        off_centre += pause < pauses[i] * 98 / 100 || pause > pauses[i] * 102 / 100;
        before = now;
    }
    assert_true(off_centre >= 3);
    assert_false(vow_future_settled(reply));
    vow_network_heal(network_of(world));
    assert_int_equal(world_settle(world, reply), VOW_OK);
    world_free(world);
}

static void a_connection_ends_the_pauses(void **state)
{
    world      *world = world_with_latency(NULL);
    vow_future *reply;
    uint64_t    attempts;
    uint64_t    before;

    (void)state;
    vow_network_refuse(network_of(world));
    reply = world_echo(world, "", VOW_CALL(.wait_for_ready = true, .timeout_ms = VOW_NO_TIMEOUT));
    wait_for_attempts(world, 4);
    vow_network_heal(network_of(world));
    assert_int_equal(world_settle(world, reply), VOW_OK);
    vow_network_reset(network_of(world));
    world_advance_ms(world, 10);
    attempts = vow_network_count(network_of(world)).attempts;
    vow_network_refuse(network_of(world));
    reply = world_echo(world, "", VOW_CALL(.wait_for_ready = true, .timeout_ms = VOW_NO_TIMEOUT));
    before = wait_for_attempts(world, attempts + 1);
    assert_in_range(wait_for_attempts(world, attempts + 2) - before, 798, 1204); /* the first pause again */
    vow_drop(reply);
    world_free(world);
}

static void during_a_pause_a_call_fails_at_once_unless_it_waits_for_ready(void **state)
{
    world      *world = world_with_latency(NULL);
    vow_future *patient;
    vow_future *hasty;

    (void)state;
    vow_network_refuse(network_of(world));
    assert_int_equal(world_settle(world, world_echo(world, "", NULL)), VOW_UNAVAILABLE);
    vow_network_heal(network_of(world));
    hasty = world_echo(world, "", NULL);
    patient = world_echo(world, "", VOW_CALL(.wait_for_ready = true));
    assert_int_equal(vow_future_code(hasty), VOW_UNAVAILABLE);
    assert_non_null(strstr(vow_future_error(hasty), "connection refused (is the server running?)"));
    assert_false(vow_future_settled(patient));
    assert_int_equal(world_settle(world, patient), VOW_OK);
    vow_drop(hasty);
    world_free(world);
}

static void a_call_that_waits_for_ready_still_has_its_deadline(void **state)
{
    world      *world = world_with_latency(NULL);
    const char *error;

    (void)state;
    vow_network_refuse(network_of(world));
    error = world_error(world, world_echo(world, "", VOW_CALL(.wait_for_ready = true, .timeout_ms = 3000)));
    assert_memory_equal(error, "DEADLINE_EXCEEDED: tcp://127.0.0.1", 34);
    assert_non_null(strstr(error, "connection refused"));
    world_free(world);
}

static void calls_in_flight_fail_when_the_connection_is_lost_and_the_next_connects_again(void **state)
{
    world      *world = world_with_latency(NULL);
    vow_future *open = world_hold(world, "", NULL);

    (void)state;
    world_wait_for_held(world, 1);
    vow_network_reset(network_of(world));
    assert_memory_equal(world_error(world, open), "UNAVAILABLE: tcp://127.0.0.1", 28);
    world_advance_ms(world, 100);
    assert_int_equal(world->gone, 1);
    assert_int_equal(world_settle(world, world_echo(world, "", NULL)), VOW_OK);
    assert_int_equal(vow_network_count(network_of(world)).connections, 2);
    world_free(world);
}

static void a_channel_finds_a_server_that_went_away_and_came_back(void **state)
{
    world      *world = *state;
    vow_script *again;

    assert_int_equal(world_settle(world, world_echo(world, "", NULL)), VOW_OK);
    vow_server_close(world->server);
    world_advance_ms(world, 50);
    assert_int_equal(world_settle(world, world_echo(world, "", NULL)), VOW_UNAVAILABLE);
    world->server = NULL;
    again = vow_script_open(world->loop);
    vow_script_add(again, &calls_calls_echo_method, NULL);
    assert_int_equal(vow_server_listen(vow_script_server(again), world->address, NULL), VOW_OK);
    assert_int_equal(world_settle(world, world_echo(world, "", VOW_CALL(.wait_for_ready = true))), VOW_OK);
    assert_true(vow_script_played(again));
    vow_script_close(again);
}

/* Several connections */

static size_t count_peers(const world *world)
{
    size_t count = 0;

    for (size_t i = 0; i < world->held_count; i++) {
        bool is_new = true;

        for (size_t k = 0; k < i; k++)
            is_new &= strcmp(vow_call_peer(world->held[i]), vow_call_peer(world->held[k])) != 0;
        count += is_new;
    }
    return count;
}

static void calls_spread_over_the_channels_connections(void **state)
{
    world      *world = world_with_latency(VOW_CHANNEL(.connections = 4));
    vow_future *replies[40];

    (void)state;
    for (size_t i = 0; i < 40; i++) {
        replies[i] = world_hold(world, "", NULL);
        world_wait_for_held(world, i + 1);
        world_advance_ms(world, 10);
    }
    assert_int_equal(vow_network_count(network_of(world)).connections, 4);
    assert_int_equal(count_peers(world), 4);
    for (size_t i = 0; i < 40; i++) {
        size_t same = 0;

        for (size_t k = 0; k < 40; k++)
            same += strcmp(vow_call_peer(world->held[i]), vow_call_peer(world->held[k])) == 0;
        assert_in_range(same, 9, 11);
    }
    while (world->held_count)
        world_answer_held(world, "");
    for (size_t i = 0; i < 40; i++)
        assert_int_equal(world_settle(world, replies[i]), VOW_OK);
    world_free(world);
}

static void a_channel_opens_no_connection_that_no_call_needs(void **state)
{
    world *world = world_with_latency(VOW_CHANNEL(.connections = 4));

    (void)state;
    world_advance_ms(world, 1000);
    assert_int_equal(vow_network_count(network_of(world)).attempts, 0);
    for (int i = 0; i < 10; i++)
        assert_int_equal(world_settle(world, world_echo(world, "", NULL)), VOW_OK);
    assert_int_equal(vow_network_count(network_of(world)).connections, 1);
    world_free(world);
}

/* Child calls */

static void a_child_call_has_its_parents_deadline(void **state)
{
    world      *world = *state;
    vow_future *parent = world_hold(world, "", VOW_CALL(.timeout_ms = 100));
    vow_future *child;

    world_wait_for_held(world, 1);
    child = world_hold(world, "", VOW_CALL(.timeout_ms = 60000, .parent = world->held[0]));
    assert_true(vow_call_time_left_ms(vow_future_call(child)) <= 100);
    assert_int_equal(world_settle(world, parent), VOW_DEADLINE_EXCEEDED);
    assert_int_not_equal(world_settle(world, child), VOW_OK);
    world_advance_ms(world, 100);
    assert_int_equal(world->gone, 2);
}

static void a_child_call_keeps_a_shorter_timeout_of_its_own(void **state)
{
    world      *world = *state;
    vow_future *parent = world_hold(world, "", VOW_CALL(.timeout_ms = 5000));
    vow_future *child;

    world_wait_for_held(world, 1);
    child = world_hold(world, "", VOW_CALL(.timeout_ms = 50, .parent = world->held[0]));
    assert_int_equal(world_settle(world, child), VOW_DEADLINE_EXCEEDED);
    assert_false(vow_future_settled(parent));
    vow_drop(parent);
}

static void cancelling_the_parent_cancels_the_child_and_its_handler(void **state)
{
    world      *world = *state;
    vow_future *parent = world_hold(world, "", NULL);
    vow_future *child;

    world_wait_for_held(world, 1);
    child = world_hold(world, "", VOW_CALL(.parent = world->held[0]));
    world_wait_for_held(world, 2);
    vow_drop(parent);
    assert_int_equal(world_settle(world, child), VOW_CANCELLED);
    world_advance_ms(world, 100);
    assert_int_equal(world->gone, 2);
}

#define ON_ALL(test) ON_WORLD(simulated, test), ON_WORLD(tcp, test), ON_WORLD(unix, test), ON_WORLD(memory, test)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_attempt_to_connect_ends_after_connect_timeout_ms),
        cmocka_unit_test(a_calls_deadline_passes_while_connecting),
        cmocka_unit_test(a_call_without_a_timeout_of_its_own_has_call_timeout_ms),
        cmocka_unit_test(no_timeout_means_none_for_a_call_and_for_a_channel),
        cmocka_unit_test(another_negative_timeout_is_an_invalid_argument),
        cmocka_unit_test(pauses_grow_by_1_6_up_to_the_longest_and_are_spread),
        cmocka_unit_test(a_connection_ends_the_pauses),
        cmocka_unit_test(during_a_pause_a_call_fails_at_once_unless_it_waits_for_ready),
        cmocka_unit_test(a_call_that_waits_for_ready_still_has_its_deadline),
        cmocka_unit_test(calls_in_flight_fail_when_the_connection_is_lost_and_the_next_connects_again),
        ON_ALL(a_channel_finds_a_server_that_went_away_and_came_back),
        cmocka_unit_test(calls_spread_over_the_channels_connections),
        cmocka_unit_test(a_channel_opens_no_connection_that_no_call_needs),
        ON_ALL(a_child_call_has_its_parents_deadline),
        ON_ALL(a_child_call_keeps_a_shorter_timeout_of_its_own),
        ON_ALL(cancelling_the_parent_cancels_the_child_and_its_handler),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
