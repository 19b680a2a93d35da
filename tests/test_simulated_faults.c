/*
 * The simulated network's faults: that every one does what it says, and that one seed is one run.
 */
#include "tests/support/failing.h"
#include "tests/support/net.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>

/* Faults */

static void a_reset_tells_both_ends(void **state)
{
    struct net   *net = net_new(11);
    struct talker client = talker_like(TALK_MAX);

    (void)state;
    vow_network_set_faults(net->network, VOW_NETWORK_FAULTS(.reset = 1000));
    net->like.to_send = TALK_MAX;
    talker_connect(net, &client);
    vow_loop_advance(net->loop, 20000);
    assert_int_equal(client.code, VOW_UNAVAILABLE);
    assert_int_equal(net->ends[0].code, VOW_UNAVAILABLE);
    assert_int_equal(vow_network_count(net->network).resets, 1);
    net_free(net);
}

static void a_black_hole_tells_nobody(void **state)
{
    struct net   *net = net_new(12);
    struct talker client = talker_like(TALK_MAX);

    (void)state;
    vow_network_set_faults(net->network, VOW_NETWORK_FAULTS(.black_hole = 1000));
    net->like.to_send = TALK_MAX;
    talker_connect(net, &client);
    vow_loop_advance(net->loop, 20000);
    assert_int_equal(vow_network_count(net->network).black_holes, 1);
    if (client.got < TALK_MAX)
        assert_true(net->ends[0].lent > 0); /* its buffer is full */
    talker_close(&client);
    vow_loop_advance(net->loop, 3600000);
    assert_false(net->ends[0].has_closed);
    talker_close(&net->ends[0]);
    net_free(net);
}

static void refused_and_hung_attempts_do_not_open(void **state)
{
    struct net   *net = net_new(13);
    struct talker refused = talker_like(0);
    struct talker hung = talker_like(0);

    (void)state;
    vow_network_set_faults(net->network, VOW_NETWORK_FAULTS(.refused = 1000));
    talker_connect(net, &refused);
    vow_network_set_faults(net->network, VOW_NETWORK_FAULTS(.hung = 1000));
    talker_connect(net, &hung);
    vow_loop_advance(net->loop, 3600000);
    assert_string_equal(refused.why,
                        "UNAVAILABLE: tcp://127.0.0.1:7000: connection refused (is the server running?)");
    assert_false(hung.was_opened || hung.has_closed);
    assert_int_equal(vow_network_count(net->network).refused, 1);
    assert_int_equal(vow_network_count(net->network).hung, 1);
    assert_int_equal(vow_network_count(net->network).attempts, 2);
    assert_int_equal(vow_network_count(net->network).connections, 0);
    talker_close(&hung);
    net_free(net);
}

static void a_stall_passes(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct net   *net = net_new(seed);
        struct talker client = talker_like(TALK_MAX);

        vow_network_set_faults(net->network, VOW_NETWORK_FAULTS(.stall = 1000));
        talker_connect(net, &client);
        vow_loop_advance(net->loop, 30000);
        assert_int_equal(net->ends[0].got, TALK_MAX);
        assert_int_equal(vow_network_count(net->network).stalls, 1);
        talker_close(&client);
        vow_loop_advance(net->loop, 3000);
        net_free(net);
    }
}

static void slow_and_one_byte_links_deliver_all(void **state)
{
    struct net   *net = net_new(14);
    struct talker client = talker_like(50000);

    (void)state;
    vow_network_set_faults(net->network, VOW_NETWORK_FAULTS(.slow = 1000, .one_byte = 1000));
    talker_connect(net, &client);
    vow_loop_advance(net->loop, 1000);
    assert_in_range(net->ends[0].got, 10000, 20000);
    vow_loop_advance(net->loop, 4000);
    assert_int_equal(net->ends[0].got, 50000);
    assert_int_equal(net->ends[0].reads, 50000);
    assert_int_equal(vow_network_count(net->network).slow, 1);
    assert_int_equal(vow_network_count(net->network).one_byte, 1);
    assert_int_equal(vow_network_count(net->network).segments, 50000);
    assert_int_equal(vow_network_count(net->network).bytes, 50000);
    talker_close(&client);
    vow_loop_advance(net->loop, 100);
    net_free(net);
}

static void a_test_may_reset_all_connections(void **state)
{
    struct net   *net = net_new(15);
    struct talker client;
    struct talker trying = talker_like(0);

    (void)state;
    net_open(net, &client);
    talker_connect(net, &trying);
    vow_network_reset(net->network);
    assert_false(client.has_closed); /* it is told later, from the loop */
    vow_loop_advance(net->loop, 1);
    assert_int_equal(client.code, VOW_UNAVAILABLE);
    assert_int_equal(net->ends[0].code, VOW_UNAVAILABLE);
    assert_int_equal(trying.code, VOW_UNAVAILABLE);
    net_free(net);
}

static void what_a_cut_network_kept_back_arrives_when_it_heals(void **state)
{
    struct net   *net = net_new(16);
    struct talker client;
    struct talker trying = talker_like(0);

    (void)state;
    net_open(net, &client);
    vow_network_cut(net->network);
    client.to_send = 300000;
    talker_send(&client);
    talker_connect(net, &trying);
    vow_loop_advance(net->loop, 60000);
    assert_int_equal(net->ends[0].got, 0);
    assert_true(client.lent > 0);
    assert_false(trying.was_opened || trying.has_closed);
    vow_network_heal(net->network);
    vow_loop_advance(net->loop, 1000);
    assert_int_equal(net->ends[0].got, 300000);
    assert_true(trying.was_opened);
    talker_close(&client);
    talker_close(&trying);
    vow_loop_advance(net->loop, 1000);
    net_free(net);
}

static void a_network_that_refuses_keeps_open_connections(void **state)
{
    struct net   *net = net_new(17);
    struct talker client;
    struct talker trying = talker_like(0);

    (void)state;
    net_open(net, &client);
    vow_network_refuse(net->network);
    talker_connect(net, &trying);
    client.to_send = 10;
    talker_send(&client);
    vow_loop_advance(net->loop, 100);
    assert_int_equal(net->ends[0].got, 10);
    assert_int_equal(trying.code, VOW_UNAVAILABLE);
    vow_network_heal(net->network);
    trying = talker_like(0);
    talker_connect(net, &trying);
    vow_loop_advance(net->loop, 100);
    assert_true(trying.was_opened);
    talker_close(&client);
    talker_close(&trying);
    vow_loop_advance(net->loop, 100);
    net_free(net);
}

/* The whole life of two connections; false: there was no memory to begin with. */
static bool net_lives(struct net *net)
{
    struct talker first = talker_like(5000);
    struct talker second = talker_like(5000);

    net->loop = vow_loop_simulated(19);
    if (!net->loop)
        return false;
    net->network = vow_network_of(net->loop);
    net->like = talker_like(3000);
    if (vow_listener_open(net->loop, "tcp://127.0.0.1:7000", NULL, net_accept, net, &net->listener, NULL) ==
        VOW_OK) {
        first.loop = second.loop = net->loop;
        first.stream = vow_stream_connect(net->loop, "tcp://127.0.0.1:7000", &talker_events, &first, NULL);
        second.stream = vow_stream_connect(net->loop, "tcp://localhost:7000", &talker_events, &second, NULL);
        vow_loop_advance(net->loop, 100);
        vow_listener_close(net->listener);
    }
    if (first.stream)
        talker_close(&first);
    if (second.stream)
        vow_stream_finish(second.stream);
    vow_loop_close(net->loop);
    return true;
}

static void whichever_allocation_fails_nothing_is_lost(void **state)
{
    bool lived = true;

    (void)state;
    for (size_t nth = 0; nth == 0 || failing_has_failed(); nth++) {
        struct net *net = calloc(1, sizeof *net);

        failing_install(nth, false);
        lived = net_lives(net);
        assert_int_equal(failing_outstanding(), 0);
        free(net);
    }
    assert_true(lived);
    failing_remove();
}

static void without_memory_only_that_connection_ends(void **state)
{
    size_t nth;

    (void)state;
    for (nth = 0;; nth++) {
        struct net   *net;
        struct talker client;
        bool          failed;

        failing_install(SIZE_MAX, false);
        net = net_new(18);
        net_open(net, &client);
        failing_install(nth, false);
        client.to_send = 100000;
        talker_send(&client);
        vow_loop_advance(net->loop, 1000);
        failed = failing_has_failed();
        failing_stop();
        if (failed) {
            assert_int_equal(client.code, VOW_RESOURCE_EXHAUSTED);
            assert_true(net->ends[0].has_closed);
        } else {
            assert_int_equal(net->ends[0].got, 100000);
            talker_close(&client);
        }
        vow_loop_advance(net->loop, 1000);
        net_free(net);
        failing_remove();
        if (!failed)
            break;
    }
    assert_true(nth > 0);
}

/* One seed, one run */

/* Twenty connections under all faults at once. */
static uint64_t storm_trace(uint64_t seed, vow_network_counts *counts)
{
    static const vow_network_faults faults = { .size = sizeof faults, .refused = 100,
                                               .hung = 100,
                                               .reset = 200,
                                               .black_hole = 100,
                                               .stall = 200,
                                               .slow = 100,
                                               .one_byte = 100 };
    struct net                     *net = net_new(seed);
    struct talker                  *clients = calloc(20, sizeof *clients);
    uint64_t                        trace;

    vow_network_set_faults(net->network, &faults);
    net->like.to_send = 50000;
    for (size_t i = 0; i < 20; i++) {
        clients[i] = talker_like(50000);
        talker_connect_to(net, &clients[i], i % 2 ? "tcp://localhost:7000" : "tcp://127.0.0.1:7000");
        vow_loop_advance(net->loop, 3);
    }
    vow_loop_advance(net->loop, 30000);
    trace = vow_network_trace(net->network);
    *counts = vow_network_count(net->network);
    for (size_t i = 0; i < 20; i++) {
        if (clients[i].stream)
            talker_close(&clients[i]);
    }
    for (size_t i = 0; i < net->accepted; i++) {
        if (net->ends[i].stream)
            talker_close(&net->ends[i]);
    }
    net_free(net);
    free(clients);
    return trace;
}

static void the_same_seed_gives_the_same_run_and_another_seed_another(void **state)
{
    vow_network_counts first;
    vow_network_counts again;
    uint64_t           trace = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        uint64_t before = trace;

        trace = storm_trace(seed, &first);
        assert_int_equal(trace, storm_trace(seed, &again));
        assert_memory_equal(&first, &again, sizeof first);
        assert_int_not_equal(trace, before);
        assert_int_equal(first.attempts, 20);
    }
}

static void faults_leave_the_loops_own_chance_alone(void **state)
{
    uint64_t next[2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct net   *net = net_new(21);
        struct talker client = talker_like(50000);

        if (i)
            vow_network_set_faults(net->network, VOW_NETWORK_FAULTS(.reset = 1000, .stall = 1000));
        talker_connect(net, &client);
        vow_loop_advance(net->loop, 1000);
        next[i] = vow_random_next(&vow_scheduler_of(net->loop)->random);
        if (client.stream)
            talker_close(&client);
        vow_loop_advance(net->loop, 20000);
        net_free(net);
    }
    assert_int_equal(next[0], next[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reset_tells_both_ends),
        cmocka_unit_test(a_black_hole_tells_nobody),
        cmocka_unit_test(refused_and_hung_attempts_do_not_open),
        cmocka_unit_test(a_stall_passes),
        cmocka_unit_test(slow_and_one_byte_links_deliver_all),
        cmocka_unit_test(a_test_may_reset_all_connections),
        cmocka_unit_test(what_a_cut_network_kept_back_arrives_when_it_heals),
        cmocka_unit_test(a_network_that_refuses_keeps_open_connections),
        cmocka_unit_test(whichever_allocation_fails_nothing_is_lost),
        cmocka_unit_test(without_memory_only_that_connection_ends),
        cmocka_unit_test(the_same_seed_gives_the_same_run_and_another_seed_another),
        cmocka_unit_test(faults_leave_the_loops_own_chance_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
