/*
 * Servers that are restarted in turn, on the simulated network and over many seeds: no call fails, and none
 * runs twice. What differs from seed to seed: how far and how thin the lines are, how large the calls, how
 * long their handlers take, when servers drain and how long they stay away.
 */
#include "calls.vow.h"
#include "runtime/base/random.h"
#include "runtime/transport/simulated.h"

#include <vow/vow.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEEDS 300
#define CALLS 200
#define SERVERS 3
#define RESTARTS 9
#define GRACE_MS 600000 /* and for all else that could end a call on a line that is thin */
#define TIMEOUT_MS 900000

typedef struct storm storm;

typedef struct station {
    storm      *storm;
    vow_server *server; /* NULL: away */
    char        address[40];
} station;

struct storm {
    uint64_t     random;
    vow_loop    *loop;
    vow_channel *channel;
    station      stations[SERVERS];
    size_t       servers;
    unsigned     ran[CALLS];
    size_t       begun;
    size_t       ended;
    size_t       restarts;
    int64_t      latency_ms; /* one way, rounded up */
    char         fault[400]; /* the first; "": none */
};

static uint64_t draw(storm *storm, uint64_t below)
{
    return vow_random_below(&storm->random, below);
}

static void storm_fault(storm *storm, const char *text)
{
    if (!storm->fault[0])
        snprintf(storm->fault, sizeof storm->fault, "%s", text);
}

/* Servers */

static void answer_due(vow_future *slept, void *arg)
{
    Calls__Block reply = CALLS__BLOCK__INIT;

    (void)slept;
    calls_calls_echo_block_reply(arg, &reply);
}

static void serve_block(vow_call *call, const Calls__Block *request, void *arg)
{
    station *station = arg;
    storm   *storm = station->storm;

    storm->ran[strtoul((const char *)request->body.data, NULL, 10)]++;
    if (draw(storm, 2))
        vow_done(vow_sleep(storm->loop, (int64_t)draw(storm, 300)), answer_due, call);
    else
        calls_calls_echo_block_reply(call, request);
}

static void station_open(station *station)
{
    static const calls_calls_service service = { .echo_block = serve_block };
    vow_error                        error;

    station->server = vow_server_open(station->storm->loop, VOW_SERVER(.hello_timeout_ms = GRACE_MS));
    calls_calls_serve(station->server, &service, station);
    if (vow_server_listen(station->server, station->address, &error) != VOW_OK)
        storm_fault(station->storm, error.message);
}

static void storm_restart_later(storm *storm);

static void station_back(vow_future *slept, void *arg)
{
    station *station = arg;

    (void)slept;
    station_open(station);
    storm_restart_later(station->storm);
}

static void station_drained(vow_future *drained, void *arg)
{
    station *station = arg;

    if (vow_future_code(drained) != VOW_OK)
        storm_fault(station->storm, vow_future_error(drained));
    vow_server_close(station->server);
    station->server = NULL;
    vow_done(vow_sleep(station->storm->loop, (int64_t)draw(station->storm, 500)), station_back, station);
}

static void storm_restart(vow_future *slept, void *arg)
{
    storm   *storm = arg;
    station *next = &storm->stations[storm->restarts % storm->servers];

    (void)slept;
    if (storm->restarts++ < RESTARTS)
        vow_done(vow_server_drain(next->server, GRACE_MS), station_drained, next);
}

/* The next goes when the last one has been back for some round trips: else all could be away when they are
 * tried. */
static void storm_restart_later(storm *storm)
{
    vow_done(vow_sleep(storm->loop, 10 * storm->latency_ms + (int64_t)draw(storm, 400)), storm_restart,
             storm);
}

/* Calls */

static void call_ended(vow_future *reply, void *arg)
{
    storm *storm = arg;

    storm->ended++;
    if (vow_future_code(reply) != VOW_OK)
        storm_fault(storm, vow_future_error(reply));
}

static void storm_call(vow_future *slept, void *arg)
{
    static uint8_t body[400000];
    storm         *storm = arg;
    Calls__Block   request = CALLS__BLOCK__INIT;

    (void)slept;
    snprintf((char *)body, 24, "%zu", storm->begun++);
    request.body.data = body;
    request.body.len = 24 + (draw(storm, 8) == 0 ? draw(storm, sizeof body - 24) : draw(storm, 300));
    vow_done(
        calls_calls_echo_block(storm->channel, &request,
                               VOW_CALL(.timeout_ms = TIMEOUT_MS, .wait_for_ready = storm->servers == 1)),
        call_ended, storm);
    if (storm->begun < CALLS)
        vow_done(vow_sleep(storm->loop, (int64_t)draw(storm, 40)), storm_call, storm);
}

/* One seed */

static void storm_open(storm *storm)
{
    uint64_t latency_us = 50 << draw(storm, 11);
    char     target[200] = "tcp://";

    storm->latency_ms = (int64_t)latency_us / 1000 + 1;
    for (size_t i = 0; i < storm->servers; i++) {
        station *station = &storm->stations[i];

        station->storm = storm;
        snprintf(station->address, sizeof station->address, "tcp://10.0.0.%zu:7000", i + 1);
        snprintf(target + strlen(target), sizeof target - strlen(target), "%s10.0.0.%zu:7000", i ? "," : "",
                 i + 1);
        station_open(station);
    }
    storm->channel = vow_channel_open(storm->loop, target,
                                      VOW_CHANNEL(.connections = 1 + draw(storm, 3), .backoff_min_ms = 10,
                                                  .backoff_max_ms = 100, .connect_timeout_ms = GRACE_MS));
    vow_network_set_faults(vow_network_of(storm->loop),
                           VOW_NETWORK_FAULTS(.latency_us = latency_us, .jitter_us = draw(storm, 2000),
                                              .bytes_per_second = (uint64_t)100000 << draw(storm, 10)));
}

static void storm_run(uint64_t seed, size_t servers)
{
    storm *storm = calloc(1, sizeof *storm);

    assert_non_null(storm);
    storm->random = seed;
    storm->servers = servers;
    storm->loop = vow_loop_simulated(seed);
    assert_non_null(storm->loop);
    storm_open(storm);
    storm_call(NULL, storm);
    storm_restart_later(storm);
    for (int i = 0; i < 20000 && (storm->ended < CALLS || storm->restarts <= RESTARTS) && !storm->fault[0];
         i++)
        vow_loop_advance(storm->loop, 100);
    if (storm->fault[0])
        fail_msg("seed %llu, %zu servers: %s", (unsigned long long)seed, servers, storm->fault);
    if (storm->ended < CALLS || storm->restarts <= RESTARTS)
        fail_msg("seed %llu, %zu servers: %zu calls began and %zu ended, %zu restarts",
                 (unsigned long long)seed, servers, storm->begun, storm->ended, storm->restarts);
    for (size_t i = 0; i < CALLS; i++) {
        if (storm->ran[i] != 1)
            fail_msg("seed %llu, %zu servers: call %zu ran %u times", (unsigned long long)seed, servers, i,
                     storm->ran[i]);
    }
    vow_loop_close(storm->loop);
    free(storm);
}

static void no_call_is_lost_when_three_servers_are_restarted_in_turn(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        storm_run(seed, SERVERS);
}

static void no_call_that_waits_for_ready_is_lost_when_its_only_server_is_restarted(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        storm_run(seed, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_call_is_lost_when_three_servers_are_restarted_in_turn),
        cmocka_unit_test(no_call_that_waits_for_ready_is_lost_when_its_only_server_is_restarted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
