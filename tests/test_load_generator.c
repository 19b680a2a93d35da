/*
 * vow-load's generator on the simulated clock and network, where every moment is known: what it measures of a
 * server that does as it is told is what arithmetic says.
 */
#include "calls.vow.h"
#include "tools/vow-load/generator.h"

#include <vow/testing.h>
#include <vow/vow.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MS UINT64_C(1000000)
#define S UINT64_C(1000000000)
#define ROUND_TRIP_MS 1 /* of the simulated network */
#define ASKED_MAX 2000
#define GENERATORS_MAX 2

/* How the server answers. */
struct manner {
    int64_t  delay_ms;
    uint64_t stall_from_ms,
        stall_to_ms;     /* since it was opened: what comes then is answered at the end of it */
    size_t   fails_each; /* every so many-th call; 0: none */
    vow_code fails_with;
    bool     is_silent;
};

struct world {
    vow_loop       *loop;
    vow_server     *server;
    vow_channel    *channel;
    struct manner   manner;
    uint64_t        opened_ns;
    size_t          calls;
    size_t          running, running_most;
    uint64_t        asked[ASKED_MAX]; /* what the calls said, as numbers */
    load_schedule   schedule;
    load_requests   requests;
    vow_method      method;
    load_generator *generators[GENERATORS_MAX];
    vow_future     *wakes[GENERATORS_MAX];
    size_t          of;
    size_t          over;
    load_tally     *total;
};

static struct world world;

/* The server */

static uint64_t world_ms(void)
{
    return (vow_loop_now_ns(world.loop) - world.opened_ns) / MS;
}

static vow_future *answer(vow_future *slept, void *arg)
{
    Calls__Text reply = CALLS__TEXT__INIT;

    (void)slept;
    world.running--;
    reply.text = (char *)(uintptr_t) "answer";
    vow_call_reply(arg, &reply.base);
    return NULL;
}

static void serve(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    const struct manner *manner = &world.manner;
    int64_t              delay_ms = manner->delay_ms;
    uint64_t             now_ms = world_ms();

    (void)handler;
    if (world.calls < ASKED_MAX)
        world.asked[world.calls] = strtoull(((const Calls__Text *)request)->text, NULL, 10);
    world.calls++;
    if (++world.running > world.running_most)
        world.running_most = world.running;
    if (manner->is_silent) {
        vow_call_answer(call, vow_sleep(world.loop, 3600000)); /* until the caller has gone */
        return;
    }
    if (manner->fails_each && world.calls % manner->fails_each == 0) {
        world.running--;
        vow_call_fail(call, manner->fails_with, "call %zu fails", world.calls);
        return;
    }
    if (now_ms >= manner->stall_from_ms && now_ms < manner->stall_to_ms)
        delay_ms += (int64_t)(manner->stall_to_ms - now_ms);
    vow_call_answer(call, vow_then(vow_sleep(world.loop, delay_ms), answer, call));
}

/* The generators' clock */

static uint64_t clock_now_ns(void *arg)
{
    (void)arg;
    return vow_loop_now_ns(world.loop);
}

static vow_future *clock_woke(vow_future *slept, void *arg)
{
    (void)slept;
    load_generator_wake(world.generators[(size_t)(uintptr_t)arg]);
    return NULL;
}

static void clock_wake_at(void *arg, uint64_t moment_ns)
{
    size_t   place = (size_t)(uintptr_t)arg;
    uint64_t now_ns = vow_loop_now_ns(world.loop);
    int64_t  ms = moment_ns > now_ns ? (int64_t)((moment_ns - now_ns + MS - 1) / MS) : 0;

    vow_drop(world.wakes[place]);
    world.wakes[place] = vow_then(vow_sleep(world.loop, ms), clock_woke, arg);
}

/* A run */

static void count_over(void *arg)
{
    (void)arg;
    world.over++;
}

static int open_world(void **state)
{
    const vow_handler handler = { sizeof handler, &calls_calls_echo_method, serve, NULL, NULL };

    (void)state;
    memset(&world, 0, sizeof world);
    world.loop = vow_loop_simulated(1);
    vow_network_set_faults(vow_network_of(world.loop), VOW_NETWORK_FAULTS(.latency_us = 500 * ROUND_TRIP_MS,
                                                                          .bytes_per_second = 1u << 30));
    world.server =
        vow_server_open(world.loop, VOW_SERVER(.max_calls = 1u << 20, .max_calls_per_connection = 1u << 20));
    vow_server_handle(world.server, &handler);
    world.channel = vow_channel_open_to(world.loop, world.server, NULL);
    world.opened_ns = vow_loop_now_ns(world.loop);
    world.method = (vow_method){ .size = sizeof world.method,
                                 .name = "calls.Calls/Echo",
                                 .request = &vow_raw_descriptor,
                                 .reply = &vow_raw_descriptor };
    world.total = calloc(1, sizeof *world.total);
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    for (size_t i = 0; i < world.of; i++) {
        vow_drop(world.wakes[i]);
        load_generator_free(world.generators[i]);
    }
    load_requests_done(&world.requests);
    free(world.total);
    vow_channel_close(world.channel);
    vow_server_close(world.server);
    vow_loop_close(world.loop);
    return 0;
}

/* Connects first: what is measured begins with a connection that is there. */
static void world_start(size_t of, size_t outstanding)
{
    vow_future *ready = vow_channel_ready(world.channel);

    assert_int_equal(vow_wait(ready), VOW_OK);
    vow_drop(ready);
    world.of = of;
    for (size_t i = 0; i < of; i++) {
        const load_generator_setup setup = {
            .channels = &world.channel,
            .channel_count = 1,
            .method = &world.method,
            .timeout_ms = 10000,
            .schedule = &world.schedule,
            .requests = &world.requests,
            .outstanding = outstanding,
            .place = i,
            .of = of,
            .clock = { clock_now_ns, clock_wake_at, (void *)(uintptr_t)i },
            .over = count_over,
        };

        world.generators[i] = load_generator_new(&setup);
    }
    world.opened_ns = vow_loop_now_ns(world.loop);
    for (size_t i = 0; i < of; i++)
        load_generator_start(world.generators[i], world.opened_ns);
}

/* Adds up what was measured. */
static void world_sum(void)
{
    for (size_t i = 0; i < world.of; i++) {
        for (size_t s = world.schedule.has_warmup; s < world.schedule.step_count; s++)
            load_tally_merge(world.total, load_generator_step(world.generators[i], s));
    }
}

static void world_run(size_t of, size_t outstanding)
{
    world_start(of, outstanding);
    for (int i = 0; i < 1000 && world.over < of; i++)
        vow_loop_advance(world.loop, 1000);
    assert_int_equal(world.over, of);
    world_sum();
}

static void open_loop(const char *rates, uint64_t length_ns)
{
    load_problem problem;

    assert_true(load_schedule_open(&world.schedule, rates, length_ns, &problem));
}

static uint64_t quantile_ms(double share)
{
    return (stats_histogram_quantile(&world.total->latency, share) + MS / 2) / MS;
}

static void assert_adds_up(void)
{
    assert_int_equal(world.total->begun,
                     world.total->answered + load_tally_failed(world.total) + world.total->unfinished);
    assert_int_equal(world.total->latency.count, world.total->answered);
}

/* Latency */

static void a_known_delay_is_what_it_reports(void **state)
{
    (void)state;
    world.manner.delay_ms = 20;
    open_loop("100", 10 * S);
    world_run(1, 1000);
    assert_int_equal(world.total->answered, 1000);
    assert_int_equal(quantile_ms(0.5), 20 + ROUND_TRIP_MS);
    assert_int_equal(quantile_ms(1), 20 + ROUND_TRIP_MS);
    assert_int_equal(world.total->lag.greatest, 0);
    assert_int_equal(load_generator_missed(world.generators[0]), 0);
    assert_int_equal(load_generator_ended_ns(world.generators[0]), 10 * S);
    assert_adds_up();
}

/*
 * 500 ms without an answer, and a call due every 10 ms: 50 calls wait for 500, 490 … 10 ms. Of 1,000 calls
 * the tenth part of a tenth is the ten longest, so p99 is the eleventh: 400 ms.
 */
static void a_stall_shows_in_the_p99_of_an_open_loop_as_arithmetic_says(void **state)
{
    (void)state;
    world.manner.stall_from_ms = 2000;
    world.manner.stall_to_ms = 2500;
    open_loop("100", 10 * S);
    world_run(1, 1000);
    assert_int_equal(world.total->answered, 1000);
    assert_in_range(quantile_ms(0.99), 400 - 10, 400 + 10);
    assert_in_range(quantile_ms(1), 500 - 10, 500 + ROUND_TRIP_MS);
    assert_int_equal(quantile_ms(0.9), ROUND_TRIP_MS);
    assert_adds_up();
}

/* It is the caller that waits then, and asks no one else: one call is slow, and the rest never were made. */
static void a_closed_loop_does_not_see_the_same_stall(void **state)
{
    (void)state;
    world.manner.delay_ms = 9;
    world.manner.stall_from_ms = 2000;
    world.manner.stall_to_ms = 2500;
    load_schedule_closed(&world.schedule, 10 * S);
    world_run(1, 1);
    assert_in_range(world.total->answered, 940, 960);
    assert_in_range(quantile_ms(0.99), 9, 11);
    assert_in_range(quantile_ms(1), 490, 515);
    assert_adds_up();
}

/* A server that takes 100 ms and one call at a time: what is due waits for its turn, and the waiting counts.
 */
static void waiting_for_room_counts_as_latency(void **state)
{
    (void)state;
    world.manner.delay_ms = 99;
    open_loop("20", 2 * S);
    world_run(1, 1);
    assert_int_equal(world.running_most, 1);
    /* Call n is due at 50 n ms and begins at 100 n ms. */
    assert_in_range(world.total->begun, 21, 22);
    assert_int_equal(world.total->begun + load_generator_missed(world.generators[0]), 40);
    assert_in_range(quantile_ms(1), 1050, 1200);
    assert_adds_up();
}

static void each_step_has_calls_of_its_own(void **state)
{
    (void)state;
    world.manner.delay_ms = 30;
    open_loop("100:1s,50:2s", S);
    load_schedule_warm_up(&world.schedule, S);
    world_run(2, 100);
    assert_int_equal(world.calls, 100 + 100 + 100);
    assert_int_equal(world.total->begun, 200);
    for (size_t s = 0; s < 3; s++) {
        uint64_t begun = 0, completed = 0;

        for (size_t i = 0; i < 2; i++) {
            begun += load_generator_step(world.generators[i], s)->begun;
            completed += load_generator_step(world.generators[i], s)->completed;
        }
        assert_int_equal(begun, 100);
        /* Those of the last 31 ms are answered in the next step, and those of the one before in this. */
        assert_in_range(completed, 95, 105);
    }
    assert_adds_up();
}

/* What is asked */

/* A template would need a schema; a counter is enough to tell requests apart, and protobuf's text is easy to
 * write. */
static void number_requests(void)
{
    static const char   proto[] = "syntax = \"proto3\";\npackage calls;\nmessage Text { string text = 1; }\n"
                                  "service Calls { rpc Echo(Text) returns (Text); }\n";
    static load_schema *schema;
    char                path[] = "/tmp/vow-load-XXXXXX";
    load_method         method;
    load_problem        problem;
    FILE               *file = fdopen(mkstemp(path), "w");

    assert_non_null(file);
    fputs(proto, file);
    fclose(file);
    load_schema_free(schema);
    schema = load_schema_of_proto(path, (const char *const[]){ NULL }, &problem);
    remove(path);
    if (!schema || !load_schema_find(schema, "calls.Calls/Echo", &method, &problem) ||
        !load_requests_of_json(&world.requests, "{\"text\": \"{{counter}}\"}", &method, 1, &problem))
        fail_msg("%s", problem.text);
}

static int compare_numbers(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return (left > right) - (left < right);
}

static void several_generators_share_the_requests_and_leave_none_out(void **state)
{
    (void)state;
    number_requests();
    open_loop("100", S);
    world_run(2, 100);
    assert_int_equal(world.calls, 100);
    qsort(world.asked, 100, sizeof world.asked[0], compare_numbers);
    for (uint64_t i = 0; i < 100; i++)
        assert_int_equal(world.asked[i], i);
}

static void a_count_is_kept_to_the_call(void **state)
{
    (void)state;
    number_requests();
    load_schedule_closed(&world.schedule, 86400 * S);
    load_schedule_limit(&world.schedule, 101);
    world_run(2, 7);
    assert_int_equal(world.calls, 101);
    assert_int_equal(world.total->answered, 101);
    assert_in_range(world.running_most, 1, 14);
    assert_in_range(load_generator_ended_ns(world.generators[0]), 7 * MS, 20 * MS);
}

/* Failures */

static void calls_that_fail_are_counted_by_their_code(void **state)
{
    (void)state;
    world.manner.fails_each = 4;
    world.manner.fails_with = VOW_NOT_FOUND;
    open_loop("100", 2 * S);
    world_run(1, 10);
    assert_int_equal(world.total->begun, 200);
    assert_int_equal(world.total->answered, 150);
    assert_int_equal(world.total->failed[VOW_NOT_FOUND], 50);
    assert_string_equal(world.total->example[VOW_NOT_FOUND], "NOT_FOUND: call 4 fails");
    assert_adds_up();
}

/* 20 ms each: what fails at once would else be tried as fast as the processor can. */
static void lanes_of_a_closed_loop_rest_while_the_server_is_unavailable(void **state)
{
    (void)state;
    world.manner.fails_each = 1;
    world.manner.fails_with = VOW_UNAVAILABLE;
    load_schedule_closed(&world.schedule, S);
    world_run(1, 2);
    assert_in_range(world.total->failed[VOW_UNAVAILABLE], 2 * 40, 2 * 50);
    assert_adds_up();
}

static void a_call_without_an_answer_fails_with_its_deadline(void **state)
{
    (void)state;
    world.manner.is_silent = true;
    open_loop("5", S);
    world_run(1, 10);
    assert_int_equal(world.total->failed[VOW_DEADLINE_EXCEEDED], 5);
    assert_adds_up();
}

static void what_is_given_up_counts_as_unfinished(void **state)
{
    (void)state;
    world.manner.is_silent = true;
    open_loop("10", 10 * S);
    world_start(1, 100);
    vow_loop_advance(world.loop, 1001);
    load_generator_give_up(world.generators[0]);
    vow_channel_close(world.channel);
    world.channel = NULL;
    vow_loop_advance(world.loop, 1);
    assert_int_equal(world.over, 1);
    world_sum();
    assert_int_equal(world.total->begun, 11);
    assert_int_equal(world.total->unfinished, 11);
    assert_in_range(load_generator_ended_ns(world.generators[0]), 1000 * MS, 1002 * MS);
    assert_adds_up();
}

/* A server too slow for the warm-up leaves a queue; measuring begins with the calls that are due then all the
 * same. */
static void a_warm_up_that_is_late_does_not_eat_the_run(void **state)
{
    (void)state;
    world.manner.stall_from_ms = 0;
    world.manner.stall_to_ms = 1000;
    open_loop("100", S);
    load_schedule_warm_up(&world.schedule, S);
    world_run(1, 5);
    assert_int_equal(world.total->begun, 100);
    assert_int_equal(world.calls, 105);
    assert_int_equal(load_generator_missed(world.generators[0]), 0);
}

static void what_was_counted_is_handed_over_once(void **state)
{
    load_tally *first, *second;

    (void)state;
    open_loop("100", S);
    world_start(1, 10);
    vow_loop_advance(world.loop, 505);
    first = load_generator_exchange(world.generators[0], calloc(1, sizeof *first));
    while (world.over == 0)
        vow_loop_advance(world.loop, 100);
    second = load_generator_exchange(world.generators[0], calloc(1, sizeof *second));
    assert_int_equal(first->begun, 51);
    assert_int_equal(first->begun + second->begun, 100);
    assert_int_equal(first->answered + second->answered, 100);
    free(first);
    free(second);
}

#define in_world(test) cmocka_unit_test_setup_teardown(test, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(a_known_delay_is_what_it_reports),
        in_world(a_stall_shows_in_the_p99_of_an_open_loop_as_arithmetic_says),
        in_world(a_closed_loop_does_not_see_the_same_stall),
        in_world(waiting_for_room_counts_as_latency),
        in_world(each_step_has_calls_of_its_own),
        in_world(several_generators_share_the_requests_and_leave_none_out),
        in_world(a_count_is_kept_to_the_call),
        in_world(calls_that_fail_are_counted_by_their_code),
        in_world(lanes_of_a_closed_loop_rest_while_the_server_is_unavailable),
        in_world(a_call_without_an_answer_fails_with_its_deadline),
        in_world(what_is_given_up_counts_as_unfinished),
        in_world(a_warm_up_that_is_late_does_not_eat_the_run),
        in_world(what_was_counted_is_handed_over_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
