/*
 * Connecting to one of several addresses: of a name, and of a list (RFC 8305).
 */
#include "runtime/transport/dial.h"
#include "runtime/transport/lookup.h"
#include "runtime/transport/simulated.h"
#include "tests/support/failing.h"
#include "tests/support/world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define NS_PER_MS 1000000u
#define NAME "three.example"
#define LATENCY_MS 1 /* one way */

static vow_network *network_of(world *world)
{
    return vow_network_of(world->loop);
}

static uint64_t now_ms(const world *world)
{
    return vow_loop_now_ns(world->loop) / NS_PER_MS;
}

static world *simulated(void)
{
    world *world = world_new(WORLD_SIMULATED);

    vow_network_set_faults(network_of(world), VOW_NETWORK_FAULTS(.latency_us = LATENCY_MS * 1000));
    return world;
}

/* Servers */

static void serve_echo(vow_call *call, const Calls__Text *request, void *arg)
{
    (void)arg;
    calls_calls_echo_reply(call, request);
}

static vow_server *server_at(world *world, const char *address)
{
    static const calls_calls_service service = { .echo = serve_echo };
    vow_server                      *server = vow_server_open(world->loop, NULL);
    vow_error                        error = { VOW_OK, "" };

    calls_calls_serve(server, &service, NULL);
    if (vow_server_listen(server, address, &error) != VOW_OK)
        fail_msg("%s", error.message);
    return server;
}

static vow_future *ask(vow_channel *channel)
{
    Calls__Text request = CALLS__TEXT__INIT;

    return calls_calls_echo(channel, &request, VOW_CALL(.timeout_ms = 60000));
}

/* Where a call ends up; "" when it fails. */
static const char *reach(world *world, vow_channel *channel)
{
    static char peer[128];
    vow_future *reply = ask(channel);
    vow_future *kept = vow_future_ref(reply);

    peer[0] = '\0';
    if (world_settle(world, reply) == VOW_OK)
        snprintf(peer, sizeof peer, "%s", vow_call_peer(vow_future_call(kept)));
    vow_drop(kept);
    return peer;
}

static void assert_reaches(world *world, vow_channel *channel, const char *expected)
{
    const char *peer = reach(world, channel);

    if (strcmp(peer, expected) != 0)
        fail_msg("%s was reached, not %s", *peer ? peer : "nobody", expected);
}

static void name_has(world *world, const char *host)
{
    assert_int_equal(vow_network_add_name(network_of(world), NAME, host), VOW_OK);
}

static void swallow(world *world, const char *host)
{
    assert_int_equal(vow_network_swallow(network_of(world), host), VOW_OK);
}

static uint64_t attempts(world *world)
{
    return vow_network_count(network_of(world)).attempts;
}

/* In turn, and when */

static void an_address_that_swallows_everything_costs_250_ms(void **state)
{
    static const char *const targets[] = { "tcp://10.0.0.1:7000,10.0.0.2:7000", "tcp://" NAME ":7000" };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        world       *world = simulated();
        vow_channel *channel = vow_channel_open(world->loop, targets[i], NULL);
        uint64_t     began = now_ms(world);

        server_at(world, "tcp://10.0.0.2:7000");
        name_has(world, "10.0.0.1");
        name_has(world, "10.0.0.2");
        swallow(world, "10.0.0.1");
        assert_reaches(world, channel, "tcp://10.0.0.2:7000");
        assert_in_range(now_ms(world) - began, 250, 250 + 6 /* for the name */ + 8 * LATENCY_MS);
        assert_int_equal(attempts(world), 2);
        vow_channel_close(channel);
        world_free(world);
    }
}

static void the_next_address_is_tried_after_250_ms_and_not_before(void **state)
{
    world       *world = simulated();
    vow_channel *channel = vow_channel_open(world->loop, "tcp://10.0.0.1:1,10.0.0.2:1,10.0.0.3:1", NULL);
    vow_future  *reply = ask(channel);

    (void)state;
    swallow(world, "10.0.0.1");
    swallow(world, "10.0.0.2");
    swallow(world, "10.0.0.3");
    world_advance_ms(world, 249);
    assert_int_equal(attempts(world), 1);
    world_advance_ms(world, 1);
    assert_int_equal(attempts(world), 2);
    world_advance_ms(world, 249);
    assert_int_equal(attempts(world), 2);
    world_advance_ms(world, 1);
    assert_int_equal(attempts(world), 3);
    vow_drop(reply);
    vow_channel_close(channel);
    world_free(world);
}

static void an_address_that_refuses_makes_room_for_the_next_at_once(void **state)
{
    world       *world = simulated();
    vow_channel *channel = vow_channel_open(world->loop, "tcp://10.0.0.1:1,10.0.0.2:1,10.0.0.3:1", NULL);
    uint64_t     began = now_ms(world);

    (void)state;
    server_at(world, "tcp://10.0.0.3:1");
    assert_reaches(world, channel, "tcp://10.0.0.3:1");
    assert_in_range(now_ms(world) - began, 0, 12 * LATENCY_MS);
    vow_channel_close(channel);
    world_free(world);
}

static void families_are_tried_in_turn(void **state)
{
    world       *world = simulated();
    vow_channel *channel = vow_channel_open(world->loop, "tcp://" NAME ":7000", NULL);
    uint64_t     began = now_ms(world);

    (void)state;
    for (int i = 1; i <= 4; i++) {
        char host[20];

        snprintf(host, sizeof host, "2001:db8::%d", i);
        name_has(world, host);
        swallow(world, host);
    }
    name_has(world, "10.0.0.1");
    server_at(world, "tcp://10.0.0.1:7000");
    assert_reaches(world, channel, "tcp://10.0.0.1:7000");
    assert_in_range(now_ms(world) - began, 250, 270);
    vow_channel_close(channel);
    world_free(world);
}

static void the_order_of_the_resolver_is_kept_within_a_family(void **state)
{
    static const char *const expected[] = { "::1", "1.0.0.1", "::2", "1.0.0.2", "::3", "::4", "::5", "::6" };
    vow_hosts                hosts = { .first = 0 };

    (void)state;
    vow_hosts_add(&hosts, "::1");
    vow_hosts_add(&hosts, "::2");
    vow_hosts_add(&hosts, "1.0.0.1");
    vow_hosts_add(&hosts, "::3");
    vow_hosts_add(&hosts, "1.0.0.2");
    assert_string_equal(vow_hosts_at(&hosts, 4), "::3");
    assert_null(vow_hosts_at(&hosts, 5));
    for (int i = 4; i < 20; i++) {
        char text[8];

        snprintf(text, sizeof text, "::%d", i);
        vow_hosts_add(&hosts, text);
    }
    for (size_t i = 0; i < VOW_NAME_ADDRESSES_MAX; i++)
        assert_string_equal(vow_hosts_at(&hosts, i), expected[i]);
    assert_null(vow_hosts_at(&hosts, VOW_NAME_ADDRESSES_MAX));
}

static void a_list_is_tried_in_its_order_and_names_in_it_with_all_their_addresses(void **state)
{
    static const char *const order[] = { "10.0.0.9", "10.0.0.1", "10.0.0.2", "10.0.0.8" };
    world                   *world = simulated();

    (void)state;
    name_has(world, "10.0.0.1");
    name_has(world, "10.0.0.2");
    for (size_t i = 0; i < 4; i++) {
        vow_channel *channel = vow_channel_open(world->loop, "tcp://10.0.0.9:1," NAME ":1,10.0.0.8:1", NULL);
        char         address[40];
        uint64_t     began = now_ms(world);
        vow_server  *server;

        snprintf(address, sizeof address, "tcp://%s:1", order[i]);
        server = server_at(world, address);
        assert_reaches(world, channel, address);
        assert_in_range(now_ms(world) - began, i * 250, i * 250 + 20);
        vow_channel_close(channel);
        vow_server_close(server);
        swallow(world, order[i]);
    }
    world_free(world);
}

static void a_name_that_is_long_in_resolving_does_not_keep_the_next_waiting(void **state)
{
    world       *world = world_new(WORLD_TCP);
    char         target[80];
    vow_channel *channel;

    (void)state;
    snprintf(target, sizeof target, "tcp://x.invalid:1,127.0.0.1:%d", vow_server_port(world->server));
    channel = vow_channel_open(world->loop, target, NULL);
    snprintf(target, sizeof target, "tcp://127.0.0.1:%d", vow_server_port(world->server));
    assert_reaches(world, channel, target);
    vow_channel_close(channel);
    world_free(world);
}

static void the_losers_are_closed_when_one_has_connected(void **state)
{
    world       *world = simulated();
    vow_channel *channel = vow_channel_open(world->loop, "tcp://10.0.0.1:1,10.0.0.2:1", NULL);

    (void)state;
    server_at(world, "tcp://10.0.0.1:1");
    server_at(world, "tcp://10.0.0.2:1");
    vow_network_set_faults(network_of(world), VOW_NETWORK_FAULTS(.latency_us = 200000));
    assert_reaches(world, channel, "tcp://10.0.0.1:1");
    world_advance_ms(world, 2000);
    assert_int_equal(attempts(world), 2);
    assert_int_equal(vow_network_count(network_of(world)).connections, 1);
    vow_channel_close(channel);
    world_free(world);
}

/* Again */

static void connecting_again_begins_with_the_first_address(void **state)
{
    world       *world = simulated();
    vow_channel *channel = vow_channel_open(world->loop, "tcp://10.0.0.1:1,10.0.0.2:1", NULL);
    vow_server  *second = server_at(world, "tcp://10.0.0.2:1");

    (void)state;
    assert_reaches(world, channel, "tcp://10.0.0.2:1");
    server_at(world, "tcp://10.0.0.1:1");
    vow_server_close(second);
    world_advance_ms(world, 10);
    assert_reaches(world, channel, "tcp://10.0.0.1:1");
    vow_channel_close(channel);
    world_free(world);
}

static void connecting_again_looks_the_name_up_again(void **state)
{
    world       *world = simulated();
    vow_channel *channel = vow_channel_open(world->loop, "tcp://" NAME ":1", NULL);
    vow_server  *old = server_at(world, "tcp://10.0.0.1:1");

    (void)state;
    name_has(world, "10.0.0.1");
    assert_reaches(world, channel, "tcp://10.0.0.1:1");
    vow_server_close(old);
    server_at(world, "tcp://10.0.0.2:1");
    vow_network_forget_name(network_of(world), NAME);
    name_has(world, "10.0.0.2");
    world_advance_ms(world, 10);
    assert_reaches(world, channel, "tcp://10.0.0.2:1");
    vow_channel_close(channel);
    world_free(world);
}

static void mute_accept(void *owner, vow_stream *stream)
{
    vow_stream **accepted = owner;

    *accepted = stream; /* accepted, and nothing is said */
}

static void a_server_that_says_no_hello_is_left_for_the_next_after_connect_timeout_ms(void **state)
{
    world       *world = simulated();
    vow_channel *channel =
        vow_channel_open(world->loop, "tcp://10.0.0.1:1,10.0.0.2:1", VOW_CHANNEL(.connect_timeout_ms = 400));
    vow_stream   *stream = NULL;
    uint64_t      began = now_ms(world);
    vow_listener *mute;

    (void)state;
    assert_int_equal(vow_listener_open(world->loop, "tcp://10.0.0.1:1", &(vow_listener_options){ 0 },
                                       mute_accept, &stream, &mute, NULL),
                     VOW_OK);
    server_at(world, "tcp://10.0.0.2:1");
    assert_reaches(world, channel, "tcp://10.0.0.2:1");
    assert_in_range(now_ms(world) - began, 400, 420);
    vow_stream_close(stream);
    vow_listener_close(mute);
    vow_channel_close(channel);
    world_free(world);
}

static void closing_accept(void *owner, vow_stream *stream)
{
    (void)owner;
    vow_stream_close(stream);
}

static void a_server_that_hangs_up_before_its_hello_is_left_for_the_next_at_once(void **state)
{
    world        *world = simulated();
    vow_channel  *channel = vow_channel_open(world->loop, "tcp://10.0.0.1:1,10.0.0.2:1", NULL);
    vow_channel  *alone = vow_channel_open(world->loop, "tcp://10.0.0.1:1", NULL);
    uint64_t      began = now_ms(world);
    vow_listener *closing;

    (void)state;
    assert_int_equal(vow_listener_open(world->loop, "tcp://10.0.0.1:1", &(vow_listener_options){ 0 },
                                       closing_accept, NULL, &closing, NULL),
                     VOW_OK);
    server_at(world, "tcp://10.0.0.2:1");
    assert_reaches(world, channel, "tcp://10.0.0.2:1");
    assert_in_range(now_ms(world) - began, 0, 20);
    assert_string_equal(world_error(world, ask(alone)),
                        "UNAVAILABLE: tcp://10.0.0.1:1: the connection was lost: connection reset by peer");
    vow_listener_close(closing);
    vow_channel_close(channel);
    vow_channel_close(alone);
    world_free(world);
}

/* When all fail */

static void each_distinct_cause_is_told_with_its_address(void **state)
{
    world       *world = simulated();
    vow_channel *channel = vow_channel_open(
        world->loop, "tcp://10.0.0.1:1,[2001:db8::1]:1,x.invalid:2,10.0.0.3:1,10.0.0.4:1", NULL);
    vow_listener *closing;

    (void)state;
    assert_int_equal(vow_listener_open(world->loop, "tcp://10.0.0.3:1", &(vow_listener_options){ 0 },
                                       closing_accept, NULL, &closing, NULL),
                     VOW_OK);
    assert_string_equal(
        world_error(world, ask(channel)),
        "UNAVAILABLE: tcp://10.0.0.1:1,[2001:db8::1]:1,x.invalid:2,10.0.0.3:1,10.0.0.4:1: no address "
        "can be reached: 10.0.0.1:1 and 2 more: connection refused (is the server running?); "
        "x.invalid:2: the name cannot be resolved: unknown node or service; "
        "10.0.0.3:1: the connection was lost: connection reset by peer");
    assert_int_equal(attempts(world), 5);
    vow_listener_close(closing);
    vow_channel_close(channel);
    world_free(world);
}

static void what_a_protocol_says_of_a_server_names_the_target_once(void **state)
{
    world       *world = simulated();
    vow_channel *channel =
        vow_channel_open(world->loop, "grpc://" NAME ":7", VOW_CHANNEL(.connect_timeout_ms = 100));
    vow_stream   *stream = NULL;
    vow_listener *mute;

    (void)state;
    assert_int_equal(vow_listener_open(world->loop, "tcp://10.0.0.1:7", &(vow_listener_options){ 0 },
                                       mute_accept, &stream, &mute, NULL),
                     VOW_OK);
    name_has(world, "10.0.0.1");
    assert_string_equal(world_error(world, ask(channel)),
                        "UNAVAILABLE: grpc://" NAME
                        ":7: no address can be reached: 10.0.0.1:7: still waiting for the "
                        "server's hello after 100 ms (connect_timeout_ms)");
    vow_stream_close(stream);
    vow_listener_close(mute);
    vow_channel_close(channel);
    world_free(world);
}

static void a_name_that_fails_is_told_by_its_name_and_address(void **state)
{
    world       *world = simulated();
    vow_channel *channel = vow_channel_open(world->loop, "tcp://" NAME ":7", NULL);

    (void)state;
    name_has(world, "10.0.0.1");
    assert_string_equal(world_error(world, ask(channel)),
                        "UNAVAILABLE: tcp://three.example:7: no address can be "
                        "reached: 10.0.0.1:7: connection refused (is the server "
                        "running?)");
    vow_channel_close(channel);
    world_free(world);
}

static void what_ends_after_connect_timeout_ms_tells_who_refused_and_who_was_silent(void **state)
{
    world       *world = simulated();
    vow_channel *channel =
        vow_channel_open(world->loop, "tcp://10.0.0.1:1,10.0.0.2:1", VOW_CHANNEL(.connect_timeout_ms = 600));
    vow_future *reply = ask(channel);

    (void)state;
    swallow(world, "10.0.0.2");
    world_advance_ms(world, 599);
    assert_false(vow_future_settled(reply));
    world_advance_ms(world, 1);
    assert_string_equal(vow_future_error(reply),
                        "UNAVAILABLE: tcp://10.0.0.1:1,10.0.0.2:1: still connecting after 600 ms "
                        "(connect_timeout_ms); 10.0.0.1:1: connection refused (is the server running?); "
                        "10.0.0.2:1: no answer yet");
    vow_drop(reply);
    vow_channel_close(channel);
    world_free(world);
}

static void of_a_name_eight_addresses_are_tried(void **state)
{
    world       *world = simulated();
    vow_channel *channel = vow_channel_open(world->loop, "tcp://" NAME ":7", NULL);

    (void)state;
    for (int i = 1; i <= 9; i++) {
        char host[20];

        snprintf(host, sizeof host, "10.0.0.%d", i);
        name_has(world, host);
    }
    assert_non_null(strstr(world_error(world, ask(channel)), "10.0.0.1:7 and 7 more: "));
    assert_int_equal(attempts(world), 8);
    vow_channel_close(channel);
    world_free(world);
}

static void what_is_said_of_many_addresses_is_cut(void **state)
{
    world       *world = simulated();
    char         target[2000] = "tcp://";
    vow_channel *channel;
    vow_future  *reply;

    (void)state;
    for (int i = 0; i < 16; i++)
        snprintf(target + strlen(target), sizeof target - strlen(target), "%s%0*d.invalid:%d", i ? "," : "",
                 90, i, i + 1);
    channel = vow_channel_open(world->loop, target, NULL);
    reply = ask(channel);
    world_advance_ms(world, 100);
    assert_non_null(strstr(vow_future_error(reply), "0.invalid:1 and 15 more: the name cannot be resolved"));
    assert_true(strlen(vow_future_error(reply)) < strlen(target) + VOW_DIAL_CAUSES_MAX + 100);
    vow_drop(reply);
    vow_channel_close(channel);
    world_free(world);
}

/* Lists that make no sense */

static void a_wrong_part_of_a_list_is_told_by_its_number(void **state)
{
    static const struct {
        const char *target;
        const char *says;
    } bad[] = {
        { "tcp://a:1,b", "tcp://a:1,b: address 2 of the list, \"b\": there is no port; write" },
        { "tcp://a:1,,c:3", "address 2 of the list, \"\": it is empty" },
        { "tcp://a:1,", "address 2 of the list, \"\": it is empty" },
        { "tcp://,a:1", "address 1 of the list, \"\": it is empty" },
        { "tcp://a:1,b:2,[::1", "address 3 of the list, \"[::1\": there is no port" },
        { "tcp://a:1,::1:2", "address 2 of the list, \"::1:2\": an IPv6 address stands in brackets" },
        { "tcp://a:1, b:2", "address 2 of the list, \" b:2\": there is a space in the host's name" },
        { "tcp://a:1,b:65536", "address 2 of the list, \"b:65536\": the port is no number from 0 to 65535" },
        { "tcp://a:1,b:00", "address 2 of the list, \"b:00\": port 0 is for listening" },
        { "tcp://a:1,:2", "address 2 of the list, \":2\": there is no host" },
        { "tcp://a:1,tcp://b:2", "address 2 of the list, \"tcp://b:2\": an IPv6 address stands in brackets" },
    };
    world *world = simulated();

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        vow_channel *channel = vow_channel_open(world->loop, bad[i].target, NULL);
        Calls__Text  request = CALLS__TEXT__INIT;
        const char  *error =
            world_error(world, calls_calls_echo(channel, &request, VOW_CALL(.wait_for_ready = true)));

        if (strncmp(error, "INVALID_ARGUMENT: tcp://", 24) != 0 || !strstr(error, bad[i].says))
            fail_msg("a call to \"%s\" said %s", bad[i].target, error);
        vow_channel_close(channel);
    }
    assert_int_equal(attempts(world), 0);
    world_free(world);
}

static void a_target_lists_at_most_16_addresses(void **state)
{
    world       *world = simulated();
    char         target[400] = "tcp://10.0.0.1:1";
    vow_channel *channel;

    (void)state;
    for (int i = 2; i <= 16; i++)
        snprintf(target + strlen(target), sizeof target - strlen(target), ",10.0.0.%d:1", i);
    channel = vow_channel_open(world->loop, target, NULL);
    assert_non_null(strstr(world_error(world, ask(channel)), "10.0.0.1:1 and 15 more: connection refused"));
    vow_channel_close(channel);
    strcat(target, ",10.0.0.17:1");
    channel = vow_channel_open(world->loop, target, NULL);
    assert_non_null(strstr(world_error(world, ask(channel)), "a target lists at most 16 addresses"));
    vow_channel_close(channel);
    world_free(world);
}

static void a_list_can_not_be_listened_on(void **state)
{
    world      *world = simulated();
    vow_server *server = vow_server_open(world->loop, NULL);
    vow_error   error = { VOW_OK, "" };

    (void)state;
    assert_int_equal(vow_server_listen(server, "tcp://127.0.0.1:1,127.0.0.1:2", &error),
                     VOW_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "several addresses are for channels"));
    vow_server_close(server);
    world_free(world);
}

/* In the middle of it */

static void a_channel_can_be_closed_at_every_moment_of_several_attempts(void **state)
{
    (void)state;
    for (int64_t ms = 0; ms < 900; ms += ms % 250 < 12 ? 1 : 41) {
        world       *world = simulated();
        vow_channel *channel = vow_channel_open(world->loop, "tcp://10.0.0.1:1," NAME ":1", NULL);
        vow_future  *reply = ask(channel);

        name_has(world, "10.0.0.2");
        name_has(world, "2001:db8::1");
        swallow(world, "10.0.0.1");
        swallow(world, "10.0.0.2");
        server_at(world, "tcp://[2001:db8::1]:1");
        world_advance_ms(world, ms);
        vow_channel_close(channel);
        world_advance_ms(world, 1);
        assert_true(vow_future_settled(reply));
        vow_drop(reply);
        world_free(world);
    }
}

/* A call to a name with one address that is silent, one that refuses and one that serves; or one code of its
 * failure. */
static vow_code live_through(void)
{
    static const calls_calls_service service = { .echo = serve_echo };
    vow_loop                        *loop = vow_loop_simulated(1);
    vow_network                     *network = loop ? vow_network_of(loop) : NULL;
    Calls__Text                      request = CALLS__TEXT__INIT;
    vow_code                         code = VOW_RESOURCE_EXHAUSTED;
    vow_server                      *server;
    vow_channel                     *channel;
    vow_future                      *reply;

    if (!loop)
        return code;
    server = vow_server_open(loop, NULL);
    calls_calls_serve(server, &service, NULL);
    if (vow_network_add_name(network, NAME, "10.0.0.1") == VOW_OK &&
        vow_network_add_name(network, NAME, "10.0.0.2") == VOW_OK &&
        vow_network_add_name(network, NAME, "10.0.0.3") == VOW_OK &&
        vow_network_swallow(network, "10.0.0.1") == VOW_OK &&
        vow_server_listen(server, "tcp://10.0.0.3:1", NULL) == VOW_OK) {
        channel = vow_channel_open(loop, "tcp://" NAME ":1", VOW_CHANNEL(.connect_timeout_ms = 1000));
        reply = calls_calls_echo(channel, &request, VOW_CALL(.wait_for_ready = true));
        vow_loop_advance(loop, 20000);
        assert_true(vow_future_settled(reply));
        code = vow_future_code(reply);
        vow_drop(reply);
    }
    vow_loop_close(loop);
    return code;
}

static void without_memory_for_an_address_the_others_are_tried(void **state)
{
    size_t nth = 0;
    size_t survived = 0;
    bool   has_failed;

    (void)state;
    do {
        vow_code code;

        failing_install(nth++, false);
        code = live_through();
        has_failed = failing_has_failed();
        assert_int_equal(failing_outstanding(), 0);
        failing_remove();
        if (code != VOW_OK && code != VOW_RESOURCE_EXHAUSTED && code != VOW_UNAVAILABLE)
            fail_msg("without allocation %zu: %s", nth - 1, vow_code_name(code));
        survived += has_failed && code == VOW_OK;
    } while (has_failed);
    assert_true(nth > 40);
    assert_true(survived >
                10); /* what fails while connecting costs a pause at most: the call waits for ready */
}

/* On sockets */

/* A port of 127.0.0.1 that answers no attempt: Linux drops what comes to a listener whose queue is full. */
struct hole {
    int listening;
    int waiting[3];
    int port;
};

static void hole_open(struct hole *hole)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t          size = sizeof address;

    hole->listening = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(hole->listening, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(hole->listening, 0), 0);
    assert_int_equal(getsockname(hole->listening, (struct sockaddr *)&address, &size), 0);
    hole->port = ntohs(address.sin_port);
    for (size_t i = 0; i < 3; i++) {
        hole->waiting[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(hole->waiting[i], (struct sockaddr *)&address, size);
    }
}

static void hole_close(struct hole *hole)
{
    for (size_t i = 0; i < 3; i++)
        close(hole->waiting[i]);
    close(hole->listening);
}

/* A port of 127.0.0.1 where nobody listens. */
static int port_of_nobody(void)
{
    struct hole hole;

    hole_open(&hole);
    hole_close(&hole);
    return hole.port;
}

static void on_sockets_silence_costs_250_ms_and_a_refusal_nothing(void **state)
{
    world       *world = world_new(WORLD_TCP);
    int          nobody = port_of_nobody();
    struct hole  hole;
    char         target[120];
    vow_channel *channel;
    uint64_t     began = now_ms(world);

    (void)state;
    hole_open(&hole);
    snprintf(target, sizeof target, "tcp://127.0.0.1:%d,127.0.0.1:%d,127.0.0.1:%d", hole.port, nobody,
             vow_server_port(world->server));
    channel = vow_channel_open(world->loop, target, NULL);
    snprintf(target, sizeof target, "tcp://127.0.0.1:%d", vow_server_port(world->server));
    assert_reaches(world, channel, target);
    assert_in_range(now_ms(world) - began, 250, 3000);
    vow_channel_close(channel);
    world_free(world);
    hole_close(&hole);
}

static void on_sockets_one_that_refuses_and_one_that_is_silent_are_both_told(void **state)
{
    world       *world = world_new(WORLD_TCP);
    struct hole  hole;
    char         target[120];
    char         expected[300];
    int          nobody = port_of_nobody();
    vow_channel *channel;

    (void)state;
    hole_open(&hole);
    snprintf(target, sizeof target, "tcp://127.0.0.1:%d,127.0.0.1:%d", nobody, hole.port);
    snprintf(expected, sizeof expected,
             "UNAVAILABLE: %s: still connecting after 300 ms (connect_timeout_ms); 127.0.0.1:%d: connection "
             "refused "
             "(is the server running?); 127.0.0.1:%d: no answer yet",
             target, nobody, hole.port);
    channel = vow_channel_open(world->loop, target, VOW_CHANNEL(.connect_timeout_ms = 300));
    assert_string_equal(world_error(world, ask(channel)), expected);
    vow_channel_close(channel);
    world_free(world);
    hole_close(&hole);
}

static void on_sockets_both_families_may_stand_in_a_list(void **state)
{
    world       *world = world_new(WORLD_TCP);
    int          nobody = port_of_nobody();
    vow_server  *server = server_at(world, "tcp://[::1]:0");
    char         target[80];
    vow_channel *channel;

    (void)state;
    snprintf(target, sizeof target, "tcp://localhost:%d,[::1]:%d", nobody, vow_server_port(server));
    channel = vow_channel_open(world->loop, target, NULL);
    snprintf(target, sizeof target, "tcp://[::1]:%d", vow_server_port(server));
    assert_reaches(world, channel, target);
    vow_channel_close(channel);
    world_free(world);
}

static void out_of_descriptors_between_two_attempts_the_first_may_still_connect(void **state)
{
    world        *world = world_new(WORLD_TCP);
    struct hole   hole;
    struct rlimit limit;
    struct rlimit low;
    char          target[120];
    vow_channel  *channel;
    vow_future   *reply;
    const char   *error;

    (void)state;
    hole_open(&hole);
    snprintf(target, sizeof target, "tcp://127.0.0.1:%d,127.0.0.1:%d", hole.port,
             vow_server_port(world->server));
    channel =
        vow_channel_open(world->loop, target,
                         VOW_CHANNEL(.connect_timeout_ms = 500, .backoff_min_ms = 1, .backoff_max_ms = 1));
    reply = ask(channel);
    world_advance_ms(world, 10);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    low = (struct rlimit){ .rlim_cur = 3, .rlim_max = limit.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    error = world_error(world, reply);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_non_null(strstr(error, "out of file descriptors (see ulimit -n)"));
    assert_non_null(strstr(error, "no answer yet"));
    snprintf(target, sizeof target, "tcp://127.0.0.1:%d", vow_server_port(world->server));
    world_advance_ms(world, 10);
    assert_reaches(world, channel, target);
    vow_channel_close(channel);
    world_free(world);
    hole_close(&hole);
}

static void on_sockets_a_channel_can_be_closed_in_the_middle(void **state)
{
    (void)state;
    for (int64_t ms = 0; ms < 600; ms += 130) {
        world       *world = world_new(WORLD_TCP);
        struct hole  hole;
        char         target[120];
        vow_channel *channel;
        vow_future  *reply;

        hole_open(&hole);
        snprintf(target, sizeof target, "tcp://127.0.0.1:%d,127.0.0.1:%d,x.invalid:1,127.0.0.1:%d", hole.port,
                 hole.port, hole.port);
        channel = vow_channel_open(world->loop, target, NULL);
        reply = ask(channel);
        world_advance_ms(world, ms);
        vow_channel_close(channel);
        assert_int_equal(world_settle(world, reply), VOW_CANCELLED);
        world_free(world);
        hole_close(&hole);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_that_swallows_everything_costs_250_ms),
        cmocka_unit_test(the_next_address_is_tried_after_250_ms_and_not_before),
        cmocka_unit_test(an_address_that_refuses_makes_room_for_the_next_at_once),
        cmocka_unit_test(families_are_tried_in_turn),
        cmocka_unit_test(the_order_of_the_resolver_is_kept_within_a_family),
        cmocka_unit_test(a_list_is_tried_in_its_order_and_names_in_it_with_all_their_addresses),
        cmocka_unit_test(a_name_that_is_long_in_resolving_does_not_keep_the_next_waiting),
        cmocka_unit_test(the_losers_are_closed_when_one_has_connected),
        cmocka_unit_test(connecting_again_begins_with_the_first_address),
        cmocka_unit_test(connecting_again_looks_the_name_up_again),
        cmocka_unit_test(a_server_that_says_no_hello_is_left_for_the_next_after_connect_timeout_ms),
        cmocka_unit_test(a_server_that_hangs_up_before_its_hello_is_left_for_the_next_at_once),
        cmocka_unit_test(each_distinct_cause_is_told_with_its_address),
        cmocka_unit_test(what_a_protocol_says_of_a_server_names_the_target_once),
        cmocka_unit_test(a_name_that_fails_is_told_by_its_name_and_address),
        cmocka_unit_test(what_ends_after_connect_timeout_ms_tells_who_refused_and_who_was_silent),
        cmocka_unit_test(of_a_name_eight_addresses_are_tried),
        cmocka_unit_test(what_is_said_of_many_addresses_is_cut),
        cmocka_unit_test(a_wrong_part_of_a_list_is_told_by_its_number),
        cmocka_unit_test(a_target_lists_at_most_16_addresses),
        cmocka_unit_test(a_list_can_not_be_listened_on),
        cmocka_unit_test(a_channel_can_be_closed_at_every_moment_of_several_attempts),
        cmocka_unit_test(without_memory_for_an_address_the_others_are_tried),
        cmocka_unit_test(on_sockets_silence_costs_250_ms_and_a_refusal_nothing),
        cmocka_unit_test(on_sockets_one_that_refuses_and_one_that_is_silent_are_both_told),
        cmocka_unit_test(on_sockets_both_families_may_stand_in_a_list),
        cmocka_unit_test(out_of_descriptors_between_two_attempts_the_first_may_still_connect),
        cmocka_unit_test(on_sockets_a_channel_can_be_closed_in_the_middle),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
