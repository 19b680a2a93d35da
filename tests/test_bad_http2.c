/*
 * What a server does with a peer of HTTP/2 or gRPC that does not follow the rules, or does so to do harm.
 *
 * The claim, of each: what is wrong with a call ends that call with a status or a reset; what is wrong with
 * the connection, or too much, ends it with a GOAWAY that says why; and other connections are served.
 *
 * Source  docs/security.md lists the attacks; gRPC, "gRPC over HTTP2"; RFC 9113.
 */
#include "tests/support/http2_peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALLS_MAX 200000

/* Calls that are wrong */

#define PLAIN                                                                                                \
    ":method", "POST", ":scheme", "http", ":authority", "a", ":path", "/calls.Calls/Echo", "te", "trailers", \
        "content-type", "application/grpc"

static const struct wrong_call {
    const char *name;
    const char *fields[24];
    const char *message; /* what is sent, with END_STREAM; NULL: an empty Text, well-formed */
    size_t      message_size;
    int         code;
    const char *says;
} wrong_calls[] = {
    { "no te",
      { ":method", "POST", ":scheme", "http", ":authority", "a", ":path", "/calls.Calls/Echo", "content-type",
        "application/grpc" },
      .code = VOW_INTERNAL,
      .says = "the request lacks \"te: trailers\"" },
    { "the path of nothing",
      { ":method", "POST", ":scheme", "http", ":authority", "a", ":path", "/", "te", "trailers",
        "content-type", "application/grpc" },
      .code = VOW_UNIMPLEMENTED,
      .says = "is no path of a method" },
    { "a method that is none",
      { ":method", "POST", ":scheme", "http", ":authority", "a", ":path", "/calls.Calls/No", "te", "trailers",
        "content-type", "application/grpc+proto" },
      .code = VOW_UNIMPLEMENTED,
      .says = "calls.Calls/No" },
    { "a timeout without a unit",
      { PLAIN, "grpc-timeout", "10" },
      .code = VOW_INTERNAL,
      .says = "grpc-timeout \"10\"" },
    { "a timeout of nine digits",
      { PLAIN, "grpc-timeout", "123456789S" },
      .code = VOW_INTERNAL,
      .says = "it has 1 to 8 digits and a unit" },
    { "a negative timeout",
      { PLAIN, "grpc-timeout", "-1S" },
      .code = VOW_INTERNAL,
      .says = "grpc-timeout \"-1S\"" },
    { "a value that is not Base 64",
      { PLAIN, "token-bin", "a*b=" },
      .code = VOW_INTERNAL,
      .says = "metadata \"token-bin\" is not Base 64" },
    { "one of several that is not Base 64",
      { PLAIN, "token-bin", "YQ==, YQ=" },
      .code = VOW_INTERNAL,
      .says = "metadata \"token-bin\" is not Base 64" },
    { "a compressed message, and no word of how",
      { PLAIN },
      .message = "\1\0\0\0\0",
      .message_size = 5,
      .code = VOW_INTERNAL,
      .says = "grpc-encoding" },
    { "a flag that is none",
      { PLAIN },
      .message = "\2\0\0\0\0",
      .message_size = 5,
      .code = VOW_INTERNAL,
      .says = "a message begins with 2; 0 and 1 are allowed" },
    { "a message over the limit",
      { PLAIN },
      .message = "\0\xff\xff\xff\xff",
      .message_size = 5,
      .code = VOW_RESOURCE_EXHAUSTED,
      .says = "a message of 4294967295 bytes came; 4194304 are allowed (max_message_size)" },
    { "half a prefix",
      { PLAIN },
      .message = "\0\0\0",
      .message_size = 3,
      .code = VOW_INTERNAL,
      .says = "in the middle of a message" },
    { "half a message",
      { PLAIN },
      .message = "\0\0\0\0\7abc",
      .message_size = 8,
      .code = VOW_INTERNAL,
      .says = "in the middle of a message" },
    { "a second message",
      { PLAIN },
      .message = "\0\0\0\0\0\0\0\0\0\0",
      .message_size = 10,
      .code = VOW_INTERNAL,
      .says = "a second message came" },
    { "no message",
      { PLAIN },
      .message = "",
      .message_size = 0,
      .code = VOW_INTERNAL,
      .says = "without a message" },
    { "a message that is no Text",
      { PLAIN },
      .message = "\0\0\0\0\2\x0a\x7f",
      .message_size = 7,
      .code = VOW_INVALID_ARGUMENT,
      .says = "goes beyond the end of the message" },
};

static void a_wrong_call_ends_with_its_status_and_no_other(void **state)
{
    world      *world = *state;
    http2_peer *peer = http2_connect(world);
    uint32_t    stream = 1;

    for (size_t i = 0; i < sizeof wrong_calls / sizeof wrong_calls[0]; i++, stream += 4) {
        const struct wrong_call *wrong = &wrong_calls[i];

        http2_add_fields(peer, stream, 0, wrong->fields);
        if (wrong->message)
            http2_add(peer, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, stream, wrong->message,
                      wrong->message_size);
        else
            http2_add_text(peer, stream, NGHTTP2_FLAG_END_STREAM, "");
        http2_send(peer);
        http2_assert_status(peer, wrong->name, stream, wrong->code, wrong->says);
        http2_add_request(peer, stream + 2, "Echo");
        http2_add_text(peer, stream + 2, NGHTTP2_FLAG_END_STREAM, "fine");
        http2_send(peer);
        http2_assert_status(peer, wrong->name, stream + 2, VOW_OK, "");
    }
    http2_free(peer);
    world_assert_serves(world);
}

static void assert_http_status(http2_peer *peer, uint32_t stream, const char *const *fields,
                               const char *status)
{
    http2_frame frame;
    char        line[32];

    http2_add_fields(peer, stream, NGHTTP2_FLAG_END_STREAM, fields);
    http2_send(peer);
    assert_true(http2_next(peer, NGHTTP2_HEADERS, stream, &frame));
    snprintf(line, sizeof line, ":status: %s\n", status);
    assert_non_null(strstr(frame.fields, line));
    assert_null(strstr(frame.fields, "grpc-status"));
}

/* gRPC, "gRPC over HTTP2", Requests: "415 … prevents other HTTP/2 clients from interpreting a gRPC error
 * response, which uses status 200 (OK), as successful". */
static void what_is_not_grpc_is_answered_in_http(void **state)
{
    http2_peer *peer = http2_connect(*state);

    assert_http_status(peer, 1,
                       (http2_fields){ ":method", "POST", ":scheme", "http", ":authority", "a", ":path",
                                       "/calls.Calls/Echo", "te", "trailers", "content-type",
                                       "application/json", NULL },
                       "415");
    assert_http_status(peer, 3,
                       (http2_fields){ ":method", "POST", ":scheme", "http", ":authority", "a", ":path",
                                       "/calls.Calls/Echo", "te", "trailers", "content-type",
                                       "application/grpc-web", NULL },
                       "415");
    assert_http_status(
        peer, 5, (http2_fields){ ":method", "GET", ":scheme", "http", ":authority", "a", ":path", "/", NULL },
        "405");
    http2_free(peer);
    world_assert_serves(*state);
}

/* CVE-2026-33186: what is looked up is what rules are made of, or it is refused. RFC 9113, section 8.3.1. */
static void a_path_without_its_slash_is_refused(void **state)
{
    http2_peer *peer = http2_connect(*state);

    http2_add_fields(peer, 1, NGHTTP2_FLAG_END_STREAM,
                     (http2_fields){ ":method", "POST", ":scheme", "http", ":authority", "a", ":path",
                                     "calls.Calls/Echo", "te", "trailers", "content-type", "application/grpc",
                                     NULL });
    http2_send(peer);
    http2_assert_reset(peer, "no slash", 1, NGHTTP2_PROTOCOL_ERROR);
    http2_free(peer);
}

/* Metadata, at both sides of its limits: 100 entries, and 16 KiB with 32 for each. */
static void add_entries(http2_peer *peer, uint32_t stream, size_t count, size_t value_size)
{
    static char value[20000];
    const char *fields[512] = { PLAIN };
    size_t      at = 12;

    memset(value, 'v', value_size);
    value[value_size] = '\0';
    for (size_t i = 0; i < count; i++) {
        fields[at++] = "name";
        fields[at++] = value;
    }
    assert_true(at < 512);
    fields[at] = NULL;
    http2_add_fields(peer, stream, 0, fields);
    http2_add_text(peer, stream, NGHTTP2_FLAG_END_STREAM, "");
    http2_send(peer);
}

static void metadata_has_limits(void **state)
{
    world      *world = *state;
    http2_peer *peer = http2_connect(world);

    add_entries(peer, 1, 100, 10);
    http2_assert_status(peer, "100 entries", 1, VOW_OK, "");
    add_entries(peer, 3, 101, 10);
    http2_assert_status(peer, "101 entries", 3, VOW_RESOURCE_EXHAUSTED, "metadata has more than 100 entries");
    add_entries(peer, 5, 1, 16384 - 32 - 4);
    http2_assert_status(peer, "16 KiB", 5, VOW_OK, "");
    add_entries(peer, 7, 1, 16384 - 32 - 4 + 1);
    http2_assert_status(peer, "16 KiB and a byte", 7, VOW_RESOURCE_EXHAUSTED,
                        "metadata counts more than 16384 bytes, 32 for each entry included");
    http2_free(peer);
    world_assert_serves(world);
}

/* Connections that are wrong */

static void zero_window_update(http2_peer *peer)
{
    http2_add_number(peer, NGHTTP2_WINDOW_UPDATE, 0, 0);
}
static void window_overflow(http2_peer *peer)
{
    http2_add_number(peer, NGHTTP2_WINDOW_UPDATE, 0, 0x7fffffff);
}
static void huge_first_window(http2_peer *peer)
{
    http2_add(peer, NGHTTP2_SETTINGS, 0, 0, "\0\4\xff\xff\xff\xff", 6);
}
static void even_stream(http2_peer *peer)
{
    http2_add_request(peer, 2, "Echo");
}
static void stream_zero(http2_peer *peer)
{
    http2_add_request(peer, 0, "Echo");
}
static void data_for_no_stream(http2_peer *peer)
{
    http2_add(peer, NGHTTP2_DATA, 0, 9, "x", 1);
}
static void reset_of_no_stream(http2_peer *peer)
{
    http2_add_number(peer, NGHTTP2_RST_STREAM, 9, NGHTTP2_CANCEL);
}
static void huge_frame(http2_peer *peer)
{
    writer_add(&peer->out, "\xff\xff\xff\0\0\0\0\0\1", 9);
}
static void bad_block(http2_peer *peer)
{
    http2_add(peer, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, "\xff\xff\xff\xff\xff\xff\xff", 7);
}
static void endless_number_in_a_block(http2_peer *peer)
{
    http2_add(peer, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, "\x7f\x80\x80\x80\x80\x80\x80\x80\x80\x80",
              10);
}
static void interleaved_block(http2_peer *peer)
{
    http2_add(peer, NGHTTP2_HEADERS, 0, 1, "\x82", 1);
    http2_add(peer, NGHTTP2_PING, 0, 0, "12345678", 8);
}
static void push_promise(http2_peer *peer)
{
    http2_add(peer, NGHTTP2_PUSH_PROMISE, NGHTTP2_FLAG_END_HEADERS, 1, "\0\0\0\2\x82", 5);
}
static void short_ping(http2_peer *peer)
{
    http2_add(peer, NGHTTP2_PING, 0, 0, "1234", 4);
}
static void many_settings(http2_peer *peer)
{
    static uint8_t entries[33 * 6];

    for (size_t i = 0; i < 33; i++)
        entries[i * 6 + 1] = 0xf;
    http2_add(peer, NGHTTP2_SETTINGS, 0, 0, entries, sizeof entries);
}
static void short_priority(http2_peer *peer)
{
    http2_add(peer, NGHTTP2_PRIORITY, 0, 1, "123", 3);
}

static const struct wrong_peer {
    const char *name;
    void (*write)(http2_peer *peer);
    uint32_t error;
} wrong_peers[] = {
    { "a window update of nothing", zero_window_update, NGHTTP2_PROTOCOL_ERROR },
    { "a window that overflows", window_overflow, NGHTTP2_FLOW_CONTROL_ERROR },
    { "a first window that is too large", huge_first_window, NGHTTP2_FLOW_CONTROL_ERROR },
    { "a stream with an even id", even_stream, NGHTTP2_PROTOCOL_ERROR },
    { "a stream without an id", stream_zero, NGHTTP2_PROTOCOL_ERROR },
    { "data for no stream", data_for_no_stream, NGHTTP2_PROTOCOL_ERROR },
    { "a reset of no stream", reset_of_no_stream, NGHTTP2_PROTOCOL_ERROR },
    { "a frame of 16 MiB", huge_frame, NGHTTP2_FRAME_SIZE_ERROR },
    { "a block that is no HPACK", bad_block, NGHTTP2_COMPRESSION_ERROR },
    { "a number in a block without an end", endless_number_in_a_block, NGHTTP2_COMPRESSION_ERROR },
    { "a frame inside a block", interleaved_block, NGHTTP2_PROTOCOL_ERROR },
    { "a promise to a server", push_promise, NGHTTP2_PROTOCOL_ERROR },
    { "half a ping", short_ping, NGHTTP2_FRAME_SIZE_ERROR },
    { "more settings than there are", many_settings, NGHTTP2_ENHANCE_YOUR_CALM },
    { "half a priority", short_priority, NGHTTP2_FRAME_SIZE_ERROR },
};

static void a_wrong_connection_ends_and_no_other(void **state)
{
    world *world = *state;

    for (size_t i = 0; i < sizeof wrong_peers / sizeof wrong_peers[0]; i++) {
        http2_peer *peer = http2_connect(world);

        wrong_peers[i].write(peer);
        http2_send(peer);
        http2_assert_told(peer, wrong_peers[i].name, wrong_peers[i].error, "");
        http2_free(peer);
        world_assert_serves(world);
    }
}

/* Header blocks */

static void add_begun_block(http2_peer *peer)
{
    http2_add(peer, NGHTTP2_HEADERS, 0, 1, "\x83\x86", 2); /* POST, http */
}

static void a_block_of_too_many_frames_ends_the_connection(void **state)
{
    static const size_t sizes[] = { 0, 1, 16384 };

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        static uint8_t block[16384];
        http2_peer    *peer = http2_connect(*state);

        memset(block, 0x86, sizeof block);
        add_begun_block(peer);
        for (int count = 0; count < 9; count++)
            http2_add(peer, NGHTTP2_CONTINUATION, 0, 1, block, sizes[i]);
        http2_send(peer);
        http2_assert_told(peer, "CONTINUATION", NGHTTP2_ENHANCE_YOUR_CALM, "a header block of ");
        http2_free(peer);
        world_assert_serves(*state);
    }
}

static void a_block_of_eight_frames_more_is_read(void **state)
{
    http2_peer *peer = http2_connect(*state);
    writer      block = { 0 };

    http2_write_block(peer, &block, (http2_fields){ PLAIN, NULL });
    http2_add(peer, NGHTTP2_HEADERS, 0, 1, block.data, 1);
    for (size_t i = 1; i < 8; i++)
        http2_add(peer, NGHTTP2_CONTINUATION, 0, 1, block.data + i, 1);
    http2_add(peer, NGHTTP2_CONTINUATION, NGHTTP2_FLAG_END_HEADERS, 1, block.data + 8, block.size - 8);
    http2_add_text(peer, 1, NGHTTP2_FLAG_END_STREAM, "");
    http2_send(peer);
    http2_assert_status(peer, "eight CONTINUATIONs", 1, VOW_OK, "");
    writer_done(&block);
    http2_free(peer);
}

/* 24 KiB: metadata of 16 KiB in Base 64, and the fields of the call. */
static void a_block_of_a_request_has_a_size(void **state)
{
    for (size_t size = 24576; size <= 24577; size++) {
        static uint8_t rest[16384];
        http2_peer    *peer = http2_connect(*state);
        writer         block = { 0 };
        size_t         left = size;

        http2_write_block(peer, &block, (http2_fields){ PLAIN, NULL });
        memset(rest, 0x86, sizeof rest); /* ":scheme: http", again */
        http2_add(peer, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM, 1, block.data, block.size);
        left -= block.size;
        http2_add(peer, NGHTTP2_CONTINUATION, 0, 1, rest, 16384);
        http2_add(peer, NGHTTP2_CONTINUATION, NGHTTP2_FLAG_END_HEADERS, 1, rest, left - 16384);
        http2_send(peer);
        if (size == 24576)
            http2_assert_reset(peer, "24 KiB", 1, NGHTTP2_PROTOCOL_ERROR);
        else
            http2_assert_told(peer, "a byte more", NGHTTP2_ENHANCE_YOUR_CALM, "24576 in 9 are allowed");
        writer_done(&block);
        http2_free(peer);
    }
}

/* One entry of the table, named again and again: 4 KiB for a byte. */
static void a_block_that_grows_in_the_table_resets_its_stream(void **state)
{
    world      *world = *state;
    http2_peer *peer = http2_connect(world);
    static char value[3900];
    writer      block = { 0 };

    memset(value, 'b', sizeof value - 1);
    http2_write_block(peer, &block, (http2_fields){ PLAIN, "bomb", value, NULL });
    http2_add(peer, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, block.data, block.size);
    writer_repeat(&block, "\xbe", 1, 16000);
    http2_add(peer, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 3, block.data + block.size - 16000, 16000);
    http2_send(peer);
    http2_assert_reset(peer, "a bomb", 3, NGHTTP2_INTERNAL_ERROR);
    http2_add_request(peer, 5, "Echo"); /* the table is still in step */
    http2_add_text(peer, 5, NGHTTP2_FLAG_END_STREAM, "");
    http2_send(peer);
    http2_assert_status(peer, "behind a bomb", 5, VOW_OK, "");
    writer_done(&block);
    http2_free(peer);
    world_assert_serves(world);
}

/* Floods */

static void empty_data(http2_peer *peer)
{
    http2_add(peer, NGHTTP2_DATA, 0, 1, NULL, 0);
}
static void padded_data(http2_peer *peer)
{
    http2_add(peer, NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1, "\0", 1);
}
static void priority(http2_peer *peer)
{
    http2_add(peer, NGHTTP2_PRIORITY, 0, 3, "\0\0\0\1\x10", 5);
}
static void settings(http2_peer *peer)
{
    static bool is_large;

    is_large = !is_large;
    http2_add(peer, NGHTTP2_SETTINGS, 0, 0, is_large ? "\0\1\0\0\x10\0" : "\0\1\0\0\0\0", 6);
}
static void unknown_frame(http2_peer *peer)
{
    http2_add(peer, 0x77, 0, 0, "what", 4);
}

static const struct flood {
    const char *name;
    void (*write)(http2_peer *peer);
    int most; /* that are taken at once */
} floods[] = {
    { "empty DATA", empty_data, 1000 }, { "padded DATA", padded_data, 1000 },
    { "PRIORITY", priority, 1000 },     { "SETTINGS", settings, 99 }, /* and the first */
    { "unknown", unknown_frame, 1000 },
};

static void a_flood_of_frames_that_say_nothing_ends_the_connection(void **state)
{
    world *world = *state;

    for (size_t i = 0; i < sizeof floods / sizeof floods[0]; i++) {
        http2_peer *peer = http2_connect(world);

        http2_add_request(peer, 1, "Hold");
        for (int count = 0; count < floods[i].most - 10; count++)
            floods[i].write(peer);
        http2_add_request(peer, 3, "Echo");
        http2_add_text(peer, 3, NGHTTP2_FLAG_END_STREAM, "");
        http2_send(peer);
        http2_assert_status(peer, floods[i].name, 3, VOW_OK, "");
        for (int count = 0; count < 2 * floods[i].most; count++)
            floods[i].write(peer);
        http2_send(peer);
        http2_assert_told(peer, floods[i].name, NGHTTP2_ENHANCE_YOUR_CALM,
                          "too many frames that say nothing");
        http2_free(peer);
        world_assert_serves(world);
    }
}

/* nghttp2 reads their blocks, and tells nobody. */
static void headers_of_a_stream_that_has_ended_are_a_flood(void **state)
{
    world      *world = *state;
    http2_peer *peer = http2_connect(world);

    http2_add_request(peer, 1, "Echo");
    http2_add_text(peer, 1, NGHTTP2_FLAG_END_STREAM, "");
    http2_send(peer);
    http2_assert_status(peer, "the first", 1, VOW_OK, "");
    for (int count = 0; count < 990; count++)
        http2_add_request(peer, 1, "Echo");
    http2_add_request(peer, 3, "Echo");
    http2_add_text(peer, 3, NGHTTP2_FLAG_END_STREAM, "");
    http2_send(peer);
    http2_assert_status(peer, "behind them", 3, VOW_OK, "");
    for (int count = 0; count < 2000; count++)
        http2_add_request(peer, 1, "Echo");
    http2_send(peer);
    http2_assert_told(peer, "a flood", NGHTTP2_ENHANCE_YOUR_CALM,
                      "too many frames that say nothing (HEADERS of a stream that has ended)");
    http2_free(peer);
    world_assert_serves(world);
}

/* gRFC A8: two pings that come too soon are forgiven; one behind a frame of a call is free. */
static void pings_that_come_too_soon_end_the_connection(void **state)
{
    world      *world = *state;
    http2_peer *peer = http2_connect(world);
    http2_frame frame;

    for (uint32_t i = 0; i < 5; i++) {
        http2_add_request(peer, 2 * i + 1, "Echo");
        http2_add_text(peer, 2 * i + 1, NGHTTP2_FLAG_END_STREAM, "");
        http2_send(peer);
        http2_assert_status(peer, "between pings", 2 * i + 1, VOW_OK, "");
        http2_add(peer, NGHTTP2_PING, 0, 0, "abcdefgh", 8);
        http2_send(peer);
        assert_true(http2_next(peer, NGHTTP2_PING, 0, &frame));
        assert_memory_equal(frame.payload, "abcdefgh", 8);
    }
    for (int i = 0; i < 3; i++)
        http2_add(peer, NGHTTP2_PING, 0, 0, "abcdefgh", 8);
    http2_send(peer);
    http2_assert_told(peer, "pings", NGHTTP2_ENHANCE_YOUR_CALM, "too_many_pings");
    http2_free(peer);
    world_assert_serves(world);
}

/* Calls that end before their answer, whoever ends them */

static void reset_by_the_peer(http2_peer *peer, uint32_t stream)
{
    http2_add_number(peer, NGHTTP2_RST_STREAM, stream, NGHTTP2_CANCEL);
}
static void window_update_of_nothing(http2_peer *peer, uint32_t stream)
{
    http2_add_number(peer, NGHTTP2_WINDOW_UPDATE, stream, 0);
}
static void window_update_that_overflows(http2_peer *peer, uint32_t stream)
{
    http2_add_number(peer, NGHTTP2_WINDOW_UPDATE, stream, 0x7fffffff);
}
static void headers_behind_the_end(http2_peer *peer, uint32_t stream)
{
    http2_add_text(peer, stream, NGHTTP2_FLAG_END_STREAM, "");
    http2_add_request(peer, stream, "Hold");
}
static void data_behind_the_end(http2_peer *peer, uint32_t stream)
{
    http2_add_text(peer, stream, NGHTTP2_FLAG_END_STREAM, "");
    http2_add_text(peer, stream, 0, "");
}
static void wrong_trailers(http2_peer *peer, uint32_t stream)
{
    http2_add_fields(peer, stream, 0, (http2_fields){ "connection", "close", NULL });
}
static void priority_on_itself(http2_peer *peer, uint32_t stream)
{
    const uint8_t payload[5] = { 0, 0, (uint8_t)(stream >> 8), (uint8_t)stream, 1 };

    http2_add(peer, NGHTTP2_PRIORITY, 0, stream, payload, sizeof payload);
}

static void priority_of_a_wrong_size(http2_peer *peer, uint32_t stream)
{
    http2_add(peer, NGHTTP2_PRIORITY, 0, stream, "\0\0\0\1", 4);
}
static void reset_of_a_wrong_size(http2_peer *peer, uint32_t stream)
{
    http2_add(peer, NGHTTP2_RST_STREAM, 0, stream, "\0\0\0\0\10", 5);
}
static void a_frame_over_the_limit(http2_peer *peer, uint32_t stream)
{
    static const uint8_t payload[16385];

    http2_add(peer, NGHTTP2_DATA, 0, stream, payload, sizeof payload);
}
static void a_message(http2_peer *peer, uint32_t stream)
{
    http2_add_text(peer, stream, NGHTTP2_FLAG_END_STREAM, "longer than was said");
}
static void content_of_length_1(http2_peer *peer, uint32_t stream)
{
    http2_add_fields(peer, stream, 0, (http2_fields){ PLAIN, "content-length", "1", NULL });
}
static void content_of_length_1000(http2_peer *peer, uint32_t stream)
{
    http2_add_fields(peer, stream, 0, (http2_fields){ PLAIN, "content-length", "1000", NULL });
}

#define CALM NGHTTP2_ENHANCE_YOUR_CALM

/* `error` is what the connection ends with: CALM after a thousand, and others at the first. */
static const struct early_end {
    const char *name;
    void (*write)(http2_peer *peer, uint32_t stream);
    uint32_t error;
    void (*begin)(http2_peer *peer, uint32_t stream); /* NULL: a request that is held */
} early_ends[] = {
    { "a reset", reset_by_the_peer, CALM, NULL },
    { "a window update of nothing", window_update_of_nothing, NGHTTP2_PROTOCOL_ERROR, NULL },
    { "a window update that overflows", window_update_that_overflows, CALM, NULL },
    { "headers behind the end", headers_behind_the_end, NGHTTP2_STREAM_CLOSED, NULL },
    { "data behind the end", data_behind_the_end, NGHTTP2_STREAM_CLOSED, NULL },
    { "wrong trailers", wrong_trailers, CALM, NULL },
    { "priority on itself", priority_on_itself, NGHTTP2_PROTOCOL_ERROR, NULL },
    { "priority of a wrong size", priority_of_a_wrong_size, NGHTTP2_FRAME_SIZE_ERROR, NULL },
    { "a reset of a wrong size", reset_of_a_wrong_size, NGHTTP2_FRAME_SIZE_ERROR, NULL },
    { "a frame over the limit", a_frame_over_the_limit, NGHTTP2_FRAME_SIZE_ERROR, NULL },
    { "more than content-length says", a_message, CALM, content_of_length_1 },
    { "less than content-length says", a_message, CALM, content_of_length_1000 },
};

/* Sends calls until the connection has ended. Gives the stream that would have been next. */
static uint32_t end_calls_early(http2_peer *peer, const struct early_end *end)
{
    uint32_t stream = 1;

    while (!http2_has_ended(peer) && stream < 2 * CALLS_MAX) {
        for (int count = 0; count < 50; count++, stream += 2) {
            if (end->begin)
                end->begin(peer, stream);
            else
                http2_add_request(peer, stream, "Hold");
            end->write(peer, stream);
        }
        http2_send(peer);
        for (int turn = 0; turn < 20; turn++)
            http2_turn(peer);
        assert_true(peer->world->held_count <= 100);
    }
    if (!http2_has_ended(peer))
        fail_msg("%s: the connection goes on", end->name);
    return stream;
}

/* A thousand are free; then the connection is not read for three seconds, twice; then it ends. Where HTTP/2
 * ends the connection for the first of them, it has ended so much the sooner. */
static void calls_that_end_early_are_slowed_down_then_end_the_connection(void **state)
{
    world *world = *state;

    for (size_t i = 0; i < sizeof early_ends / sizeof early_ends[0]; i++) {
        const struct early_end *end = &early_ends[i];
        http2_peer             *peer = http2_connect(world);
        size_t                  before = world->held_ever;
        uint32_t                stream = end_calls_early(peer, end);

        if (end->error == CALM ? stream < 2 * 1000 : stream > 2 * 50 + 1)
            fail_msg("%s: ended at stream %u", end->name, (unsigned)stream);
        assert_true(world->held_ever - before < 5000);
        http2_assert_told(peer, end->name, end->error,
                          end->error == CALM ? "too many calls were cancelled" : "");
        http2_free(peer);
        world_assert_serves(world);
    }
}

/* RFC 9113, section 5.1.2: beyond the limit a stream is refused. A peer that has not acknowledged the limit
 * may not know of it, and is charged for each. */
static void calls_beyond_the_limit_are_refused_and_charged(void **state)
{
    world      *world = *state;
    http2_peer *peer = http2_connect(world);
    uint32_t    stream = 1;

    for (; stream < 2 * 100; stream += 2) {
        http2_add_request(peer, stream, "Hold");
        http2_add_text(peer, stream, NGHTTP2_FLAG_END_STREAM, "");
    }
    http2_send(peer);
    world_wait_for_held(world, 100);
    http2_add_request(peer, stream, "Hold");
    http2_send(peer);
    http2_assert_reset(peer, "the 101st call", stream, NGHTTP2_REFUSED_STREAM);
    while (!http2_has_ended(peer)) {
        for (int count = 0; count < 50; count++)
            http2_add_request(peer, stream += 2, "Hold");
        http2_send(peer);
        for (int turn = 0; turn < 20; turn++)
            http2_turn(peer);
        assert_int_equal(world->held_ever, 100);
        assert_true(stream < 2 * CALLS_MAX);
    }
    http2_assert_told(peer, "refused", NGHTTP2_ENHANCE_YOUR_CALM, "too many calls were cancelled");
    http2_free(peer);
    world_assert_serves(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HTTP2_EVERYWHERE(a_wrong_call_ends_with_its_status_and_no_other),
        HTTP2_EVERYWHERE(what_is_not_grpc_is_answered_in_http),
        HTTP2_SIMULATED(a_path_without_its_slash_is_refused),
        HTTP2_SIMULATED(metadata_has_limits),
        HTTP2_EVERYWHERE(a_wrong_connection_ends_and_no_other),
        HTTP2_EVERYWHERE(a_block_of_too_many_frames_ends_the_connection),
        HTTP2_SIMULATED(a_block_of_eight_frames_more_is_read),
        HTTP2_SIMULATED(a_block_of_a_request_has_a_size),
        HTTP2_EVERYWHERE(a_block_that_grows_in_the_table_resets_its_stream),
        HTTP2_EVERYWHERE(a_flood_of_frames_that_say_nothing_ends_the_connection),
        HTTP2_EVERYWHERE(pings_that_come_too_soon_end_the_connection),
        HTTP2_SIMULATED(calls_that_end_early_are_slowed_down_then_end_the_connection),
        HTTP2_SIMULATED(headers_of_a_stream_that_has_ended_are_a_flood),
        HTTP2_SIMULATED(calls_beyond_the_limit_are_refused_and_charged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
