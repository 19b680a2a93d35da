/* Streams in every direction, on each kind of transport. */
#include "tests/support/kinds.h"
#include "tests/support/setups.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGES 1000

/* Server streams */

static vow_call *start_count(world *world, const char *end)
{
    vow_call *call = vow_call_start(world->channel, &streams_count, NULL);

    streams_send(call, end);
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
    reading->is_in_order &= strtoul(streams_text(message), NULL, 10) == reading->count;
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
        assert_string_equal(streams_text(vow_future_value(next)), text);
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
    vow_call   *call = vow_call_start(world->channel, &streams_join, NULL);
    vow_future *reply = vow_call_next(call);

    for (int i = 0; i < MESSAGES; i++)
        streams_send(call, "0123456789");
    vow_call_end(call);
    assert_false(streams_send(call, "after the end"));
    assert_int_equal(vow_wait(reply), VOW_OK);
    assert_string_equal(streams_text(vow_future_value(reply)), "1000 messages, 10000 bytes");
    vow_drop(reply);
    vow_call_drop(call);
}

static void messages_larger_than_the_window_pass(void **state)
{
    world      *world = *state;
    vow_call   *call = vow_call_start(world->channel, &streams_join, NULL);
    vow_future *reply = vow_call_next(call);
    char       *large = malloc(3000001);

    assert_non_null(large);
    memset(large, 'x', 3000000);
    large[3000000] = '\0';
    for (int i = 0; i < 3; i++) {
        assert_int_equal(world_settle(world, vow_call_when_room(call)), VOW_OK);
        assert_false(streams_send(call, large));
        streams_send(call, "small");
    }
    vow_call_end(call);
    assert_int_equal(vow_wait(reply), VOW_OK);
    assert_string_equal(streams_text(vow_future_value(reply)), "6 messages, 9000015 bytes");
    free(large);
    vow_drop(reply);
    vow_call_drop(call);
}

/* Both */

static void both_sides_talk_in_turn(void **state)
{
    world    *world = *state;
    vow_call *call = vow_call_start(world->channel, &streams_chat, NULL);
    char      text[32];

    for (int i = 0; i < 100; i++) {
        vow_future *next = vow_call_next(call);

        snprintf(text, sizeof text, "message %d", i);
        streams_send(call, text);
        assert_int_equal(vow_wait(next), VOW_OK);
        assert_string_equal(streams_text(vow_future_value(next)), text);
        vow_drop(next);
    }
    vow_call_end(call);
    assert_int_equal(world_settle(world, vow_call_when_closed(call)), VOW_OK);
    vow_call_drop(call);
}

static void a_failure_comes_after_the_messages_before_it(void **state)
{
    world      *world = *state;
    vow_call   *call = vow_call_start(world->channel, &streams_chat, NULL);
    vow_future *next;

    streams_send(call, "one");
    streams_send(call, "fail");
    next = vow_call_next(call);
    assert_int_equal(vow_wait(next), VOW_OK);
    assert_string_equal(streams_text(vow_future_value(next)), "one");
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
    vow_call   *call = vow_call_start(world->channel, &streams_chat, NULL);
    vow_future *next = vow_call_next(call);

    streams_send(call, "one");
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
    vow_call   *call = vow_call_start(world->channel, &streams_chat, NULL);
    vow_future *next = vow_call_next(call);

    vow_drop(next);
    streams_send(call, "one");
    next = vow_call_next(call);
    assert_int_equal(vow_wait(next), VOW_OK);
    assert_string_equal(streams_text(vow_future_value(next)), "one");
    vow_drop(next);
    vow_call_drop(call);
}

static void one_reads_at_a_time(void **state)
{
    world      *world = *state;
    vow_call   *call = vow_call_start(world->channel, &streams_chat, NULL);
    vow_future *next = vow_call_next(call);

    assert_int_equal(world_settle(world, vow_call_next(call)), VOW_FAILED_PRECONDITION);
    vow_drop(next);
    vow_call_drop(call);
}

static void two_streams_that_send_in_turn_are_told_apart(void **state)
{
    world      *world = *state;
    vow_call   *calls[2];
    vow_future *replies[2];

    for (int i = 0; i < 2; i++) {
        calls[i] = vow_call_start(world->channel, &streams_join, NULL);
        replies[i] = vow_call_next(calls[i]);
        assert_int_equal(world_settle(world, vow_call_when_room(calls[i])), VOW_OK);
    }
    for (int i = 0; i < MESSAGES; i++)
        streams_send(calls[i % 3 == 0], i % 3 == 0 ? "1" : "22");
    for (int i = 0; i < 2; i++)
        vow_call_end(calls[i]);
    assert_string_equal(world_text(world, replies[0]), "666 messages, 1332 bytes");
    assert_string_equal(world_text(world, replies[1]), "334 messages, 334 bytes");
    for (int i = 0; i < 2; i++)
        vow_call_drop(calls[i]);
}

struct leaving {
    vow_future *read;
    bool        has_left;
};

static vow_future *read_and_leave(vow_call *call, const ProtobufCMessage *message, void *arg)
{
    struct leaving *leaving = arg;

    (void)message;
    vow_drop(leaving->read);
    vow_call_drop(call);
    leaving->has_left = true;
    return NULL;
}

static bool has_left(const struct world *world, void *arg)
{
    const struct leaving *leaving = arg;

    (void)world;
    return leaving->has_left;
}

static void a_call_may_be_dropped_where_its_messages_are_read(void **state)
{
    const vow_method *methods[] = { &streams_join, &streams_chat };

    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        world         *world = *state;
        vow_call      *call = vow_call_start(world->channel, methods[i], NULL);
        struct leaving leaving = { .read = vow_call_read(call, read_and_leave, &leaving) };

        for (int j = 0; j < 3; j++)
            streams_send(call, "one");
        vow_call_end(call);
        world_run_until(world, has_left, &leaving);
    }
}

struct held_message {
    vow_promise            *until;
    const ProtobufCMessage *message;
};

static vow_future *hold_message(vow_call *call, const ProtobufCMessage *message, void *arg)
{
    struct held_message *held = arg;

    held->message = message;
    return vow_promise_new(vow_call_loop(call), &held->until);
}

static bool has_message(const struct world *world, void *arg)
{
    const struct held_message *held = arg;

    (void)world;
    return held->message != NULL;
}

static void a_message_that_is_held_is_left_alone_by_those_of_other_streams(void **state)
{
    world              *world = *state;
    struct held_message held = { 0 };
    struct reading      reading = { 0, true };
    vow_call           *holding = vow_call_start(world->channel, &streams_chat, NULL);
    vow_future         *read = vow_call_read(holding, hold_message, &held);
    vow_call           *counting;

    streams_send(holding, "held");
    world_run_until(world, has_message, &held);
    counting = start_count(world, "100");
    assert_int_equal(world_settle(world, vow_call_read(counting, read_number, &reading)), VOW_OK);
    assert_string_equal(streams_text(held.message), "held");
    vow_resolve(held.until, NULL, NULL);
    vow_call_end(holding);
    assert_int_equal(world_settle(world, read), VOW_OK);
    vow_call_drop(counting);
    vow_call_drop(holding);
}

/* Refusals */

static vow_future *never_asked(vow_call *call, void *arg)
{
    (void)call;
    (void)arg;
    fail_msg("there is room in a call that could not begin");
    return NULL;
}

static void a_call_that_cannot_begin_says_so_where_it_is_read(void **state)
{
    world       *world = *state;
    vow_channel *nowhere = vow_channel_open(world->loop, "nowhere", NULL);
    vow_call    *call = vow_call_start(nowhere, &streams_chat, NULL);

    assert_false(streams_send(call, "one"));
    assert_int_equal(world_settle(world, vow_call_next(call)), VOW_INVALID_ARGUMENT);
    assert_int_equal(world_settle(world, vow_call_write(call, never_asked, NULL)), VOW_INVALID_ARGUMENT);
    assert_int_equal(world_settle(world, vow_call_when_room(call)), VOW_INVALID_ARGUMENT);
    vow_call_drop(call);
    vow_channel_close(nowhere);
}

static vow_future *gives_nothing(vow_call *call, void *arg)
{
    size_t *asked = arg;

    (void)call;
    ++*asked;
    return NULL;
}

static vow_future *sends_one_then_nothing(vow_call *call, void *arg)
{
    size_t *asked = arg;

    if (++*asked == 1)
        streams_send(call, "one");
    return NULL;
}

/* It would be asked for ever, and keep the loop from everything else. */
static void a_writer_with_nothing_to_send_and_nothing_to_wait_for_fails(void **state)
{
    world    *world = *state;
    vow_call *call = vow_call_start(world->channel, &streams_chat, NULL);
    size_t    asked = 0;

    assert_string_equal(world_error(world, vow_call_write(call, gives_nothing, &asked)),
                        "FAILED_PRECONDITION: calls.Streams/Chat: the function given to vow_call_write sent nothing "
                        "and gave NULL: where there is nothing to send yet, it gives a future of what has to come "
                        "first");
    assert_int_equal(asked, 1);
    asked = 0;
    assert_int_equal(world_settle(world, vow_call_write(call, sends_one_then_nothing, &asked)),
                     VOW_FAILED_PRECONDITION);
    assert_int_equal(asked, 2);
    vow_call_drop(call);
}

static void a_message_of_another_type_ends_the_call(void **state)
{
    world       *world = *state;
    vow_call    *call = vow_call_start(world->channel, &streams_chat, NULL);
    Calls__Block block = CALLS__BLOCK__INIT;

    assert_false(vow_call_send(call, &block.base));
    assert_string_equal(world_error(world, vow_call_next(call)),
                        "INVALID_ARGUMENT: calls.Streams/Chat streams calls.Text, and was given a calls.Block");
    vow_call_drop(call);
}

static void a_deadline_ends_a_stream(void **state)
{
    world    *world = *state;
    vow_call *call = vow_call_start(world->channel, &streams_chat, VOW_CALL(.timeout_ms = 20));

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
    vow_call      *call = vow_call_start(world->channel, &streams_count, NULL);
    vow_future    *read = vow_call_read(call, count_and_hold, &reading);
    vow_call      *other;
    vow_future    *next;

    streams_send(call, "10000000");
    other = vow_call_start(world->channel, &streams_chat, NULL);
    next = vow_call_next(other);
    streams_send(other, "beside it");
    assert_int_equal(vow_wait(next), VOW_OK);
    assert_int_equal(reading.count, 1);
    vow_drop(next);
    vow_call_drop(other);
    vow_drop(read);
    vow_call_drop(call);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EACH_STREAMS(replies_stream_in_order_to_their_end),
        ON_EACH_STREAMS(the_next_message_is_a_future_until_there_is_none),
        ON_EACH_STREAMS(a_stream_of_no_replies_ends_well),
        ON_EACH_STREAMS(requests_stream_and_are_answered_once),
        ON_EACH_STREAMS(messages_larger_than_the_window_pass),
        ON_EACH_STREAMS(both_sides_talk_in_turn),
        ON_EACH_STREAMS(a_failure_comes_after_the_messages_before_it),
        ON_EACH_STREAMS(a_dropped_call_ends_at_the_handler),
        ON_EACH_STREAMS(dropping_a_wait_leaves_the_call_alone),
        ON_EACH_STREAMS(one_reads_at_a_time),
        ON_EACH_STREAMS(a_call_may_be_dropped_where_its_messages_are_read),
        ON_EACH_STREAMS(two_streams_that_send_in_turn_are_told_apart),
        ON_EACH_STREAMS(a_message_that_is_held_is_left_alone_by_those_of_other_streams),
        ON_EACH_STREAMS(a_call_that_cannot_begin_says_so_where_it_is_read),
        ON_EACH_STREAMS(a_writer_with_nothing_to_send_and_nothing_to_wait_for_fails),
        ON_EACH_STREAMS(a_message_of_another_type_ends_the_call),
        ON_EACH_STREAMS(a_deadline_ends_a_stream),
        ON_EACH_STREAMS(a_reader_that_stops_holds_its_sender_back),
    };

    return kinds_run_tests("streams", tests);
}
