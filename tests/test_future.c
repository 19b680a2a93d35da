#include "tests/support/futures.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>

/* When callbacks run. */

static void callbacks_run_in_the_order_in_which_futures_settle(void **state)
{
    struct stage *stage = *state;
    vow_promise  *first;
    vow_promise  *second;

    vow_done(stage_promise(stage, &first), diary_done, word("first"));
    vow_done(stage_promise(stage, &second), diary_done, word("second"));
    vow_resolve(second, NULL, NULL);
    vow_reject(first, VOW_ABORTED, "no");
    stage_run(stage);
    assert_string_equal(diary_read(), "second:OK first:ABORTED");
}

static void callbacks_of_one_future_run_in_the_order_in_which_they_were_attached(void **state)
{
    struct stage *stage = *state;
    vow_promise  *promise;
    vow_future   *future = stage_promise(stage, &promise);

    vow_done(vow_future_ref(future), diary_done, word("a"));
    vow_done(vow_future_ref(future), diary_done, word("b"));
    vow_done(future, diary_done, word("c"));
    vow_resolve(promise, NULL, NULL);
    stage_run(stage);
    assert_string_equal(diary_read(), "a:OK b:OK c:OK");
}

static void a_callback_runs_neither_inside_the_call_that_settles_nor_the_one_that_attaches(void **state)
{
    struct stage *stage = *state;
    vow_promise  *promise;
    vow_future   *future = stage_promise(stage, &promise);

    vow_done(vow_future_ref(future), diary_done, word("before"));
    vow_resolve(promise, NULL, NULL);
    vow_done(future, diary_done, word("after"));
    assert_string_equal(diary_read(), "");
    stage_run(stage);
    assert_string_equal(diary_read(), "before:OK after:OK");
}

static void settle_another_and_write(vow_future *settled, void *arg)
{
    (void)settled;
    vow_resolve(arg, NULL, NULL);
    diary_write("settled-it");
}

static void a_callback_that_settles_another_future_ends_before_that_ones_runs(void **state)
{
    struct stage *stage = *state;
    vow_promise  *promise;

    vow_done(stage_promise(stage, &promise), diary_done, word("other"));
    vow_done(vow_value(stage->loop, NULL, NULL), settle_another_and_write, promise);
    stage_run(stage);
    assert_string_equal(diary_read(), "settled-it other:OK");
}

/* done, finally: exactly once. */

static void done_runs_once_on_a_value_a_failure_a_cancellation_and_a_closed_loop(void **state)
{
    struct stage *stage = *state;
    vow_promise  *cancelled;
    vow_promise  *left;
    vow_future   *future = stage_promise(stage, &cancelled);

    vow_done(vow_value(stage->loop, NULL, NULL), diary_done, word("value"));
    vow_done(vow_failure(stage->loop, VOW_NOT_FOUND, "no"), diary_done, word("failure"));
    vow_done(vow_future_ref(future), diary_done, word("cancel"));
    vow_done(stage_promise(stage, &left), diary_done, word("close"));
    vow_cancel(future);
    stage_run(stage);
    assert_string_equal(diary_read(), "value:OK failure:NOT_FOUND cancel:CANCELLED");
    stage_close_loop(stage);
    assert_string_equal(diary_read(), "close:CANCELLED");
    vow_drop(future);
    vow_resolve(cancelled, NULL, NULL);
    vow_resolve(left, NULL, NULL);
}

static void finally_runs_once_and_its_result_settles_as_its_future_did(void **state)
{
    struct stage *stage = *state;
    char          value[] = "v";

    vow_done(vow_finally(vow_value(stage->loop, value, NULL), diary_done, word("value")), diary_done,
             word("r1"));
    vow_done(vow_finally(vow_failure(stage->loop, VOW_ABORTED, "no"), diary_done, word("failure")),
             diary_done, word("r2"));
    stage_run(stage);
    assert_string_equal(diary_read(), "value:OK failure:ABORTED r1:OK r2:ABORTED");
}

static void finally_runs_when_its_result_is_dropped_cancelled_or_left_to_a_closed_loop(void **state)
{
    struct stage *stage = *state;
    vow_promise  *promises[3];
    vow_future   *cancelled = vow_finally(stage_promise(stage, &promises[0]), diary_done, word("cancel"));

    vow_drop(vow_finally(stage_promise(stage, &promises[1]), diary_done, word("drop")));
    vow_detach(vow_finally(stage_promise(stage, &promises[2]), diary_done, word("close")));
    vow_cancel(cancelled);
    assert_int_equal(vow_future_code(cancelled), VOW_CANCELLED);
    assert_false(vow_promise_wanted(promises[0]));
    assert_false(vow_promise_wanted(promises[1]));
    assert_true(vow_promise_wanted(promises[2]));
    stage_run(stage);
    assert_string_equal(diary_read(), "drop:CANCELLED cancel:CANCELLED");
    stage_close_loop(stage);
    assert_string_equal(diary_read(), "close:CANCELLED");
    vow_drop(cancelled);
    for (int i = 0; i < 3; i++)
        vow_resolve(promises[i], NULL, NULL);
}

/* then, recover, either: when they apply. */

static vow_future *number(vow_loop *loop, intptr_t value)
{
    return vow_value(loop, (void *)value, NULL);
}

static vow_future *add_one(vow_future *settled, void *arg)
{
    (void)arg;
    return number(vow_future_loop(settled), (intptr_t)vow_future_value(settled) + 1);
}

static vow_future *to_seven(vow_future *settled, void *arg)
{
    (void)arg;
    return number(vow_future_loop(settled), 7);
}

static void assert_number(vow_future *future, intptr_t expected)
{
    assert_int_equal(vow_wait(future), VOW_OK);
    assert_int_equal((intptr_t)vow_future_value(future), expected);
    vow_drop(future);
}

static void assert_fails(vow_future *future, const char *error)
{
    vow_wait(future);
    assert_string_equal(vow_future_error(future), error);
    assert_null(vow_future_value(future));
    vow_drop(future);
}

static void then_applies_to_a_value_and_passes_a_failure_through(void **state)
{
    vow_loop *loop = ((struct stage *)*state)->loop;

    assert_number(vow_then(number(loop, 1), add_one, NULL), 2);
    assert_fails(vow_then(vow_failure(loop, VOW_NOT_FOUND, "no %s", "city"), add_one, NULL),
                 "NOT_FOUND: no city");
}

static void recover_applies_to_a_failure_and_passes_a_value_through(void **state)
{
    vow_loop *loop = ((struct stage *)*state)->loop;

    assert_number(vow_recover(number(loop, 1), to_seven, NULL), 1);
    assert_number(vow_recover(vow_failure(loop, VOW_NOT_FOUND, "no"), to_seven, NULL), 7);
}

static void either_applies_to_both(void **state)
{
    vow_loop *loop = ((struct stage *)*state)->loop;

    assert_number(vow_either(number(loop, 1), to_seven, NULL), 7);
    assert_number(vow_either(vow_failure(loop, VOW_NOT_FOUND, "no"), to_seven, NULL), 7);
}

static void a_cancellation_is_a_failure_that_recover_sees_when_others_cancelled_the_source(void **state)
{
    struct stage *stage = *state;
    vow_promise  *promise;
    vow_future   *source = stage_promise(stage, &promise);
    vow_future   *result = vow_recover(vow_future_ref(source), to_seven, NULL);

    vow_cancel(source);
    vow_drop(source);
    assert_number(result, 7);
    vow_resolve(promise, NULL, NULL);
}

static void a_function_that_gives_nothing_makes_a_success_without_value(void **state)
{
    vow_loop *loop = ((struct stage *)*state)->loop;

    assert_number(vow_then(number(loop, 1), diary_then, word("ran")), 0);
}

static vow_future *pass_on(vow_future *settled, void *arg)
{
    (void)arg;
    return vow_future_ref(settled);
}

static void a_function_can_pass_on_what_it_was_lent(void **state)
{
    vow_loop *loop = ((struct stage *)*state)->loop;

    assert_number(vow_then(number(loop, 5), pass_on, NULL), 5);
    assert_fails(vow_recover(vow_failure(loop, VOW_ABORTED, "no"), pass_on, NULL), "ABORTED: no");
}

/* Withdrawal. */

typedef vow_future *wait_fn(vow_future *future, vow_then_fn *function, void *arg);

struct owner {
    char        name[8];
    vow_future *waits;
};

static vow_future *must_not_run(vow_future *settled, void *arg)
{
    struct owner *owner = arg;

    (void)settled;
    diary_write("ran-for-%s", owner->name); /* also a use of freed memory */
    return NULL;
}

static void settle_for(wait_fn *wait, vow_promise *promise)
{
    if (wait == vow_recover)
        vow_reject(promise, VOW_ABORTED, "no");
    else
        vow_resolve(promise, NULL, NULL);
}

static struct owner *owner_new(struct stage *stage, wait_fn *wait, vow_promise **promise)
{
    struct owner *owner = malloc(sizeof *owner);

    assert_non_null(owner);
    *owner = (struct owner){ .name = "owner" };
    owner->waits = wait(stage_promise(stage, promise), must_not_run, owner);
    return owner;
}

static wait_fn *const withdrawable[] = { vow_then, vow_recover, vow_either };

static void an_owner_drops_what_it_waits_for_and_frees_itself_on_the_next_line(void **state)
{
    struct stage *stage = *state;

    for (size_t i = 0; i < 3; i++) {
        vow_promise  *pending;
        vow_promise  *queued;
        struct owner *early = owner_new(stage, withdrawable[i], &pending);
        struct owner *late = owner_new(stage, withdrawable[i], &queued);

        settle_for(withdrawable[i], queued); /* its function is in the queue now */
        vow_drop(early->waits);
        free(early);
        vow_drop(late->waits);
        free(late);
        settle_for(withdrawable[i], pending);
        stage_run(stage);
        assert_string_equal(diary_read(), "");
    }
}

static void a_function_is_not_called_after_its_result_was_cancelled(void **state)
{
    struct stage *stage = *state;

    for (size_t i = 0; i < 3; i++) {
        vow_promise  *pending;
        vow_promise  *queued;
        struct owner *early = owner_new(stage, withdrawable[i], &pending);
        struct owner *late = owner_new(stage, withdrawable[i], &queued);

        settle_for(withdrawable[i], queued);
        vow_cancel(early->waits);
        vow_cancel(late->waits);
        settle_for(withdrawable[i], pending);
        stage_run(stage);
        assert_string_equal(diary_read(), "");
        assert_int_equal(vow_future_code(late->waits), VOW_CANCELLED);
        vow_drop(early->waits);
        vow_drop(late->waits);
        free(early);
        free(late);
    }
}

static void a_result_with_another_handle_is_not_withdrawn_by_a_drop(void **state)
{
    struct stage *stage = *state;
    vow_promise  *promise;
    vow_future   *result = vow_then(stage_promise(stage, &promise), diary_then, word("ran"));
    vow_future   *other = vow_future_ref(result);

    vow_drop(result);
    vow_resolve(promise, NULL, NULL);
    stage_run(stage);
    assert_string_equal(diary_read(), "ran");
    vow_drop(other);
}

struct self {
    vow_future  *result;
    vow_promise *inner;
};

static vow_future *drop_own_result(vow_future *settled, void *arg)
{
    struct self *self = arg;

    vow_drop(self->result);
    diary_write("still-lent:%s", vow_code_name(vow_future_code(settled)));
    return vow_promise_new(vow_future_loop(settled), &self->inner);
}

static void a_function_may_drop_its_own_result_and_what_it_gives_is_cancelled(void **state)
{
    struct stage *stage = *state;
    struct self   self = { NULL, NULL };

    self.result = vow_then(vow_value(stage->loop, NULL, NULL), drop_own_result, &self);
    stage_run(stage);
    assert_string_equal(diary_read(), "still-lent:OK");
    assert_false(vow_promise_wanted(self.inner));
    vow_resolve(self.inner, NULL, NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_open, stage_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(callbacks_run_in_the_order_in_which_futures_settle),
        TEST(callbacks_of_one_future_run_in_the_order_in_which_they_were_attached),
        TEST(a_callback_runs_neither_inside_the_call_that_settles_nor_the_one_that_attaches),
        TEST(a_callback_that_settles_another_future_ends_before_that_ones_runs),
        TEST(done_runs_once_on_a_value_a_failure_a_cancellation_and_a_closed_loop),
        TEST(finally_runs_once_and_its_result_settles_as_its_future_did),
        TEST(finally_runs_when_its_result_is_dropped_cancelled_or_left_to_a_closed_loop),
        TEST(then_applies_to_a_value_and_passes_a_failure_through),
        TEST(recover_applies_to_a_failure_and_passes_a_value_through),
        TEST(either_applies_to_both),
        TEST(a_cancellation_is_a_failure_that_recover_sees_when_others_cancelled_the_source),
        TEST(a_function_that_gives_nothing_makes_a_success_without_value),
        TEST(a_function_can_pass_on_what_it_was_lent),
        TEST(an_owner_drops_what_it_waits_for_and_frees_itself_on_the_next_line),
        TEST(a_function_is_not_called_after_its_result_was_cancelled),
        TEST(a_result_with_another_handle_is_not_withdrawn_by_a_drop),
        TEST(a_function_may_drop_its_own_result_and_what_it_gives_is_cancelled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
