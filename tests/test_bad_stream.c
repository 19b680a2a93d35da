/*
 * A peer that breaks the rules of streams: each fault ends the call or the connection with a status that says why, and
 * nothing else.
 */
#include "tests/support/raw_peer.h"
#include "tests/support/setups.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW 65536

enum { CHAT = 1, MUTE, COUNT, ECHO, HOLD };

/* Writing */

static uint8_t zeros[WINDOW];

static void begin(writer *w, uint64_t call, uint32_t method)
{
    write_frame(w, HEADER(.kind = VOW_FRAME_CALL, .call = call, .method = method, .streams = true), NULL, 0);
}
static void stream(writer *w, uint64_t call, size_t size)
{
    write_frame(w, HEADER(.kind = VOW_FRAME_STREAM, .call = call), zeros, size);
}
static void end(writer *w, uint64_t call)
{
    write_frame(w, HEADER(.kind = VOW_FRAME_END, .call = call), NULL, 0);
}
static void give(writer *w, uint64_t call, uint64_t credit)
{
    write_frame(w, HEADER(.kind = VOW_FRAME_CREDIT, .call = call, .credit = credit), NULL, 0);
}

/* Faults that end the connection */

static void beyond_the_window(writer *w)
{
    begin(w, 1, MUTE);
    stream(w, 1, WINDOW / 2);
    stream(w, 1, WINDOW / 2);
}
static void messages_of_nothing(writer *w)
{
    begin(w, 1, MUTE);
    for (int i = 0; i <= WINDOW / 32; i++)
        stream(w, 1, 0);
}
static void a_message_beyond_the_window(writer *w)
{
    begin(w, 1, MUTE);
    stream(w, 1, 0);
    write_frame(w, HEADER(.kind = VOW_FRAME_STREAM, .call = 1, .more = true, .message_size = 100000), zeros, 60000);
    write_frame(w, HEADER(.kind = VOW_FRAME_STREAM, .call = 1), zeros, 40000);
}
static void for_no_call(writer *w)
{
    stream(w, 9, 1);
}
static void end_for_no_call(writer *w)
{
    end(w, 9);
}
static void credit_for_no_call(writer *w)
{
    give(w, 9, 1);
}
static void end_of_ours(writer *w)
{
    end(w, 2);
}
static void after_the_end(writer *w)
{
    begin(w, 1, MUTE);
    end(w, 1);
    stream(w, 1, 1);
}
static void two_ends(writer *w)
{
    begin(w, 1, MUTE);
    end(w, 1);
    end(w, 1);
}
static void end_in_a_message(writer *w)
{
    begin(w, 1, MUTE);
    write_frame(w, HEADER(.kind = VOW_FRAME_STREAM, .call = 1, .more = true, .message_size = 10), "12345", 5);
    end(w, 1);
}
static void end_with_payload(writer *w)
{
    begin(w, 1, MUTE);
    write_frame(w, HEADER(.kind = VOW_FRAME_END, .call = 1), "x", 1);
}
static void beyond_its_size(writer *w)
{
    begin(w, 1, MUTE);
    write_frame(w, HEADER(.kind = VOW_FRAME_STREAM, .call = 1, .more = true, .message_size = 10), "12345", 5);
    write_frame(w, HEADER(.kind = VOW_FRAME_STREAM, .call = 1), "123456", 6);
}
static void short_of_its_size(writer *w)
{
    begin(w, 1, MUTE);
    write_frame(w, HEADER(.kind = VOW_FRAME_STREAM, .call = 1, .more = true, .message_size = 10), "12345", 5);
    write_frame(w, HEADER(.kind = VOW_FRAME_STREAM, .call = 1), "1234", 4);
}
static void message_in_a_stream(writer *w)
{
    begin(w, 1, MUTE);
    write_frame(w, HEADER(.kind = VOW_FRAME_STREAM, .call = 1, .more = true, .message_size = 10), "12345", 5);
    write_frame(w, HEADER(.kind = VOW_FRAME_MESSAGE, .call = 1), "12345", 5);
}
static void in_a_unary_call(writer *w)
{
    write_text_call(w, 1, HOLD, "");
    stream(w, 1, 1);
}
static void request_with_payload(writer *w)
{
    write_frame(w, HEADER(.kind = VOW_FRAME_CALL, .call = 1, .method = CHAT, .streams = true), "x", 1);
}
static void credit_of_nothing(writer *w)
{
    begin(w, 1, MUTE);
    give(w, 1, 0);
}
static void credit_without_end(writer *w)
{
    begin(w, 1, MUTE);
    give(w, 1, UINT64_MAX);
}
static void connection_credit_without_end(writer *w)
{
    give(w, 0, UINT64_C(1) << 62);
}

static const struct {
    const char *name;
    void (*write)(writer *writer);
    const char *says;
} faults[] = {
    { "beyond the window", beyond_the_window,
      "STREAM for call 1 costs 32800 bytes, and the call had credit for 32736" },
    { "messages of nothing", messages_of_nothing, "STREAM for call 1 costs 32 bytes, and the call had credit for 0" },
    { "a message beyond the window", a_message_beyond_the_window,
      "STREAM for call 1 costs 40032 bytes, and the call had" },
    { "for no call", for_no_call, "STREAM for call 9, which was never begun" },
    { "end for no call", end_for_no_call, "END for call 9, which its sender has not begun" },
    { "credit for no call", credit_for_no_call, "CREDIT for call 9, which was never begun" },
    { "end of the other side's call", end_of_ours, "END for call 2, which its sender has not begun" },
    { "after the end", after_the_end, "STREAM for call 1, whose sender had ended its messages" },
    { "two ends", two_ends, "END for call 1, whose messages had ended" },
    { "end in a message", end_in_a_message, "END for call 1, in the middle of a message" },
    { "end with a payload", end_with_payload, "END has 1 bytes of payload, and takes none" },
    { "beyond its size", beyond_its_size, "a message goes on beyond its 10 bytes" },
    { "short of its size", short_of_its_size, "a message ended after 9 of its 10 bytes" },
    { "a message in a stream", message_in_a_stream, "MESSAGE for call 1, which expects none" },
    { "in a unary call", in_a_unary_call, "STREAM for call 1, whose sender had ended its messages" },
    { "request with a payload", request_with_payload, "CALL 1 streams, and has 1 bytes of payload" },
    { "credit of nothing", credit_of_nothing, "CREDIT of 0 for call 1" },
    { "credit without end", credit_without_end, "CREDIT of 18446744073709551615 for call 1" },
    { "connection credit without end", connection_credit_without_end, "CREDIT of 4611686018427387904 for call 0" },
};

static raw_peer *connect_greeted(world *world)
{
    raw_peer *peer = raw_connect(world);
    writer    bytes = { 0 };

    write_greeting(&bytes);
    write_method(&bytes, CHAT, "calls.Streams/Chat");
    write_method(&bytes, MUTE, "calls.Streams/Mute");
    write_method(&bytes, COUNT, "calls.Streams/Count");
    write_method(&bytes, ECHO, "calls.Calls/Echo");
    write_method(&bytes, HOLD, "calls.Calls/Hold");
    raw_send_writer(peer, &bytes);
    writer_done(&bytes);
    return peer;
}

static void assert_text(const vow_header *header, const char *name, const char *says)
{
    char text[1024];

    snprintf(text, sizeof text, "%.*s", (int)header->text.size, (const char *)header->text.data);
    if (!strstr(text, says))
        fail_msg("%s: it was told \"%s\"", name, text);
}

static void a_fault_ends_the_connection_with_its_name_and_no_other(void **state)
{
    world   *world = *state;
    vow_call *other = vow_call_start(world->channel, &streams_chat, NULL);
    writer    bytes = { 0 };

    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        raw_peer  *peer = connect_greeted(world);
        vow_future *next = vow_call_next(other);
        vow_header header;
        vow_bytes  payload;

        faults[i].write(&bytes);
        raw_send_writer(peer, &bytes);
        raw_run_to_end(peer);
        if (!raw_next(peer, VOW_FRAME_GOAWAY, &header, &payload))
            fail_msg("%s: the peer was not told why", faults[i].name);
        assert_int_equal(header.code, VOW_INTERNAL);
        assert_text(&header, faults[i].name, faults[i].says);
        raw_free(peer);
        streams_send(other, "still there");
        assert_int_equal(vow_wait(next), VOW_OK);
        vow_drop(next);
    }
    writer_done(&bytes);
    vow_call_drop(other);
}

/* Faults that end a call alone */

static void too_large(writer *w)
{
    begin(w, 1, CHAT);
    write_frame(w, HEADER(.kind = VOW_FRAME_STREAM, .call = 1, .more = true, .message_size = 100 << 20), NULL, 0);
}
static void malformed(writer *w)
{
    begin(w, 1, CHAT);
    write_frame(w, HEADER(.kind = VOW_FRAME_STREAM, .call = 1), "\xff\xff", 2);
}
static void one_message_for_a_stream(writer *w)
{
    write_text_call(w, 1, CHAT, "");
}
static void a_stream_for_one_message(writer *w)
{
    begin(w, 1, ECHO);
}
static void late_metadata(writer *w)
{
    begin(w, 1, CHAT);
    write_frame(w,
                HEADER(.kind = VOW_FRAME_STREAM, .call = 1,
                       .to_send = VOW_METADATA({ .name = "name", .value = "x" })),
                NULL, 0);
}

static const struct {
    const char *name;
    void (*write)(writer *writer);
    vow_code    code;
    const char *says;
} call_faults[] = {
    { "too large", too_large, VOW_RESOURCE_EXHAUSTED,
      "a message of 104857600 bytes came; 4194304 are allowed (max_message_size)" },
    { "malformed", malformed, VOW_INVALID_ARGUMENT, "calls.Streams/Chat: the message: " },
    { "one message for a stream", one_message_for_a_stream, VOW_INTERNAL,
      "takes a stream of messages, and the caller sends one" },
    { "a stream for one message", a_stream_for_one_message, VOW_INTERNAL,
      "takes one message, and the caller sends a stream" },
    { "late metadata", late_metadata, VOW_INTERNAL, "metadata came behind a message" },
};

static void a_fault_in_a_stream_ends_its_call_alone(void **state)
{
    world *world = *state;
    writer bytes = { 0 };

    for (size_t i = 0; i < sizeof call_faults / sizeof call_faults[0]; i++) {
        raw_peer  *peer = connect_greeted(world);
        vow_header header;
        vow_bytes  payload;

        call_faults[i].write(&bytes);
        raw_send_writer(peer, &bytes);
        if (!raw_next(peer, VOW_FRAME_STATUS, &header, &payload))
            fail_msg("%s: the connection has ended", call_faults[i].name);
        if (header.code != call_faults[i].code)
            fail_msg("%s: the call ended as %s", call_faults[i].name, vow_code_name((vow_code)header.code));
        assert_text(&header, call_faults[i].name, call_faults[i].says);
        write_text_call(&bytes, 3, ECHO, "still there");
        raw_send_writer(peer, &bytes);
        assert_true(raw_next(peer, VOW_FRAME_REPLY, &header, &payload));
        raw_free(peer);
    }
    writer_done(&bytes);
}

static void a_call_may_go_in_the_middle_of_a_message(void **state)
{
    world     *world = *state;
    raw_peer  *peer = connect_greeted(world);
    writer     bytes = { 0 };
    vow_header header;
    vow_bytes  payload;

    begin(&bytes, 1, CHAT);
    write_frame(&bytes, HEADER(.kind = VOW_FRAME_STREAM, .call = 1, .more = true, .message_size = 10), "12345", 5);
    write_frame(&bytes, HEADER(.kind = VOW_FRAME_CANCEL, .call = 1), NULL, 0);
    write_frame(&bytes, HEADER(.kind = VOW_FRAME_STREAM, .call = 1), "12345", 5);
    write_text_call(&bytes, 3, ECHO, "still there");
    raw_send_writer(peer, &bytes);
    assert_true(raw_next(peer, VOW_FRAME_REPLY, &header, &payload));
    writer_done(&bytes);
    raw_free(peer);
}

/* The connection's credit comes back for streams that nobody reads, too. */
static void streams_that_nobody_reads_hold_up_no_other(void **state)
{
    world     *world = *state;
    raw_peer  *peer = connect_greeted(world);
    writer     bytes = { 0 };
    vow_header header;
    vow_bytes  payload;

    for (uint64_t call = 1; call < 200; call += 2) {
        begin(&bytes, call, MUTE);
        stream(&bytes, call, WINDOW - 32);
        raw_send_writer(peer, &bytes);
        raw_turn(peer, 0);
    }
    begin(&bytes, 201, CHAT);
    write_frame(&bytes, HEADER(.kind = VOW_FRAME_STREAM, .call = 201), "\x0a\x01x", 3);
    raw_send_writer(peer, &bytes);
    assert_true(raw_next(peer, VOW_FRAME_STREAM, &header, &payload));
    assert_int_equal(header.call, 201);
    writer_done(&bytes);
    raw_free(peer);
}

/* What comes of a stream until several calls that were made one after another have been answered: all that it may. */
static size_t stream_cost_until_silence(raw_peer *peer, uint64_t *next_call)
{
    size_t     sum = 0;
    vow_header header = { .kind = VOW_FRAME_REPLY };
    vow_bytes  payload;
    writer     bytes = { 0 };

    for (int i = 0; i < 5; i++, *next_call += 2) {
        write_text_call(&bytes, *next_call, ECHO, "");
        raw_send_writer(peer, &bytes);
        while (raw_next(peer, 0, &header, &payload) && header.kind != VOW_FRAME_REPLY)
            sum += header.kind == VOW_FRAME_STREAM ? payload.size + 32 : 0;
    }
    writer_done(&bytes);
    return sum;
}

static void a_peer_that_gives_no_credit_gets_a_window_and_no_more(void **state)
{
    world    *world = *state;
    raw_peer *peer = connect_greeted(world);
    writer    bytes = { 0 };
    uint64_t  next_call = 3;
    size_t    sum;

    write_text_call(&bytes, 1, COUNT, "100000");
    raw_send_writer(peer, &bytes);
    sum = stream_cost_until_silence(peer, &next_call);
    assert_in_range(sum, WINDOW - 64, WINDOW);
    give(&bytes, 1, 1000);
    raw_send_writer(peer, &bytes);
    sum = stream_cost_until_silence(peer, &next_call);
    assert_in_range(sum, 1000 - 64, 1000 + 64);
    writer_done(&bytes);
    raw_free(peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STREAMS(tcp, a_fault_ends_the_connection_with_its_name_and_no_other),
        ON_STREAMS(unix, a_fault_ends_the_connection_with_its_name_and_no_other),
        ON_STREAMS(tcp, a_fault_in_a_stream_ends_its_call_alone),
        ON_STREAMS(tcp, a_call_may_go_in_the_middle_of_a_message),
        ON_STREAMS(tcp, streams_that_nobody_reads_hold_up_no_other),
        ON_STREAMS(tcp, a_peer_that_gives_no_credit_gets_a_window_and_no_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
