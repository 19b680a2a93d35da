/*
 * What a server and a channel do with a peer that does not follow the protocol.
 *
 * The claim, of each fault: the connection ends, the peer is told why, and nothing else is touched: other
 * connections and the calls on them go on.
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
#include <unistd.h>

static int open_tcp(void **state)
{
    *state = world_new_with(WORLD_TCP, VOW_SERVER(.hello_timeout_ms = 2000), NULL);
    return 0;
}

static int open_unix(void **state)
{
    *state = world_new_with(WORLD_UNIX, VOW_SERVER(.hello_timeout_ms = 2000), NULL);
    return 0;
}

static int open_for_pings(void **state, world_kind kind)
{
    *state = world_new_with(kind, VOW_SERVER(.min_ping_interval_ms = VOW_NO_TIMEOUT), NULL);
    return 0;
}

static int open_tcp_for_pings(void **state)
{
    return open_for_pings(state, WORLD_TCP);
}

static int open_unix_for_pings(void **state)
{
    return open_for_pings(state, WORLD_UNIX);
}

/* Faults */

static void write_raw(writer *writer, const void *bytes, size_t size)
{
    writer_add(writer, bytes, size);
}

static void huge_frame(writer *w)
{
    write_raw(w, "\xff\xff\xff\x00\x00", 5);
}
static void empty_frame(writer *w)
{
    write_raw(w, "\0\0\0\0\0", 5);
}
static void long_header(writer *w)
{
    write_raw(w,
              "\x05\0\0\0\x64"
              "12345678",
              13);
}
static void huge_header(writer *w)
{
    write_raw(w,
              "\x00\xf0\0\0\x81\x80\x03"
              "12345678",
              15);
}
static void endless_header_size(writer *w)
{
    write_raw(w, "\x0a\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 14);
}
static void no_header(writer *w)
{
    write_raw(w, "\x01\0\0\0\0", 5);
}
static void unknown_kind(writer *w)
{
    write_raw(w, "\x03\0\0\0\x02\x08\x7f", 7);
}
static void wrong_type(writer *w)
{
    write_raw(w, "\x08\0\0\0\x05\x08\x07\x6a\x01z##", 12);
}
static void bad_text(writer *w)
{
    write_raw(w, "\x08\0\0\0\x07\x08\x04\x10\x01\x4a\x01\xff", 12);
}
static void bad_metadata(writer *w)
{
    write_raw(w, "\x08\0\0\0\x07\x08\x01\x10\x01\x82\x01\x00", 12);
}

static void even_call(writer *w)
{
    write_text_call(w, 2, 1, "");
}
static void call_zero(writer *w)
{
    write_text_call(w, 0, 1, "");
}

static void call_again(writer *w)
{
    write_text_call(w, 5, 1, "");
    write_text_call(w, 5, 1, "");
}

static void smaller_call(writer *w)
{
    write_text_call(w, 5, 1, "");
    write_text_call(w, 3, 1, "");
}

static void unknown_method(writer *w)
{
    write_text_call(w, 1, 7, "");
}
static void no_method(writer *w)
{
    write_text_call(w, 1, 0, "");
}
static void method_out_of_order(writer *w)
{
    write_method(w, 5, "calls.Calls/Echo");
}
static void method_again(writer *w)
{
    write_method(w, 1, "calls.Calls/Echo");
}

static void method_too_long(writer *w)
{
    static char name[514];

    memset(name, 'n', sizeof name - 1);
    write_method(w, 4, name);
}

static void method_without_name(writer *w)
{
    write_method(w, 4, "");
}

static void message_unbegun(writer *w)
{
    write_frame(w, HEADER(.kind = VOW_FRAME_MESSAGE, .call = 99), "x", 1);
}

static void begin_message(writer *w, uint64_t size)
{
    write_frame(w, HEADER(.kind = VOW_FRAME_CALL, .call = 1, .method = 1, .more = true, .message_size = size),
                NULL, 0);
}

static void message_too_long(writer *w)
{
    begin_message(w, 10);
    write_frame(w, HEADER(.kind = VOW_FRAME_MESSAGE, .call = 1), "12345678901", 11);
}

static void message_too_short(writer *w)
{
    begin_message(w, 10);
    write_frame(w, HEADER(.kind = VOW_FRAME_MESSAGE, .call = 1), "12345", 5);
}

static void message_full_and_more(writer *w)
{
    begin_message(w, 10);
    write_frame(w, HEADER(.kind = VOW_FRAME_MESSAGE, .call = 1, .more = true), "1234567890", 10);
}

static void message_to_a_whole_call(writer *w)
{
    write_text_call(w, 1, 2, "held");
    write_frame(w, HEADER(.kind = VOW_FRAME_MESSAGE, .call = 1), "x", 1);
}

static void reply_unasked(writer *w)
{
    write_frame(w, HEADER(.kind = VOW_FRAME_REPLY, .call = 2), NULL, 0);
}

static void reply_to_own_call(writer *w)
{
    write_text_call(w, 1, 2, "held");
    write_frame(w, HEADER(.kind = VOW_FRAME_REPLY, .call = 1), NULL, 0);
}

static void status_unasked(writer *w)
{
    write_frame(w, HEADER(.kind = VOW_FRAME_STATUS, .call = 1, .code = 5), NULL, 0);
}
static void pong_unasked(writer *w)
{
    write_frame(w, HEADER(.kind = VOW_FRAME_PONG, .ping = 1), NULL, 0);
}
static void hello_again(writer *w)
{
    write_hello(w, 1, 1);
}
static void cancel_unbegun(writer *w)
{
    write_frame(w, HEADER(.kind = VOW_FRAME_CANCEL, .call = 9), NULL, 0);
}
static void cancel_not_its_own(writer *w)
{
    write_frame(w, HEADER(.kind = VOW_FRAME_CANCEL, .call = 2), NULL, 0);
}
static void cancel_payload(writer *w)
{
    write_frame(w, HEADER(.kind = VOW_FRAME_CANCEL, .call = 1), "x", 1);
}
static void status_payload(writer *w)
{
    write_frame(w, HEADER(.kind = VOW_FRAME_STATUS, .call = 1), "x", 1);
}
static void ping_payload(writer *w)
{
    write_frame(w, HEADER(.kind = VOW_FRAME_PING, .ping = 1), "xyz", 3);
}
static void garbage(writer *w)
{
    write_raw(w, "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n", 37);
}

typedef struct fault {
    const char *name;
    void (*write)(writer *writer);
    const char *says;
} fault;

static const fault faults[] = {
    { "huge frame", huge_frame, "a frame of 16777215 bytes; 1 to " },
    { "empty frame", empty_frame, "a frame of 0 bytes" },
    { "header longer than its frame", long_header, "a header of 100 bytes in a frame of 5" },
    { "header over the limit", huge_header,
      "a header of 49153 bytes in a frame of 61440; 49152 are allowed" },
    { "header size without an end", endless_header_size, "header" },
    { "no header", no_header, "no known kind" },
    { "unknown kind", unknown_kind, "the header of a frame is of no known kind" },
    { "wrong wire type", wrong_type, "the header of a frame has a field in a wire type that is not its own" },
    { "text that is not UTF-8", bad_text, "the header of a frame holds a text that is not UTF-8" },
    { "malformed metadata", bad_metadata, "the header of a frame has metadata that is malformed" },
    { "call with an even id", even_call, "CALL 2; the last one was 0" },
    { "call without an id", call_zero, "CALL 0; the last one was 0" },
    { "call whose id was there", call_again, "CALL 5; the last one was 5" },
    { "call with a smaller id", smaller_call, "CALL 3; the last one was 5" },
    { "unknown method", unknown_method, "CALL 1 is for method 7, which was not named" },
    { "no method", no_method, "CALL 1 is for method 0, which was not named" },
    { "method out of order", method_out_of_order, "METHOD gives number 5; 4 is next" },
    { "method again", method_again, "METHOD gives number 1; 4 is next" },
    { "method with a long name", method_too_long, "METHOD has a name of 513 bytes; 1 to 512 are allowed" },
    { "method without a name", method_without_name, "METHOD has a name of 0 bytes" },
    { "message for no call", message_unbegun, "MESSAGE for call 99, which expects none" },
    { "message beyond its size", message_too_long, "a message goes on beyond its 10 bytes" },
    { "message that ends early", message_too_short, "a message ended after 5 of its 10 bytes" },
    { "message that goes on when full", message_full_and_more, "a message goes on beyond its 10 bytes" },
    { "message for a call that is whole", message_to_a_whole_call, "MESSAGE for call 1, which expects none" },
    { "reply to a server", reply_unasked, "REPLY for call 2, which this side has not begun" },
    { "reply to its own call", reply_to_own_call, "REPLY for call 1, which this side has not begun" },
    { "status to a server", status_unasked, "STATUS for call 1, which this side has not begun" },
    { "pong unasked", pong_unasked, "PONG 1 answers no ping" },
    { "hello twice", hello_again, "HELLO is not allowed here" },
    { "cancel of no call", cancel_unbegun, "CANCEL for call 9, which its sender has not begun" },
    { "cancel of the other side's call", cancel_not_its_own, "CANCEL for call 2" },
    { "cancel with a payload", cancel_payload, "CANCEL has 1 bytes of payload, and takes none" },
    { "status with a payload", status_payload, "STATUS has 1 bytes of payload" },
    { "ping with a payload", ping_payload, "PING has 3 bytes of payload" },
    { "garbage", garbage, "a frame of 542393671 bytes" },
};

/* The connection ends, and the last that came is a GOAWAY with `code` and `says`. */
static void assert_told(raw_peer *peer, const char *name, vow_code code, const char *says)
{
    vow_header header;
    vow_bytes  payload;
    char       text[1024];

    raw_run_to_end(peer);
    if (!raw_next(peer, VOW_FRAME_GOAWAY, &header, &payload))
        fail_msg("%s: the peer was not told why", name);
    snprintf(text, sizeof text, "%.*s", (int)header.text.size, (const char *)header.text.data);
    if (header.code != (uint32_t)code || !strstr(text, says))
        fail_msg("%s: it was told \"%s: %s\"", name, vow_code_name((vow_code)header.code), text);
}

static raw_peer *connect_greeted(world *world)
{
    raw_peer *peer = raw_connect(world);
    writer    bytes = { 0 };

    write_greeting(&bytes);
    write_method(&bytes, 1, "calls.Calls/Echo");
    write_method(&bytes, 2, "calls.Calls/Hold");
    write_method(&bytes, 3, "calls.Calls/Read");
    raw_send_writer(peer, &bytes);
    writer_done(&bytes);
    return peer;
}

static void a_fault_ends_the_connection_with_its_name_and_no_other(void **state)
{
    world      *world = *state;
    vow_future *held = world_hold(world, "", NULL);
    writer      bytes = { 0 };

    world_wait_for_held(world, 1);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        raw_peer *peer = connect_greeted(world);

        faults[i].write(&bytes);
        raw_send_writer(peer, &bytes);
        assert_told(peer, faults[i].name, VOW_INTERNAL, faults[i].says);
        raw_free(peer);
        world_assert_serves(world);
    }
    writer_done(&bytes);
    world_answer_held(world, "");
    assert_int_equal(world_settle(world, held), VOW_OK);
}

/* Faults before the hello */

static void call_too_soon(writer *w)
{
    write_text_call(w, 1, 1, "");
}
static void goaway_too_soon(writer *w)
{
    write_frame(w, HEADER(.kind = VOW_FRAME_GOAWAY), NULL, 0);
}
static void later_versions(writer *w)
{
    write_hello(w, 2, 3);
}
static void hello_without_versions(writer *w)
{
    write_frame(w, HEADER(.kind = VOW_FRAME_HELLO), NULL, 0);
}
static void hello_malformed(writer *w)
{
    write_frame(w, HEADER(.kind = VOW_FRAME_HELLO), "\x08\x01\x10\x01\x3a\x7f", 6);
}
static void hello_of_small_frames(writer *w)
{
    write_frame(w, HEADER(.kind = VOW_FRAME_HELLO), "\x08\x01\x10\x01\x18\x64", 6);
}

static void hello_too_long(writer *w)
{
    static char agent[1100];
    writer      hello = { 0 };

    memset(agent, 'a', sizeof agent - 1);
    writer_number(&hello, 1, 1);
    writer_number(&hello, 2, 1);
    writer_text(&hello, 7, agent);
    write_frame(w, HEADER(.kind = VOW_FRAME_HELLO), hello.data, hello.size);
    writer_done(&hello);
}

static const struct {
    fault    fault;
    vow_code code;
} early[] = {
    { { "call", call_too_soon, "CALL is not allowed before the hello" }, VOW_INTERNAL },
    { { "goaway", goaway_too_soon, "GOAWAY is not allowed before the hello" }, VOW_INTERNAL },
    { { "versions", later_versions,
        "it speaks versions 2 to 3 of vow's protocol, and this side speaks version 1" },
      VOW_FAILED_PRECONDITION },
    { { "no versions", hello_without_versions, "its hello is malformed" }, VOW_INTERNAL },
    { { "malformed", hello_malformed, "its hello is malformed" }, VOW_INTERNAL },
    { { "small frames", hello_of_small_frames, "its hello takes frames of 100 bytes; 1024 are the least" },
      VOW_INTERNAL },
    { { "long", hello_too_long, "1024 are allowed" }, VOW_INTERNAL },
};

static void a_fault_before_the_hello_ends_the_connection_with_its_name(void **state)
{
    world *world = *state;
    writer bytes = { 0 };

    for (size_t i = 0; i < sizeof early / sizeof early[0]; i++) {
        raw_peer *peer = raw_connect(world);

        write_preface(&bytes);
        early[i].fault.write(&bytes);
        raw_send_writer(peer, &bytes);
        assert_told(peer, early[i].fault.name, early[i].code, early[i].fault.says);
        raw_free(peer);
    }
    writer_done(&bytes);
    world_assert_serves(world);
}

static void another_protocol_is_closed_at_its_first_byte(void **state)
{
    world    *world = *state;
    raw_peer *peer = raw_connect(world);

    raw_send(peer, "G", 1);
    raw_run_to_end(peer);
    raw_free(peer);
    peer = raw_connect(world);
    raw_send(peer, "\x8dvow\n\n\x1a\n", 8); /* a text-mode proxy was in between */
    raw_run_to_end(peer);
    raw_free(peer);
    world_assert_serves(world);
}

/* Cutting */

/* A whole conversation: a small call, a large one in frames, and a ping. */
static void write_conversation(writer *writer)
{
    static uint8_t body[9000];
    struct writer  request = { 0 };
    size_t         at = 3000;

    write_greeting(writer);
    write_method(writer, 1, "calls.Calls/Echo");
    write_method(writer, 2, "calls.Calls/EchoBlock");
    write_text_call(writer, 1, 1, "small");
    writer_bytes(&request, 1, body, sizeof body);
    write_frame(
        writer,
        HEADER(.kind = VOW_FRAME_CALL, .call = 3, .method = 2, .more = true, .message_size = request.size),
        request.data, at);
    write_frame(writer, HEADER(.kind = VOW_FRAME_MESSAGE, .call = 3, .more = true), request.data + at, 5000);
    write_frame(writer, HEADER(.kind = VOW_FRAME_MESSAGE, .call = 3), request.data + at + 5000,
                request.size - at - 5000);
    write_frame(writer, HEADER(.kind = VOW_FRAME_PING, .ping = 77), NULL, 0);
    writer_done(&request);
}

static void assert_conversed(raw_peer *peer, size_t cut)
{
    vow_header header;
    vow_bytes  payload;

    if (!raw_next(peer, VOW_FRAME_REPLY, &header, &payload))
        fail_msg("cut after %zu bytes, the connection ended", cut);
    assert_int_equal(header.call, 1);
    assert_int_equal(payload.size, 7);
    assert_true(raw_next(peer, VOW_FRAME_REPLY, &header, &payload));
    assert_int_equal(header.call, 3);
    if (!header.more)
        assert_int_equal(payload.size, 9003);
    peer->at = 0;
    assert_true(raw_next(peer, VOW_FRAME_PONG, &header, &payload));
    assert_int_equal(header.ping, 77);
}

static void a_conversation_may_be_cut_anywhere(void **state)
{
    world *world = *state;
    writer bytes = { 0 };

    write_conversation(&bytes);
    for (size_t cut = 1; cut < bytes.size; cut += cut < 150 || cut > bytes.size - 60 ? 1 : 211) {
        raw_peer *peer = raw_connect(world);

        raw_send(peer, bytes.data, cut);
        raw_turn(peer, 1);
        raw_send(peer, bytes.data + cut, bytes.size - cut);
        assert_conversed(peer, cut);
        raw_free(peer);
    }
    writer_done(&bytes);
}

static void a_conversation_may_come_byte_by_byte(void **state)
{
    world    *world = *state;
    raw_peer *peer = raw_connect(world);
    writer    bytes = { 0 };

    write_conversation(&bytes);
    for (size_t at = 0; at < bytes.size; at++) {
        raw_send(peer, bytes.data + at, 1);
        if (at < 200 || at % 16 == 0)
            raw_turn(peer, 0);
    }
    assert_conversed(peer, 1);
    raw_free(peer);
    writer_done(&bytes);
}

/* Vanishing */

static bool server_forgot_the_call(const world *world, void *arg)
{
    (void)arg;
    return world->gone == 1;
}

static void a_peer_that_resets_in_mid_frame_takes_its_calls_along(void **state)
{
    world    *world = *state;
    raw_peer *peer = connect_greeted(world);
    writer    bytes = { 0 };

    write_text_call(&bytes, 1, 2, "held");
    writer_add(&bytes, "\x30\0\0", 3);
    raw_send_writer(peer, &bytes);
    world_wait_for_held(world, 1);
    raw_reset(peer);
    world_run_until(world, server_forgot_the_call, NULL);
    assert_int_equal(world->held_count, 0);
    world_assert_serves(world);
    raw_free(peer);
    writer_done(&bytes);
}

static void a_peer_may_vanish_anywhere(void **state)
{
    world *world = *state;
    writer bytes = { 0 };

    write_conversation(&bytes);
    for (size_t cut = 1; cut < bytes.size; cut += cut < 150 ? 7 : 509) {
        raw_peer *peer = raw_connect(world);

        raw_send(peer, bytes.data, cut);
        raw_turn(peer, 0);
        if (cut & 1)
            raw_reset(peer);
        raw_free(peer);
    }
    writer_done(&bytes);
    world_assert_serves(world);
}

/* Floods */

static void a_flood_of_pings_whose_answers_are_not_taken_ends(void **state)
{
    world    *world = *state;
    raw_peer *peer = connect_greeted(world);
    writer    bytes = { 0 };

    for (int i = 0; i < 5000; i++)
        write_frame(&bytes, HEADER(.kind = VOW_FRAME_PING, .ping = (uint64_t)i + 1), NULL, 0);
    peer->does_not_read = true;
    for (int i = 0; i < 20000 && !peer->has_ended; i++)
        raw_send(peer, bytes.data, bytes.size);
    assert_true(peer->has_ended);
    raw_free(peer);
    writer_done(&bytes);
    world_assert_serves(world);
}

static void without_min_ping_interval_ms_a_peer_may_ping_as_often_as_it_takes_the_answers(void **state)
{
    world     *world = *state;
    raw_peer  *peer = connect_greeted(world);
    vow_header header;
    vow_bytes  payload;
    writer     bytes = { 0 };

    for (uint64_t i = 1; i <= 5000; i++) {
        write_frame(&bytes, HEADER(.kind = VOW_FRAME_PING, .ping = i), NULL, 0);
        if (i % 50 == 0) {
            raw_send_writer(peer, &bytes);
            do
                assert_true(raw_next(peer, VOW_FRAME_PONG, &header, &payload));
            while (header.ping != i);
        }
    }
    raw_free(peer);
    writer_done(&bytes);
}

/* A few at a time, so that the handlers of those before have let go of their calls. */
static void send_cancelled_calls(raw_peer *peer, uint64_t *call, int count)
{
    writer bytes = { 0 };

    for (; count > 0; count--, *call += 2) {
        write_text_call(&bytes, *call, 2, "");
        write_frame(&bytes, HEADER(.kind = VOW_FRAME_CANCEL, .call = *call), NULL, 0);
        if (count % 50 == 1) {
            raw_send_writer(peer, &bytes);
            raw_turn(peer, 0);
        }
    }
    writer_done(&bytes);
}

/* A thousand are free; then the connection is not read for three seconds, twice; then it ends. */
static void a_flood_of_cancelled_calls_is_slowed_down_then_ends(void **state)
{
    world    *world = *state;
    raw_peer *peer = connect_greeted(world);
    writer    bytes = { 0 };
    uint64_t  call = 1;

    send_cancelled_calls(peer, &call, 1000);
    write_text_call(&bytes, call, 1, "answered");
    raw_send_writer(peer, &bytes);
    assert_true(raw_next(peer, VOW_FRAME_REPLY, &(vow_header){ 0 }, &(vow_bytes){ 0 }));
    call += 2;
    while (!peer->has_ended && call < 200000)
        send_cancelled_calls(peer, &call, 50);
    assert_told(peer, "cancelled calls", VOW_INTERNAL,
                "too many calls were cancelled, for the third time in 30 s");
    world_assert_serves(world);
    raw_free(peer);
    writer_done(&bytes);
}

/* Slow peers */

static void a_peer_that_does_not_go_on_is_closed_in_time(void **state)
{
    static const size_t cuts[] = { 0, 3, 8, 10, 16 };
    writer              bytes = { 0 };

    (void)state;
    write_greeting(&bytes);
    writer_add(&bytes, "\x30\0\0\0\x20", 5);
    assert_true(bytes.size > 16 + 5);
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0] + 1; i++) {
        world    *world = world_new_with(WORLD_TCP, VOW_SERVER(.hello_timeout_ms = 50), NULL);
        raw_peer *peer = raw_connect(world);
        size_t    cut = i < sizeof cuts / sizeof cuts[0] ? cuts[i] : bytes.size;

        raw_send(peer, bytes.data, cut);
        if (cut == bytes.size)
            assert_told(peer, "half a frame", VOW_UNAVAILABLE, "hello_timeout_ms");
        else
            raw_run_to_end(peer);
        raw_free(peer);
        world_free(world);
    }
    writer_done(&bytes);
}

static void a_message_that_does_not_go_on_ends_the_connection(void **state)
{
    world    *world = world_new_with(WORLD_TCP, VOW_SERVER(.hello_timeout_ms = 50), NULL);
    raw_peer *peer = connect_greeted(world);
    writer    bytes = { 0 };

    (void)state;
    begin_message(&bytes, 1000);
    write_frame(&bytes, HEADER(.kind = VOW_FRAME_MESSAGE, .call = 1, .more = true), "1234567890", 10);
    raw_send_writer(peer, &bytes);
    assert_told(peer, "half a message", VOW_UNAVAILABLE,
                "10 bytes of a message of 1000 have come in the time for all of it");
    raw_free(peer);
    writer_done(&bytes);
    world_free(world);
}

static void an_idle_connection_that_said_hello_is_left_alone(void **state)
{
    world     *world = world_new_with(WORLD_TCP, VOW_SERVER(.hello_timeout_ms = 50), NULL);
    raw_peer  *peer = connect_greeted(world);
    vow_header header;
    vow_bytes  payload;
    writer     bytes = { 0 };

    (void)state;
    assert_true(raw_next(peer, VOW_FRAME_HELLO, &header, &payload));
    world_advance_ms(world, 300);
    write_text_call(&bytes, 1, 1, "late");
    raw_send_writer(peer, &bytes);
    assert_true(raw_next(peer, VOW_FRAME_REPLY, &header, &payload));
    raw_free(peer);
    writer_done(&bytes);
    world_free(world);
}

#define PINGS_ON_SOCKETS(test)                                                                               \
    { #test " (tcp)", test, open_tcp_for_pings, world_close, NULL },                                         \
    { #test " (unix)", test, open_unix_for_pings, world_close, NULL }

#define ON_SOCKETS(test)                                                                                     \
    { #test " (tcp)", test, open_tcp, world_close, NULL },                                                   \
    {                                                                                                        \
#test " (unix)", test, open_unix, world_close, NULL                                                  \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_SOCKETS(a_fault_ends_the_connection_with_its_name_and_no_other),
        ON_SOCKETS(a_fault_before_the_hello_ends_the_connection_with_its_name),
        ON_SOCKETS(another_protocol_is_closed_at_its_first_byte),
        ON_SOCKETS(a_conversation_may_be_cut_anywhere),
        ON_SOCKETS(a_conversation_may_come_byte_by_byte),
        ON_SOCKETS(a_peer_that_resets_in_mid_frame_takes_its_calls_along),
        ON_SOCKETS(a_peer_may_vanish_anywhere),
        PINGS_ON_SOCKETS(a_flood_of_pings_whose_answers_are_not_taken_ends),
        PINGS_ON_SOCKETS(without_min_ping_interval_ms_a_peer_may_ping_as_often_as_it_takes_the_answers),
        cmocka_unit_test_setup_teardown(a_flood_of_cancelled_calls_is_slowed_down_then_ends, open_tcp,
                                        world_close),
        cmocka_unit_test(a_peer_that_does_not_go_on_is_closed_in_time),
        cmocka_unit_test(a_message_that_does_not_go_on_ends_the_connection),
        cmocka_unit_test(an_idle_connection_that_said_hello_is_left_alone),
    };

    return cmocka_run_group_tests_name("bad peer", tests, NULL, NULL);
}
