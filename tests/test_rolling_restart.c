/*
 * Servers that are restarted one after the other, under calls that never pause: each drains, closes and comes
 * back on its address. No call fails, and none runs twice.
 */
#include "calls.vow.h"

#include <vow/vow.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CALLS 10000
#else
#define CALLS 100000
#endif

#define SERVERS_MAX 3
#define ROUNDS 3     /* restarts of each server */
#define IN_FLIGHT 64 /* calls at any time */
#define DOWN_MS 20   /* between a server's end and its coming back */
#define SLOW_EACH 16 /* one call in so many takes its time */
#define SLOW_MS 5
#define LARGE_EACH 200 /* one call in so many is large: many frames, which others overtake */
#define LARGE_BYTES 300000
#define GRACE_MS 20000
#define PATIENCE_MS 90000

typedef struct fleet fleet;

/* One server, on a loop and a thread of its own. */
typedef struct station {
    fleet      *fleet;
    pthread_t   thread;
    uv_loop_t   uv;
    uv_sem_t    is_open;
    vow_loop   *loop;
    vow_server *server;
    char        address[80];
    char        fault[300]; /* "": none */
} station;

struct fleet {
    station      stations[SERVERS_MAX];
    size_t       servers;
    atomic_uchar ran[CALLS]; /* how often each call's handler did */
    atomic_uint  restarts;   /* that have ended */

    uv_loop_t    uv; /* the client's, like all that follows */
    vow_loop    *loop;
    vow_channel *channels[SERVERS_MAX];
    bool         waits_for_ready;
    size_t       begun;
    size_t       ended;
    size_t       failed;
    unsigned     asked; /* restarts that were asked for */
    char         fault[300];
};

/* A server */

static void slow_answer_due(vow_future *slept, void *arg)
{
    vow_call   *call = arg;
    Calls__Text reply = CALLS__TEXT__INIT;

    (void)slept;
    calls_calls_read_reply(call, &reply);
}

static void serve(vow_call *call, const Calls__Text *request, void *arg)
{
    station *station = arg;
    size_t   number = strtoul(request->text, NULL, 10);

    atomic_fetch_add(&station->fleet->ran[number], 1);
    if (number % SLOW_EACH == 0)
        vow_done(vow_sleep(station->loop, SLOW_MS), slow_answer_due, call);
    else
        calls_calls_echo_reply(call, request);
}

static void serve_block(vow_call *call, const Calls__Block *request, void *arg)
{
    station *station = arg;

    atomic_fetch_add(&station->fleet->ran[strtoul((const char *)request->body.data, NULL, 10)], 1);
    calls_calls_echo_block_reply(call, request);
}

static const calls_calls_service service = { .echo = serve, .read = serve, .echo_block = serve_block };

static void station_open(station *station)
{
    vow_error error;

    station->server = vow_server_open(station->loop, NULL);
    calls_calls_serve(station->server, &service, station);
    if (vow_server_listen(station->server, station->address, &error) != VOW_OK)
        snprintf(station->fault, sizeof station->fault, "%s", error.message);
    if (strncmp(station->address, "tcp:", 4) == 0)
        snprintf(station->address, sizeof station->address, "tcp://127.0.0.1:%d",
                 vow_server_port(station->server));
}

static void station_back(vow_future *slept, void *arg)
{
    station *station = arg;

    (void)slept;
    station_open(station);
    atomic_fetch_add(&station->fleet->restarts, 1);
}

static void station_drained(vow_future *drained, void *arg)
{
    station *station = arg;

    if (vow_future_code(drained) != VOW_OK)
        snprintf(station->fault, sizeof station->fault, "%s", vow_future_error(drained));
    vow_server_close(station->server);
    vow_done(vow_sleep(station->loop, DOWN_MS), station_back, station);
}

static void station_restart(void *arg)
{
    station *station = arg;

    vow_done(vow_server_drain(station->server, GRACE_MS), station_drained, station);
}

static void station_stop(void *arg)
{
    vow_loop_close(((station *)arg)->loop);
}

static void *station_run(void *arg)
{
    station *station = arg;

    station->loop = vow_loop_attach(&station->uv);
    station_open(station);
    uv_sem_post(&station->is_open);
    uv_run(&station->uv, UV_RUN_DEFAULT);
    return NULL;
}

/* Calls */

static void fleet_go_on(fleet *fleet);

static void call_ended(vow_future *reply, void *arg)
{
    fleet *fleet = arg;

    fleet->ended++;
    if (vow_future_code(reply) != VOW_OK && fleet->failed++ == 0)
        snprintf(fleet->fault, sizeof fleet->fault, "%s", vow_future_error(reply));
    fleet_go_on(fleet);
}

static vow_future *call_large(vow_channel *channel, const char *number, const vow_call_options *options)
{
    static uint8_t body[LARGE_BYTES];
    Calls__Block   block = CALLS__BLOCK__INIT;

    strcpy((char *)body, number);
    block.body = (ProtobufCBinaryData){ .data = body, .len = sizeof body };
    return calls_calls_echo_block(channel, &block, options);
}

static vow_future *call_small(vow_channel *channel, size_t number, char *text,
                              const vow_call_options *options)
{
    Calls__Text request = CALLS__TEXT__INIT;

    request.text = text;
    return number % 2 ? calls_calls_echo(channel, &request, options)
                      : calls_calls_read(channel, &request, options);
}

static void fleet_call(fleet *fleet)
{
    size_t      number = fleet->begun++;
    char        text[24];
    vow_future *reply;

    snprintf(text, sizeof text, "%zu", number);
    if (number % LARGE_EACH == 0)
        reply = call_large(fleet->channels[number % fleet->servers], text,
                           VOW_CALL(.timeout_ms = PATIENCE_MS, .wait_for_ready = fleet->waits_for_ready));
    else
        reply = call_small(fleet->channels[number % fleet->servers], number, text,
                           VOW_CALL(.timeout_ms = PATIENCE_MS, .wait_for_ready = fleet->waits_for_ready));
    vow_done(reply, call_ended, fleet);
}

/* The calls that may have begun by now: some are left for the restarts that are still to come. */
static size_t fleet_share(const fleet *fleet)
{
    size_t of = fleet->servers * ROUNDS + 1;
    size_t done = atomic_load(&fleet->restarts);

    return done + 1 >= of ? CALLS : CALLS / of * (done + 1);
}

static void fleet_restart_next(fleet *fleet)
{
    size_t   all = fleet->servers * ROUNDS;
    station *next;

    if (fleet->asked == all || fleet->asked > atomic_load(&fleet->restarts) ||
        fleet->ended < CALLS / (all + 1) * fleet->asked + CALLS / (all + 1) / 4)
        return;
    next = &fleet->stations[fleet->asked++ % fleet->servers];
    vow_loop_post(next->loop, station_restart, next);
}

static void fleet_go_on(fleet *fleet)
{
    size_t share = fleet_share(fleet);

    fleet_restart_next(fleet);
    while (fleet->begun < share && fleet->begun - fleet->ended < IN_FLIGHT)
        fleet_call(fleet);
}

/* Life */

static void station_start(station *station, fleet *fleet, const char *address)
{
    station->fleet = fleet;
    snprintf(station->address, sizeof station->address, "%s", address);
    assert_int_equal(uv_loop_init(&station->uv), 0);
    assert_int_equal(uv_sem_init(&station->is_open, 0), 0);
    assert_int_equal(pthread_create(&station->thread, NULL, station_run, station), 0);
    uv_sem_wait(&station->is_open);
    assert_string_equal(station->fault, "");
}

/* A list of all servers that begins with number `first`. */
static void fleet_target(const fleet *fleet, size_t first, char *target, size_t size)
{
    snprintf(target, size, "%s", fleet->stations[first].address);
    for (size_t i = 1; i < fleet->servers; i++)
        snprintf(target + strlen(target), size - strlen(target), ",%s",
                 fleet->stations[(first + i) % fleet->servers].address + strlen("tcp://"));
}

static fleet *fleet_new(size_t servers, const char *address)
{
    fleet *fleet = calloc(1, sizeof *fleet);

    assert_non_null(fleet);
    fleet->servers = servers;
    for (size_t i = 0; i < servers; i++)
        station_start(&fleet->stations[i], fleet, address);
    assert_int_equal(uv_loop_init(&fleet->uv), 0);
    fleet->loop = vow_loop_attach(&fleet->uv);
    assert_non_null(fleet->loop);
    for (size_t i = 0; i < servers; i++) {
        char target[200];

        fleet_target(fleet, i, target, sizeof target);
        fleet->channels[i] =
            vow_channel_open(fleet->loop, target,
                             VOW_CHANNEL(.connections = i + 1, .backoff_min_ms = 2, .backoff_max_ms = 10));
    }
    return fleet;
}

static void fleet_free(fleet *fleet)
{
    vow_loop_close(fleet->loop);
    uv_run(&fleet->uv, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&fleet->uv), 0);
    for (size_t i = 0; i < fleet->servers; i++) {
        station *station = &fleet->stations[i];

        vow_loop_post(station->loop, station_stop, station);
        assert_int_equal(pthread_join(station->thread, NULL), 0);
        assert_int_equal(uv_loop_close(&station->uv), 0);
        uv_sem_destroy(&station->is_open);
        assert_string_equal(station->fault, "");
    }
    free(fleet);
}

/* The claims */

static void fleet_prove(fleet *fleet)
{
    uint64_t give_up = uv_hrtime() + (uint64_t)PATIENCE_MS * 1000000;

    while (fleet->ended < CALLS || atomic_load(&fleet->restarts) < fleet->servers * ROUNDS) {
        vow_future *moment;

        if (uv_hrtime() > give_up)
            fail_msg("%zu calls began and %zu ended; %u of %u restarts", fleet->begun, fleet->ended,
                     atomic_load(&fleet->restarts), fleet->asked);
        fleet_go_on(fleet);
        moment = vow_sleep(fleet->loop, 1);
        assert_int_equal(vow_wait(moment), VOW_OK);
        vow_drop(moment);
    }
    if (fleet->failed)
        fail_msg("%zu of %d calls failed, the first: %s", fleet->failed, CALLS, fleet->fault);
    for (size_t i = 0; i < CALLS; i++) {
        if (fleet->ran[i] != 1)
            fail_msg("call %zu ran %d times", i, fleet->ran[i]);
    }
}

static void no_call_is_lost_when_three_servers_are_restarted_in_turn(void **state)
{
    fleet *fleet = fleet_new(3, "tcp://127.0.0.1:0");

    (void)state;
    fleet_prove(fleet);
    fleet_free(fleet);
}

static void no_call_that_waits_for_ready_is_lost_when_its_only_server_is_restarted(void **state)
{
    fleet *fleet = fleet_new(1, "tcp://127.0.0.1:0");

    (void)state;
    fleet->waits_for_ready = true;
    fleet_prove(fleet);
    fleet_free(fleet);
}

static void the_same_holds_on_a_unix_socket(void **state)
{
    char   address[60];
    fleet *fleet;

    (void)state;
    snprintf(address, sizeof address, "unix:///tmp/vow-restart-%ld", (long)getpid());
    fleet = fleet_new(1, address);
    fleet->waits_for_ready = true;
    fleet_prove(fleet);
    fleet_free(fleet);
    assert_int_not_equal(access(address + strlen("unix://"), F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_call_is_lost_when_three_servers_are_restarted_in_turn),
        cmocka_unit_test(no_call_that_waits_for_ready_is_lost_when_its_only_server_is_restarted),
        cmocka_unit_test(the_same_holds_on_a_unix_socket),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
