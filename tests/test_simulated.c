/*
 * The simulated network: that it keeps the promises of the real ones.
 */
#include "tests/support/net.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define NS_PER_MS 1000000u

/* Streams */

static void bytes_arrive_whole_and_in_order_both_ways(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct net   *net = net_new(seed);
        struct talker client = talker_like(TALK_MAX);

        net->like.to_send = TALK_MAX / 2;
        net->like.room = 1 + (size_t)seed * 37;
        talker_connect(net, &client);
        vow_loop_advance(net->loop, 5000);
        assert_int_equal(net->accepted, 1);
        assert_int_equal(net->ends[0].got, TALK_MAX);
        assert_int_equal(client.got, TALK_MAX / 2);
        assert_true(client.smallest_read < 512); /* they were cut */
        assert_false(client.has_closed);
        talker_close(&client);
        vow_loop_advance(net->loop, 100);
        assert_true(net->ends[0].has_closed);
        assert_int_equal(net->ends[0].code, VOW_OK);
        net_free(net);
    }
}

static void every_scheme_leads_over_the_simulated_network(void **state)
{
    static const char *const addresses[] = { "tcp://127.0.0.1:7000", "tcp://[::1]:7000", "unix:///run/vow",
                                             "memory://here", "tcp://10.0.0.2:7000" };

    (void)state;
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        struct net   *net = net_new_at(1, addresses[i]);
        struct talker client = talker_like(100);

        talker_connect_to(net, &client, addresses[i]);
        vow_loop_advance(net->loop, 100);
        assert_int_equal(net->ends[0].got, 100);
        assert_int_equal(vow_network_count(net->network).connections, 1);
        talker_close(&client);
        vow_loop_advance(net->loop, 100);
        net_free(net);
    }
}

static void an_end_knows_its_peer(void **state)
{
    struct net   *net = net_new_at(1, "tcp://10.0.0.2:7000");
    struct talker client = talker_like(0);

    (void)state;
    talker_connect_to(net, &client, "tcp://10.0.0.2:7000");
    assert_string_equal(vow_stream_peer(client.stream), "");
    vow_loop_advance(net->loop, 100);
    assert_string_equal(vow_stream_peer(client.stream), "tcp://10.0.0.2:7000");
    assert_string_equal(vow_stream_peer_host(net->ends[0].stream), "10.0.0.1");
    assert_false(vow_stream_is_local(net->ends[0].stream));
    talker_close(&client);
    vow_loop_advance(net->loop, 100);
    net_free(net);
}

static void latency_is_kept(void **state)
{
    struct net   *net = net_new(3);
    struct talker client = talker_like(1);

    (void)state;
    vow_network_set_faults(net->network, VOW_NETWORK_FAULTS(.latency_us = 30000));
    talker_connect(net, &client);
    vow_loop_advance(net->loop, 59);
    assert_false(client.was_opened);
    vow_loop_advance(net->loop, 1);
    assert_true(client.was_opened);
    vow_loop_advance(net->loop, 31);
    assert_int_equal(net->ends[0].got, 1);
    assert_in_range(net->ends[0].first_read_ns - client.opened_ns, 30 * NS_PER_MS, 31 * NS_PER_MS);
    talker_close(&client);
    vow_loop_advance(net->loop, 100);
    net_free(net);
}

static void a_link_carries_no_more_than_its_bandwidth(void **state)
{
    struct net   *net = net_new(4);
    struct talker client = talker_like(100000);

    (void)state;
    vow_network_set_faults(net->network,
                           VOW_NETWORK_FAULTS(.latency_us = 1000, .bytes_per_second = 100000));
    talker_connect(net, &client);
    vow_loop_advance(net->loop, 500);
    assert_in_range(net->ends[0].got, 30000, 60000);
    vow_loop_advance(net->loop, 600);
    assert_int_equal(net->ends[0].got, 100000);
    talker_close(&client);
    vow_loop_advance(net->loop, 100);
    net_free(net);
}

static void a_reader_that_pauses_makes_the_writer_wait(void **state)
{
    struct net   *net = net_new(5);
    struct talker client;
    size_t        before;

    (void)state;
    net_open(net, &client);
    vow_stream_pause(net->ends[0].stream);
    client.to_send = TALK_MAX;
    talker_send(&client);
    vow_loop_advance(net->loop, 1000);
    assert_int_equal(net->ends[0].got, 0);
    assert_true(client.lent > 0);
    assert_true(client.sent < 200000);
    before = client.sent;
    vow_loop_advance(net->loop, 1000);
    assert_int_equal(client.sent, before);
    vow_stream_resume(net->ends[0].stream);
    vow_loop_advance(net->loop, 2000);
    assert_int_equal(net->ends[0].got, TALK_MAX);
    talker_close(&client);
    vow_loop_advance(net->loop, 100);
    net_free(net);
}

/* Ending */

static void finish_delivers_everything_while_the_peer_is_still_sending(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct net   *net = net_new(seed);
        struct talker client = talker_like(200000);

        client.finishes = true;
        net->like.to_send = TALK_MAX;
        talker_connect(net, &client);
        vow_loop_advance(net->loop, 5000);
        assert_int_equal(net->ends[0].got, 200000);
        assert_true(net->ends[0].has_closed);
        assert_int_equal(net->ends[0].code, VOW_OK);
        net_free(net);
    }
}

static void what_was_taken_before_a_close_arrives(void **state)
{
    struct net   *net = net_new(6);
    struct talker client;

    (void)state;
    net_open(net, &client);
    assert_true(vow_stream_write(client.stream, &(vow_slice){ talk_pattern, 10 }, 1));
    talker_close(&client);
    vow_loop_advance(net->loop, 100);
    assert_int_equal(net->ends[0].got, 10);
    assert_true(net->ends[0].has_closed);
    assert_int_equal(net->ends[0].code, VOW_OK);
    net_free(net);
}

static void writing_to_a_peer_that_has_closed_is_answered_with_a_reset(void **state)
{
    struct net   *net = net_new(7);
    struct talker client;

    (void)state;
    net_open(net, &client);
    vow_stream_pause(client.stream); /* does not see the end */
    talker_close(&net->ends[0]);
    vow_loop_advance(net->loop, 100);
    assert_false(client.has_closed);
    client.to_send = 10;
    talker_send(&client);
    vow_loop_advance(net->loop, 100);
    assert_int_equal(client.lent, 0); /* the first one is taken: the peer's answer has not come yet */
    client.to_send = 20;
    talker_send(&client);
    assert_int_equal(client.lent, 10);
    assert_false(client.has_closed);
    vow_loop_advance(net->loop, 1);
    assert_int_equal(client.code, VOW_UNAVAILABLE);
    net_free(net);
}

static void closing_over_bytes_that_nobody_read_resets_the_peer(void **state)
{
    struct net   *net = net_new(8);
    struct talker client;

    (void)state;
    net_open(net, &client);
    vow_stream_pause(net->ends[0].stream);
    client.to_send = 1000;
    talker_send(&client);
    vow_loop_advance(net->loop, 100);
    talker_close(&net->ends[0]);
    vow_loop_advance(net->loop, 100);
    assert_true(client.has_closed);
    assert_string_equal(
        client.why, "UNAVAILABLE: tcp://127.0.0.1:7000: the connection was lost: connection reset by peer");
    assert_int_equal(vow_network_count(net->network).resets, 0);
    net_free(net);
}

static void an_end_may_be_closed_in_any_callback(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct net   *net = net_new(seed);
        struct talker client = talker_like(300000);

        client.closes = seed % 5;
        net->like.to_send = 300000;
        net->like.closes = seed / 5 % 5;
        net->closes_accepted = seed % 7 == 0;
        talker_connect(net, &client);
        vow_loop_advance(net->loop, 3000);
        if (client.stream)
            talker_close(&client);
        vow_loop_advance(net->loop, 3000);
        for (size_t i = 0; i < net->accepted; i++)
            assert_null(net->ends[i].stream);
        net_free(net);
    }
}

static void an_attempt_may_be_closed_at_any_moment(void **state)
{
    (void)state;
    for (int64_t ms = 0; ms < 20; ms++) {
        struct net   *net = net_new((uint64_t)ms);
        struct talker client = talker_like(0);

        vow_network_set_faults(net->network, VOW_NETWORK_FAULTS(.latency_us = 3000));
        talker_connect_to(net, &client, "tcp://localhost:7000");
        vow_loop_advance(net->loop, ms);
        talker_close(&client);
        vow_loop_advance(net->loop, 100);
        assert_true(net->accepted == 0 || net->ends[0].has_closed);
        net_free(net);
    }
}

static void a_stream_without_room_closes(void **state)
{
    struct net   *net = net_new(9);
    struct talker client = talker_like(100);

    (void)state;
    net->like.has_no_room = true;
    talker_connect(net, &client);
    vow_loop_advance(net->loop, 100);
    assert_int_equal(net->ends[0].code, VOW_RESOURCE_EXHAUSTED);
    assert_true(client.has_closed);
    net_free(net);
}

/* Connecting */

static void a_connection_to_nobody_is_refused(void **state)
{
    struct net   *net = net_new(1);
    struct talker client = talker_like(0);
    struct talker local = talker_like(0);

    (void)state;
    talker_connect_to(net, &client, "tcp://127.0.0.1:7001");
    talker_connect_to(net, &local, "unix:///run/nobody");
    vow_loop_advance(net->loop, 20);
    assert_false(client.was_opened);
    assert_string_equal(client.why,
                        "UNAVAILABLE: tcp://127.0.0.1:7001: connection refused (is the server running?)");
    assert_string_equal(local.why,
                        "UNAVAILABLE: unix:///run/nobody: there is no such socket (is the server running?)");
    assert_int_equal(vow_network_count(net->network).refused, 2);
    net_free(net);
}

static void a_name_is_resolved_unless_it_is_invalid(void **state)
{
    struct net   *net = net_new(1);
    struct talker known = talker_like(0);
    struct talker unknown = talker_like(0);

    (void)state;
    talker_connect_to(net, &known, "tcp://weather.example:7000");
    talker_connect_to(net, &unknown, "tcp://weather.invalid:7000");
    vow_loop_advance(net->loop, 100);
    assert_true(known.was_opened);
    assert_string_equal(vow_stream_peer(known.stream), "tcp://127.0.0.1:7000");
    assert_string_equal(unknown.why,
                        "UNAVAILABLE: tcp://weather.invalid:7000: the name cannot be resolved: unknown "
                        "node or service");
    talker_close(&known);
    vow_loop_advance(net->loop, 100);
    net_free(net);
}

static void a_malformed_target_is_refused_on_the_spot(void **state)
{
    struct net   *net = net_new(1);
    struct talker client = talker_like(0);
    vow_error     error = { VOW_OK, "" };

    (void)state;
    assert_null(vow_stream_connect(net->loop, "tcp://nowhere", &talker_events, &client, &error));
    assert_int_equal(error.code, VOW_INVALID_ARGUMENT);
    net_free(net);
}

static void an_address_is_listened_on_once(void **state)
{
    struct net   *net = net_new(1);
    vow_listener *second = NULL;
    vow_error     error = { VOW_OK, "" };

    (void)state;
    assert_int_equal(
        vow_listener_open(net->loop, "tcp://0.0.0.0:7000", NULL, net_accept, net, &second, &error),
        VOW_ALREADY_EXISTS);
    assert_string_equal(
        error.message,
        "cannot listen on tcp://0.0.0.0:7000: the address is in use; stop who listens there, or "
        "choose another");
    assert_null(second);
    vow_listener_close(net->listener);
    assert_int_equal(
        vow_listener_open(net->loop, "tcp://0.0.0.0:7000", NULL, net_accept, net, &net->listener, &error),
        VOW_OK);
    net_free(net);
}

static void port_0_is_chosen_by_the_system(void **state)
{
    struct net   *net = net_new_at(1, "tcp://127.0.0.1:0");
    vow_listener *second = NULL;
    char          expected[64];

    (void)state;
    assert_int_equal(vow_listener_open(net->loop, "tcp://127.0.0.1:0", NULL, net_accept, net, &second, NULL),
                     VOW_OK);
    assert_int_not_equal(vow_listener_port(net->listener), vow_listener_port(second));
    snprintf(expected, sizeof expected, "tcp://127.0.0.1:%d", vow_listener_port(second));
    assert_string_equal(vow_listener_address(second), expected);
    vow_listener_close(second);
    net_free(net);
}

static void a_listener_that_closes_resets_what_it_has_not_accepted(void **state)
{
    struct net   *net = net_new(1);
    struct talker client = talker_like(0);

    (void)state;
    vow_network_set_faults(net->network, VOW_NETWORK_FAULTS(.latency_us = 10000));
    talker_connect(net, &client);
    vow_loop_advance(net->loop, 25);
    assert_true(client.was_opened);
    vow_listener_close(net->listener);
    net->listener = NULL;
    vow_loop_advance(net->loop, 100);
    assert_int_equal(net->accepted, 0);
    assert_int_equal(client.code, VOW_UNAVAILABLE);
    net_free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_arrive_whole_and_in_order_both_ways),
        cmocka_unit_test(every_scheme_leads_over_the_simulated_network),
        cmocka_unit_test(an_end_knows_its_peer),
        cmocka_unit_test(latency_is_kept),
        cmocka_unit_test(a_link_carries_no_more_than_its_bandwidth),
        cmocka_unit_test(a_reader_that_pauses_makes_the_writer_wait),
        cmocka_unit_test(finish_delivers_everything_while_the_peer_is_still_sending),
        cmocka_unit_test(what_was_taken_before_a_close_arrives),
        cmocka_unit_test(writing_to_a_peer_that_has_closed_is_answered_with_a_reset),
        cmocka_unit_test(closing_over_bytes_that_nobody_read_resets_the_peer),
        cmocka_unit_test(an_end_may_be_closed_in_any_callback),
        cmocka_unit_test(an_attempt_may_be_closed_at_any_moment),
        cmocka_unit_test(a_stream_without_room_closes),
        cmocka_unit_test(a_connection_to_nobody_is_refused),
        cmocka_unit_test(a_name_is_resolved_unless_it_is_invalid),
        cmocka_unit_test(a_malformed_target_is_refused_on_the_spot),
        cmocka_unit_test(an_address_is_listened_on_once),
        cmocka_unit_test(port_0_is_chosen_by_the_system),
        cmocka_unit_test(a_listener_that_closes_resets_what_it_has_not_accepted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
