/*
 * What a channel does with a server that does not follow the protocol, and what neither side can be made to
 * spend.
 *
 * The claim, of each fault: the call settles with a code and a text that say what happened, and calls on
 * other connections go on.
 */
#include "tests/support/raw_peer.h"
#include "tests/support/setups.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

/* A server that is not vow's, and a channel whose call has reached it */

typedef struct scene {
    world       *world;
    int          listener;
    char         target[160];
    vow_channel *channel;
    raw_peer    *server;
    vow_future  *call;
} scene;

static vow_future *scene_echo(scene *scene)
{
    Calls__Text request = CALLS__TEXT__INIT;

    request.text = (char *)(uintptr_t) "asked";
    return calls_calls_echo(scene->channel, &request, NULL);
}

static void scene_open(scene *scene, world *world, const vow_channel_options *options)
{
    scene->world = world;
    scene->listener = raw_listen(world->kind, scene->target);
    scene->channel = vow_channel_open(world->loop, scene->target, options);
    scene->call = scene_echo(scene);
    scene->server = raw_accept(world, scene->listener);
}

static void scene_greet(scene *scene)
{
    writer     bytes = { 0 };
    vow_header header;
    vow_bytes  payload;

    write_greeting(&bytes);
    raw_send_writer(scene->server, &bytes);
    writer_done(&bytes);
    assert_true(raw_next(scene->server, VOW_FRAME_CALL, &header, &payload));
    assert_int_equal(header.call, 1);
}

static void scene_close(scene *scene)
{
    raw_free(scene->server);
    vow_channel_close(scene->channel);
    close(scene->listener);
    if (strncmp(scene->target, "unix://", 7) == 0)
        unlink(scene->target + 7);
}

/* Faults */

/* What a socket has not read when it is closed makes the end a reset. */
static void server_hangs_up(raw_peer *server, bool has_read)
{
    vow_header header;
    vow_bytes  payload;

    if (!has_read)
        assert_true(raw_next(server, VOW_FRAME_HELLO, &header, &payload));
    close(server->fd);
    server->fd = -1;
    server->has_ended = true;
}

static void no_words(writer *w)
{
    (void)w;
}
static void http(writer *w)
{
    writer_add(w, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", 47);
}
static void garbage(writer *w)
{
    writer_add(w, "GET / HTTP/1.1\r\n", 16);
}
static void half_a_preface(writer *w)
{
    writer_add(w, vow_preface, 4);
}
static void half_a_reply(writer *w)
{
    writer_add(w, "\x30\0\0\0\x04\x08\x05", 7);
}
static void reply_unbegun(writer *w)
{
    write_frame(w, HEADER(.kind = VOW_FRAME_REPLY, .call = 99), NULL, 0);
}
static void reply_even(writer *w)
{
    write_frame(w, HEADER(.kind = VOW_FRAME_REPLY, .call = 2), NULL, 0);
}
static void reply_malformed(writer *w)
{
    write_frame(w, HEADER(.kind = VOW_FRAME_REPLY, .call = 1), "\x0a\x7f", 2);
}

static void reply_not_utf8(writer *w)
{
    write_frame(w, HEADER(.kind = VOW_FRAME_REPLY, .call = 1), "\x0a\x01\xff", 3);
}

static void begin_reply(writer *w)
{
    write_frame(w, HEADER(.kind = VOW_FRAME_REPLY, .call = 1, .more = true, .message_size = 10), NULL, 0);
}

static void second_reply(writer *w)
{
    begin_reply(w);
    begin_reply(w);
}

static void message_too_long(writer *w)
{
    begin_reply(w);
    write_frame(w, HEADER(.kind = VOW_FRAME_MESSAGE, .call = 1), "12345678901", 11);
}

static void message_too_short(writer *w)
{
    begin_reply(w);
    write_frame(w, HEADER(.kind = VOW_FRAME_MESSAGE, .call = 1), "12345", 5);
}

static void message_unbegun(writer *w)
{
    write_frame(w, HEADER(.kind = VOW_FRAME_MESSAGE, .call = 1), "x", 1);
}

static void write_goaway(writer *w, vow_code code, const char *text)
{
    write_frame(w,
                HEADER(.kind = VOW_FRAME_GOAWAY, .code = (uint32_t)code,
                       .text = { (const uint8_t *)text, strlen(text) }),
                NULL, 0);
}

static void goaway_first(writer *w)
{
    write_preface(w);
    write_goaway(w, VOW_PERMISSION_DENIED, "not you");
}

static void goaway_later(writer *w)
{
    write_goaway(w, VOW_DATA_LOSS, "the disk is gone");
}

static void other_versions(writer *w)
{
    write_preface(w);
    write_hello(w, 2, 3);
}

typedef enum manner { STAYS, HANGS_UP, RESETS } manner;

typedef struct fault {
    const char *name;
    bool        greets; /* and has the call */
    void (*write)(writer *writer);
    manner      manner;
    const char *code;
    const char *says;
} fault;

static const fault faults[] = {
    { "http", false, http, STAYS, "UNAVAILABLE", "does not speak vow's protocol (it began with \"HTTP/1.1" },
    { "http, closed", false, http, HANGS_UP, "UNAVAILABLE",
      "does not speak vow's protocol (it began with \"HTTP/1.1" },
    { "closes at once", false, no_words, HANGS_UP, "UNAVAILABLE", "closed the connection" },
    { "resets at once", false, no_words, RESETS, "UNAVAILABLE", "" },
    { "half a preface", false, half_a_preface, HANGS_UP, "UNAVAILABLE", "closed the connection" },
    { "goaway for a hello", false, goaway_first, STAYS, "PERMISSION_DENIED", "not you" },
    { "other versions", false, other_versions, STAYS, "FAILED_PRECONDITION", "versions 2 to 3" },
    { "never says hello", false, no_words, STAYS, "UNAVAILABLE", "hello after 100 ms (connect_timeout_ms)" },
    { "closes", true, no_words, HANGS_UP, "UNAVAILABLE", "closed the connection" },
    { "resets", true, no_words, RESETS, "UNAVAILABLE", "" },
    { "vanishes in a frame", true, half_a_reply, HANGS_UP, "UNAVAILABLE", "closed the connection" },
    { "resets in a frame", true, half_a_reply, RESETS, "UNAVAILABLE", "" },
    { "stalls in a frame", true, half_a_reply, STAYS, "UNAVAILABLE", "has not ended (connect_timeout_ms)" },
    { "vanishes in a message", true, begin_reply, HANGS_UP, "UNAVAILABLE", "closed the connection" },
    { "stalls in a message", true, begin_reply, STAYS, "UNAVAILABLE",
      "0 bytes of a message of 10 have come in the time for all of it (connect_timeout_ms" },
    { "goaway with an error", true, goaway_later, STAYS, "DATA_LOSS", "the disk is gone" },
    { "garbage", true, garbage, STAYS, "INTERNAL", "broke vow's protocol: a frame of 542393671 bytes" },
    { "reply unasked", true, reply_unbegun, STAYS, "INTERNAL",
      "REPLY for call 99, which this side has not begun" },
    { "reply to its own", true, reply_even, STAYS, "INTERNAL",
      "REPLY for call 2, which this side has not begun" },
    { "second reply", true, second_reply, STAYS, "INTERNAL", "REPLY for call 1, whose last message has not ended" },
    { "message too long", true, message_too_long, STAYS, "INTERNAL",
      "a message goes on beyond its 10 bytes" },
    { "message too short", true, message_too_short, STAYS, "INTERNAL",
      "a message ended after 5 of its 10 bytes" },
    { "message unbegun", true, message_unbegun, STAYS, "INTERNAL", "MESSAGE for call 1, which expects none" },
    { "malformed reply", true, reply_malformed, STAYS, "INTERNAL: calls.Calls/Echo", "calls.Text" },
    { "reply not UTF-8", true, reply_not_utf8, STAYS, "INTERNAL: calls.Calls/Echo", "calls.Text.text" },
};

static void scene_misbehave(scene *scene, const fault *fault)
{
    writer bytes = { 0 };

    if (fault->greets)
        scene_greet(scene);
    fault->write(&bytes);
    raw_send_writer(scene->server, &bytes);
    writer_done(&bytes);
    if (fault->manner == HANGS_UP)
        server_hangs_up(scene->server, fault->greets);
    else if (fault->manner == RESETS)
        raw_reset(scene->server);
}

/* A failure of the connection names the target; one of the reply names the method. */
static void assert_says(const scene *scene, const fault *fault, const char *error)
{
    bool names = strstr(error, scene->target) || strstr(error, "calls.Calls/Echo");

    if (strncmp(error, fault->code, strlen(fault->code)) != 0 || !strstr(error, fault->says) || !names)
        fail_msg("%s: the call failed with \"%s\"", fault->name, error);
}

static void a_fault_of_a_server_reaches_the_call_in_words_and_no_other(void **state)
{
    world      *world = *state;
    vow_future *held = world_hold(world, "", VOW_CALL(.timeout_ms = VOW_NO_TIMEOUT));

    world_wait_for_held(world, 1);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        scene scene;

        scene_open(&scene, world,
                   VOW_CHANNEL(.connect_timeout_ms = strstr(faults[i].says, "connect_t") ? 100 : 0));
        scene_misbehave(&scene, &faults[i]);
        assert_says(&scene, &faults[i], world_error(world, scene.call));
        scene_close(&scene);
        world_assert_serves(world);
    }
    world_answer_held(world, "");
    assert_int_equal(world_settle(world, held), VOW_OK);
}

/* Closing a channel while its connection ends */

#define LAST_MOMENT 12

typedef struct closing {
    scene scene;
    int   moments_left; /* iterations of the loop, before the channel is closed */
} closing;

/* Started after vow's own, it runs before that: between what was read and what follows from it. */
static void moment_passed(uv_check_t *check)
{
    closing *closing = check->data;

    if (closing->moments_left-- != 0)
        return;
    vow_channel_close(closing->scene.channel);
    closing->scene.channel = NULL;
}

/* The server tells that it goes away, and is gone, with a call still open. */
static void a_channel_may_be_closed_at_any_moment_of_its_connections_end(void **state)
{
    world *world = *state;

    for (int moment = 0; moment < LAST_MOMENT; moment++) {
        closing    closing = { .moments_left = moment };
        uv_check_t check;
        writer     goaway = { 0 };

        scene_open(&closing.scene, world, NULL);
        scene_greet(&closing.scene);
        write_frame(&goaway, HEADER(.kind = VOW_FRAME_GOAWAY), NULL, 0);
        raw_send_writer(closing.scene.server, &goaway);
        writer_done(&goaway);
        server_hangs_up(closing.scene.server, true);
        uv_check_init(world->uv, &check);
        check.data = &closing;
        uv_check_start(&check, moment_passed);
        while (closing.scene.channel)
            uv_run(world->uv, UV_RUN_NOWAIT);
        uv_close((uv_handle_t *)&check, NULL);
        assert_int_not_equal(world_settle(world, closing.scene.call), VOW_OK);
        scene_close(&closing.scene);
    }
}

/* Replies that cost their call, and leave the connection */

static void write_text_reply(writer *w, uint64_t call)
{
    write_frame(w, HEADER(.kind = VOW_FRAME_REPLY, .call = call), "\x0a\x02ok", 4);
}

static void announced_too_large(writer *w)
{
    static const uint8_t body[1500];

    write_frame(w, HEADER(.kind = VOW_FRAME_REPLY, .call = 1, .more = true, .message_size = 3000), body,
                1500);
    write_frame(w, HEADER(.kind = VOW_FRAME_MESSAGE, .call = 1), body, 1500);
}

static void payload_too_large(writer *w)
{
    static const uint8_t body[1001];

    write_frame(w, HEADER(.kind = VOW_FRAME_REPLY, .call = 1), body, sizeof body);
}

static void reply_after_the_first(writer *w)
{
    write_text_reply(w, 1);
    write_text_reply(w, 1);
}

static void a_reply_that_is_refused_costs_its_call_alone(void **state)
{
    static const fault replies[] = {
        { "announced", true, announced_too_large, STAYS, "RESOURCE_EXHAUSTED", "message of 3000 bytes" },
        { "payload", true, payload_too_large, STAYS, "RESOURCE_EXHAUSTED",
          "1000 are allowed (max_message_size)" },
        { "malformed", true, reply_malformed, STAYS, "INTERNAL: calls.Calls/Echo", "calls.Text" },
        { "second reply", true, reply_after_the_first, STAYS, "OK", "" },
    };
    vow_header header;
    vow_bytes  payload;
    writer     bytes = { 0 };

    for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
        scene       scene;
        vow_future *next;
        const char *error;

        scene_open(&scene, *state, VOW_CHANNEL(.max_message_size = 1000));
        scene_misbehave(&scene, &replies[i]);
        error = world_error(*state, scene.call);
        if (strncmp(error, replies[i].code, strlen(replies[i].code)) != 0 || !strstr(error, replies[i].says))
            fail_msg("%s: the call ended with \"%s\"", replies[i].name, error);
        next = scene_echo(&scene);
        assert_true(raw_next(scene.server, VOW_FRAME_CALL, &header, &payload));
        write_text_reply(&bytes, header.call);
        raw_send_writer(scene.server, &bytes);
        assert_string_equal(world_error(*state, next), "OK");
        scene_close(&scene);
    }
    writer_done(&bytes);
}

/* Messages that are small to send and large to have */

static size_t bytes_now;
static size_t bytes_most;

static void account_add(void *memory)
{
    bytes_now += malloc_usable_size(memory);
    bytes_most = bytes_now > bytes_most ? bytes_now : bytes_most;
}

static void *account_alloc(size_t size, void *context)
{
    void *memory = malloc(size);

    (void)context;
    account_add(memory);
    return memory;
}

static void *account_resize(void *memory, size_t size, void *context)
{
    size_t before = malloc_usable_size(memory);
    void  *resized = realloc(memory, size);

    (void)context;
    if (resized) {
        bytes_now -= before;
        account_add(resized);
    }
    return resized;
}

static void account_release(void *memory, void *context)
{
    (void)context;
    bytes_now -= malloc_usable_size(memory);
    free(memory);
}

static int open_accounted(void **state)
{
    static const vow_allocator allocator = { account_alloc, account_resize, account_release, NULL };

    bytes_now = 0;
    vow_allocator_set(&allocator);
    return world_open_tcp(state);
}

static int close_accounted(void **state)
{
    world_free(*state);
    vow_allocator_set(NULL);
    assert_int_equal(bytes_now, 0);
    return 0;
}

/* Pools fill up over the first calls, to a bound that is far below what so many refused messages take. */
#define ROUNDS 40
#define POOLED ((size_t)64 << 10)

static vow_raw bomb;

static void serve_bomb(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    (void)request;
    (void)handler;
    vow_call_reply(call, &bomb.base);
}

static vow_future *send_bomb(world *world, bool as_reply)
{
    Calls__Tree request = CALLS__TREE__INIT;

    return vow_call_unary(world->channel, &calls_calls_echo_tree_method,
                          as_reply ? &request.base : &bomb.base, NULL);
}

/* `most`: what may be out at one time beyond what was before, on both sides together, queues included. */
static void assert_bomb_is_refused(world *world, const writer *bytes, size_t most)
{
    bomb = (vow_raw)VOW_RAW_INIT(bytes->data, bytes->size);
    for (int as_reply = 0; as_reply <= 1; as_reply++) {
        size_t after_first = 0;

        if (as_reply)
            vow_server_handle(world->server, &(vow_handler){ .size = sizeof(vow_handler),
                                                             .method = &calls_calls_echo_tree_method,
                                                             .serve = serve_bomb });
        assert_int_equal(world_settle(world, world_echo(world, "warm", NULL)), VOW_OK);
        for (int i = 0; i < ROUNDS; i++) {
            size_t      before = bytes_now;
            const char *error;

            bytes_most = bytes_now;
            error = world_error(world, send_bomb(world, as_reply));
            if (strncmp(error, "RESOURCE_EXHAUSTED", 18) != 0 || !strstr(error, "calls.Tree") ||
                !strstr(error, "(max_"))
                fail_msg("the call ended with \"%s\"", error);
            if (bytes_most - before > most)
                fail_msg("%zu bytes were out at one time; %zu are allowed", bytes_most - before, most);
            world_assert_serves(world);
            after_first = i == 0 ? bytes_now : after_first;
        }
        if (bytes_now > after_first + POOLED)
            fail_msg("%zu bytes were kept after the first, %zu at the end", after_first, bytes_now);
    }
}

static void a_message_nested_10000_deep_is_refused_and_costs_nothing(void **state)
{
    writer bytes = { 0 };

    writer_nest(&bytes, 1, 10000);
    assert_in_range(bytes.size, 20000, 50000);
    assert_bomb_is_refused(*state, &bytes, (size_t)512 << 10);
    writer_done(&bytes);
}

static void four_mib_of_empty_messages_are_refused_and_cost_nothing_but_themselves(void **state)
{
    writer bytes = { 0 };

    writer_repeat(&bytes, "\x0a\0", 2, (size_t)2 << 20);
    assert_int_equal(bytes.size, (size_t)4 << 20);
    assert_bomb_is_refused(*state, &bytes, (size_t)12 << 20);
    writer_done(&bytes);
}

/* What this side says that the other would not take */

static void serve_strange_text(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    (void)request;
    vow_call_fail(call, VOW_NOT_FOUND, "%s", (const char *)handler->arg);
}

static void handle_echo(world *world, vow_serve_fn *serve, void *arg)
{
    vow_server_handle(world->server, &(vow_handler){ .size = sizeof(vow_handler),
                                                     .method = &calls_calls_echo_method,
                                                     .serve = serve,
                                                     .arg = arg });
}

static void a_failures_text_is_cut_and_mended_and_the_connection_goes_on(void **state)
{
    world      *world = *state;
    vow_future *held = world_hold(world, "", NULL);
    char        text[5000];

    world_wait_for_held(world, 1);
    handle_echo(world, serve_strange_text, text);
    strcpy(text, "caf\xe9 \xed\xa0\x80 \xc3\xa9 \xc3");
    assert_string_equal(world_error(world, world_echo(world, "", NULL)), "NOT_FOUND: caf? ??? \xc3\xa9 ?");
    for (size_t shift = 0; shift < 4; shift++) {
        memset(text, 'x', shift);
        for (size_t i = shift; i + 4 < sizeof text; i += 4)
            memcpy(text + i, "\xf0\x9f\x98\x80", 5);
        vow_future *echo = world_echo(world, "", NULL);

        world_wait(world, echo);
        assert_int_equal(vow_future_code(echo), VOW_NOT_FOUND);
        assert_int_equal(strlen(vow_future_error(echo)), strlen("NOT_FOUND: ") + 4096 - (4 - shift) % 4);
        vow_drop(echo);
    }
    world_answer_held(world, "");
    assert_int_equal(world_settle(world, held), VOW_OK);
}

static void serve_much_metadata(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    static char value[3000];
    size_t      count = *(const size_t *)handler->arg;

    memset(value, 'v', sizeof value - 1);
    for (size_t i = 0; i < count; i++)
        vow_call_send_metadata(call, VOW_METADATA({ .name = "part", .value = value }));
    vow_call_reply(call, request);
}

static void metadata_that_is_too_much_together_fails_the_call_alone(void **state)
{
    world      *world = *state;
    vow_future *held = world_hold(world, "", NULL);
    size_t      count = 5;
    const char *error;

    world_wait_for_held(world, 1);
    handle_echo(world, serve_much_metadata, &count);
    assert_string_equal(world_error(world, world_echo(world, "", NULL)), "OK");
    count = 6;
    error = world_error(world, world_echo(world, "", NULL));
    assert_memory_equal(error, "INTERNAL: calls.Calls/Echo: metadata counts", 43);
    world_answer_held(world, "");
    assert_int_equal(world_settle(world, held), VOW_OK);
}

static void a_method_whose_name_cannot_travel_is_refused_to_the_caller(void **state)
{
    world      *world = *state;
    char        name[514];
    vow_method  method = calls_calls_echo_method;
    Calls__Text request = CALLS__TEXT__INIT;
    const char *error;

    memset(name, 'n', sizeof name);
    name[513] = '\0';
    method.name = name;
    error = world_error(world, vow_call_unary(world->channel, &method, &request.base, NULL));
    assert_memory_equal(error, "INVALID_ARGUMENT: nnn", 21);
    assert_non_null(strstr(error, "1 to 512 bytes; this one has 513"));
    name[512] = '\0';
    assert_int_equal(world_settle(world, vow_call_unary(world->channel, &method, &request.base, NULL)),
                     VOW_UNIMPLEMENTED);
    strcpy(name, "not.Utf8/\xff");
    assert_int_equal(world_settle(world, vow_call_unary(world->channel, &method, &request.base, NULL)),
                     VOW_INVALID_ARGUMENT);
    name[0] = '\0';
    assert_int_equal(world_settle(world, vow_call_unary(world->channel, &method, &request.base, NULL)),
                     VOW_INVALID_ARGUMENT);
    world_assert_serves(world);
}

#define ON_TCP(test) cmocka_unit_test_setup_teardown(test, world_open_tcp, world_close)
#define ACCOUNTED(test) cmocka_unit_test_setup_teardown(test, open_accounted, close_accounted)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_TCP(a_fault_of_a_server_reaches_the_call_in_words_and_no_other),
        { "a_fault_of_a_server_reaches_the_call_in_words_and_no_other (unix)",
          a_fault_of_a_server_reaches_the_call_in_words_and_no_other, world_open_unix, world_close, NULL },
        ON_TCP(a_channel_may_be_closed_at_any_moment_of_its_connections_end),
        ON_TCP(a_reply_that_is_refused_costs_its_call_alone),
        ACCOUNTED(a_message_nested_10000_deep_is_refused_and_costs_nothing),
        ACCOUNTED(four_mib_of_empty_messages_are_refused_and_cost_nothing_but_themselves),
        ON_TCP(a_failures_text_is_cut_and_mended_and_the_connection_goes_on),
        ON_TCP(metadata_that_is_too_much_together_fails_the_call_alone),
        ON_TCP(a_method_whose_name_cannot_travel_is_refused_to_the_caller),
    };

    return cmocka_run_group_tests_name("bad server", tests, NULL, NULL);
}
