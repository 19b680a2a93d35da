/* Large messages over HTTP/2: the credit they take, the frames they come in, and what surrounds them. */
#include "tests/support/http2_peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KIB ((size_t)1 << 10)

static int open_world(void **state)
{
    *state = world_new(WORLD_GRPC);
    return 0;
}

static int close_world(void **state)
{
    world_free(*state);
    return 0;
}

/* A Block of `size` bytes, each of which tells where it stands, behind its prefix. */
static writer block_of(size_t size)
{
    writer   message = { 0 };
    writer   whole = { 0 };
    uint8_t *body = malloc(size);

    assert_non_null(body);
    for (size_t i = 0; i < size; i++)
        body[i] = (uint8_t)(i ^ i >> 8);
    writer_bytes(&message, 1, body, size);
    writer_add(&whole,
               (const uint8_t[5]){ 0, (uint8_t)(message.size >> 24), (uint8_t)(message.size >> 16),
                                   (uint8_t)(message.size >> 8), (uint8_t)message.size },
               5);
    writer_add(&whole, message.data, message.size);
    writer_done(&message);
    free(body);
    return whole;
}

static uint32_t number_of(const http2_frame *frame)
{
    const uint8_t *at = frame->payload;

    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* What the peer may be sent: the answers of all tests here. */
static void add_credit(http2_peer *peer)
{
    http2_add(peer, NGHTTP2_SETTINGS, 0, 0, "\0\4\0\x40\0\0\0\5\0\4\0\0", 12); /* windows of 4 MiB, frames of 256 KiB */
    http2_add_number(peer, NGHTTP2_WINDOW_UPDATE, 0, 4 << 20);
    http2_add(peer, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, NULL, 0);
}

/* What came for a stream until it ended. */
typedef struct heard {
    writer   data;
    size_t   data_frames;
    size_t   credits;
    uint64_t credit; /* all that was given */
} heard;

static heard hear_to_end(http2_peer *peer, uint32_t stream)
{
    heard       heard = { .credits = 0 };
    http2_frame frame = { .stream = 0 };

    while (!(frame.stream == stream && frame.type == NGHTTP2_HEADERS && (frame.flags & NGHTTP2_FLAG_END_STREAM))) {
        while (!http2_take(peer, &frame)) {
            assert_false(http2_has_ended(peer));
            http2_turn(peer);
        }
        if (frame.stream == stream && frame.type == NGHTTP2_WINDOW_UPDATE) {
            heard.credits++;
            heard.credit += number_of(&frame);
        } else if (frame.stream == stream && frame.type == NGHTTP2_DATA) {
            heard.data_frames++;
            writer_add(&heard.data, frame.payload, frame.size);
        }
    }
    assert_non_null(strstr(frame.fields, "grpc-status: 0\n"));
    return heard;
}

static void assert_came_back(const heard *heard, const writer *sent)
{
    assert_int_equal(heard->data.size, sent->size);
    assert_memory_equal(heard->data.data, sent->data, sent->size);
}

static http2_peer *connect_with_credit(world *world)
{
    http2_peer *peer = http2_connect(world);
    http2_frame frame;

    assert_true(http2_next(peer, NGHTTP2_SETTINGS, 0, &frame));
    add_credit(peer);
    http2_send(peer);
    return peer;
}

/* Its sender needs none: credit would cost a write, and a read of its own at the other side. */
static void a_message_that_fits_into_the_window_is_given_no_credit(void **state)
{
    http2_peer *peer = connect_with_credit(*state);
    writer      sent = block_of(64 * KIB - 10);
    heard       heard;

    http2_add_request(peer, 1, "EchoBlock");
    for (size_t at = 0; at < sent.size; at += 16 * KIB) {
        size_t left = sent.size - at;

        http2_add(peer, NGHTTP2_DATA, left <= 16 * KIB ? NGHTTP2_FLAG_END_STREAM : 0, 1, sent.data + at,
                  left < 16 * KIB ? left : 16 * KIB);
        http2_send(peer);
        http2_turn(peer);
    }
    heard = hear_to_end(peer, 1);
    assert_came_back(&heard, &sent);
    assert_int_equal(heard.credits, 0);
    writer_done(&heard.data);
    writer_done(&sent);
    http2_free(peer);
}

/* And no more of it, once all of the message may come. */
static void a_larger_message_is_given_the_credit_it_lacks_at_once(void **state)
{
    http2_peer *peer = connect_with_credit(*state);
    writer      sent = block_of(300 * KIB);
    uint64_t    window = 64 * KIB + 64;
    heard       heard;
    http2_frame frame;

    http2_add_request(peer, 1, "EchoBlock");
    http2_add(peer, NGHTTP2_DATA, 0, 1, sent.data, 5);
    http2_send(peer);
    assert_true(http2_next(peer, NGHTTP2_WINDOW_UPDATE, 1, &frame));
    assert_int_equal(number_of(&frame) + window, sent.size + 64);
    http2_add(peer, NGHTTP2_DATA, 0, 1, sent.data + 5, 200 * KIB); /* a frame of more than HTTP/2 has by default */
    http2_add(peer, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 1, sent.data + 5 + 200 * KIB, sent.size - 5 - 200 * KIB);
    http2_send(peer);
    heard = hear_to_end(peer, 1);
    assert_came_back(&heard, &sent);
    assert_int_equal(heard.credits, 0);
    assert_in_range(heard.data_frames, 1, 5); /* frames as large as the peer takes, but for the last part */
    writer_done(&heard.data);
    writer_done(&sent);
    http2_free(peer);
}

/* A window that is all spent keeps nghttp2 from ending a stream, whatever message has filled it. */
static void a_message_never_takes_the_last_byte_of_its_window(void **state)
{
    http2_peer *peer = connect_with_credit(*state);

    for (uint32_t i = 0; i < 4; i++) {
        static const size_t sizes[] = { 64 * KIB + 64 - 9, 64 * KIB + 64 - 9 - 1, 300 * KIB, 100 * KIB };
        writer              sent = block_of(sizes[i]);
        uint32_t            stream = 2 * i + 1;
        int64_t             window = (int64_t)(64 * KIB + 64) - (int64_t)sent.size;
        http2_frame         frame;
        size_t              first = sent.size < 65535 ? sent.size : 65535;

        http2_add_request(peer, stream, "EchoBlock");
        for (size_t at = 0; at < first; at += 16 * KIB)
            http2_add(peer, NGHTTP2_DATA, 0, stream, sent.data + at, first - at < 16 * KIB ? first - at : 16 * KIB);
        http2_send(peer);
        http2_turn(peer);
        for (size_t at = first; at < sent.size; at += 16 * KIB)
            http2_add(peer, NGHTTP2_DATA, 0, stream, sent.data + at,
                      sent.size - at < 16 * KIB ? sent.size - at : 16 * KIB);
        http2_send(peer);
        for (int turn = 0; turn < 10; turn++) {
            http2_turn(peer);
            while (http2_take(peer, &frame)) {
                if (frame.type == NGHTTP2_WINDOW_UPDATE && frame.stream == stream)
                    window += number_of(&frame);
            }
        }
        assert_true(window > 0);
        http2_add(peer, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, stream, NULL, 0);
        http2_send(peer);
        http2_assert_status(peer, "ended later", stream, VOW_OK, "");
        writer_done(&sent);
    }
    http2_free(peer);
}

/* The rest of a frame is read into the message, and what comes behind it must not be. */
static void messages_in_large_frames_may_come_in_any_pieces(void **state)
{
    static const size_t pieces[] = { 1000, 33 * KIB, 40 * KIB + 7, 100 * KIB, 333 * KIB };
    http2_peer         *peer = connect_with_credit(*state);
    writer              sent = block_of(120 * KIB);
    http2_frame         frame;

    for (uint32_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        uint32_t first = 4 * i + 1;
        writer   all;

        http2_add_request(peer, first, "EchoBlock");
        http2_add_request(peer, first + 2, "EchoBlock");
        http2_add(peer, NGHTTP2_DATA, 0, first, sent.data, 5);
        http2_add(peer, NGHTTP2_DATA, 0, first + 2, sent.data, 5);
        http2_send(peer);
        assert_true(http2_next(peer, NGHTTP2_WINDOW_UPDATE, first + 2, &frame));
        http2_add(peer, NGHTTP2_DATA, 0, first, sent.data + 5, 60 * KIB);
        http2_add(peer, NGHTTP2_DATA, 0, first + 2, sent.data + 5, sent.size - 5);
        http2_add(peer, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, first, sent.data + 5 + 60 * KIB,
                  sent.size - 5 - 60 * KIB);
        http2_add(peer, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, first + 2, NULL, 0);
        all = peer->out;
        peer->out = (writer){ 0 };
        for (size_t at = 0; at < all.size; at += pieces[i]) {
            size_t left = all.size - at;

            writer_add(&peer->out, all.data + at, left < pieces[i] ? left : pieces[i]);
            http2_send(peer);
            http2_turn(peer);
        }
        writer_done(&all);
        for (uint32_t stream = first; stream < first + 4; stream += 2) {
            heard heard = hear_to_end(peer, stream);

            assert_came_back(&heard, &sent);
            writer_done(&heard.data);
        }
    }
    writer_done(&sent);
    http2_free(peer);
}

/* A frame with padding is not read into a message, which would have the padding in it. */
static void padding_is_no_part_of_a_message(void **state)
{
    http2_peer *peer = connect_with_credit(*state);
    writer      sent = block_of(60 * KIB);
    writer      padded = { 0 };
    heard       heard;

    writer_add(&padded, "\x9", 1);
    writer_add(&padded, sent.data, sent.size);
    writer_add(&padded, "\0\0\0\0\0\0\0\0\0", 9);
    http2_add_request(peer, 1, "EchoBlock");
    http2_add(peer, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM | NGHTTP2_FLAG_PADDED, 1, padded.data, padded.size);
    for (size_t half = 0; half < 2; half++) {
        writer all = peer->out;

        peer->out = (writer){ 0 };
        writer_add(&peer->out, all.data, half ? all.size : 20 * KIB);
        http2_send(peer);
        http2_turn(peer);
        writer_add(&peer->out, all.data + (half ? all.size : 20 * KIB), half ? 0 : all.size - 20 * KIB);
        writer_done(&all);
    }
    heard = hear_to_end(peer, 1);
    assert_came_back(&heard, &sent);
    writer_done(&heard.data);
    writer_done(&sent);
    writer_done(&padded);
    http2_free(peer);
}

/* Two requests that are whole with the same CONTINUATION at the latest. */
static void requests_that_end_with_their_headers_are_all_answered(void **state)
{
    http2_peer *peer = connect_with_credit(*state);
    writer      block = { 0 };

    http2_write_block(peer, &block,
                      (http2_fields){ ":method", "POST", ":scheme", "http", ":path", "/calls.Calls/Echo", ":authority",
                                      "here", "te", "trailers", "content-type", "application/grpc", NULL });
    http2_add(peer, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM, 1, block.data, 3);
    http2_add(peer, NGHTTP2_CONTINUATION, NGHTTP2_FLAG_END_HEADERS, 1, block.data + 3, block.size - 3);
    http2_add_request(peer, 3, "Echo");
    http2_add_text(peer, 3, NGHTTP2_FLAG_END_STREAM, "whole");
    http2_send(peer);
    http2_assert_status(peer, "without a message", 1, VOW_INTERNAL, "without a message");
    http2_assert_status(peer, "behind it", 3, VOW_OK, "");
    writer_done(&block);
    http2_free(peer);
}

struct times_world {
    vow_channel *channel;
    vow_future  *replies[4];
};

/* Where time stands still. */
static void call_with_times(vow_future *now, void *arg)
{
    Calls__Text         text = CALLS__TEXT__INIT;
    static const int    times_ms[] = { 30000, 30000, 30000, 12345 };
    struct times_world *world = arg;

    (void)now;
    for (size_t i = 0; i < 4; i++)
        world->replies[i] = calls_calls_echo(world->channel, &text, VOW_CALL(.timeout_ms = times_ms[i]));
}

/* The time that a call may take comes with it, and is the same for most: it is sent once or twice. */
static void a_time_that_comes_again_is_in_the_peers_table(void **state)
{
    world             *world = *state;
    char               target[160];
    int                listener = raw_listen(WORLD_TCP, target);
    char               url[170];
    struct times_world times;
    Calls__Text        text = CALLS__TEXT__INIT;
    vow_future        *first;
    http2_peer        *peer;
    http2_frame        frame;
    size_t             sizes[4];

    snprintf(url, sizeof url, "grpc%s", strchr(target, ':'));
    times.channel = vow_channel_open(world->loop, url, NULL);
    first = calls_calls_echo(times.channel, &text, NULL);
    peer = http2_of_raw(raw_accept(world, listener));
    assert_true(http2_next(peer, NGHTTP2_HEADERS, 1, &frame));
    vow_done(vow_value(world->loop, NULL, NULL), call_with_times, &times);
    for (size_t i = 0; i < 4; i++) {
        assert_true(http2_next(peer, NGHTTP2_HEADERS, (uint32_t)(2 * i + 3), &frame));
        assert_non_null(strstr(frame.fields, i < 3 ? "grpc-timeout: 30000000u" : "grpc-timeout: 12345000u"));
        sizes[i] = frame.size;
    }
    assert_in_range(sizes[2], 1, sizes[1] - 10);
    assert_in_range(sizes[3], sizes[2] + 4, sizes[1]);
    for (size_t i = 0; i < 4; i++)
        vow_drop(times.replies[i]);
    vow_drop(first);
    vow_channel_close(times.channel);
    http2_free(peer);
    close(listener);
}

#define ON(test) cmocka_unit_test_setup_teardown(test, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON(a_message_that_fits_into_the_window_is_given_no_credit),
        ON(a_larger_message_is_given_the_credit_it_lacks_at_once),
        ON(a_message_never_takes_the_last_byte_of_its_window),
        ON(messages_in_large_frames_may_come_in_any_pieces),
        ON(padding_is_no_part_of_a_message),
        ON(requests_that_end_with_their_headers_are_all_answered),
        ON(a_time_that_comes_again_is_in_the_peers_table),
    };

    return cmocka_run_group_tests_name("large messages over HTTP/2", tests, NULL, NULL);
}
