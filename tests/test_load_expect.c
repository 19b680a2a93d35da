/*
 * vow-load's expectations and verdicts, and the search for the capacity: pure arithmetic on figures made up
 * here.
 */
#include "tools/vow-load/capacity.h"
#include "tools/vow-load/expect.h"
#include "tools/vow-load/verdict.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *problem_of(const char *text)
{
    static load_problem problem;
    load_expectation    expectation;

    assert_false(load_expectation_parse(&expectation, text, &problem));
    return problem.text;
}

static bool holds(const char *text, const load_measured *measured)
{
    load_expectation expectation;
    load_problem     problem;
    double           value;

    if (!load_expectation_parse(&expectation, text, &problem))
        fail_msg("%s", problem.text);
    return load_expectation_holds(&expectation, measured, &value);
}

/* 1 … 1000 ms, and 10 failures of 1010 calls. */
static load_tally *thousand_calls(void)
{
    load_tally *tally = calloc(1, sizeof *tally);

    assert_non_null(tally);
    tally->begun = 1010;
    tally->answered = 1000;
    for (uint64_t i = 1; i <= 1000; i++)
        stats_histogram_add(&tally->latency, i * 1000000);
    for (int i = 0; i < 10; i++)
        load_tally_fail(tally, VOW_NOT_FOUND, "NOT_FOUND: nobody");
    return tally;
}

static void both_sides_of_each_bound_are_told_apart(void **state)
{
    load_tally         *tally = thousand_calls();
    const load_measured measured = { tally, 4900, 5000 };

    (void)state;
    assert_true(holds("p50<502ms", &measured));
    assert_false(holds("p50<499ms", &measured));
    assert_true(holds("p99 > 988ms", &measured));
    assert_false(holds("p99 > 992ms", &measured));
    assert_true(holds("p99.9<=1s", &measured));
    assert_true(holds("mean<=500.5ms", &measured));
    assert_false(holds("mean<500.5ms", &measured));
    assert_true(holds("max<=1s", &measured));
    assert_false(holds("max<1s", &measured));
    assert_true(holds("min=1ms", &measured));
    assert_true(holds("errors=10", &measured));
    assert_false(holds("errors<10", &measured));
    assert_true(holds("errors<1%", &measured));
    assert_false(holds("errors<0.99%", &measured));
    assert_true(holds("rate>=4900", &measured));
    assert_false(holds("rate>4.9k", &measured));
    assert_true(holds("rate>=98%", &measured));
    assert_false(holds("rate>98%", &measured));
    assert_true(holds("calls == 1000", &measured));
    free(tally);
}

static void what_was_not_measured_holds_nothing(void **state)
{
    load_tally         *tally = calloc(1, sizeof *tally);
    const load_measured measured = { tally, 0, 0 };

    (void)state;
    assert_false(holds("p99<1h", &measured));
    assert_false(holds("p99>0", &measured));
    assert_false(holds("rate>=50%", &measured));
    assert_true(holds("errors=0", &measured));
    assert_true(holds("errors<1%", &measured));
    free(tally);
}

static void an_expectation_that_makes_no_sense_is_told_where(void **state)
{
    (void)state;
    assert_string_equal(
        problem_of("q99<5ms"),
        "the expectation \"q99<5ms\": \"q99\" is nothing that is measured: p50 … p99.999, mean, min, max, "
        "errors, rate and calls are");
    assert_non_null(strstr(problem_of("p100<5ms"), "\"p100\" is nothing that is measured"));
    assert_non_null(strstr(problem_of("p0<5ms"), "\"p0\" is nothing that is measured"));
    assert_string_equal(problem_of("p99"),
                        "the expectation \"p99\": one of < <= > >= = was expected at \"\"");
    assert_string_equal(problem_of("p99<5"),
                        "the expectation \"p99<5\": a duration with its unit, such as 5ms, was "
                        "expected at \"5\"");
    assert_string_equal(problem_of("errors<x"),
                        "the expectation \"errors<x\": a number was expected at \"x\"");
    assert_string_equal(problem_of("calls>5%"),
                        "the expectation \"calls>5%\": it should have ended at \"%\"");
    assert_string_equal(problem_of("p99<5ms!"),
                        "the expectation \"p99<5ms!\": it should have ended at \"!\"");
}

/* Verdicts */

/* An open loop of 1,000 a second for one second, of which a tally tells. */
static load_status verdict(load_tally *total, load_end end, const char *expected, char words[600])
{
    static load_moment moment = { .outstanding = 3 };
    load_plan          plan = { .outstanding = 100 };
    load_result        result = {
               .end = end,
               .why = { "why it ended" },
               .total = total,
               .seconds = 1,
               .rate = (double)total->answered,
               .wanted_rate = 1000,
               .moments = &moment,
               .moment_count = 1,
    };
    load_expectation expectation = { 0 };
    load_verdict     verdict;
    load_problem     problem;

    if (expected)
        assert_true(load_expectation_parse(&expectation, expected, &problem));
    load_verdict_of(&verdict, &plan, &result, &expectation, expected != NULL);
    strcpy(words, verdict.words);
    return verdict.status;
}

static void each_outcome_has_its_status(void **state)
{
    load_tally *tally = thousand_calls();
    load_tally *none = calloc(1, sizeof *none);
    char        words[600];

    (void)state;
    assert_int_equal(verdict(tally, LOAD_COMPLETE, NULL, words), LOAD_MISSED); /* calls failed */
    assert_int_equal(verdict(tally, LOAD_COMPLETE, "errors<1%", words), LOAD_WELL);
    assert_int_equal(verdict(tally, LOAD_COMPLETE, "p99<2s", words), LOAD_MISSED);
    assert_string_equal(words, "");
    tally->failed[VOW_NOT_FOUND] = 0;
    assert_int_equal(verdict(tally, LOAD_COMPLETE, NULL, words), LOAD_WELL);
    assert_int_equal(verdict(tally, LOAD_COMPLETE, "p99<2ms", words), LOAD_MISSED);
    assert_int_equal(verdict(tally, LOAD_INTERRUPTED, NULL, words), LOAD_WELL);
    assert_string_equal(words, "why it ended");
    assert_int_equal(verdict(tally, LOAD_SERVER_GONE, NULL, words), LOAD_GONE);
    assert_int_equal(verdict(tally, LOAD_NO_REQUEST, NULL, words), LOAD_USAGE);
    assert_int_equal(verdict(tally, LOAD_NO_CONNECTION, NULL, words), LOAD_NOTHING);
    assert_int_equal(verdict(none, LOAD_INTERRUPTED, NULL, words), LOAD_NOTHING);
    free(tally);
    free(none);
}

/* Whose figures these may be, though all went well. */
static void a_generator_that_was_always_busy_is_warned_of(void **state)
{
    static const struct {
        const char *name;
        double      share;
        size_t      threads;
        bool        spins, is_warned_of;
    } cases[] = {
        { "idle", 0.2, 1, false, false },
        { "not quite", 0.89, 1, false, false },
        { "busy", 0.9, 1, false, true },
        { "one of two threads", 1, 2, false, false },
        { "two threads", 1.9, 2, false, true },
        { "spinning, which is always busy", 1, 1, true, false },
        { "too short to tell", NAN, 1, false, false },
    };
    load_tally *tally = calloc(1, sizeof *tally);

    (void)state;
    tally->begun = tally->answered = 1000;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        load_plan    plan = { .outstanding = 100, .threads = cases[i].threads, .spins = cases[i].spins };
        load_result  result = { .total = tally, .seconds = 1, .rate = 1000, .cpu_share = cases[i].share };
        load_verdict verdict;

        load_verdict_of(&verdict, &plan, &result, NULL, 0);
        assert_int_equal(verdict.status, LOAD_WELL);
        if ((*verdict.warning != '\0') != cases[i].is_warned_of)
            fail_msg("%s: \"%s\"", cases[i].name, verdict.warning);
        if (cases[i].is_warned_of)
            assert_non_null(strstr(verdict.warning, " % of the time: the server may do more"));
    }
    free(tally);
}

static void a_rate_that_was_not_reached_is_told_with_what_was(void **state)
{
    load_tally *tally = thousand_calls();
    char        words[600];

    (void)state;
    tally->failed[VOW_NOT_FOUND] = 0;
    tally->begun = 980;
    assert_int_equal(verdict(tally, LOAD_COMPLETE, NULL, words), LOAD_WELL);
    tally->begun = 970;
    assert_int_equal(verdict(tally, LOAD_COMPLETE, "p99<2ms", words), LOAD_TOO_FAST);
    assert_non_null(
        strstr(words, "the rate was not reached: this machine began 970 of 1,000 calls a second."));
    free(tally);
}

/* The search */

/* Searches where all up to `true_capacity` holds; gives what was found. */
static double search(double start, double true_capacity, size_t *trials)
{
    load_capacity capacity;

    load_capacity_start(&capacity, start);
    while (!capacity.is_over) {
        assert_true(capacity.trials < LOAD_TRIALS_MAX);
        load_capacity_tried(&capacity, capacity.rate <= true_capacity);
    }
    *trials = capacity.trials;
    return capacity.held;
}

static void a_search_ends_within_a_twentieth_of_the_capacity(void **state)
{
    static const double capacities[] = { 20, 137, 1000, 4321, 65000, 1234567 };
    size_t              trials;

    (void)state;
    for (size_t i = 0; i < sizeof capacities / sizeof *capacities; i++) {
        double found = search(1000, capacities[i], &trials);

        if (found > capacities[i] || found < capacities[i] / LOAD_CAPACITY_RATIO - 1)
            fail_msg("%g was found where %g is right", found, capacities[i]);
        assert_in_range(trials, 1, 32);
    }
}

static void a_search_without_a_capacity_finds_none(void **state)
{
    size_t trials;

    (void)state;
    assert_true(search(1000, 0, &trials) == 0);
    assert_in_range(trials, 1, 30);
}

static void a_search_without_an_end_stops_at_the_highest_rate(void **state)
{
    size_t trials;

    (void)state;
    assert_true(search(1000, 1e9, &trials) == LOAD_RATE_MAX);
    assert_in_range(trials, 1, 20);
}

static void a_rate_that_misses_is_tried_once_more(void **state)
{
    load_capacity capacity;

    (void)state;
    load_capacity_start(&capacity, 1000);
    load_capacity_tried(&capacity, false);
    assert_true(capacity.rate == 1000);
    load_capacity_tried(&capacity, true);
    assert_true(capacity.rate == 2000);
    load_capacity_tried(&capacity, false);
    load_capacity_tried(&capacity, false);
    assert_true(capacity.rate > 1000 && capacity.rate < 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sides_of_each_bound_are_told_apart),
        cmocka_unit_test(what_was_not_measured_holds_nothing),
        cmocka_unit_test(an_expectation_that_makes_no_sense_is_told_where),
        cmocka_unit_test(each_outcome_has_its_status),
        cmocka_unit_test(a_generator_that_was_always_busy_is_warned_of),
        cmocka_unit_test(a_rate_that_was_not_reached_is_told_with_what_was),
        cmocka_unit_test(a_search_ends_within_a_twentieth_of_the_capacity),
        cmocka_unit_test(a_search_without_a_capacity_finds_none),
        cmocka_unit_test(a_search_without_an_end_stops_at_the_highest_rate),
        cmocka_unit_test(a_rate_that_misses_is_tried_once_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
