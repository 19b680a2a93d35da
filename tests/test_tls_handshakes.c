/* How many handshakes of TLS a server has, a second and at once: both sides of both limits. */
#include "tests/support/certificates.h"
#include "tests/support/kinds.h"
#include "tests/support/raw_peer.h"
#include "tests/support/sim_peer.h"

#include <vow/testing.h>

#include <stdio.h>
#include <string.h>

#define CLIENTS 6

static world *world_with(const vow_server_options *server)
{
    return world_new_with(WORLD_TLS_SIMULATED, server, NULL);
}

static const vow_tls_options *server_tls(size_t per_second, size_t at_once)
{
    static vow_tls_options options;

    options = *VOW_TLS(.certificate_pem = certificate_text(certificate_of_server()),
                       .key_pem = certificate_key(certificate_of_server()),
                       .max_handshakes_per_second = per_second, .max_handshakes = at_once);
    return &options;
}

/* Clients that all come at once, and what came of the call of each. */
typedef struct clients {
    vow_channel *channels[CLIENTS];
    vow_future  *replies[CLIENTS];
} clients;

static void clients_call(clients *clients, const world *world)
{
    const vow_tls_options *tls = VOW_TLS(.ca_pem = certificate_text(certificate_of_ca()));
    Calls__Text            request = CALLS__TEXT__INIT;

    for (size_t i = 0; i < CLIENTS; i++) {
        clients->channels[i] = vow_channel_open(world->loop, world->target, VOW_CHANNEL(.tls = tls));
        clients->replies[i] = calls_calls_echo(clients->channels[i], &request, NULL);
    }
}

static size_t clients_settled(const clients *clients)
{
    size_t count = 0;

    for (size_t i = 0; i < CLIENTS; i++)
        count += vow_future_settled(clients->replies[i]);
    return count;
}

static size_t clients_refused(const clients *clients)
{
    size_t count = 0;

    for (size_t i = 0; i < CLIENTS; i++) {
        if (!vow_future_settled(clients->replies[i]) || vow_future_code(clients->replies[i]) == VOW_OK)
            continue;
        if (!strstr(vow_future_error(clients->replies[i]),
                    ": the peer refused with the TLS alert \"internal error\"; a vow server says so when it "
                    "has too many connections, or handshakes to do"))
            fail_msg("%s", vow_future_error(clients->replies[i]));
        count++;
    }
    return count;
}

static void clients_close(clients *clients)
{
    for (size_t i = 0; i < CLIENTS; i++) {
        vow_drop(clients->replies[i]);
        vow_channel_close(clients->channels[i]);
    }
}

static void handshakes_beyond_the_rate_wait_for_their_turn(void **state)
{
    world  *world = world_with(VOW_SERVER(.tls = server_tls(1, 0)));
    clients clients;

    (void)state;
    clients_call(&clients, world);
    for (size_t turn = 1; turn <= CLIENTS; turn++) {
        world_advance_ms(world, turn == 1 ? 900 : 1000); /* a network's time is far below the difference */
        assert_int_equal(clients_settled(&clients), turn);
    }
    assert_int_equal(clients_refused(&clients), 0);
    clients_close(&clients);
    world_free(world);
}

static void as_many_as_the_rate_allows_in_a_tenth_of_a_second_begin_at_once(void **state)
{
    world  *world = world_with(VOW_SERVER(.tls = server_tls(10 * (CLIENTS - 1), 0)));
    clients clients;
    size_t  settled = 0;
    int64_t ms;

    (void)state;
    clients_call(&clients, world);
    for (ms = 0; (settled = clients_settled(&clients)) == 0; ms++)
        world_advance_ms(world, 1);
    world_advance_ms(world, ms);
    assert_true(clients_settled(&clients) >= CLIENTS - 1);
    world_advance_ms(world, 1000);
    assert_int_equal(clients_settled(&clients), CLIENTS);
    assert_int_equal(clients_refused(&clients), 0);
    clients_close(&clients);
    world_free(world);
}

static void a_turn_that_comes_after_hello_timeout_ms_is_refused_at_once(void **state)
{
    world  *world = world_with(VOW_SERVER(.tls = server_tls(1, 0), .hello_timeout_ms = 2500));
    clients clients;

    (void)state;
    clients_call(&clients, world);
    world_advance_ms(world, 900);
    assert_int_equal(clients_settled(&clients), 1 + CLIENTS - 3);
    assert_int_equal(clients_refused(&clients), CLIENTS - 3);
    world_advance_ms(world, 2500);
    assert_int_equal(clients_settled(&clients), CLIENTS);
    assert_int_equal(clients_refused(&clients), CLIENTS - 3);
    clients_close(&clients);
    world_free(world);
}

static sim_peer *begin_a_handshake(world *world)
{
    static const uint8_t half[] = { 0x16, 3, 1, 2, 0, 1, 0 };
    sim_peer            *peer = sim_connect_silent(world);
    writer               bytes = { 0 };

    writer_add(&bytes, half, sizeof half);
    sim_send(peer, &bytes);
    writer_done(&bytes);
    world_advance_ms(world, 500);
    return peer;
}

static void more_handshakes_at_once_than_max_handshakes_are_refused(void **state)
{
    world    *world = world_with(VOW_SERVER(.tls = server_tls(0, 2)));
    sim_peer *first = begin_a_handshake(world);
    sim_peer *second;

    (void)state;
    assert_string_equal(world_error(world, world_echo(world, "one besides", NULL)), "OK");
    vow_channel_cut(world->channel);
    second = begin_a_handshake(world);
    assert_non_null(strstr(world_error(world, world_echo(world, "one too many", NULL)),
                           "too many connections, or handshakes to do"));
    sim_free(second);
    world_advance_ms(world, 5000); /* the channel's pause as well */
    assert_string_equal(world_error(world, world_echo(world, "there is room again", NULL)), "OK");
    sim_free(first);
    world_free(world);
}

static void whoever_was_refused_has_not_taken_the_rest_along(void **state)
{
    world       *world = world_with(VOW_SERVER(.tls = server_tls(0, 1)));
    sim_peer    *stalled = begin_a_handshake(world);
    char         target[200];
    vow_channel *plain;
    Calls__Text  request = CALLS__TEXT__INIT;

    (void)state;
    snprintf(target, sizeof target, "tcp%s", strstr(world->target, "://"));
    plain = vow_channel_open(world->loop, target, NULL);
    assert_non_null(strstr(world_error(world, world_echo(world, "", NULL)), "handshakes to do"));
    assert_string_equal(world_error(world, calls_calls_echo(plain, &request, NULL)), "OK");
    world_advance_ms(world, 11000); /* hello_timeout_ms has ended the one that stalled */
    assert_string_equal(world_error(world, world_echo(world, "", NULL)), "OK");
    vow_channel_close(plain);
    sim_free(stalled);
    world_free(world);
}

static void a_client_that_waits_for_its_turn_may_outlive_the_server(void **state)
{
    world    *world = world_with(VOW_SERVER(.tls = server_tls(1, 0)));
    sim_peer *first = begin_a_handshake(world);
    sim_peer *second = begin_a_handshake(world);
    sim_peer *third = begin_a_handshake(world); /* its turn comes half a second from now */

    (void)state;
    vow_server_close(world->server);
    world->server = NULL;
    world_advance_ms(world, 5000);
    sim_free(third);
    sim_free(second);
    sim_free(first);
    world_free(world);
}

static void send_bytes(sim_peer *peer, size_t count)
{
    static const uint8_t zeros[16384];
    writer               bytes = { 0 };

    writer_add(&bytes, "\x16", 1);
    writer_add(&bytes, zeros, count - 1);
    sim_send(peer, &bytes);
    writer_done(&bytes);
    world_advance_ms(peer->world, 50);
}

static void who_hangs_up_in_the_queue_leaves_the_turn_to_those_behind(void **state)
{
    world      *world = world_with(VOW_SERVER(.tls = server_tls(1, 0)));
    sim_peer   *peers[5];
    vow_future *reply;

    (void)state;
    sim_connect_many(world, peers, 5);
    for (size_t i = 0; i < 5; i++)
        send_bytes(peers[i], i == 4 ? 10000 : 7); /* the first shakes hands, the others wait for 1 s to 4 s */
    for (size_t i = 2; i < 5; i++)
        sim_end(peers[i]);
    reply = world_echo(world, "behind the second", NULL);
    world_advance_ms(world, 1500);
    assert_false(vow_future_settled(reply));
    world_advance_ms(world, 500);
    assert_true(vow_future_settled(reply));
    assert_string_equal(world_error(world, reply), "OK");
    for (size_t i = 0; i < 5; i++)
        sim_free(peers[i]);
    world_free(world);
}

static void a_host_that_hangs_up_while_it_waits_does_not_fill_the_queue(void **state)
{
    world    *world = world_new_with(WORLD_TLS, VOW_SERVER(.tls = server_tls(1, 0), .hello_timeout_ms = 3000), NULL);
    raw_peer *peers[6];

    (void)state;
    for (size_t i = 0; i < 6; i++) {
        peers[i] = raw_connect(world);
        raw_send(peers[i], "\x16\3\1\2\0\1\0", 7);
        raw_turn(peers[i], 10);
    }
    raw_run_to_end(peers[5]); /* there is no turn for it in time */
    for (size_t i = 0; i < 6; i++)
        raw_free(peers[i]);
    assert_string_equal(world_error(world, world_echo(world, "", NULL)), "OK");
    world_free(world);
}

static void a_client_that_waits_says_no_more_than_one_record(void **state)
{
    world    *world = world_with(VOW_SERVER(.tls = server_tls(1, 0)));
    sim_peer *first = begin_a_handshake(world);
    sim_peer *waits = sim_connect_silent(world);

    (void)state;
    send_bytes(waits, 16384);
    assert_false(waits->has_ended);
    send_bytes(waits, 4);
    assert_false(waits->has_ended);
    send_bytes(waits, 1);
    assert_memory_equal(waits->got.data, "\25\3\1\0\2\2\120", 7); /* the alert internal_error */
    assert_true(waits->has_ended);
    sim_free(waits);
    sim_free(first);
    world_free(world);
}

/* Whoever waits for a turn learns at once that there will be none. */
static void a_server_may_be_closed_while_handshakes_wait_for_their_turn(void **state)
{
    world  *world = world_with(VOW_SERVER(.tls = server_tls(1, 0)));
    clients clients;

    (void)state;
    clients_call(&clients, world);
    world_advance_ms(world, 900);
    assert_int_equal(clients_settled(&clients), 1);
    vow_server_close(world->server);
    world->server = NULL;
    world_advance_ms(world, 900); /* a refusal's patience is longer */
    assert_int_equal(clients_settled(&clients), CLIENTS);
    assert_int_equal(clients_refused(&clients), CLIENTS - 1);
    world_advance_ms(world, 5000); /* no turn comes any more */
    clients_close(&clients);
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handshakes_beyond_the_rate_wait_for_their_turn),
        cmocka_unit_test(as_many_as_the_rate_allows_in_a_tenth_of_a_second_begin_at_once),
        cmocka_unit_test(a_turn_that_comes_after_hello_timeout_ms_is_refused_at_once),
        cmocka_unit_test(more_handshakes_at_once_than_max_handshakes_are_refused),
        cmocka_unit_test(whoever_was_refused_has_not_taken_the_rest_along),
        cmocka_unit_test(who_hangs_up_in_the_queue_leaves_the_turn_to_those_behind),
        cmocka_unit_test(a_host_that_hangs_up_while_it_waits_does_not_fill_the_queue),
        cmocka_unit_test(a_client_that_waits_says_no_more_than_one_record),
        cmocka_unit_test(a_client_that_waits_for_its_turn_may_outlive_the_server),
        cmocka_unit_test(a_server_may_be_closed_while_handshakes_wait_for_their_turn),
    };

    return cmocka_run_group_tests_name("handshakes of TLS", tests, NULL, NULL);
}
