/*
 * The end of a server in good order, and handlers that outlive their callers.
 */
#include "runtime/transport/simulated.h"
#include "tests/support/world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A simulated world in which everything takes 50 ms to arrive. */
static world *world_far_away(void)
{
    world *world = world_new(WORLD_SIMULATED);

    vow_network_set_faults(vow_network_of(world->loop), &(vow_network_faults){ .latency_us = 50000 });
    assert_int_equal(world_settle(world, world_echo(world, "", NULL)), VOW_OK);
    return world;
}

static void calls_that_begin_before_the_client_hears_of_the_drain_are_served(void **state)
{
    world      *world = world_far_away();
    vow_future *replies[49];
    vow_future *drain = vow_server_drain(world->server, 5000);

    (void)state;
    for (size_t i = 0; i < 49; i++) {
        replies[i] = world_echo(world, "", NULL);
        world_advance_ms(world, 1);
    }
    assert_false(vow_future_settled(drain));
    for (size_t i = 0; i < 49; i++)
        assert_int_equal(world_settle(world, replies[i]), VOW_OK);
    assert_int_equal(world_settle(world, drain), VOW_OK);
    world_free(world);
}

static void a_call_that_begins_after_the_client_has_heard_goes_elsewhere(void **state)
{
    world      *world = world_far_away();
    vow_future *running = world_hold(world, "", NULL);
    vow_future *drain;
    const char *error;

    (void)state;
    world_wait_for_held(world, 1);
    drain = vow_server_drain(world->server, 5000);
    world_advance_ms(world, 60);
    error = world_error(world, world_echo(world, "", NULL));
    assert_memory_equal(error, "UNAVAILABLE: tcp://127.0.0.1", 28);
    assert_non_null(strstr(error, "connection refused"));
    assert_false(vow_future_settled(drain));
    world_answer_held(world, "");
    assert_int_equal(world_settle(world, running), VOW_OK);
    assert_int_equal(world_settle(world, drain), VOW_OK);
    world_free(world);
}

static void a_drain_ends_with_the_grace_and_the_callers_hear_unavailable(void **state)
{
    world      *world = world_far_away();
    vow_future *first = world_hold(world, "", NULL);
    vow_future *second = world_hold(world, "", NULL);
    vow_future *drain;

    (void)state;
    world_wait_for_held(world, 2);
    drain = vow_server_drain(world->server, 300);
    world_advance_ms(world, 299);
    assert_false(vow_future_settled(drain));
    world_advance_ms(world, 1);
    assert_int_equal(vow_future_code(drain), VOW_DEADLINE_EXCEEDED);
    assert_int_equal(world->gone, 2);
    assert_non_null(strstr(world_error(world, first), "the server is stopping"));
    assert_int_equal(world_settle(world, second), VOW_UNAVAILABLE);
    vow_drop(drain);
    world_free(world);
}

static void cancelling_a_drain_ends_the_grace_at_once(void **state)
{
    world      *world = world_far_away();
    vow_future *running = world_hold(world, "", NULL);
    vow_future *drain;

    (void)state;
    world_wait_for_held(world, 1);
    drain = vow_server_drain(world->server, 60000);
    world_advance_ms(world, 10);
    vow_drop(drain);
    world_advance_ms(world, 1);
    assert_int_equal(world->gone, 1);
    assert_int_equal(world_settle(world, running), VOW_UNAVAILABLE);
    world_free(world);
}

static void a_server_drains_once(void **state)
{
    world      *world = world_new(WORLD_SIMULATED);
    vow_future *drain = vow_server_drain(world->server, 100);

    (void)state;
    assert_int_equal(world_settle(world, vow_server_drain(world->server, 100)), VOW_FAILED_PRECONDITION);
    assert_int_equal(world_settle(world, drain), VOW_OK);
    assert_int_equal(world_settle(world, vow_server_drain(world->server, 100)), VOW_FAILED_PRECONDITION);
    world_free(world);
}

/* --- Handlers that do not end ------------------------------------------------------------------ */

static void serve_stubbornly(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    vow_call **kept = handler->arg;

    (void)request;
    *kept = call;
}

static void keep_report(const char *text, void *arg)
{
    snprintf(arg, 300, "%s", text);
}

static void a_handler_is_reported_when_it_runs_30_s_after_its_caller_went(void **state)
{
    world            *world = world_new(WORLD_SIMULATED);
    vow_call         *kept = NULL;
    char              report[300] = "";
    const vow_handler stubborn = { .size = sizeof stubborn,
                                   .method = &calls_calls_hold_method,
                                   .serve = serve_stubbornly,
                                   .arg = &kept };
    vow_future       *reply;

    (void)state;
    vow_report_set(keep_report, report);
    vow_server_handle(world->server, &stubborn);
    reply = world_hold(world, "", NULL);
    world_advance_ms(world, 1000);
    assert_non_null(kept);
    vow_drop(reply);
    world_advance_ms(world, 29900);
    assert_true(vow_call_cancelled(kept));
    assert_string_equal(report, "");
    world_advance_ms(world, 1000);
    assert_non_null(strstr(report, "calls.Calls/Hold: its handler still runs 30 s after its caller, tcp://127.0.0.1"));
    vow_call_fail(kept, VOW_CANCELLED, "too late");
    vow_report_set(NULL, NULL);
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_that_begin_before_the_client_hears_of_the_drain_are_served),
        cmocka_unit_test(a_call_that_begins_after_the_client_has_heard_goes_elsewhere),
        cmocka_unit_test(a_drain_ends_with_the_grace_and_the_callers_hear_unavailable),
        cmocka_unit_test(cancelling_a_drain_ends_the_grace_at_once),
        cmocka_unit_test(a_server_drains_once),
        cmocka_unit_test(a_handler_is_reported_when_it_runs_30_s_after_its_caller_went),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
