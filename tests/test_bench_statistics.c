/*
 * Medians and intervals of the benchmark's rounds.
 */
#include "bench/driver/statistics.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

static void a_median_is_the_middle_or_the_mean_of_both_middles(void **state)
{
    const double odd[] = { 9, 1, 5 };
    const double even[] = { 4, 1, 9, 2 };

    (void)state;
    assert_true(bench_median(odd, 3) == 5);
    assert_true(bench_median(even, 4) == 3);
    assert_true(bench_median(odd, 1) == 9);
    assert_true(isnan(bench_median(odd, 0)));
    assert_true(odd[0] == 9); /* they are not sorted in place */
}

static void rounds_that_are_all_the_same_have_an_interval_without_width(void **state)
{
    const double   rounds[] = { 7, 7, 7, 7 };
    bench_interval interval = bench_median_interval(rounds, COUNT_OF(rounds));

    (void)state;
    assert_true(interval.low == 7 && interval.high == 7);
}

static void an_interval_holds_the_median_and_lies_within_the_rounds(void **state)
{
    const double   rounds[] = { 12, 10, 11, 14, 13, 90, 12, 11, 12, 13 };
    bench_interval interval = bench_median_interval(rounds, COUNT_OF(rounds));

    (void)state;
    assert_true(interval.low >= 10 && interval.low < 12);
    assert_true(interval.high > 12 && interval.high < 90); /* one wild round does not reach it */
}

static void more_rounds_have_a_narrower_interval(void **state)
{
    double         few[5], many[100];
    bench_interval wide, narrow;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(few); i++)
        few[i] = (double)(i * 20);
    for (size_t i = 0; i < COUNT_OF(many); i++)
        many[i] = (double)i;
    wide = bench_median_interval(few, COUNT_OF(few));
    narrow = bench_median_interval(many, COUNT_OF(many));
    assert_true(narrow.high - narrow.low < (wide.high - wide.low) / 2);
}

static void the_same_rounds_always_have_the_same_interval(void **state)
{
    const double   rounds[] = { 3, 1, 4, 1, 5, 9, 2, 6 };
    bench_interval one = bench_median_interval(rounds, COUNT_OF(rounds));
    bench_interval two = bench_median_interval(rounds, COUNT_OF(rounds));

    (void)state;
    assert_true(one.low == two.low && one.high == two.high);
}

static void of_one_round_nothing_is_known(void **state)
{
    const double rounds[] = { 3, 4 };

    (void)state;
    assert_true(isnan(bench_median_interval(rounds, 1).low));
    assert_true(isnan(bench_ratio_interval(rounds, 1, rounds, 2).low));
    assert_true(isnan(bench_ratio_interval(rounds, 2, rounds, 1).high));
    assert_true(!isnan(bench_ratio_interval(rounds, 2, rounds, 2).high));
}

static void twice_as_much_has_an_interval_around_two(void **state)
{
    const double   before[] = { 100, 101, 99, 100, 102 };
    const double   after[] = { 200, 203, 199, 201, 198 };
    bench_interval interval = bench_ratio_interval(before, 5, after, 5);

    (void)state;
    assert_true(interval.low > 1.9 && interval.low < 2);
    assert_true(interval.high > 2 && interval.high < 2.1);
}

static void of_few_rounds_that_happen_to_be_alike_little_is_known(void **state)
{
    const double   before[] = { 100, 101, 99 };
    const double   after[] = { 110, 111, 109 };
    bench_interval two = bench_ratio_interval(before, 2, after, 2);
    bench_interval three = bench_ratio_interval(before, 3, after, 3);

    (void)state;
    assert_true(two.low < 1 && two.high > 1.2);
    assert_true(three.low > 1 && three.low < 1.05 && three.high > 1.15);
}

static void rounds_that_overlap_have_an_interval_around_one(void **state)
{
    const double   before[] = { 100, 120, 90, 110, 105 };
    const double   after[] = { 101, 119, 85, 108, 97 };
    bench_interval interval = bench_ratio_interval(before, 5, after, 5);

    (void)state;
    assert_true(interval.low < 1 && interval.high > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_median_is_the_middle_or_the_mean_of_both_middles),
        cmocka_unit_test(rounds_that_are_all_the_same_have_an_interval_without_width),
        cmocka_unit_test(an_interval_holds_the_median_and_lies_within_the_rounds),
        cmocka_unit_test(more_rounds_have_a_narrower_interval),
        cmocka_unit_test(the_same_rounds_always_have_the_same_interval),
        cmocka_unit_test(of_one_round_nothing_is_known),
        cmocka_unit_test(twice_as_much_has_an_interval_around_two),
        cmocka_unit_test(of_few_rounds_that_happen_to_be_alike_little_is_known),
        cmocka_unit_test(rounds_that_overlap_have_an_interval_around_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
