/* When what a connection has to say leaves: behind what was read of it, or with what callbacks have made; and in which
 * order what it hears comes. */
#include "runtime/transport/simulated.h"
#include "tests/support/kinds.h"
#include "tests/support/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <uv.h>

#define CONNECTIONS 3

static char native[] = "unix";
static char grpc[] = "grpc+unix";

static void count_if_unread(uv_handle_t *handle, void *arg)
{
    uv_os_fd_t fd;
    int        size = 0;

    if (uv_handle_get_type(handle) == UV_NAMED_PIPE && uv_fileno(handle, &fd) == 0 &&
        ioctl(fd, FIONREAD, &size) == 0 && size > 0)
        ++*(int *)arg;
}

/* Connections of the world that have something to be read. */
static int world_unread(world *world)
{
    int count = 0;

    uv_walk(world->uv, count_if_unread, &count);
    return count;
}

/* What the handler has seen. */
static struct {
    world *world;
    int    calls;
    int    unread[CONNECTIONS];
} seen;

static void look_and_answer(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    (void)handler;
    if (seen.calls < CONNECTIONS)
        seen.unread[seen.calls] = world_unread(seen.world);
    seen.calls++;
    vow_call_reply(call, request);
}

static void echo_on_all(vow_channel *channels[CONNECTIONS])
{
    Calls__Text request = CALLS__TEXT__INIT;
    vow_future *replies[CONNECTIONS];

    for (size_t i = 0; i < CONNECTIONS; i++)
        replies[i] = calls_calls_echo(channels[i], &request, NULL);
    for (size_t i = 0; i < CONNECTIONS; i++) {
        assert_int_equal(vow_wait(replies[i]), VOW_OK);
        vow_drop(replies[i]);
    }
}

/* Three requests are there at once. Each handler finds those that are not read yet, and the answers before
 * its own. */
static void answers_leave_before_the_next_connection_is_read(void **state)
{
    const char       *scheme = *state;
    world            *world = world_new(WORLD_UNIX);
    const vow_handler handler = { .size = sizeof handler,
                                  .method = &calls_calls_echo_method,
                                  .serve = look_and_answer };
    vow_channel      *channels[CONNECTIONS];
    char              target[200];

    vow_server_handle(world->server, &handler);
    seen.world = world;
    snprintf(target, sizeof target, "%s%s", scheme, strchr(world->address, ':'));
    for (size_t i = 0; i < CONNECTIONS; i++)
        channels[i] = vow_channel_open(world->loop, target, NULL);
    echo_on_all(channels);
    seen.calls = 0;
    echo_on_all(channels);
    assert_int_equal(seen.calls, CONNECTIONS);
    for (int i = 0; i < CONNECTIONS; i++)
        assert_int_equal(seen.unread[i], CONNECTIONS - 1);
    for (size_t i = 0; i < CONNECTIONS; i++)
        vow_channel_close(channels[i]);
    world_free(world);
}

/* A client's next call leaves with the answer that led to it */

static vow_channel *asked[CONNECTIONS];

static void call_again(vow_future *reply, void *arg)
{
    Calls__Text   request = CALLS__TEXT__INIT;
    vow_future  **again = arg;
    vow_channel **channel = &asked[seen.calls];

    (void)reply;
    seen.unread[seen.calls++] = world_unread(seen.world);
    *again = calls_calls_echo(*channel, &request, NULL);
}

/* Three answers are there at once. Each callback finds those that are not read yet, and the calls of those
 * before it, which the server has still to read. */
static void calls_that_answers_lead_to_leave_before_the_next_connection_is_read(void **state)
{
    const char *scheme = *state;
    world      *world = world_new(WORLD_UNIX);
    Calls__Text request = CALLS__TEXT__INIT;
    vow_future *again[CONNECTIONS] = { NULL };
    char        target[200];

    seen.world = world;
    snprintf(target, sizeof target, "%s%s", scheme, strchr(world->address, ':'));
    for (size_t i = 0; i < CONNECTIONS; i++)
        asked[i] = vow_channel_open(world->loop, target, NULL);
    echo_on_all(asked);
    seen.calls = 0;
    for (size_t i = 0; i < CONNECTIONS; i++)
        vow_done(calls_calls_echo(asked[i], &request, NULL), call_again, &again[i]);
    while (seen.calls < CONNECTIONS)
        uv_run(world->uv, UV_RUN_ONCE);
    for (int i = 0; i < CONNECTIONS; i++) {
        assert_int_equal(seen.unread[i], CONNECTIONS - 1);
        assert_int_equal(vow_wait(again[i]), VOW_OK);
        vow_drop(again[i]);
        vow_channel_close(asked[i]);
    }
    world_free(world);
}

/* A turn has one write, also where a callback has the answer */

static void answer_later(vow_future *future, void *arg)
{
    Calls__Text text = CALLS__TEXT__INIT;

    (void)future;
    vow_call_reply(arg, &text.base);
}

static void answer_the_second_later(vow_call *call, const ProtobufCMessage *request,
                                    const vow_handler *handler)
{
    (void)handler;
    if (seen.calls++ % 2 == 0)
        vow_call_reply(call, request);
    else
        vow_done(vow_value(seen.world->loop, NULL, NULL), answer_later, call);
}

static uint64_t pieces(const world *world)
{
    return vow_network_count(vow_network_of(world->loop)).segments;
}

static void an_answer_of_a_callback_leaves_with_those_before_it(void **state)
{
    world            *world = world_new(WORLD_SIMULATED);
    const vow_handler handler = { .size = sizeof handler,
                                  .method = &calls_calls_echo_method,
                                  .serve = answer_the_second_later };
    vow_future       *replies[2];
    uint64_t          before;

    (void)state;
    vow_server_handle(world->server, &handler);
    seen.world = world;
    seen.calls = 0;
    assert_int_equal(world_settle(world, world_echo(world, "", NULL)), VOW_OK);
    world_advance_ms(world, 100);
    seen.calls = 0;
    before = pieces(world);
    for (size_t i = 0; i < 2; i++)
        replies[i] = world_echo(world, "", NULL);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(world_settle(world, replies[i]), VOW_OK);
    assert_int_equal(pieces(world) - before, 2); /* the requests; the answers */
    world_free(world);
}

/* Many calls on one connection */

#define MANY 100

static vow_channel *channel_of(world *world, const char *scheme)
{
    char         target[200];
    vow_channel *channel;
    Calls__Text  request = CALLS__TEXT__INIT;
    vow_future  *reply;

    snprintf(target, sizeof target, "%s%s", scheme, strchr(world->address, ':'));
    channel = vow_channel_open(world->loop, target, NULL);
    reply = calls_calls_echo(channel, &request, NULL);
    assert_int_equal(vow_wait(reply), VOW_OK);
    vow_drop(reply);
    return channel;
}

static void settle_all(vow_future **replies, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(vow_wait(replies[i]), VOW_OK);
        vow_drop(replies[i]);
    }
}

static int unread_at_last;

static void look_at_the_last(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    (void)handler;
    seen.calls++;
    unread_at_last = world_unread(seen.world);
    vow_call_reply(call, request);
}

/* Else one side would wait while the other one works. */
static void the_first_of_many_leave_while_the_last_are_made(void **state)
{
    world            *world = world_new(WORLD_UNIX);
    const vow_handler handler = { .size = sizeof handler,
                                  .method = &calls_calls_echo_method,
                                  .serve = look_at_the_last };
    Calls__Text       request = CALLS__TEXT__INIT;
    vow_future       *replies[MANY];
    vow_channel      *channel;

    vow_server_handle(world->server, &handler);
    seen.world = world;
    channel = channel_of(world, *state);
    seen.calls = 0;
    for (size_t i = 0; i < MANY; i++)
        replies[i] = calls_calls_echo(channel, &request, NULL);
    assert_int_equal(world_unread(world), 1); /* requests are there, and no loop has run */
    settle_all(replies, MANY);
    assert_int_equal(seen.calls, MANY);
    assert_int_equal(unread_at_last, 1); /* answers are */
    vow_channel_close(channel);
    world_free(world);
}

static void settle_on(uv_loop_t *uv, world *world, vow_future *reply)
{
    while (!vow_future_settled(reply)) {
        uv_run(uv, UV_RUN_NOWAIT);
        uv_run(world->uv, UV_RUN_NOWAIT);
    }
    assert_int_equal(vow_future_code(reply), VOW_OK);
    vow_drop(reply);
}

/* Where nothing else is heard on a loop, the peer waits for what a few calls have to say. */
static void a_connection_that_is_alone_says_at_once_what_a_few_calls_have_to_say(void **state)
{
    world       *world = world_new(WORLD_UNIX);
    Calls__Text  request = CALLS__TEXT__INIT;
    vow_future  *replies[6];
    uv_loop_t    uv;
    vow_loop    *loop;
    vow_channel *channel;
    char         target[200];

    (void)state;
    assert_int_equal(uv_loop_init(&uv), 0);
    loop = vow_loop_attach(&uv);
    snprintf(target, sizeof target, "%s%s", grpc, strchr(world->address, ':'));
    channel = vow_channel_open(loop, target, NULL);
    for (size_t i = 0; i < 3; i++)
        settle_on(&uv, world, calls_calls_echo(channel, &request, NULL));
    replies[0] = calls_calls_echo(channel, &request, NULL);
    assert_int_equal(world_unread(world), 0); /* it leaves with what follows at once */
    for (size_t i = 1; i < 6; i++)
        replies[i] = calls_calls_echo(channel, &request, NULL);
    assert_int_equal(world_unread(world), 1);
    for (size_t i = 0; i < 6; i++)
        settle_on(&uv, world, replies[i]);
    vow_channel_close(channel);
    vow_loop_close(loop);
    uv_run(&uv, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&uv), 0);
    world_free(world);
}

/* What a handler answers with has left when vow_call_reply returns. */
static void answer_and_look(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    (void)handler;
    vow_call_reply(call, request);
    unread_at_last = world_unread(seen.world);
}

static void a_large_field_leaves_while_it_is_packed(void **state)
{
    world            *world = world_new(WORLD_UNIX);
    const vow_handler handler = { .size = sizeof handler,
                                  .method = &calls_calls_echo_block_method,
                                  .serve = answer_and_look };
    static uint8_t    body[40000];
    Calls__Block      request = CALLS__BLOCK__INIT;
    vow_future       *reply;
    vow_channel      *channel;

    vow_server_handle(world->server, &handler);
    seen.world = world;
    channel = channel_of(world, *state);
    request.body = (ProtobufCBinaryData){ .data = body, .len = sizeof body };
    unread_at_last = 0;
    reply = calls_calls_echo_block(channel, &request, NULL);
    assert_int_equal(world_unread(world), 1);
    settle_all(&reply, 1);
    assert_int_equal(unread_at_last, 1);
    vow_channel_close(channel);
    world_free(world);
}

/* A connection's first bytes come first, however much else there is to run */

#define CHAINS 600 /* half of what one turn runs, and more */

static bool chains_stop;

static void chain_goes_on(vow_future *future, void *arg)
{
    (void)future;
    if (!chains_stop)
        vow_done(vow_value(arg, NULL, NULL), chain_goes_on, arg);
}

static void a_connection_opens_beside_tasks_that_never_end(void **state)
{
    const char  *scheme = *state;
    world       *world = world_new(WORLD_UNIX);
    Calls__Text  request = CALLS__TEXT__INIT;
    vow_channel *channel;
    char         target[200];

    chains_stop = false;
    for (size_t i = 0; i < CHAINS; i++)
        vow_done(vow_value(world->loop, NULL, NULL), chain_goes_on, world->loop);
    snprintf(target, sizeof target, "%s%s", scheme, strchr(world->address, ':'));
    channel = vow_channel_open(world->loop, target, NULL);
    for (size_t i = 0; i < CONNECTIONS; i++) {
        vow_future *reply = calls_calls_echo(channel, &request, NULL);

        if (vow_wait(reply) != VOW_OK)
            fail_msg("%s", vow_future_error(reply));
        vow_drop(reply);
    }
    chains_stop = true;
    vow_channel_close(channel);
    world_free(world);
}

#define ON(kind, test) { .name = #test " (" #kind ")", .test_func = test, .initial_state = kind }

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON(native, answers_leave_before_the_next_connection_is_read),
        ON(grpc, answers_leave_before_the_next_connection_is_read),
        ON(native, calls_that_answers_lead_to_leave_before_the_next_connection_is_read),
        ON(grpc, calls_that_answers_lead_to_leave_before_the_next_connection_is_read),
        ON(native, a_connection_opens_beside_tasks_that_never_end),
        ON(grpc, a_connection_opens_beside_tasks_that_never_end),
        cmocka_unit_test(an_answer_of_a_callback_leaves_with_those_before_it),
        ON(grpc, the_first_of_many_leave_while_the_last_are_made),
        cmocka_unit_test(a_connection_that_is_alone_says_at_once_what_a_few_calls_have_to_say),
        ON(native, a_large_field_leaves_while_it_is_packed),
        ON(grpc, a_large_field_leaves_while_it_is_packed),
    };

    return kinds_run_tests("flush", tests);
}
