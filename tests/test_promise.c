#include "tests/support/futures.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <string.h>

/* Handles. */

static void dropping_the_last_handle_of_a_pending_future_cancels_its_work(void **state)
{
    struct stage *stage = *state;
    vow_promise  *promise;
    vow_future   *future = stage_promise(stage, &promise);
    vow_future   *other = vow_future_ref(future);

    vow_drop(future);
    assert_true(vow_promise_wanted(promise));
    vow_drop(other);
    assert_false(vow_promise_wanted(promise));
    vow_resolve(promise, NULL, NULL);
}

static void a_future_that_somebody_waits_for_outlives_the_drop_of_another_handle(void **state)
{
    struct stage *stage = *state;
    vow_promise  *promise;
    vow_future   *future = stage_promise(stage, &promise);

    vow_done(vow_future_ref(future), diary_done, word("waiting"));
    vow_drop(future);
    assert_true(vow_promise_wanted(promise));
    vow_resolve(promise, NULL, NULL);
    stage_run(stage);
    assert_string_equal(diary_read(), "waiting:OK");
}

static void a_cancellation_reaches_the_source_through_every_kind_of_wait(void **state)
{
    struct stage *stage = *state;
    vow_promise  *promise;
    vow_future   *future = stage_promise(stage, &promise);

    future =
        vow_finally(vow_either(vow_recover(vow_then(future, diary_then, word("t")), diary_then, word("r")),
                               diary_then, word("e")),
                    diary_done, word("f"));
    future = vow_all(stage->loop, VOW_FUTURES(vow_timeout(future, 1000)));
    vow_cancel(future);
    assert_false(vow_promise_wanted(promise));
    vow_drop(future);
    vow_resolve(promise, NULL, NULL);
    stage_run(stage);
    assert_string_equal(diary_read(), "f:CANCELLED");
}

static void a_cancellation_spares_a_source_that_others_hold(void **state)
{
    struct stage *stage = *state;
    vow_promise  *promise;
    vow_future   *source = stage_promise(stage, &promise);
    vow_future   *result = vow_then(vow_future_ref(source), diary_then, word("ran"));

    vow_cancel(result);
    assert_int_equal(vow_future_code(result), VOW_CANCELLED);
    assert_true(vow_promise_wanted(promise));
    vow_resolve(promise, NULL, NULL);
    assert_int_equal(vow_wait(source), VOW_OK);
    assert_string_equal(diary_read(), "");
    vow_drop(source);
    vow_drop(result);
}

static void cancelling_a_source_settles_all_who_wait_for_it(void **state)
{
    struct stage *stage = *state;
    vow_promise  *promise;
    vow_future   *source = stage_promise(stage, &promise);

    vow_done(vow_then(vow_future_ref(source), diary_then, word("no")), diary_done, word("then"));
    vow_done(vow_all(stage->loop, VOW_FUTURES(vow_future_ref(source))), diary_done, word("all"));
    vow_cancel(source);
    stage_run(stage);
    assert_string_equal(diary_read(), "then:CANCELLED all:CANCELLED");
    vow_drop(source);
    vow_resolve(promise, NULL, NULL);
}

static void cancelling_a_settled_future_changes_nothing(void **state)
{
    struct stage *stage = *state;
    vow_future   *future = vow_value(stage->loop, word("v"), NULL);

    vow_cancel(future);
    assert_int_equal(vow_future_code(future), VOW_OK);
    assert_string_equal(vow_future_value(future), "v");
    vow_drop(future);
}

static void a_detached_future_goes_on(void **state)
{
    struct stage *stage = *state;
    vow_promise  *promise;

    vow_detach(vow_then(stage_promise(stage, &promise), diary_then, word("ran")));
    assert_true(vow_promise_wanted(promise));
    vow_resolve(promise, NULL, NULL);
    stage_run(stage);
    assert_string_equal(diary_read(), "ran");
}

static void nothing_happens_to_no_future(void **state)
{
    (void)state;
    vow_drop(NULL);
    vow_detach(NULL);
    vow_cancel(NULL);
}

/* Reading. */

static void a_pending_future_says_so(void **state)
{
    struct stage *stage = *state;
    vow_promise  *promise;
    vow_future   *future = stage_promise(stage, &promise);

    assert_false(vow_future_settled(future));
    assert_int_equal(vow_future_code(future), VOW_UNKNOWN);
    assert_string_equal(vow_future_error(future), "UNKNOWN: not settled yet");
    assert_null(vow_future_value(future));
    assert_null(vow_future_at(future, 0));
    assert_ptr_equal(vow_future_loop(future), stage->loop);
    vow_drop(future);
    vow_resolve(promise, NULL, NULL);
}

static void a_success_reads_as_such(void **state)
{
    struct stage *stage = *state;
    vow_future   *future = vow_value(stage->loop, word("v"), NULL);

    assert_true(vow_future_settled(future));
    assert_int_equal(vow_future_code(future), VOW_OK);
    assert_string_equal(vow_future_error(future), "OK");
    assert_string_equal(vow_future_message(future), "");
    assert_string_equal(vow_future_value(future), "v");
    vow_drop(future);
}

static void a_failure_reads_as_such(void **state)
{
    struct stage *stage = *state;
    vow_future   *future = vow_failure(stage->loop, VOW_NOT_FOUND, "no city called %s", "Atlantis");

    assert_int_equal(vow_future_code(future), VOW_NOT_FOUND);
    assert_string_equal(vow_future_error(future), "NOT_FOUND: no city called Atlantis");
    assert_string_equal(vow_future_message(future), "no city called Atlantis");
    assert_null(vow_future_value(future));
    vow_drop(future);
}

static void a_failure_that_says_ok_is_unknown(void **state)
{
    struct stage *stage = *state;
    vow_promise  *promise;
    vow_future   *rejected = stage_promise(stage, &promise);
    vow_future   *failure = vow_failure(stage->loop, VOW_OK, "odd");

    vow_reject(promise, VOW_OK, "odd");
    assert_string_equal(vow_future_error(rejected), "UNKNOWN: odd");
    assert_string_equal(vow_future_error(failure), "UNKNOWN: odd");
    vow_drop(rejected);
    vow_drop(failure);
}

/* Values. */

static void a_value_is_released_with_the_last_handle(void **state)
{
    struct stage *stage = *state;
    vow_future   *future = vow_value(stage->loop, word("v"), diary_release);
    vow_future   *other = vow_future_ref(future);

    vow_drop(future);
    assert_string_equal(diary_read(), "");
    vow_drop(other);
    assert_string_equal(diary_read(), "-v");
}

static vow_future *fail_to_recover(vow_future *settled, void *arg)
{
    (void)arg;
    return vow_future_ref(settled);
}

static void a_value_that_was_passed_on_lives_as_long_as_the_last_who_got_it(void **state)
{
    struct stage *stage = *state;
    vow_future   *future = vow_value(stage->loop, word("v"), diary_release);

    future = vow_finally(vow_recover(future, fail_to_recover, NULL), diary_done, word("f"));
    future = vow_shield(vow_timeout(vow_either(future, fail_to_recover, NULL), 60000));
    stage_run(stage);
    assert_string_equal(diary_read(), "f:OK");
    assert_string_equal(vow_future_value(future), "v");
    vow_drop(future);
    assert_string_equal(diary_read(), "-v");
}

static void a_kept_value_keeps_the_whole_it_lies_in(void **state)
{
    struct stage *stage = *state;
    vow_future   *whole = vow_value(stage->loop, word("whole"), diary_release);
    vow_future   *part = vow_keep(whole, (const char *)vow_future_value(whole) + 2);

    vow_drop(whole);
    assert_string_equal(diary_read(), "");
    assert_string_equal(vow_future_value(part), "ole");
    vow_drop(part);
    assert_string_equal(diary_read(), "-whole");
}

static void there_is_nothing_to_keep_of_a_failure_or_of_what_is_pending(void **state)
{
    struct stage *stage = *state;
    vow_promise  *promise;
    vow_future   *sources[] = { stage_promise(stage, &promise), vow_failure(stage->loop, VOW_ABORTED, "no") };

    for (int i = 0; i < 2; i++) {
        vow_future *kept = vow_keep(sources[i], "x");

        assert_string_equal(vow_future_error(kept),
                            "FAILED_PRECONDITION: vow_keep: the source has no value to share");
        vow_drop(kept);
        vow_drop(sources[i]);
    }
    vow_resolve(promise, NULL, NULL);
}

/* Promises. */

static void a_promise_is_the_producers_also_after_a_cancellation(void **state)
{
    struct stage *stage = *state;
    vow_promise  *promise;
    vow_future   *future = stage_promise(stage, &promise);

    vow_cancel(future);
    assert_false(vow_promise_wanted(promise));
    vow_resolve(promise, word("late"), diary_release);
    assert_string_equal(diary_read(), "-late");
    assert_int_equal(vow_future_code(future), VOW_CANCELLED);
    vow_drop(future);
}

static void a_promise_can_be_rejected_when_nobody_waits_any_more(void **state)
{
    struct stage *stage = *state;
    vow_promise  *promise;

    vow_drop(stage_promise(stage, &promise));
    vow_reject(promise, VOW_ABORTED, "nobody %s", "listens");
}

static void producer_is_told(void *arg)
{
    diary_write("told-%s", (const char *)arg);
}

static void a_producer_is_told_of_a_cancellation_once_and_not_inside_it(void **state)
{
    struct stage *stage = *state;
    vow_promise  *promise;
    vow_future   *future = stage_promise(stage, &promise);

    vow_promise_on_cancel(promise, producer_is_told, word("p"));
    vow_cancel(future);
    vow_drop(future);
    assert_string_equal(diary_read(), "");
    stage_run(stage);
    assert_string_equal(diary_read(), "told-p");
    vow_resolve(promise, NULL, NULL);
    stage_run(stage);
    assert_string_equal(diary_read(), "");
}

static void a_producer_that_asks_after_the_cancellation_is_told_as_well(void **state)
{
    struct stage *stage = *state;
    vow_promise  *promise;

    vow_drop(stage_promise(stage, &promise));
    vow_promise_on_cancel(promise, producer_is_told, word("p"));
    stage_run(stage);
    assert_string_equal(diary_read(), "told-p");
    vow_resolve(promise, NULL, NULL);
}

static void a_producer_that_has_resolved_is_not_told(void **state)
{
    struct stage *stage = *state;
    vow_promise  *promise;
    vow_future   *future = stage_promise(stage, &promise);

    vow_promise_on_cancel(promise, producer_is_told, word("settled"));
    vow_resolve(promise, NULL, NULL);
    vow_drop(future);
    vow_drop(stage_promise(stage, &promise));
    vow_promise_on_cancel(promise, producer_is_told, word("queued"));
    vow_resolve(promise, NULL, NULL);
    stage_run(stage);
    assert_string_equal(diary_read(), "");
}

static void producer_resolves(void *arg)
{
    vow_resolve(arg, word("answer"), diary_release);
}

static void a_producer_may_resolve_when_it_is_told(void **state)
{
    struct stage *stage = *state;
    vow_promise  *promise;

    vow_drop(stage_promise(stage, &promise));
    vow_promise_on_cancel(promise, producer_resolves, promise);
    stage_run(stage);
    assert_string_equal(diary_read(), "-answer");
}

static void the_functions_of_a_promise_accept_none(void **state)
{
    (void)state;
    assert_false(vow_promise_wanted(NULL));
    vow_promise_on_cancel(NULL, producer_is_told, NULL);
    vow_resolve(NULL, word("v"), diary_release);
    vow_reject(NULL, VOW_ABORTED, "no");
    assert_string_equal(diary_read(), "-v");
}

/* vow_wait. */

static void waiting_gives_the_code_and_leaves_the_handle(void **state)
{
    struct stage *stage = *state;
    vow_future   *sleep = vow_sleep(stage->loop, 1);
    vow_future   *failure = vow_failure(stage->loop, VOW_ABORTED, "no");

    assert_int_equal(vow_wait(sleep), VOW_OK);
    assert_int_equal(vow_wait(failure), VOW_ABORTED);
    vow_drop(sleep);
    vow_drop(failure);
}

static void wait_inside(vow_future *settled, void *arg)
{
    (void)arg;
    diary_write("%s", vow_code_name(vow_wait(settled)));
}

static void waiting_inside_a_callback_is_refused(void **state)
{
    struct stage *stage = *state;

    vow_done(vow_value(stage->loop, NULL, NULL), wait_inside, NULL);
    stage_run(stage);
    assert_string_equal(diary_read(), "FAILED_PRECONDITION");
}

static void waiting_for_what_nothing_will_settle_is_refused(void **state)
{
    struct stage *stage = *state;
    vow_promise  *promise;
    vow_future   *future = stage_promise(stage, &promise);

    assert_int_equal(vow_wait(future), VOW_FAILED_PRECONDITION);
    assert_false(vow_future_settled(future));
    vow_resolve(promise, NULL, NULL);
    assert_int_equal(vow_wait(future), VOW_OK);
    vow_drop(future);
}

/* A loop that closes. */

static vow_future *never_started(size_t index, void *arg)
{
    (void)index;
    (void)arg;
    diary_write("started");
    return NULL;
}

static void begin_everything(vow_future *settled, void *arg)
{
    struct stage *stage = arg;
    vow_loop     *loop = vow_future_loop(settled);
    vow_promise  *promise;

    (void)stage;
    vow_done(vow_promise_new(loop, &promise), diary_done, word("promise"));
    vow_done(vow_sleep(loop, 1), diary_done, word("sleep"));
    vow_done(vow_each(loop, 1, 0, never_started, NULL), diary_done, word("each"));
    vow_done(vow_retry(loop, 1, 0, never_started, NULL), diary_done, word("retry"));
    assert_null(promise);
}

static void nothing_new_begins_on_a_loop_that_closes(void **state)
{
    struct stage *stage = *state;

    vow_done(vow_sleep(stage->loop, 100000), begin_everything, stage);
    stage_close_loop(stage);
    assert_string_equal(diary_read(), "promise:CANCELLED sleep:CANCELLED each:CANCELLED retry:CANCELLED");
}

static void a_future_that_the_program_holds_outlives_its_loop(void **state)
{
    struct stage *stage = *state;
    vow_promise  *promise;
    vow_future   *pending = stage_promise(stage, &promise);
    vow_future   *value = vow_value(stage->loop, word("v"), diary_release);

    vow_report_set(NULL, NULL); /* a debug build would say that nobody used `pending` */
    vow_done(vow_future_ref(value), diary_done, word("value"));
    stage_close_loop(stage);
    assert_string_equal(diary_read(), "value:OK");
    assert_string_equal(vow_future_error(pending), "CANCELLED: the loop was closed");
    vow_drop(pending);
    vow_drop(value);
    assert_string_equal(diary_read(), "-v");
    vow_resolve(promise, NULL, NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_open, stage_close)
#define TEST_SIMULATED(name) cmocka_unit_test_setup_teardown(name, stage_open_simulated, stage_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(dropping_the_last_handle_of_a_pending_future_cancels_its_work),
        TEST(a_future_that_somebody_waits_for_outlives_the_drop_of_another_handle),
        TEST(a_cancellation_reaches_the_source_through_every_kind_of_wait),
        TEST(a_cancellation_spares_a_source_that_others_hold),
        TEST(cancelling_a_source_settles_all_who_wait_for_it),
        TEST(cancelling_a_settled_future_changes_nothing),
        TEST(a_detached_future_goes_on),
        TEST(nothing_happens_to_no_future),
        TEST(a_pending_future_says_so),
        TEST(a_success_reads_as_such),
        TEST(a_failure_reads_as_such),
        TEST(a_failure_that_says_ok_is_unknown),
        TEST(a_value_is_released_with_the_last_handle),
        TEST(a_value_that_was_passed_on_lives_as_long_as_the_last_who_got_it),
        TEST(a_kept_value_keeps_the_whole_it_lies_in),
        TEST(there_is_nothing_to_keep_of_a_failure_or_of_what_is_pending),
        TEST(a_promise_is_the_producers_also_after_a_cancellation),
        TEST(a_promise_can_be_rejected_when_nobody_waits_any_more),
        TEST(a_producer_is_told_of_a_cancellation_once_and_not_inside_it),
        TEST(a_producer_that_asks_after_the_cancellation_is_told_as_well),
        TEST(a_producer_that_has_resolved_is_not_told),
        TEST(a_producer_may_resolve_when_it_is_told),
        TEST(the_functions_of_a_promise_accept_none),
        TEST(waiting_gives_the_code_and_leaves_the_handle),
        TEST_SIMULATED(waiting_gives_the_code_and_leaves_the_handle),
        TEST(waiting_inside_a_callback_is_refused),
        TEST_SIMULATED(waiting_inside_a_callback_is_refused),
        TEST(waiting_for_what_nothing_will_settle_is_refused),
        TEST_SIMULATED(waiting_for_what_nothing_will_settle_is_refused),
        TEST(nothing_new_begins_on_a_loop_that_closes),
        TEST_SIMULATED(nothing_new_begins_on_a_loop_that_closes),
        TEST(a_future_that_the_program_holds_outlives_its_loop),
        TEST_SIMULATED(a_future_that_the_program_holds_outlives_its_loop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
