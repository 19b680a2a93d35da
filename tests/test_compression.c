/*
 * Compressed messages: who compresses what, who is told, and what a message may become.
 *
 * Source  gRPC, "Compression", test cases; "gRPC over HTTP2", Message-Encoding.
 */
#include "tests/support/failing.h"
#include "tests/support/http2_peer.h"
#include "tests/support/setups.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define LARGE 1000000u
#define SIZE_LIMIT 100000u
#define FREE_SIZE 65536u
#define RATIO 100u

/* What the handler has seen, and what it shall do. */
static struct {
    bool   was_compressed;
    size_t size;
    bool   compresses;
    bool   echoes;
} served;

static void serve_block(vow_call *call, const Calls__Block *request, void *arg)
{
    const Calls__Block nothing = CALLS__BLOCK__INIT;

    (void)arg;
    served.was_compressed = vow_call_was_compressed(call);
    served.size = request->body.len;
    if (served.compresses)
        vow_call_compress(call, true);
    calls_calls_echo_block_reply(call, served.echoes ? request : &nothing);
}

/* A text comes back as it came: compressed or not. */
static vow_future *send_back(vow_call *call, const ProtobufCMessage *message, void *arg)
{
    (void)arg;
    vow_call_compress(call, vow_call_was_compressed(call));
    vow_call_send(call, message);
    return NULL;
}

static void serve_chat(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    (void)request;
    (void)handler;
    vow_call_compress(call, true); /* what may follow is said with the first message */
    vow_call_answer(call, vow_call_read(call, send_back, NULL));
}

static int open_world(void **state, world_kind kind, size_t max_message_size)
{
    static const calls_calls_service service = { .echo_block = serve_block };
    world                           *world =
        world_new_with(kind, VOW_SERVER(.max_message_size = max_message_size, .max_inflate_ratio = 0),
                       VOW_CHANNEL(.max_message_size = max_message_size));

    memset(&served, 0, sizeof served);
    calls_calls_serve(world->server, &service, NULL);
    vow_server_handle(
        world->server,
        &(const vow_handler){ .size = sizeof(vow_handler), .method = &streams_chat, .serve = serve_chat });
    *state = world;
    return 0;
}

static int open_tcp(void **state)
{
    return open_world(state, WORLD_GRPC, 0);
}

static int open_simulated(void **state)
{
    return open_world(state, WORLD_GRPC_SIMULATED, 0);
}

static int open_limited(void **state)
{
    return open_world(state, WORLD_GRPC_SIMULATED, SIZE_LIMIT);
}

static int open_native(void **state)
{
    return open_world(state, WORLD_SIMULATED, 0);
}

/* Calls */

enum content { ZEROS, NOISE };

static vow_future *block_call(world *world, size_t size, enum content content, bool compress)
{
    Calls__Block request = CALLS__BLOCK__INIT;
    uint8_t     *body = calloc(1, size + 1);
    uint32_t     noise = 1;
    vow_future  *reply;

    assert_non_null(body);
    for (size_t i = 0; i < size && content == NOISE; i++) {
        noise = noise * 1664525u + 1013904223u;
        body[i] = (uint8_t)(noise >> 24);
    }
    request.body = (ProtobufCBinaryData){ .data = body, .len = size };
    reply = calls_calls_echo_block(world->channel, &request, VOW_CALL(.compress = compress));
    free(body);
    return reply;
}

static bool reply_was_compressed(vow_future *reply)
{
    return vow_call_was_compressed(vow_future_call(reply));
}

static void each_side_compresses_when_it_is_asked_to(void **state)
{
    served.echoes = true;
    for (int i = 0; i < 4; i++) {
        bool        ours = i & 1;
        bool        theirs = i & 2;
        vow_future *reply;

        served.compresses = theirs;
        reply = block_call(*state, LARGE, ZEROS, ours);
        assert_int_equal(vow_wait(reply), VOW_OK);
        assert_int_equal(calls_calls_echo_block_result(reply)->body.len, LARGE);
        assert_int_equal(served.was_compressed, ours);
        assert_int_equal(reply_was_compressed(reply), theirs);
        vow_drop(reply);
    }
}

static void what_does_not_become_smaller_is_sent_as_it_is(void **state)
{
    static const size_t sizes[] = { 0, 1, 100, FREE_SIZE, LARGE };

    served.echoes = served.compresses = true;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        vow_future *reply = block_call(*state, sizes[i], NOISE, true);

        assert_int_equal(vow_wait(reply), VOW_OK);
        assert_int_equal(served.size, sizes[i]);
        assert_false(served.was_compressed);
        assert_false(reply_was_compressed(reply));
        vow_drop(reply);
    }
}

/* A message of zeros would become a thousandth: it is filled up to what the other side takes. */
static void vow_takes_whatever_vow_compresses(void **state)
{
    static const size_t sizes[] = { 200, FREE_SIZE - 10, FREE_SIZE + 10, LARGE, 4 * LARGE };

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        vow_future *reply = block_call(*state, sizes[i], ZEROS, true);

        assert_int_equal(vow_wait(reply), VOW_OK);
        assert_int_equal(served.size, sizes[i]);
        assert_true(served.was_compressed);
        vow_drop(reply);
    }
}

static void the_native_protocol_does_not_compress(void **state)
{
    vow_future *reply = block_call(*state, LARGE, ZEROS, true);

    assert_int_equal(vow_wait(reply), VOW_OK);
    assert_int_equal(served.size, LARGE);
    assert_false(served.was_compressed);
    vow_drop(reply);
}

/* The first are sent before there is a connection. */
static void each_message_of_a_stream_is_compressed_or_not(void **state)
{
    static const bool compressed[] = { true, false, false, true };
    world            *world = *state;
    char             *text = calloc(1, LARGE + 1);
    vow_call         *call = vow_call_start(world->channel, &streams_chat, VOW_CALL(.compress = true));

    assert_non_null(text);
    memset(text, 'x', LARGE);
    for (int i = 0; i < 4; i++) {
        vow_call_compress(call, compressed[i]);
        streams_send(call, text);
    }
    vow_call_end(call);
    for (int i = 0; i < 4; i++) {
        vow_future *next = vow_call_next(call);

        assert_int_equal(vow_wait(next), VOW_OK);
        assert_string_equal(streams_text(vow_future_value(next)), text);
        assert_int_equal(vow_call_was_compressed(call), compressed[i]);
        vow_drop(next);
    }
    vow_call_drop(call);
    free(text);
}

static void a_call_that_did_not_begin_so_is_not_compressed_later(void **state)
{
    world      *world = *state;
    vow_call   *call = vow_call_start(world->channel, &streams_chat, NULL);
    vow_future *first, *second;

    streams_send(call, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
    first = vow_call_next(call);
    assert_int_equal(vow_wait(first), VOW_OK);
    vow_call_compress(call, true);
    streams_send(call, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
    second = vow_call_next(call);
    assert_int_equal(vow_wait(second), VOW_OK);
    assert_false(vow_call_was_compressed(call));
    vow_drop(first);
    vow_drop(second);
    vow_call_drop(call);
}

/* What other peers send */

#define REQUEST                                                                                              \
    ":method", "POST", ":scheme", "http", ":authority", "a", ":path", "/calls.Calls/EchoBlock", "te",        \
        "trailers", "content-type", "application/grpc"

/* A packed Block of `size` bytes, all of its body zeros. */
static uint8_t *pack_zeros(size_t size)
{
    uint8_t *packed = calloc(1, size);
    size_t   head = 1;
    size_t   body;

    assert_non_null(packed);
    do {
        head++;
        body = size - head;
    } while (body >> 7 * (head - 1));
    packed[0] = 0x0a;
    for (size_t i = 1; i < head; i++, body >>= 7)
        packed[i] = (uint8_t)(body & 0x7f) | (i + 1 < head ? 0x80 : 0);
    return packed;
}

/* Adds a message of `size` bytes, compressed to at least `least`: the head of gzip is made longer. */
static void add_compressed(writer *to, size_t size, size_t least)
{
    static uint8_t extra[60000];
    uint8_t       *packed = pack_zeros(size);
    size_t         room = 2 * least + size / 500 + 20000;
    uint8_t       *compressed = malloc(room);
    size_t         padding = 0;
    size_t         came = 0;

    assert_non_null(compressed);
    do {
        gz_header head = { .extra = padding ? extra : NULL, .extra_len = (uInt)padding };
        z_stream  zlib = {
             .next_in = packed, .avail_in = (uInt)size, .next_out = compressed, .avail_out = (uInt)room
        };

        assert_int_equal(deflateInit2(&zlib, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY), Z_OK);
        deflateSetHeader(&zlib, &head);
        assert_int_equal(deflate(&zlib, Z_FINISH), Z_STREAM_END);
        came = room - zlib.avail_out;
        deflateEnd(&zlib);
        if (came < least)
            padding = least - came - (padding ? 0 : 2);
        assert_true(padding < sizeof extra);
    } while (came < least);
    writer_add(
        to,
        (uint8_t[]){ 1, (uint8_t)(came >> 24), (uint8_t)(came >> 16), (uint8_t)(came >> 8), (uint8_t)came },
        5);
    writer_add(to, compressed, came);
    free(compressed);
    free(packed);
}

/* Sends `message` on a stream of its own, in frames that are allowed. */
static void send_block(http2_peer *peer, uint32_t stream, const char *const *fields, const writer *message)
{
    http2_add_fields(peer, stream, 0, fields);
    for (size_t at = 0; at < message->size; at += 16384) {
        size_t size = message->size - at < 16384 ? message->size - at : 16384;

        http2_add(peer, NGHTTP2_DATA, at + size == message->size ? NGHTTP2_FLAG_END_STREAM : 0, stream,
                  message->data + at, size);
    }
    http2_send(peer);
}

static const char *const gzip_request[] = { REQUEST, "grpc-encoding", "gzip", NULL };

/* A message of `size` bytes, compressed to `least` or what it becomes. */
static void assert_inflated(world *world, size_t size, size_t least, int code, const char *says)
{
    http2_peer *peer = http2_connect(world);
    writer      message = { 0 };

    served.size = 0;
    add_compressed(&message, size, least);
    send_block(peer, 1, gzip_request, &message);
    http2_assert_status(peer, "compressed", 1, code, says);
    if (code == VOW_OK) {
        assert_true(served.was_compressed);
        assert_in_range(served.size, size - 6, size);
    } else {
        assert_int_equal(served.size, 0);
    }
    writer_done(&message);
    http2_free(peer);
}

static void a_message_may_become_64_kib_whatever_it_was(void **state)
{
    assert_inflated(*state, FREE_SIZE, 0, VOW_OK, "");
    assert_inflated(*state, FREE_SIZE + 1, 0, VOW_RESOURCE_EXHAUSTED,
                    "becomes more than 100 times as large (max_inflate_ratio)");
}

static void beyond_that_a_message_may_become_a_hundred_times_as_large(void **state)
{
    assert_inflated(*state, RATIO * 2000, 2000, VOW_OK, "");
    assert_inflated(
        *state, RATIO * 2000 + 1, 2000, VOW_RESOURCE_EXHAUSTED,
        "a compressed message of 2000 bytes becomes more than 100 times as large (max_inflate_ratio)");
}

static void a_message_may_become_as_large_as_any_may_be(void **state)
{
    assert_inflated(*state, SIZE_LIMIT, 2000, VOW_OK, "");
    assert_inflated(*state, SIZE_LIMIT + 1, 2000, VOW_RESOURCE_EXHAUSTED,
                    "a compressed message of 2000 bytes becomes more than 100000 (max_message_size)");
}

static void a_message_that_becomes_megabytes_is_refused(void **state)
{
    world      *world = *state;
    http2_peer *peer = http2_connect(world);
    writer      message = { 0 };

    add_compressed(&message, FREE_SIZE * 1000, 0);
    send_block(peer, 1, gzip_request, &message);
    http2_assert_status(peer, "a bomb", 1, VOW_RESOURCE_EXHAUSTED,
                        "becomes more than 4194304 (max_message_size)");
    writer_done(&message);
    http2_free(peer);
}

/* Every cut, and every changed byte, is found. */
static void damaged_messages_end_their_call_alone(void **state)
{
    http2_peer *peer = http2_connect(*state);
    writer      whole = { 0 };
    uint32_t    stream = 1;

    add_compressed(&whole, 300, 0);
    for (size_t cut = 0; cut + 6 < whole.size; cut++, stream += 2) {
        writer message = { 0 };

        writer_add(&message, whole.data, whole.size - cut - 1);
        message.data[4] = (uint8_t)(message.size - 5);
        send_block(peer, stream, gzip_request, &message);
        http2_assert_status(peer, "cut off", stream, VOW_INTERNAL,
                            "is compressed with gzip, and damaged: it is cut off");
        writer_done(&message);
    }
    whole.data[whole.size - 8] ^= 1; /* its checksum */
    send_block(peer, stream, gzip_request, &whole);
    http2_assert_status(peer, "changed", stream, VOW_INTERNAL, "damaged: incorrect data check");
    whole.data[whole.size - 8] ^= 1;
    writer_add(&whole, "!", 1);
    whole.data[4]++;
    send_block(peer, stream + 2, gzip_request, &whole);
    http2_assert_status(peer, "more", stream + 2, VOW_INTERNAL, "damaged: something follows its end");
    writer_done(&whole);
    http2_free(peer);
}

static void a_compressed_message_of_no_bytes_is_damaged(void **state)
{
    http2_peer *peer = http2_connect(*state);
    writer      message = { 0 };

    writer_add(&message, "\1\0\0\0\0", 5);
    send_block(peer, 1, gzip_request, &message);
    http2_assert_status(peer, "nothing", 1, VOW_INTERNAL,
                        "a message of 0 bytes is compressed with gzip, and damaged");
    writer_done(&message);
    http2_free(peer);
}

static void a_compressed_message_needs_an_encoding(void **state)
{
    static const char *const none[] = { REQUEST, NULL };
    static const char *const identity[] = { REQUEST, "grpc-encoding", "identity", NULL };
    http2_peer              *peer = http2_connect(*state);
    writer                   message = { 0 };

    add_compressed(&message, 300, 0);
    send_block(peer, 1, none, &message);
    http2_assert_status(peer, "none", 1, VOW_INTERNAL, "grpc-encoding names no way");
    send_block(peer, 3, identity, &message);
    http2_assert_status(peer, "identity", 3, VOW_INTERNAL, "grpc-encoding names no way");
    writer_done(&message);
    http2_free(peer);
}

static void an_encoding_that_is_not_known_is_refused_with_those_that_are(void **state)
{
    static const char *const fields[] = { REQUEST, "grpc-encoding", "snappy", NULL };
    http2_peer              *peer = http2_connect(*state);
    http2_frame              frame;

    http2_add_fields(peer, 1, 0, fields);
    http2_send(peer);
    assert_true(http2_next(peer, NGHTTP2_HEADERS, 1, &frame));
    assert_non_null(strstr(frame.fields, "grpc-status: 12\n"));
    assert_non_null(strstr(frame.fields, "grpc-accept-encoding: identity, gzip\n"));
    assert_non_null(strstr(frame.fields, "\"snappy\"; known here are identity, gzip"));
    http2_free(peer);
}

/* Does the answer come compressed to a caller that says so of itself? */
static bool answer_is_compressed(world *world, const char *const *fields)
{
    http2_peer *peer = http2_connect(world);
    writer      message = { 0 };
    http2_frame frame;
    bool        is_announced;

    served.echoes = served.compresses = true;
    add_compressed(&message, 3000, 0);
    send_block(peer, 1, fields, &message);
    assert_true(http2_next(peer, NGHTTP2_HEADERS, 1, &frame));
    is_announced = strstr(frame.fields, "grpc-encoding: gzip\n");
    assert_true(http2_next(peer, NGHTTP2_DATA, 1, &frame));
    assert_int_equal(frame.payload[0], is_announced);
    writer_done(&message);
    http2_free(peer);
    return is_announced;
}

static void a_caller_gets_compressed_what_it_says_that_it_takes(void **state)
{
    static const char *const others[] = { REQUEST,     "grpc-encoding",
                                          "gzip",      "grpc-accept-encoding",
                                          "gzipped,x", NULL };
    static const char *const one[] = {
        REQUEST, "grpc-encoding", "gzip", "grpc-accept-encoding", "gzip", NULL
    };
    static const char *const last[] = {
        REQUEST, "grpc-encoding", "gzip", "grpc-accept-encoding", "identity,deflate, gzip", NULL
    };

    assert_false(answer_is_compressed(*state, gzip_request));
    assert_false(answer_is_compressed(*state, others));
    assert_true(answer_is_compressed(*state, one));
    assert_true(answer_is_compressed(*state, last));
}

static void an_answer_of_an_encoding_that_is_not_known_fails_its_call(void **state)
{
    static const char *const answer[] = {
        ":status", "200", "content-type", "application/grpc", "grpc-encoding", "snappy", NULL
    };
    world       *world = *state;
    Calls__Text  request = CALLS__TEXT__INIT;
    char         address[170];
    int          listener = raw_listen(WORLD_TCP, address);
    char         target[180];
    vow_channel *channel;
    vow_future  *reply;
    http2_peer  *server;
    http2_frame  frame;

    snprintf(target, sizeof target, "grpc%s", strchr(address, ':'));
    channel = vow_channel_open(world->loop, target, NULL);
    reply = calls_calls_echo(channel, &request, NULL);
    server = http2_of_raw(raw_accept(world, listener));
    assert_true(http2_next(server, NGHTTP2_HEADERS, 1, &frame));
    assert_non_null(strstr(frame.fields, "grpc-accept-encoding: identity, gzip\n"));
    assert_null(strstr(frame.fields, "grpc-encoding"));
    http2_add_fields(server, 1, 0, answer);
    http2_send(server);
    assert_int_equal(vow_wait(reply), VOW_INTERNAL);
    assert_non_null(
        strstr(vow_future_error(reply), "the encoding \"snappy\"; known here are identity, gzip"));
    http2_free(server);
    close(listener);
    vow_drop(reply);
    vow_channel_close(channel);
}

/* Memory */

/* What cannot be compressed is sent as it is; what cannot be inflated ends its call. */
static void a_call_without_memory_for_compression_ends_as_it_should(void **state)
{
    size_t exhausted = 0;
    bool   failed = true;

    (void)state;
    for (size_t nth = 0; failed; nth++) {
        void       *opened;
        vow_future *reply;
        vow_code    code;

        failing_install(SIZE_MAX, false);
        open_tcp(&opened);
        served.echoes = served.compresses = true;
        assert_int_equal(world_settle(opened, block_call(opened, 10, ZEROS, true)),
                         VOW_OK); /* it is connected */
        failing_fail_at(nth, false);
        reply = block_call(opened, FREE_SIZE * 2, ZEROS, true);
        code = vow_wait(reply);
        failed = failing_has_failed();
        failing_stop();
        assert_true(code == VOW_OK || failed);
        exhausted += code == VOW_RESOURCE_EXHAUSTED;
        vow_drop(reply);
        assert_int_equal(world_settle(opened, block_call(opened, 10, ZEROS, true)), VOW_OK);
        world_close(&opened);
        assert_int_equal(failing_outstanding(), 0);
        failing_remove();
    }
    assert_true(exhausted > 0);
}

#define TEST(test, open) cmocka_unit_test_setup_teardown(test, open, world_close)

static size_t asked_by_a_call(world *world, bool compress)
{
    size_t before = failing_asked();

    assert_int_equal(world_settle(world, block_call(world, 2000, ZEROS, compress)), VOW_OK);
    assert_int_equal(served.was_compressed, compress);
    return failing_asked() - before;
}

/* zlib asks for seven blocks to compress a message and to inflate it. What a ping of either side and its answer ask for
 * may come on top: four. */
static void zlib_s_memory_is_kept_from_one_message_to_the_next(void **state)
{
    size_t plain;

    failing_install(SIZE_MAX, false);
    open_simulated(state);
    asked_by_a_call(*state, false);
    plain = asked_by_a_call(*state, false);
    assert_true(asked_by_a_call(*state, true) >= plain + 7);
    assert_true(asked_by_a_call(*state, true) <= plain + 6);
    world_close(state);
    assert_int_equal(failing_outstanding(), 0);
    failing_remove();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_side_compresses_when_it_is_asked_to, open_tcp),
        TEST(what_does_not_become_smaller_is_sent_as_it_is, open_simulated),
        TEST(vow_takes_whatever_vow_compresses, open_simulated),
        TEST(the_native_protocol_does_not_compress, open_native),
        TEST(each_message_of_a_stream_is_compressed_or_not, open_tcp),
        TEST(a_call_that_did_not_begin_so_is_not_compressed_later, open_simulated),
        TEST(a_message_may_become_64_kib_whatever_it_was, open_simulated),
        TEST(beyond_that_a_message_may_become_a_hundred_times_as_large, open_simulated),
        TEST(a_message_may_become_as_large_as_any_may_be, open_limited),
        TEST(a_message_that_becomes_megabytes_is_refused, open_simulated),
        TEST(damaged_messages_end_their_call_alone, open_simulated),
        TEST(a_compressed_message_of_no_bytes_is_damaged, open_simulated),
        TEST(a_compressed_message_needs_an_encoding, open_simulated),
        TEST(an_encoding_that_is_not_known_is_refused_with_those_that_are, open_simulated),
        TEST(a_caller_gets_compressed_what_it_says_that_it_takes, open_tcp),
        TEST(an_answer_of_an_encoding_that_is_not_known_fails_its_call, open_tcp),
        cmocka_unit_test(zlib_s_memory_is_kept_from_one_message_to_the_next),
        cmocka_unit_test(a_call_without_memory_for_compression_ends_as_it_should),
    };

    return cmocka_run_group_tests_name("compression", tests, NULL, NULL);
}
