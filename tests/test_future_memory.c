#include "tests/support/failing.h"
#include "tests/support/futures.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>

/* A story that uses everything, with any allocation failing. */

typedef struct story {
    vow_loop *loop;
    unsigned  done_due; /* callbacks that must have run once */
    unsigned  done_ran;
    unsigned  attached;
    unsigned  released;
} story;

static void story_done(vow_future *settled, void *arg)
{
    story *told = arg;

    assert_true(vow_future_settled(settled));
    told->done_ran++;
}

static void story_release(void *arg)
{
    story *told = arg;

    told->released++;
}

static void await(story *told, vow_future *future)
{
    told->done_due++;
    vow_done(future, story_done, told);
}

static vow_future *finally(story *told, vow_future *future)
{
    told->done_due++;
    return vow_finally(future, story_done, told);
}

static vow_future *attach(story *told, vow_future *future)
{
    told->attached++;
    return vow_attach(future, told, story_release);
}

static vow_future *value(story *told)
{
    told->attached++;
    return vow_value(told->loop, told, story_release);
}

static vow_future *adopt(vow_future *settled, void *arg)
{
    story *told = arg;

    return vow_then(attach(told, vow_sleep(vow_future_loop(settled), 1)), diary_then, word("x"));
}

static vow_future *pass_on(vow_future *settled, void *arg)
{
    (void)arg;
    return vow_future_ref(settled);
}

static vow_future *job(size_t index, void *arg)
{
    story *told = arg;

    return index % 3 ? vow_recover(vow_then(value(told), adopt, told), diary_then, word("x")) : NULL;
}

static vow_future *failing_attempt(size_t index, void *arg)
{
    story *told = arg;

    return index < 2 ? vow_failure(told->loop, VOW_UNAVAILABLE, "attempt %zu", index) : value(told);
}

static void story_of_chains(story *told)
{
    vow_promise *promise;
    vow_future  *future = vow_promise_new(told->loop, &promise);
    vow_future  *other = vow_future_ref(future);

    future = vow_either(vow_recover(vow_then(attach(told, future), adopt, told), adopt, told), pass_on, told);
    await(told, finally(told, vow_shield(vow_timeout(future, 100))));
    await(told, attach(told, vow_then(other, pass_on, told)));
    told->attached++;
    vow_resolve(promise, told, story_release);
    future = vow_promise_new(told->loop, &promise);
    await(told, vow_future_ref(future));
    vow_drop(finally(told, attach(told, vow_then(future, adopt, told))));
    vow_reject(promise, VOW_ABORTED, "%s", "late");
    vow_cancel(future = finally(told, vow_timeout(vow_sleep(told->loop, 50), 10)));
    vow_drop(attach(told, future));
    future = value(told);
    await(told, vow_keep(future, told));
    vow_drop(future);
}

static void story_of_combinations(story *told)
{
    vow_loop *loop = told->loop;

    await(told, vow_all(loop, VOW_FUTURES(value(told), attach(told, vow_sleep(loop, 1)),
                                          vow_then(value(told), adopt, told))));
    await(told, vow_all_settled(loop, VOW_FUTURES(value(told), vow_failure(loop, VOW_ABORTED, "no"))));
    await(told, vow_any(loop, VOW_FUTURES(vow_failure(loop, VOW_ABORTED, "no"),
                                          attach(told, vow_sleep(loop, 50)), value(told))));
    await(told, vow_race(loop, VOW_FUTURES(vow_sleep(loop, 1), attach(told, vow_sleep(loop, 50)))));
    await(told, vow_quorum(loop, 2, VOW_FUTURES(value(told), vow_sleep(loop, 1), vow_sleep(loop, 50))));
    await(told, vow_as_completed(loop, VOW_FUTURES(value(told), vow_sleep(loop, 1)), diary_done, word("x")));
    await(told, attach(told, vow_each(loop, 9, 2, job, told)));
    await(told, vow_retry(loop, 3, 10, failing_attempt, told));
}

/* False: no allocation was left to fail. */
static bool tell_story(bool simulated, size_t nth, bool from_then_on)
{
    uv_loop_t uv;
    story     told = { .loop = NULL };
    bool      has_failed;

    uv_loop_init(&uv);
    failing_install(nth, from_then_on);
    told.loop = simulated ? vow_loop_simulated(nth) : vow_loop_attach(&uv);
    if (told.loop) {
        story_of_chains(&told);
        story_of_combinations(&told);
        if (simulated)
            vow_loop_advance(told.loop, 1000);
        else
            uv_run(&uv, UV_RUN_DEFAULT);
        assert_int_equal(told.done_ran, told.done_due);
        vow_loop_close(told.loop);
    }
    uv_run(&uv, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&uv), 0);
    assert_int_equal(told.released, told.attached);
    assert_int_equal(failing_outstanding(), 0);
    has_failed = failing_has_failed();
    failing_remove();
    diary_read();
    return has_failed;
}

static void whichever_allocation_fails_all_callbacks_run_once_and_nothing_leaks(void **state)
{
    size_t nth = 0;

    (void)state;
    while (tell_story(true, nth, false))
        nth++;
    assert_true(nth > 40);
    for (nth = 0; tell_story(true, nth, true); nth++)
        ;
}

static void it_is_the_same_on_a_real_loop(void **state)
{
    (void)state;
    for (size_t nth = 0; tell_story(false, nth, false); nth += 7)
        ;
    for (size_t nth = 0; tell_story(false, nth, true); nth += 7)
        ;
}

/* The future for when there is no memory. */

/* A loop with memory for itself alone. */
static struct stage *scarce_stage(void **state)
{
    struct stage *stage = *state;

    failing_all_from_now();
    return stage;
}

static void assert_no_memory(vow_future *future)
{
    assert_string_equal(vow_future_error(future),
                        "RESOURCE_EXHAUSTED: no memory for the message of this failure");
    vow_drop(future);
}

static vow_future *no_future(struct stage *stage)
{
    return vow_value(stage->loop, NULL, NULL);
}

static vow_code do_nothing(void *arg, vow_error *error)
{
    (void)arg;
    (void)error;
    return VOW_OK;
}

static void whatever_makes_a_future_fails_without_memory_and_releases_what_it_took(void **state)
{
    struct stage *stage = scarce_stage(state);
    vow_loop     *loop = stage->loop;
    vow_promise  *promise;

    assert_no_memory(vow_value(loop, word("value"), diary_release));
    assert_no_memory(vow_failure(loop, VOW_ABORTED, "no"));
    assert_no_memory(vow_promise_new(loop, &promise));
    assert_null(promise);
    assert_no_memory(vow_sleep(loop, 1));
    assert_no_memory(vow_work(loop, do_nothing, word("job"), diary_release));
    assert_no_memory(vow_each(loop, 3, 1, job, NULL));
    assert_no_memory(vow_retry(loop, 3, 1, job, NULL));
    assert_no_memory(vow_all(loop, 0, NULL));
    stage_run(stage);
    assert_string_equal(diary_read(), "-job -value");
}

static void whatever_takes_a_future_takes_the_one_without_memory(void **state)
{
    struct stage *stage = scarce_stage(state);
    vow_loop     *loop = stage->loop;
    vow_future   *none = no_future(stage);

    assert_ptr_equal(vow_future_ref(none), none);
    assert_ptr_equal(vow_future_loop(none), loop);
    assert_null(vow_future_at(none, 0));
    assert_true(vow_future_settled(none));
    assert_int_equal(vow_wait(none), VOW_RESOURCE_EXHAUSTED);
    vow_cancel(none);
    vow_detach(none);
    vow_drop(none);
    assert_no_memory(vow_keep(none, "x"));
    assert_no_memory(vow_then(none, diary_then, word("no")));
    assert_no_memory(vow_recover(none, diary_then, word("no")));
    assert_no_memory(vow_either(none, diary_then, word("no")));
    assert_no_memory(vow_finally(none, diary_done, word("finally")));
    assert_no_memory(vow_timeout(none, 10));
    assert_no_memory(vow_timeout(none, 0));
    assert_no_memory(vow_shield(none));
    assert_no_memory(vow_attach(none, word("object"), diary_release));
    assert_no_memory(vow_all(loop, VOW_FUTURES(none, none)));
    assert_no_memory(vow_race(loop, VOW_FUTURES(none, none)));
    assert_no_memory(vow_as_completed(loop, VOW_FUTURES(none), diary_done, word("no")));
    vow_done(none, diary_done, word("done"));
    assert_string_equal(diary_read(), "");
    stage_run(stage);
    assert_string_equal(diary_read(), "finally:RESOURCE_EXHAUSTED done:RESOURCE_EXHAUSTED -object");
}

static void the_future_without_memory_is_one_as_any_other_when_there_is_memory_again(void **state)
{
    struct stage *stage = scarce_stage(state);
    vow_loop     *loop = stage->loop;
    vow_future   *none = no_future(stage);
    vow_future   *recovered;
    vow_future   *all;
    vow_future   *timeout;

    failing_stop();
    recovered = vow_recover(none, diary_then, word("recovered"));
    all = vow_all(loop, VOW_FUTURES(vow_value(loop, NULL, NULL), none, vow_sleep(loop, 1000)));
    timeout = vow_shield(vow_timeout(vow_attach(none, word("object"), diary_release), 0));
    stage_run(stage);
    assert_string_equal(diary_read(), "recovered -object");
    assert_int_equal(vow_future_code(recovered), VOW_OK);
    assert_int_equal(vow_future_code(all), VOW_RESOURCE_EXHAUSTED);
    assert_int_equal(vow_future_code(timeout), VOW_RESOURCE_EXHAUSTED);
    vow_drop(recovered);
    vow_drop(all);
    vow_drop(timeout);
}

static void callbacks_beyond_the_reserve_run_at_once_rather_than_never(void **state)
{
    struct stage *stage = scarce_stage(state);
    story         told = { .loop = stage->loop };

    for (int i = 0; i < 200; i++) {
        await(&told, no_future(stage));
        vow_drop(attach(&told, no_future(stage)));
        vow_drop(finally(&told, no_future(stage)));
    }
    assert_true(told.done_ran < told.done_due);
    stage_run(stage);
    assert_int_equal(told.done_ran, told.done_due);
    assert_int_equal(told.released, told.attached);
    vow_done(no_future(stage), diary_done, word("the-reserve-is-full-again"));
    assert_string_equal(diary_read(), "");
    stage_run(stage);
    assert_string_equal(diary_read(), "the-reserve-is-full-again:RESOURCE_EXHAUSTED");
}

static void a_combination_of_more_than_the_reserve_can_wait_for_fails_and_does_not_hang(void **state)
{
    struct stage *stage = *state;
    vow_future   *futures[100];
    vow_future   *all;

    vow_drop(vow_each(stage->loop, 100, 100, job, NULL)); /* leaves a block that the combination fits into */
    failing_all_from_now();
    while (vow_future_settled(futures[0] = vow_sleep(stage->loop, 1000)) == false)
        vow_detach(futures[0]); /* until no future is left in the pool either */
    for (int i = 0; i < 100; i++)
        futures[i] = no_future(stage);
    all = vow_all(stage->loop, 100, futures);
    assert_int_equal(vow_future_code(all), VOW_RESOURCE_EXHAUSTED);
    vow_drop(all);
    vow_done(no_future(stage), diary_done, word("reserve-is-back"));
    stage_run(stage);
    assert_string_equal(diary_read(), "reserve-is-back:RESOURCE_EXHAUSTED");
}

static void a_handle_that_cannot_be_made_leaves_the_others_as_they_were(void **state)
{
    struct stage *stage = *state;
    vow_promise  *promise;
    vow_future   *future = stage_promise(stage, &promise);

    failing_all_from_now();
    assert_no_memory(vow_future_ref(future));
    assert_true(vow_promise_wanted(promise));
    vow_resolve(promise, word("v"), diary_release);
    assert_string_equal(vow_future_value(future), "v");
    vow_drop(future);
    assert_string_equal(diary_read(), "-v");
}

static void what_cannot_be_attached_is_released_when_the_work_has_ended(void **state)
{
    struct stage *stage = *state;
    vow_promise  *promise;
    vow_future   *future = stage_promise(stage, &promise);

    failing_all_from_now();
    assert_no_memory(vow_attach(future, word("object"), diary_release));
    assert_false(vow_promise_wanted(promise));
    assert_string_equal(diary_read(), "");
    vow_resolve(promise, NULL, NULL);
    assert_string_equal(diary_read(), "-object");
}

static void a_failure_keeps_its_code_when_there_is_no_memory_for_its_text(void **state)
{
    struct stage *stage = *state;
    vow_promise  *promise;
    vow_future   *future = stage_promise(stage, &promise);

    failing_all_from_now();
    vow_reject(promise, VOW_NOT_FOUND, "no city");
    assert_int_equal(vow_future_code(future), VOW_NOT_FOUND);
    assert_string_equal(vow_future_message(future), "no memory for the message of this failure");
    vow_drop(future);
}

static void waiting_needs_no_memory(void **state)
{
    struct stage *stage = *state;
    vow_promise  *promise;
    vow_future   *future = stage_promise(stage, &promise);

    failing_all_from_now();
    vow_done(future, diary_done, word("done"));
    vow_resolve(promise, NULL, NULL);
    stage_run(stage);
    assert_string_equal(diary_read(), "done:OK");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_open_simulated, stage_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whichever_allocation_fails_all_callbacks_run_once_and_nothing_leaks),
        cmocka_unit_test(it_is_the_same_on_a_real_loop),
        TEST(whatever_makes_a_future_fails_without_memory_and_releases_what_it_took),
        TEST(whatever_takes_a_future_takes_the_one_without_memory),
        TEST(the_future_without_memory_is_one_as_any_other_when_there_is_memory_again),
        TEST(callbacks_beyond_the_reserve_run_at_once_rather_than_never),
        TEST(a_combination_of_more_than_the_reserve_can_wait_for_fails_and_does_not_hang),
        TEST(a_handle_that_cannot_be_made_leaves_the_others_as_they_were),
        TEST(what_cannot_be_attached_is_released_when_the_work_has_ended),
        TEST(a_failure_keeps_its_code_when_there_is_no_memory_for_its_text),
        TEST(waiting_needs_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
