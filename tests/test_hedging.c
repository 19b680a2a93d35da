/*
 * A client that asks two servers for everything, and drops the slower one's answer.
 *
 * The claim: a thousand such calls a second, for as long as one likes, cost neither side its connection: what
 * a server allows to be cancelled is never exceeded by vow's client, which lets losers run on instead.
 *
 * VOW_HEDGING_SECONDS says how long over real sockets; 3 when it is not set.
 */
#include "runtime/transport/simulated.h"
#include "tests/support/world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALLS_PER_S 1000
#define TICK_MS 10

/* A second server of the same loop, and a channel to each. */
typedef struct pair {
    world       *world;
    vow_server  *servers[2];
    vow_channel *channels[2];
    size_t       served[2];
    size_t       won;
    size_t       lost;
    size_t       changed;     /* times that a channel was not ready any more */
    bool         takes_turns; /* at being slow; else it is always the second */
} pair;

typedef struct backend {
    pair  *pair;
    size_t index;
} backend;

static vow_future *answer_echo(vow_future *slept, void *arg)
{
    Calls__Text reply = CALLS__TEXT__INIT;

    (void)slept;
    reply.text = (char *)(uintptr_t) "served";
    vow_call_reply(arg, &reply.base);
    return NULL;
}

static void serve_late(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    const backend *backend = handler->arg;
    pair          *pair = backend->pair;
    size_t         count = pair->served[backend->index]++;
    bool           is_slow = pair->takes_turns ? (count & 1) == backend->index : backend->index == 1;

    (void)request;
    vow_call_answer(call, vow_then(vow_sleep(vow_call_loop(call), is_slow ? 30 : 2), answer_echo, call));
}

static void pair_changed(vow_future *changed, void *arg)
{
    pair *pair = arg;

    (void)changed;
    pair->changed++;
}

static void pair_open(pair *pair, backend backends[2], world *world, bool takes_turns)
{
    *pair = (struct pair){ .world = world, .takes_turns = takes_turns };
    for (size_t i = 0; i < 2; i++) {
        const vow_handler handler = { sizeof handler, &calls_calls_echo_method, serve_late, NULL,
                                      &backends[i] };
        char              address[64] = "tcp://127.0.0.1:0";
        vow_error         error = { VOW_OK, "" };

        backends[i] = (backend){ pair, i };
        pair->servers[i] = vow_server_open(world->loop, NULL);
        vow_server_handle(pair->servers[i], &handler);
        if (vow_server_listen(pair->servers[i], address, &error) != VOW_OK)
            fail_msg("%s", error.message);
        snprintf(address, sizeof address, "tcp://127.0.0.1:%d", vow_server_port(pair->servers[i]));
        pair->channels[i] = vow_channel_open(world->loop, address, NULL);
        assert_int_equal(world_settle(world, vow_channel_ready(pair->channels[i])), VOW_OK);
        vow_done(vow_channel_changed(pair->channels[i], VOW_CHANNEL_READY), pair_changed, pair);
    }
}

static void pair_close(pair *pair)
{
    assert_int_equal(pair->changed, 0);
    for (size_t i = 0; i < 2; i++) {
        vow_channel_close(pair->channels[i]);
        vow_server_close(pair->servers[i]);
    }
}

static void hedge_ended(vow_future *first, void *arg)
{
    pair *pair = arg;

    if (vow_future_code(first) == VOW_OK)
        pair->won++;
    else
        pair->lost++;
}

/* Whoever answers first wins, and the other is dropped. */
static void hedge(pair *pair)
{
    Calls__Text request = CALLS__TEXT__INIT;

    request.text = (char *)(uintptr_t) "ask";
    vow_done(vow_any(pair->world->loop, VOW_FUTURES(calls_calls_echo(pair->channels[0], &request, NULL),
                                                    calls_calls_echo(pair->channels[1], &request, NULL))),
             hedge_ended, pair);
}

static void hedge_for(pair *pair, int64_t seconds)
{
    uint64_t begin = vow_loop_now_ns(pair->world->loop);
    size_t   count = 0;

    while (count < (size_t)seconds * CALLS_PER_S) {
        uint64_t due = (vow_loop_now_ns(pair->world->loop) - begin) / (UINT64_C(1000000000) / CALLS_PER_S);

        for (; count <= due && count < (size_t)seconds * CALLS_PER_S; count++)
            hedge(pair);
        world_advance_ms(pair->world, TICK_MS);
    }
    world_advance_ms(pair->world, 500);
    assert_int_equal(pair->lost, 0);
    assert_int_equal(pair->won, count);
}

static void hedge_in(world_kind kind, int64_t seconds, bool takes_turns)
{
    world  *world = world_new(kind);
    pair    pair;
    backend backends[2];

    pair_open(&pair, backends, world, takes_turns);
    hedge_for(&pair, seconds);
    pair_close(&pair);
    world_free(world);
}

static int64_t real_seconds(void)
{
    const char *seconds = getenv("VOW_HEDGING_SECONDS");

    return seconds ? atoi(seconds) : 3;
}

static void thirty_seconds_of_hedging_with_one_loser_lose_no_connection(void **state)
{
    (void)state;
    hedge_in(WORLD_SIMULATED, 30, false);
}

static void thirty_seconds_of_hedging_with_losers_in_turn_lose_no_connection(void **state)
{
    (void)state;
    hedge_in(WORLD_SIMULATED, 30, true);
}

static void hedging_over_real_sockets_loses_no_connection(void **state)
{
    (void)state;
    hedge_in(WORLD_TCP, real_seconds(), false);
    hedge_in(WORLD_TCP, real_seconds(), true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thirty_seconds_of_hedging_with_one_loser_lose_no_connection),
        cmocka_unit_test(thirty_seconds_of_hedging_with_losers_in_turn_lose_no_connection),
        cmocka_unit_test(hedging_over_real_sockets_loses_no_connection),
    };

    return cmocka_run_group_tests_name("hedging", tests, NULL, NULL);
}
