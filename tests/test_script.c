/* The scripted server and the server in this process, on a simulated loop and on libuv's. */
#include "tests/support/streams.h"

#include <vow/testing.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

/* A script in the place of the world's own server. */
struct stage {
    world       *world;
    vow_script  *script;
    vow_channel *channel;
};

static int open_stage(void **state, world_kind kind)
{
    struct stage *stage = calloc(1, sizeof *stage);

    assert_non_null(stage);
    stage->world = world_new(kind);
    stage->script = vow_script_open(stage->world->loop);
    assert_non_null(stage->script);
    stage->channel = vow_channel_open_to(stage->world->loop, vow_script_server(stage->script), NULL);
    *state = stage;
    return 0;
}

static int open_simulated(void **state)
{
    return open_stage(state, WORLD_SIMULATED);
}
static int open_libuv(void **state)
{
    return open_stage(state, WORLD_MEMORY);
}

static int close_stage(void **state)
{
    struct stage *stage = *state;

    vow_channel_close(stage->channel);
    vow_script_close(stage->script);
    world_free(stage->world);
    free(stage);
    return 0;
}

static const ProtobufCMessage *text(Calls__Text *message, const char *value)
{
    *message = (Calls__Text)CALLS__TEXT__INIT;
    message->text = (char *)(uintptr_t)value;
    return &message->base;
}

static vow_future *ask(struct stage *stage, const char *value, int64_t timeout_ms)
{
    Calls__Text request;

    text(&request, value);
    return calls_calls_echo(stage->channel, &request, VOW_CALL(.timeout_ms = timeout_ms));
}

static void assert_answer(struct stage *stage, const char *expected)
{
    vow_future *reply = ask(stage, "what?", 0);

    assert_int_equal(vow_wait(reply), VOW_OK);
    assert_string_equal(calls_calls_echo_result(reply)->text, expected);
    vow_drop(reply);
}

/* Steps */

static void calls_are_answered_by_the_steps_in_their_order(void **state)
{
    struct stage *stage = *state;
    Calls__Text   reply;

    vow_script_add(stage->script, &calls_calls_echo_method, VOW_STEP(.reply = text(&reply, "one")));
    vow_script_add(stage->script, &calls_calls_echo_method,
                   VOW_STEP(.code = VOW_ABORTED, .message = "closed for lunch"));
    vow_script_add(stage->script, &calls_calls_echo_method, VOW_STEP(.stalls = true));
    text(&reply, "changed afterwards");
    assert_answer(stage, "one");
    assert_string_equal(world_error(stage->world, ask(stage, "", 0)), "ABORTED: closed for lunch");
    assert_false(vow_script_played(stage->script));
    assert_int_equal(world_settle(stage->world, ask(stage, "", 50)), VOW_DEADLINE_EXCEEDED);
    assert_true(vow_script_played(stage->script));
    assert_int_equal(vow_script_count(stage->script, &calls_calls_echo_method), 3);
}

static void a_step_may_be_for_several_calls_or_for_all(void **state)
{
    struct stage *stage = *state;
    Calls__Text   reply;

    vow_script_add(stage->script, &calls_calls_echo_method, VOW_STEP(.code = VOW_UNAVAILABLE, .times = 2));
    vow_script_add(stage->script, &calls_calls_echo_method,
                   VOW_STEP(.reply = text(&reply, "up"), .times = VOW_ALWAYS));
    assert_string_equal(world_error(stage->world, ask(stage, "", 0)), "UNAVAILABLE: as its script says");
    assert_int_equal(world_settle(stage->world, ask(stage, "", 0)), VOW_UNAVAILABLE);
    assert_false(vow_script_played(stage->script));
    for (int i = 0; i < 3; i++)
        assert_answer(stage, "up");
    assert_true(vow_script_played(stage->script));
}

static void a_step_without_a_reply_answers_an_empty_message(void **state)
{
    struct stage *stage = *state;

    vow_script_add(stage->script, &calls_calls_echo_method, NULL);
    assert_answer(stage, "");
}

static void an_answer_may_be_delayed(void **state)
{
    struct stage *stage = *state;
    uint64_t      since_ns = vow_loop_now_ns(stage->world->loop);

    vow_script_add(stage->script, &calls_calls_echo_method, VOW_STEP(.delay_ms = 40));
    assert_answer(stage, "");
    assert_true(vow_loop_now_ns(stage->world->loop) - since_ns >= 40 * 1000000);
}

static void answer_yourself(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    Calls__Text reply;

    (void)request;
    vow_call_reply(call, text(&reply, handler->arg));
}

static void a_step_may_be_a_handler(void **state)
{
    struct stage *stage = *state;
    static char   argument[] = "by myself";

    vow_script_add(stage->script, &calls_calls_echo_method,
                   VOW_STEP(.serve = answer_yourself, .arg = argument));
    assert_answer(stage, "by myself");
}

static void a_reply_of_another_type_is_how_the_call_fails(void **state)
{
    struct stage *stage = *state;
    Calls__Block  block = CALLS__BLOCK__INIT;

    vow_script_add(stage->script, &calls_calls_echo_method, VOW_STEP(.reply = &block.base));
    assert_string_equal(
        world_error(stage->world, ask(stage, "", 0)),
        "INTERNAL: calls.Calls/Echo answers with a calls.Text, and its script has a calls.Block");
}

/* What was asked */

static void what_was_asked_is_kept_in_order(void **state)
{
    struct stage *stage = *state;

    vow_script_add(stage->script, &calls_calls_echo_method, VOW_STEP(.times = VOW_ALWAYS));
    assert_int_equal(world_settle(stage->world, ask(stage, "first", 0)), VOW_OK);
    assert_int_equal(world_settle(stage->world, ask(stage, "second", 0)), VOW_OK);
    assert_string_equal(streams_text(vow_script_asked(stage->script, &calls_calls_echo_method, 0)), "first");
    assert_string_equal(streams_text(vow_script_asked(stage->script, &calls_calls_echo_method, 1)), "second");
    assert_null(vow_script_asked(stage->script, &calls_calls_echo_method, 2));
    assert_null(vow_script_asked(stage->script, &calls_calls_hold_method, 0));
}

static void a_step_wants_to_be_asked_what_it_says(void **state)
{
    struct stage *stage = *state;
    Calls__Text   request;

    vow_script_add(stage->script, &calls_calls_echo_method,
                   VOW_STEP(.request = text(&request, "right"), .times = 2));
    assert_int_equal(world_settle(stage->world, ask(stage, "right", 0)), VOW_OK);
    assert_int_equal(vow_script_surprises(stage->script), 0);
    assert_string_equal(
        world_error(stage->world, ask(stage, "wrong", 0)),
        "INVALID_ARGUMENT: calls.Calls/Echo: call 2 asks for something else than its script says");
    assert_int_equal(vow_script_surprises(stage->script), 1);
    assert_false(vow_script_played(stage->script));
}

static void a_call_that_no_step_is_left_for_is_a_surprise(void **state)
{
    struct stage *stage = *state;

    vow_script_add(stage->script, &calls_calls_echo_method, NULL);
    assert_int_equal(world_settle(stage->world, ask(stage, "", 0)), VOW_OK);
    assert_true(vow_script_played(stage->script));
    assert_string_equal(world_error(stage->world, ask(stage, "", 0)),
                        "FAILED_PRECONDITION: calls.Calls/Echo: its script has no step for call 2");
    assert_int_equal(vow_script_surprises(stage->script), 1);
    assert_false(vow_script_played(stage->script));
}

static void a_method_without_steps_is_a_surprise(void **state)
{
    struct stage *stage = *state;

    assert_string_equal(world_error(stage->world, ask(stage, "", 0)),
                        "UNIMPLEMENTED: calls.Calls/Echo: the script has no steps for it");
    assert_int_equal(vow_script_surprises(stage->script), 1);
}

/* Streams */

static void assert_next(struct stage *stage, vow_call *call, const char *expected)
{
    vow_future *next = vow_call_next(call);

    (void)stage;
    assert_int_equal(vow_wait(next), VOW_OK);
    assert_string_equal(streams_text(vow_future_value(next)), expected);
    vow_drop(next);
}

static vow_call *start_count(struct stage *stage)
{
    vow_call *call = vow_call_start(stage->channel, &streams_count, VOW_CALL(.timeout_ms = 500));

    streams_send(call, "3");
    return call;
}

static void replies_stream_and_then_the_call_ends_fails_or_stalls(void **state)
{
    struct stage *stage = *state;
    Calls__Text   a, b;
    vow_call     *call;

    text(&a, "a");
    text(&b, "b");
    vow_script_add(stage->script, &streams_count, VOW_STEP(.replies = VOW_MESSAGES(&a.base, &b.base)));
    vow_script_add(stage->script, &streams_count,
                   VOW_STEP(.reply = &a.base, .code = VOW_DATA_LOSS, .message = "torn"));
    vow_script_add(stage->script, &streams_count, VOW_STEP(.reply = &a.base, .stalls = true));

    call = start_count(stage);
    assert_next(stage, call, "a");
    assert_next(stage, call, "b");
    assert_int_equal(world_settle(stage->world, vow_call_next(call)), VOW_OK);
    vow_call_drop(call);
    call = start_count(stage);
    assert_next(stage, call, "a");
    assert_string_equal(world_error(stage->world, vow_call_next(call)), "DATA_LOSS: torn");
    vow_call_drop(call);
    call = start_count(stage);
    assert_next(stage, call, "a");
    assert_int_equal(world_settle(stage->world, vow_call_next(call)), VOW_DEADLINE_EXCEEDED);
    vow_call_drop(call);
}

static void streamed_replies_may_have_pauses(void **state)
{
    struct stage *stage = *state;
    uint64_t      since_ns = vow_loop_now_ns(stage->world->loop);
    Calls__Text   a;
    vow_call     *call;

    text(&a, "a");
    vow_script_add(stage->script, &streams_count,
                   VOW_STEP(.replies = VOW_MESSAGES(&a.base, &a.base, &a.base), .pause_ms = 20));
    call = start_count(stage);
    for (int i = 0; i < 3; i++)
        assert_next(stage, call, "a");
    assert_true(vow_loop_now_ns(stage->world->loop) - since_ns >= 40 * 1000000);
    assert_int_equal(world_settle(stage->world, vow_call_next(call)), VOW_OK);
    vow_call_drop(call);
}

static void a_stream_of_requests_is_kept_and_answered_at_its_end(void **state)
{
    struct stage *stage = *state;
    vow_call     *call;
    Calls__Text   reply;

    vow_script_add(stage->script, &streams_join, VOW_STEP(.reply = text(&reply, "all of it")));
    call = vow_call_start(stage->channel, &streams_join, NULL);
    streams_send(call, "x");
    streams_send(call, "y");
    vow_call_end(call);
    assert_next(stage, call, "all of it");
    assert_string_equal(streams_text(vow_script_asked(stage->script, &streams_join, 1)), "y");
    vow_call_drop(call);
}

static void a_stream_may_be_answered_before_its_end(void **state)
{
    struct stage *stage = *state;
    vow_call     *call;
    Calls__Text   reply;

    vow_script_add(stage->script, &streams_chat,
                   VOW_STEP(.reply = text(&reply, "hello"), .at_once = true, .stalls = true));
    vow_script_add(stage->script, &streams_chat, VOW_STEP(.reply = text(&reply, "bye"), .at_once = true));
    call = vow_call_start(stage->channel, &streams_chat, NULL);
    assert_next(stage, call, "hello");
    vow_call_drop(call);
    call = vow_call_start(stage->channel, &streams_chat, NULL);
    assert_next(stage, call, "bye");
    assert_int_equal(world_settle(stage->world, vow_call_next(call)), VOW_OK);
    vow_call_drop(call);
}

static void a_script_may_be_closed_while_its_calls_go_on(void **state)
{
    struct stage *stage = *state;
    vow_future   *stalled, *delayed;

    vow_script_add(stage->script, &calls_calls_echo_method, VOW_STEP(.stalls = true));
    vow_script_add(stage->script, &calls_calls_echo_method, VOW_STEP(.delay_ms = 1000));
    stalled = ask(stage, "", 0);
    delayed = ask(stage, "", 0);
    world_advance_ms(stage->world, 20);
    assert_int_equal(vow_script_count(stage->script, &calls_calls_echo_method), 2);
    vow_script_close(stage->script);
    stage->script = NULL;
    assert_int_equal(world_settle(stage->world, stalled), VOW_UNAVAILABLE);
    assert_int_equal(world_settle(stage->world, delayed), VOW_UNAVAILABLE);
}

/* The server in this process */

static void several_channels_lead_to_one_server(void **state)
{
    struct stage *stage = *state;
    vow_channel  *other = vow_channel_open_to(stage->world->loop, stage->world->server, NULL);
    vow_channel  *third = vow_channel_open_to(stage->world->loop, stage->world->server, NULL);
    Calls__Text   request;

    text(&request, "hello");
    assert_int_equal(world_settle(stage->world, calls_calls_echo(other, &request, NULL)), VOW_OK);
    assert_int_equal(world_settle(stage->world, calls_calls_echo(third, &request, NULL)), VOW_OK);
    vow_channel_close(other);
    vow_channel_close(third);
}

#define ON(world, test)                                                                                      \
    {                                                                                                        \
#test " (" #world ")", test, open_##world, close_stage, NULL                                         \
    }
#define ON_EACH(test) ON(simulated, test), ON(libuv, test)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EACH(calls_are_answered_by_the_steps_in_their_order),
        ON_EACH(a_step_may_be_for_several_calls_or_for_all),
        ON_EACH(a_step_without_a_reply_answers_an_empty_message),
        ON_EACH(an_answer_may_be_delayed),
        ON_EACH(a_step_may_be_a_handler),
        ON_EACH(a_reply_of_another_type_is_how_the_call_fails),
        ON_EACH(what_was_asked_is_kept_in_order),
        ON_EACH(a_step_wants_to_be_asked_what_it_says),
        ON_EACH(a_call_that_no_step_is_left_for_is_a_surprise),
        ON_EACH(a_method_without_steps_is_a_surprise),
        ON_EACH(replies_stream_and_then_the_call_ends_fails_or_stalls),
        ON_EACH(streamed_replies_may_have_pauses),
        ON_EACH(a_stream_of_requests_is_kept_and_answered_at_its_end),
        ON_EACH(a_stream_may_be_answered_before_its_end),
        ON_EACH(a_script_may_be_closed_while_its_calls_go_on),
        ON_EACH(several_channels_lead_to_one_server),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
