/* Metadata of a handler that does not wait for its first message. */
#include "tests/support/kinds.h"
#include "tests/support/setups.h"
#include "tests/support/sim_peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static void handle(world *world, const vow_method *method, vow_serve_fn *serve)
{
    const vow_handler handler = { .size = sizeof handler, .method = method, .serve = serve };

    vow_server_handle(world->server, &handler);
}

static const char *value(const vow_metadata *list, const char *name)
{
    const vow_metadata *entry = vow_metadata_find(list, name);

    return entry ? entry->value : "none";
}

/* What a future of metadata has under "first". Takes it. */
static const char *first_of(world *world, vow_future *metadata)
{
    static char text[100];

    world_wait(world, metadata);
    assert_int_equal(vow_future_code(metadata), VOW_OK);
    strcpy(text, value(vow_future_value(metadata), "first"));
    vow_drop(metadata);
    return text;
}

static vow_future *send_back(vow_call *call, const ProtobufCMessage *message, void *arg)
{
    (void)arg;
    vow_call_send(call, message);
    return NULL;
}

static vow_future *end_of_requests(vow_future *read, void *arg)
{
    (void)read;
    vow_call_end(arg);
    return NULL;
}

static void chat(vow_call *call)
{
    vow_detach(vow_either(vow_call_read(call, send_back, NULL), end_of_requests, call));
}

/* Nothing but a message of the caller's, which waits for this metadata, would make it speak. */
static void chat_flushed(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    (void)request;
    (void)handler;
    vow_call_send_metadata(call, VOW_METADATA({ .name = "first", .value = "1" }));
    vow_call_flush_metadata(call);
    vow_call_flush_metadata(call);
    vow_call_send_metadata(call, VOW_METADATA({ .name = "second", .value = "2" }));
    chat(call);
}

static void flushed_metadata_comes_before_there_is_a_message(void **state)
{
    world      *world = *state;
    vow_call   *call;
    vow_future *next;

    handle(world, &streams_chat, chat_flushed);
    call = vow_call_start(world->channel, &streams_chat, NULL);
    assert_string_equal(first_of(world, vow_call_when_metadata(call)), "1");
    assert_string_equal(first_of(world, vow_call_when_metadata(call)), "1"); /* any number of times */
    streams_send(call, "hello");
    next = vow_call_next(call);
    world_wait(world, next);
    assert_string_equal(streams_text(vow_future_value(next)), "hello");
    vow_drop(next);
    vow_call_end(call);
    assert_int_equal(world_settle(world, vow_call_when_closed(call)), VOW_OK);
    assert_string_equal(value(vow_call_metadata(call), "second"), "none");
    assert_string_equal(value(vow_call_trailing_metadata(call), "second"), "2");
    vow_call_drop(call);
}

static void chat_flushed_without_any(vow_call *call, const ProtobufCMessage *request,
                                     const vow_handler *handler)
{
    (void)request;
    (void)handler;
    vow_call_flush_metadata(call);
    chat(call);
}

static void a_flush_without_metadata_tells_that_there_is_none(void **state)
{
    world    *world = *state;
    vow_call *call;

    handle(world, &streams_chat, chat_flushed_without_any);
    call = vow_call_start(world->channel, &streams_chat, NULL);
    assert_string_equal(first_of(world, vow_call_when_metadata(call)), "none");
    vow_call_end(call);
    assert_int_equal(world_settle(world, vow_call_when_closed(call)), VOW_OK);
    vow_call_drop(call);
}

static void chat_unflushed(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    (void)request;
    (void)handler;
    vow_call_send_metadata(call, VOW_METADATA({ .name = "first", .value = "1" }));
    chat(call);
}

static void without_a_flush_metadata_comes_with_the_first_message_or_the_end(void **state)
{
    world *world = *state;

    handle(world, &streams_chat, chat_unflushed);
    for (int has_message = 0; has_message <= 1; has_message++) {
        vow_call   *call = vow_call_start(world->channel, &streams_chat, NULL);
        vow_future *metadata = vow_call_when_metadata(call);

        world_advance_ms(world, 50);
        assert_false(vow_future_settled(metadata));
        if (has_message)
            streams_send(call, "hello");
        else
            vow_call_end(call);
        assert_string_equal(first_of(world, metadata), "1");
        vow_call_drop(call);
    }
}

static void a_call_that_ends_before_its_metadata_fails_who_waits_for_it(void **state)
{
    world    *world = *state;
    vow_call *call;

    call = vow_call_start(world->channel, &streams_mute, VOW_CALL(.timeout_ms = 50));
    assert_int_equal(world_settle(world, vow_call_when_metadata(call)), VOW_DEADLINE_EXCEEDED);
    vow_call_drop(call);
}

static void fail_after_a_flush(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    (void)request;
    (void)handler;
    vow_call_send_metadata(call, VOW_METADATA({ .name = "first", .value = "1" }));
    vow_call_flush_metadata(call);
    vow_call_send_metadata(call, VOW_METADATA({ .name = "last", .value = "2" }));
    vow_call_fail(call, VOW_ABORTED, "so");
}

static void a_unary_answer_may_follow_flushed_metadata(void **state)
{
    world      *world = *state;
    vow_future *reply;

    handle(world, &calls_calls_echo_method, fail_after_a_flush);
    reply = world_echo(world, "", NULL);
    world_wait(world, reply);
    assert_string_equal(vow_future_error(reply), "ABORTED: so");
    assert_string_equal(value(vow_call_metadata(vow_future_call(reply)), "first"), "1");
    assert_string_equal(value(vow_call_metadata(vow_future_call(reply)), "last"), "none");
    assert_string_equal(value(vow_call_trailing_metadata(vow_future_call(reply)), "last"), "2");
    vow_drop(reply);
}

static vow_call *flushing; /* held by its handler */

static void keep_and_flush_later(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    (void)request;
    (void)handler;
    flushing = call;
}

static void a_flush_behind_a_message_or_for_nobody_does_nothing(void **state)
{
    world    *world = *state;
    vow_call *call;

    handle(world, &streams_chat, keep_and_flush_later);
    for (int is_dropped = 0; is_dropped <= 1; is_dropped++) {
        flushing = NULL;
        call = vow_call_start(world->channel, &streams_chat, NULL);
        while (!flushing)
            world_advance_ms(world, 1);
        if (!is_dropped)
            streams_send(flushing, "message");
        else
            vow_call_drop(call);
        world_advance_ms(world, 50);
        vow_call_flush_metadata(flushing);
        vow_call_end(flushing);
        if (is_dropped)
            break;
        assert_int_equal(world_settle(world, vow_call_when_closed(call)), VOW_OK);
        vow_call_drop(call);
    }
}

static void a_method_that_does_not_stream_has_no_future_of_metadata(void **state)
{
    world      *world = *state;
    vow_future *reply = world_hold(world, "", NULL);

    assert_int_equal(world_settle(world, vow_call_when_metadata(vow_future_call(reply))),
                     VOW_FAILED_PRECONDITION);
    vow_drop(reply);
}

/* A server of vow's protocol that says its metadata twice. */
static void metadata_that_comes_twice_fails_the_call(void **state)
{
    world       *world = *state;
    sim_server  *server = sim_listen(world, "tcp://10.0.0.9:7000");
    vow_channel *channel = vow_channel_open(world->loop, "tcp://10.0.0.9:7000", NULL);

    for (int i = 0; i <= 1; i++) {
        vow_call          *call = vow_call_start(channel, &streams_chat, NULL);
        const vow_metadata entries[] = { { "first", "1", 0 }, { NULL, NULL, 0 } };
        sim_peer          *peer = sim_accepted(server, 1);
        vow_header         header;
        vow_bytes          payload;
        vow_future        *closed = vow_call_when_closed(call);

        assert_true(sim_next(peer, VOW_FRAME_CALL, 100, &header, &payload));
        header = (vow_header){ .kind = VOW_FRAME_METADATA, .call = header.call };
        if (i == 0)
            header.to_send = entries;
        sim_send_frame(peer, &header);
        assert_string_equal(first_of(world, vow_call_when_metadata(call)), i == 0 ? "1" : "none");
        header.to_send = entries;
        sim_send_frame(peer, &header);
        assert_non_null(strstr(world_error(world, closed), "the peer's metadata came behind a message"));
        vow_call_drop(call);
    }
    vow_channel_close(channel);
    sim_server_free(server);
}

#define EVERYWHERE(test)                                                                                     \
    ON_STREAMS(simulated, test), ON_STREAMS(tcp, test), ON_STREAMS(grpc, test),                              \
        ON_STREAMS(grpc_simulated, test)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVERYWHERE(flushed_metadata_comes_before_there_is_a_message),
        EVERYWHERE(a_flush_without_metadata_tells_that_there_is_none),
        EVERYWHERE(without_a_flush_metadata_comes_with_the_first_message_or_the_end),
        EVERYWHERE(a_call_that_ends_before_its_metadata_fails_who_waits_for_it),
        EVERYWHERE(a_unary_answer_may_follow_flushed_metadata),
        EVERYWHERE(a_flush_behind_a_message_or_for_nobody_does_nothing),
        ON_STREAMS(simulated, a_method_that_does_not_stream_has_no_future_of_metadata),
        ON_STREAMS(simulated, metadata_that_comes_twice_fails_the_call),
    };

    return kinds_run_tests("initial metadata", tests);
}
