/* Streams in every direction, on each kind of transport. */
#include "tests/support/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGES 1000

static const vow_method count_method = { sizeof count_method, "calls.Streams/Count", &calls__text__descriptor,
                                         &calls__text__descriptor, false, true, false, NULL };
static const vow_method join_method = { sizeof join_method, "calls.Streams/Join", &calls__text__descriptor,
                                        &calls__text__descriptor, true, false, false, NULL };
static const vow_method chat_method = { sizeof chat_method, "calls.Streams/Chat", &calls__text__descriptor,
                                        &calls__text__descriptor, true, true, false, NULL };

static const char *text_of(const ProtobufCMessage *message)
{
    return ((const Calls__Text *)message)->text;
}

static bool send_text(vow_call *call, const char *text)
{
    Calls__Text message = CALLS__TEXT__INIT;

    message.text = (char *)(uintptr_t)text;
    return vow_call_send(call, &message.base);
}

/* The handlers */

struct counting {
    size_t next;
    size_t end;
};

static vow_future *count_more(vow_call *call, void *arg)
{
    struct counting *counting = arg;
    bool             has_room = true;
    char             text[32];

    while (has_room && counting->next < counting->end) {
        snprintf(text, sizeof text, "%zu", counting->next++);
        has_room = send_text(call, text);
    }
    if (counting->next == counting->end)
        vow_call_end(call);
    return NULL;
}

/* Sends the numbers up to the one that it is given. */
static void serve_count(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    struct counting *counting = vow_call_alloc(call, sizeof *counting);

    (void)handler;
    if (!counting)
        return;
    counting->end = strtoul(text_of(request), NULL, 10);
    vow_call_answer(call, vow_call_write(call, count_more, counting));
}

struct joining {
    vow_call *call;
    size_t    size;
    size_t    count;
};

static vow_future *join_one(vow_call *call, const ProtobufCMessage *message, void *arg)
{
    struct joining *joining = arg;

    (void)call;
    joining->size += strlen(text_of(message));
    joining->count++;
    return NULL;
}

static vow_future *join_reply(vow_future *end, void *arg)
{
    struct joining *joining = arg;
    Calls__Text     reply = CALLS__TEXT__INIT;
    char            text[64];

    (void)end;
    snprintf(text, sizeof text, "%zu messages, %zu bytes", joining->count, joining->size);
    reply.text = text;
    vow_call_reply(joining->call, &reply.base);
    return NULL;
}

/* Says how much it was sent. */
static void serve_join(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    struct joining *joining = vow_call_alloc(call, sizeof *joining);

    (void)handler;
    assert_null(request);
    if (!joining)
        return;
    joining->call = call;
    vow_call_answer(call, vow_then(vow_call_read(call, join_one, joining), join_reply, joining));
}

static vow_future *chat_echo(vow_call *call, const ProtobufCMessage *message, void *arg)
{
    (void)arg;
    if (strcmp(text_of(message), "fail") == 0)
        return vow_failure(vow_call_loop(call), VOW_ABORTED, "as you wish");
    send_text(call, text_of(message));
    return vow_call_when_room(call);
}

/* Sends back what it is sent, in order. */
static void serve_chat(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    (void)request;
    (void)handler;
    vow_call_answer(call, vow_call_read(call, chat_echo, NULL));
}

static int open_world(void **state, world_kind kind)
{
    world *world = world_new(kind);

    vow_server_handle(world->server, &(vow_handler){ sizeof(vow_handler), &count_method, serve_count, NULL, NULL });
    vow_server_handle(world->server, &(vow_handler){ sizeof(vow_handler), &join_method, serve_join, NULL, NULL });
    vow_server_handle(world->server, &(vow_handler){ sizeof(vow_handler), &chat_method, serve_chat, NULL, NULL });
    *state = world;
    return 0;
}

static int open_simulated(void **state) { return open_world(state, WORLD_SIMULATED); }
static int open_tcp(void **state) { return open_world(state, WORLD_TCP); }
static int open_unix(void **state) { return open_world(state, WORLD_UNIX); }
static int open_memory(void **state) { return open_world(state, WORLD_MEMORY); }

static int close_world(void **state)
{
    world_free(*state);
    return 0;
}

/* Server streams */

static vow_call *start_count(world *world, const char *end)
{
    vow_call *call = vow_call_start(world->channel, &count_method, NULL);

    send_text(call, end);
    vow_call_end(call);
    return call;
}

struct reading {
    size_t count;
    bool   is_in_order;
};

static vow_future *read_number(vow_call *call, const ProtobufCMessage *message, void *arg)
{
    struct reading *reading = arg;

    (void)call;
    reading->is_in_order &= strtoul(text_of(message), NULL, 10) == reading->count;
    reading->count++;
    return NULL;
}

static void replies_stream_in_order_to_their_end(void **state)
{
    world         *world = *state;
    struct reading reading = { 0, true };
    vow_call      *call = start_count(world, "100000");

    assert_int_equal(world_settle(world, vow_call_read(call, read_number, &reading)), VOW_OK);
    assert_int_equal(reading.count, 100000);
    assert_true(reading.is_in_order);
    vow_call_drop(call);
}

static void the_next_message_is_a_future_until_there_is_none(void **state)
{
    vow_call *call = start_count(*state, "3");
    char      text[8];

    for (int i = 0; i < 3; i++) {
        vow_future *next = vow_call_next(call);

        assert_int_equal(vow_wait(next), VOW_OK);
        snprintf(text, sizeof text, "%d", i);
        assert_string_equal(text_of(vow_future_value(next)), text);
        vow_drop(next);
    }
    for (int i = 0; i < 2; i++) {
        vow_future *next = vow_call_next(call);

        assert_int_equal(vow_wait(next), VOW_OK);
        assert_null(vow_future_value(next));
        vow_drop(next);
    }
    vow_call_drop(call);
}

static void a_stream_of_no_replies_ends_well(void **state)
{
    vow_call   *call = start_count(*state, "0");
    vow_future *closed = vow_call_when_closed(call);
    vow_future *next = vow_call_next(call);

    assert_int_equal(vow_wait(next), VOW_OK);
    assert_null(vow_future_value(next));
    assert_int_equal(vow_wait(closed), VOW_OK);
    vow_drop(next);
    vow_drop(closed);
    vow_call_drop(call);
}

/* Client streams */

static void requests_stream_and_are_answered_once(void **state)
{
    world      *world = *state;
    vow_call   *call = vow_call_start(world->channel, &join_method, NULL);
    vow_future *reply = vow_call_next(call);

    for (int i = 0; i < MESSAGES; i++)
        send_text(call, "0123456789");
    vow_call_end(call);
    assert_false(send_text(call, "after the end"));
    assert_int_equal(vow_wait(reply), VOW_OK);
    assert_string_equal(text_of(vow_future_value(reply)), "1000 messages, 10000 bytes");
    vow_drop(reply);
    vow_call_drop(call);
}

static void messages_larger_than_the_window_pass(void **state)
{
    world      *world = *state;
    vow_call   *call = vow_call_start(world->channel, &join_method, NULL);
    vow_future *reply = vow_call_next(call);
    char       *large = malloc(3000001);

    assert_non_null(large);
    memset(large, 'x', 3000000);
    large[3000000] = '\0';
    for (int i = 0; i < 3; i++) {
        assert_int_equal(world_settle(world, vow_call_when_room(call)), VOW_OK);
        assert_false(send_text(call, large));
        send_text(call, "small");
    }
    vow_call_end(call);
    assert_int_equal(vow_wait(reply), VOW_OK);
    assert_string_equal(text_of(vow_future_value(reply)), "6 messages, 9000015 bytes");
    free(large);
    vow_drop(reply);
    vow_call_drop(call);
}

/* Both */

static void both_sides_talk_in_turn(void **state)
{
    world    *world = *state;
    vow_call *call = vow_call_start(world->channel, &chat_method, NULL);
    char      text[32];

    for (int i = 0; i < 100; i++) {
        vow_future *next = vow_call_next(call);

        snprintf(text, sizeof text, "message %d", i);
        send_text(call, text);
        assert_int_equal(vow_wait(next), VOW_OK);
        assert_string_equal(text_of(vow_future_value(next)), text);
        vow_drop(next);
    }
    vow_call_end(call);
    assert_int_equal(world_settle(world, vow_call_when_closed(call)), VOW_OK);
    vow_call_drop(call);
}

static void a_failure_comes_after_the_messages_before_it(void **state)
{
    world      *world = *state;
    vow_call   *call = vow_call_start(world->channel, &chat_method, NULL);
    vow_future *next;

    send_text(call, "one");
    send_text(call, "fail");
    next = vow_call_next(call);
    assert_int_equal(vow_wait(next), VOW_OK);
    assert_string_equal(text_of(vow_future_value(next)), "one");
    vow_drop(next);
    next = vow_call_next(call);
    assert_int_equal(vow_wait(next), VOW_ABORTED);
    assert_string_equal(vow_future_error(next), "ABORTED: as you wish");
    vow_drop(next);
    vow_call_drop(call);
}

static void a_dropped_call_ends_at_the_handler(void **state)
{
    world      *world = *state;
    vow_call   *call = vow_call_start(world->channel, &chat_method, NULL);
    vow_future *next = vow_call_next(call);

    send_text(call, "one");
    assert_int_equal(vow_wait(next), VOW_OK);
    vow_drop(next);
    next = vow_call_next(call);
    vow_call_drop(call);
    assert_int_equal(vow_wait(next), VOW_CANCELLED);
    vow_drop(next);
}

static void dropping_a_wait_leaves_the_call_alone(void **state)
{
    world      *world = *state;
    vow_call   *call = vow_call_start(world->channel, &chat_method, NULL);
    vow_future *next = vow_call_next(call);

    vow_drop(next);
    send_text(call, "one");
    next = vow_call_next(call);
    assert_int_equal(vow_wait(next), VOW_OK);
    assert_string_equal(text_of(vow_future_value(next)), "one");
    vow_drop(next);
    vow_call_drop(call);
}

static void one_reads_at_a_time(void **state)
{
    world      *world = *state;
    vow_call   *call = vow_call_start(world->channel, &chat_method, NULL);
    vow_future *next = vow_call_next(call);

    assert_int_equal(world_settle(world, vow_call_next(call)), VOW_FAILED_PRECONDITION);
    vow_drop(next);
    vow_call_drop(call);
}

/* Refusals */

static void a_call_that_cannot_begin_says_so_where_it_is_read(void **state)
{
    world       *world = *state;
    vow_channel *nowhere = vow_channel_open(world->loop, "nowhere", NULL);
    vow_call    *call = vow_call_start(nowhere, &chat_method, NULL);

    assert_false(send_text(call, "one"));
    assert_int_equal(world_settle(world, vow_call_next(call)), VOW_INVALID_ARGUMENT);
    assert_int_equal(world_settle(world, vow_call_write(call, count_more, NULL)), VOW_INVALID_ARGUMENT);
    assert_int_equal(world_settle(world, vow_call_when_room(call)), VOW_INVALID_ARGUMENT);
    vow_call_drop(call);
    vow_channel_close(nowhere);
}

static void a_message_of_another_type_ends_the_call(void **state)
{
    world       *world = *state;
    vow_call    *call = vow_call_start(world->channel, &chat_method, NULL);
    Calls__Block block = CALLS__BLOCK__INIT;

    assert_false(vow_call_send(call, &block.base));
    assert_string_equal(world_error(world, vow_call_next(call)),
                        "INVALID_ARGUMENT: calls.Streams/Chat streams calls.Text, and was given a calls.Block");
    vow_call_drop(call);
}

static void a_deadline_ends_a_stream(void **state)
{
    world    *world = *state;
    vow_call *call = vow_call_start(world->channel, &chat_method, VOW_CALL(.timeout_ms = 20));

    assert_int_equal(world_settle(world, vow_call_next(call)), VOW_DEADLINE_EXCEEDED);
    vow_call_drop(call);
}

/* A reader that stops */

static vow_future *count_and_hold(vow_call *call, const ProtobufCMessage *message, void *arg)
{
    struct reading *reading = arg;

    (void)message;
    reading->count++;
    return vow_sleep(vow_call_loop(call), 3600 * 1000);
}

static void a_reader_that_stops_holds_its_sender_back(void **state)
{
    world         *world = *state;
    struct reading reading = { 0, true };
    vow_call      *call = vow_call_start(world->channel, &count_method, NULL);
    vow_future    *read = vow_call_read(call, count_and_hold, &reading);
    vow_call      *other;
    vow_future    *next;

    send_text(call, "10000000");
    other = vow_call_start(world->channel, &chat_method, NULL);
    next = vow_call_next(other);
    send_text(other, "beside it");
    assert_int_equal(vow_wait(next), VOW_OK);
    assert_int_equal(reading.count, 1);
    vow_drop(next);
    vow_call_drop(other);
    vow_drop(read);
    vow_call_drop(call);
}

#define ON_EACH(test)                                                                                                  \
    { #test " (simulated)", test, open_simulated, close_world, NULL },                                                 \
        { #test " (tcp)", test, open_tcp, close_world, NULL }, { #test " (unix)", test, open_unix, close_world, NULL }, \
    {                                                                                                                  \
        #test " (memory)", test, open_memory, close_world, NULL                                                        \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EACH(replies_stream_in_order_to_their_end),
        ON_EACH(the_next_message_is_a_future_until_there_is_none),
        ON_EACH(a_stream_of_no_replies_ends_well),
        ON_EACH(requests_stream_and_are_answered_once),
        ON_EACH(messages_larger_than_the_window_pass),
        ON_EACH(both_sides_talk_in_turn),
        ON_EACH(a_failure_comes_after_the_messages_before_it),
        ON_EACH(a_dropped_call_ends_at_the_handler),
        ON_EACH(dropping_a_wait_leaves_the_call_alone),
        ON_EACH(one_reads_at_a_time),
        ON_EACH(a_call_that_cannot_begin_says_so_where_it_is_read),
        ON_EACH(a_message_of_another_type_ends_the_call),
        ON_EACH(a_deadline_ends_a_stream),
        ON_EACH(a_reader_that_stops_holds_its_sender_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
