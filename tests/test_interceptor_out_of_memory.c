/*
 * Every allocation made to fail in turn, through calls and streams that pass interceptors on both sides,
 * which wait, replace metadata and messages, and keep things: each begin has its end, no call goes without an
 * interceptor, and calls succeed as soon as there is memory again.
 */
#include "tests/support/failing.h"
#include "tests/support/streams.h"

#include <vow/vow.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#define ADDRESS "tcp://10.0.0.1:7000"

typedef struct life {
    vow_loop    *loop;
    vow_server  *server;
    vow_channel *channel;
    int          begun[2]; /* of the channel and the server */
    int          ended[2];
    int          served;
} life;

typedef struct side {
    life *life;
    int   index;
} side;

static vow_future *begin_later(vow_call *call, void *arg)
{
    side *side = arg;
    int  *slot = vow_call_slot(call, side, 2000);

    side->life->begun[side->index]++;
    if (!slot)
        return vow_failure(side->life->loop, VOW_RESOURCE_EXHAUSTED, "no memory for a slot");
    vow_call_replace_metadata(call, VOW_METADATA({ .name = "from", .value = "an interceptor" }));
    vow_call_replace_received_metadata(call, VOW_METADATA({ .name = "seen", .value = "by an interceptor" }));
    return vow_sleep(side->life->loop, 1);
}

static const ProtobufCMessage *send_again(vow_call *call, const ProtobufCMessage *message, void *arg)
{
    Calls__Text *copy = vow_call_alloc(call, sizeof *copy);

    (void)arg;
    if (!copy)
        return NULL;
    *copy = *(const Calls__Text *)message;
    return &copy->base;
}

static ProtobufCMessage *receive_again(vow_call *call, ProtobufCMessage *message, void *arg)
{
    return (ProtobufCMessage *)(uintptr_t)send_again(call, message, arg);
}

static void end_one(vow_call *call, const vow_call_result *result, void *arg)
{
    side *side = arg;

    (void)call;
    (void)result;
    side->life->ended[side->index]++;
}

static vow_interceptor interceptor_of(side *side)
{
    return (
        vow_interceptor){ sizeof(vow_interceptor), begin_later, send_again, receive_again, end_one, side };
}

static void serve_echo(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    life *life = handler->arg;

    assert_int_equal(life->begun[1] > life->ended[1], true); /* none is served without its interceptor */
    assert_string_equal(vow_call_metadata_get(call, "seen"), "by an interceptor");
    life->served++;
    vow_call_reply(call, request);
}

static bool life_open(life *life, side sides[2])
{
    const vow_interceptor here = interceptor_of(&sides[0]), there = interceptor_of(&sides[1]);
    vow_error             error;

    *life = (struct life){ .loop = vow_loop_simulated(1) };
    if (!life->loop)
        return false;
    life->server = vow_server_open(life->loop, NULL);
    vow_server_intercept(life->server, &there);
    streams_serve(life->server);
    vow_server_handle(life->server, &(vow_handler){ .size = sizeof(vow_handler),
                                                    .method = &calls_calls_echo_method,
                                                    .serve = serve_echo,
                                                    .arg = life });
    if (vow_server_listen(life->server, ADDRESS, &error) == VOW_OK) {
        life->channel = vow_channel_open(life->loop, ADDRESS, VOW_CHANNEL(.backoff_min_ms = 1));
        vow_channel_intercept(life->channel, &here);
        return true;
    }
    assert_int_equal(error.code, VOW_RESOURCE_EXHAUSTED);
    return false;
}

static vow_code call_once(life *life)
{
    Calls__Text request = CALLS__TEXT__INIT;
    vow_future *reply;
    vow_code    code;

    request.text = (char *)(uintptr_t) "some text";
    reply = calls_calls_echo(life->channel, &request, VOW_CALL(.wait_for_ready = true, .timeout_ms = 5000));
    vow_loop_advance(life->loop, 5001);
    assert_true(vow_future_settled(reply));
    code = vow_future_code(reply);
    if (code == VOW_OK)
        assert_string_equal(((Calls__Text *)vow_future_value(reply))->text, "some text");
    vow_drop(reply);
    return code;
}

static vow_code stream_once(life *life)
{
    vow_call *call =
        vow_call_start(life->channel, &streams_chat, VOW_CALL(.wait_for_ready = true, .timeout_ms = 5000));
    vow_future *next;
    vow_code    code = VOW_OK;

    streams_send(call, "1");
    streams_send(call, "2");
    vow_loop_advance(life->loop, 50);
    streams_send(call, "3");
    vow_call_end(call);
    for (int i = 0; i < 4 && code == VOW_OK; i++) {
        next = vow_call_next(call);
        vow_loop_advance(life->loop, i < 3 ? 500 : 5001);
        code = vow_future_code(next);
        if (code == VOW_OK)
            assert_int_equal(vow_future_value(next) != NULL, i < 3);
        vow_drop(next);
    }
    vow_call_drop(call);
    vow_loop_advance(life->loop, 1);
    return code;
}

/* False: the program asked for fewer allocations than that. */
static bool live_with_failure(size_t nth, bool from_then_on)
{
    life life;
    side sides[2] = { { &life, 0 }, { &life, 1 } };
    bool failed;

    failing_install(nth, from_then_on);
    if (life_open(&life, sides)) {
        bool     all_well = call_once(&life) == VOW_OK && stream_once(&life) == VOW_OK;
        vow_code code;

        failed = failing_has_failed();
        failing_stop();
        if (!all_well)
            assert_true(failed);
        code = call_once(&life);
        if (code != VOW_OK) /* the channel itself, or an interceptor, could not be made */
            assert_int_equal(code, VOW_RESOURCE_EXHAUSTED);
        else
            assert_int_equal(stream_once(&life), VOW_OK);
    }
    failed = failing_has_failed();
    failing_stop();
    if (life.loop) {
        vow_channel_close(life.channel);
        vow_server_close(life.server);
        vow_loop_close(life.loop);
        assert_int_equal(life.begun[0], life.ended[0]);
        assert_int_equal(life.begun[1], life.ended[1]);
    }
    assert_int_equal(failing_outstanding(), 0);
    failing_remove();
    return failed;
}

static void intercepted_calls_survive_each_allocation_that_fails_once(void **state)
{
    (void)state;
    assert_true(failing_each(live_with_failure, false, 30));
}

static void intercepted_calls_fail_in_good_order_when_memory_ends_for_good(void **state)
{
    (void)state;
    assert_true(failing_each(live_with_failure, true, 30));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(intercepted_calls_survive_each_allocation_that_fails_once),
        cmocka_unit_test(intercepted_calls_fail_in_good_order_when_memory_ends_for_good),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
