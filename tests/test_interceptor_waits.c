/* Interceptors that take their time before a call goes on, and what may happen meanwhile. */
#include "tests/support/setups.h"
#include "tests/support/spy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

/* The promise has been kept or withdrawn, and the end was seen once. */
static void spy_saw_one_end(const spy *spy, size_t withdrawn, vow_code code)
{
    if (spy->world)
        world_advance_ms(spy->world, 1); /* who keeps a promise is told from the queue */
    assert_int_equal(spy->withdrawn, withdrawn);
    assert_int_equal(spy->ended, 1);
    assert_int_equal(spy->result.code, code);
    assert_null(spy->promise);
}

/* Asks a server whose spy does something in `begin`, which it has been asked. */
static vow_future *ask_spied_server(world *world, spy *spy)
{
    vow_future *reply;

    spy_on_server(world, spy);
    reply = world_hold(world, "", NULL);
    spy_wait_for_begun(world, spy, 1);
    return reply;
}

/* Going on */

static void a_channel_packs_the_request_before_it_returns(void **state)
{
    world      *world = *state;
    spy         spy = { .on_begin = spy_waits };
    char        text[] = "as it was lent";
    vow_future *reply;

    spy_on_channel(world, &spy);
    reply = world_echo(world, text, NULL);
    memset(text, 'x', strlen(text));
    assert_int_equal(spy.begun, 1);
    spy_lets_go_on(&spy);
    assert_string_equal(world_text(world, reply), "as it was lent");
    spy_saw_one_end(&spy, 0, VOW_OK);
    assert_int_equal(spy.result.sent_bytes, 16);
}

static void messages_are_sent_through_the_chain_once_all_have_begun(void **state)
{
    world      *world = *state;
    char        log[SPY_LOG_SIZE] = "";
    spy         first = { .name = "a", .log = log, .on_begin = spy_waits, .on_send = spy_marks_sent };
    spy         second = { .name = "b", .log = log, .on_begin = spy_waits, .on_send = spy_marks_sent };
    vow_future *reply;

    spy_on_channel(world, &first);
    spy_on_channel(world, &second);
    reply = world_echo(world, "x", NULL);
    assert_string_equal(log, "a.begin");
    spy_lets_go_on(&first);
    spy_wait_for_begun(world, &second, 1);
    assert_string_equal(log, "a.begin b.begin");
    spy_lets_go_on(&second);
    assert_string_equal(world_text(world, reply), "x>a>b");
    assert_string_equal(log, "a.begin b.begin a.send b.send b.receive a.receive b.end a.end");
}

static void a_server_s_handler_sees_the_request_afterwards(void **state)
{
    world      *world = *state;
    spy         spy = { .name = "s", .on_begin = spy_waits, .on_receive = spy_marks_received };
    vow_future *held, *echoed;

    spy_on_server(world, &spy);
    held = world_hold(world, "x", NULL);
    spy_wait_for_begun(world, &spy, 1);
    world_advance_ms(world, 20);
    assert_int_equal(world->held_ever, 0);
    spy_lets_go_on(&spy);
    world_wait_for_held(world, 1);
    world_answer_held(world, "held");
    assert_string_equal(world_text(world, held), "held");
    echoed = world_echo(world, "some request", NULL);
    spy_wait_for_begun(world, &spy, 2);
    spy_lets_go_on(&spy);
    assert_string_equal(world_text(world, echoed), "some request<s");
    assert_int_equal(spy.ended, 2);
}

struct asking {
    vow_call *call;
    spy      *spy;
};

/* The authentication's answer has come. */
static vow_future *asked(vow_future *answer, void *arg)
{
    struct asking *asking = arg;

    if (strcmp(streams_text(vow_future_value(answer)), "let me in") != 0)
        return vow_failure(vow_call_loop(asking->call), VOW_UNAUTHENTICATED, "the other service says no");
    return NULL;
}

/* Asks a service about calls of Hold, over the channel of the world, on behalf of the call. */
static vow_future *begin_by_asking(spy *spy, vow_call *call)
{
    struct asking *asking = vow_call_slot(call, spy, sizeof *asking);
    Calls__Text    request = CALLS__TEXT__INIT;

    if (strcmp(vow_call_method(call)->name, "calls.Calls/Hold") != 0)
        return NULL;
    *asking = (struct asking){ call, spy };
    request.text = (char *)(uintptr_t)vow_call_metadata_get(call, "word");
    return vow_then(calls_calls_echo(spy->world->channel, &request, VOW_CALL(.parent = call)), asked, asking);
}

static void a_server_asks_another_service_before_it_serves(void **state)
{
    world      *world = *state;
    spy         spy = { .on_begin = begin_by_asking };
    vow_future *reply;

    spy_on_server(world, &spy);
    reply =
        world_hold(world, "", VOW_CALL(.metadata = VOW_METADATA({ .name = "word", .value = "let me in" })));
    world_wait_for_held(world, 1);
    world_answer_held(world, "welcome");
    assert_string_equal(world_text(world, reply), "welcome");
    reply = world_hold(world, "", VOW_CALL(.metadata = VOW_METADATA({ .name = "word", .value = "please" })));
    assert_string_equal(world_text(world, reply), "UNAUTHENTICATED: the other service says no");
    assert_int_equal(world->held_ever, 1);
    assert_int_equal(spy.ended, spy.begun);
}

static void begin_answers_later(void **state)
{
    world      *world = *state;
    spy         here = { .on_begin = spy_waits }, there = { .on_begin = spy_waits };
    char        text[] = "an answer";
    Calls__Text answer = CALLS__TEXT__INIT;
    vow_future *reply;

    answer.text = text;
    spy_on_server(world, &there);
    reply = world_hold(world, "", NULL);
    spy_wait_for_begun(world, &there, 1);
    vow_resolve(there.promise, &answer, NULL);
    assert_string_equal(world_text(world, reply), "an answer");
    spy_on_channel(world, &here);
    reply = world_hold(world, "", NULL);
    vow_resolve(here.promise, &answer, NULL);
    assert_string_equal(world_text(world, reply), "an answer");
    assert_int_equal(there.begun, 1);
    assert_int_equal(here.ended, 1);
    assert_int_equal(there.ended, 1);
    assert_int_equal(world->held_ever, 0);
}

/* The call ends first */

static void the_deadline_runs_while_a_channel_s_interceptor_works(void **state)
{
    world *world = *state;
    spy    spy = { .on_begin = spy_waits };

    spy_on_channel(world, &spy);
    assert_non_null(strstr(world_error(world, world_echo(world, "", VOW_CALL(.timeout_ms = 30))),
                           ": calls.Calls/Echo: an interceptor held the call back for all of its time"));
    spy_saw_one_end(&spy, 1, VOW_DEADLINE_EXCEEDED);
}

static void the_deadline_runs_while_a_server_s_interceptor_works(void **state)
{
    world *world = *state;
    spy    spy = { .on_begin = spy_waits };

    spy_on_server(world, &spy);
    assert_int_equal(world_settle(world, world_hold(world, "", VOW_CALL(.timeout_ms = 30))),
                     VOW_DEADLINE_EXCEEDED);
    spy_wait_for_ended(world, &spy, 1);
    world_advance_ms(world, 1);
    assert_true(spy.result.code == VOW_DEADLINE_EXCEEDED ||
                spy.result.code == VOW_CANCELLED); /* whoever is first */
    assert_int_equal(spy.withdrawn, 1);
    assert_int_equal(world->held_ever, 0);
}

static void a_cancelled_call_withdraws_what_interceptors_wait_for(void **state)
{
    world      *world = *state;
    spy         here = { .on_begin = spy_waits }, there = { .on_begin = spy_waits };
    vow_future *reply;

    spy_on_server(world, &there);
    reply = world_hold(world, "", NULL);
    spy_wait_for_begun(world, &there, 1);
    vow_drop(reply);
    spy_wait_for_ended(world, &there, 1);
    spy_saw_one_end(&there, 1, VOW_CANCELLED);
    spy_on_channel(world, &here);
    vow_drop(world_hold(world, "", NULL));
    spy_saw_one_end(&here, 1, VOW_CANCELLED);
    assert_int_equal(world->held_ever, 0);
}

static void a_closed_channel_ends_what_its_interceptors_hold_back(void **state)
{
    world      *world = *state;
    spy         here = { .on_begin = spy_waits }, there = { .name = "there" };
    vow_future *reply;

    spy_on_channel(world, &here);
    spy_on_server(world, &there);
    reply = world_hold(world, "", NULL);
    vow_channel_close(world->channel);
    world->channel = NULL;
    spy_saw_one_end(&here, 1, VOW_CANCELLED);
    assert_non_null(strstr(world_error(world, reply), ": the channel was closed"));
    assert_int_equal(there.begun, 0);
}

static void a_lost_connection_ends_what_a_server_s_interceptors_hold_back(void **state)
{
    world      *world = *state;
    spy         spy = { .on_begin = spy_waits };
    vow_future *reply;

    reply = ask_spied_server(world, &spy);
    vow_channel_close(world->channel);
    world->channel = NULL;
    spy_wait_for_ended(world, &spy, 1);
    spy_saw_one_end(&spy, 1, VOW_CANCELLED);
    vow_drop(reply);
}

static void a_closed_server_ends_what_its_interceptors_hold_back(void **state)
{
    world      *world = *state;
    spy         spy = { .on_begin = spy_waits };
    vow_future *reply;

    reply = ask_spied_server(world, &spy);
    vow_server_close(world->server);
    world->server = NULL;
    spy_saw_one_end(&spy, 1, VOW_UNAVAILABLE);
    assert_int_equal(world_settle(world, reply), VOW_UNAVAILABLE);
}

static void a_closed_loop_ends_what_interceptors_hold_back(void **state)
{
    vow_loop       *loop = vow_loop_simulated(1);
    vow_channel    *channel = vow_channel_open(loop, "tcp://10.0.0.1:7000", NULL);
    spy             spy = { .on_begin = spy_waits };
    vow_interceptor interceptor = spy_interceptor(&spy);
    Calls__Text     request = CALLS__TEXT__INIT;

    (void)state;
    vow_channel_intercept(channel, &interceptor);
    vow_detach(calls_calls_echo(channel, &request, NULL));
    assert_int_equal(spy.begun, 1);
    vow_loop_close(loop);
    spy_saw_one_end(&spy, 1, VOW_CANCELLED);
}

static vow_future *begin_by_sleeping(spy *spy, vow_call *call)
{
    (void)spy;
    return vow_sleep(vow_call_loop(call), 10);
}

static void calls_held_back_count_as_waiting_ones(void **state)
{
    world      *world = world_new_with(WORLD_SIMULATED, NULL, VOW_CHANNEL(.max_waiting_calls = 2));
    spy         spy = { .on_begin = begin_by_sleeping };
    vow_future *calls[2];

    (void)state;
    spy_on_channel(world, &spy);
    calls[0] = world_echo(world, "", NULL);
    calls[1] = world_echo(world, "", NULL);
    assert_non_null(
        strstr(world_error(world, world_echo(world, "", NULL)), "2 calls wait for a place already"));
    vow_drop(calls[0]);
    vow_drop(calls[1]);
    assert_int_equal(world_settle(world, world_echo(world, "", NULL)), VOW_OK);
    assert_int_equal(spy.ended, 4);
    world_free(world);
}

/* Streams */

static const char *next_text(world *world, vow_call *call)
{
    static char text[200];
    vow_future *next = vow_call_next(call);

    world_wait(world, next);
    if (vow_future_code(next) != VOW_OK)
        snprintf(text, sizeof text, "%s", vow_future_error(next));
    else
        snprintf(text, sizeof text, "%s",
                 vow_future_value(next) ? streams_text(vow_future_value(next)) : "the end");
    vow_drop(next);
    return text;
}

static void each_message_of_a_stream_passes_the_chain(void **state)
{
    world    *world = *state;
    spy       here = { .name = "h", .on_send = spy_marks_sent, .on_receive = spy_marks_received };
    spy       there = { .name = "t", .on_send = spy_marks_sent, .on_receive = spy_marks_received };
    vow_call *call;

    spy_on_channel(world, &here);
    spy_on_server(world, &there);
    call = vow_call_start(world->channel, &streams_chat, NULL);
    streams_send(call, "1");
    streams_send(call, "2");
    assert_string_equal(next_text(world, call), "1>h<t>t<h");
    assert_string_equal(next_text(world, call), "2>h<t>t<h");
    vow_call_end(call);
    assert_string_equal(next_text(world, call), "the end");
    vow_call_drop(call);
    assert_int_equal(here.ended, 1);
    assert_int_equal(there.ended, 1);
    assert_int_equal(here.result.sent_count, 2);
    assert_int_equal(here.result.sent_bytes, 10);
    assert_int_equal(here.result.received_count, 2);
    assert_int_equal(there.result.received_bytes, 10);
    assert_int_equal(there.result.sent_count, 2);
}

static void a_stream_waits_for_a_channel_s_interceptor_and_keeps_its_order(void **state)
{
    world    *world = *state;
    spy       spy = { .name = "s", .on_begin = spy_waits, .on_send = spy_marks_sent };
    vow_call *call;

    spy_on_channel(world, &spy);
    call = vow_call_start(world->channel, &streams_chat, NULL);
    streams_send(call, "1");
    streams_send(call, "2");
    world_advance_ms(world, 5);
    spy_lets_go_on(&spy);
    assert_string_equal(next_text(world, call), "1>s");
    streams_send(call, "3");
    vow_call_end(call);
    assert_string_equal(next_text(world, call), "2>s");
    assert_string_equal(next_text(world, call), "3>s");
    assert_string_equal(next_text(world, call), "the end");
    vow_call_drop(call);
    spy_saw_one_end(&spy, 0, VOW_OK);
    assert_int_equal(spy.result.sent_count, 3);
}

static void a_single_request_of_a_stream_of_replies_waits_as_well(void **state)
{
    world    *world = *state;
    spy       spy = { .name = "s", .on_begin = spy_waits };
    vow_call *call;

    spy_on_channel(world, &spy);
    call = vow_call_start(world->channel, &streams_count, NULL);
    streams_send(call, "2");
    vow_call_end(call);
    spy_lets_go_on(&spy);
    assert_string_equal(next_text(world, call), "0");
    vow_call_drop(call);
    spy.on_begin = NULL;
    call = vow_call_start(world->channel, &streams_count, NULL);
    world_advance_ms(world, 5);
    streams_send(call, "1");
    vow_call_end(call);
    assert_string_equal(next_text(world, call), "0");
    assert_string_equal(next_text(world, call), "the end");
    vow_call_drop(call);
    assert_int_equal(spy.ended, 2);
    assert_int_equal(spy.result.sent_count, 1);
}

/* Sends until there is no room any more, and gives how many there were. */
static size_t send_until_full(world *world, vow_call *call)
{
    size_t count = 0;
    char   text[1000];

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    for (int i = 0; i < 20; i++) {
        while (count < 10000 && streams_send(call, text))
            count++;
        world_advance_ms(world, 5);
    }
    return count;
}

static void messages_of_a_stream_wait_under_flow_control_while_a_server_begins(void **state)
{
    world    *world = *state;
    spy       spy = { .on_begin = spy_waits };
    vow_call *call;
    size_t    sent;

    spy_on_server(world, &spy);
    call = vow_call_start(world->channel, &streams_join, VOW_CALL(.timeout_ms = VOW_NO_TIMEOUT));
    spy_wait_for_begun(world, &spy, 1);
    sent = send_until_full(world, call);
    assert_in_range(sent, 30, 2000);
    vow_call_end(call);
    spy_lets_go_on(&spy);
    assert_non_null(strstr(next_text(world, call), " messages, "));
    vow_call_drop(call);
    spy_wait_for_ended(world, &spy, 1);
    assert_in_range(spy.result.received_count, sent, sent + 21);
}

static vow_future *begin_with_answer(spy *spy, vow_call *call)
{
    static char        text[] = "from the cache";
    static Calls__Text answer = CALLS__TEXT__INIT;

    (void)spy;
    answer.text = text;
    return vow_value(vow_call_loop(call), &answer, NULL);
}

static void a_stream_is_answered_with_one_message_on_either_side(void **state)
{
    static const vow_method *const methods[] = { &streams_chat, &streams_count, &streams_join };
    world                         *world = *state;
    spy                            here = { .name = "h" }, there = { .on_begin = begin_with_answer };

    spy_on_server(world, &there);
    spy_on_channel(world, &here);
    for (int i = 0; i < 6; i++) {
        vow_call *call = vow_call_start(world->channel, methods[i % 3], NULL);

        if (i == 3)
            here.on_begin = begin_with_answer;
        streams_send(call, "1");
        vow_call_end(call);
        assert_string_equal(next_text(world, call), "from the cache");
        assert_string_equal(next_text(world, call), "the end");
        vow_call_drop(call);
    }
    assert_int_equal(here.ended, 6);
    assert_int_equal(there.ended, there.begun);
}

static ProtobufCMessage *receive_refused(spy *spy, vow_call *call, ProtobufCMessage *message)
{
    (void)spy;
    vow_call_end_as(call, VOW_PERMISSION_DENIED, "not %s", streams_text(message));
    return NULL;
}

static void a_message_that_is_refused_ends_the_stream(void **state)
{
    world    *world = *state;
    spy       spies[2] = { { .on_receive = receive_refused }, { .on_receive = receive_refused } };
    vow_call *call;

    spy_on_server(world, &spies[0]);
    call = vow_call_start(world->channel, &streams_chat, NULL);
    streams_send(call, "this");
    assert_string_equal(next_text(world, call), "PERMISSION_DENIED: not this");
    vow_call_drop(call);
    spies[0].on_receive = NULL;
    spy_on_channel(world, &spies[1]);
    call = vow_call_start(world->channel, &streams_chat, NULL);
    streams_send(call, "that");
    assert_string_equal(next_text(world, call), "PERMISSION_DENIED: not that");
    assert_string_equal(next_text(world, call), "PERMISSION_DENIED: not that");
    vow_call_drop(call);
    spy_wait_for_ended(world, &spies[0], 2);
    assert_int_equal(spies[1].ended, 1);
}

static void a_stream_that_is_dropped_meanwhile_ends_once(void **state)
{
    world    *world = *state;
    spy       here = { .on_begin = spy_waits }, there = { .on_begin = spy_waits };
    vow_call *call;

    spy_on_server(world, &there);
    call = vow_call_start(world->channel, &streams_chat, NULL);
    streams_send(call, "1");
    spy_wait_for_begun(world, &there, 1);
    vow_call_drop(call);
    spy_wait_for_ended(world, &there, 1);
    spy_saw_one_end(&there, 1, VOW_CANCELLED);
    spy_on_channel(world, &here);
    call = vow_call_start(world->channel, &streams_chat, NULL);
    streams_send(call, "1");
    vow_call_drop(call);
    spy_saw_one_end(&here, 1, VOW_CANCELLED);
}

#define ON_BOTH(test)                                                                                        \
    cmocka_unit_test_setup_teardown(test, streams_open_simulated, world_close),                              \
        cmocka_unit_test_setup_teardown(test, streams_open_tcp, world_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(a_channel_packs_the_request_before_it_returns),
        ON_BOTH(messages_are_sent_through_the_chain_once_all_have_begun),
        ON_BOTH(a_server_s_handler_sees_the_request_afterwards),
        ON_BOTH(a_server_asks_another_service_before_it_serves),
        ON_BOTH(begin_answers_later),
        ON_BOTH(the_deadline_runs_while_a_channel_s_interceptor_works),
        ON_BOTH(the_deadline_runs_while_a_server_s_interceptor_works),
        ON_BOTH(a_cancelled_call_withdraws_what_interceptors_wait_for),
        ON_BOTH(a_closed_channel_ends_what_its_interceptors_hold_back),
        ON_BOTH(a_lost_connection_ends_what_a_server_s_interceptors_hold_back),
        ON_BOTH(a_closed_server_ends_what_its_interceptors_hold_back),
        cmocka_unit_test(a_closed_loop_ends_what_interceptors_hold_back),
        cmocka_unit_test(calls_held_back_count_as_waiting_ones),
        ON_BOTH(each_message_of_a_stream_passes_the_chain),
        ON_BOTH(a_stream_waits_for_a_channel_s_interceptor_and_keeps_its_order),
        ON_BOTH(a_single_request_of_a_stream_of_replies_waits_as_well),
        ON_BOTH(messages_of_a_stream_wait_under_flow_control_while_a_server_begins),
        ON_BOTH(a_stream_is_answered_with_one_message_on_either_side),
        ON_BOTH(a_message_that_is_refused_ends_the_stream),
        ON_BOTH(a_stream_that_is_dropped_meanwhile_ends_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
