/*
 * The timer wheel against a naive model: an array that is searched for what is due first.
 */
#include "runtime/base/random.h"
#include "runtime/base/timers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define TIMERS 64
#define NEVER UINT64_MAX

typedef struct modelled {
    vow_timer timer;
    uint64_t  due_us; /* NEVER: not armed */
    uint64_t  order;  /* of arming */
} modelled;

struct wheel {
    vow_timers timers;
    modelled   all[TIMERS];
    uint64_t   random;
    uint64_t   now_ns;
    uint64_t   last_due_us;
    uint64_t   last_order;
    uint64_t   arms;
    unsigned   fired;
};

static struct wheel *present; /* for callbacks */

/* The one that must fire before all others. */
static modelled *model_first(struct wheel *wheel)
{
    modelled *first = NULL;

    for (size_t i = 0; i < TIMERS; i++) {
        modelled *one = &wheel->all[i];

        if (one->due_us == NEVER)
            continue;
        if (!first || one->due_us < first->due_us ||
            (one->due_us == first->due_us && one->order < first->order))
            first = one;
    }
    return first;
}

static uint64_t rounded_up_us(uint64_t ns)
{
    return ns / 1000 + (ns % 1000 != 0);
}

/* A delay on every scale, from nothing to centuries. */
static uint64_t random_delay_ns(struct wheel *wheel)
{
    uint64_t bits = vow_random_below(&wheel->random, 60);

    return vow_random_below(&wheel->random, (uint64_t)1 << bits);
}

static void wheel_arm(struct wheel *wheel, modelled *one, uint64_t due_ns, bool while_firing)
{
    uint64_t earliest = while_firing ? wheel->last_due_us + 1 : wheel->now_ns / 1000;
    uint64_t due_us = rounded_up_us(due_ns);

    vow_timers_arm(&wheel->timers, &one->timer, due_ns);
    one->due_us = due_us < earliest ? earliest : due_us;
    one->order = ++wheel->arms;
    assert_true(vow_timer_armed(&one->timer));
}

static void wheel_disarm(struct wheel *wheel, modelled *one)
{
    vow_timers_disarm(&wheel->timers, &one->timer);
    one->due_us = NEVER;
    assert_false(vow_timer_armed(&one->timer));
}

/* Timers arm and disarm others as they fire. */
static void timer_fired(vow_timer *timer)
{
    struct wheel *wheel = present;
    modelled     *one = VOW_OWNER(timer, modelled, timer);
    modelled     *other = &wheel->all[vow_random_below(&wheel->random, TIMERS)];

    assert_ptr_equal(one, model_first(wheel));
    assert_true(one->due_us <= wheel->now_ns / 1000);
    assert_false(vow_timer_armed(timer));
    wheel->last_due_us = one->due_us;
    one->due_us = NEVER;
    wheel->fired++;
    switch (vow_random_below(&wheel->random, 4)) {
    case 0:
        wheel_disarm(wheel, other);
        break;
    case 1:
        wheel_arm(wheel, other, wheel->last_due_us * 1000 + random_delay_ns(wheel), true);
        break;
    case 2:
        wheel_arm(wheel, one, 0, true);
        break;
    default:
        break;
    }
}

static void wheel_advance(struct wheel *wheel, uint64_t by_ns)
{
    modelled *left;

    wheel->now_ns += by_ns;
    vow_timers_expire(&wheel->timers, wheel->now_ns);
    left = model_first(wheel);
    assert_true(!left || left->due_us > wheel->now_ns / 1000);
}

/* A loop that sleeps until the wheel says so misses nothing, and does not wake for nothing for ever. */
static void wheel_assert_next(struct wheel *wheel)
{
    modelled *first = model_first(wheel);
    uint64_t  next = vow_timers_next_ns(&wheel->timers);

    if (first)
        assert_true(next <= first->due_us * 1000);
    else
        assert_true(next == VOW_TIMERS_NEVER);
}

static void wheel_init(struct wheel *wheel, uint64_t seed, uint64_t start_ns)
{
    *wheel = (struct wheel){ .random = seed, .now_ns = start_ns };
    vow_timers_init(&wheel->timers, start_ns);
    for (size_t i = 0; i < TIMERS; i++) {
        vow_timer_init(&wheel->all[i].timer, timer_fired);
        wheel->all[i].due_us = NEVER;
    }
    present = wheel;
}

static void wheel_step(struct wheel *wheel)
{
    modelled *one = &wheel->all[vow_random_below(&wheel->random, TIMERS)];

    switch (vow_random_below(&wheel->random, 5)) {
    case 0:
    case 1:
        wheel_arm(wheel, one, wheel->now_ns + random_delay_ns(wheel), false);
        break;
    case 2:
        wheel_arm(wheel, one, vow_random_below(&wheel->random, wheel->now_ns + 1), false);
        break;
    case 3:
        wheel_disarm(wheel, one);
        break;
    default:
        wheel_advance(wheel, random_delay_ns(wheel) >> vow_random_below(&wheel->random, 40));
        break;
    }
    wheel_assert_next(wheel);
}

static void the_wheel_fires_as_a_search_of_all_timers_would(void **state)
{
    struct wheel *wheel = malloc(sizeof *wheel);

    (void)state;
    assert_non_null(wheel);
    for (uint64_t seed = 0; seed < 300; seed++) {
        wheel_init(wheel, seed, vow_random_next(&(uint64_t){ seed }) >> (2 + seed % 60));
        for (int step = 0; step < 1000 && wheel->now_ns < UINT64_MAX / 4; step++)
            wheel_step(wheel);
    }
    free(wheel);
}

static void sleeping_until_the_next_time_reaches_every_timer_in_few_steps(void **state)
{
    struct wheel *wheel = malloc(sizeof *wheel);

    (void)state;
    assert_non_null(wheel);
    for (uint64_t seed = 0; seed < 100; seed++) {
        uint64_t start;
        uint64_t due;
        int      steps = 0;

        wheel_init(wheel, seed, seed * 123456789);
        start = wheel->now_ns;
        due = start + random_delay_ns(wheel);
        wheel->random = 3; /* what fires leaves the others alone, mostly */
        wheel_arm(wheel, &wheel->all[0], due, false);
        while (wheel->fired == 0) {
            uint64_t next = vow_timers_next_ns(&wheel->timers);

            assert_true(next <= rounded_up_us(due) * 1000);
            wheel_advance(wheel, next > wheel->now_ns ? next - wheel->now_ns : 0);
            assert_true(++steps <= VOW_TIMERS_LEVELS);
        }
        assert_true(wheel->now_ns >= due || due == start);
    }
    free(wheel);
}

static unsigned fired_count;

static void count(vow_timer *timer)
{
    (void)timer;
    fired_count++;
}

static void assert_fires_between(uint64_t start_ns, uint64_t due_ns, uint64_t not_yet_ns, uint64_t then_ns)
{
    vow_timers *timers = malloc(sizeof *timers);
    vow_timer   timer;

    assert_non_null(timers);
    vow_timers_init(timers, start_ns);
    vow_timer_init(&timer, count);
    vow_timers_arm(timers, &timer, due_ns);
    fired_count = 0;
    vow_timers_expire(timers, not_yet_ns);
    assert_int_equal(fired_count, 0);
    vow_timers_expire(timers, then_ns);
    assert_int_equal(fired_count, 1);
    free(timers);
}

static void a_timer_fires_at_its_microsecond_and_not_before(void **state)
{
    uint64_t digits =
        (uint64_t)1 << 48; /* microseconds at which eight digits of the wheel turn over at once */

    (void)state;
    assert_fires_between(5000, 6000, 5999, 6000);
    assert_fires_between(5000, 5001, 5999, 6000);
    assert_fires_between(0, 64 * 1000, 64 * 1000 - 1, 64 * 1000);
    assert_fires_between(0, 1, 999, 1000);
    assert_fires_between((digits - 10) * 1000, (digits + 1000000) * 1000, (digits + 1000000) * 1000 - 1,
                         (digits + 1000000) * 1000);
    assert_fires_between(0, UINT64_MAX / 2, UINT64_MAX / 2 - 1000, UINT64_MAX / 2 + 1000);
}

static void a_timer_that_is_due_waits_for_the_next_expiry(void **state)
{
    vow_timers *timers = malloc(sizeof *timers);
    vow_timer   timer;

    (void)state;
    assert_non_null(timers);
    vow_timers_init(timers, 1000000);
    vow_timer_init(&timer, count);
    fired_count = 0;
    vow_timers_arm(timers, &timer, 0);
    assert_int_equal(fired_count, 0);
    assert_true(vow_timers_next_ns(timers) <= 1000000);
    vow_timers_expire(timers, 1000000);
    assert_int_equal(fired_count, 1);
    assert_true(vow_timers_next_ns(timers) == VOW_TIMERS_NEVER);
    vow_timers_disarm(timers, &timer);
    free(timers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_wheel_fires_as_a_search_of_all_timers_would),
        cmocka_unit_test(sleeping_until_the_next_time_reaches_every_timer_in_few_steps),
        cmocka_unit_test(a_timer_fires_at_its_microsecond_and_not_before),
        cmocka_unit_test(a_timer_that_is_due_waits_for_the_next_expiry),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
