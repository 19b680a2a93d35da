/*
 * The end of a server, or of one connection, in good order, and handlers that outlive their callers.
 */
#include "runtime/transport/simulated.h"
#include "tests/support/setups.h"
#include "tests/support/sim_peer.h"

#include <vow/testing.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A simulated world in which everything takes 50 ms to arrive. */
static world *world_far_away(void)
{
    world *world = world_new(WORLD_SIMULATED);

    vow_network_set_faults(vow_network_of(world->loop), VOW_NETWORK_FAULTS(.latency_us = 50000));
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

static void an_answer_on_a_slow_line_arrives_before_the_connection_closes(void **state)
{
    static uint8_t body[500000];
    world         *world = world_new(WORLD_SIMULATED);
    Calls__Block   request = CALLS__BLOCK__INIT;
    vow_future    *reply;
    vow_future    *drain;

    (void)state;
    vow_network_set_faults(vow_network_of(world->loop),
                           VOW_NETWORK_FAULTS(.latency_us = 1000, .bytes_per_second = 100000));
    request.body = (ProtobufCBinaryData){ .data = body, .len = sizeof body };
    reply = calls_calls_echo_block(world->channel, &request, VOW_CALL(.timeout_ms = 60000));
    world_advance_ms(world, 5200); /* the request has come, and the answer takes as long */
    drain = vow_server_drain(world->server, 60000);
    world_advance_ms(world, 4000);
    assert_false(vow_future_settled(drain));
    assert_int_equal(world_settle(world, reply), VOW_OK);
    assert_int_equal(world_settle(world, drain), VOW_OK);
    world_free(world);
}

static void an_answer_that_nobody_reads_holds_a_drain_up_to_its_grace(void **state)
{
    static uint8_t body[500000];
    world         *world = world_new(WORLD_SIMULATED);
    Calls__Block   request = CALLS__BLOCK__INIT;
    vow_future    *reply;
    vow_future    *drain;

    (void)state;
    vow_network_set_faults(vow_network_of(world->loop),
                           VOW_NETWORK_FAULTS(.latency_us = 1000, .bytes_per_second = 100000));
    request.body = (ProtobufCBinaryData){ .data = body, .len = sizeof body };
    reply = calls_calls_echo_block(world->channel, &request, VOW_CALL(.timeout_ms = 60000));
    world_advance_ms(world, 5200);
    vow_network_cut(vow_network_of(world->loop));
    drain = vow_server_drain(world->server, 3000);
    world_advance_ms(world, 2999);
    assert_false(vow_future_settled(drain));
    world_advance_ms(world, 1);
    assert_int_equal(vow_future_code(drain), VOW_DEADLINE_EXCEEDED);
    vow_drop(drain);
    vow_drop(reply);
    vow_network_heal(vow_network_of(world->loop));
    world_free(world);
}

static void a_call_is_not_begun_on_a_connection_that_the_drain_met_before_its_hello(void **state)
{
    world       *world = world_new(WORLD_SIMULATED);
    vow_script  *other = vow_script_open(world->loop);
    vow_channel *channel;
    Calls__Text  request = CALLS__TEXT__INIT;
    vow_future  *reply;
    vow_future  *drain;
    char         target[80];

    (void)state;
    vow_network_set_faults(vow_network_of(world->loop), VOW_NETWORK_FAULTS(.latency_us = 50000));
    vow_script_add(other, &calls_calls_echo_method, NULL);
    assert_int_equal(vow_server_listen(vow_script_server(other), "tcp://10.0.0.2:1", NULL), VOW_OK);
    snprintf(target, sizeof target, "tcp://127.0.0.1:%d,10.0.0.2:1", vow_server_port(world->server));
    channel = vow_channel_open(world->loop, target, NULL);
    reply = calls_calls_echo(channel, &request, NULL);
    world_advance_ms(world, 120); /* connected at 100; the hello comes at 150 */
    drain = vow_server_drain(world->server, 5000);
    assert_int_equal(world_settle(world, reply), VOW_OK);
    assert_int_equal(world_settle(world, drain), VOW_OK);
    assert_true(vow_script_played(other));
    vow_channel_close(channel);
    vow_script_close(other);
    world_free(world);
}

/* Successors */

static void serve_again(vow_call *call, const Calls__Text *request, void *arg)
{
    (void)arg;
    calls_calls_echo_reply(call, request);
}

static vow_server *successor_open(world *world, vow_code expected)
{
    static const calls_calls_service service = { .echo = serve_again };
    vow_server                      *server = vow_server_open(world->loop, NULL);
    vow_error                        error = { VOW_OK, "" };

    calls_calls_serve(server, &service, NULL);
    if (vow_server_listen(server, world->address, &error) != expected)
        fail_msg("listening on %s: %s", world->address, error.message);
    return server;
}

static void a_successor_may_listen_once_the_predecessor_drains_and_keeps_the_address(void **state)
{
    static const world_kind kinds[] = { WORLD_SIMULATED, WORLD_TCP, WORLD_UNIX, WORLD_MEMORY };

    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        world      *world = world_new(kinds[i]);
        vow_future *held = world_hold(world, "", NULL);
        vow_future *drain;

        world_wait_for_held(world, 1);
        vow_server_close(successor_open(world, VOW_ALREADY_EXISTS));
        assert_int_equal(world_settle(world, world_echo(world, "", NULL)),
                         VOW_OK); /* and it has not been removed */
        drain = vow_server_drain(world->server, 10000);
        successor_open(world, VOW_OK);
        world_advance_ms(world, 20);
        assert_int_equal(world_settle(world, world_echo(world, "", NULL)), VOW_OK);
        assert_false(vow_future_settled(drain));
        world_answer_held(world, "");
        assert_int_equal(world_settle(world, held), VOW_OK);
        assert_int_equal(world_settle(world, drain), VOW_OK);
        vow_channel_close(world->channel); /* a new connection finds the successor as well */
        world->channel = vow_channel_open(world->loop, world->address, NULL);
        assert_int_equal(world_settle(world, world_echo(world, "", NULL)), VOW_OK);
        world_free(world);
    }
}

static void a_socket_file_that_a_successor_has_replaced_is_not_removed(void **state)
{
    world      *world = world_new(WORLD_UNIX);
    const char *path = world->address + strlen("unix://");
    vow_server *successor;
    vow_future *drain;

    (void)state;
    assert_int_equal(unlink(path), 0);
    successor = successor_open(world, VOW_OK);
    drain = vow_server_drain(world->server, 1000);
    assert_int_equal(world_settle(world, drain), VOW_OK);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(world_settle(world, world_echo(world, "", NULL)), VOW_OK);
    vow_server_close(successor);
    assert_int_not_equal(access(path, F_OK), 0);
    world_free(world);
}

/* What another program has bound, and does not listen on yet: nobody answers there. */
static void a_socket_file_that_another_has_only_bound_yet_is_not_removed(void **state)
{
    world             *world = world_new(WORLD_UNIX);
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    char               kept[sizeof address.sun_path + 8];
    int                bound = socket(AF_UNIX, SOCK_STREAM, 0);

    (void)state;
    strcpy(address.sun_path, world->address + strlen("unix://"));
    snprintf(kept, sizeof kept, "%s.old", address.sun_path);
    assert_int_equal(rename(address.sun_path, kept), 0); /* so that its number is not given again */
    assert_int_equal(bind(bound, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(world_settle(world, vow_server_drain(world->server, 1000)), VOW_OK);
    assert_int_equal(access(address.sun_path, F_OK), 0);
    assert_int_equal(unlink(address.sun_path), 0);
    assert_int_equal(unlink(kept), 0);
    close(bound);
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

/* Handlers that do not end */

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
    const vow_handler stubborn = {
        .size = sizeof stubborn, .method = &calls_calls_hold_method, .serve = serve_stubbornly, .arg = &kept
    };
    vow_future *reply;

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
    assert_non_null(
        strstr(report, "calls.Calls/Hold: its handler still runs 30 s after its caller, tcp://127.0.0.1"));
    vow_call_fail(kept, VOW_CANCELLED, "too late");
    vow_report_set(NULL, NULL);
    world_free(world);
}

/* Handlers are told */

/* A handler that answers when it is told that its server drains, and what it saw. */
struct told {
    vow_call *call;
    bool      was_draining;
    size_t    times;
    vow_code  code;
};

static void told_of_drain(vow_future *draining, void *arg)
{
    struct told *told = arg;

    told->times++;
    told->code = vow_future_code(draining);
    if (told->code == VOW_OK) {
        told->was_draining = vow_call_draining(told->call);
        vow_call_fail(told->call, VOW_ABORTED, "ended early");
    }
}

static void serve_until_told(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    struct told *told = handler->arg;

    (void)request;
    told->call = call;
    vow_done(vow_call_when_draining(call), told_of_drain, told);
}

static vow_handler until_told(struct told *told)
{
    return (vow_handler){ .size = sizeof(vow_handler),
                          .method = &calls_calls_hold_method,
                          .serve = serve_until_told,
                          .arg = told };
}

static void a_handler_is_told_when_the_server_drains(void **state)
{
    world            *world = *state;
    struct told       told = { 0 };
    const vow_handler handler = until_told(&told);
    vow_future       *reply;
    vow_future       *drain;

    vow_server_handle(world->server, &handler);
    reply = world_hold(world, "", VOW_CALL(.timeout_ms = VOW_NO_TIMEOUT));
    assert_int_equal(world_settle(world, world_echo(world, "", NULL)), VOW_OK);
    assert_non_null(told.call);
    assert_false(vow_call_draining(told.call));
    drain = vow_server_drain(world->server, 5000);
    assert_int_equal(world_settle(world, reply), VOW_ABORTED);
    assert_int_equal(world_settle(world, drain), VOW_OK);
    assert_int_equal(told.times, 1);
    assert_true(told.was_draining);
}

static void a_handler_that_asks_while_the_server_drains_is_told_at_once(void **state)
{
    world            *world = world_far_away();
    struct told       told = { 0 };
    const vow_handler handler = until_told(&told);
    vow_future       *reply;
    vow_future       *drain;

    (void)state;
    vow_server_handle(world->server, &handler);
    drain = vow_server_drain(world->server, 5000);
    reply = world_hold(world, "", NULL); /* before the client has heard */
    assert_int_equal(world_settle(world, reply), VOW_ABORTED);
    assert_int_equal(world_settle(world, drain), VOW_OK);
    world_free(world);
}

static void a_call_that_is_over_is_told_of_no_drain(void **state)
{
    world            *world = *state;
    struct told       told = { 0 };
    const vow_handler handler = until_told(&told);
    vow_future       *reply;

    vow_server_handle(world->server, &handler);
    reply = world_hold(world, "", NULL);
    assert_int_equal(world_settle(world, world_echo(world, "", NULL)), VOW_OK);
    vow_call_fail(told.call, VOW_NOT_FOUND, "no");
    assert_int_equal(world_settle(world, reply), VOW_NOT_FOUND);
    world_advance_ms(world, 20);
    assert_int_equal(told.times, 1);
    assert_int_equal(told.code, VOW_CANCELLED);
}

static void the_callers_side_is_not_told_of_drains(void **state)
{
    world      *world = *state;
    vow_future *reply = world_hold(world, "", NULL);

    assert_false(vow_call_draining(vow_future_call(reply)));
    assert_int_equal(world_settle(world, vow_call_when_draining(vow_future_call(reply))),
                     VOW_FAILED_PRECONDITION);
    vow_drop(reply);
}

/* A time in which all goes on */

static void a_lame_duck_serves_old_and_new_clients_until_its_time_is_over(void **state)
{
    world      *world = world_new_with(WORLD_SIMULATED, VOW_SERVER(.lame_duck_ms = 1000), NULL);
    vow_future *drain;

    (void)state;
    assert_int_equal(world_settle(world, world_echo(world, "", NULL)), VOW_OK);
    drain = vow_server_drain(world->server, 5000);
    world_advance_ms(world, 500);
    vow_network_reset(vow_network_of(world->loop)); /* the channel connects again */
    world_advance_ms(world, 50);
    assert_int_equal(world_settle(world, world_echo(world, "", NULL)), VOW_OK);
    world_advance_ms(world, 440);
    assert_int_equal(world_settle(world, world_echo(world, "", NULL)), VOW_OK);
    assert_false(vow_future_settled(drain));
    assert_int_equal(world_settle(world, drain), VOW_OK);
    assert_int_equal(world_settle(world, world_echo(world, "", NULL)), VOW_UNAVAILABLE);
    world_free(world);
}

static void the_grace_ends_a_lame_duck_too(void **state)
{
    world      *world = world_new_with(WORLD_SIMULATED, VOW_SERVER(.lame_duck_ms = 1000), NULL);
    vow_future *call = world_hold(world, "", NULL);
    vow_future *drain;

    (void)state;
    world_wait_for_held(world, 1);
    drain = vow_server_drain(world->server, 300);
    world_advance_ms(world, 301);
    assert_int_equal(world_settle(world, drain), VOW_DEADLINE_EXCEEDED);
    assert_int_equal(world_settle(world, call), VOW_UNAVAILABLE);
    world_free(world);
}

/* Connections that are old or idle */

static uint64_t connections(const world *world)
{
    return vow_network_count(vow_network_of(world->loop)).connections;
}

static void an_old_connection_is_replaced_and_no_call_is_lost(void **state)
{
    world *world = world_new_with(WORLD_SIMULATED, VOW_SERVER(.max_age_ms = 10000), NULL);

    (void)state;
    for (int i = 0; i < 20000; i++) {
        assert_int_equal(world_settle(world, world_echo(world, "", NULL)), VOW_OK);
        world_advance_ms(world, 5);
    }
    assert_in_range(connections(world), 10, 16);
    world_free(world);
}

static void ages_are_spread_by_a_tenth(void **state)
{
    world   *world = world_new_with(WORLD_SIMULATED, VOW_SERVER(.max_age_ms = 10000), NULL);
    uint64_t last = 0;
    int      off_centre = 0;

    (void)state;
    for (int i = 0; i < 10; i++) {
        uint64_t born = vow_loop_now_ns(world->loop) / 1000000;

        assert_int_equal(world_settle(world, vow_channel_ready(world->channel)), VOW_OK);
        assert_int_equal(world_settle(world, vow_channel_changed(world->channel, VOW_CHANNEL_READY)), VOW_OK);
        last = vow_loop_now_ns(world->loop) / 1000000 - born;
        assert_in_range(last, 9000, 11000 + 20);
        off_centre += last < 9800 || last > 10200;
    }
    assert_true(off_centre >= 3);
    world_free(world);
}

static void a_call_on_an_old_connection_has_its_grace_and_its_handler_is_told(void **state)
{
    world *world =
        world_new_with(WORLD_SIMULATED, VOW_SERVER(.max_age_ms = 10000, .max_age_grace_ms = 3000), NULL);
    struct told       told = { 0 };
    const vow_handler handler = until_told(&told);
    vow_future       *stubborn = world_hold(world, "", VOW_CALL(.timeout_ms = VOW_NO_TIMEOUT));
    vow_future       *changed;
    vow_future       *early;
    const char       *error;

    (void)state;
    world_wait_for_held(world, 1);
    vow_server_handle(world->server, &handler);
    early = world_hold(world, "", VOW_CALL(.timeout_ms = VOW_NO_TIMEOUT));
    changed = vow_channel_changed(world->channel, VOW_CHANNEL_READY);
    assert_int_equal(world_settle(world, early), VOW_ABORTED);
    assert_int_equal(told.times, 1);
    assert_int_equal(world_settle(world, changed), VOW_OK);
    assert_true(vow_call_draining(world->held[0]));
    assert_int_equal(world_settle(world, world_echo(world, "", NULL)), VOW_OK); /* over another connection */
    world_advance_ms(world, 2900);
    assert_false(vow_future_settled(stubborn));
    world_advance_ms(world, 150);
    error = world_error(world, stubborn);
    assert_string_equal(error,
                        "UNAVAILABLE: the connection has come to its age, and the time for its calls is over "
                        "(max_age_ms, max_age_grace_ms)");
    assert_int_equal(world->gone, 1);
    world_free(world);
}

static void a_connection_without_calls_is_ended_after_max_idle_ms(void **state)
{
    world *world = world_new_with(WORLD_SIMULATED, VOW_SERVER(.max_idle_ms = 5000), NULL);

    (void)state;
    assert_int_equal(world_settle(world, world_echo(world, "", NULL)), VOW_OK);
    world_advance_ms(world, 3000);
    assert_int_equal(world_settle(world, world_echo(world, "", NULL)), VOW_OK);
    world_advance_ms(world, 4980);
    assert_int_equal(vow_channel_connectivity(world->channel), VOW_CHANNEL_READY);
    world_advance_ms(world, 40);
    assert_int_equal(vow_channel_connectivity(world->channel), VOW_CHANNEL_IDLE);
    world_free(world);
}

static void a_call_that_crosses_with_the_end_of_an_idle_connection_is_served(void **state)
{
    (void)state;
    for (int before = 0; before < 30; before++) {
        world *world = world_new_with(WORLD_SIMULATED, VOW_SERVER(.max_idle_ms = 1000), NULL);

        vow_network_set_faults(vow_network_of(world->loop), VOW_NETWORK_FAULTS(.latency_us = 10000));
        assert_int_equal(world_settle(world, world_echo(world, "", NULL)), VOW_OK);
        world_advance_ms(world, 975 + before);
        assert_int_equal(world_settle(world, world_echo(world, "", NULL)), VOW_OK);
        world_free(world);
    }
}

static void an_idle_connection_is_ended_on_real_sockets(void **state)
{
    world *world = world_new_with(WORLD_TCP, VOW_SERVER(.max_idle_ms = 20), NULL);

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(world_settle(world, world_echo(world, "", NULL)), VOW_OK);
        assert_int_equal(
            world_settle(world, vow_timeout(vow_channel_changed(world->channel, VOW_CHANNEL_READY), 5000)),
            VOW_OK);
    }
    world_free(world);
}

static void old_connections_are_replaced_on_real_sockets(void **state)
{
    world   *world = world_new_with(WORLD_TCP, VOW_SERVER(.max_age_ms = 20), NULL);
    uint64_t end = vow_loop_now_ns(world->loop) + UINT64_C(500000000);

    (void)state;
    while (vow_loop_now_ns(world->loop) < end)
        assert_int_equal(world_settle(world, world_echo(world, "", NULL)), VOW_OK);
    world_free(world);
}

/* A client that does not answer */

static void a_client_that_does_not_answer_the_goaways_ping_is_let_go_after_ten_seconds(void **state)
{
    world      *world = world_new(WORLD_SIMULATED);
    sim_peer   *peer = sim_connect(world);
    vow_future *drain = vow_server_drain(world->server, 60000);
    vow_header  header;
    vow_bytes   payload;

    (void)state;
    assert_true(sim_next(peer, VOW_FRAME_GOAWAY, 50, &header, &payload));
    assert_false(header.has_last_call);
    assert_true(sim_next(peer, VOW_FRAME_PING, 50, &header, &payload));
    world_advance_ms(world, 9900);
    assert_false(peer->has_ended);
    assert_true(sim_next(peer, VOW_FRAME_GOAWAY, 200, &header, &payload));
    assert_true(header.has_last_call);
    assert_int_equal(header.last_call, 0);
    assert_int_equal(world_settle(world, drain), VOW_OK);
    sim_free(peer);
    world_free(world);
}

static void another_pings_pong_is_not_taken_for_the_drains(void **state)
{
    world      *world = world_new_with(WORLD_SIMULATED, VOW_SERVER(.keepalive_ms = 10000), NULL);
    sim_peer   *peer = sim_connect(world);
    vow_future *drain;
    vow_header  header;
    vow_bytes   payload;

    (void)state;
    assert_true(sim_next(peer, VOW_FRAME_PING, 11000, &header, &payload)); /* the keepalive's */
    assert_int_equal(header.ping, 1);
    drain = vow_server_drain(world->server, 60000);
    assert_true(sim_next(peer, VOW_FRAME_PING, 50, &header, &payload));
    assert_int_equal(header.ping, 2);
    sim_send_frame(peer, HEADER(.kind = VOW_FRAME_PONG, .ping = 1));
    assert_false(sim_next(peer, VOW_FRAME_GOAWAY, 200, &header, &payload));
    sim_send_frame(peer, HEADER(.kind = VOW_FRAME_PONG, .ping = 2));
    assert_true(sim_next(peer, VOW_FRAME_GOAWAY, 50, &header, &payload));
    assert_true(header.has_last_call);
    assert_int_equal(world_settle(world, drain), VOW_OK);
    sim_free(peer);
    world_free(world);
}

#define ON_BOTH(test) ON_WORLD(simulated, test), ON_WORLD(tcp, test)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_that_begin_before_the_client_hears_of_the_drain_are_served),
        cmocka_unit_test(a_call_that_begins_after_the_client_has_heard_goes_elsewhere),
        cmocka_unit_test(an_answer_on_a_slow_line_arrives_before_the_connection_closes),
        cmocka_unit_test(an_answer_that_nobody_reads_holds_a_drain_up_to_its_grace),
        cmocka_unit_test(a_call_is_not_begun_on_a_connection_that_the_drain_met_before_its_hello),
        cmocka_unit_test(a_successor_may_listen_once_the_predecessor_drains_and_keeps_the_address),
        cmocka_unit_test(a_socket_file_that_a_successor_has_replaced_is_not_removed),
        cmocka_unit_test(a_socket_file_that_another_has_only_bound_yet_is_not_removed),
        cmocka_unit_test(a_drain_ends_with_the_grace_and_the_callers_hear_unavailable),
        cmocka_unit_test(cancelling_a_drain_ends_the_grace_at_once),
        cmocka_unit_test(a_server_drains_once),
        cmocka_unit_test(a_handler_is_reported_when_it_runs_30_s_after_its_caller_went),
        ON_BOTH(a_handler_is_told_when_the_server_drains),
        cmocka_unit_test(a_handler_that_asks_while_the_server_drains_is_told_at_once),
        ON_BOTH(a_call_that_is_over_is_told_of_no_drain),
        ON_BOTH(the_callers_side_is_not_told_of_drains),
        cmocka_unit_test(a_lame_duck_serves_old_and_new_clients_until_its_time_is_over),
        cmocka_unit_test(the_grace_ends_a_lame_duck_too),
        cmocka_unit_test(an_old_connection_is_replaced_and_no_call_is_lost),
        cmocka_unit_test(ages_are_spread_by_a_tenth),
        cmocka_unit_test(a_call_on_an_old_connection_has_its_grace_and_its_handler_is_told),
        cmocka_unit_test(a_connection_without_calls_is_ended_after_max_idle_ms),
        cmocka_unit_test(a_call_that_crosses_with_the_end_of_an_idle_connection_is_served),
        cmocka_unit_test(an_idle_connection_is_ended_on_real_sockets),
        cmocka_unit_test(old_connections_are_replaced_on_real_sockets),
        cmocka_unit_test(a_client_that_does_not_answer_the_goaways_ping_is_let_go_after_ten_seconds),
        cmocka_unit_test(another_pings_pong_is_not_taken_for_the_drains),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
