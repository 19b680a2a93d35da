#include "tests/support/futures.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>

#define JOBS 10
#define MILLION 1000000

/* Jobs that stay pending until the test ends them. */
struct jobs {
    struct stage *stage;
    vow_promise  *promises[JOBS];
    size_t        started;
};

static vow_future *job_start(size_t index, void *arg)
{
    struct jobs *jobs = arg;

    assert_int_equal(index, jobs->started);
    jobs->started++;
    return stage_promise(jobs->stage, &jobs->promises[index]);
}

static void job_end(struct jobs *jobs, size_t index, vow_code code)
{
    if (code == VOW_OK)
        vow_resolve(jobs->promises[index], NULL, NULL);
    else
        vow_reject(jobs->promises[index], code, "job %zu", index);
    jobs->promises[index] = NULL;
    stage_run(jobs->stage);
}

/* Ends what is left and gives how many of these were cancelled. */
static size_t jobs_end(struct jobs *jobs)
{
    size_t cancelled = 0;

    for (size_t i = 0; i < jobs->started; i++) {
        if (jobs->promises[i] && !vow_promise_wanted(jobs->promises[i]))
            cancelled++;
        vow_resolve(jobs->promises[i], NULL, NULL);
    }
    return cancelled;
}

/* each. */

static void no_job_starts_inside_the_call(void **state)
{
    struct jobs jobs = { .stage = *state };
    vow_future *each = vow_each(jobs.stage->loop, 3, 0, job_start, &jobs);

    assert_int_equal(jobs.started, 0);
    stage_run(jobs.stage);
    assert_int_equal(jobs.started, 3);
    vow_drop(each);
    assert_int_equal(jobs_end(&jobs), 3);
}

static void each_keeps_as_many_running_as_it_was_told_and_no_more(void **state)
{
    struct jobs jobs = { .stage = *state };
    vow_future *each = vow_each(jobs.stage->loop, JOBS, 3, job_start, &jobs);

    stage_run(jobs.stage);
    assert_int_equal(jobs.started, 3);
    for (size_t ended = 0; ended < JOBS; ended++) {
        size_t order[JOBS] = { 1, 0, 3, 2, 5, 4, 7, 6, 9, 8 };

        assert_false(vow_future_settled(each));
        job_end(&jobs, order[ended], VOW_OK);
        assert_int_equal(jobs.started, ended + 4 < JOBS ? ended + 4 : JOBS);
    }
    assert_int_equal(vow_future_code(each), VOW_OK);
    vow_drop(each);
}

static void none_at_once_means_all_at_once(void **state)
{
    struct jobs jobs = { .stage = *state };
    vow_future *each = vow_each(jobs.stage->loop, JOBS, 0, job_start, &jobs);

    stage_run(jobs.stage);
    assert_int_equal(jobs.started, JOBS);
    for (size_t i = 0; i < JOBS; i++)
        job_end(&jobs, i, VOW_OK);
    assert_int_equal(vow_future_code(each), VOW_OK);
    vow_drop(each);
}

static void more_at_once_than_there_are_is_all(void **state)
{
    struct jobs jobs = { .stage = *state };
    vow_future *each = vow_each(jobs.stage->loop, 2, SIZE_MAX, job_start, &jobs);

    stage_run(jobs.stage);
    assert_int_equal(jobs.started, 2);
    vow_drop(each);
    jobs_end(&jobs);
}

static void the_first_failure_ends_it_and_cancels_the_rest(void **state)
{
    struct jobs jobs = { .stage = *state };
    vow_future *each = vow_each(jobs.stage->loop, JOBS, 4, job_start, &jobs);

    stage_run(jobs.stage);
    job_end(&jobs, 1, VOW_OK);
    job_end(&jobs, 2, VOW_ABORTED);
    assert_string_equal(vow_future_error(each), "ABORTED: job 2");
    assert_int_equal(jobs.started, 5);
    assert_int_equal(jobs_end(&jobs), 3);
    vow_drop(each);
}

static void cancelling_each_cancels_what_runs_and_starts_no_more(void **state)
{
    struct jobs jobs = { .stage = *state };
    vow_future *each = vow_each(jobs.stage->loop, JOBS, 4, job_start, &jobs);

    stage_run(jobs.stage);
    vow_cancel(each);
    stage_run(jobs.stage);
    assert_int_equal(jobs.started, 4);
    assert_int_equal(jobs_end(&jobs), 4);
    vow_drop(each);
}

static void each_that_was_dropped_at_once_starts_nothing(void **state)
{
    struct jobs jobs = { .stage = *state };

    vow_drop(vow_each(jobs.stage->loop, JOBS, 4, job_start, &jobs));
    stage_run(jobs.stage);
    assert_int_equal(jobs.started, 0);
}

static void no_jobs_are_a_success(void **state)
{
    struct jobs jobs = { .stage = *state };
    vow_future *each = vow_each(jobs.stage->loop, 0, 4, job_start, &jobs);

    assert_int_equal(vow_wait(each), VOW_OK);
    assert_int_equal(jobs.started, 0);
    vow_drop(each);
}

static vow_future *every_other_is_nothing(size_t index, void *arg)
{
    struct stage *stage = arg;

    diary_write("%zu", index);
    return index % 2 ? NULL : vow_value(stage->loop, NULL, NULL);
}

static void a_job_may_be_nothing(void **state)
{
    struct stage *stage = *state;
    vow_future   *each = vow_each(stage->loop, 5, 2, every_other_is_nothing, stage);

    assert_int_equal(vow_wait(each), VOW_OK);
    assert_string_equal(diary_read(), "0 1 2 3 4");
    vow_drop(each);
}

struct dropper {
    struct stage *stage;
    vow_future   *each;
};

static vow_future *drop_the_whole(size_t index, void *arg)
{
    struct dropper *dropper = arg;

    diary_write("%zu", index);
    vow_drop(dropper->each);
    return vow_attach(vow_sleep(dropper->stage->loop, 1000), word("job"), diary_release);
}

static void a_start_may_drop_the_whole_and_its_job_is_cancelled(void **state)
{
    struct dropper dropper = { *state, NULL };

    dropper.each = vow_each(dropper.stage->loop, 5, 2, drop_the_whole, &dropper);
    stage_run(dropper.stage);
    assert_string_equal(diary_read(), "0 -job");
}

struct synchronous {
    struct stage *stage;
    size_t        started;
    bool          gives_value;
};

static vow_future *synchronous_job(size_t index, void *arg)
{
    struct synchronous *jobs = arg;

    (void)index;
    jobs->started++;
    return jobs->gives_value ? vow_value(jobs->stage->loop, NULL, NULL) : NULL;
}

static void run_synchronous_jobs(void *arg)
{
    struct synchronous jobs = { .stage = stage_new(true) };

    (void)arg;
    for (int gives_value = 0; gives_value < 2; gives_value++) {
        vow_future *each;

        jobs.started = 0;
        jobs.gives_value = gives_value;
        each = vow_each(jobs.stage->loop, MILLION, 7, synchronous_job, &jobs);
        assert_int_equal(vow_wait(each), VOW_OK);
        assert_int_equal(jobs.started, MILLION);
        vow_drop(each);
    }
    stage_free(jobs.stage);
}

static void a_million_jobs_that_end_at_once_take_no_stack(void **state)
{
    (void)state;
    with_little_stack(run_synchronous_jobs, NULL);
}

static vow_future *endless_job(size_t index, void *arg)
{
    (void)index;
    (void)arg;
    return NULL;
}

static void timer_fired(uv_timer_t *timer)
{
    bool *over = timer->data;

    *over = true;
    uv_stop(timer->loop);
    uv_close((uv_handle_t *)timer, NULL);
}

static void jobs_that_end_at_once_leave_the_applications_own_handles_their_turn(void **state)
{
    struct stage *stage = *state;
    bool          over = false;
    uv_timer_t    timer = { .data = &over };
    vow_future   *each = vow_each(stage->loop, SIZE_MAX, 1, endless_job, NULL);

    uv_timer_init(stage->uv, &timer);
    uv_timer_start(&timer, timer_fired, 1, 0);
    uv_run(stage->uv, UV_RUN_DEFAULT);
    assert_true(over);
    vow_drop(each);
}

/* retry. */

/* Attempts that fail with `code` until the last of `failures`. */
struct attempts {
    vow_loop *loop;
    vow_code  code;
    size_t    failures;
    size_t    made;
    uint64_t  at_ns[16];
};

static vow_future *attempt(size_t index, void *arg)
{
    struct attempts *attempts = arg;

    assert_int_equal(index, attempts->made);
    attempts->at_ns[attempts->made++] = vow_loop_now_ns(attempts->loop);
    if (attempts->made <= attempts->failures)
        return vow_failure(attempts->loop, attempts->code, "attempt %zu", index);
    return vow_value(attempts->loop, word("done"), NULL);
}

static void assert_retry(struct stage *stage, vow_code code, size_t failures, size_t attempts, size_t made,
                         const char *error)
{
    struct attempts tried = { .loop = stage->loop, .code = code, .failures = failures };
    vow_future     *retry = vow_retry(stage->loop, attempts, 10, attempt, &tried);

    assert_int_equal(tried.made, 0);
    vow_wait(retry);
    assert_string_equal(vow_future_error(retry), error);
    assert_int_equal(tried.made, made);
    vow_drop(retry);
}

static void what_may_pass_is_tried_again_and_nothing_else(void **state)
{
    struct stage *stage = *state;

    for (int code = VOW_CANCELLED; code <= VOW_UNAUTHENTICATED; code++) {
        bool passes = code == VOW_UNAVAILABLE || code == VOW_RESOURCE_EXHAUSTED || code == VOW_ABORTED;
        char error[64];

        snprintf(error, sizeof error, "%s: attempt 0", vow_code_name((vow_code)code));
        assert_retry(stage, (vow_code)code, 1, 3, passes ? 2 : 1, passes ? "OK" : error);
    }
}

static void there_are_as_many_attempts_as_it_was_told_and_no_more(void **state)
{
    struct stage *stage = *state;

    assert_retry(stage, VOW_ABORTED, 0, 3, 1, "OK");
    assert_retry(stage, VOW_ABORTED, 2, 3, 3, "OK");
    assert_retry(stage, VOW_ABORTED, 3, 3, 3, "ABORTED: attempt 2");
    assert_retry(stage, VOW_ABORTED, 1, 1, 1, "ABORTED: attempt 0");
    assert_retry(stage, VOW_ABORTED, 1, 0, 0, "INVALID_ARGUMENT: retry: no attempts");
}

static vow_future *attempt_nothing(size_t index, void *arg)
{
    (void)index;
    (void)arg;
    return NULL;
}

static void an_attempt_may_be_nothing(void **state)
{
    struct stage *stage = *state;
    vow_future   *retry = vow_retry(stage->loop, 3, 10, attempt_nothing, NULL);

    assert_int_equal(vow_wait(retry), VOW_OK);
    assert_null(vow_future_value(retry));
    vow_drop(retry);
}

/* The pauses of one run, in parts of a thousand of what they would be without chance. */
static void measure_pauses(uint64_t seed, double *least, double *most)
{
    struct attempts tried = { .loop = vow_loop_simulated(seed), .code = VOW_UNAVAILABLE, .failures = 16 };
    double          expected_ms = 20000;

    vow_done(vow_retry(tried.loop, 6, 20000, attempt, &tried), diary_done, word("end"));
    vow_loop_advance(tried.loop, 3600000);
    assert_int_equal(tried.made, 6);
    for (size_t i = 1; i < tried.made; i++) {
        double ratio = (double)(tried.at_ns[i] - tried.at_ns[i - 1]) / 1e6 / expected_ms;

        *least = ratio < *least ? ratio : *least;
        *most = ratio > *most ? ratio : *most;
        expected_ms = expected_ms * 2 > 120000 ? 120000 : expected_ms * 2;
    }
    vow_loop_close(tried.loop);
    assert_string_equal(diary_read(), "end:UNAVAILABLE");
}

static void the_pause_doubles_up_to_two_minutes_and_is_spread_by_a_fifth(void **state)
{
    double least = 1;
    double most = 1;

    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++)
        measure_pauses(seed, &least, &most);
    assert_true(least >= 0.8 && least < 0.805);
    assert_true(most <= 1.2001 && most > 1.195);
}

static void a_pause_can_be_cancelled(void **state)
{
    struct stage   *stage = *state;
    struct attempts tried = { .loop = stage->loop, .code = VOW_ABORTED, .failures = 9 };
    vow_future     *retry = vow_retry(stage->loop, 5, 1000, attempt, &tried);

    stage_advance_ms(stage, 10);
    assert_int_equal(tried.made, 1);
    vow_cancel(retry);
    assert_int_equal(vow_future_code(retry), VOW_CANCELLED);
    stage_advance_ms(stage, 100000);
    assert_int_equal(tried.made, 1);
    vow_drop(retry);
}

static void a_pause_keeps_the_loop_going_and_its_end_lets_it_go(void **state)
{
    struct stage   *stage = *state;
    struct attempts tried = { .loop = stage->loop, .code = VOW_ABORTED, .failures = 1 };

    vow_done(vow_retry(stage->loop, 5, 1, attempt, &tried), diary_done, word("end"));
    uv_run(stage->uv, UV_RUN_DEFAULT);
    assert_string_equal(diary_read(), "end:OK");
}

static void cancelling_a_retry_cancels_the_attempt_that_runs(void **state)
{
    struct jobs jobs = { .stage = *state };
    vow_future *retry = vow_retry(jobs.stage->loop, 5, 1, job_start, &jobs);

    stage_run(jobs.stage);
    assert_int_equal(jobs.started, 1);
    vow_drop(retry);
    assert_int_equal(jobs_end(&jobs), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_open, stage_close)
#define TEST_SIMULATED(name) cmocka_unit_test_setup_teardown(name, stage_open_simulated, stage_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_job_starts_inside_the_call),
        TEST(each_keeps_as_many_running_as_it_was_told_and_no_more),
        TEST(none_at_once_means_all_at_once),
        TEST(more_at_once_than_there_are_is_all),
        TEST(the_first_failure_ends_it_and_cancels_the_rest),
        TEST(cancelling_each_cancels_what_runs_and_starts_no_more),
        TEST(each_that_was_dropped_at_once_starts_nothing),
        TEST(no_jobs_are_a_success),
        TEST(a_job_may_be_nothing),
        TEST(a_start_may_drop_the_whole_and_its_job_is_cancelled),
        cmocka_unit_test(a_million_jobs_that_end_at_once_take_no_stack),
        TEST(jobs_that_end_at_once_leave_the_applications_own_handles_their_turn),
        TEST_SIMULATED(what_may_pass_is_tried_again_and_nothing_else),
        TEST_SIMULATED(there_are_as_many_attempts_as_it_was_told_and_no_more),
        TEST_SIMULATED(an_attempt_may_be_nothing),
        cmocka_unit_test(the_pause_doubles_up_to_two_minutes_and_is_spread_by_a_fifth),
        TEST_SIMULATED(a_pause_can_be_cancelled),
        TEST(a_pause_keeps_the_loop_going_and_its_end_lets_it_go),
        TEST(cancelling_a_retry_cancels_the_attempt_that_runs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
