/*
 * Adoption and long chains: what must take neither stack nor memory.
 */
#include "tests/support/failing.h"
#include "tests/support/futures.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define MILLION 1000000

static vow_future *number(vow_loop *loop, intptr_t value)
{
    return vow_value(loop, (void *)value, NULL);
}

static vow_future *add_one(vow_future *settled, void *arg)
{
    (void)arg;
    return number(vow_future_loop(settled), (intptr_t)vow_future_value(settled) + 1);
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

/* Adoption. */

static vow_future *give_stored(vow_future *settled, void *arg)
{
    vow_future **stored = arg;

    (void)settled;
    return *stored;
}

static void a_result_becomes_what_its_function_gave_also_later(void **state)
{
    struct stage *stage = *state;
    vow_promise  *promise;
    vow_future   *inner = stage_promise(stage, &promise);
    vow_future   *result = vow_then(vow_value(stage->loop, NULL, NULL), give_stored, &inner);

    stage_run(stage);
    assert_false(vow_future_settled(result));
    vow_reject(promise, VOW_DATA_LOSS, "torn");
    assert_fails(result, "DATA_LOSS: torn");
}

static void cancelling_a_result_cancels_what_it_has_adopted(void **state)
{
    struct stage *stage = *state;
    vow_promise  *promise;
    vow_future   *inner = stage_promise(stage, &promise);
    vow_future   *result = vow_then(vow_value(stage->loop, NULL, NULL), give_stored, &inner);

    stage_run(stage);
    assert_true(vow_promise_wanted(promise));
    vow_cancel(result);
    assert_false(vow_promise_wanted(promise));
    vow_drop(result);
    vow_resolve(promise, NULL, NULL);
}

static vow_future *pass_on(vow_future *settled, void *arg)
{
    (void)arg;
    return vow_future_ref(settled);
}

/* Each result adopts the one before, which has adopted already. */
static void adoption_of_adoptions_of_one_pending_future_takes_no_memory(void **state)
{
    struct stage *stage = *state;
    vow_promise  *promise;
    vow_future   *result = stage_promise(stage, &promise);
    size_t        blocks = 0;

    for (int i = 0; i < 10000; i++) {
        vow_future *inner = result;

        result = vow_attach(vow_then(vow_value(stage->loop, NULL, NULL), give_stored, &inner), NULL, NULL);
        stage_run(stage);
        assert_false(vow_future_settled(result));
        blocks = failing_outstanding() > blocks ? failing_outstanding() : blocks;
    }
    assert_true(blocks < 200);
    vow_cancel(result);
    assert_false(vow_promise_wanted(promise));
    vow_drop(result);
    vow_resolve(promise, NULL, NULL);
}

static void a_value_that_is_passed_on_again_and_again_keeps_only_its_origin(void **state)
{
    struct stage *stage = *state;
    vow_future   *result = vow_value(stage->loop, word("v"), diary_release);
    size_t        blocks = 0;

    for (int i = 0; i < 10000; i++) {
        result = vow_recover(vow_then(vow_timeout(vow_shield(result), 1000), pass_on, NULL), pass_on, NULL);
        stage_run(stage);
        assert_string_equal(vow_future_value(result), "v");
        blocks = failing_outstanding() > blocks ? failing_outstanding() : blocks;
    }
    assert_true(blocks < 200);
    assert_string_equal(diary_read(), "");
    vow_drop(result);
    assert_string_equal(diary_read(), "-v");
}

/* Feeds itself `left` times with futures that have settled. */
struct feeder {
    struct stage *stage;
    size_t        left;
    size_t        most; /* blocks that were out at one time */
    int64_t       sum;
};

static vow_future *feed(vow_future *settled, void *arg)
{
    struct feeder *feeder = arg;
    vow_loop      *loop = vow_future_loop(settled);

    if (failing_outstanding() > feeder->most)
        feeder->most = failing_outstanding();
    feeder->sum++;
    if (feeder->left-- == 0)
        return vow_value(loop, feeder, NULL);
    return vow_then(vow_value(loop, NULL, NULL), feed, feeder);
}

static void feed_a_million(void *arg)
{
    struct feeder *feeder = arg;
    vow_future    *fed;

    feeder->stage = stage_new(true);
    fed = vow_then(vow_value(feeder->stage->loop, NULL, NULL), feed, feeder);
    assert_int_equal(vow_wait(fed), VOW_OK);
    assert_ptr_equal(vow_future_value(fed), feeder);
    vow_drop(fed);
    stage_free(feeder->stage);
}

static void a_million_adoptions_take_no_stack_and_no_memory(void **state)
{
    struct feeder feeder = { .left = MILLION };

    (void)state;
    with_little_stack(feed_a_million, &feeder);
    assert_int_equal(feeder.sum, MILLION + 1);
    assert_true(feeder.most < 200);
}

/* The same with futures that are pending when they are adopted. */
static vow_future *feed_after(vow_future *settled, void *arg)
{
    struct feeder *feeder = arg;
    vow_loop      *loop = vow_future_loop(settled);

    if (failing_outstanding() > feeder->most)
        feeder->most = failing_outstanding();
    if (feeder->left-- == 0)
        return vow_value(loop, feeder, NULL);
    return vow_then(vow_sleep(loop, 1), feed_after, feeder);
}

static void feed_a_million_later(void *arg)
{
    struct feeder *feeder = arg;
    vow_future    *fed;

    feeder->stage = stage_new(true);
    fed = vow_then(vow_sleep(feeder->stage->loop, 1), feed_after, feeder);
    assert_int_equal(vow_wait(fed), VOW_OK);
    vow_drop(fed);
    stage_free(feeder->stage);
}

static void a_million_adoptions_of_pending_futures_take_no_memory(void **state)
{
    struct feeder feeder = { .left = MILLION };

    (void)state;
    with_little_stack(feed_a_million_later, &feeder);
    assert_true(feeder.most < 200);
}

static vow_future *feed_with_something_attached(vow_future *settled, void *arg)
{
    struct feeder *feeder = arg;
    vow_loop      *loop = vow_future_loop(settled);

    if (feeder->left-- == 0)
        return NULL;
    return vow_attach(vow_then(vow_sleep(loop, 1), feed_with_something_attached, feeder), word("x"),
                      diary_release);
}

/* A later link may use what an earlier one was given. */
static void what_is_attached_to_a_link_is_released_after_all_that_it_has_adopted(void **state)
{
    struct stage *stage = *state;
    struct feeder feeder = { .left = 3 };
    vow_future   *fed = vow_then(vow_value(stage->loop, NULL, NULL), feed_with_something_attached, &feeder);

    stage_advance_ms(stage, 2);
    assert_false(vow_future_settled(fed));
    assert_string_equal(diary_read(), "");
    stage_advance_ms(stage, 1);
    assert_int_equal(vow_future_code(fed), VOW_OK);
    vow_drop(fed);
    assert_string_equal(diary_read(), "-x -x -x");
}

/* Long chains. */

static vow_future *chain_of_a_million(vow_future *future)
{
    for (int i = 0; i < MILLION; i++)
        future = vow_then(future, add_one, NULL);
    return future;
}

static void run_a_chain(void *arg)
{
    struct stage *stage = stage_new(true);
    vow_future   *chain = chain_of_a_million(number(stage->loop, 0));

    (void)arg;
    assert_number(chain, MILLION);
    stage_free(stage);
}

static void fail_a_chain(void *arg)
{
    struct stage *stage = stage_new(true);

    (void)arg;
    assert_fails(chain_of_a_million(vow_failure(stage->loop, VOW_ABORTED, "no")), "ABORTED: no");
    stage_free(stage);
}

static void cancel_a_chain(void *arg)
{
    struct stage *stage = stage_new(true);
    vow_promise  *promise;
    vow_future   *chain = chain_of_a_million(stage_promise(stage, &promise));

    (void)arg;
    vow_cancel(chain);
    assert_false(vow_promise_wanted(promise));
    vow_drop(chain);
    vow_resolve(promise, NULL, NULL);
    stage_free(stage);
}

static void drop_a_chain(void *arg)
{
    struct stage *stage = stage_new(true);
    vow_promise  *promise;

    (void)arg;
    vow_drop(vow_attach(chain_of_a_million(stage_promise(stage, &promise)), word("end"), diary_release));
    assert_false(vow_promise_wanted(promise));
    assert_string_equal(diary_read(), "");
    vow_reject(promise, VOW_ABORTED, "at last");
    assert_string_equal(diary_read(), "-end");
    stage_free(stage);
}

static void a_chain_of_a_million_links_takes_no_stack(void **state)
{
    (void)state;
    with_little_stack(run_a_chain, NULL);
    with_little_stack(fail_a_chain, NULL);
}

static void cancelling_or_dropping_a_chain_of_a_million_links_takes_no_stack(void **state)
{
    (void)state;
    with_little_stack(cancel_a_chain, NULL);
    with_little_stack(drop_a_chain, NULL);
}

static vow_future *feed_for_ever(vow_future *settled, void *arg)
{
    bool *over = arg;

    return *over ? NULL : vow_then(vow_future_ref(settled), feed_for_ever, arg);
}

static void timer_ends_it(uv_timer_t *timer)
{
    bool *over = timer->data;

    *over = true;
    uv_close((uv_handle_t *)timer, NULL);
}

static void a_chain_that_feeds_itself_leaves_the_applications_own_handles_their_turn(void **state)
{
    struct stage *stage = *state;
    bool          over = false;
    uv_timer_t    timer = { .data = &over };
    vow_future   *fed = vow_then(vow_value(stage->loop, NULL, NULL), feed_for_ever, &over);

    uv_timer_init(stage->uv, &timer);
    uv_timer_start(&timer, timer_ends_it, 1, 0);
    stage_run(stage);
    assert_true(over);
    assert_int_equal(vow_future_code(fed), VOW_OK);
    vow_drop(fed);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_open, stage_close)
#define TEST_SIMULATED(name) cmocka_unit_test_setup_teardown(name, stage_open_simulated, stage_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_result_becomes_what_its_function_gave_also_later),
        TEST(cancelling_a_result_cancels_what_it_has_adopted),
        TEST_SIMULATED(adoption_of_adoptions_of_one_pending_future_takes_no_memory),
        TEST_SIMULATED(a_value_that_is_passed_on_again_and_again_keeps_only_its_origin),
        TEST_SIMULATED(what_is_attached_to_a_link_is_released_after_all_that_it_has_adopted),
        cmocka_unit_test(a_million_adoptions_take_no_stack_and_no_memory),
        cmocka_unit_test(a_million_adoptions_of_pending_futures_take_no_memory),
        cmocka_unit_test(a_chain_of_a_million_links_takes_no_stack),
        cmocka_unit_test(cancelling_or_dropping_a_chain_of_a_million_links_takes_no_stack),
        TEST(a_chain_that_feeds_itself_leaves_the_applications_own_handles_their_turn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
