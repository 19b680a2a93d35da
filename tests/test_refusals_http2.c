/*
 * What a client is told whose connection is refused before the server knows what it speaks.
 *
 * The claim, of each: it is told why in its own protocol, if it says something within a second; and others
 * are served.
 */
#include "tests/support/http2_peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define LISTENED_MS 1000
#define LISTENED_AT_ONCE 256

#define FULL VOW_SERVER(.max_connections = 1)

static int open_full(void **state, world_kind kind)
{
    world *world = world_new_with(kind, FULL, NULL);

    assert_int_equal(world_settle(world, world_echo(world, "I am the one", NULL)), VOW_OK);
    *state = world;
    return 0;
}

static int open_simulated(void **state)
{
    return open_full(state, WORLD_SIMULATED);
}

static int open_tcp(void **state)
{
    return open_full(state, WORLD_TCP);
}

static int close_world(void **state)
{
    world *world = *state;

    world_assert_serves(world);
    world_free(world);
    return 0;
}

static const writer *got(const http2_peer *peer)
{
    return peer->raw ? &peer->raw->got : &peer->sim->got;
}

/* Sends bytes, and gives all that comes until the end as text. */
static const char *answer_to(world *world, const char *sent)
{
    static char text[2000];
    http2_peer *peer = http2_connect_silent(world);
    size_t      size;

    writer_add(&peer->out, sent, strlen(sent));
    http2_send(peer);
    while (!http2_has_ended(peer))
        http2_turn(peer);
    size = got(peer)->size < sizeof text - 1 ? got(peer)->size : sizeof text - 1;
    memcpy(text, got(peer)->data, size);
    text[size] = '\0';
    http2_free(peer);
    return text;
}

static void a_client_of_http2_is_told_in_a_goaway(void **state)
{
    http2_peer *peer = http2_connect(*state);

    http2_add_request(peer, 1, "Echo");
    http2_add_text(peer, 1, NGHTTP2_FLAG_END_STREAM, "hello");
    http2_send(peer);
    http2_assert_told(peer, "refused", NGHTTP2_ENHANCE_YOUR_CALM, "its limit (max_connections)");
    http2_free(peer);
}

static void a_preface_may_come_byte_by_byte(void **state)
{
    http2_peer *peer = http2_connect_silent(*state);

    for (size_t i = 0; i < NGHTTP2_CLIENT_MAGIC_LEN; i++) {
        writer_add(&peer->out, NGHTTP2_CLIENT_MAGIC + i, 1);
        http2_send(peer);
        http2_turn(peer);
    }
    http2_assert_told(peer, "byte by byte", NGHTTP2_ENHANCE_YOUR_CALM, "its limit (max_connections)");
    http2_free(peer);
}

static void a_channel_of_grpc_says_why_its_calls_fail(void **state)
{
    world       *world = *state;
    char         target[170];
    vow_channel *channel;
    const char  *error;
    Calls__Text  request = CALLS__TEXT__INIT;

    snprintf(target, sizeof target, "grpc://%s", strstr(world->address, "://") + 3);
    channel = vow_channel_open(world->loop, target, NULL);
    error = world_error(world, calls_calls_echo(channel, &request, NULL));
    assert_non_null(strstr(error, "its limit (max_connections)"));
    vow_channel_close(channel);
}

static void a_client_of_http1_is_told_in_a_response(void **state)
{
    const char *answer = answer_to(*state, "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n");
    const char *body = strstr(answer, "\r\n\r\n");
    char        length[40];

    assert_int_equal(strncmp(answer, "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n", 53), 0);
    assert_non_null(body);
    assert_non_null(strstr(body, "its limit (max_connections)\n"));
    snprintf(length, sizeof length, "Content-Length: %zu\r\n", strlen(body + 4));
    assert_non_null(strstr(answer, length));
}

static void a_client_of_tls_is_told_with_an_alert(void **state)
{
    static const char alert[] = { 21, 3, 1, 0, 2, 2, 80, 0 };

    assert_string_equal(answer_to(*state, "\x16\x03\x01"), alert);
}

/* The text of the goaway of vow's own protocol, if it comes within `patience_ms`. */
static bool is_told(sim_peer *peer, int64_t patience_ms)
{
    vow_header header;
    vow_bytes  payload;

    if (!sim_next(peer, VOW_FRAME_GOAWAY, patience_ms, &header, &payload))
        return false;
    assert_int_equal(header.code, VOW_RESOURCE_EXHAUSTED);
    assert_non_null(memmem(header.text.data, header.text.size, "(max_connections)", 17));
    return true;
}

static void a_client_that_says_nothing_is_told_in_vow_s_protocol_after_a_second(void **state)
{
    sim_peer *peer = sim_connect_silent(*state);

    assert_false(
        is_told(peer, LISTENED_MS - 50)); /* it takes some time to connect, and for words to arrive */
    assert_true(is_told(peer, 100));
    sim_free(peer);
}

static size_t count_told(sim_peer **peers, size_t count)
{
    size_t told = 0;

    for (size_t i = 0; i < count; i++)
        told += is_told(peers[i], 0);
    return told;
}

static void beyond_256_at_once_clients_are_told_without_waiting(void **state)
{
    world    *world = *state;
    sim_peer *peers[LISTENED_AT_ONCE + 1];

    sim_connect_many(world, peers, LISTENED_AT_ONCE + 1);
    world_advance_ms(world, 100);
    assert_int_equal(count_told(peers, LISTENED_AT_ONCE + 1), 1);
    world_advance_ms(world, LISTENED_MS);
    assert_int_equal(count_told(peers, LISTENED_AT_ONCE + 1), LISTENED_AT_ONCE);
    for (size_t i = 0; i <= LISTENED_AT_ONCE; i++)
        sim_free(peers[i]);

    sim_connect_many(world, peers, LISTENED_AT_ONCE); /* their places are free again */
    world_advance_ms(world, 100);
    assert_int_equal(count_told(peers, LISTENED_AT_ONCE), 0);
    for (size_t i = 0; i < LISTENED_AT_ONCE; i++)
        sim_free(peers[i]);
}

static void a_client_of_http2_is_told_that_the_server_was_closed(void **state)
{
    world      *world = world_new(WORLD_SIMULATED);
    http2_peer *peer = http2_connect_silent(world);

    (void)state;
    http2_turn(peer);
    vow_server_close(world->server);
    world->server = NULL;
    http2_add_hello(peer);
    http2_send(peer);
    http2_assert_told(peer, "closed", NGHTTP2_NO_ERROR, "closed");
    http2_free(peer);
    world_free(world);
}

static void a_loop_may_be_closed_while_a_refused_client_is_listened_to(void **state)
{
    world    *world = world_new_with(WORLD_SIMULATED, FULL, NULL);
    sim_peer *peer;

    (void)state;
    assert_int_equal(world_settle(world, world_echo(world, "I am the one", NULL)), VOW_OK);
    peer = sim_connect_silent(world);
    world_advance_ms(world, 10);
    sim_free(peer);
    world_free(world);
}

#define ON_BOTH(test)                                                                                        \
    { #test " (simulated)", test, open_simulated, close_world, NULL },                                       \
    {                                                                                                        \
#test " (tcp)", test, open_tcp, close_world, NULL                                                    \
    }
#define SIMULATED(test) cmocka_unit_test_setup_teardown(test, open_simulated, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(a_client_of_http2_is_told_in_a_goaway),
        ON_BOTH(a_preface_may_come_byte_by_byte),
        ON_BOTH(a_channel_of_grpc_says_why_its_calls_fail),
        ON_BOTH(a_client_of_http1_is_told_in_a_response),
        ON_BOTH(a_client_of_tls_is_told_with_an_alert),
        SIMULATED(a_client_that_says_nothing_is_told_in_vow_s_protocol_after_a_second),
        SIMULATED(beyond_256_at_once_clients_are_told_without_waiting),
        cmocka_unit_test(a_client_of_http2_is_told_that_the_server_was_closed),
        cmocka_unit_test(a_loop_may_be_closed_while_a_refused_client_is_listened_to),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
