/*
 * Every allocation made to fail in turn, through a call's whole life on both sides: the call settles, nothing
 * is lost, and a fresh call succeeds as soon as there is memory again.
 */
#include "calls.vow.h"
#include "tests/support/certificates.h"
#include "tests/support/failing.h"
#include "tests/support/kinds.h"

#include <vow/vow.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define BODY_BYTES 100000 /* several frames, and blocks of their own on both sides */
#define PATIENCE_MS 100   /* with memory that does not come back, before the caller gives up */

static const char *scheme = "tcp"; /* of the channel's target */

typedef struct life {
    uv_loop_t    uv;
    vow_loop    *loop;
    vow_server  *server;
    vow_channel *channel;
    char         target[64];
    uv_timer_t   patience;
    vow_future  *asked; /* what is waited for; NULL: nothing */
    size_t       done;  /* callbacks that ran */
    vow_code     code;
} life;

static void serve_block(vow_call *call, const Calls__Block *request, void *arg)
{
    void *memory = vow_call_alloc(call, 3000);

    (void)arg;
    if (memory)
        calls_calls_echo_block_reply(call, request);
}

static void block_answered(vow_future *reply, void *arg)
{
    life *life = arg;

    life->done++;
    life->code = vow_future_code(reply);
    vow_drop(life->asked);
    life->asked = NULL;
}

/* A call that waits for a connection would wait for its deadline, with each of the allocations. */
static void patience_is_over(uv_timer_t *timer)
{
    life *life = timer->data;

    if (life->asked && failing_has_failed())
        vow_cancel(life->asked);
}

static vow_future *pass_on(vow_future *settled, void *arg)
{
    (void)arg;
    return vow_future_ref(settled);
}

static void ask(life *life)
{
    static uint8_t body[BODY_BYTES];
    Calls__Block   request = CALLS__BLOCK__INIT;
    vow_future    *reply;

    request.body = (ProtobufCBinaryData){ .data = body, .len = sizeof body };
    reply = calls_calls_echo_block(life->channel, &request,
                                   VOW_CALL(.metadata = VOW_METADATA({ .name = "trace", .value = "1" }),
                                            .wait_for_ready = true, .timeout_ms = 5000));
    reply = vow_timeout(vow_then(reply, pass_on, NULL), 10000);
    reply = vow_all(life->loop, 1, &reply);
    life->asked = vow_future_ref(reply);
    vow_done(reply, block_answered, life);
}

/* False: there was no memory to begin with. */
static bool life_open(life *life)
{
    static const calls_calls_service service = { .echo_block = serve_block };
    const vow_tls_options           *own = VOW_TLS(.certificate_pem = certificate_text(certificate_of_server()),
                                         .key_pem = certificate_key(certificate_of_server()));
    const vow_tls_options           *trust = VOW_TLS(.ca_pem = certificate_text(certificate_of_ca()));
    bool                             has_tls = strncmp(scheme, "tls", 3) == 0 || strncmp(scheme, "grpcs", 5) == 0;
    vow_error                        error;

    *life = (struct life){ .done = 0 };
    assert_int_equal(uv_loop_init(&life->uv), 0);
    uv_timer_init(&life->uv, &life->patience);
    life->patience.data = life;
    life->loop = vow_loop_attach(&life->uv);
    if (!life->loop)
        return false;
    life->server = vow_server_open(life->loop, VOW_SERVER(.tls = build_has_tls() ? own : NULL));
    calls_calls_serve(life->server, &service, NULL);
    if (vow_server_listen(life->server, "tcp://127.0.0.1:0", &error) == VOW_OK) {
        snprintf(life->target, sizeof life->target, "%s://127.0.0.1:%d", scheme, vow_server_port(life->server));
        life->channel =
            vow_channel_open(life->loop, life->target, VOW_CHANNEL(.backoff_min_ms = 1, .tls = has_tls ? trust : NULL));
        return true;
    }
    assert_int_equal(error.code, VOW_RESOURCE_EXHAUSTED);
    return false;
}

static void life_close(life *life)
{
    if (life->loop) {
        vow_channel_close(life->channel);
        vow_server_close(life->server);
        vow_loop_close(life->loop);
    }
    uv_close((uv_handle_t *)&life->patience, NULL);
    uv_run(&life->uv, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&life->uv), 0);
}

static void run_until_done(life *life, size_t count)
{
    for (int turns = 0; life->done < count && turns < 100000; turns++)
        uv_run(&life->uv, UV_RUN_ONCE);
    assert_int_equal(life->done, count);
}

/* Runs the program with one failure. False: it asked for fewer allocations than that. */
static bool live_with_failure(size_t nth, bool from_then_on)
{
    life life;
    bool failed;

    failing_install(nth, from_then_on);
    if (life_open(&life)) {
        uv_timer_start(&life.patience, patience_is_over, from_then_on ? PATIENCE_MS : 10 * PATIENCE_MS,
                       PATIENCE_MS);
        ask(&life);
        run_until_done(&life, 1);
        uv_timer_stop(&life.patience);
        failed = failing_has_failed();
        failing_stop();
        if (life.code != VOW_OK)
            assert_true(failed);
        ask(&life);
        run_until_done(&life, 2);
        if (life.channel != (vow_channel *)NULL && failing_has_failed() && life.code != VOW_OK)
            assert_int_equal(life.code, VOW_RESOURCE_EXHAUSTED); /* the channel itself could not be made */
        else
            assert_int_equal(life.code, VOW_OK);
    }
    failed = failing_has_failed();
    failing_stop();
    life_close(&life);
    assert_int_equal(failing_outstanding(), 0);
    failing_remove();
    return failed;
}

static void a_call_survives_each_allocation_that_fails_once(void **state)
{
    (void)state;
    assert_true(failing_each(live_with_failure, false, 20));
}

static void a_call_fails_in_good_order_when_memory_ends_for_good(void **state)
{
    (void)state;
    assert_true(failing_each(live_with_failure, true, 20));
}

static int over_grpc(void **state)
{
    (void)state;
    scheme = "grpc";
    return 0;
}

static int over_native(void **state)
{
    (void)state;
    scheme = "tcp";
    return 0;
}

static int over_tls(void **state)
{
    (void)state;
    scheme = "tls";
    return 0;
}

static int over_grpcs(void **state)
{
    (void)state;
    scheme = "grpcs";
    return 0;
}

#define OVER(protocol, test)                                                                                 \
    {                                                                                                        \
#test " (" #protocol ")", test, over_##protocol, NULL, NULL                                          \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        OVER(native, a_call_survives_each_allocation_that_fails_once),
        OVER(native, a_call_fails_in_good_order_when_memory_ends_for_good),
        OVER(grpc, a_call_survives_each_allocation_that_fails_once),
        OVER(grpc, a_call_fails_in_good_order_when_memory_ends_for_good),
        OVER(tls, a_call_survives_each_allocation_that_fails_once),
        OVER(tls, a_call_fails_in_good_order_when_memory_ends_for_good),
        OVER(grpcs, a_call_survives_each_allocation_that_fails_once),
        OVER(grpcs, a_call_fails_in_good_order_when_memory_ends_for_good),
    };

    return kinds_run_tests("calls out of memory", tests);
}
