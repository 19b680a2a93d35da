/* What a call can say of its connection, on both sides and on each kind of transport. */
#include "tests/support/kinds.h"
#include "tests/support/raw_peer.h"

#include <vow/testing.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void tell_connection(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    vow_connection_info info = VOW_CONNECTION_INFO_INIT;

    (void)request;
    (void)handler;
    assert_true(vow_call_connection(call, &info));
    assert_string_equal(info.peer, vow_call_peer(call));
    vow_call_fail(call, VOW_ABORTED, "%s %s %s %s %llu", info.peer, info.local, info.protocol, info.agent,
                  (unsigned long long)info.opened_ns);
}

static void both_sides_know_both_ends_of_their_connection(world_kind kind)
{
    world              *world = world_new(kind);
    const vow_handler   handler = { .size = sizeof handler,
                                    .method = &calls_calls_echo_method,
                                    .serve = tell_connection };
    vow_connection_info info = VOW_CONNECTION_INFO_INIT;
    vow_future         *reply;
    char                wanted[600];
    unsigned long long  opened;

    vow_server_handle(world->server, &handler);
    reply = world_echo(world, "", NULL);
    assert_false(vow_call_connection(vow_future_call(reply), &info));
    assert_null(info.peer);
    assert_int_equal(vow_wait(reply), VOW_ABORTED);
    assert_true(vow_call_connection(vow_future_call(reply), &info));
    assert_string_equal(info.peer, world->address);
    assert_in_range(info.opened_ns, 1, vow_loop_now_ns(world->loop));
    snprintf(wanted, sizeof wanted, "%s %s vow/1 vow/%s ", info.local, info.peer, VOW_VERSION_STRING);
    if (strncmp(vow_future_message(reply), wanted, strlen(wanted)) != 0)
        fail_msg("%s, and not %s", vow_future_message(reply), wanted);
    assert_int_equal(sscanf(vow_future_message(reply) + strlen(wanted), "%llu", &opened), 1);
    assert_string_equal(info.protocol, "vow/1");
    assert_string_equal(info.agent, "vow/" VOW_VERSION_STRING);
    vow_channel_close(world->channel); /* what was said lives as long as the call */
    world->channel = vow_channel_open(world->loop, world->address, NULL);
    assert_string_equal(info.peer, world->address);
    assert_string_equal(info.agent, "vow/" VOW_VERSION_STRING);
    vow_drop(reply);
    world_free(world);
}

static void both_sides_know_both_ends_of_their_connection_simulated(void **state)
{
    (void)state;
    both_sides_know_both_ends_of_their_connection(WORLD_SIMULATED);
}

static void both_sides_know_both_ends_of_their_connection_over_tcp(void **state)
{
    (void)state;
    both_sides_know_both_ends_of_their_connection(WORLD_TCP);
}

static void both_sides_know_both_ends_of_their_connection_over_a_unix_socket(void **state)
{
    (void)state;
    both_sides_know_both_ends_of_their_connection(WORLD_UNIX);
}

static void both_sides_know_both_ends_of_their_connection_in_memory(void **state)
{
    (void)state;
    both_sides_know_both_ends_of_their_connection(WORLD_MEMORY);
}

/* A connection that is lost is told by the name that the program knows */

static void a_lost_connection_is_told_by_the_target(void **state)
{
    static const struct {
        world_kind kind;
        bool       has_grpc;
        bool       has_tls;
    } kinds[] = {
        { WORLD_SIMULATED, false, false },
        { WORLD_GRPC_SIMULATED, true, false },
        { WORLD_TLS_SIMULATED, false, true },
        { WORLD_GRPCS_SIMULATED, true, true },
    };

    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        world      *world;
        vow_future *reply;
        char        wanted[300];

        if ((kinds[i].has_grpc && !build_has_grpc()) || (kinds[i].has_tls && !build_has_tls()))
            continue;
        world = world_new(kinds[i].kind);
        reply = world_hold(world, "", NULL);
        world_wait_for_held(world, 1);
        vow_network_reset(vow_network_of(world->loop));
        snprintf(wanted, sizeof wanted, "UNAVAILABLE: %s: the connection was lost: connection reset by peer",
                 world->target);
        assert_string_equal(world_error(world, reply), wanted);
        world_free(world);
    }
}

static void a_lost_connection_is_told_by_the_target_also_where_that_is_a_name(void **state)
{
    world       *world = world_new(WORLD_TCP);
    char         address[160];
    char         target[200];
    char         wanted[300];
    int          listener = raw_listen(WORLD_TCP, address);
    vow_channel *channel;
    vow_future  *reply;
    raw_peer    *server;
    writer       bytes = { 0 };
    vow_header   header;
    vow_bytes    payload;
    Calls__Text  request = CALLS__TEXT__INIT;

    (void)state;
    snprintf(target, sizeof target, "tcp://localhost%s", strrchr(address, ':'));
    channel = vow_channel_open(world->loop, target, NULL);
    reply = calls_calls_echo(channel, &request, NULL);
    server = raw_accept(world, listener);
    write_greeting(&bytes);
    raw_send_writer(server, &bytes);
    writer_done(&bytes);
    assert_true(raw_next(server, VOW_FRAME_CALL, &header, &payload));
    raw_reset(server);
    snprintf(wanted, sizeof wanted, "UNAVAILABLE: %s: the connection was lost: connection reset by peer", target);
    assert_string_equal(world_error(world, reply), wanted);
    raw_free(server);
    vow_channel_close(channel);
    close(listener);
    world_free(world);
}

/* The agent of a peer goes into logs */

static void assert_agent(const char *says, size_t size, const char *wanted)
{
    uint8_t   payload[200] = { 0x08, 1, 0x10, 1, 0x3a, (uint8_t)size };
    vow_hello hello;
    vow_error error;

    memcpy(payload + 6, says, size);
    assert_int_equal(vow_hello_read(&hello, payload, 6 + size, &error), VOW_OK);
    assert_string_equal(hello.agent, wanted);
}

static void an_agent_is_cut_between_characters_and_has_no_control_characters(void **state)
{
    char longest[100];

    (void)state;
    assert_agent("", 0, "");
    assert_agent("other/2\n\x7f.1", 11, "other/2  .1");
    memset(longest, 'a', sizeof longest);
    longest[63] = '\0';
    assert_agent(longest, 63, longest);
    longest[63] = 'b';
    {
        char wanted[64];

        memcpy(wanted, longest, 63);
        wanted[63] = '\0';
        assert_agent(longest, 64, wanted);
        memcpy(longest + 62, "\xc3\xa9", 2);
        wanted[62] = '\0';
        assert_agent(longest, 64, wanted);
    }
}

static void a_struct_of_an_older_program_is_filled_as_far_as_it_goes(void **state)
{
    world              *world = world_new(WORLD_SIMULATED);
    vow_connection_info info = { .size = offsetof(vow_connection_info, agent), .agent = "untouched" };
    vow_future         *reply = world_echo(world, "", NULL);

    (void)state;
    assert_int_equal(vow_wait(reply), VOW_OK);
    assert_true(vow_call_connection(vow_future_call(reply), &info));
    assert_string_equal(info.protocol, "vow/1");
    assert_string_equal(info.agent, "untouched");
    vow_drop(reply);
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sides_know_both_ends_of_their_connection_simulated),
        cmocka_unit_test(both_sides_know_both_ends_of_their_connection_over_tcp),
        cmocka_unit_test(both_sides_know_both_ends_of_their_connection_over_a_unix_socket),
        cmocka_unit_test(both_sides_know_both_ends_of_their_connection_in_memory),
        cmocka_unit_test(a_lost_connection_is_told_by_the_target),
        cmocka_unit_test(a_lost_connection_is_told_by_the_target_also_where_that_is_a_name),
        cmocka_unit_test(an_agent_is_cut_between_characters_and_has_no_control_characters),
        cmocka_unit_test(a_struct_of_an_older_program_is_filled_as_far_as_it_goes),
    };

    return cmocka_run_group_tests_name("connection", tests, NULL, NULL);
}
