/*
 * vow-load's schedule: when each call is due, of one rate and of several, with and without a warm-up.
 */
#include "tools/vow-load/quantity.h"
#include "tools/vow-load/schedule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define MS UINT64_C(1000000)
#define S UINT64_C(1000000000)

static load_schedule open_schedule(const char *rates, uint64_t length_ns)
{
    load_schedule schedule;
    load_problem  problem;

    if (!load_schedule_open(&schedule, rates, length_ns, &problem))
        fail_msg("%s", problem.text);
    return schedule;
}

static uint64_t due_of(const load_schedule *schedule, uint64_t index, size_t wanted_step)
{
    uint64_t due_ns;
    size_t   step = 0;

    assert_true(load_schedule_due(schedule, index, &due_ns, &step));
    assert_int_equal(step, wanted_step);
    return due_ns;
}

static const char *problem_of(const char *rates)
{
    static load_problem problem;
    load_schedule       schedule;

    assert_false(load_schedule_open(&schedule, rates, S, &problem));
    return problem.text;
}

/* Numbers */

static void numbers_are_read_as_people_write_them(void **state)
{
    static const struct {
        const char *text;
        double      number;
    } good[] = { { "0", 0 }, { "5000", 5000 }, { "2.5k", 2500 }, { "1M", 1e6 }, { "0.1", 0.1 } };
    static const char *const bad[] = { "",   "k",   "-1",    "+1",  "1.",
                                       ".5", "1e3", "5 000", "1kk", "1234567890123456789" };
    double                   number;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(load_parse_number(good[i].text, &number));
        assert_true(number == good[i].number);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (load_parse_number(bad[i], &number))
            fail_msg("\"%s\" was read as %g", bad[i], number);
    }
}

static void durations_want_their_unit(void **state)
{
    static const struct {
        const char *text;
        uint64_t    ns;
    } good[] = { { "0", 0 },        { "1ns", 1 },          { "250us", 250000 }, { "250µs", 250000 },
                 { "5ms", 5 * MS }, { "1.5s", 1500 * MS }, { "2m", 120 * S },   { "24h", 86400 * S } };
    static const char *const bad[] = { "5", "5 ms", "ms", "5sec", "1s2", "25h", "-1s" };
    uint64_t                 ns;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(load_parse_duration(good[i].text, &ns));
        assert_int_equal(ns, good[i].ns);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (load_parse_duration(bad[i], &ns))
            fail_msg("\"%s\" was read as %llu ns", bad[i], (unsigned long long)ns);
    }
}

/* One rate */

static void calls_of_one_rate_are_due_at_equal_distances(void **state)
{
    load_schedule schedule = open_schedule("5000", 2 * S);
    uint64_t      due_ns;
    size_t        step = 0;

    (void)state;
    assert_int_equal(load_schedule_calls(&schedule), 10000);
    assert_int_equal(load_schedule_length_ns(&schedule), 2 * S);
    assert_int_equal(due_of(&schedule, 0, 0), 0);
    assert_int_equal(due_of(&schedule, 1, 0), 200000);
    assert_int_equal(due_of(&schedule, 9999, 0), 2 * S - 200000);
    assert_false(load_schedule_due(&schedule, 10000, &due_ns, &step));
}

/* A third of a second does not add up: the millionth call must not be late by the sum of what was rounded. */
static void rounding_does_not_add_up(void **state)
{
    load_schedule schedule = open_schedule("3", 86400 * S);

    (void)state;
    assert_int_equal(due_of(&schedule, 3 * 86399, 0), 86399 * S);
}

static void a_count_is_the_length_of_an_open_loop(void **state)
{
    load_schedule schedule = open_schedule("3", 10 * S);

    (void)state;
    load_schedule_limit(&schedule, 7);
    assert_int_equal(load_schedule_calls(&schedule), 7);
    load_schedule_warm_up(&schedule, 1500 * MS); /* four calls and a half */
    assert_int_equal(load_schedule_calls(&schedule), 4 + 7);
    assert_int_equal(due_of(&schedule, 3, 0), S);
    assert_int_equal(due_of(&schedule, 4, 1), 1500 * MS);
}

static void a_closed_loop_has_no_moments_of_its_own(void **state)
{
    load_schedule schedule;

    (void)state;
    load_schedule_closed(&schedule, 5 * S);
    load_schedule_warm_up(&schedule, S);
    assert_false(schedule.is_open);
    assert_int_equal(load_schedule_calls(&schedule), 0);
    assert_int_equal(load_schedule_step_at(&schedule, 0, 0), 0);
    assert_int_equal(load_schedule_step_at(&schedule, S - 1, 0), 0);
    assert_int_equal(load_schedule_step_at(&schedule, S, 0), 1);
    assert_int_equal(load_schedule_step_at(&schedule, 6 * S - 1, 1), 1);
    assert_int_equal(load_schedule_step_at(&schedule, 6 * S, 1), 2);
}

/* Several */

static void steps_go_from_one_rate_to_another(void **state)
{
    load_schedule schedule = open_schedule("1000..3000/1000:5s", S);

    (void)state;
    assert_int_equal(schedule.step_count, 3);
    assert_true(schedule.steps[1].rate == 2000);
    assert_int_equal(load_schedule_length_ns(&schedule), 15 * S);
    assert_int_equal(load_schedule_calls(&schedule), 30000);
    assert_int_equal(due_of(&schedule, 4999, 0), 5 * S - MS);
    assert_int_equal(due_of(&schedule, 5000, 1), 5 * S);
    assert_int_equal(due_of(&schedule, 5001, 1), 5 * S + MS / 2);
    assert_int_equal(due_of(&schedule, 15000, 2), 10 * S);
}

static void steps_go_downward_and_end_where_they_are_told_to(void **state)
{
    load_schedule down = open_schedule("300..100/100", S), odd = open_schedule("100..250/100", S);

    (void)state;
    assert_int_equal(down.step_count, 3);
    assert_true(down.steps[2].rate == 100);
    assert_int_equal(odd.step_count, 3);
    assert_true(odd.steps[1].rate == 200);
    assert_true(odd.steps[2].rate == 250);
}

static void a_list_has_a_length_for_each_rate(void **state)
{
    load_schedule schedule = open_schedule("100:10s,500:2s,0.5", 4 * S);

    (void)state;
    assert_int_equal(schedule.step_count, 3);
    assert_int_equal(load_schedule_length_ns(&schedule), 16 * S);
    assert_int_equal(load_schedule_calls(&schedule), 1000 + 1000 + 2);
}

/* Half a call at the end of a step is not lost: it is the beginning of the next step's first. */
static void a_step_that_ends_within_a_call_hands_it_on(void **state)
{
    load_schedule schedule = open_schedule("1,1,1", 1500 * MS);

    (void)state;
    assert_int_equal(load_schedule_calls(&schedule), 4);
    assert_int_equal(due_of(&schedule, 1, 0), S);
    assert_int_equal(due_of(&schedule, 2, 1), 2 * S);
    assert_int_equal(due_of(&schedule, 3, 2), 3 * S);
}

static void a_warm_up_has_the_first_rate_and_shifts_the_rest(void **state)
{
    load_schedule schedule = open_schedule("100:1s,200:1s", S);

    (void)state;
    load_schedule_warm_up(&schedule, 500 * MS);
    assert_true(schedule.has_warmup);
    assert_int_equal(schedule.step_count, 3);
    assert_int_equal(load_schedule_calls(&schedule), 50 + 100 + 200);
    assert_int_equal(due_of(&schedule, 49, 0), 490 * MS);
    assert_int_equal(due_of(&schedule, 50, 1), 500 * MS);
    assert_int_equal(due_of(&schedule, 150, 2), 1500 * MS);
}

static void a_warm_up_of_nothing_is_none(void **state)
{
    load_schedule schedule = open_schedule("100", S);

    (void)state;
    load_schedule_warm_up(&schedule, 0);
    assert_false(schedule.has_warmup);
    assert_int_equal(schedule.step_count, 1);
}

static void as_many_steps_as_there_may_be_fit_with_a_warm_up(void **state)
{
    load_schedule schedule = open_schedule("1..100/1", S);

    (void)state;
    assert_int_equal(schedule.step_count, LOAD_STEPS_MAX);
    load_schedule_warm_up(&schedule, S);
    assert_int_equal(load_schedule_calls(&schedule), 1 + 5050);
    assert_string_equal(problem_of("1..101/1"), "the rate \"1..101/1\": more than 100 steps");
}

static void a_rate_that_makes_no_sense_is_told_where(void **state)
{
    (void)state;
    assert_string_equal(problem_of(""), "the rate \"\": a rate was expected at \"\"");
    assert_string_equal(problem_of("5,x"), "the rate \"5,x\": a rate was expected at \"x\"");
    assert_string_equal(problem_of("0"), "the rate \"0\": a rate of 0 calls none; it must be above that");
    assert_string_equal(problem_of("11M"), "the rate \"11M\": a rate is at most 10M calls a second");
    assert_string_equal(problem_of("5..9"),
                        "the rate \"5..9\": \"/\" and the size of a step were expected at \"\"");
    assert_string_equal(problem_of("5..9/0"), "the rate \"5..9/0\": steps of 0 lead nowhere");
    assert_string_equal(problem_of("5:3"), "the rate \"5:3\": a duration, such as 5s, was expected at \"3\"");
    assert_string_equal(problem_of("5:0s"), "the rate \"5:0s\": a step of no length calls none");
    assert_string_equal(problem_of("5;6"), "the rate \"5;6\": it should have ended at \";6\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_read_as_people_write_them),
        cmocka_unit_test(durations_want_their_unit),
        cmocka_unit_test(calls_of_one_rate_are_due_at_equal_distances),
        cmocka_unit_test(rounding_does_not_add_up),
        cmocka_unit_test(a_count_is_the_length_of_an_open_loop),
        cmocka_unit_test(a_closed_loop_has_no_moments_of_its_own),
        cmocka_unit_test(steps_go_from_one_rate_to_another),
        cmocka_unit_test(steps_go_downward_and_end_where_they_are_told_to),
        cmocka_unit_test(a_list_has_a_length_for_each_rate),
        cmocka_unit_test(a_step_that_ends_within_a_call_hands_it_on),
        cmocka_unit_test(a_warm_up_has_the_first_rate_and_shifts_the_rest),
        cmocka_unit_test(a_warm_up_of_nothing_is_none),
        cmocka_unit_test(as_many_steps_as_there_may_be_fit_with_a_warm_up),
        cmocka_unit_test(a_rate_that_makes_no_sense_is_told_where),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
