/*
 * Small messages of a stream, one close behind the other: their frames begin alike, and are taken a shorter way than
 * the first. They obey the same rules.
 */
#include "tests/support/raw_peer.h"
#include "tests/support/streams.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define MAX_MESSAGE_SIZE 1000
#define WINDOW 65536

enum { JOIN = 1, MUTE, THIRD, ECHO };

/* Fails its call, or closes its server, at the third message. */
static const vow_method third_method = { sizeof third_method, "calls.Streams/Third", &calls__text__descriptor,
                                         &calls__text__descriptor, true, false, false, NULL };

static struct {
    world *world;
    int    read;
    bool   closes;
} third;

static vow_future *third_read(vow_call *call, const ProtobufCMessage *message, void *arg)
{
    (void)message;
    (void)arg;
    if (++third.read < 3)
        return NULL;
    if (third.closes) {
        vow_server_close(third.world->server);
        third.world->server = NULL;
    }
    vow_call_fail(call, VOW_ABORTED, "at the third");
    return NULL;
}

static void third_serve(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    (void)request;
    (void)handler;
    vow_detach(vow_call_read(call, third_read, NULL));
}

static int open_tcp(void **state)
{
    const vow_handler handler = { sizeof handler, &third_method, third_serve, NULL, NULL };
    world            *world = world_new_with(WORLD_TCP, VOW_SERVER(.max_message_size = MAX_MESSAGE_SIZE), NULL);

    streams_serve(world->server);
    vow_server_handle(world->server, &handler);
    third.world = world;
    third.read = 0;
    third.closes = false;
    *state = world;
    return 0;
}

static int close_world(void **state)
{
    world_free(*state);
    return 0;
}

/* Writing */

static raw_peer *connect_greeted(world *world)
{
    raw_peer *peer = raw_connect(world);
    writer    bytes = { 0 };

    write_greeting(&bytes);
    write_method(&bytes, JOIN, "calls.Streams/Join");
    write_method(&bytes, MUTE, "calls.Streams/Mute");
    write_method(&bytes, THIRD, "calls.Streams/Third");
    write_method(&bytes, ECHO, "calls.Calls/Echo");
    raw_send_writer(peer, &bytes);
    writer_done(&bytes);
    return peer;
}

/* Begins a call, and lets its handler begin to read. */
static void begin(raw_peer *peer, uint64_t call, uint32_t method)
{
    writer bytes = { 0 };

    write_frame(&bytes, HEADER(.kind = VOW_FRAME_CALL, .call = call, .method = method, .streams = true), NULL, 0);
    raw_send_writer(peer, &bytes);
    raw_turn(peer, 0);
    raw_turn(peer, 0);
    writer_done(&bytes);
}

static void end(writer *w, uint64_t call)
{
    write_frame(w, HEADER(.kind = VOW_FRAME_END, .call = call), NULL, 0);
}

/* A Text of so many characters. */
static void text(writer *w, uint64_t call, size_t size)
{
    struct writer message = { 0 };
    char          characters[MAX_MESSAGE_SIZE];

    memset(characters, 'x', size);
    writer_bytes(&message, 1, characters, size);
    write_frame(w, HEADER(.kind = VOW_FRAME_STREAM, .call = call), message.data, message.size);
    writer_done(&message);
}

static void texts(writer *w, uint64_t call, size_t count)
{
    for (size_t i = 0; i < count; i++)
        text(w, call, 5);
}

static void assert_reply(raw_peer *peer, uint64_t call, const char *says)
{
    vow_header header;
    vow_bytes  payload;
    char       reply[64];

    assert_true(raw_next(peer, VOW_FRAME_REPLY, &header, &payload));
    assert_int_equal(header.call, call);
    snprintf(reply, sizeof reply, "%.*s", (int)payload.size - 2, (const char *)payload.data + 2);
    assert_string_equal(reply, says);
}

/* Bursts that are as they should be */

static void messages_of_all_sizes_arrive_as_they_were_sent(void **state)
{
    raw_peer *peer = connect_greeted(*state);
    writer    bytes = { 0 };

    begin(peer, 1, JOIN);
    for (size_t size = 0; size < 300; size++)
        text(&bytes, 1, size);
    end(&bytes, 1);
    raw_send_writer(peer, &bytes);
    assert_reply(peer, 1, "300 messages, 44850 bytes");
    writer_done(&bytes);
    raw_free(peer);
}

static void a_burst_may_be_cut_anywhere(void **state)
{
    raw_peer *peer = connect_greeted(*state);
    writer    bytes = { 0 };
    size_t    cut = 0;

    do {
        uint64_t call = 2 * cut + 1;

        writer_clear(&bytes);
        begin(peer, call, JOIN);
        texts(&bytes, call, 4);
        end(&bytes, call);
        raw_send(peer, bytes.data, cut);
        raw_turn(peer, 0);
        raw_send(peer, bytes.data + cut, bytes.size - cut);
        assert_reply(peer, call, "4 messages, 20 bytes");
    } while (++cut < bytes.size);
    writer_done(&bytes);
    raw_free(peer);
}

static void bursts_of_two_streams_that_take_turns_go_to_each(void **state)
{
    raw_peer *peer = connect_greeted(*state);
    writer    bytes = { 0 };

    begin(peer, 1, JOIN);
    begin(peer, 3, JOIN);
    for (size_t i = 0; i < 10; i++) {
        texts(&bytes, 1, i % 4);
        texts(&bytes, 3, i % 3);
    }
    end(&bytes, 1);
    end(&bytes, 3);
    raw_send_writer(peer, &bytes);
    assert_reply(peer, 1, "13 messages, 65 bytes");
    assert_reply(peer, 3, "9 messages, 45 bytes");
    writer_done(&bytes);
    raw_free(peer);
}

/* Faults behind messages that are as they should be */

static void after_the_end(writer *w)
{
    texts(w, 1, 3);
    end(w, 1);
    texts(w, 1, 1);
}

static void beyond_the_window(writer *w)
{
    texts(w, 1, 1 + WINDOW / (7 + 32));
}

static void short_of_its_size(writer *w)
{
    texts(w, 1, 3);
    write_frame(w, HEADER(.kind = VOW_FRAME_STREAM, .call = 1, .more = true, .message_size = 10), "12", 2);
    texts(w, 1, 1);
}

static void longer_than_any_frame(writer *w)
{
    size_t at;

    texts(w, 1, 3);
    at = w->size;
    texts(w, 1, 1);
    memset(w->data + at, 0xff, 4);
}

static void shorter_than_its_header(writer *w)
{
    size_t at;

    texts(w, 1, 3);
    at = w->size;
    texts(w, 1, 1);
    w->data[at] = 3;
}

static void too_large(writer *w)
{
    texts(w, 1, 3);
    text(w, 1, MAX_MESSAGE_SIZE - 2); /* a tag and two bytes of length */
}

static void not_as_it_should_be(writer *w)
{
    texts(w, 1, 3);
    write_frame(w, HEADER(.kind = VOW_FRAME_STREAM, .call = 1), "\xff\xff", 2);
}

static void a_fault_behind_a_burst_is_what_it_is_without_one(void **state)
{
    static const struct {
        const char *name;
        uint32_t    method;
        void (*write)(writer *writer);
        vow_frame_kind kind; /* GOAWAY, or STATUS of the call alone */
        const char    *says;
    } faults[] = {
        { "after the end", JOIN, after_the_end, VOW_FRAME_GOAWAY,
          "STREAM for call 1, whose sender had ended its messages" },
        { "beyond the window", MUTE, beyond_the_window, VOW_FRAME_GOAWAY,
          "STREAM for call 1 costs 39 bytes, and the call had credit for 16" },
        { "short of its size", JOIN, short_of_its_size, VOW_FRAME_GOAWAY, "a message ended after 9 of its 10 bytes" },
        { "longer than any frame", JOIN, longer_than_any_frame, VOW_FRAME_GOAWAY, "a frame of 4294967295 bytes" },
        { "shorter than its header", JOIN, shorter_than_its_header, VOW_FRAME_GOAWAY,
          "a header of 4 bytes in a frame of 3" },
        { "too large", JOIN, too_large, VOW_FRAME_STATUS,
          "a message of 1001 bytes came; 1000 are allowed (max_message_size)" },
        { "not as it should be", JOIN, not_as_it_should_be, VOW_FRAME_STATUS, "calls.Streams/Join: the message: " },
    };
    writer bytes = { 0 };

    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        raw_peer  *peer = connect_greeted(*state);
        vow_header header;
        vow_bytes  payload;
        char       says[1024];

        begin(peer, 1, faults[i].method);
        faults[i].write(&bytes);
        raw_send_writer(peer, &bytes);
        if (!raw_next(peer, faults[i].kind, &header, &payload))
            fail_msg("%s: the peer was not told", faults[i].name);
        snprintf(says, sizeof says, "%.*s", (int)header.text.size, (const char *)header.text.data);
        if (!strstr(says, faults[i].says))
            fail_msg("%s: it was told \"%s\"", faults[i].name, says);
        raw_free(peer);
    }
    writer_done(&bytes);
}

/* Handlers that end it */

static void what_is_left_of_a_burst_is_skipped_when_its_handler_has_answered(void **state)
{
    raw_peer  *peer = connect_greeted(*state);
    writer     bytes = { 0 };
    vow_header header;
    vow_bytes  payload;

    begin(peer, 1, THIRD);
    texts(&bytes, 1, 10);
    write_text_call(&bytes, 3, ECHO, "still there");
    raw_send_writer(peer, &bytes);
    assert_true(raw_next(peer, VOW_FRAME_STATUS, &header, &payload));
    assert_int_equal(header.code, VOW_ABORTED);
    assert_reply(peer, 3, "still there");
    assert_int_equal(third.read, 3);
    writer_done(&bytes);
    raw_free(peer);
}

static void a_handler_may_close_its_server_in_a_burst(void **state)
{
    raw_peer *peer = connect_greeted(*state);
    writer    bytes = { 0 };

    third.closes = true;
    begin(peer, 1, THIRD);
    texts(&bytes, 1, 10);
    raw_send_writer(peer, &bytes);
    raw_run_to_end(peer);
    assert_int_equal(third.read, 3);
    writer_done(&bytes);
    raw_free(peer);
}

#define ON(world, test) { #test " (" #world ")", test, open_##world, close_world, NULL }

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON(tcp, messages_of_all_sizes_arrive_as_they_were_sent),
        ON(tcp, a_burst_may_be_cut_anywhere),
        ON(tcp, bursts_of_two_streams_that_take_turns_go_to_each),
        ON(tcp, a_fault_behind_a_burst_is_what_it_is_without_one),
        ON(tcp, what_is_left_of_a_burst_is_skipped_when_its_handler_has_answered),
        ON(tcp, a_handler_may_close_its_server_in_a_burst),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
