#include "tests/support/futures.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>

#define MANY 100000

/* Three futures whose promises the test settles in the order it likes. */
struct three {
    vow_promise *promises[3];
    vow_future  *futures[3];
};

static void three_make(struct stage *stage, struct three *three)
{
    for (int i = 0; i < 3; i++)
        three->futures[i] = stage_promise(stage, &three->promises[i]);
}

static void three_succeed(struct three *three, int at, const char *value)
{
    vow_resolve(three->promises[at], word(value), NULL);
    three->promises[at] = NULL;
}

static void three_fail(struct three *three, int at, vow_code code)
{
    vow_reject(three->promises[at], code, "part %d", at);
    three->promises[at] = NULL;
}

/* Settles what is left, and says which of it was cancelled before: "012". */
static const char *three_end(struct three *three)
{
    static char cancelled[4];
    size_t      count = 0;

    for (int i = 0; i < 3; i++) {
        if (three->promises[i] && !vow_promise_wanted(three->promises[i]))
            cancelled[count++] = (char)('0' + i);
        vow_resolve(three->promises[i], NULL, NULL);
    }
    cancelled[count] = '\0';
    return cancelled;
}

static void assert_pending(struct stage *stage, vow_future *future)
{
    stage_run(stage);
    assert_false(vow_future_settled(future));
}

static void assert_error(struct stage *stage, vow_future *future, const char *error)
{
    stage_run(stage);
    assert_string_equal(vow_future_error(future), error);
}

static void assert_part(vow_future *future, size_t index, const char *value)
{
    assert_string_equal(vow_future_value(vow_future_at(future, index)), value);
}

/* all. */

static void all_succeeds_with_the_last_and_lends_every_part(void **state)
{
    struct stage *stage = *state;
    struct three  three;
    vow_future   *all;

    three_make(stage, &three);
    all = vow_all(stage->loop, 3, three.futures);
    three_succeed(&three, 2, "c");
    three_succeed(&three, 0, "a");
    assert_pending(stage, all);
    assert_false(vow_future_settled(vow_future_at(all, 1)));
    three_succeed(&three, 1, "b");
    assert_error(stage, all, "OK");
    assert_part(all, 0, "a");
    assert_part(all, 1, "b");
    assert_part(all, 2, "c");
    assert_null(vow_future_at(all, 3));
    vow_drop(all);
}

static void all_fails_with_the_first_failure_and_cancels_the_rest(void **state)
{
    struct stage *stage = *state;
    struct three  three;
    vow_future   *all;

    three_make(stage, &three);
    all = vow_all(stage->loop, 3, three.futures);
    three_succeed(&three, 2, "c");
    three_fail(&three, 1, VOW_ABORTED);
    assert_error(stage, all, "ABORTED: part 1");
    assert_string_equal(three_end(&three), "0");
    assert_part(all, 2, "c");
    assert_int_equal(vow_future_code(vow_future_at(all, 0)), VOW_CANCELLED);
    assert_int_equal(vow_future_code(vow_future_at(all, 1)), VOW_ABORTED);
    vow_drop(all);
}

static void parts_are_lent_through_what_passes_the_outcome_on(void **state)
{
    struct stage *stage = *state;
    vow_future   *all = vow_all(stage->loop, VOW_FUTURES(vow_value(stage->loop, word("a"), NULL)));

    all = vow_shield(vow_timeout(vow_recover(all, diary_then, word("no")), 1000));
    assert_error(stage, all, "OK");
    assert_part(all, 0, "a");
    assert_null(vow_future_at(all, 1));
    vow_drop(all);
}

static void dropping_or_cancelling_a_combination_cancels_every_part(void **state)
{
    struct stage *stage = *state;
    struct three  three;
    vow_future   *all;

    three_make(stage, &three);
    vow_drop(vow_all(stage->loop, 3, three.futures));
    assert_string_equal(three_end(&three), "012");
    three_make(stage, &three);
    all = vow_all_settled(stage->loop, 3, three.futures);
    vow_cancel(all);
    assert_string_equal(three_end(&three), "012");
    assert_error(stage, all, "CANCELLED: cancelled");
    vow_drop(all);
}

static void a_part_that_others_hold_is_not_cancelled_with_the_rest(void **state)
{
    struct stage *stage = *state;
    struct three  three;
    vow_future   *held;
    vow_future   *all;

    three_make(stage, &three);
    held = vow_future_ref(three.futures[0]);
    all = vow_all(stage->loop, 3, three.futures);
    three_fail(&three, 1, VOW_ABORTED);
    assert_error(stage, all, "ABORTED: part 1");
    vow_drop(all);
    assert_string_equal(three_end(&three), "2");
    assert_int_equal(vow_future_code(held), VOW_OK);
    vow_drop(held);
}

static void the_same_future_may_be_a_part_twice(void **state)
{
    struct stage *stage = *state;
    vow_promise  *promise;
    vow_future   *future = stage_promise(stage, &promise);
    vow_future   *all = vow_all(stage->loop, VOW_FUTURES(vow_future_ref(future), future));

    vow_resolve(promise, word("v"), NULL);
    assert_error(stage, all, "OK");
    assert_part(all, 0, "v");
    assert_part(all, 1, "v");
    vow_drop(all);
}

static vow_future *keep_first_part(vow_future *all, void *arg)
{
    (void)arg;
    return vow_future_ref(vow_future_at(all, 0));
}

static void a_part_may_be_kept_beyond_its_combination(void **state)
{
    struct stage *stage = *state;
    vow_future   *all = vow_all(stage->loop, VOW_FUTURES(vow_value(stage->loop, word("a"), diary_release)));
    vow_future   *first = vow_then(all, keep_first_part, NULL);

    assert_error(stage, first, "OK");
    assert_string_equal(vow_future_value(first), "a");
    assert_string_equal(diary_read(), "");
    vow_drop(first);
    assert_string_equal(diary_read(), "-a");
}

/* all_settled. */

static void all_settled_waits_for_every_part_and_always_succeeds(void **state)
{
    struct stage *stage = *state;
    struct three  three;
    vow_future   *all;

    three_make(stage, &three);
    all = vow_all_settled(stage->loop, 3, three.futures);
    three_fail(&three, 0, VOW_ABORTED);
    three_fail(&three, 2, VOW_NOT_FOUND);
    assert_pending(stage, all);
    three_succeed(&three, 1, "b");
    assert_error(stage, all, "OK");
    assert_int_equal(vow_future_code(vow_future_at(all, 2)), VOW_NOT_FOUND);
    assert_part(all, 1, "b");
    vow_drop(all);
}

/* any. */

static void any_becomes_the_first_success_and_cancels_the_rest(void **state)
{
    struct stage *stage = *state;
    struct three  three;
    vow_future   *any;

    three_make(stage, &three);
    any = vow_any(stage->loop, 3, three.futures);
    three_fail(&three, 0, VOW_ABORTED);
    assert_pending(stage, any);
    three_succeed(&three, 2, "c");
    assert_error(stage, any, "OK");
    assert_string_equal(vow_future_value(any), "c");
    assert_string_equal(three_end(&three), "1");
    vow_drop(any);
}

static void any_fails_with_the_last_failure(void **state)
{
    struct stage *stage = *state;
    struct three  three;
    vow_future   *any;

    three_make(stage, &three);
    any = vow_any(stage->loop, 3, three.futures);
    three_fail(&three, 0, VOW_ABORTED);
    three_fail(&three, 2, VOW_NOT_FOUND);
    assert_pending(stage, any);
    three_fail(&three, 1, VOW_DATA_LOSS);
    assert_error(stage, any, "DATA_LOSS: part 1");
    assert_int_equal(vow_future_code(vow_future_at(any, 0)), VOW_ABORTED);
    vow_drop(any);
}

/* race. */

static void race_becomes_the_first_that_settles_also_a_failure(void **state)
{
    struct stage *stage = *state;
    struct three  three;
    vow_future   *race;

    three_make(stage, &three);
    race = vow_race(stage->loop, 3, three.futures);
    assert_pending(stage, race);
    three_fail(&three, 1, VOW_ABORTED);
    assert_error(stage, race, "ABORTED: part 1");
    assert_string_equal(three_end(&three), "02");
    vow_drop(race);
}

static void of_two_that_settle_in_a_row_the_earlier_wins_the_race(void **state)
{
    struct stage *stage = *state;
    struct three  three;
    vow_future   *race;

    three_make(stage, &three);
    race = vow_race(stage->loop, 3, three.futures);
    three_succeed(&three, 2, "c");
    three_succeed(&three, 0, "a");
    assert_error(stage, race, "OK");
    assert_string_equal(vow_future_value(race), "c");
    assert_string_equal(three_end(&three), "1");
    vow_drop(race);
}

/* quorum. */

static void quorum_succeeds_with_enough_and_cancels_the_rest(void **state)
{
    struct stage *stage = *state;
    struct three  three;
    vow_future   *quorum;

    three_make(stage, &three);
    quorum = vow_quorum(stage->loop, 2, 3, three.futures);
    three_succeed(&three, 2, "c");
    assert_pending(stage, quorum);
    three_succeed(&three, 0, "a");
    assert_error(stage, quorum, "OK");
    assert_part(quorum, 2, "c");
    assert_string_equal(three_end(&three), "1");
    vow_drop(quorum);
}

static void quorum_fails_as_soon_as_it_cannot_be_reached(void **state)
{
    struct stage *stage = *state;
    struct three  three;
    vow_future   *quorum;

    three_make(stage, &three);
    quorum = vow_quorum(stage->loop, 2, 3, three.futures);
    three_fail(&three, 2, VOW_ABORTED);
    assert_pending(stage, quorum);
    three_fail(&three, 0, VOW_NOT_FOUND);
    assert_error(stage, quorum, "NOT_FOUND: part 0");
    assert_string_equal(three_end(&three), "1");
    vow_drop(quorum);
}

static void a_quorum_of_none_succeeds_and_cancels_all(void **state)
{
    struct stage *stage = *state;
    struct three  three;
    vow_future   *quorum;

    three_make(stage, &three);
    quorum = vow_quorum(stage->loop, 0, 3, three.futures);
    assert_error(stage, quorum, "OK");
    assert_string_equal(three_end(&three), "012");
    vow_drop(quorum);
}

static void a_quorum_of_more_than_there_are_fails_at_once(void **state)
{
    struct stage *stage = *state;
    struct three  three;
    vow_future   *quorum;

    three_make(stage, &three);
    quorum = vow_quorum(stage->loop, 3, 3, three.futures);
    assert_pending(stage, quorum);
    vow_drop(quorum);
    three_end(&three);
    three_make(stage, &three);
    quorum = vow_quorum(stage->loop, 4, 3, three.futures);
    assert_string_equal(vow_future_error(quorum), "INVALID_ARGUMENT: quorum: 4 of 3 futures can't succeed");
    assert_string_equal(three_end(&three), "012");
    vow_drop(quorum);
}

/* Empty. */

static void empty_combinations_are_settled_from_the_start(void **state)
{
    struct stage *stage = *state;
    vow_loop     *loop = stage->loop;
    struct {
        vow_future *future;
        vow_code    code;
    } cases[] = {
        { vow_all(loop, 0, NULL), VOW_OK },
        { vow_all_settled(loop, 0, NULL), VOW_OK },
        { vow_as_completed(loop, 0, NULL, diary_done, word("no")), VOW_OK },
        { vow_quorum(loop, 0, 0, NULL), VOW_OK },
        { vow_any(loop, 0, NULL), VOW_INVALID_ARGUMENT },
        { vow_race(loop, 0, NULL), VOW_INVALID_ARGUMENT },
        { vow_quorum(loop, 1, 0, NULL), VOW_INVALID_ARGUMENT },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_true(vow_future_settled(cases[i].future));
        assert_int_equal(vow_future_code(cases[i].future), cases[i].code);
        vow_drop(cases[i].future);
    }
    stage_run(stage);
    assert_string_equal(diary_read(), "");
}

/* as_completed. */

static void write_part(vow_future *settled, void *arg)
{
    const char *value = vow_future_value(settled);

    (void)arg;
    diary_write("%s", value ? value : vow_code_name(vow_future_code(settled)));
}

static void as_completed_shows_every_part_in_the_order_of_settlement(void **state)
{
    struct stage *stage = *state;
    struct three  three;
    vow_future   *whole;

    three_make(stage, &three);
    whole = vow_as_completed(stage->loop, 3, three.futures, write_part, NULL);
    vow_done(whole, diary_done, word("whole"));
    three_succeed(&three, 2, "c");
    three_fail(&three, 0, VOW_ABORTED);
    stage_run(stage);
    assert_string_equal(diary_read(), "c ABORTED");
    three_succeed(&three, 1, "b");
    stage_run(stage);
    assert_string_equal(diary_read(), "b whole:OK");
}

static void drop_whole(vow_future *settled, void *arg)
{
    vow_future **whole = arg;

    vow_drop(*whole);
    *whole = NULL;
    diary_write("%s", (const char *)vow_future_value(settled)); /* is lent until this returns */
}

static void as_completed_may_be_dropped_by_its_own_function(void **state)
{
    struct stage *stage = *state;
    struct three  three;
    vow_future   *whole;

    three_make(stage, &three);
    whole = vow_as_completed(stage->loop, 3, three.futures, drop_whole, &whole);
    three_succeed(&three, 1, "b");
    three_succeed(&three, 0, "a");
    stage_run(stage);
    assert_string_equal(diary_read(), "b");
    assert_string_equal(three_end(&three), "2");
}

/* Many. */

struct many {
    vow_promise *promises[MANY];
    vow_future  *futures[MANY];
};

static struct many *many_make(struct stage *stage)
{
    struct many *many = malloc(sizeof *many);

    assert_non_null(many);
    for (size_t i = 0; i < MANY; i++)
        many->futures[i] = stage_promise(stage, &many->promises[i]);
    return many;
}

static void all_of_many(void *arg)
{
    struct stage *stage = stage_new(true);
    struct many  *many = many_make(stage);
    vow_future   *all = vow_all(stage->loop, MANY, many->futures);

    (void)arg;
    for (size_t i = 0; i < MANY; i++)
        vow_resolve(many->promises[i], &many->promises[i], NULL);
    assert_int_equal(vow_wait(all), VOW_OK);
    assert_ptr_equal(vow_future_value(vow_future_at(all, MANY - 1)), &many->promises[MANY - 1]);
    vow_drop(all);
    free(many);
    stage_free(stage);
}

static void any_of_many(void *arg)
{
    struct stage *stage = stage_new(true);
    struct many  *many = many_make(stage);
    vow_future   *any = vow_any(stage->loop, MANY, many->futures);

    (void)arg;
    vow_resolve(many->promises[7], NULL, NULL);
    assert_int_equal(vow_wait(any), VOW_OK);
    vow_drop(any);
    for (size_t i = 0; i < MANY; i++) {
        if (i != 7)
            vow_resolve(many->promises[i], NULL, NULL);
    }
    free(many);
    stage_free(stage);
}

static void a_hundred_thousand_parts_take_no_stack(void **state)
{
    (void)state;
    with_little_stack(all_of_many, NULL);
    with_little_stack(any_of_many, NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_open, stage_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_succeeds_with_the_last_and_lends_every_part),
        TEST(all_fails_with_the_first_failure_and_cancels_the_rest),
        TEST(parts_are_lent_through_what_passes_the_outcome_on),
        TEST(dropping_or_cancelling_a_combination_cancels_every_part),
        TEST(a_part_that_others_hold_is_not_cancelled_with_the_rest),
        TEST(the_same_future_may_be_a_part_twice),
        TEST(a_part_may_be_kept_beyond_its_combination),
        TEST(all_settled_waits_for_every_part_and_always_succeeds),
        TEST(any_becomes_the_first_success_and_cancels_the_rest),
        TEST(any_fails_with_the_last_failure),
        TEST(race_becomes_the_first_that_settles_also_a_failure),
        TEST(of_two_that_settle_in_a_row_the_earlier_wins_the_race),
        TEST(quorum_succeeds_with_enough_and_cancels_the_rest),
        TEST(quorum_fails_as_soon_as_it_cannot_be_reached),
        TEST(a_quorum_of_none_succeeds_and_cancels_all),
        TEST(a_quorum_of_more_than_there_are_fails_at_once),
        TEST(empty_combinations_are_settled_from_the_start),
        TEST(as_completed_shows_every_part_in_the_order_of_settlement),
        TEST(as_completed_may_be_dropped_by_its_own_function),
        cmocka_unit_test(a_hundred_thousand_parts_take_no_stack),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
