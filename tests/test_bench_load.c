/*
 * The benchmark's load, on a clock that the test tells: when calls begin, and what their latencies are
 * counted from.
 */
#include "bench/measure/load.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cmocka.h>

#define START 5000000000u /* of the clock, which begins anywhere */
#define MS 1000000u

static bench_client_options options_of(double seconds, double rate)
{
    return (bench_client_options){
        .target = "none",
        .server_pid = getpid(), /* whose processor time is read */
        .outstanding = 1000,
        .size = 32,
        .seconds = seconds,
        .connections = 1,
        .rate = rate,
    };
}

static bench_load *load_begin(const bench_client_options *options)
{
    bench_load *load = calloc(1, sizeof *load);

    assert_non_null(load);
    bench_load_begin(load, options, START);
    return load;
}

static double figure(const bench_load *load, bench_figure figure)
{
    return bench_load_results(load).figures[figure];
}

/* Half a bucket of the histogram. */
static void assert_near(double value, double wanted)
{
    if (value < wanted * 0.999 || value > wanted * 1.001)
        fail_msg("%g is not %g within a thousandth", value, wanted);
}

/* Moments */

static void in_the_closed_loop_a_call_may_begin_at_any_moment_and_counts_from_it(void **state)
{
    bench_client_options options = options_of(1, 0);
    bench_load          *load = load_begin(&options);
    uint64_t             start_ns = 0;

    (void)state;
    assert_true(bench_load_call(load, START + 7, &start_ns));
    assert_int_equal(start_ns, START + 7);
    assert_true(bench_load_call(load, START + 7, &start_ns));
    assert_int_equal(bench_load_timer_open(load), -1);
    free(load);
}

static void in_the_open_loop_the_first_call_begins_at_once_and_the_next_at_its_moment(void **state)
{
    bench_client_options options = options_of(1, 1000);
    bench_load          *load = load_begin(&options);
    uint64_t             start_ns = 0;

    (void)state;
    assert_true(bench_load_call(load, START, &start_ns));
    assert_int_equal(start_ns, START);
    assert_int_equal(bench_load_due_ns(load), START + MS);
    assert_false(bench_load_call(load, START + MS - 1, &start_ns));
    assert_int_equal(start_ns, START);
    assert_true(bench_load_call(load, START + MS, &start_ns));
    assert_int_equal(start_ns, START + MS);
    free(load);
}

static void a_client_that_was_late_makes_all_that_is_due_each_counted_from_its_own_moment(void **state)
{
    bench_client_options options = options_of(1, 1000);
    bench_load          *load = load_begin(&options);
    uint64_t             start_ns = 0;

    (void)state;
    for (unsigned i = 0; i <= 3; i++) {
        assert_true(bench_load_call(load, START + 3 * MS + MS / 2, &start_ns));
        assert_int_equal(start_ns, START + i * MS);
    }
    assert_false(bench_load_call(load, START + 3 * MS + MS / 2, &start_ns));
    free(load);
}

static void moments_are_whole_nanoseconds_apart_so_that_a_timer_keeps_in_step(void **state)
{
    bench_client_options options = options_of(1, 3);
    bench_load          *load = load_begin(&options);
    uint64_t             start_ns = 0;

    (void)state;
    for (uint64_t i = 0; i < 1000; i++) {
        assert_int_equal(bench_load_due_ns(load), START + i * 333333333);
        assert_true(bench_load_call(load, bench_load_due_ns(load), &start_ns));
    }
    free(load);
}

/* What a timer on the system's clock is set to. */
static uint64_t timer_interval_ns(double rate)
{
    bench_client_options options = options_of(1, rate);
    bench_load          *load = load_begin(&options);
    int                  timer = bench_load_timer_open(load);
    struct itimerspec    set;

    assert_int_equal(timerfd_gettime(timer, &set), 0);
    close(timer);
    free(load);
    return (uint64_t)set.it_interval.tv_sec * 1000000000u + (uint64_t)set.it_interval.tv_nsec;
}

static void the_timer_fires_at_each_moment_or_where_these_are_near_at_some_of_them(void **state)
{
    (void)state;
    assert_int_equal(timer_interval_ns(5000), 200000);
    assert_int_equal(timer_interval_ns(20000), 50000);
    assert_int_equal(timer_interval_ns(25000), 80000); /* every second one */
    assert_int_equal(timer_interval_ns(1e6), 50000);
}

static void calls_are_shared_out_evenly_the_first_getting_the_rest(void **state)
{
    (void)state;
    assert_int_equal(bench_share(10, 4, 0), 3);
    assert_int_equal(bench_share(10, 4, 1), 3);
    assert_int_equal(bench_share(10, 4, 2), 2);
    assert_int_equal(bench_share(10, 4, 3), 2);
}

/* A server on scripted time */

/* Answers in order, each `answer_ns` after its call, but none from `stall_ns` until `stall_end_ns`. */
struct server {
    uint64_t answer_ns;
    uint64_t stall_ns;
    uint64_t stall_end_ns;
};

static uint64_t server_answers_at(const struct server *server, uint64_t called_ns)
{
    uint64_t at_ns = called_ns + server->answer_ns;

    return at_ns >= server->stall_ns && at_ns < server->stall_end_ns ? server->stall_end_ns : at_ns;
}

/* A client that looks at the clock every 100 us, which an answer then takes at least, and keeps up to `most`
 * calls in flight. */
static bench_load *run(const bench_client_options *options, const struct server *server, size_t most)
{
    bench_load *load = load_begin(options);
    uint64_t   *start_ns = calloc(most, sizeof *start_ns);
    uint64_t   *answer_ns = calloc(most, sizeof *answer_ns);
    size_t      oldest = 0, count = 0;
    uint64_t    now_ns = START;

    assert_non_null(start_ns);
    assert_non_null(answer_ns);
    for (; bench_load_goes_on(load, now_ns); now_ns += MS / 10) {
        for (; count > 0 && answer_ns[oldest] <= now_ns; count--, oldest = (oldest + 1) % most)
            bench_load_answered(load, start_ns[oldest], now_ns);
        for (; count < most; count++) {
            size_t next = (oldest + count) % most;

            if (!bench_load_call(load, now_ns, &start_ns[next]))
                break;
            answer_ns[next] = server_answers_at(server, now_ns);
        }
    }
    free(start_ns);
    free(answer_ns);
    return load;
}

static void a_server_that_delays_is_reported_with_its_delay(void **state)
{
    struct server        server = { .answer_ns = 5 * MS };
    bench_client_options open = options_of(1, 1000), closed = options_of(1, 0);
    bench_load          *load = run(&open, &server, 1000);

    (void)state;
    assert_near(figure(load, BENCH_P50_US), 5000);
    assert_near(figure(load, BENCH_MAX_US), 5000);
    assert_near(figure(load, BENCH_CALLS_PER_S), 1000);
    assert_true(figure(load, BENCH_RATE_PER_S) == 1000);
    free(load);

    load = run(&closed, &server, 10);
    assert_near(figure(load, BENCH_P50_US), 5000);
    assert_near(figure(load, BENCH_CALLS_PER_S), 2000);
    free(load);
}

/* Measuring is from 200 ms on for a second. Of its 1,000 calls the 300 that become due in the stall wait for
 * what is left of it: 1 % of all, ten calls, wait longer than 290 ms. */
static void a_stalled_server_shows_in_the_open_loop(void **state)
{
    struct server        server = { .stall_ns = START + 500 * MS, .stall_end_ns = START + 800 * MS };
    bench_client_options options = options_of(1, 1000);
    bench_load          *load = run(&options, &server, 1000);

    (void)state;
    assert_near(figure(load, BENCH_P50_US), 100);
    assert_near(figure(load, BENCH_P90_US), 200e3);
    assert_near(figure(load, BENCH_P99_US), 290e3);
    assert_near(figure(load, BENCH_MAX_US), 300e3);
    free(load);
}

static void calls_that_must_wait_until_others_are_answered_count_from_their_moments_too(void **state)
{
    struct server        server = { .stall_ns = START + 500 * MS, .stall_end_ns = START + 800 * MS };
    bench_client_options options = options_of(1, 1000);
    bench_load          *load = run(&options, &server, 10);

    (void)state;
    assert_near(figure(load, BENCH_MAX_US), 300e3);
    assert_near(figure(load, BENCH_P90_US), 200e3 + 1e3);
    free(load);
}

static void the_closed_loop_sees_a_stall_once_for_each_call_in_flight(void **state)
{
    struct server        server = { .answer_ns = MS / 10,
                                    .stall_ns = START + 500 * MS,
                                    .stall_end_ns = START + 800 * MS };
    bench_client_options options = options_of(1, 0);
    bench_load          *load = run(&options, &server, 1);

    (void)state;
    assert_near(figure(load, BENCH_P999_US), 100);
    assert_near(figure(load, BENCH_MAX_US), 300e3);
    free(load);
}

static void calls_that_are_never_answered_count_with_the_time_they_have_waited(void **state)
{
    struct server        server = { .stall_ns = START + 1100 * MS, .stall_end_ns = UINT64_MAX };
    bench_client_options options = options_of(1, 1000);
    bench_load          *load = run(&options, &server, 1000);

    (void)state;
    assert_near(figure(load, BENCH_MAX_US), 100e3);
    assert_near(figure(load, BENCH_P99_US), 90e3);
    assert_near(figure(load, BENCH_CALLS_PER_S), 900);
    free(load);
}

static void what_the_warm_up_saw_is_not_reported(void **state)
{
    struct server        server = { .stall_ns = START, .stall_end_ns = START + 150 * MS };
    bench_client_options options = options_of(1, 1000);
    bench_load          *load = run(&options, &server, 1000);

    (void)state;
    assert_near(figure(load, BENCH_MAX_US), 100);
    assert_int_equal(load->began_ns, START + 200 * MS);
    assert_int_equal(load->ended_ns, START + 1200 * MS);
    free(load);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_the_closed_loop_a_call_may_begin_at_any_moment_and_counts_from_it),
        cmocka_unit_test(in_the_open_loop_the_first_call_begins_at_once_and_the_next_at_its_moment),
        cmocka_unit_test(a_client_that_was_late_makes_all_that_is_due_each_counted_from_its_own_moment),
        cmocka_unit_test(moments_are_whole_nanoseconds_apart_so_that_a_timer_keeps_in_step),
        cmocka_unit_test(the_timer_fires_at_each_moment_or_where_these_are_near_at_some_of_them),
        cmocka_unit_test(calls_are_shared_out_evenly_the_first_getting_the_rest),
        cmocka_unit_test(a_server_that_delays_is_reported_with_its_delay),
        cmocka_unit_test(a_stalled_server_shows_in_the_open_loop),
        cmocka_unit_test(calls_that_must_wait_until_others_are_answered_count_from_their_moments_too),
        cmocka_unit_test(the_closed_loop_sees_a_stall_once_for_each_call_in_flight),
        cmocka_unit_test(calls_that_are_never_answered_count_with_the_time_they_have_waited),
        cmocka_unit_test(what_the_warm_up_saw_is_not_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
