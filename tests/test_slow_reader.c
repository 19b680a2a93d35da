/*
 * A reader that takes its time with a stream: what it holds back is not held against the sender, and the
 * connection goes on.
 */
#include "calls.vow.h"
#include "runtime/transport/simulated.h"
#include "tests/support/kinds.h"
#include "tests/support/setups.h"

#include <string.h>

#define LARGE_SIZE 300000

static char large[LARGE_SIZE + 1];

static int open_simulated(void **state)
{
    memset(large, 'x', LARGE_SIZE);
    *state = streams_world(WORLD_SIMULATED);
    return 0;
}

static int open_grpc(void **state)
{
    memset(large, 'x', LARGE_SIZE);
    *state = streams_world(WORLD_GRPC_SIMULATED);
    return 0;
}

static void assert_next(world *world, vow_call *call, size_t size)
{
    vow_future *next = vow_call_next(call);

    assert_int_equal(world_settle(world, vow_future_ref(next)), VOW_OK);
    assert_non_null(vow_future_value(next));
    assert_int_equal(strlen(streams_text(vow_future_value(next))), size);
    vow_drop(next);
}

/* The first message is not read, so the second one stops in its middle for want of credit. */
static void a_message_that_waits_for_its_reader_may_take_any_time(void **state)
{
    world    *world = *state;
    vow_call *call = vow_call_start(world->channel, &streams_chat, NULL);

    streams_send(call, "small");
    streams_send(call, large);
    world_advance_ms(world, 600000);
    world_assert_serves(world);
    assert_next(world, call, 5);
    assert_next(world, call, LARGE_SIZE);
    vow_call_drop(call);
}

static void a_handler_may_leave_a_message_half_sent_for_any_time(void **state)
{
    world      *world = *state;
    vow_call   *call = vow_call_start(world->channel, &streams_mute, NULL);
    vow_future *closed = vow_call_when_closed(call);

    streams_send(call, "small");
    streams_send(call, large);
    world_advance_ms(world, 600000);
    assert_false(vow_future_settled(closed));
    world_assert_serves(world);
    vow_drop(closed);
    vow_call_drop(call);
}

static const vow_method pour_method = { sizeof pour_method,
                                        "calls.Streams/Pour",
                                        &calls__text__descriptor,
                                        &calls__text__descriptor,
                                        true,
                                        true,
                                        false,
                                        NULL };

/* Sends what there is no room for, and ends. */
static void serve_pour(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    (void)request;
    (void)handler;
    for (int i = 0; i < 3; i++)
        streams_send(call, large);
    vow_call_end(call);
}

static void an_answer_that_a_closed_server_cuts_off_is_unavailable(void **state)
{
    world      *world = *state;
    vow_call   *call;
    vow_future *closed;

    vow_server_handle(world->server,
                      &(vow_handler){ sizeof(vow_handler), &pour_method, serve_pour, NULL, NULL });
    call = vow_call_start(world->channel, &pour_method, NULL);
    closed = vow_call_when_closed(call);
    world_advance_ms(world, 1000);
    assert_false(vow_future_settled(closed));
    vow_server_close(world->server);
    world->server = NULL;
    assert_int_equal(world_settle(world, vow_future_ref(closed)), VOW_UNAVAILABLE);
    vow_drop(closed);
    vow_call_drop(call);
}

#define ON(kind, test, open)                                                                                 \
    {                                                                                                        \
#test " (" kind ")", test, open, world_close, NULL                                                   \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON("native", a_message_that_waits_for_its_reader_may_take_any_time, open_simulated),
        ON("native", a_handler_may_leave_a_message_half_sent_for_any_time, open_simulated),
        ON("native", an_answer_that_a_closed_server_cuts_off_is_unavailable, open_simulated),
        ON("grpc", an_answer_that_a_closed_server_cuts_off_is_unavailable, open_grpc),
    };

    return kinds_run_tests("slow_reader", tests);
}
