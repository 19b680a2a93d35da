/*
 * The histogram of tools/stats: three significant digits, from the least value to the last per cent mille.
 */
#include "tools/stats/histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static stats_histogram *histogram_new(void)
{
    stats_histogram *histogram = calloc(1, sizeof *histogram);

    assert_non_null(histogram);
    return histogram;
}

/* Within a thousandth: half a bucket to either side. */
static void assert_near(uint64_t value, uint64_t wanted)
{
    uint64_t apart = value > wanted ? value - wanted : wanted - value;

    if (apart > wanted / 1000)
        fail_msg("%llu is not %llu within a thousandth", (unsigned long long)value,
                 (unsigned long long)wanted);
}

static void an_empty_histogram_has_only_zeros(void **state)
{
    stats_histogram *histogram = histogram_new();

    (void)state;
    assert_int_equal(stats_histogram_quantile(histogram, 0.99999), 0);
    assert_int_equal(histogram->least, 0);
    assert_int_equal(histogram->greatest, 0);
    assert_true(stats_histogram_mean(histogram) == 0);
    free(histogram);
}

static void one_value_is_every_quantile_exactly(void **state)
{
    stats_histogram *histogram = histogram_new();

    (void)state;
    stats_histogram_add(histogram, 123456789);
    assert_int_equal(stats_histogram_quantile(histogram, 0), 123456789);
    assert_int_equal(stats_histogram_quantile(histogram, 0.5), 123456789);
    assert_int_equal(stats_histogram_quantile(histogram, 1), 123456789);
    assert_int_equal(histogram->least, 123456789);
    assert_int_equal(histogram->greatest, 123456789);
    free(histogram);
}

static void values_below_two_thousand_are_exact(void **state)
{
    stats_histogram *histogram = histogram_new();

    (void)state;
    for (uint64_t value = 0; value < 2048; value++)
        stats_histogram_add(histogram, value);
    assert_int_equal(stats_histogram_quantile(histogram, 0.5), 1023);
    assert_int_equal(stats_histogram_quantile(histogram, 1), 2047);
    assert_true(stats_histogram_mean(histogram) == 1023.5);
    free(histogram);
}

static void every_size_of_value_keeps_three_digits(void **state)
{
    (void)state;
    for (uint64_t value = 1; value >> STATS_HISTOGRAM_VALUE_BITS == 0; value = value * 3 + 1) {
        stats_histogram *histogram = histogram_new();

        /* Neighbours on both sides, so that neither least nor greatest helps out. */
        stats_histogram_add(histogram, value / 2);
        stats_histogram_add(histogram, value);
        stats_histogram_add(histogram, value * 2);
        assert_near(stats_histogram_quantile(histogram, 0.5), value);
        free(histogram);
    }
}

static void a_value_too_long_counts_as_the_longest(void **state)
{
    const uint64_t   longest = (UINT64_C(1) << STATS_HISTOGRAM_VALUE_BITS) - 1;
    stats_histogram *histogram = histogram_new();

    (void)state;
    stats_histogram_add(histogram, longest);
    stats_histogram_add(histogram, longest + 1);
    stats_histogram_add(histogram, UINT64_MAX);
    assert_int_equal(histogram->count, 3);
    assert_int_equal(histogram->least, longest);
    assert_int_equal(histogram->greatest, longest);
    free(histogram);
}

/* Of 1 … 100,000 microseconds the quantile is known: the share of them all. */
static void quantiles_are_those_of_the_values_down_to_the_last_in_a_hundred_thousand(void **state)
{
    static const double shares[] = { 0.00001, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999 };
    stats_histogram    *histogram = histogram_new();

    (void)state;
    for (uint64_t i = 100000; i > 0; i--)
        stats_histogram_add(histogram, i * 1000);
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++)
        assert_near(stats_histogram_quantile(histogram, shares[i]), (uint64_t)(shares[i] * 1e8 + 0.5));
    free(histogram);
}

/* 0.99 of 100 is 99.00000000000001 to a computer's multiplication in places; the 100th value is an outlier.
 */
static void a_rank_that_is_a_whole_number_is_not_rounded_up(void **state)
{
    (void)state;
    for (uint64_t count = 100; count <= 100000; count *= 10) {
        stats_histogram *histogram = histogram_new();

        for (uint64_t i = 0; i < count - count / 100; i++)
            stats_histogram_add(histogram, 1000);
        for (uint64_t i = 0; i < count / 100; i++)
            stats_histogram_add(histogram, 1000000);
        assert_int_equal(stats_histogram_quantile(histogram, 0.99), 1000);
        assert_near(stats_histogram_quantile(histogram, 0.99001), 1000000);
        free(histogram);
    }
}

static void two_merged_are_as_one_that_was_told_all(void **state)
{
    stats_histogram *all = histogram_new();
    stats_histogram *even = histogram_new();
    stats_histogram *odd = histogram_new();

    (void)state;
    for (uint64_t i = 1; i < 50000; i++) {
        stats_histogram_add(all, i * i);
        stats_histogram_add(i % 2 ? odd : even, i * i);
    }
    stats_histogram_merge(even, odd);
    assert_memory_equal(even, all, sizeof *all);
    free(all);
    free(even);
    free(odd);
}

static void merging_with_an_empty_one_changes_nothing(void **state)
{
    stats_histogram *full = histogram_new();
    stats_histogram *empty = histogram_new();

    (void)state;
    stats_histogram_add(full, 5000);
    stats_histogram_merge(full, empty);
    assert_int_equal(full->least, 5000);
    stats_histogram_merge(empty, full);
    assert_memory_equal(full, empty, sizeof *full);
    free(full);
    free(empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_histogram_has_only_zeros),
        cmocka_unit_test(one_value_is_every_quantile_exactly),
        cmocka_unit_test(values_below_two_thousand_are_exact),
        cmocka_unit_test(every_size_of_value_keeps_three_digits),
        cmocka_unit_test(a_value_too_long_counts_as_the_longest),
        cmocka_unit_test(quantiles_are_those_of_the_values_down_to_the_last_in_a_hundred_thousand),
        cmocka_unit_test(a_rank_that_is_a_whole_number_is_not_rounded_up),
        cmocka_unit_test(two_merged_are_as_one_that_was_told_all),
        cmocka_unit_test(merging_with_an_empty_one_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
