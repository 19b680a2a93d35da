#include "tests/support/futures.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* sleep. */

static void a_sleep_ends_when_its_time_has_passed_and_not_before(void **state)
{
    struct stage *stage = *state;
    vow_future   *sleep = vow_sleep(stage->loop, 50);

    stage_advance_ms(stage, 49);
    assert_false(vow_future_settled(sleep));
    stage_advance_ms(stage, 1);
    assert_int_equal(vow_future_code(sleep), VOW_OK);
    assert_null(vow_future_value(sleep));
    vow_drop(sleep);
}

static void a_sleep_of_no_time_or_less_ends_at_once_but_not_inside_the_call(void **state)
{
    struct stage *stage = *state;
    vow_future   *zero = vow_sleep(stage->loop, 0);
    vow_future   *negative = vow_sleep(stage->loop, INT64_MIN);

    assert_false(vow_future_settled(zero));
    stage_advance_ms(stage, 0);
    assert_true(vow_future_settled(zero));
    assert_true(vow_future_settled(negative));
    vow_drop(zero);
    vow_drop(negative);
}

static void a_sleep_longer_than_any_clock_does_not_end_early(void **state)
{
    struct stage *stage = *state;
    vow_future   *sleep = vow_sleep(stage->loop, INT64_MAX);

    stage_advance_ms(stage, (int64_t)1000 * 3600 * 24 * 366 * 20);
    assert_false(vow_future_settled(sleep));
    vow_drop(sleep);
}

static void sleeps_end_in_the_order_of_their_times(void **state)
{
    struct stage *stage = *state;

    vow_done(vow_sleep(stage->loop, 30), diary_done, word("30"));
    vow_done(vow_sleep(stage->loop, 10), diary_done, word("10a"));
    vow_done(vow_sleep(stage->loop, 20), diary_done, word("20"));
    vow_done(vow_sleep(stage->loop, 10), diary_done, word("10b"));
    stage_advance_ms(stage, 30);
    assert_string_equal(diary_read(), "10a:OK 10b:OK 20:OK 30:OK");
}

static void a_sleep_keeps_uv_run_going_until_it_ends(void **state)
{
    struct stage *stage = *state;
    uint64_t      before = uv_hrtime();

    vow_done(vow_sleep(stage->loop, 20), diary_done, word("sleep"));
    uv_run(stage->uv, UV_RUN_DEFAULT);
    assert_string_equal(diary_read(), "sleep:OK");
    assert_true(uv_hrtime() - before >= 20000000u);
}

static void a_sleep_that_was_cancelled_keeps_nothing_going(void **state)
{
    struct stage *stage = *state;
    vow_future   *sleep = vow_sleep(stage->loop, 3600000);

    vow_drop(vow_sleep(stage->loop, 3600000));
    vow_cancel(sleep);
    uv_run(stage->uv, UV_RUN_DEFAULT);
    assert_int_equal(vow_future_code(sleep), VOW_CANCELLED);
    vow_drop(sleep);
}

/* timeout. */

static void a_timeout_strikes_when_its_time_has_passed_and_not_before(void **state)
{
    struct stage *stage = *state;
    vow_promise  *promise;
    vow_future   *timeout = vow_timeout(stage_promise(stage, &promise), 50);

    stage_advance_ms(stage, 49);
    assert_false(vow_future_settled(timeout));
    assert_true(vow_promise_wanted(promise));
    stage_advance_ms(stage, 1);
    assert_string_equal(vow_future_error(timeout), "DEADLINE_EXCEEDED: not settled within 50 ms");
    assert_false(vow_promise_wanted(promise));
    vow_drop(timeout);
    vow_resolve(promise, NULL, NULL);
}

static void what_settles_in_time_passes_through_a_timeout(void **state)
{
    struct stage *stage = *state;
    vow_promise  *promise;
    vow_future   *value = vow_timeout(stage_promise(stage, &promise), 50);
    vow_future   *failure = vow_timeout(vow_failure(stage->loop, VOW_ABORTED, "no"), 50);

    stage_advance_ms(stage, 49);
    vow_resolve(promise, word("v"), NULL);
    stage_advance_ms(stage, 1000);
    assert_string_equal(vow_future_value(value), "v");
    assert_string_equal(vow_future_error(failure), "ABORTED: no");
    vow_drop(value);
    vow_drop(failure);
}

static void what_settles_in_the_moment_in_which_time_runs_out_has_settled(void **state)
{
    struct stage *stage = *state;
    vow_future   *timeout = vow_timeout(vow_sleep(stage->loop, 50), 50);

    stage_advance_ms(stage, 50);
    assert_int_equal(vow_future_code(timeout), VOW_OK);
    vow_drop(timeout);
}

static void no_time_has_passed_already(void **state)
{
    struct stage *stage = *state;

    for (int64_t ms = -1; ms <= 0; ms++) {
        vow_promise *promise;
        vow_future  *timeout = vow_timeout(stage_promise(stage, &promise), ms);

        assert_string_equal(vow_future_error(timeout), "DEADLINE_EXCEEDED: not settled within 0 ms");
        assert_false(vow_promise_wanted(promise));
        vow_drop(timeout);
        vow_resolve(promise, NULL, NULL);
    }
}

static void what_has_settled_is_in_time_for_any_timeout(void **state)
{
    struct stage *stage = *state;
    vow_future   *timeout = vow_timeout(vow_value(stage->loop, word("v"), NULL), 0);

    stage_advance_ms(stage, 0);
    assert_string_equal(vow_future_value(timeout), "v");
    vow_drop(timeout);
}

static void a_timeout_leaves_a_future_that_others_hold_alone(void **state)
{
    struct stage *stage = *state;
    vow_promise  *promise;
    vow_future   *future = stage_promise(stage, &promise);
    vow_future   *timeout = vow_timeout(vow_future_ref(future), 5);

    stage_advance_ms(stage, 5);
    assert_int_equal(vow_future_code(timeout), VOW_DEADLINE_EXCEEDED);
    assert_true(vow_promise_wanted(promise));
    vow_drop(timeout);
    vow_drop(future);
    vow_resolve(promise, NULL, NULL);
}

static void a_timeout_that_is_not_needed_any_more_keeps_nothing_going(void **state)
{
    struct stage *stage = *state;
    vow_promise  *promise;

    vow_drop(vow_timeout(stage_promise(stage, &promise), 3600000));
    vow_reject(promise, VOW_ABORTED, "no");
    vow_done(vow_timeout(vow_value(stage->loop, NULL, NULL), 3600000), diary_done, word("v"));
    uv_run(stage->uv, UV_RUN_DEFAULT);
    assert_string_equal(diary_read(), "v:OK");
}

static void of_two_timeouts_the_shorter_strikes(void **state)
{
    struct stage *stage = *state;
    vow_promise  *promise;
    vow_future   *timeout = vow_timeout(vow_timeout(stage_promise(stage, &promise), 10), 20);

    stage_advance_ms(stage, 10);
    assert_string_equal(vow_future_error(timeout), "DEADLINE_EXCEEDED: not settled within 10 ms");
    vow_drop(timeout);
    vow_resolve(promise, NULL, NULL);
}

/* shield. */

static void a_shield_settles_as_its_future_does(void **state)
{
    struct stage *stage = *state;
    vow_promise  *promise;
    vow_future   *value = vow_shield(stage_promise(stage, &promise));
    vow_future   *failure = vow_shield(vow_failure(stage->loop, VOW_ABORTED, "no"));

    vow_resolve(promise, word("v"), diary_release);
    stage_advance_ms(stage, 0);
    assert_string_equal(vow_future_value(value), "v");
    assert_string_equal(vow_future_error(failure), "ABORTED: no");
    vow_drop(value);
    assert_string_equal(diary_read(), "-v");
    vow_drop(failure);
}

static void cancelling_or_dropping_a_shield_leaves_its_future_running(void **state)
{
    struct stage *stage = *state;
    vow_promise  *promises[2];
    vow_future   *cancelled = vow_shield(vow_then(stage_promise(stage, &promises[0]), diary_then, word("a")));

    vow_drop(vow_shield(vow_then(stage_promise(stage, &promises[1]), diary_then, word("b"))));
    vow_cancel(cancelled);
    assert_int_equal(vow_future_code(cancelled), VOW_CANCELLED);
    vow_resolve(promises[0], NULL, NULL);
    vow_resolve(promises[1], NULL, NULL);
    stage_advance_ms(stage, 0);
    assert_string_equal(diary_read(), "a b");
    vow_drop(cancelled);
}

static void a_timeout_around_a_shield_lets_the_work_go_on(void **state)
{
    struct stage *stage = *state;
    vow_promise  *promise;
    vow_future   *timeout = vow_timeout(vow_shield(stage_promise(stage, &promise)), 5);

    stage_advance_ms(stage, 5);
    assert_int_equal(vow_future_code(timeout), VOW_DEADLINE_EXCEEDED);
    assert_true(vow_promise_wanted(promise));
    vow_drop(timeout);
    vow_resolve(promise, NULL, NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_open, stage_close)
#define TEST_SIMULATED(name) cmocka_unit_test_setup_teardown(name, stage_open_simulated, stage_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_SIMULATED(a_sleep_ends_when_its_time_has_passed_and_not_before),
        TEST_SIMULATED(a_sleep_of_no_time_or_less_ends_at_once_but_not_inside_the_call),
        TEST_SIMULATED(a_sleep_longer_than_any_clock_does_not_end_early),
        TEST_SIMULATED(sleeps_end_in_the_order_of_their_times),
        TEST(a_sleep_keeps_uv_run_going_until_it_ends),
        TEST(a_sleep_that_was_cancelled_keeps_nothing_going),
        TEST_SIMULATED(a_timeout_strikes_when_its_time_has_passed_and_not_before),
        TEST_SIMULATED(what_settles_in_time_passes_through_a_timeout),
        TEST_SIMULATED(what_settles_in_the_moment_in_which_time_runs_out_has_settled),
        TEST_SIMULATED(no_time_has_passed_already),
        TEST_SIMULATED(what_has_settled_is_in_time_for_any_timeout),
        TEST_SIMULATED(a_timeout_leaves_a_future_that_others_hold_alone),
        TEST(a_timeout_that_is_not_needed_any_more_keeps_nothing_going),
        TEST_SIMULATED(of_two_timeouts_the_shorter_strikes),
        TEST_SIMULATED(a_shield_settles_as_its_future_does),
        TEST_SIMULATED(cancelling_or_dropping_a_shield_leaves_its_future_running),
        TEST_SIMULATED(a_timeout_around_a_shield_lets_the_work_go_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
