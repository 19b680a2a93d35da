/*
 * The simulated loop: its clock, posts and jobs, and how it ends.
 */
#include "tests/support/net.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define NS_PER_MS 1000000u

/* The clock */

static void count_done(vow_future *settled, void *arg)
{
    (void)settled;
    ++*(unsigned *)arg;
}

static void a_sleep_takes_simulated_time(void **state)
{
    vow_loop   *loop = vow_loop_simulated(1);
    uint64_t    began = vow_loop_now_ns(loop);
    vow_future *sleep = vow_sleep(loop, 86400000);

    (void)state;
    vow_loop_advance(loop, 86399999);
    assert_false(vow_future_settled(sleep));
    vow_loop_advance(loop, 1);
    assert_true(vow_future_settled(sleep));
    assert_int_equal(vow_loop_now_ns(loop) - began, 86400000ull * NS_PER_MS);
    vow_drop(sleep);
    vow_loop_close(loop);
}

static void waiting_jumps_to_what_is_due(void **state)
{
    vow_loop   *loop = vow_loop_simulated(1);
    uint64_t    began = vow_loop_now_ns(loop);
    vow_future *sleep = vow_sleep(loop, 1000);

    (void)state;
    assert_int_equal(vow_wait(sleep), VOW_OK);
    assert_int_equal(vow_loop_now_ns(loop) - began, 1000ull * NS_PER_MS);
    vow_drop(sleep);
    vow_loop_close(loop);
}

static void waiting_for_what_nothing_will_settle_fails(void **state)
{
    vow_loop    *loop = vow_loop_simulated(1);
    vow_promise *promise;
    vow_future  *future = vow_promise_new(loop, &promise);

    (void)state;
    assert_int_equal(vow_wait(future), VOW_FAILED_PRECONDITION);
    vow_drop(future);
    vow_reject(promise, VOW_CANCELLED, "nobody waits");
    vow_loop_close(loop);
}

static void advancing_by_nothing_runs_what_is_ready(void **state)
{
    vow_loop *loop = vow_loop_simulated(1);
    unsigned  done = 0;
    uint64_t  began = vow_loop_now_ns(loop);

    (void)state;
    vow_done(vow_value(loop, NULL, NULL), count_done, &done);
    vow_done(vow_sleep(loop, 0), count_done, &done);
    assert_int_equal(done, 0);
    vow_loop_advance(loop, 0);
    assert_int_equal(done, 2);
    assert_int_equal(vow_loop_now_ns(loop), began);
    vow_loop_close(loop);
}

static vow_future *sleep_again(vow_future *settled, void *arg)
{
    unsigned *rounds = arg;

    ++*rounds;
    return vow_then(vow_sleep(vow_future_loop(settled), 0), sleep_again, arg);
}

static vow_future *go_on(vow_future *settled, void *arg)
{
    ++*(unsigned *)arg;
    return vow_then(vow_value(vow_future_loop(settled), NULL, NULL), go_on, arg);
}

static void a_chain_that_feeds_itself_does_not_stop_the_clock(void **state)
{
    vow_loop   *loop = vow_loop_simulated(1);
    unsigned    rounds = 0;
    unsigned    sleeps = 0;
    vow_future *chain = vow_then(vow_value(loop, NULL, NULL), go_on, &rounds);
    vow_future *naps = vow_then(vow_sleep(loop, 0), sleep_again, &sleeps);

    (void)state;
    vow_loop_advance(loop, 2);
    assert_true(rounds > 1000);
    assert_true(sleeps > 1);
    vow_drop(chain);
    vow_drop(naps);
    vow_loop_close(loop);
}

/* Posts and jobs */

struct order {
    vow_loop *loop;
    unsigned  count;
    unsigned  numbers[100];
    unsigned  running;
    unsigned  most_running;
};

struct numbered {
    struct order *order;
    unsigned      number;
};

static void posted_run(void *arg)
{
    struct numbered *numbered = arg;

    numbered->order->numbers[numbered->order->count++] = numbered->number;
}

static void posts_keep_their_order_and_take_time(void **state)
{
    vow_loop       *loop = vow_loop_simulated(2);
    struct order    order = { .loop = loop };
    struct numbered posts[100];

    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        posts[i] = (struct numbered){ &order, i };
        assert_int_equal(vow_loop_post(loop, posted_run, &posts[i]), VOW_OK);
    }
    assert_int_equal(order.count, 0);
    vow_loop_advance(loop, 1);
    assert_int_equal(order.count, 100);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(order.numbers[i], i);
    vow_loop_close(loop);
}

static vow_code job_run(void *job, vow_error *error)
{
    struct numbered *numbered = job;

    if (numbered->number == 99)
        return vow_error_set(error, VOW_NOT_FOUND, "no job 99");
    posted_run(job);
    return VOW_OK;
}

static void job_released(void *job)
{
    ((struct numbered *)job)->order->running++;
}

static void jobs_take_time_four_at_once(void **state)
{
    vow_loop       *loop = vow_loop_simulated(3);
    struct order    order = { .loop = loop };
    struct numbered jobs[100];
    vow_future     *works[100];
    uint64_t        began = vow_loop_now_ns(loop);
    vow_future     *all;

    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        jobs[i] = (struct numbered){ &order, i };
        works[i] = vow_work(loop, job_run, &jobs[i], job_released);
    }
    vow_drop(works[50]); /* has not begun */
    works[50] = vow_value(loop, NULL, NULL);
    all = vow_all(loop, 100, works);
    assert_int_equal(vow_wait(all), VOW_NOT_FOUND);
    assert_string_equal(vow_future_error(all), "NOT_FOUND: no job 99");
    assert_true(order.count > 90 && order.count < 99);
    assert_in_range(vow_loop_now_ns(loop) - began, 10 * NS_PER_MS, 50 * NS_PER_MS);
    vow_drop(all);
    vow_loop_advance(loop, 10);
    assert_int_equal(order.running, 100);
    vow_loop_close(loop);
}

/* Closing the loop */

static void a_loop_that_closes_runs_what_is_left(void **state)
{
    vow_loop       *loop = vow_loop_simulated(4);
    struct order    order = { .loop = loop };
    struct numbered post = { &order, 1 };
    unsigned        done = 0;

    (void)state;
    assert_int_equal(vow_loop_post(loop, posted_run, &post), VOW_OK);
    vow_done(vow_sleep(loop, 1000), count_done, &done);
    vow_loop_close(loop);
    assert_int_equal(order.count, 1);
    assert_int_equal(done, 1);
}

static void handles_outlive_the_loops_close(void **state)
{
    vow_loop    *loop = vow_loop_simulated(5);
    vow_promise *promise;
    vow_future  *sleep = vow_sleep(loop, 1000);
    vow_future  *kept = vow_promise_new(loop, &promise);
    unsigned     done = 0;

    (void)state;
    vow_done(vow_all_settled(loop, VOW_FUTURES(vow_future_ref(sleep), vow_future_ref(kept))), count_done,
             &done);
    vow_loop_close(loop);
    assert_int_equal(done, 1);
    assert_int_equal(vow_future_code(sleep), VOW_CANCELLED);
    vow_drop(sleep);
    vow_drop(kept);
    vow_resolve(promise, NULL, NULL); /* the last: frees the loop */
}

static void close_loop(vow_future *settled, void *arg)
{
    (void)settled;
    vow_loop_close(arg);
}

static void a_loop_may_be_closed_in_a_callback(void **state)
{
    vow_loop *loop = vow_loop_simulated(6);
    unsigned  done = 0;

    (void)state;
    vow_done(vow_sleep(loop, 10), close_loop, loop);
    vow_done(vow_sleep(loop, 1000), count_done, &done);
    vow_loop_advance(loop, 20);
    assert_int_equal(done, 1);
}

static void a_loop_closes_over_open_streams(void **state)
{
    struct net   *net = net_new(22);
    struct talker client;

    (void)state;
    net_open(net, &client);
    client.to_send = 300000;
    talker_send(&client);
    vow_network_cut(net->network);
    net_free(net);
    assert_false(client.has_closed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sleep_takes_simulated_time),
        cmocka_unit_test(waiting_jumps_to_what_is_due),
        cmocka_unit_test(waiting_for_what_nothing_will_settle_fails),
        cmocka_unit_test(advancing_by_nothing_runs_what_is_ready),
        cmocka_unit_test(a_chain_that_feeds_itself_does_not_stop_the_clock),
        cmocka_unit_test(posts_keep_their_order_and_take_time),
        cmocka_unit_test(jobs_take_time_four_at_once),
        cmocka_unit_test(a_loop_that_closes_runs_what_is_left),
        cmocka_unit_test(handles_outlive_the_loops_close),
        cmocka_unit_test(a_loop_may_be_closed_in_a_callback),
        cmocka_unit_test(a_loop_closes_over_open_streams),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
