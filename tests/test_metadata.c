/* Metadata: an ordered multimap in both directions, initial and trailing, and its limits. */
#include "runtime/protocol/metadata.h"
#include "tests/support/failing.h"
#include "tests/support/kinds.h"
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

static void handle(world *world, const vow_method *method, vow_serve_fn *serve, void *arg)
{
    const vow_handler handler = { .size = sizeof handler, .method = method, .serve = serve, .arg = arg };

    vow_server_handle(world->server, &handler);
}

/* "name=value name=value", with bytes that do not print as '.'. */
static const char *print_metadata(const vow_metadata *list)
{
    static char text[400];
    size_t      end = 0;

    text[0] = '\0';
    for (; list->name; list++) {
        end += (size_t)snprintf(text + end, sizeof text - end, "%s%s=", end ? " " : "", list->name);
        for (size_t i = 0; i < vow_metadata_value_size(list); i++)
            text[end++] = list->value[i] < 0x20 || list->value[i] > 0x7e ? '.' : list->value[i];
        text[end] = '\0';
    }
    return text;
}

/* From the caller */

static void echo_metadata(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    (void)request;
    (void)handler;
    vow_call_fail(call, VOW_ABORTED, "%s", print_metadata(vow_call_metadata(call)));
}

static void metadata_of_a_caller_arrives_in_its_order_bytes_included(void **state)
{
    world             *world = *state;
    const vow_metadata sent[] = {
        { "b", "2", 0 }, { "a", "1", 0 },   { "b", "", 0 }, { "key-bin", "x\0\xff", 3 },
        { "b", "3", 0 }, { NULL, NULL, 0 },
    };

    handle(world, &calls_calls_echo_method, echo_metadata, NULL);
    assert_string_equal(world_error(world, world_echo(world, "", VOW_CALL(.metadata = sent))),
                        "ABORTED: b=2 a=1 b= key-bin=x.. b=3");
    assert_string_equal(world_error(world, world_echo(world, "", NULL)), "ABORTED: ");
}

static void all_values_of_a_name_are_found_in_their_order(void **state)
{
    const vow_metadata list[] = { { "b", "1", 0 }, { "a", "2", 0 }, { "b", "3", 0 }, { NULL, NULL, 0 } };
    char               seen[8] = "";

    (void)state;
    for (const vow_metadata *entry = vow_metadata_find(list, "b"); entry;
         entry = vow_metadata_find(entry + 1, "b"))
        strcat(seen, entry->value);
    assert_string_equal(seen, "13");
    assert_null(vow_metadata_find(list, "c"));
    assert_null(vow_metadata_find(NULL, "c"));
}

/* From the handler */

static void answer_with_both(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    vow_call_send_trailing_metadata(call,
                                    VOW_METADATA({ .name = "last-bin", .value = "\0\1", .value_size = 2 }));
    vow_call_send_metadata(call, VOW_METADATA({ .name = "first", .value = "1" }));
    vow_call_send_metadata(call, VOW_METADATA({ .name = "first", .value = "2" }));
    if (handler->arg)
        vow_call_fail(call, VOW_ABORTED, "so");
    else
        vow_call_reply(call, request);
}

static void a_unary_answer_brings_metadata_of_its_beginning_and_of_its_end(void **state)
{
    world *world = *state;

    for (int fails = 0; fails <= 1; fails++) {
        vow_future *reply;
        vow_call   *call;

        handle(world, &calls_calls_echo_method, answer_with_both, fails ? world : NULL);
        reply = world_echo(world, "", NULL);
        call = vow_future_call(reply);
        assert_null(vow_call_metadata(call)->name);
        assert_null(vow_call_trailing_metadata(call)->name);
        assert_int_equal(vow_wait(reply), fails ? VOW_ABORTED : VOW_OK);
        assert_string_equal(print_metadata(vow_call_metadata(call)), "first=1 first=2");
        assert_string_equal(vow_call_metadata_get(call, "first"), "1");
        assert_string_equal(print_metadata(vow_call_trailing_metadata(call)), "last-bin=..");
        assert_int_equal(vow_call_trailing_metadata(call)->value_size, 2);
        vow_drop(reply);
    }
}

static void answer_in_pieces_with_both(vow_call *call, const ProtobufCMessage *request,
                                       const vow_handler *handler)
{
    (void)handler;
    vow_call_send_metadata(call, VOW_METADATA({ .name = "first", .value = "1" }));
    vow_call_send_trailing_metadata(call, VOW_METADATA({ .name = "last", .value = "2" }));
    vow_call_reply(call, request);
}

static void metadata_comes_with_a_reply_in_pieces_too(void **state)
{
    static uint8_t body[300000];
    world         *world = *state;
    Calls__Block   block = CALLS__BLOCK__INIT;
    vow_future    *reply;

    handle(world, &calls_calls_echo_block_method, answer_in_pieces_with_both, NULL);
    block.body = (ProtobufCBinaryData){ .data = body, .len = sizeof body };
    reply = calls_calls_echo_block(world->channel, &block, NULL);
    assert_int_equal(vow_wait(reply), VOW_OK);
    assert_string_equal(print_metadata(vow_call_metadata(vow_future_call(reply))), "first=1");
    assert_string_equal(print_metadata(vow_call_trailing_metadata(vow_future_call(reply))), "last=2");
    vow_drop(reply);
}

/* `arg`: how many messages it sends. */
static void stream_with_both(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    (void)request;
    vow_call_send_metadata(call, VOW_METADATA({ .name = "first", .value = "1" }));
    for (size_t i = *(const size_t *)handler->arg; i > 0; i--)
        streams_send(call, "message");
    vow_call_send_metadata(call, VOW_METADATA({ .name = "then", .value = "2" }));
    vow_call_send_trailing_metadata(call, VOW_METADATA({ .name = "last", .value = "3" }));
    vow_call_end(call);
}

static void metadata_behind_the_first_message_of_a_stream_comes_with_its_end(void **state)
{
    world *world = *state;
    size_t count = 2;

    handle(world, &streams_count, stream_with_both, &count);
    for (;; count = 0) {
        vow_call   *call = vow_call_start(world->channel, &streams_count, NULL);
        vow_future *closed;

        streams_send(call, "");
        for (size_t i = 0; i < count; i++) {
            vow_future *next = vow_call_next(call);

            assert_int_equal(vow_wait(next), VOW_OK);
            assert_string_equal(print_metadata(vow_call_metadata(call)),
                                "first=1"); /* before the first message */
            vow_drop(next);
        }
        closed = vow_call_when_closed(call);
        assert_int_equal(vow_wait(closed), VOW_OK);
        assert_string_equal(print_metadata(vow_call_metadata(call)), count ? "first=1" : "first=1 then=2");
        assert_string_equal(print_metadata(vow_call_trailing_metadata(call)),
                            count ? "then=2 last=3" : "last=3");
        vow_drop(closed);
        vow_call_drop(call);
        if (count == 0)
            break;
    }
}

/* Limits: each of both kinds has its own */

typedef struct much {
    size_t count;
    size_t bytes; /* of the last value */
    bool   trailing;
} much;

static void answer_with_much(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    static char  value[VOW_MAX_METADATA_SIZE];
    const much  *much = handler->arg;
    vow_metadata list[VOW_MAX_METADATA_COUNT + 2] = { { NULL, NULL, 0 } };

    memset(value, 'v', sizeof value);
    for (size_t i = 0; i < much->count; i++)
        list[i] = (vow_metadata){ "name", "", 0 };
    list[much->count - 1] = (vow_metadata){ "name", value, much->bytes };
    if (much->trailing)
        vow_call_send_trailing_metadata(call, list);
    else
        vow_call_send_metadata(call, list);
    if (!vow_call_cancelled(call) && much->bytes <= VOW_MAX_METADATA_SIZE - 36 &&
        much->count <= VOW_MAX_METADATA_COUNT) {
        /* The other kind has room of its own. */
        if (much->trailing)
            vow_call_send_metadata(call, list);
        else
            vow_call_send_trailing_metadata(call, list);
        vow_call_reply(call, request);
    }
}

static void a_handlers_metadata_has_100_entries_and_16_kib_of_each_kind_and_no_more(void **state)
{
    world *world = *state;

    for (int trailing = 0; trailing <= 1; trailing++) {
        much        much = { .trailing = trailing, .bytes = 1 };
        vow_future *reply;

        handle(world, &calls_calls_echo_method, answer_with_much, &much);
        much.count = VOW_MAX_METADATA_COUNT;
        assert_int_equal(world_settle(world, world_echo(world, "", NULL)), VOW_OK);
        much.count++;
        assert_string_equal(world_error(world, world_echo(world, "", NULL)),
                            "INTERNAL: calls.Calls/Echo: metadata has 101 entries; 100 are allowed");
        much.count = 1;
        much.bytes = VOW_MAX_METADATA_SIZE - 32 - strlen("name");
        reply = world_echo(world, "", NULL);
        assert_int_equal(vow_wait(reply), VOW_OK);
        assert_int_equal(vow_call_metadata(vow_future_call(reply))->value_size, much.bytes);
        assert_int_equal(vow_call_trailing_metadata(vow_future_call(reply))->value_size, much.bytes);
        vow_drop(reply);
        much.bytes++;
        assert_string_equal(
            world_error(world, world_echo(world, "", NULL)),
            "INTERNAL: calls.Calls/Echo: metadata counts 16385 bytes, 32 for each entry included; 16384 "
            "are allowed");
    }
}

static void fail_with_all_there_is(vow_call *call, const ProtobufCMessage *request,
                                   const vow_handler *handler)
{
    static char        value[VOW_MAX_METADATA_SIZE - 33];
    static uint8_t     body[4000];
    const Calls__Block detail = { PROTOBUF_C_MESSAGE_INIT(&calls__block__descriptor), { sizeof body, body } };
    const vow_metadata list[] = { { "n", value, sizeof value }, { NULL, NULL, 0 } };

    (void)request;
    (void)handler;
    memset(value, 'v', sizeof value);
    vow_call_send_metadata(call, list);
    vow_call_send_trailing_metadata(call, list);
    vow_call_fail_with(call, VOW_ABORTED, VOW_DETAILS(&detail.base), "%04000d", 1);
}

static void the_largest_metadata_details_and_text_go_with_one_status(void **state)
{
    world      *world = *state;
    vow_future *reply;
    size_t      size;

    handle(world, &calls_calls_echo_method, fail_with_all_there_is, NULL);
    reply = world_echo(world, "", NULL);
    assert_int_equal(vow_wait(reply), VOW_ABORTED);
    assert_int_equal(strlen(vow_future_message(reply)), 4000);
    assert_int_equal(vow_call_metadata(vow_future_call(reply))->value_size, VOW_MAX_METADATA_SIZE - 33);
    assert_int_equal(vow_call_trailing_metadata(vow_future_call(reply))->value_size,
                     VOW_MAX_METADATA_SIZE - 33);
    assert_non_null(vow_future_details(reply, &size));
    assert_in_range(size, 8000, 8192);
    vow_drop(reply);
    assert_int_equal(world_settle(world, world_hold(world, "", VOW_CALL(.timeout_ms = 1))),
                     VOW_DEADLINE_EXCEEDED);
}

/* Servers that send nonsense */

static vow_call *call_raw_server(world *world, vow_channel **channel, raw_peer **server)
{
    char      target[160];
    int       listener = raw_listen(world->kind, target);
    writer    bytes = { 0 };
    vow_call *call;

    *channel = vow_channel_open(world->loop, target, NULL);
    call = vow_call_start(*channel, &streams_count, NULL);
    streams_send(call, "");
    *server = raw_accept(world, listener);
    write_greeting(&bytes);
    raw_send_writer(*server, &bytes);
    writer_done(&bytes);
    close(listener);
    return call;
}

/* How a call of Count ends that is answered with `frames`. */
static void assert_ends(world *world, const char *name, const vow_header *frames, size_t count,
                        const char *error)
{
    vow_channel *channel;
    raw_peer    *server;
    vow_call    *call = call_raw_server(world, &channel, &server);
    vow_future  *closed = vow_call_when_closed(call);
    writer       bytes = { 0 };
    vow_header   header;
    vow_bytes    payload;

    assert_true(raw_next(server, VOW_FRAME_CALL, &header, &payload));
    for (size_t i = 0; i < count; i++)
        write_frame(&bytes, &frames[i], NULL, 0);
    raw_send_writer(server, &bytes);
    while (!vow_future_settled(closed))
        raw_turn(server, 10);
    if (!strstr(vow_future_error(closed), error))
        fail_msg("%s: %s", name, vow_future_error(closed));
    writer_done(&bytes);
    vow_drop(closed);
    vow_call_drop(call);
    vow_channel_close(channel);
    raw_free(server);
}

#define UPPER VOW_METADATA({ .name = "UPPER", .value = "x" })
#define GOOD VOW_METADATA({ .name = "good", .value = "x" })
#define STREAM(...)                                                                                          \
    {                                                                                                        \
        .kind = VOW_FRAME_STREAM, .call = 1, __VA_ARGS__                                                     \
    }
#define STATUS(...)                                                                                          \
    {                                                                                                        \
        .kind = VOW_FRAME_STATUS, .call = 1, __VA_ARGS__                                                     \
    }

static void a_servers_bad_metadata_ends_its_call_alone_and_hides_no_failure(void **state)
{
    world       *world = *state;
    vow_metadata many[VOW_MAX_METADATA_COUNT + 2] = { { NULL, NULL, 0 } };

    for (size_t i = 0; i <= VOW_MAX_METADATA_COUNT; i++)
        many[i] = (vow_metadata){ "n", "", 0 };
    assert_ends(world, "a name", (vow_header[]){ STREAM(.to_send = UPPER) }, 1, "INTERNAL: ");
    assert_ends(world, "too many", (vow_header[]){ STREAM(.to_send = many) }, 1,
                "the peer's metadata has 101 entries; 100 are allowed");
    assert_ends(world, "an end", (vow_header[]){ STATUS(.trailing_to_send = UPPER) }, 1,
                "the peer's trailing metadata \"UPPER\": a name has the characters");
    assert_ends(world, "too many at the end", (vow_header[]){ STATUS(.trailing_to_send = many) }, 1,
                "the peer's trailing metadata has 101 entries; 100 are allowed");
    assert_ends(world, "without end", (vow_header[]){ STREAM(.to_send = GOOD), STREAM(.to_send = GOOD) }, 2,
                "the peer's metadata came behind a message");
    assert_ends(world, "behind a message", (vow_header[]){ STREAM(.more = false), STATUS(.to_send = GOOD) },
                2, "the peer's metadata came behind a message");
    assert_ends(world, "of a failure", (vow_header[]){ STATUS(.code = VOW_ABORTED, .to_send = UPPER) }, 1,
                "ABORTED: ");
    assert_ends(world, "of a failure's end",
                (vow_header[]){ STATUS(.code = VOW_ABORTED, .trailing_to_send = many) }, 1, "ABORTED: ");
    assert_ends(world, "none", (vow_header[]){ STATUS(.to_send = GOOD, .trailing_to_send = GOOD) }, 1, "OK");
}

/* Clients that send nonsense */

static void a_clients_bad_metadata_refuses_its_call_alone(void **state)
{
    static const struct {
        const char *bytes; /* of an entry */
        size_t      size;
        const char *says;
    } cases[] = {
        { "\x0a\x01N\x12\x01v", 6, "\"N\": a name has the characters" },
        { "\x0a\x03n\0m\x12\x01v", 8, "metadata has a name that is empty, or has a NUL in it" },
        { "\x0a\x00\x12\x01v", 5, "metadata has a name that is empty, or has a NUL in it" },
        { "\x0a\x06grpc-x\x12\x01v", 11, "\"grpc-x\": a name has the characters" },
        { "\x0a\x01n\x12\x02v\0", 7, "\"n\": a value is printable ASCII" },
        { "\x0a\x01n\x12\x01\xff", 6, "\"n\": a value is printable ASCII" },
    };
    raw_peer *peer = raw_connect(*state);
    writer    bytes = { 0 };

    write_greeting(&bytes);
    write_method(&bytes, 1, "calls.Calls/Echo");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t    frame[40] = { 0,    0, 0,    0,   0, 0x08, VOW_FRAME_CALL, 0x10, (uint8_t)(2 * i + 1),
                                 0x18, 1, 0x82, 0x01 };
        size_t     header_size = 9 + cases[i].size;
        vow_header header;
        vow_bytes  payload;

        frame[0] = (uint8_t)(header_size + 1);
        frame[4] = (uint8_t)header_size;
        frame[13] = (uint8_t)cases[i].size;
        memcpy(frame + 14, cases[i].bytes, cases[i].size);
        raw_send_writer(peer, &bytes);
        raw_send(peer, frame, 5 + header_size);
        if (!raw_next(peer, VOW_FRAME_STATUS, &header, &payload))
            fail_msg("case %zu: the connection has ended", i);
        assert_int_equal(header.code, VOW_INVALID_ARGUMENT);
        if (!memmem(header.text.data, header.text.size, cases[i].says, strlen(cases[i].says)))
            fail_msg("case %zu: %.*s", i, (int)header.text.size, (const char *)header.text.data);
    }
    write_text_call(&bytes, 101, 1, "still there");
    raw_send_writer(peer, &bytes);
    {
        vow_header header;
        vow_bytes  payload;

        assert_true(raw_next(peer, VOW_FRAME_REPLY, &header, &payload));
    }
    writer_done(&bytes);
    raw_free(peer);
}

/* Memory */

static bool call_without_memory(world *world, size_t nth)
{
    vow_future *reply;
    bool        failed;

    failing_install(nth, false);
    reply = world_echo(world, "", VOW_CALL(.metadata = VOW_METADATA({ .name = "n", .value = "1" })));
    vow_wait(reply);
    failed = failing_has_failed();
    failing_stop();
    if (vow_future_code(reply) == VOW_OK) {
        assert_int_equal(vow_call_metadata(vow_future_call(reply))->value_size, VOW_MAX_METADATA_SIZE - 36);
        assert_int_equal(vow_call_trailing_metadata(vow_future_call(reply))->value_size,
                         VOW_MAX_METADATA_SIZE - 36);
    } else {
        assert_true(failed);
    }
    vow_drop(reply);
    return failed;
}

static void metadata_that_finds_no_memory_fails_the_call_and_never_goes_missing(void **state)
{
    size_t nth = 0;
    bool   goes_on = true;

    (void)state;
    for (; goes_on && nth < 300; nth++) {
        much   much = { .count = 1, .bytes = VOW_MAX_METADATA_SIZE - 36 };
        world *world;

        failing_install(SIZE_MAX, false);
        world = world_new(WORLD_SIMULATED);
        handle(world, &calls_calls_echo_method, answer_with_much, &much);
        assert_int_equal(world_settle(world, world_hold(world, "", VOW_CALL(.timeout_ms = 1))),
                         VOW_DEADLINE_EXCEEDED);
        goes_on = call_without_memory(world, nth);
        world_free(world);
        failing_remove();
    }
    assert_in_range(nth, 3, 299);
}

static void metadata_that_finds_no_room_in_its_call_fails_it_and_never_goes_missing(void **state)
{
    size_t failed_at_its_end = 0;
    size_t whole = 0;

    (void)state;
    for (size_t room = 8 << 10; room <= 256 << 10; room += 8 << 10) {
        much        much = { .count = 1, .bytes = VOW_MAX_METADATA_SIZE - 36 };
        world      *world = world_new_with(WORLD_SIMULATED, NULL, VOW_CHANNEL(.max_decoded_size = room));
        vow_future *reply;
        vow_call   *call;

        handle(world, &calls_calls_echo_method, answer_with_much, &much);
        reply = world_echo(world, "", NULL);
        call = vow_future_call(reply);
        vow_wait(reply);
        if (vow_future_code(reply) == VOW_OK) {
            assert_int_equal(vow_call_trailing_metadata(call)->value_size, much.bytes);
            whole++;
        } else {
            assert_non_null(strstr(vow_future_error(reply), "RESOURCE_EXHAUSTED: calls.Calls/Echo: "));
            failed_at_its_end += vow_call_metadata(call)->name && !vow_call_trailing_metadata(call)->name;
        }
        vow_drop(reply);
        world_free(world);
    }
    assert_true(failed_at_its_end > 0);
    assert_true(whole > 0);
}

#define SIMULATED(test) cmocka_unit_test_setup_teardown(test, streams_open_simulated, world_close)
#define ON_TCP(test) cmocka_unit_test_setup_teardown(test, streams_open_tcp, world_close)
#define TWICE(test)                                                                                          \
    SIMULATED(test),                                                                                         \
    {                                                                                                        \
#test " (tcp)", test, streams_open_tcp, world_close, NULL                                            \
    }
#define EVERYWHERE(test)                                                                                     \
    TWICE(test),                                                                                             \
    {                                                                                                        \
#test " (grpc)", test, streams_open_grpc, world_close, NULL                                          \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVERYWHERE(metadata_of_a_caller_arrives_in_its_order_bytes_included),
        cmocka_unit_test(all_values_of_a_name_are_found_in_their_order),
        EVERYWHERE(a_unary_answer_brings_metadata_of_its_beginning_and_of_its_end),
        EVERYWHERE(metadata_comes_with_a_reply_in_pieces_too),
        EVERYWHERE(metadata_behind_the_first_message_of_a_stream_comes_with_its_end),
        SIMULATED(a_handlers_metadata_has_100_entries_and_16_kib_of_each_kind_and_no_more),
        EVERYWHERE(the_largest_metadata_details_and_text_go_with_one_status),
        ON_TCP(a_servers_bad_metadata_ends_its_call_alone_and_hides_no_failure),
        ON_TCP(a_clients_bad_metadata_refuses_its_call_alone),
        cmocka_unit_test(metadata_that_finds_no_room_in_its_call_fails_it_and_never_goes_missing),
        cmocka_unit_test(metadata_that_finds_no_memory_fails_the_call_and_never_goes_missing),
    };

    return kinds_run_tests("metadata", tests);
}
