/* A million calls, 1,000 outstanding on 4 connections, a tenth cancelled and a tenth timed out: none is lost, and
 * memory does not grow. */
#include "calls.vow.h"

#include <vow/vow.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define CALLS 1000000
#define OUTSTANDING 1000
#define CONNECTIONS 4

typedef struct crowd {
    uv_loop_t    uv;
    vow_loop    *loop;
    vow_server  *server;
    vow_channel *channel;
    size_t       begun;
    size_t       answered;
    size_t       cancelled;
    size_t       timed_out;
    size_t       wrong;
    vow_call    *held[2 * OUTSTANDING]; /* of those that will time out */
    size_t       held_count;
    size_t       allocations; /* blocks out of vow's allocator */
    size_t       allocations_early;
} crowd;

/* Counting what is allocated */

static size_t blocks_out;

static void *counting_alloc(size_t size, void *context)
{
    void *memory = malloc(size);

    (void)context;
    blocks_out += memory != NULL;
    return memory;
}

static void *counting_resize(void *memory, size_t size, void *context)
{
    (void)context;
    blocks_out += memory == NULL;
    return realloc(memory, size);
}

static void counting_release(void *memory, void *context)
{
    (void)context;
    blocks_out -= memory != NULL;
    free(memory);
}

/* Both sides */

static void serve_echo(vow_call *call, const Calls__Text *request, void *arg)
{
    (void)arg;
    calls_calls_echo_reply(call, request);
}

static void held_closed(vow_future *closed, void *arg)
{
    if (vow_future_code(closed) != VOW_OK)
        vow_call_fail(arg, VOW_CANCELLED, "nobody waits");
}

static void serve_hold(vow_call *call, const Calls__Text *request, void *arg)
{
    (void)request;
    (void)arg;
    vow_done(vow_call_when_closed(call), held_closed, call);
}

static void begin(crowd *crowd);

static void answered(vow_future *reply, void *arg)
{
    crowd             *crowd = arg;
    const Calls__Text *text = calls_calls_echo_result(reply);
    vow_code           code = vow_future_code(reply);

    if (code == VOW_OK && strcmp(text->text, "one of a million") == 0)
        crowd->answered++;
    else if (code == VOW_CANCELLED)
        crowd->cancelled++;
    else if (code == VOW_DEADLINE_EXCEEDED)
        crowd->timed_out++;
    else
        crowd->wrong++;
    if (crowd->begun == CALLS / 10)
        crowd->allocations_early = blocks_out;
    begin(crowd);
}

static void begin(crowd *crowd)
{
    Calls__Text request = CALLS__TEXT__INIT;
    size_t      number = crowd->begun;
    vow_future *reply;

    if (number == CALLS)
        return;
    crowd->begun++;
    request.text = (char *)"one of a million";
    if (number % 10 == 3)
        reply = calls_calls_hold(crowd->channel, &request, VOW_CALL(.timeout_ms = 1));
    else
        reply = calls_calls_echo(crowd->channel, &request, VOW_CALL(.timeout_ms = VOW_NO_TIMEOUT));
    if (number % 10 == 7)
        vow_cancel(reply);
    vow_done(reply, answered, crowd);
}

static void a_million_calls_are_all_settled_and_memory_does_not_grow(void **state)
{
    static const vow_allocator       allocator = { counting_alloc, counting_resize, counting_release, NULL };
    static const calls_calls_service service = { .echo = serve_echo, .hold = serve_hold };
    static crowd                     crowd;
    char                             address[64];
    vow_error                        error;

    (void)state;
    vow_allocator_set(&allocator);
    assert_int_equal(uv_loop_init(&crowd.uv), 0);
    crowd.loop = vow_loop_attach(&crowd.uv);
    crowd.server = vow_server_open(crowd.loop, VOW_SERVER(.max_calls = 10 * OUTSTANDING));
    calls_calls_serve(crowd.server, &service, &crowd);
    assert_int_equal(vow_server_listen(crowd.server, "tcp://127.0.0.1:0", &error), VOW_OK);
    snprintf(address, sizeof address, "tcp://127.0.0.1:%d", vow_server_port(crowd.server));
    crowd.channel = vow_channel_open(crowd.loop, address, VOW_CHANNEL(.connections = CONNECTIONS));
    for (int i = 0; i < OUTSTANDING; i++)
        begin(&crowd);
    while (crowd.answered + crowd.cancelled + crowd.timed_out + crowd.wrong < CALLS)
        uv_run(&crowd.uv, UV_RUN_ONCE);
    crowd.allocations = blocks_out;
    vow_channel_close(crowd.channel);
    vow_server_close(crowd.server);
    vow_loop_close(crowd.loop);
    uv_run(&crowd.uv, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&crowd.uv), 0);

    assert_int_equal(crowd.wrong, 0);
    assert_int_equal(crowd.cancelled, CALLS / 10);
    assert_int_equal(crowd.timed_out, CALLS / 10);
    assert_int_equal(crowd.answered, CALLS / 10 * 8);
    /* The pools keep what a thousand calls need; calls in flight come and go around that. */
    assert_true(crowd.allocations < crowd.allocations_early + 2 * OUTSTANDING);
    assert_int_equal(blocks_out, 0);
    vow_allocator_set(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_million_calls_are_all_settled_and_memory_does_not_grow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
