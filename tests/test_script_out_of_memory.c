/*
 * Every allocation made to fail in turn, through scripts, faults, and a call that inherits its parent's
 * metadata: each call settles, and nothing is lost.
 */
#include "calls.vow.h"
#include "tests/support/failing.h"

#include <vow/testing.h>
#include <vow/vow.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

/* A client asks the front, whose handler asks the back. */
typedef struct life {
    vow_loop    *loop;
    vow_script  *front;
    vow_script  *back;
    vow_channel *to_front;
    vow_channel *to_back;
    vow_faults  *faults;
} life;

static void ask_the_back(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    life *life = handler->arg;

    vow_call_answer(
        call, vow_call_unary(life->to_back, &calls_calls_echo_method, request, VOW_CALL(.parent = call)));
}

static void life_write_scripts(life *life)
{
    Calls__Text reply = CALLS__TEXT__INIT;

    vow_script_add(life->front, &calls_calls_echo_method,
                   VOW_STEP(.serve = ask_the_back, .arg = life, .times = VOW_ALWAYS));
    vow_script_add(life->back, &calls_calls_echo_method,
                   VOW_STEP(.request = &reply.base, .code = VOW_ABORTED, .message = "at first"));
    vow_script_add(life->back, &calls_calls_echo_method,
                   VOW_STEP(.reply = &reply.base, .delay_ms = 1, .times = VOW_ALWAYS));
}

/* False: there was no memory to begin with. */
static bool life_open(life *life)
{
    *life = (struct life){ .loop = vow_loop_simulated(1) };
    if (!life->loop)
        return false;
    life->front = vow_script_open(life->loop);
    life->back = vow_script_open(life->loop);
    if (!life->front || !life->back)
        return false;
    life->to_front = vow_channel_open_to(life->loop, vow_script_server(life->front), NULL);
    life->to_back = vow_channel_open_to(life->loop, vow_script_server(life->back),
                                        VOW_CHANNEL(.inherited = VOW_NAMES("tenant")));
    life->faults = vow_faults_new(life->to_front, 1);
    if (!life->faults ||
        vow_faults_add(life->faults, VOW_FAULT(.delay_ms = 1, .loses_answer = true, .skip = 1)) != VOW_OK)
        return false;
    life_write_scripts(life);
    return true;
}

static void life_close(life *life)
{
    if (!life->loop)
        return;
    vow_channel_close(life->to_front);
    vow_channel_close(life->to_back);
    vow_script_close(life->front);
    vow_script_close(life->back);
    vow_loop_close(life->loop);
    vow_faults_free(life->faults);
}

static vow_code ask_once(life *life)
{
    Calls__Text request = CALLS__TEXT__INIT;
    vow_future *reply =
        calls_calls_echo(life->to_front, &request,
                         VOW_CALL(.metadata = VOW_METADATA(
                                      { .name = "tenant", .value = "blue" },
                                      { .name = "traceparent",
                                        .value = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" },
                                      { .name = "tracestate", .value = "rojo=1" }),
                                  .timeout_ms = 5000));
    vow_code code;

    vow_loop_advance(life->loop, 5001);
    assert_true(vow_future_settled(reply));
    code = vow_future_code(reply);
    vow_drop(reply);
    return code;
}

static void life_ask(life *life)
{
    vow_code first = ask_once(life);
    vow_code second = ask_once(life);
    bool     was_asked = vow_script_asked(life->back, &calls_calls_echo_method, 1) != NULL;

    if (!failing_has_failed()) {
        assert_int_equal(first, VOW_ABORTED);
        assert_int_equal(second, VOW_UNAVAILABLE);
        assert_true(was_asked);
        assert_true(vow_script_played(life->back));
    }
}

/* False: the program asked for fewer allocations than that. */
static bool live_with_failure(size_t nth, bool from_then_on)
{
    life life;
    bool failed;

    failing_install(nth, from_then_on);
    if (life_open(&life))
        life_ask(&life);
    failed = failing_has_failed();
    failing_stop();
    life_close(&life);
    assert_int_equal(failing_outstanding(), 0);
    failing_remove();
    return failed;
}

static void scripts_and_faults_survive_each_allocation_that_fails_once(void **state)
{
    (void)state;
    assert_true(failing_each(live_with_failure, false, 30));
}

static void they_fail_in_good_order_when_memory_ends_for_good(void **state)
{
    (void)state;
    assert_true(failing_each(live_with_failure, true, 30));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scripts_and_faults_survive_each_allocation_that_fails_once),
        cmocka_unit_test(they_fail_in_good_order_when_memory_ends_for_good),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
