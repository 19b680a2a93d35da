/*
 * A peer that takes frames of 1 KiB, the least that is allowed. Messages are cut to them; a header can't be, and what
 * does not fit one is refused, or left out.
 */
#include "tests/support/sim_peer.h"
#include "tests/support/streams.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define ADDRESS "tcp://10.0.0.9:7000"

enum { ECHO = 1, COUNT };

static char value[2000];

static int fill_value(void **state)
{
    (void)state;
    memset(value, 'v', sizeof value);
    return 0;
}

/* The peer */

static void greet(sim_peer *peer)
{
    const vow_hello hello = { .max_frame_size = VOW_FRAME_LEAST,
                              .max_message_size = 100000,
                              .max_calls = 1000,
                              .stream_window = VOW_STREAM_WINDOW,
                              .connection_window = VOW_CONNECTION_WINDOW };
    uint8_t         payload[VOW_HELLO_MAX];
    writer          bytes = { 0 };

    write_preface(&bytes);
    write_frame(&bytes, HEADER(.kind = VOW_FRAME_HELLO), payload, vow_hello_write(payload, &hello));
    write_method(&bytes, ECHO, "calls.Calls/Echo");
    write_method(&bytes, COUNT, "calls.Streams/Count");
    sim_send(peer, &bytes);
    writer_done(&bytes);
}

/* Of all frames that came. */
static size_t largest_frame(const sim_peer *peer)
{
    size_t largest = 0;

    for (size_t at = VOW_PREFACE_SIZE; at + 4 <= peer->got.size;) {
        const uint8_t *length = peer->got.data + at;
        size_t         size = length[0] | (size_t)length[1] << 8 | (size_t)length[2] << 16;

        largest = size > largest ? size : largest;
        at += 4 + size;
    }
    return largest;
}

/* A world whose channel calls the peer */

typedef struct scene {
    world       *world;
    sim_server  *server;
    vow_channel *channel;
    sim_peer    *peer;
} scene;

static void scene_open(scene *scene)
{
    scene->world = streams_world(WORLD_SIMULATED);
    scene->server = sim_listen(scene->world, ADDRESS);
    scene->server->greets = false;
    scene->channel = vow_channel_open(scene->world->loop, ADDRESS, NULL);
    vow_drop(vow_channel_ready(scene->channel));
    scene->peer = sim_accepted(scene->server, 1);
    greet(scene->peer);
}

static void scene_close(scene *scene)
{
    vow_channel_close(scene->channel);
    sim_server_free(scene->server);
    world_free(scene->world);
}

/* How a call fails that is begun with a value of `size` bytes; "": it was sent. */
static const char *fails_with(scene *scene, size_t size, bool streams)
{
    const vow_metadata metadata[] = { { "name", value, size }, { NULL, NULL, 0 } };
    Calls__Text        request = CALLS__TEXT__INIT;
    vow_call          *call = NULL;
    vow_future        *end;
    const char        *error = "";

    if (streams) {
        call = vow_call_start(scene->channel, &streams_chat, VOW_CALL(.metadata = metadata));
        end = vow_call_when_closed(call);
    } else {
        end = calls_calls_echo(scene->channel, &request, VOW_CALL(.metadata = metadata));
    }
    world_advance_ms(scene->world, 5);
    if (vow_future_settled(end))
        error = world_error(scene->world, end);
    else
        vow_drop(end);
    if (call)
        vow_call_drop(call);
    world_advance_ms(scene->world, 5);
    return error;
}

static void a_calls_metadata_fills_a_frame_of_the_servers_and_no_more(void **state)
{
    static const char *const names[] = { "calls.Calls/Echo", "calls.Streams/Chat" };

    (void)state;
    for (int streams = 0; streams <= 1; streams++) {
        scene  scene;
        size_t size = 950;
        char   expected[160];

        scene_open(&scene);
        while (*fails_with(&scene, size, streams) == '\0')
            size++;
        assert_int_equal(largest_frame(scene.peer), VOW_FRAME_LEAST);
        snprintf(expected, sizeof expected,
                 "RESOURCE_EXHAUSTED: " ADDRESS ": %s: the call's metadata makes a frame of 1025 bytes; the server "
                 "takes 1024 (its max_frame_size)",
                 names[streams]);
        assert_string_equal(fails_with(&scene, size, streams), expected);
        assert_string_equal(fails_with(&scene, 10, streams), "");
        scene_close(&scene);
    }
}

/* A world whose server is called by the peer */

static const vow_metadata *metadata_of(size_t size)
{
    static vow_metadata list[2] = { { "name", value, 0 } };

    list[0].value_size = size;
    return list;
}

static void handle(world *world, const vow_method *method, vow_serve_fn *serve)
{
    const vow_handler handler = { .size = sizeof handler, .method = method, .serve = serve };

    vow_server_handle(world->server, &handler);
}

/* The header of the frame of `kind` that answers a call of `method`, and lives until the world ends. */
static vow_header answer_of(world *world, sim_peer **peer, uint32_t method, vow_frame_kind kind)
{
    vow_header header;
    vow_bytes  payload;
    writer     bytes = { 0 };

    *peer = sim_connect_silent(world);
    greet(*peer);
    write_text_call(&bytes, 1, method, "");
    sim_send(*peer, &bytes);
    writer_done(&bytes);
    assert_true(sim_next(*peer, kind, 1000, &header, &payload));
    assert_in_range(largest_frame(*peer), 1, VOW_FRAME_LEAST);
    return header;
}

static void assert_text(const vow_header *header, const char *text)
{
    if (header->text.size != strlen(text) || memcmp(header->text.data, text, strlen(text)) != 0)
        fail_msg("\"%.*s\", and not \"%s\"", (int)header->text.size, (const char *)header->text.data, text);
}

static void reply_with_much(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    (void)handler;
    vow_call_send_metadata(call, metadata_of(500));
    vow_call_send_trailing_metadata(call, metadata_of(500));
    vow_call_reply(call, request);
}

static void send_first_with_much(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    (void)handler;
    vow_call_send_metadata(call, metadata_of(1100));
    vow_call_send(call, request);
    vow_call_end(call);
}

static void flush_much(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    (void)request;
    (void)handler;
    vow_call_send_metadata(call, metadata_of(1100));
    vow_call_flush_metadata(call);
    vow_call_end(call);
}

static void end_with_much(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    (void)handler;
    vow_call_send(call, request);
    vow_call_send_trailing_metadata(call, metadata_of(1100));
    vow_call_end(call);
}

static void an_answer_fails_whose_metadata_is_more_than_a_frame_of_the_callers(void **state)
{
    static const struct {
        const char *name;
        uint32_t    method;
        vow_serve_fn *serve;
        const char *text;
    } cases[] = {
        { "reply", ECHO, reply_with_much,
          "the answer's metadata makes a frame of 1032 bytes; the caller takes 1024 (its max_frame_size)" },
        { "first message", COUNT, send_first_with_much,
          "the answer's metadata makes a frame of 1119 bytes; the caller takes 1024 (its max_frame_size)" },
        { "flushed", COUNT, flush_much,
          "the answer's metadata makes a frame of 1121 bytes; the caller takes 1024 (its max_frame_size)" },
        { "end", COUNT, end_with_much,
          "the answer's metadata makes a frame of 1121 bytes; the caller takes 1024 (its max_frame_size)" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        world     *world = streams_world(WORLD_SIMULATED);
        sim_peer  *peer;
        vow_header status;

        handle(world, cases[i].method == ECHO ? &calls_calls_echo_method : &streams_count, cases[i].serve);
        status = answer_of(world, &peer, cases[i].method, VOW_FRAME_STATUS);
        if (status.code != VOW_RESOURCE_EXHAUSTED || status.metadata.count || status.trailing.count)
            fail_msg("%s: it ended with %u", cases[i].name, status.code);
        assert_text(&status, cases[i].text);
        sim_free(peer);
        world_free(world);
    }
}

static void fail_with_metadata(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    const Calls__Text detail = { PROTOBUF_C_MESSAGE_INIT(&calls__text__descriptor), (char *)(uintptr_t) "why" };

    (void)request;
    (void)handler;
    vow_call_send_metadata(call, metadata_of(500));
    vow_call_send_trailing_metadata(call, metadata_of(500));
    vow_call_fail_with(call, VOW_ABORTED, VOW_DETAILS(&detail.base), "so");
}

static void a_failure_arrives_with_its_details_and_without_metadata_that_is_too_much(void **state)
{
    world     *world = streams_world(WORLD_SIMULATED);
    sim_peer  *peer;
    vow_header status;

    (void)state;
    handle(world, &calls_calls_echo_method, fail_with_metadata);
    status = answer_of(world, &peer, ECHO, VOW_FRAME_STATUS);
    assert_int_equal(status.code, VOW_ABORTED);
    assert_text(&status, "so");
    assert_int_equal(status.metadata.count + status.trailing.count, 0);
    assert_in_range(status.details.size, 10, 200);
    sim_free(peer);
    world_free(world);
}

static void fail_with_a_long_text(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    const Calls__Text detail = { PROTOBUF_C_MESSAGE_INIT(&calls__text__descriptor), (char *)(uintptr_t) "why" };
    char              text[1501] = "";

    (void)request;
    (void)handler;
    for (int i = 0; i < 500; i++)
        strcpy(text + 3 * i, "€");
    vow_call_fail_with(call, VOW_ABORTED, VOW_DETAILS(&detail.base), "%s", text);
}

static void a_failures_text_is_cut_between_two_characters(void **state)
{
    world     *world = streams_world(WORLD_SIMULATED);
    sim_peer  *peer;
    vow_header status;

    (void)state;
    handle(world, &calls_calls_echo_method, fail_with_a_long_text);
    status = answer_of(world, &peer, ECHO, VOW_FRAME_STATUS);
    assert_int_equal(status.code, VOW_ABORTED);
    assert_null(status.details.data);
    assert_int_equal(status.text.size % 3, 0);
    assert_in_range(status.text.size, 1000, 1020);
    sim_free(peer);
    world_free(world);
}

static void send_nothing_behind_metadata(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    (void)handler;
    vow_call_send_metadata(call, metadata_of(950));
    if (!vow_call_method(call)->server_streams) {
        vow_call_reply(call, request);
        return;
    }
    vow_call_send(call, request);
    vow_call_end(call);
}

static void a_message_of_no_bytes_is_whole_behind_metadata_that_fills_the_frame(void **state)
{
    (void)state;
    for (uint32_t method = ECHO; method <= COUNT; method++) {
        world     *world = streams_world(WORLD_SIMULATED);
        sim_peer  *peer;
        vow_header header;

        handle(world, method == ECHO ? &calls_calls_echo_method : &streams_count, send_nothing_behind_metadata);
        header = answer_of(world, &peer, method, method == ECHO ? VOW_FRAME_REPLY : VOW_FRAME_STREAM);
        assert_int_equal(header.metadata.count, 1);
        assert_false(header.more);
        sim_free(peer);
        world_free(world);
    }
}

/* The text names the target. */
static void a_goaways_text_is_cut(void **state)
{
    scene       scene;
    vow_channel *channel;
    char        target[1400] = ADDRESS;
    vow_future *call;
    Calls__Text request = CALLS__TEXT__INIT;
    sim_peer   *peer;
    vow_header  goaway;
    vow_bytes   payload;

    (void)state;
    for (int i = 0; i < 5; i++)
        snprintf(target + strlen(target), sizeof target - strlen(target), ",%.240s:7000", value);
    scene_open(&scene);
    channel = vow_channel_open(scene.world->loop, target, VOW_CHANNEL(.keepalive_ms = 10000));
    call = calls_calls_echo(channel, &request, VOW_CALL(.timeout_ms = 100000));
    peer = sim_accepted(scene.server, 2);
    greet(peer);
    assert_true(sim_next(peer, VOW_FRAME_GOAWAY, 60000, &goaway, &payload));
    assert_int_equal(goaway.code, VOW_UNAVAILABLE);
    assert_in_range(goaway.text.size, 1000, 1020);
    assert_int_equal(largest_frame(peer), VOW_FRAME_LEAST);
    vow_drop(call);
    vow_channel_close(channel);
    scene_close(&scene);
}

/* A handler that goes on later */

static void go_on_flushing(vow_future *slept, void *arg)
{
    Calls__Text reply = CALLS__TEXT__INIT;
    vow_call   *call = arg;

    (void)slept;
    vow_call_send_metadata(call, metadata_of(1100));
    vow_call_flush_metadata(call);
    vow_call_reply(call, &reply.base);
}

static void flush_later(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    (void)request;
    (void)handler;
    vow_done(vow_sleep(vow_call_loop(call), 10), go_on_flushing, call);
}

/* Of which the peer takes none. */
static char large_text[200000];

static void go_on_sending(vow_future *slept, void *arg)
{
    Calls__Text text = CALLS__TEXT__INIT;
    vow_call   *call = arg;

    (void)slept;
    memset(large_text, 'a', sizeof large_text - 1);
    text.text = large_text;
    assert_false(vow_call_send(call, &text.base));
    assert_false(vow_call_send(call, &text.base));
    vow_call_end(call);
}

static void send_later(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    (void)request;
    (void)handler;
    vow_done(vow_sleep(vow_call_loop(call), 10), go_on_sending, call);
}

static void assert_exhausts(uint32_t number, const vow_method *method, vow_serve_fn *serve)
{
    world     *world = streams_world(WORLD_SIMULATED);
    sim_peer  *peer;
    vow_header answer;

    handle(world, method, serve);
    answer = answer_of(world, &peer, number, VOW_FRAME_STATUS);
    assert_int_equal(answer.code, VOW_RESOURCE_EXHAUSTED);
    sim_free(peer);
    world_free(world);
}

static void a_call_is_its_handlers_also_behind_what_could_not_be_sent(void **state)
{
    (void)state;
    assert_exhausts(ECHO, &calls_calls_echo_method, flush_later);
    assert_exhausts(COUNT, &streams_count, send_later);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_calls_metadata_fills_a_frame_of_the_servers_and_no_more),
        cmocka_unit_test(an_answer_fails_whose_metadata_is_more_than_a_frame_of_the_callers),
        cmocka_unit_test(a_failure_arrives_with_its_details_and_without_metadata_that_is_too_much),
        cmocka_unit_test(a_failures_text_is_cut_between_two_characters),
        cmocka_unit_test(a_message_of_no_bytes_is_whole_behind_metadata_that_fills_the_frame),
        cmocka_unit_test(a_goaways_text_is_cut),
        cmocka_unit_test(a_call_is_its_handlers_also_behind_what_could_not_be_sent),
    };

    return cmocka_run_group_tests(tests, fill_value, NULL);
}
