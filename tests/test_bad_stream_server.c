/*
 * A server that breaks the rules of streams: the call ends with a code and a text that say what happened, and
 * calls on other connections go on.
 */
#include "tests/support/sim_peer.h"
#include "tests/support/streams.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <string.h>

#define ADDRESS "tcp://10.0.0.9:7000"

static uint8_t zeros[65536];

static void stream(writer *w, bool more, size_t size)
{
    write_frame(w, HEADER(.kind = VOW_FRAME_STREAM, .call = 1, .more = more, .message_size = more ? 10 : 0),
                zeros, size);
}
static void status(writer *w, vow_code code)
{
    write_frame(w, HEADER(.kind = VOW_FRAME_STATUS, .call = 1, .code = (uint32_t)code), NULL, 0);
}
static void reply(writer *w, bool more)
{
    write_frame(w, HEADER(.kind = VOW_FRAME_REPLY, .call = 1, .more = more, .message_size = more ? 10 : 0),
                NULL, 0);
}

static void ends_in_a_message(writer *w)
{
    stream(w, true, 5);
    status(w, VOW_OK);
}
static void fails_in_a_message(writer *w)
{
    stream(w, true, 5);
    status(w, VOW_ABORTED);
}
static void ends_in_a_reply(writer *w)
{
    reply(w, true);
    status(w, VOW_OK);
}
static void no_reply(writer *w)
{
    status(w, VOW_OK);
}
static void a_stream_for_a_reply(writer *w)
{
    stream(w, false, 0);
}
static void a_reply_for_a_stream(writer *w)
{
    reply(w, false);
}
static void behind_the_reply(writer *w)
{
    reply(w, true);
    stream(w, false, 0);
}
static void beyond_the_window(writer *w)
{
    for (int i = 0; i < 3; i++)
        stream(w, false, 32000);
}
static void too_large(writer *w)
{
    write_frame(w, HEADER(.kind = VOW_FRAME_STREAM, .call = 1, .more = true, .message_size = 100 << 20), NULL,
                0);
}
static void late_metadata(writer *w)
{
    stream(w, false, 0);
    write_frame(w,
                HEADER(.kind = VOW_FRAME_STREAM, .call = 1,
                       .to_send = VOW_METADATA({ .name = "name", .value = "x" })),
                NULL, 0);
}
static void malformed_metadata(writer *w)
{
    write_frame(w,
                HEADER(.kind = VOW_FRAME_STREAM, .call = 1,
                       .to_send = VOW_METADATA({ .name = "Na me", .value = "x" })),
                NULL, 0);
}
static void no_credit(writer *w)
{
    write_frame(w, HEADER(.kind = VOW_FRAME_CREDIT, .call = 1), NULL, 0);
}
static void end_of_ours(writer *w)
{
    write_frame(w, HEADER(.kind = VOW_FRAME_END, .call = 1), NULL, 0);
}

static const struct {
    const char       *name;
    const vow_method *method;
    void (*write)(writer *writer);
    vow_code    code;
    const char *says;
} faults[] = {
    { "ends in a message", &streams_chat, ends_in_a_message, VOW_INTERNAL,
      "STATUS for call 1, in the middle of a message" },
    { "fails in a message", &streams_chat, fails_in_a_message, VOW_ABORTED, "" },
    { "ends in a reply", &streams_join, ends_in_a_reply, VOW_INTERNAL,
      "STATUS for call 1, in the middle of a message" },
    { "no reply", &streams_join, no_reply, VOW_INTERNAL, "the server ended the call without a reply" },
    { "a stream for a reply", &streams_join, a_stream_for_a_reply, VOW_INTERNAL,
      "streams its replies, and the method answers once" },
    { "a reply for a stream", &streams_chat, a_reply_for_a_stream, VOW_INTERNAL,
      "answers once, and the method streams its replies" },
    { "behind the reply", &streams_join, behind_the_reply, VOW_INTERNAL,
      "STREAM for call 1, whose sender had ended its messages" },
    { "beyond the window", &streams_chat, beyond_the_window, VOW_INTERNAL,
      "STREAM for call 1 costs 32032 bytes, and the call had credit for 1472" },
    { "too large", &streams_chat, too_large, VOW_RESOURCE_EXHAUSTED, "a message of 104857600 bytes came" },
    { "late metadata", &streams_chat, late_metadata, VOW_INTERNAL, "metadata came behind a message" },
    { "malformed metadata", &streams_chat, malformed_metadata, VOW_INTERNAL, "metadata" },
    { "no credit", &streams_chat, no_credit, VOW_INTERNAL, "CREDIT of 0 for call 1" },
    { "end of ours", &streams_chat, end_of_ours, VOW_INTERNAL,
      "END for call 1, which its sender has not begun" },
};

static void assert_says(size_t fault, const char *error)
{
    const char *code = vow_code_name(faults[fault].code);

    if (strncmp(error, code, strlen(code)) != 0 || !strstr(error, faults[fault].says))
        fail_msg("%s: the call failed with \"%s\"", faults[fault].name, error);
}

static void a_fault_of_a_server_reaches_the_stream_in_words_and_no_other(void **state)
{
    world    *world = streams_world(WORLD_SIMULATED);
    vow_call *other = vow_call_start(world->channel, &streams_chat, NULL);

    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        sim_server  *server = sim_listen(world, ADDRESS);
        vow_channel *channel = vow_channel_open(world->loop, ADDRESS, NULL);
        vow_call    *call = vow_call_start(channel, faults[i].method, NULL);
        sim_peer    *peer = sim_accepted(server, 1);
        vow_future  *next = vow_call_next(other);
        vow_header   header;
        vow_bytes    payload;
        writer       bytes = { 0 };

        assert_true(sim_next(peer, VOW_FRAME_CALL, 100, &header, &payload));
        faults[i].write(&bytes);
        sim_send(peer, &bytes);
        assert_says(i, world_error(world, vow_call_when_closed(call)));
        vow_call_drop(call);
        streams_send(other, "still there");
        assert_int_equal(world_settle(world, next), VOW_OK);
        vow_channel_close(channel);
        sim_server_free(server);
        writer_done(&bytes);
    }
    vow_call_drop(other);
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fault_of_a_server_reaches_the_stream_in_words_and_no_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
