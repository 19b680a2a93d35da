/* Unary calls between a channel and a server, on each kind of transport. */
#include "runtime/rpc/server.h"
#include "tests/support/kinds.h"
#include "tests/support/setups.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Replies */

static void a_call_is_answered_with_the_reply(void **state)
{
    world      *world = *state;
    vow_future *reply = world_echo(world, "hello", NULL);

    assert_false(vow_future_settled(reply));
    assert_int_equal(vow_wait(reply), VOW_OK);
    assert_string_equal(calls_calls_echo_result(reply)->text, "hello");
    assert_ptr_equal(vow_call_method(vow_future_call(reply)), &calls_calls_echo_method);
    vow_drop(reply);
}

static void a_handlers_failure_reaches_the_caller_in_its_words(void **state)
{
    world      *world = *state;
    Calls__Text request = CALLS__TEXT__INIT;

    request.text = (char *)"no city called Atlantis";
    assert_string_equal(world_error(world, calls_calls_fail(world->channel, &request, NULL)),
                        "INVALID_ARGUMENT: no city called Atlantis");
}

static void a_method_without_a_handler_is_unimplemented(void **state)
{
    world      *world = *state;
    Calls__Text request = CALLS__TEXT__INIT;

    assert_string_equal(world_error(world, calls_calls_missing(world->channel, &request, NULL)),
                        "UNIMPLEMENTED: calls.Calls/Missing is not served here");
}

/* What a program may pass by mistake, and how a failure names it. */
static const struct {
    const char *name;
    void       *message;
} no_requests[] = {
    { "calls.Block", &(Calls__Block)CALLS__BLOCK__INIT },
    { "message that its INIT macro has not begun", &(Calls__Text){ .text = NULL } },
    { "null pointer", NULL },
};

static void a_request_that_is_no_message_of_its_method_is_refused(void **state)
{
    world *world = *state;

    for (size_t i = 0; i < sizeof no_requests / sizeof no_requests[0]; i++) {
        char wanted[160];

        snprintf(wanted, sizeof wanted,
                 "INVALID_ARGUMENT: calls.Calls/Echo takes a calls.Text, and was given a %s",
                 no_requests[i].name);
        assert_string_equal(world_error(world, vow_call_unary(world->channel, &calls_calls_echo_method,
                                                              no_requests[i].message, NULL)),
                            wanted);
    }
}

static void reply_with_arg(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    (void)request;
    vow_call_reply(call, handler->arg);
}

static void a_reply_that_is_no_message_of_its_method_fails_the_call(void **state)
{
    world *world = *state;

    for (size_t i = 0; i < sizeof no_requests / sizeof no_requests[0]; i++) {
        const vow_handler handler = { sizeof handler, &calls_calls_missing_method, reply_with_arg, NULL,
                                      no_requests[i].message };
        Calls__Text       request = CALLS__TEXT__INIT;
        char              wanted[160];

        vow_server_handle(world->server, &handler);
        snprintf(wanted, sizeof wanted,
                 "INTERNAL: calls.Calls/Missing answers with a calls.Text, and its handler gave a %s",
                 no_requests[i].name);
        assert_string_equal(world_error(world, calls_calls_missing(world->channel, &request, NULL)), wanted);
    }
}

static void hundreds_of_calls_are_answered_each_with_its_own(void **state)
{
    world      *world = *state;
    vow_future *replies[500];
    char        texts[500][16];

    for (int i = 0; i < 500; i++) {
        snprintf(texts[i], sizeof texts[i], "text %d", i);
        replies[i] = world_echo(world, texts[i], NULL);
    }
    for (int i = 0; i < 500; i++) {
        assert_int_equal(vow_wait(replies[i]), VOW_OK);
        assert_string_equal(calls_calls_echo_result(replies[i])->text, texts[i]);
        vow_drop(replies[i]);
    }
}

static void messages_of_every_size_arrive_whole(void **state)
{
    static const size_t sizes[] = { 0,    1,     31,    1000,  1024,    4095,
                                    8192, 65000, 65536, 70000, 1 << 20, (4 << 20) - 16 };
    world              *world = *state;

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        Calls__Block        request = CALLS__BLOCK__INIT;
        uint8_t            *body = malloc(sizes[i] + 1);
        vow_future         *reply;
        const Calls__Block *block;

        for (size_t k = 0; k < sizes[i]; k++)
            body[k] = (uint8_t)(k * 2654435761u >> 13);
        request.body = (ProtobufCBinaryData){ .data = body, .len = sizes[i] };
        reply = calls_calls_echo_block(world->channel, &request, NULL);
        if (vow_wait(reply) != VOW_OK)
            fail_msg("%zu bytes: %s", sizes[i], vow_future_error(reply));
        block = calls_calls_echo_block_result(reply);
        assert_int_equal(block->body.len, sizes[i]);
        assert_memory_equal(block->body.data, body, sizes[i]);
        vow_drop(reply);
        free(body);
    }
}

static void a_request_may_be_freed_as_soon_as_the_call_has_begun(void **state)
{
    world      *world = *state;
    char       *text = strdup("short-lived");
    vow_future *reply = world_echo(world, text, NULL);

    memset(text, 'x', strlen(text));
    free(text);
    assert_int_equal(vow_wait(reply), VOW_OK);
    assert_string_equal(calls_calls_echo_result(reply)->text, "short-lived");
    vow_drop(reply);
}

/* Limits */

static vow_future *ask_block(world *world, size_t size)
{
    Calls__Block request = CALLS__BLOCK__INIT;
    uint8_t     *body = calloc(1, size);
    vow_future  *reply;

    request.body = (ProtobufCBinaryData){ .data = body, .len = size };
    reply = calls_calls_echo_block(world->channel, &request, NULL);
    free(body);
    return reply;
}

static void a_large_field_is_not_copied_and_its_memory_is_the_calls_not_the_connections(void **state)
{
    world          *world = *state;
    size_t          size = (size_t)1 << 20;
    vow_future     *reply;
    const vow_call *call;

    assert_int_equal(world_settle(world, world_echo(world, "connected", NULL)),
                     VOW_OK); /* no request waits */
    reply = ask_block(world, size);
    assert_int_equal(vow_wait(reply), VOW_OK);
    call = vow_future_call(reply);
    assert_non_null(call->arena.adopted);
    assert_in_range(call->arena.used, size, 2 * size);
    assert_in_range(world->server->account.used, 0,
                    size / 2); /* output that waits to be confirmed as written */
    vow_drop(reply);
}

/* A Block of n bytes is packed into n and 5 more: tag, and a length of 4 bytes. */
#define BLOCK_OVERHEAD 5

static void a_request_over_the_servers_limit_is_refused_by_name(void **state)
{
    world *world = *state;

    assert_int_equal(world_settle(world, ask_block(world, ((size_t)4 << 20) - BLOCK_OVERHEAD)), VOW_OK);
    const char *error = world_error(world, ask_block(world, ((size_t)4 << 20) - BLOCK_OVERHEAD + 1));

    assert_memory_equal(error, "RESOURCE_EXHAUSTED", 18);
    assert_non_null(strstr(error, "max_message_size"));
    world_assert_serves(world);
}

static void a_call_beyond_max_calls_is_refused_at_once_and_the_rest_goes_on(void **state)
{
    world      *world = world_new_with(WORLD_SIMULATED, VOW_SERVER(.max_calls = 2), NULL);
    vow_future *first = world_hold(world, "", NULL);
    vow_future *second = world_hold(world, "", NULL);
    const char *error;

    (void)state;
    world_wait_for_held(world, 2);
    error = world_error(world, world_hold(world, "", NULL));
    assert_memory_equal(error, "RESOURCE_EXHAUSTED", 18);
    assert_non_null(strstr(error, "max_calls"));
    world_answer_held(world, "");
    assert_int_equal(world_settle(world, first), VOW_OK);
    assert_int_equal(world_settle(world, world_echo(world, "", NULL)), VOW_OK);
    world_answer_held(world, "");
    assert_int_equal(world_settle(world, second), VOW_OK);
    world_free(world);
}

static void a_channel_queues_calls_beyond_the_servers_limit_in_order(void **state)
{
    world      *world = world_new_with(WORLD_SIMULATED, VOW_SERVER(.max_calls_per_connection = 1), NULL);
    vow_future *first = world_hold(world, "", NULL);
    vow_future *second = world_hold(world, "", NULL);

    (void)state;
    world_wait_for_held(world, 1);
    world_advance_ms(world, 100);
    assert_int_equal(world->held_count, 1);
    world_answer_held(world, "first");
    world_wait_for_held(world, 1);
    assert_true(vow_future_settled(first));
    world_answer_held(world, "second");
    assert_int_equal(vow_wait(second), VOW_OK);
    assert_string_equal(calls_calls_hold_result(second)->text, "second");
    vow_drop(first);
    vow_drop(second);
    world_free(world);
}

static void a_call_beyond_max_waiting_calls_fails_by_name(void **state)
{
    world      *world = world_new_with(WORLD_SIMULATED, NULL, VOW_CHANNEL(.max_waiting_calls = 1));
    vow_future *waiting = world_echo(world, "", NULL);
    vow_future *refused = world_echo(world, "", NULL);

    (void)state;
    assert_int_equal(vow_future_code(refused), VOW_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(vow_future_error(refused), "max_waiting_calls"));
    assert_int_equal(world_settle(world, waiting), VOW_OK);
    vow_drop(refused);
    world_free(world);
}

/* Deadlines and cancellation */

static void a_call_fails_once_its_deadline_has_passed(void **state)
{
    world      *world = *state;
    vow_future *reply = world_hold(world, "", VOW_CALL(.timeout_ms = 50));

    world_advance_ms(world, 49);
    assert_false(vow_future_settled(reply));
    world_advance_ms(world, 1);
    assert_int_equal(vow_future_code(reply), VOW_DEADLINE_EXCEEDED);
    vow_drop(reply);
}

static void a_deadline_reaches_the_handler(void **state)
{
    world      *world = *state;
    vow_future *reply = world_hold(world, "", VOW_CALL(.timeout_ms = 50));

    world_wait_for_held(world, 1);
    assert_true(vow_call_time_left_ms(world->held[0]) <= 50);
    assert_int_equal(world_settle(world, reply), VOW_DEADLINE_EXCEEDED);
    world_advance_ms(world, 5);
    assert_int_equal(world->gone, 1);
}

static void a_call_without_a_timeout_has_the_channels(void **state)
{
    world      *world = *state;
    vow_future *reply = world_hold(world, "", NULL);

    world_advance_ms(world, 9999);
    assert_false(vow_future_settled(reply));
    world_advance_ms(world, 1);
    assert_int_equal(vow_future_code(reply), VOW_DEADLINE_EXCEEDED);
    vow_drop(reply);
}

static void dropping_the_last_handle_cancels_the_handler(void **state)
{
    world      *world = *state;
    vow_future *reply = world_hold(world, "", NULL);

    world_wait_for_held(world, 1);
    vow_drop(reply);
    world_advance_ms(world, 100);
    assert_int_equal(world->gone, 1);
    assert_int_equal(world->held_count, 0);
}

static void cancelling_settles_at_once_and_reaches_the_handler(void **state)
{
    world      *world = *state;
    vow_future *reply = world_hold(world, "", NULL);

    world_wait_for_held(world, 1);
    vow_cancel(reply);
    assert_int_equal(vow_future_code(reply), VOW_CANCELLED);
    world_advance_ms(world, 100);
    assert_int_equal(world->gone, 1);
    vow_drop(reply);
}

static void closing_the_channel_cancels_its_calls(void **state)
{
    world      *world = *state;
    vow_future *open = world_hold(world, "", NULL);
    vow_future *waiting;

    world_wait_for_held(world, 1);
    waiting = world_hold(world, "", NULL);
    vow_channel_close(world->channel);
    world->channel = vow_channel_open(world->loop, world->target, NULL);
    assert_int_equal(vow_future_code(open), VOW_CANCELLED);
    assert_int_equal(vow_future_code(waiting), VOW_CANCELLED);
    vow_drop(open);
    vow_drop(waiting);
    world_advance_ms(world, 100);
}

static void a_handler_may_answer_later_and_answers_are_not_mixed_up(void **state)
{
    world      *world = *state;
    vow_future *first = world_hold(world, "", NULL);
    vow_future *second = world_hold(world, "", NULL);

    world_wait_for_held(world, 2);
    world_answer_held(world, "one");
    world_answer_held(world, "two");
    assert_int_equal(vow_wait(first), VOW_OK);
    assert_int_equal(vow_wait(second), VOW_OK);
    assert_string_equal(calls_calls_hold_result(first)->text, "one");
    assert_string_equal(calls_calls_hold_result(second)->text, "two");
    vow_drop(first);
    vow_drop(second);
}

/* Targets */

static void a_target_that_makes_no_sense_fails_every_call_and_says_so(void **state)
{
    world       *world = *state;
    vow_channel *channel = vow_channel_open(world->loop, "http://127.0.0.1:80", NULL);
    Calls__Text  request = CALLS__TEXT__INIT;
    const char  *error = world_error(world, calls_calls_echo(channel, &request, NULL));

    assert_string_equal(
        error, "INVALID_ARGUMENT: \"http://127.0.0.1:80\" is no target: write tcp://host:port, "
               "unix:///path, memory://name, tls://host:port, grpc://host:port or grpcs://host:port");
    vow_channel_close(channel);
}

static void what_is_wrong_with_a_target_is_said_of_it_as_it_was_written(void **state)
{
    world       *world = *state;
    vow_channel *channel = vow_channel_open(world->loop, "grpc://example.com", NULL);
    Calls__Text  request = CALLS__TEXT__INIT;
    const char  *error = world_error(world, calls_calls_echo(channel, &request, NULL));

    assert_string_equal(error,
                        "INVALID_ARGUMENT: grpc://example.com: there is no port; write tcp://host:port, "
                        "with an IPv6 address in brackets: tcp://[::1]:7000");
    vow_channel_close(channel);
}

static void a_refused_connection_names_the_target_and_the_cause(void **state)
{
    const char  *refused = "connection refused (is the server running?)";
    const char  *nobody = "nobody listens (was the server opened on this loop?)";
    const char  *no_socket = "there is no such socket (is the server running?)";
    world       *world = *state;
    vow_channel *channel;
    Calls__Text  request = CALLS__TEXT__INIT;
    const char  *error;
    const char  *cause = refused;

    if (strncmp(world->address, "memory://", 9) == 0)
        cause = nobody;
    else if (strncmp(world->address, "unix://", 7) == 0)
        cause = no_socket;
    vow_server_close(world->server);
    world->server = vow_server_open(world->loop, NULL);
    channel = vow_channel_open(world->loop, world->target, NULL);
    error = world_error(world, calls_calls_echo(channel, &request, NULL));
    assert_memory_equal(error, "UNAVAILABLE: ", 13);
    assert_non_null(strstr(error, world->target));
    assert_non_null(strstr(error, cause));
    vow_channel_close(channel);
}

/* Draining */

/* Objects that say in which order they were released. */
struct released {
    char   order[8];
    size_t count;
};

struct object {
    struct released *released;
    char             name;
};

static void object_release(void *arg)
{
    struct object *object = arg;

    object->released->order[object->released->count++] = object->name;
}

static void what_is_attached_to_a_call_goes_with_its_memory_last_one_first(void **state)
{
    world          *world = *state;
    struct released served = { "", 0 };
    struct released called = { "", 0 };
    struct object   objects[] = { { &served, 'a' }, { &served, 'b' }, { &called, 'c' }, { &called, 'd' } };
    vow_future     *reply = world_hold(world, "", NULL);
    vow_call       *call = vow_future_call(reply);

    assert_true(vow_call_attach(call, &objects[2], object_release));
    assert_true(vow_call_attach(call, &objects[3], object_release));
    assert_false(vow_call_is_served(call));
    world_wait_for_held(world, 1);
    assert_true(vow_call_is_served(world->held[0]));
    assert_true(vow_call_attach(world->held[0], &objects[0], object_release));
    assert_true(vow_call_attach(world->held[0], &objects[1], object_release));
    assert_int_equal(served.count, 0);
    world_answer_held(world, "done");
    assert_int_equal(vow_wait(reply), VOW_OK);
    world_advance_ms(world, 10);
    assert_string_equal(served.order, "ba");
    assert_int_equal(called.count, 0);
    vow_drop(reply);
    assert_string_equal(called.order, "dc");
}

static void a_drain_lets_running_calls_finish(void **state)
{
    world      *world = *state;
    vow_future *reply = world_hold(world, "", NULL);
    vow_future *drain;

    world_wait_for_held(world, 1);
    drain = vow_server_drain(world->server, 5000);
    world_advance_ms(world, 100);
    assert_false(vow_future_settled(drain));
    assert_true(vow_call_draining(world->held[0]));
    world_answer_held(world, "done");
    assert_int_equal(world_settle(world, drain), VOW_OK);
    assert_int_equal(vow_wait(reply), VOW_OK);
    vow_drop(reply);
}

static void a_drain_whose_grace_is_over_cancels_the_rest(void **state)
{
    world      *world = *state;
    vow_future *reply = world_hold(world, "", NULL);

    world_wait_for_held(world, 1);
    assert_int_equal(world_settle(world, vow_server_drain(world->server, 50)), VOW_DEADLINE_EXCEEDED);
    assert_int_equal(world_settle(world, reply), VOW_UNAVAILABLE);
    assert_int_equal(world->gone, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EACH_WORLD(a_call_is_answered_with_the_reply),
        ON_EACH_WORLD(a_handlers_failure_reaches_the_caller_in_its_words),
        ON_EACH_WORLD(a_method_without_a_handler_is_unimplemented),
        ON_EACH_WORLD(a_request_that_is_no_message_of_its_method_is_refused),
        ON_EACH_WORLD(a_reply_that_is_no_message_of_its_method_fails_the_call),
        ON_EACH_WORLD(hundreds_of_calls_are_answered_each_with_its_own),
        ON_EACH_WORLD(messages_of_every_size_arrive_whole),
        ON_EACH_WORLD(a_request_may_be_freed_as_soon_as_the_call_has_begun),
        ON_EACH_WORLD(a_large_field_is_not_copied_and_its_memory_is_the_calls_not_the_connections),
        ON_EACH_WORLD(a_request_over_the_servers_limit_is_refused_by_name),
        cmocka_unit_test(a_call_beyond_max_calls_is_refused_at_once_and_the_rest_goes_on),
        cmocka_unit_test(a_channel_queues_calls_beyond_the_servers_limit_in_order),
        cmocka_unit_test(a_call_beyond_max_waiting_calls_fails_by_name),
        ON_WORLD(simulated, a_call_fails_once_its_deadline_has_passed),
        ON_EACH_WORLD(a_deadline_reaches_the_handler),
        ON_WORLD(simulated, a_call_without_a_timeout_has_the_channels),
        ON_EACH_WORLD(dropping_the_last_handle_cancels_the_handler),
        ON_EACH_WORLD(cancelling_settles_at_once_and_reaches_the_handler),
        ON_EACH_WORLD(closing_the_channel_cancels_its_calls),
        ON_EACH_WORLD(a_handler_may_answer_later_and_answers_are_not_mixed_up),
        ON_WORLD(tcp, a_target_that_makes_no_sense_fails_every_call_and_says_so),
        ON_WORLD(grpc, what_is_wrong_with_a_target_is_said_of_it_as_it_was_written),
        ON_EACH_WORLD(a_refused_connection_names_the_target_and_the_cause),
        ON_EACH_WORLD(what_is_attached_to_a_call_goes_with_its_memory_last_one_first),
        ON_EACH_WORLD(a_drain_lets_running_calls_finish),
        ON_EACH_WORLD(a_drain_whose_grace_is_over_cancels_the_rest),
    };

    return kinds_run_tests("calls", tests);
}
