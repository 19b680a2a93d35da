/* Faults of a channel: which calls they strike and how, on each kind of transport; and the network of a
 * test's. */
#include "tests/support/streams.h"

#include <vow/testing.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

struct stage {
    world      *world;
    vow_faults *faults;
};

static int open_stage(void **state, world_kind kind)
{
    struct stage *stage = calloc(1, sizeof *stage);

    assert_non_null(stage);
    stage->world = world_new(kind);
    stage->faults = vow_faults_new(stage->world->channel, 1);
    assert_non_null(stage->faults);
    *state = stage;
    return 0;
}

static int open_simulated(void **state)
{
    return open_stage(state, WORLD_SIMULATED);
}
static int open_tcp(void **state)
{
    return open_stage(state, WORLD_TCP);
}
static int open_memory(void **state)
{
    return open_stage(state, WORLD_MEMORY);
}

static int close_stage(void **state)
{
    struct stage *stage = *state;
    vow_faults   *faults = stage->faults;

    world_free(stage->world);
    vow_faults_free(faults);
    free(stage);
    return 0;
}

static vow_code call(struct stage *stage)
{
    return world_settle(stage->world, world_echo(stage->world, "x", NULL));
}

static void a_fault_fails_a_call_before_it_leaves(void **state)
{
    struct stage *stage = *state;

    vow_faults_add(stage->faults, VOW_FAULT(.code = VOW_UNAVAILABLE, .message = "no route", .times = 1));
    assert_string_equal(world_error(stage->world, world_hold(stage->world, "x", NULL)),
                        "UNAVAILABLE: no route");
    assert_int_equal(stage->world->held_ever, 0);
    assert_int_equal(call(stage), VOW_OK);
    assert_int_equal(vow_faults_count(stage->faults), 1);
}

static void a_fault_skips_calls_and_strikes_so_many(void **state)
{
    struct stage *stage = *state;
    vow_code      codes[5];

    vow_faults_add(stage->faults, VOW_FAULT(.code = VOW_ABORTED, .skip = 1, .times = 2));
    for (size_t i = 0; i < 5; i++)
        codes[i] = call(stage);
    assert_int_equal(codes[0], VOW_OK);
    assert_int_equal(codes[1], VOW_ABORTED);
    assert_int_equal(codes[2], VOW_ABORTED);
    assert_int_equal(codes[3], VOW_OK);
    assert_int_equal(codes[4], VOW_OK);
}

static void a_fault_is_for_one_method_and_the_first_that_fits_strikes(void **state)
{
    struct stage *stage = *state;

    vow_faults_add(stage->faults, VOW_FAULT(.method = &calls_calls_hold_method, .code = VOW_ABORTED));
    vow_faults_add(stage->faults, VOW_FAULT(.code = VOW_DATA_LOSS, .skip = 1));
    assert_int_equal(call(stage), VOW_OK);
    assert_int_equal(world_settle(stage->world, world_hold(stage->world, "", NULL)), VOW_ABORTED);
    assert_int_equal(call(stage), VOW_DATA_LOSS);
    vow_faults_clear(stage->faults);
    assert_int_equal(call(stage), VOW_OK);
}

static void a_fault_delays_a_call(void **state)
{
    struct stage *stage = *state;
    uint64_t      since_ns = vow_loop_now_ns(stage->world->loop);

    vow_faults_add(stage->faults, VOW_FAULT(.delay_ms = 40, .times = 1));
    assert_int_equal(call(stage), VOW_OK);
    assert_true(vow_loop_now_ns(stage->world->loop) - since_ns >= 40 * 1000000);
    vow_faults_add(stage->faults, VOW_FAULT(.delay_ms = 20, .code = VOW_ABORTED));
    assert_int_equal(call(stage), VOW_ABORTED);
    assert_true(vow_loop_now_ns(stage->world->loop) - since_ns >= 60 * 1000000);
}

static void a_delayed_call_still_has_its_deadline(void **state)
{
    struct stage *stage = *state;
    vow_future   *reply;

    vow_faults_add(stage->faults, VOW_FAULT(.delay_ms = 10000));
    reply = world_hold(stage->world, "", VOW_CALL(.timeout_ms = 30));
    assert_int_equal(world_settle(stage->world, reply), VOW_DEADLINE_EXCEEDED);
    assert_int_equal(stage->world->held_ever, 0);
}

static void a_call_whose_answer_is_lost_was_served(void **state)
{
    struct stage *stage = *state;
    vow_future   *reply;

    vow_faults_add(stage->faults, VOW_FAULT(.loses_answer = true, .times = 1));
    reply = world_hold(stage->world, "", NULL);
    world_wait_for_held(stage->world, 1);
    assert_false(vow_future_settled(reply));
    world_answer_held(stage->world, "done");
    assert_string_equal(world_error(stage->world, reply),
                        "UNAVAILABLE: the answer was lost, as a test wants it");
}

static bool none_is_held(const world *world, void *arg)
{
    (void)arg;
    return world->held_count == 0;
}

static void a_connection_that_is_cut_takes_all_its_calls_along(void **state)
{
    struct stage *stage = *state;
    vow_future   *beside = world_hold(stage->world, "", NULL);
    vow_future   *struck;

    world_wait_for_held(stage->world, 1);
    vow_faults_add(stage->faults, VOW_FAULT(.cuts = true, .delay_ms = 5, .times = 1));
    struck = world_hold(stage->world, "", NULL);
    assert_int_equal(world_settle(stage->world, struck), VOW_UNAVAILABLE);
    assert_int_equal(world_settle(stage->world, beside), VOW_UNAVAILABLE);
    assert_int_equal(call(stage), VOW_OK); /* over a new connection */
    world_run_until(stage->world, none_is_held, NULL);
    assert_true(stage->world->gone >= 1);
}

static bool one_is_gone(const world *world, void *arg)
{
    (void)arg;
    return world->gone == 1;
}

static void a_channel_is_cut_and_connects_again(void **state)
{
    struct stage *stage = *state;
    vow_future   *reply = world_hold(stage->world, "", NULL);

    vow_channel_cut(stage->world->channel); /* nothing is connected yet */
    world_wait_for_held(stage->world, 1);
    vow_channel_cut(stage->world->channel);
    assert_true(vow_future_settled(reply));
    assert_int_equal(vow_future_code(reply), VOW_UNAVAILABLE);
    assert_non_null(strstr(vow_future_error(reply), "the connection was cut (vow_channel_cut)"));
    vow_drop(reply);
    world_run_until(stage->world, one_is_gone, NULL);
    assert_int_equal(call(stage), VOW_OK);
}

static void a_channel_may_be_closed_with_a_cut_to_come(void **state)
{
    struct stage *stage = *state;
    vow_future   *reply;

    vow_faults_add(stage->faults, VOW_FAULT(.cuts = true, .delay_ms = 5));
    reply = world_hold(stage->world, "", NULL);
    vow_channel_close(stage->world->channel);
    stage->world->channel = NULL;
    assert_int_equal(world_settle(stage->world, reply), VOW_CANCELLED);
    world_advance_ms(stage->world, 20);
}

static size_t strikes_of(struct stage *stage, uint64_t seed, unsigned of_thousand)
{
    vow_channel *channel = vow_channel_open(stage->world->loop, stage->world->address, NULL);
    vow_faults  *faults = vow_faults_new(channel, seed);
    Calls__Text  request = CALLS__TEXT__INIT;
    size_t       struck = 0;
    size_t       trace = 0;

    vow_faults_add(faults, VOW_FAULT(.code = VOW_ABORTED, .of_thousand = of_thousand));
    for (size_t i = 0; i < 200; i++) {
        bool failed = world_settle(stage->world, calls_calls_echo(channel, &request, NULL)) == VOW_ABORTED;

        struck += failed;
        trace = trace * 31 + failed;
    }
    assert_int_equal(vow_faults_count(faults), struck);
    assert_in_range(struck, of_thousand / 10, of_thousand * 3 / 10);
    vow_channel_close(channel);
    vow_faults_free(faults);
    return trace;
}

static void chance_follows_from_the_seed(void **state)
{
    assert_int_equal(strikes_of(*state, 7, 300), strikes_of(*state, 7, 300));
    assert_int_not_equal(strikes_of(*state, 7, 300), strikes_of(*state, 8, 300));
}

/* The network */

static void a_loop_of_libuvs_has_no_network_of_its_own(void **state)
{
    struct stage *stage = *state;

    assert_null(vow_network_of(stage->world->loop));
}

static void faults_of_the_network_are_taken_back_with_none(void **state)
{
    struct stage *stage = *state;
    vow_network  *network = vow_network_of(stage->world->loop);

    vow_network_set_faults(network, VOW_NETWORK_FAULTS(.refused = 1000));
    assert_int_equal(call(stage), VOW_UNAVAILABLE);
    vow_network_set_faults(network, NULL);
    world_advance_ms(stage->world, 2000);
    assert_int_equal(call(stage), VOW_OK);
}

#define ON(world, test)                                                                                      \
    {                                                                                                        \
#test " (" #world ")", test, open_##world, close_stage, NULL                                         \
    }
#define ON_EACH(test) ON(simulated, test), ON(tcp, test), ON(memory, test)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EACH(a_fault_fails_a_call_before_it_leaves),
        ON_EACH(a_fault_skips_calls_and_strikes_so_many),
        ON_EACH(a_fault_is_for_one_method_and_the_first_that_fits_strikes),
        ON_EACH(a_fault_delays_a_call),
        ON_EACH(a_delayed_call_still_has_its_deadline),
        ON_EACH(a_call_whose_answer_is_lost_was_served),
        ON_EACH(a_connection_that_is_cut_takes_all_its_calls_along),
        ON_EACH(a_channel_is_cut_and_connects_again),
        ON_EACH(a_channel_may_be_closed_with_a_cut_to_come),
        ON_EACH(chance_follows_from_the_seed),
        ON(tcp, a_loop_of_libuvs_has_no_network_of_its_own),
        ON(simulated, faults_of_the_network_are_taken_back_with_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
