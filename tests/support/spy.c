#include "tests/support/spy.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static void note(spy *spy, const char *what)
{
    size_t size;

    if (!spy->log)
        return;
    size = strlen(spy->log);
    snprintf(spy->log + size, SPY_LOG_SIZE - size, "%s%s.%s", size ? " " : "", spy->name, what);
}

static vow_future *spy_begin(vow_call *call, void *arg)
{
    spy *spy = arg;

    spy->begun++;
    note(spy, "begin");
    return spy->on_begin ? spy->on_begin(spy, call) : NULL;
}

static const ProtobufCMessage *spy_send(vow_call *call, const ProtobufCMessage *message, void *arg)
{
    spy *spy = arg;

    note(spy, "send");
    return spy->on_send ? spy->on_send(spy, call, message) : message;
}

static ProtobufCMessage *spy_receive(vow_call *call, ProtobufCMessage *message, void *arg)
{
    spy *spy = arg;

    note(spy, "receive");
    return spy->on_receive ? spy->on_receive(spy, call, message) : message;
}

static void spy_end(vow_call *call, const vow_call_result *result, void *arg)
{
    spy *spy = arg;

    note(spy, "end");
    spy->ended++;
    assert_int_equal(result->size, sizeof *result);
    spy->result = *result;
    snprintf(spy->message, sizeof spy->message, "%s", result->message);
    spy->result.message = spy->message;
    if (spy->on_end)
        spy->on_end(spy, call, result);
}

vow_interceptor spy_interceptor(spy *spy)
{
    return (vow_interceptor){
        .size = sizeof(vow_interceptor),
        .begin = spy_begin,
        .send = spy_send,
        .receive = spy_receive,
        .end = spy_end,
        .arg = spy,
    };
}

void spy_on_channel(world *world, spy *spy)
{
    const vow_interceptor interceptor = spy_interceptor(spy);

    spy->world = world;
    vow_channel_intercept(world->channel, &interceptor);
}

void spy_on_server(world *world, spy *spy)
{
    const vow_interceptor interceptor = spy_interceptor(spy);

    spy->world = world;
    vow_server_intercept(world->server, &interceptor);
}

static void promise_cancelled(void *arg)
{
    spy *spy = arg;

    spy->withdrawn++;
    vow_reject(spy->promise, VOW_CANCELLED, "nobody wants it");
    spy->promise = NULL;
}

vow_future *spy_waits(spy *spy, vow_call *call)
{
    vow_future *future = vow_promise_new(vow_call_loop(call), &spy->promise);

    vow_promise_on_cancel(spy->promise, promise_cancelled, spy);
    return future;
}

void spy_lets_go_on(spy *spy)
{
    vow_resolve(spy->promise, NULL, NULL);
    spy->promise = NULL;
}

vow_future *spies_on_held_call(world *world, spy *here, spy *there)
{
    vow_future *reply;

    spy_on_channel(world, here);
    spy_on_server(world, there);
    reply = world_hold(world, "", NULL);
    world_wait_for_held(world, 1);
    return reply;
}

struct counted {
    const size_t *counter;
    size_t        count;
};

static bool is_counted(const world *world, void *arg)
{
    const struct counted *counted = arg;

    (void)world;
    return *counted->counter >= counted->count;
}

void spy_wait_for_begun(world *world, spy *spy, size_t count)
{
    world_run_until(world, is_counted, &(struct counted){ &spy->begun, count });
}

void spy_wait_for_ended(world *world, spy *spy, size_t count)
{
    world_run_until(world, is_counted, &(struct counted){ &spy->ended, count });
    assert_int_equal(spy->ended, count);
}

ProtobufCMessage *spy_text(vow_call *call, const char *text)
{
    Calls__Text *message = vow_call_alloc(call, sizeof *message);
    char        *copy = vow_call_alloc(call, strlen(text) + 1);

    assert_non_null(message);
    assert_non_null(copy);
    calls__text__init(message);
    message->text = strcpy(copy, text);
    return &message->base;
}

const ProtobufCMessage *spy_marks_sent(spy *spy, vow_call *call, const ProtobufCMessage *message)
{
    char text[100];

    snprintf(text, sizeof text, "%s>%s", streams_text(message), spy->name);
    return spy_text(call, text);
}

ProtobufCMessage *spy_marks_received(spy *spy, vow_call *call, ProtobufCMessage *message)
{
    char text[100];

    snprintf(text, sizeof text, "%s<%s", streams_text(message), spy->name);
    return spy_text(call, text);
}
