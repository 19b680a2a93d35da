/*
 * What a server does with peers of HTTP/2 that are slow, do not read, or go on behind the end.
 *
 * The claim, of each: what it may wait for has an end, what it may keep has a bound, and other connections
 * are served.
 */
#include "tests/support/failing.h"
#include "tests/support/http2_peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add_begun_block(http2_peer *peer)
{
    http2_add(peer, NGHTTP2_HEADERS, 0, 1, "\x83\x86", 2); /* POST, http */
}

/* Peers that are slow */

static void a_peer_that_does_not_go_on_is_closed_in_time(void **state)
{
    world              *world = *state;
    static const size_t cuts[] = { 0, 3, 23, 24, 30, 24 + 9 + 4 };

    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        http2_peer *peer = http2_connect_silent(world);

        http2_add_hello(peer);
        http2_add(peer, NGHTTP2_PING, 0, 0, "12345678", 8);
        peer->out.size = cuts[i];
        http2_send(peer);
        vow_loop_advance(world->loop, 5000);
        assert_true(http2_has_ended(peer));
        http2_free(peer);
    }
}

static void a_header_block_must_end_in_time(void **state)
{
    world      *world = *state;
    http2_peer *peer = http2_connect(world);

    add_begun_block(peer);
    http2_send(peer);
    for (int i = 0; i < 7; i++) { /* one byte now and then does not help */
        vow_loop_advance(world->loop, 300);
        http2_add(peer, NGHTTP2_CONTINUATION, 0, 1, "\x86", 1);
        http2_send(peer);
    }
    http2_assert_told(peer, "a slow block", NGHTTP2_ENHANCE_YOUR_CALM,
                      "a frame had begun 2000 ms ago and has not ended (hello_timeout_ms)");
    http2_free(peer);
}

/* Where frames may take longer than a block. */
static void a_header_block_must_end_within_five_seconds(void **state)
{
    world      *world = world_new_with(WORLD_GRPC_SIMULATED, VOW_SERVER(.hello_timeout_ms = 10000), NULL);
    http2_peer *peer = http2_connect(world);

    (void)state;
    add_begun_block(peer);
    http2_send(peer);
    vow_loop_advance(world->loop, 2500);
    http2_add(peer, NGHTTP2_CONTINUATION, 0, 1, "\x86", 1);
    http2_send(peer);
    vow_loop_advance(world->loop, 2450);
    assert_false(http2_has_ended(peer));
    vow_loop_advance(world->loop, 100);
    http2_assert_told(peer, "a slow block", NGHTTP2_ENHANCE_YOUR_CALM,
                      "a header block had begun 5000 ms ago and has not ended");
    http2_free(peer);
    world_free(world);
}

static void a_message_must_end_in_time(void **state)
{
    static const struct {
        const char *bytes;
        size_t      size;
    } begun[] = { { "", 0 }, { "\0\0", 2 }, { "\0\0\0\0\5ab", 7 } };
    world *world = *state;

    for (size_t i = 0; i < sizeof begun / sizeof begun[0]; i++) {
        http2_peer *peer = http2_connect(world);

        http2_add_request(peer, 1, "Echo");
        if (begun[i].size)
            http2_add(peer, NGHTTP2_DATA, 0, 1, begun[i].bytes, begun[i].size);
        http2_send(peer);
        vow_loop_advance(world->loop, 1900);
        http2_add_request(peer, 3, "Echo");
        http2_add_text(peer, 3, NGHTTP2_FLAG_END_STREAM, "");
        http2_send(peer);
        http2_assert_status(peer, "beside it", 3, VOW_OK, "");
        http2_assert_status(peer, "a slow message", 1, VOW_UNAVAILABLE,
                            "have come in the time for all of it (hello_timeout_ms");
        http2_free(peer);
    }
}

static void an_idle_connection_that_said_hello_is_left_alone(void **state)
{
    world      *world = *state;
    http2_peer *peer = http2_connect(world);

    vow_loop_advance(world->loop, 60000);
    http2_add_request(peer, 1, "Echo");
    http2_add_text(peer, 1, NGHTTP2_FLAG_END_STREAM, "");
    http2_send(peer);
    http2_assert_status(peer, "late", 1, VOW_OK, "");
    http2_free(peer);
}

/* Everything byte by byte: the preface, a block, a message. */
static void a_call_may_come_byte_by_byte(void **state)
{
    http2_peer *peer = http2_connect_silent(*state);
    writer      bytes;

    http2_add_hello(peer);
    http2_add_request(peer, 1, "Echo");
    http2_add_text(peer, 1, NGHTTP2_FLAG_END_STREAM, "in pieces");
    bytes = peer->out;
    peer->out = (writer){ 0 };
    for (size_t i = 0; i < bytes.size; i++) {
        writer_add(&peer->out, bytes.data + i, 1);
        http2_send(peer);
        http2_turn(peer);
    }
    http2_assert_status(peer, "byte by byte", 1, VOW_OK, "");
    writer_done(&bytes);
    http2_free(peer);
}

/* Peers that do not read */

/* Answers are small, and nghttp2 would keep any number of them: the server does not read on. Each answer
 * gives more tokens than its reset takes. */
static void a_peer_that_takes_no_answers_is_not_read(void **state)
{
    world      *world;
    http2_peer *peer;
    uint32_t    stream = 1;

    (void)state;
    failing_install(SIZE_MAX, false);
    world = world_new(WORLD_GRPC_SIMULATED);
    peer = http2_connect(world);
    vow_loop_advance(world->loop, 100);
    vow_stream_pause(peer->sim->stream);
    for (int i = 0; i < 500; i++) {
        for (int count = 0; count < 40; count++, stream += 2) {
            http2_add_request(peer, stream, "Echo");
            http2_add_text(peer, stream, NGHTTP2_FLAG_END_STREAM, "to be read, and not");
        }
        http2_send(peer);
        vow_loop_advance(world->loop, 1);
        for (uint32_t count = 1; count <= 40; count++)
            http2_add_number(peer, NGHTTP2_RST_STREAM, stream - 2 * count, NGHTTP2_CANCEL);
    }
    assert_true(failing_outstanding() < 5000);
    world_assert_serves(world);
    http2_free(peer);
    world_free(world);
    assert_int_equal(failing_outstanding(), 0);
    failing_remove();
}

/* RFC 9113, section 6.9.2. The answers of calls wait for as long as they are small; megabytes must move. */
static void an_answer_waits_for_its_window(void **state)
{
    world      *world = *state;
    http2_peer *peer = http2_connect(world);
    http2_frame frame;

    http2_add(peer, NGHTTP2_SETTINGS, 0, 0, "\0\4\0\0\0\0", 6);
    http2_add_request(peer, 1, "Echo");
    http2_add_text(peer, 1, NGHTTP2_FLAG_END_STREAM, "abc");
    http2_send(peer);
    vow_loop_advance(world->loop, 60000);
    assert_false(http2_has_ended(peer));
    for (size_t i = 0; i < 10; i++) { /* prefix, tag, size, "abc" */
        http2_add_number(peer, NGHTTP2_WINDOW_UPDATE, 1, 1);
        http2_send(peer);
        assert_true(http2_next(peer, NGHTTP2_DATA, 1, &frame));
        assert_int_equal(frame.size, 1);
    }
    http2_assert_status(peer, "byte by byte", 1, VOW_OK, "");
    http2_free(peer);
}

static void megabytes_of_answers_must_move(void **state)
{
    world      *world = *state;
    http2_peer *peer = http2_connect(world);
    static char text[100001];

    memset(text, 'a', sizeof text - 1);
    http2_add(peer, NGHTTP2_SETTINGS, 0, 0, "\0\4\0\0\0\0", 6);
    for (uint32_t i = 0; i < 45; i++) {
        writer message = { 0 };

        writer_text(&message, 1, text);
        http2_add_request(peer, 2 * i + 1, "Echo");
        http2_add(peer, NGHTTP2_DATA, 0, 2 * i + 1,
                  (uint8_t[5]){ 0, 0, (uint8_t)(message.size >> 16), (uint8_t)(message.size >> 8),
                                (uint8_t)message.size },
                  5);
        for (size_t at = 0; at < message.size; at += 10000) {
            size_t left = message.size - at;

            http2_add(peer, NGHTTP2_DATA, left <= 10000 ? NGHTTP2_FLAG_END_STREAM : 0, 2 * i + 1,
                      message.data + at, left < 10000 ? left : 10000);
        }
        writer_done(&message);
        http2_send(peer);
        vow_loop_advance(world->loop, 10);
    }
    vow_loop_advance(world->loop, 19000);
    assert_false(http2_has_ended(peer));
    http2_assert_told(peer, "a stall", NGHTTP2_ENHANCE_YOUR_CALM, "the peer has taken nothing of 45");
    http2_free(peer);
    world_assert_serves(world);
}

/* A stream that begins behind the last GOAWAY is refused, and does not run. */
static void calls_behind_a_goaway_do_not_run(void **state)
{
    world      *world = *state;
    http2_peer *peer = http2_connect(world);
    vow_future *drained;
    http2_frame frame;

    http2_add_request(peer, 1, "Hold");
    http2_add_text(peer, 1, NGHTTP2_FLAG_END_STREAM, "");
    http2_send(peer);
    world_wait_for_held(world, 1);
    drained = vow_server_drain(world->server, 60000);
    assert_true(http2_next(peer, NGHTTP2_GOAWAY, 0, &frame));
    assert_true(http2_next(peer, NGHTTP2_PING, 0, &frame));
    http2_add(peer, NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, frame.payload, 8);
    http2_send(peer);
    assert_true(http2_next(peer, NGHTTP2_GOAWAY, 0, &frame));
    assert_memory_equal(frame.payload, "\0\0\0\1\0\0\0\0", 8);
    http2_add_request(peer, 3, "Hold");
    http2_add_text(peer, 3, NGHTTP2_FLAG_END_STREAM, "");
    http2_send(peer);
    vow_loop_advance(world->loop, 100);
    assert_int_equal(world->held_ever, 1);
    world_answer_held(world, "late, and in time");
    http2_assert_status(peer, "before the goaway", 1, VOW_OK, "");
    assert_int_equal(world_settle(world, drained), VOW_OK);
    http2_free(peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HTTP2_SIMULATED(a_peer_that_does_not_go_on_is_closed_in_time),
        HTTP2_SIMULATED(a_header_block_must_end_in_time),
        cmocka_unit_test(a_header_block_must_end_within_five_seconds),
        HTTP2_SIMULATED(a_message_must_end_in_time),
        HTTP2_SIMULATED(an_idle_connection_that_said_hello_is_left_alone),
        HTTP2_EVERYWHERE(a_call_may_come_byte_by_byte),
        cmocka_unit_test(a_peer_that_takes_no_answers_is_not_read),
        HTTP2_SIMULATED(an_answer_waits_for_its_window),
        HTTP2_SIMULATED(megabytes_of_answers_must_move),
        HTTP2_SIMULATED(calls_behind_a_goaway_do_not_run),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
