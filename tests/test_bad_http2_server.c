/*
 * What a channel does with a server of HTTP/2 or gRPC that does not follow the rules.
 *
 * The claim, of each: the call fails with a code and words that say what the server did; the next call
 * succeeds where only a call was wrong, and on another connection where that was.
 *
 * Source  gRPC, "gRPC over HTTP2", Responses; "HTTP to gRPC Status Code Mapping".
 */
#include "tests/support/http2_peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OK_FIELDS ":status", "200", "content-type", "application/grpc"

typedef struct fake {
    world       *world;
    int          listener;
    char         address[160];
    vow_channel *channel;
    http2_peer  *peer; /* that connected last */
} fake;

static int open_fake(void **state)
{
    fake *fake = calloc(1, sizeof *fake);
    char  target[170];

    fake->world = world_new(WORLD_GRPC);
    fake->listener = raw_listen(WORLD_TCP, fake->address);
    snprintf(target, sizeof target, "grpc://%s", fake->address + strlen("tcp://"));
    fake->channel = vow_channel_open(fake->world->loop, target, VOW_CHANNEL(.backoff_min_ms = 1));
    *state = fake;
    return 0;
}

static int close_fake(void **state)
{
    fake *fake = *state;

    vow_channel_close(fake->channel);
    http2_free(fake->peer);
    close(fake->listener);
    world_free(fake->world);
    free(fake);
    return 0;
}

static vow_future *ask(fake *fake, const char *text)
{
    Calls__Text request = CALLS__TEXT__INIT;

    request.text = (char *)(uintptr_t)text;
    return calls_calls_echo(fake->channel, &request, NULL);
}

/* The stream of the next call that comes. */
static uint32_t hear_call(fake *fake)
{
    http2_frame frame;

    for (;;) {
        while (http2_take(fake->peer, &frame)) {
            if (frame.type == NGHTTP2_HEADERS)
                return frame.stream;
        }
        assert_false(http2_has_ended(fake->peer));
        http2_turn(fake->peer);
    }
}

static vow_future *ask_and_hear(fake *fake, uint32_t *stream)
{
    vow_future *reply = ask(fake, "hello");

    if (!fake->peer)
        fake->peer = http2_of_raw(raw_accept(fake->world, fake->listener));
    *stream = hear_call(fake);
    return reply;
}

static void answer_well(fake *fake, uint32_t stream)
{
    http2_add_fields(fake->peer, stream, 0, (http2_fields){ OK_FIELDS, NULL });
    http2_add_text(fake->peer, stream, 0, "well");
    http2_add_fields(fake->peer, stream, NGHTTP2_FLAG_END_STREAM, (http2_fields){ "grpc-status", "0", NULL });
    http2_send(fake->peer);
}

static const struct wrong_answer {
    const char *name;
    const char *headers[12];
    bool        is_all;
    const char *data;
    size_t      data_size;
    bool        data_ends;
    const char *trailers[8];
    const char *says; /* with the code's name */
} wrong_answers[] = {
    { "HTTP 503", { ":status", "503" }, .is_all = true, .says = "UNAVAILABLE: " },
    { "HTTP 404", { ":status", "404" }, .is_all = true, .says = "UNIMPLEMENTED: " },
    { "HTTP 401",
      { ":status", "401", "content-type", "text/html" },
      .is_all = true,
      .says = "UNAUTHENTICATED: " },
    { "HTML", { ":status", "200", "content-type", "text/html" }, .says = "content of type \"text/html\"" },
    { "no grpc-status",
      { OK_FIELDS },
      .data = "\0\0\0\0\0",
      .data_size = 5,
      .trailers = { "x", "y" },
      .says = "INTERNAL: " },
    { "no trailers",
      { OK_FIELDS },
      .data = "\0\0\0\0\0",
      .data_size = 5,
      .data_ends = true,
      .says = "the server ended the call without a grpc-status" },
    { "half a message",
      { OK_FIELDS },
      .data = "\0\0\0\0\5ab",
      .data_size = 7,
      .trailers = { "grpc-status", "0" },
      .says = "in the middle of a message" },
    { "no message", { OK_FIELDS }, .trailers = { "grpc-status", "0" }, .says = "without a reply" },
    { "two messages", { OK_FIELDS }, .data = "\0\0\0\0\0\0\0\0\0\0", .data_size = 10, .says = "INTERNAL: " },
    { "a message over the limit",
      { OK_FIELDS },
      .data = "\0\xff\xff\xff\xff",
      .data_size = 5,
      .says = "4194304 are allowed (max_message_size)" },
    { "a code that is none",
      { OK_FIELDS, "grpc-status", "99", "grpc-message", "what%20%" },
      .is_all = true,
      .says = "UNKNOWN: what %" },
    { "bad Base 64", { OK_FIELDS, "a-bin", "*" }, .says = "metadata \"a-bin\" is not Base 64" },
};

static void a_wrong_answer_fails_its_call_and_no_other(void **state)
{
    fake *fake = *state;

    for (size_t i = 0; i < sizeof wrong_answers / sizeof wrong_answers[0]; i++) {
        const struct wrong_answer *wrong = &wrong_answers[i];
        uint32_t                   stream;
        vow_future                *reply = ask_and_hear(fake, &stream);
        const char                *error;

        http2_add_fields(fake->peer, stream, wrong->is_all ? NGHTTP2_FLAG_END_STREAM : 0, wrong->headers);
        if (wrong->data)
            http2_add(fake->peer, NGHTTP2_DATA, wrong->data_ends ? NGHTTP2_FLAG_END_STREAM : 0, stream,
                      wrong->data, wrong->data_size);
        if (wrong->trailers[0])
            http2_add_fields(fake->peer, stream, NGHTTP2_FLAG_END_STREAM, wrong->trailers);
        http2_send(fake->peer);
        error = world_error(fake->world, reply);
        if (!strstr(error, wrong->says))
            fail_msg("%s: %s", wrong->name, error);
        reply = ask_and_hear(fake, &stream);
        answer_well(fake, stream);
        assert_int_equal(world_settle(fake->world, reply), VOW_OK);
    }
}

static void a_server_that_breaks_http2_loses_the_connection(void **state)
{
    fake       *fake = *state;
    uint32_t    stream;
    vow_future *reply = ask_and_hear(fake, &stream);

    http2_add(fake->peer, NGHTTP2_DATA, 0, 99, "x", 1);
    http2_send(fake->peer);
    assert_non_null(strstr(world_error(fake->world, reply), "INTERNAL: "));
    http2_assert_told(fake->peer, "data for no stream", NGHTTP2_PROTOCOL_ERROR, "");
}

/* What the last id of a GOAWAY leaves out did not run, and begins anew: RFC 9113, section 6.8. */
static void a_call_behind_a_goaway_begins_anew(void **state)
{
    fake       *fake = *state;
    uint32_t    stream;
    vow_future *reply = ask_and_hear(fake, &stream);

    http2_add(fake->peer, NGHTTP2_GOAWAY, 0, 0, "\0\0\0\0\0\0\0\0", 8);
    http2_send(fake->peer);
    http2_turn(fake->peer);
    http2_free(fake->peer);
    fake->peer = http2_of_raw(raw_accept(fake->world, fake->listener));
    stream = hear_call(fake);
    answer_well(fake, stream);
    assert_int_equal(world_settle(fake->world, reply), VOW_OK);
}

static void a_refused_stream_begins_anew(void **state)
{
    fake       *fake = *state;
    uint32_t    stream;
    vow_future *reply = ask_and_hear(fake, &stream);

    http2_add_number(fake->peer, NGHTTP2_RST_STREAM, stream, NGHTTP2_REFUSED_STREAM);
    http2_send(fake->peer);
    stream = hear_call(fake);
    answer_well(fake, stream);
    assert_int_equal(world_settle(fake->world, reply), VOW_OK);
}

/* Others' servers end connections that cancel too much. */
static void a_channel_cancels_no_more_than_servers_take(void **state)
{
    fake       *fake = *state;
    uint32_t    stream;
    size_t      resets = 0;
    http2_frame frame;

    for (int i = 0; i < 1200; i++) {
        vow_future *reply = ask_and_hear(fake, &stream);

        while (!(http2_take(fake->peer, &frame) && frame.type == NGHTTP2_DATA))
            http2_turn(fake->peer);
        vow_drop(reply);
    }
    for (int i = 0; i < 20; i++)
        http2_turn(fake->peer);
    fake->peer->at = NGHTTP2_CLIENT_MAGIC_LEN;
    for (const writer *got = &fake->peer->raw->got; fake->peer->at < got->size;) {
        const uint8_t *at = got->data + fake->peer->at;

        resets += at[3] == NGHTTP2_RST_STREAM;
        fake->peer->at += 9 + ((size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2]);
    }
    assert_in_range(resets, 900, 1000);
    answer_well(fake, stream); /* that of the last runs on, and nobody listens */
    http2_turn(fake->peer);
}

#define FAKE(test)                                                                                           \
    {                                                                                                        \
#test, test, open_fake, close_fake, NULL                                                             \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAKE(a_wrong_answer_fails_its_call_and_no_other),
        FAKE(a_server_that_breaks_http2_loses_the_connection),
        FAKE(a_call_behind_a_goaway_begins_anew),
        FAKE(a_refused_stream_begins_anew),
        FAKE(a_channel_cancels_no_more_than_servers_take),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
