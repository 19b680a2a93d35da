#include "tests/support/futures.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

/* With promises: the work is what a producer has begun. */

static void what_is_attached_is_released_with_the_last_handle(void **state)
{
    struct stage *stage = *state;
    vow_future   *future = vow_attach(vow_value(stage->loop, NULL, NULL), word("object"), diary_release);
    vow_future   *other = vow_future_ref(future);

    vow_drop(future);
    assert_string_equal(diary_read(), "");
    vow_drop(other);
    assert_string_equal(diary_read(), "-object");
}

static void what_is_attached_is_released_once_the_work_has_ended_too(void **state)
{
    struct stage *stage = *state;
    vow_promise  *promise;

    vow_drop(vow_attach(stage_promise(stage, &promise), word("object"), diary_release));
    assert_string_equal(diary_read(), "");
    vow_resolve(promise, NULL, NULL);
    assert_string_equal(diary_read(), "-object");
}

static void several_objects_are_all_released(void **state)
{
    struct stage *stage = *state;
    vow_future   *future = vow_value(stage->loop, NULL, NULL);

    future = vow_attach(vow_attach(vow_attach(future, word("a"), diary_release), word("b"), diary_release),
                        NULL, NULL);
    vow_drop(future);
    assert_string_equal(diary_read(), "-b -a");
}

/* Each way to build on a pending source; the result is dropped, or cancelled first. */
static vow_future *by_then(vow_future *source)
{
    return vow_then(source, diary_then, word("no"));
}

static vow_future *by_long_chain(vow_future *source)
{
    return vow_either(vow_recover(by_then(source), diary_then, word("no")), diary_then, word("no"));
}

static vow_future *by_finally(vow_future *source)
{
    return vow_finally(source, diary_done, word("finally"));
}

static vow_future *by_timeout(vow_future *source)
{
    return vow_timeout(source, 100000);
}

static vow_future *by_all(vow_future *source)
{
    return vow_all(vow_future_loop(source), VOW_FUTURES(source));
}

static vow_future *by_race(vow_future *source)
{
    return vow_race(vow_future_loop(source), VOW_FUTURES(source));
}

static vow_future *by_as_completed(vow_future *source)
{
    return vow_as_completed(vow_future_loop(source), VOW_FUTURES(source), diary_done, word("no"));
}

static vow_future *start_stored(size_t index, void *arg)
{
    vow_future **stored = arg;

    (void)index;
    return *stored;
}

static vow_future *stored_source;

static vow_future *by_each(vow_future *source)
{
    stored_source = source;
    return vow_each(vow_future_loop(source), 1, 0, start_stored, &stored_source);
}

static vow_future *by_retry(vow_future *source)
{
    stored_source = source;
    return vow_retry(vow_future_loop(source), 3, 10, start_stored, &stored_source);
}

static vow_future *give_stored(vow_future *settled, void *arg)
{
    (void)settled;
    return start_stored(0, arg);
}

static vow_future *by_adoption(vow_future *source)
{
    vow_loop *loop = vow_future_loop(source);

    stored_source = source;
    return vow_then(vow_value(loop, NULL, NULL), give_stored, &stored_source);
}

static vow_future *by_shield(vow_future *source)
{
    return vow_shield(source);
}

static const struct way {
    const char *name;
    vow_future *(*build)(vow_future *source);
    const char *told; /* when the source was cancelled */
} ways[] = {
    { "then", by_then, "" },
    { "chain", by_long_chain, "no no" },
    { "finally", by_finally, "finally:CANCELLED" },
    { "timeout", by_timeout, "" },
    { "all", by_all, "" },
    { "race", by_race, "" },
    { "each", by_each, "" },
    { "as_completed", by_as_completed, "no:CANCELLED" },
    { "retry", by_retry, "" },
    { "adoption", by_adoption, "" },
    { "shield", by_shield, "" },
};

#define WAYS (sizeof ways / sizeof ways[0])

static void assert_diary(const struct way *way, const char *expected)
{
    const char *diary = diary_read();

    if (strcmp(diary, expected) != 0)
        fail_msg("%s: \"%s\" instead of \"%s\"", way->name, diary, expected);
}

typedef void leave_fn(vow_future *result);

static void leave_by_drop(vow_future *result)
{
    vow_drop(result);
}

static void leave_by_cancel(vow_future *result)
{
    vow_cancel(result);
    vow_drop(result);
}

static vow_future *attach_object(vow_future *result)
{
    return vow_attach(result, word("object"), diary_release);
}

static void leave_by_cancel_and_attach_then(vow_future *result)
{
    vow_cancel(result);
    vow_drop(attach_object(result));
}

static void try_way(struct stage *stage, const struct way *way, bool attach_first, leave_fn *leave)
{
    vow_promise *promise;
    vow_future  *result = way->build(stage_promise(stage, &promise));

    if (attach_first)
        result = attach_object(result);
    stage_run(stage);
    leave(result);
    stage_run(stage);
    assert_diary(way, way->build == by_finally ? "finally:CANCELLED" : "");
    assert_int_equal(vow_promise_wanted(promise), way->build == by_shield);
    vow_resolve(promise, NULL, NULL);
    stage_run(stage);
    assert_diary(way, "-object");
}

static void an_attached_object_outlives_the_work_of_a_result_that_was_dropped_or_cancelled(void **state)
{
    for (size_t i = 0; i < WAYS; i++) {
        try_way(*state, &ways[i], true, leave_by_drop);
        try_way(*state, &ways[i], true, leave_by_cancel);
        try_way(*state, &ways[i], false, leave_by_cancel_and_attach_then);
    }
}

static void an_attached_object_outlives_the_work_of_a_source_that_somebody_else_cancelled(void **state)
{
    struct stage *stage = *state;

    for (size_t i = 0; i < WAYS; i++) {
        vow_promise *promise;
        vow_future  *source = stage_promise(stage, &promise);
        vow_future  *result = attach_object(ways[i].build(vow_future_ref(source)));

        stage_run(stage);
        vow_cancel(source);
        vow_drop(source);
        stage_run(stage);
        vow_drop(result);
        stage_run(stage);
        assert_diary(&ways[i], ways[i].told);
        vow_resolve(promise, NULL, NULL);
        assert_diary(&ways[i], "-object");
    }
}

static void an_attached_object_outlives_the_work_of_losers(void **state)
{
    struct stage *stage = *state;
    vow_promise  *loser;
    vow_future   *result =
        vow_any(stage->loop, VOW_FUTURES(stage_promise(stage, &loser), vow_value(stage->loop, NULL, NULL)));

    result = attach_object(result);
    assert_int_equal(vow_wait(result), VOW_OK);
    assert_false(vow_promise_wanted(loser));
    assert_int_equal(vow_future_code(vow_future_at(result, 0)), VOW_CANCELLED);
    vow_drop(result);
    assert_string_equal(diary_read(), "");
    vow_resolve(loser, NULL, NULL);
    assert_string_equal(diary_read(), "-object");
}

static void an_attached_object_outlives_the_work_that_a_timeout_has_cancelled(void **state)
{
    struct stage *stage = *state;
    vow_promise  *promise;
    vow_future   *result = attach_object(vow_timeout(stage_promise(stage, &promise), 1));

    assert_int_equal(vow_wait(result), VOW_DEADLINE_EXCEEDED);
    vow_drop(result);
    assert_string_equal(diary_read(), "");
    vow_resolve(promise, NULL, NULL);
    assert_string_equal(diary_read(), "-object");
}

static void a_watch_is_not_told_that_work_has_ended_while_a_timeout_cancels_it(void **state)
{
    struct stage *stage = *state;
    vow_promise  *promise;
    vow_future   *timeout = vow_timeout(stage_promise(stage, &promise), 1);

    vow_drop(attach_object(by_then(vow_future_ref(timeout))));
    assert_int_equal(vow_wait(timeout), VOW_DEADLINE_EXCEEDED);
    assert_string_equal(diary_read(), "");
    vow_resolve(promise, NULL, NULL);
    assert_string_equal(diary_read(), "-object");
    vow_drop(timeout);
}

/* A server that waits for `closed` or an answer again and again must not keep something of each time. */
static void losing_against_a_future_that_others_share_keeps_nothing(void **state)
{
    struct stage *stage = *state;
    vow_promise  *promise;
    vow_future   *closed = stage_promise(stage, &promise);
    vow_future   *answer = vow_value(stage->loop, word("answer"), diary_release);
    vow_future   *result = vow_race(stage->loop, VOW_FUTURES(vow_future_ref(closed), answer));

    assert_int_equal(vow_wait(result), VOW_OK);
    vow_drop(result);
    assert_string_equal(diary_read(), "-answer");
    assert_true(vow_promise_wanted(promise));
    vow_drop(closed);
    vow_resolve(promise, NULL, NULL);
}

static void drop_stored(void *arg)
{
    vow_future **stored = arg;

    vow_drop(*stored);
    diary_write("dropped");
}

static vow_future *sleep_or_fail(size_t index, void *arg)
{
    struct stage *stage = *(struct stage **)arg;

    if (index == 1)
        return vow_failure(stage->loop, VOW_ABORTED, "no");
    return vow_attach(vow_sleep(stage->loop, 1000), &stored_source, drop_stored);
}

static void a_release_may_drop_the_result_that_is_just_being_settled(void **state)
{
    struct stage *stage = *state;

    stored_source = vow_timeout(vow_attach(vow_sleep(stage->loop, 1000), &stored_source, drop_stored), 10);
    stage_advance_ms(stage, 10);
    assert_string_equal(diary_read(), "dropped");

    stored_source = vow_each(stage->loop, 2, 0, sleep_or_fail, &stage);
    stage_run(stage);
    assert_string_equal(diary_read(), "dropped");

    stored_source = by_then(vow_attach(vow_sleep(stage->loop, 1000), &stored_source, drop_stored));
    vow_cancel(stored_source);
    assert_string_equal(diary_read(), "dropped");
}

/* With threads of the pool. */

struct errand {
    sem_t begun;
    sem_t may_end;
    int   answer;
};

static struct errand *errand_new(void)
{
    struct errand *errand = calloc(1, sizeof *errand);

    assert_non_null(errand);
    sem_init(&errand->begun, 0, 0);
    sem_init(&errand->may_end, 0, 0);
    return errand;
}

static void errand_free(void *arg)
{
    struct errand *errand = arg;

    sem_destroy(&errand->begun);
    sem_destroy(&errand->may_end);
    free(errand);
    diary_write("-errand");
}

static vow_code errand_run(void *job, vow_error *error)
{
    struct errand *errand = job;

    (void)error;
    sem_post(&errand->begun);
    sem_wait(&errand->may_end);
    errand->answer = 42; /* a sanitizer would see that it was freed */
    return VOW_OK;
}

static void work_gives_its_job_as_value(void **state)
{
    struct stage  *stage = *state;
    struct errand *errand = errand_new();
    vow_future    *work = vow_work(stage->loop, errand_run, errand, errand_free);

    sem_post(&errand->may_end);
    assert_int_equal(vow_wait(work), VOW_OK);
    assert_int_equal(((struct errand *)vow_future_value(work))->answer, 42);
    assert_string_equal(diary_read(), "");
    vow_drop(work);
    assert_string_equal(diary_read(), "-errand");
}

static vow_code refuse(void *job, vow_error *error)
{
    return vow_error_set(error, VOW_PERMISSION_DENIED, "not %s", (const char *)job);
}

static void work_fails_with_what_its_function_said(void **state)
{
    struct stage *stage = *state;
    vow_future   *work = vow_work(stage->loop, refuse, word("today"), diary_release);

    assert_int_equal(vow_wait(work), VOW_PERMISSION_DENIED);
    assert_string_equal(vow_future_error(work), "PERMISSION_DENIED: not today");
    vow_drop(work);
    assert_string_equal(diary_read(), "-today");
}

static void work_that_runs_keeps_what_is_attached_to_a_dropped_result(void **state)
{
    struct stage  *stage = *state;
    struct errand *errand = errand_new();
    vow_future    *work = vow_work(stage->loop, errand_run, errand, NULL);

    sem_wait(&errand->begun);
    vow_drop(vow_attach(by_long_chain(work), errand, errand_free));
    assert_string_equal(diary_read(), "");
    sem_post(&errand->may_end);
    stage_run(stage);
    assert_string_equal(diary_read(), "-errand");
}

static void closing_the_loop_waits_for_work_that_runs(void **state)
{
    struct stage  *stage = *state;
    struct errand *errand = errand_new();

    vow_done(vow_work(stage->loop, errand_run, errand, errand_free), diary_done, word("work"));
    sem_wait(&errand->begun);
    vow_loop_close(stage->loop);
    stage->loop = NULL;
    sem_post(&errand->may_end);
    uv_run(stage->uv, UV_RUN_DEFAULT);
    assert_string_equal(diary_read(), "work:CANCELLED -errand");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_open, stage_close)
#define TEST_SIMULATED(name) cmocka_unit_test_setup_teardown(name, stage_open_simulated, stage_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_attached_is_released_with_the_last_handle),
        TEST(what_is_attached_is_released_once_the_work_has_ended_too),
        TEST(several_objects_are_all_released),
        TEST_SIMULATED(an_attached_object_outlives_the_work_of_a_result_that_was_dropped_or_cancelled),
        TEST_SIMULATED(an_attached_object_outlives_the_work_of_a_source_that_somebody_else_cancelled),
        TEST(an_attached_object_outlives_the_work_of_losers),
        TEST(an_attached_object_outlives_the_work_that_a_timeout_has_cancelled),
        TEST(a_watch_is_not_told_that_work_has_ended_while_a_timeout_cancels_it),
        TEST(losing_against_a_future_that_others_share_keeps_nothing),
        TEST_SIMULATED(a_release_may_drop_the_result_that_is_just_being_settled),
        TEST(work_gives_its_job_as_value),
        TEST(work_fails_with_what_its_function_said),
        TEST(work_that_runs_keeps_what_is_attached_to_a_dropped_result),
        TEST(closing_the_loop_waits_for_work_that_runs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
