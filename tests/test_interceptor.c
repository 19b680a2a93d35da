/* Interceptors around unary calls, on both sides: on the simulated network and over a real socket. */
#include "tests/support/setups.h"
#include "tests/support/spy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

/* The chain */

static void a_call_passes_the_chain_in_order_and_comes_back_in_reverse(void **state)
{
    world *world = *state;
    char   log[SPY_LOG_SIZE] = "";
    spy    spies[] = { { .name = "a", .log = log },
                       { .name = "b", .log = log },
                       { .name = "c", .log = log },
                       { .name = "d", .log = log } };

    spy_on_channel(world, &spies[0]);
    spy_on_channel(world, &spies[1]);
    spy_on_server(world, &spies[2]);
    spy_on_server(world, &spies[3]);
    assert_string_equal(world_text(world, world_echo(world, "hello", NULL)), "hello");
    assert_string_equal(log, "a.begin b.begin a.send b.send "
                             "c.begin d.begin c.receive d.receive d.send c.send d.end c.end "
                             "b.receive a.receive b.end a.end");
}

static void functions_that_are_missing_are_passed_over(void **state)
{
    world *world = *state;

    vow_channel_intercept(world->channel, VOW_INTERCEPTOR(.arg = NULL));
    vow_server_intercept(world->server, VOW_INTERCEPTOR(.arg = NULL));
    assert_string_equal(world_text(world, world_echo(world, "hello", NULL)), "hello");
}

static void a_call_that_has_begun_does_not_meet_interceptors_added_later(void **state)
{
    world      *world = *state;
    spy         first = { .name = "a" }, second = { .name = "b" };
    vow_future *reply;

    spy_on_channel(world, &first);
    reply = world_hold(world, "", NULL);
    spy_on_channel(world, &second);
    world_wait_for_held(world, 1);
    world_answer_held(world, "late");
    assert_string_equal(world_text(world, reply), "late");
    assert_int_equal(first.ended, 1);
    assert_int_equal(second.begun + second.ended, 0);
}

static void the_end_tells_code_duration_counts_and_packed_bytes(void **state)
{
    world      *world = *state;
    spy         here = { .name = "here" }, there = { .name = "there" };
    vow_future *reply;

    spy_on_channel(world, &here);
    spy_on_server(world, &there);
    reply = world_hold(world, "12345", NULL);
    world_wait_for_held(world, 1);
    world_advance_ms(world, 20);
    world_answer_held(world, "123");
    assert_string_equal(world_text(world, reply), "123");
    assert_int_equal(here.result.code, VOW_OK);
    assert_string_equal(here.result.message, "");
    assert_in_range(here.result.duration_ns, 20000000, 5000000000);
    assert_in_range(there.result.duration_ns, 20000000, here.result.duration_ns);
    assert_int_equal(here.result.sent_count, 1);
    assert_int_equal(here.result.sent_bytes, 7);
    assert_int_equal(here.result.received_count, 1);
    assert_int_equal(here.result.received_bytes, 5);
    assert_int_equal(there.result.sent_bytes, 5);
    assert_int_equal(there.result.received_bytes, 7);
}

/* What they change */

static const char identity_key[] = "the identity's place";

/* Answers with what it finds in the metadata and the slot that an interceptor has filled. */
static void serve_identity(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    const char **identity = vow_call_slot(call, identity_key, sizeof *identity);
    const char  *user = vow_call_metadata_get(call, "user");
    char         text[100];
    Calls__Text  reply = CALLS__TEXT__INIT;

    (void)request;
    (void)handler;
    snprintf(text, sizeof text, "user %s, identity %s", user ? user : "none", *identity ? *identity : "none");
    reply.text = text;
    vow_call_reply(call, &reply.base);
}

static void serve_identities(world *world)
{
    vow_server_handle(world->server, &(vow_handler){ .size = sizeof(vow_handler),
                                                     .method = &calls_calls_echo_method,
                                                     .serve = serve_identity });
}

static vow_future *begin_as_ann(spy *spy, vow_call *call)
{
    const vow_metadata *sent = vow_call_sent_metadata(call);

    (void)spy;
    assert_string_equal(sent[0].name, "user");
    assert_string_equal(sent[0].value, "nobody");
    assert_null(sent[1].name);
    vow_call_replace_metadata(call, VOW_METADATA({ .name = "user", .value = "ann" }));
    assert_string_equal(vow_call_sent_metadata(call)->value, "ann");
    return NULL;
}

static vow_future *begin_as_bob(spy *spy, vow_call *call)
{
    const char **identity = vow_call_slot(call, identity_key, sizeof *identity);

    (void)spy;
    assert_ptr_equal(vow_call_method(call), &calls_calls_echo_method);
    assert_null(*identity);
    assert_string_equal(vow_call_metadata_get(call, "user"), "ann");
    *identity = "bob of accounting";
    vow_call_replace_received_metadata(call, VOW_METADATA({ .name = "user", .value = "bob" }));
    vow_call_replace_metadata(call, VOW_METADATA({ .name = "seen", .value = "yes" }));
    return NULL;
}

static void metadata_is_changed_and_slots_reach_the_handler(void **state)
{
    world      *world = *state;
    spy         here = { .on_begin = begin_as_ann }, there = { .on_begin = begin_as_bob };
    vow_future *reply;

    serve_identities(world);
    spy_on_channel(world, &here);
    spy_on_server(world, &there);
    reply = world_echo(world, "", VOW_CALL(.metadata = VOW_METADATA({ .name = "user", .value = "nobody" })));
    assert_int_equal(vow_wait(reply), VOW_OK);
    assert_string_equal(((Calls__Text *)vow_future_value(reply))->text,
                        "user bob, identity bob of accounting");
    assert_string_equal(vow_call_metadata_get(vow_future_call(reply), "seen"), "yes");
    vow_drop(reply);
}

static vow_future *begin_with_bad_metadata(spy *spy, vow_call *call)
{
    (void)spy;
    vow_call_replace_metadata(call, VOW_METADATA({ .name = "Bad Name", .value = "" }));
    return NULL;
}

static void metadata_that_is_not_allowed_ends_the_call_and_says_why(void **state)
{
    world *world = *state;
    spy    here = { .on_begin = begin_with_bad_metadata }, next = { .name = "next" };

    spy_on_channel(world, &here);
    spy_on_channel(world, &next);
    assert_string_equal(
        world_text(world, world_echo(world, "", NULL)),
        "INTERNAL: calls.Calls/Echo: an interceptor's metadata \"Bad Name\": a name has the characters "
        "a-z 0-9 _ - . and does not begin with \"grpc-\"");
    assert_int_equal(here.ended, 1);
    assert_int_equal(next.begun + next.ended, 0);
}

static void a_slot_is_found_by_its_key_and_keeps_its_size(void **state)
{
    world      *world = *state;
    vow_future *reply = world_hold(world, "", NULL);
    vow_call   *call;
    char       *slot;

    world_wait_for_held(world, 1);
    call = world->held[0];
    slot = vow_call_slot(call, &reply, 3000);
    assert_non_null(slot);
    assert_int_equal(slot[2999], 0);
    slot[0] = 'x';
    assert_ptr_equal(vow_call_slot(call, &reply, 3000), slot);
    assert_ptr_equal(vow_call_slot(call, &reply, 1), slot);
    assert_null(vow_call_slot(call, &reply, 3001));
    assert_ptr_not_equal(vow_call_slot(call, &call, 3000), slot);
    assert_null(vow_call_slot(call, &slot, SIZE_MAX));
    world_answer_held(world, "");
    vow_drop(reply);
}

static void messages_are_replaced_in_both_directions(void **state)
{
    world *world = *state;
    spy    spies[] = { { .name = "a", .on_send = spy_marks_sent, .on_receive = spy_marks_received },
                       { .name = "b", .on_send = spy_marks_sent, .on_receive = spy_marks_received },
                       { .name = "c", .on_send = spy_marks_sent, .on_receive = spy_marks_received } };

    spy_on_channel(world, &spies[0]);
    spy_on_channel(world, &spies[1]);
    spy_on_server(world, &spies[2]);
    assert_string_equal(world_text(world, world_echo(world, "x", NULL)), "x>a>b<c>c<b<a");
    assert_int_equal(spies[0].result.sent_bytes, 7); /* as they left: "x>a>b" */
}

static void end_as_gone(spy *spy, vow_call *call, const vow_call_result *result)
{
    (void)spy;
    vow_call_end_as(call, VOW_DATA_LOSS, "it was %s", vow_code_name(result->code));
}

static void the_end_changes_how_a_call_ends(void **state)
{
    world *world = *state;
    spy    outer = { .name = "outer" }, inner = { .name = "inner", .on_end = end_as_gone };

    spy_on_channel(world, &outer);
    spy_on_channel(world, &inner);
    assert_string_equal(world_text(world, world_echo(world, "", NULL)), "DATA_LOSS: it was OK");
    assert_int_equal(outer.result.code, VOW_DATA_LOSS);
    assert_string_equal(outer.result.message, "it was OK");
    assert_int_equal(inner.result.code, VOW_OK);
}

static void the_end_on_a_server_changes_its_answer(void **state)
{
    world      *world = *state;
    spy         outer = { .name = "outer" }, inner = { .name = "inner", .on_end = end_as_gone };
    Calls__Text request = CALLS__TEXT__INIT;

    spy_on_server(world, &outer);
    spy_on_server(world, &inner);
    assert_string_equal(world_text(world, world_echo(world, "", NULL)), "DATA_LOSS: it was OK");
    assert_string_equal(world_text(world, calls_calls_fail(world->channel, &request, NULL)),
                        "DATA_LOSS: it was INVALID_ARGUMENT");
    assert_int_equal(outer.result.code, VOW_DATA_LOSS);
    assert_int_equal(outer.ended, 2);
}

static void end_with_metadata(spy *spy, vow_call *call, const vow_call_result *result)
{
    (void)spy;
    (void)result;
    vow_call_send_metadata(call, VOW_METADATA({ .name = "took", .value = "1" }));
}

static void the_end_on_a_server_may_add_metadata(void **state)
{
    world      *world = *state;
    spy         spy = { .on_end = end_with_metadata };
    vow_future *reply;

    spy_on_server(world, &spy);
    reply = world_echo(world, "", NULL);
    assert_int_equal(vow_wait(reply), VOW_OK);
    assert_string_equal(vow_call_metadata_get(vow_future_call(reply), "took"), "1");
    vow_drop(reply);
}

/* Deadlines */

static vow_future *begin_sooner(spy *spy, vow_call *call)
{
    (void)spy;
    vow_call_set_timeout(call, 50);
    assert_in_range(vow_call_time_left_ms(call), 49, 50);
    return NULL;
}

static vow_future *begin_without_deadline(spy *spy, vow_call *call)
{
    (void)spy;
    vow_call_set_timeout(call, VOW_NO_TIMEOUT);
    return NULL;
}

static void a_channel_moves_the_deadline_in_either_direction(void **state)
{
    world      *world = *state;
    spy         spy = { .on_begin = begin_sooner };
    vow_future *reply;

    spy_on_channel(world, &spy);
    assert_non_null(strstr(world_error(world, world_hold(world, "", NULL)), "within the call's time"));
    assert_int_equal(spy.result.code, VOW_DEADLINE_EXCEEDED);
    spy.on_begin = begin_without_deadline;
    reply = world_hold(world, "", VOW_CALL(.timeout_ms = 10));
    assert_true(vow_call_time_left_ms(vow_future_call(reply)) == INT64_MAX);
    world_advance_ms(world, 30);
    assert_false(vow_future_settled(reply));
    vow_drop(reply);
}

static vow_future *begin_in_vain(spy *spy, vow_call *call)
{
    (void)spy;
    vow_call_set_timeout(call, VOW_NO_TIMEOUT);
    assert_in_range(vow_call_time_left_ms(call), 0, 30);
    vow_call_set_timeout(call, 1000);
    assert_in_range(vow_call_time_left_ms(call), 0, 30);
    return NULL;
}

static void a_server_moves_the_deadline_only_closer(void **state)
{
    world *world = *state;
    spy    spy = { .on_begin = begin_in_vain };

    spy_on_server(world, &spy);
    assert_int_equal(world_settle(world, world_hold(world, "", VOW_CALL(.timeout_ms = 30))),
                     VOW_DEADLINE_EXCEEDED);
    spy.on_begin = begin_sooner;
    assert_string_equal(world_error(world, world_hold(world, "", VOW_CALL(.timeout_ms = VOW_NO_TIMEOUT))),
                        "DEADLINE_EXCEEDED: calls.Calls/Hold: not answered within the call's time");
    spy_wait_for_ended(world, &spy, 2);
}

/* Answering without calling on */

static vow_future *begin_with_answer(spy *spy, vow_call *call)
{
    static char        text[] = "from the cache";
    static Calls__Text answer = CALLS__TEXT__INIT;

    (void)spy;
    answer.text = text;
    return vow_value(vow_call_loop(call), &answer, NULL);
}

static vow_future *begin_with_failure(spy *spy, vow_call *call)
{
    (void)spy;
    return vow_failure(vow_call_loop(call), VOW_UNAUTHENTICATED, "who are you?");
}

static vow_future *begin_with_wrong_type(spy *spy, vow_call *call)
{
    static Calls__Tree tree = CALLS__TREE__INIT;

    (void)spy;
    return vow_value(vow_call_loop(call), &tree, NULL);
}

static void a_channel_s_interceptor_answers_without_calling_on(void **state)
{
    world *world = *state;
    char   log[SPY_LOG_SIZE] = "";
    spy    spies[] = { { .name = "a", .log = log, .on_receive = spy_marks_received },
                       { .name = "b", .log = log, .on_begin = begin_with_answer },
                       { .name = "c", .log = log } };
    spy    there = { .name = "there" };

    for (size_t i = 0; i < 3; i++)
        spy_on_channel(world, &spies[i]);
    spy_on_server(world, &there);
    assert_string_equal(world_text(world, world_echo(world, "x", NULL)), "from the cache<a");
    assert_string_equal(log, "a.begin b.begin a.receive b.end a.end");
    assert_int_equal(there.begun, 0);
}

static void a_server_s_interceptor_answers_without_calling_on(void **state)
{
    world *world = *state;
    char   log[SPY_LOG_SIZE] = "";
    spy    spies[] = { { .name = "a", .log = log, .on_send = spy_marks_sent },
                       { .name = "b", .log = log, .on_begin = begin_with_answer },
                       { .name = "c", .log = log } };

    for (size_t i = 0; i < 3; i++)
        spy_on_server(world, &spies[i]);
    assert_string_equal(world_text(world, world_hold(world, "x", NULL)), "from the cache>a");
    assert_string_equal(log, "a.begin b.begin a.send b.end a.end");
    assert_int_equal(world->held_ever, 0);
}

static void a_begin_that_fails_ends_the_call_as_it_failed(void **state)
{
    world *world = *state;
    spy    there = { .on_begin = begin_with_failure }, here = { .name = "here" };

    spy_on_server(world, &there);
    assert_string_equal(world_text(world, world_hold(world, "x", NULL)), "UNAUTHENTICATED: who are you?");
    here.on_begin = begin_with_failure;
    spy_on_channel(world, &here);
    assert_string_equal(world_text(world, world_hold(world, "x", NULL)), "UNAUTHENTICATED: who are you?");
    assert_int_equal(world->held_ever, 0);
    assert_int_equal(there.ended, 1);
    assert_int_equal(here.ended, 1);
    assert_string_equal(here.result.message, "who are you?");
}

/* What they do wrong */

static const ProtobufCMessage *send_wrong_type(spy *spy, vow_call *call, const ProtobufCMessage *message)
{
    static const Calls__Tree tree = CALLS__TREE__INIT;

    (void)spy;
    (void)call;
    (void)message;
    return &tree.base;
}

static const ProtobufCMessage *send_nothing(spy *spy, vow_call *call, const ProtobufCMessage *message)
{
    (void)spy;
    (void)call;
    (void)message;
    return NULL;
}

static ProtobufCMessage *receive_wrong_type(spy *spy, vow_call *call, ProtobufCMessage *message)
{
    static Calls__Tree tree = CALLS__TREE__INIT;

    (void)spy;
    (void)call;
    (void)message;
    return &tree.base;
}

static ProtobufCMessage *receive_refused(spy *spy, vow_call *call, ProtobufCMessage *message)
{
    (void)spy;
    (void)message;
    vow_call_end_as(call, VOW_INVALID_ARGUMENT, "I do not like it");
    return NULL;
}

static const struct {
    const char *name;
    spy         spy;
    const char *error;
} wrongs[] = {
    { "begin gives another type",
      { .on_begin = begin_with_wrong_type },
      "INTERNAL: calls.Calls/Echo answers with a calls.Text, and an interceptor gave a calls.Tree" },
    { "send gives another type",
      { .on_send = send_wrong_type },
      "INTERNAL: calls.Calls/Echo: an interceptor's send was given a calls.Text, and gave a calls.Tree" },
    { "send gives nothing",
      { .on_send = send_nothing },
      "INTERNAL: calls.Calls/Echo: an interceptor's send gave no message, and did not say why "
      "(vow_call_end_as)" },
    { "receive gives another type",
      { .on_receive = receive_wrong_type },
      "INTERNAL: calls.Calls/Echo: an interceptor's receive was given a calls.Text, and gave a calls.Tree" },
    { "receive refuses", { .on_receive = receive_refused }, "INVALID_ARGUMENT: I do not like it" },
};

static void what_an_interceptor_does_wrong_is_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * sizeof wrongs / sizeof wrongs[0]; i++) {
        world      *world = world_new(WORLD_SIMULATED);
        spy         spy = wrongs[i / 2].spy;
        const char *error;

        if (i % 2 == 0)
            spy_on_channel(world, &spy);
        else
            spy_on_server(world, &spy);
        error = world_text(world, world_echo(world, "", NULL));
        if (strcmp(error, wrongs[i / 2].error) != 0)
            fail_msg("%s, %s: %s", wrongs[i / 2].name, i % 2 ? "server" : "channel", error);
        assert_int_equal(spy.ended, 1);
        world_free(world);
    }
}

/* However a call ends */

static void a_deadline_ends_a_call_once_on_both_sides_also_where_the_handler_replies_late(void **state)
{
    world *world = *state;
    spy    here = { .name = "here" }, there = { .name = "there" };

    spy_on_channel(world, &here);
    spy_on_server(world, &there);
    assert_int_equal(world_settle(world, world_hold(world, "", VOW_CALL(.timeout_ms = 50))),
                     VOW_DEADLINE_EXCEEDED);
    spy_wait_for_ended(world, &there, 1);
    assert_int_equal(here.ended, 1);
    assert_int_equal(here.result.code, VOW_DEADLINE_EXCEEDED);
    assert_int_equal(there.result.sent_count, 0);
    assert_int_equal(world->gone, 1);
    assert_int_equal(there.ended, 1);
}

static void answer_with_much(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    (void)request;
    vow_call_reply(call, spy_text(call, handler->arg));
}

static void a_reply_that_the_caller_does_not_take_ends_the_call_as_its_caller_hears(void **state)
{
    world      *world = world_new_with(WORLD_SIMULATED, NULL, VOW_CHANNEL(.max_message_size = 100));
    spy         there = { .name = "there" };
    char        text[200] = "";
    vow_handler handler = { .size = sizeof handler,
                            .method = &calls_calls_echo_method,
                            .serve = answer_with_much };

    (void)state;
    handler.arg = memset(text, 'x', 98); /* a tag and a size besides */
    vow_server_handle(world->server, &handler);
    spy_on_server(world, &there);
    assert_int_equal(world_settle(world, world_echo(world, "", NULL)), VOW_OK);
    assert_int_equal(there.result.code, VOW_OK);

    text[98] = 'x';
    assert_non_null(strstr(world_error(world, world_echo(world, "", NULL)),
                           "RESOURCE_EXHAUSTED: the reply has 101 bytes; the caller takes 100"));
    assert_int_equal(there.ended, 2);
    assert_int_equal(there.result.code, VOW_RESOURCE_EXHAUSTED);
    assert_string_equal(there.message,
                        "the reply has 101 bytes; the caller takes 100 (its max_message_size)");
    world_free(world);
}

static void fail_with_a_detail(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    Vow__RequestInfo info = VOW__REQUEST_INFO__INIT;

    (void)request;
    (void)handler;
    info.request_id = (char *)(uintptr_t) "r-17";
    vow_call_fail_with(call, VOW_ABORTED, VOW_DETAILS(&info.base), "so");
}

/* The details of the last end, on either side. */
static struct {
    uint8_t bytes[200];
    size_t  size;
} seen_details;

static void see_details(spy *spy, vow_call *call, const vow_call_result *result)
{
    (void)spy;
    (void)call;
    assert_in_range(result->details_size, 0, sizeof seen_details.bytes);
    seen_details.size = result->details_size;
    if (result->details_size)
        memcpy(seen_details.bytes, result->details, result->details_size);
    else
        assert_null(result->details);
}

static void an_end_has_the_details_of_a_failure_on_either_side(void **state)
{
    for (int on_server = 0; on_server <= 1; on_server++) {
        world      *world = world_new(WORLD_SIMULATED);
        spy         spy = { .on_end = see_details };
        vow_handler handler = { .size = sizeof handler,
                                .method = &calls_calls_echo_method,
                                .serve = fail_with_a_detail };
        vow_future *reply;
        const void *details;
        size_t      size;

        (void)state;
        if (on_server)
            spy_on_server(world, &spy);
        else
            spy_on_channel(world, &spy);
        assert_int_equal(world_settle(world, world_echo(world, "", NULL)), VOW_OK);
        assert_int_equal(seen_details.size, 0);
        vow_server_handle(world->server, &handler);
        reply = world_echo(world, "", NULL);
        world_wait(world, reply);
        details = vow_future_details(reply, &size);
        assert_non_null(details);
        assert_int_equal(seen_details.size, size);
        assert_memory_equal(seen_details.bytes, details, size);
        vow_drop(reply);
        world_free(world);
    }
}

static void a_dropped_future_ends_a_call_once_on_both_sides(void **state)
{
    world      *world = *state;
    spy         here = { .on_end = end_as_gone }, there = { .name = "there" };
    vow_future *reply;

    reply = spies_on_held_call(world, &here, &there);
    vow_drop(reply);
    assert_int_equal(here.ended, 1);
    assert_int_equal(here.result.code, VOW_CANCELLED);
    spy_wait_for_ended(world, &there, 1);
    assert_int_equal(there.result.code, VOW_CANCELLED);
}

static void a_closed_channel_ends_calls_once_on_both_sides(void **state)
{
    world      *world = *state;
    spy         here = { .name = "here" }, there = { .name = "there" };
    vow_future *reply;

    reply = spies_on_held_call(world, &here, &there);
    vow_channel_close(world->channel);
    world->channel = NULL;
    assert_int_equal(here.ended, 1);
    assert_int_equal(here.result.code, VOW_CANCELLED);
    spy_wait_for_ended(world, &there, 1);
    assert_int_equal(world_settle(world, reply), VOW_CANCELLED);
}

static void a_closed_server_ends_calls_once_on_both_sides(void **state)
{
    world      *world = *state;
    spy         here = { .name = "here" }, there = { .name = "there" };
    vow_future *reply;

    reply = spies_on_held_call(world, &here, &there);
    vow_server_close(world->server);
    world->server = NULL;
    assert_int_equal(there.ended, 1);
    assert_int_equal(there.result.code, VOW_UNAVAILABLE);
    assert_int_equal(world_settle(world, reply), VOW_UNAVAILABLE);
    assert_int_equal(here.ended, 1);
    assert_int_equal(here.result.code, VOW_UNAVAILABLE);
}

static void end_closes_the_channel(spy *spy, vow_call *call, const vow_call_result *result)
{
    vow_channel *channel = spy->world->channel;

    (void)call;
    (void)result;
    spy->world->channel = NULL; /* its other calls end here as well */
    vow_channel_close(channel);
}

static void an_end_may_close_the_channel(void **state)
{
    world      *world = *state;
    spy         spy = { .name = "spy" };
    vow_future *first, *second;

    spy_on_channel(world, &spy);
    first = world_hold(world, "", NULL);
    second = world_hold(world, "", NULL);
    world_wait_for_held(world, 2);
    spy.on_end = end_closes_the_channel;
    vow_cancel(first);
    assert_int_equal(spy.ended, 2);
    assert_int_equal(world_settle(world, first), VOW_CANCELLED);
    assert_int_equal(world_settle(world, second), VOW_CANCELLED);
}

static void an_end_may_close_the_channel_while_its_waiting_calls_fail(void **state)
{
    world      *world = *state;
    spy         spy = { .name = "spy", .on_end = end_closes_the_channel };
    vow_future *calls[3];

    vow_server_close(world->server);
    world->server = NULL;
    spy_on_channel(world, &spy);
    calls[0] = world_echo(world, "", NULL);
    calls[1] = world_echo(world, "", VOW_CALL(.wait_for_ready = true));
    calls[2] = world_echo(world, "", NULL);
    assert_int_equal(world_settle(world, calls[0]), VOW_UNAVAILABLE);
    assert_int_equal(world_settle(world, calls[1]), VOW_CANCELLED);
    assert_int_equal(world_settle(world, calls[2]), VOW_CANCELLED);
    assert_int_equal(spy.ended, 3);
}

#define ON_BOTH(test)                                                                                        \
    cmocka_unit_test_setup_teardown(test, world_open_simulated, world_close),                                \
        cmocka_unit_test_setup_teardown(test, world_open_tcp, world_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_end_has_the_details_of_a_failure_on_either_side),
        cmocka_unit_test(a_reply_that_the_caller_does_not_take_ends_the_call_as_its_caller_hears),
        ON_BOTH(a_call_passes_the_chain_in_order_and_comes_back_in_reverse),
        ON_BOTH(functions_that_are_missing_are_passed_over),
        ON_BOTH(a_call_that_has_begun_does_not_meet_interceptors_added_later),
        ON_BOTH(the_end_tells_code_duration_counts_and_packed_bytes),
        ON_BOTH(metadata_is_changed_and_slots_reach_the_handler),
        ON_BOTH(metadata_that_is_not_allowed_ends_the_call_and_says_why),
        ON_BOTH(a_slot_is_found_by_its_key_and_keeps_its_size),
        ON_BOTH(messages_are_replaced_in_both_directions),
        ON_BOTH(the_end_changes_how_a_call_ends),
        ON_BOTH(the_end_on_a_server_changes_its_answer),
        ON_BOTH(the_end_on_a_server_may_add_metadata),
        ON_BOTH(a_channel_moves_the_deadline_in_either_direction),
        ON_BOTH(a_server_moves_the_deadline_only_closer),
        ON_BOTH(a_channel_s_interceptor_answers_without_calling_on),
        ON_BOTH(a_server_s_interceptor_answers_without_calling_on),
        ON_BOTH(a_begin_that_fails_ends_the_call_as_it_failed),
        cmocka_unit_test(what_an_interceptor_does_wrong_is_told),
        ON_BOTH(a_deadline_ends_a_call_once_on_both_sides_also_where_the_handler_replies_late),
        ON_BOTH(a_dropped_future_ends_a_call_once_on_both_sides),
        ON_BOTH(a_closed_channel_ends_calls_once_on_both_sides),
        ON_BOTH(a_closed_server_ends_calls_once_on_both_sides),
        ON_BOTH(an_end_may_close_the_channel),
        ON_BOTH(an_end_may_close_the_channel_while_its_waiting_calls_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
