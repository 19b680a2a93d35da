/*
 * Pings that ask whether the other side is still there, from either side, and servers that are asked too
 * often.
 *
 * Source  gRFC A8 and A9; ../docs/native-protocol.md, "Ping".
 */
#include "runtime/future/scheduler.h"
#include "runtime/rpc/keepalive.h"
#include "runtime/transport/simulated.h"
#include "tests/support/raw_peer.h"
#include "tests/support/setups.h"
#include "tests/support/sim_peer.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Pieces that arrived, in either direction: a ping and its pong are two. */
static uint64_t pieces(const world *world)
{
    return vow_network_count(vow_network_of(world->loop)).segments;
}

/* A world in which both sides have heard of each other just now, and a call is open; what arrives does so at
 * once and whole. */
static world *world_with_open_call(const vow_server_options *server, const vow_channel_options *channel,
                                   vow_future **call)
{
    world *world = world_new_with(WORLD_SIMULATED, server, channel);

    assert_int_equal(world_settle(world, world_echo(world, "", NULL)), VOW_OK);
    *call = world_hold(world, "", VOW_CALL(.timeout_ms = VOW_NO_TIMEOUT));
    world_wait_for_held(world, 1);
    world_advance_ms(world, 5);
    return world;
}

/* When a process was stopped */

/* A session that says what it was asked. */
typedef struct told {
    vow_session  session;
    vow_protocol protocol;
    size_t       pings;
    size_t       losses;
} told;

static uint64_t note_ping(vow_session *session)
{
    return ++((told *)session)->pings;
}

static void note_loss(vow_session *session, const vow_status *why)
{
    (void)why;
    ((told *)session)->losses++;
}

typedef struct reading {
    vow_timer timer;
    told     *told;
} reading;

static void read_a_pong(vow_timer *timer)
{
    told *told = VOW_OWNER(timer, reading, timer)->told;

    told->session.heard_ns = vow_scheduler_now_ns(vow_scheduler_of(told->session.loop));
}

/* A loop that was blocked fires its timers first, and reads then what came meanwhile: here half a millisecond
 * later. */
static void a_pong_that_has_come_and_was_not_read_saves_the_connection(void **state)
{
    (void)state;
    for (int is_read = 0; is_read <= 1; is_read++) {
        vow_loop      *loop = vow_loop_simulated(1);
        vow_scheduler *scheduler = vow_scheduler_of(loop);
        told           told = { .protocol = { .ping = note_ping, .lose = note_loss } };
        reading        reading = { .told = &told };
        vow_keepalive  keepalive;
        uint64_t       now = vow_scheduler_now_ns(scheduler);

        told.session = (vow_session){ .protocol = &told.protocol,
                                      .loop = loop,
                                      .options = { .is_server = true, .target = "" },
                                      .heard_ns = now };
        vow_keepalive_init(&keepalive);
        vow_keepalive_start(&keepalive, &told.session, 10000, 500);
        vow_timer_init(&reading.timer, read_a_pong);
        if (is_read)
            vow_timers_arm(&scheduler->timers, &reading.timer, now + 10500 * 1000000ull + 500000);
        vow_loop_advance(loop, 10500);
        assert_int_equal(told.pings, 1);
        assert_int_equal(told.losses, 0);
        vow_loop_advance(loop, 2);
        assert_int_equal(told.losses, !is_read);
        vow_keepalive_stop(&keepalive);
        vow_loop_close(loop);
    }
}

/* The client asks */

static void a_call_on_a_dead_connection_fails_keepalive_timeout_ms_after_the_ping(void **state)
{
    vow_future *call;
    world      *world =
        world_with_open_call(NULL, VOW_CHANNEL(.keepalive_ms = 15000, .keepalive_timeout_ms = 500), &call);
    const char *error;

    (void)state;
    vow_network_cut(vow_network_of(world->loop));
    world_advance_ms(world, 15000 + 500 - 30);
    assert_false(vow_future_settled(call));
    world_advance_ms(world, 31);
    assert_true(vow_future_settled(call));
    error = world_error(world, call);
    assert_memory_equal(error, "UNAVAILABLE: tcp://127.0.0.1", 28);
    assert_non_null(strstr(error, ": the connection was lost: no pong within 500 ms (keepalive_timeout_ms)"));
    vow_network_heal(vow_network_of(world->loop));
    assert_int_equal(world_settle(world, world_echo(world, "", NULL)), VOW_OK);
    world_free(world);
}

static void a_call_on_a_live_connection_outlives_any_number_of_pings(void **state)
{
    vow_future *call;
    world      *world = world_with_open_call(NULL, VOW_CHANNEL(.keepalive_ms = 10000), &call);
    uint64_t    before = pieces(world);

    (void)state;
    world_advance_ms(world, 3600 * 1000);
    assert_in_range(pieces(world) - before, 2 * 300, 2 * 3 * 360);
    world_answer_held(world, "");
    assert_int_equal(world_settle(world, call), VOW_OK);
    world_free(world);
}

static void a_pong_that_comes_just_in_time_saves_the_connection(void **state)
{
    vow_future *call;
    world      *world =
        world_with_open_call(NULL, VOW_CHANNEL(.keepalive_ms = 10000, .keepalive_timeout_ms = 500), &call);

    (void)state;
    vow_network_cut(vow_network_of(world->loop));
    world_advance_ms(world, 10000 + 450);
    vow_network_heal(vow_network_of(world->loop));
    world_advance_ms(world, 60000);
    assert_false(vow_future_settled(call));
    world_answer_held(world, "");
    assert_int_equal(world_settle(world, call), VOW_OK);
    world_free(world);
}

static void no_ping_leaves_while_no_call_is_open(void **state)
{
    vow_future *call;
    world      *world = world_with_open_call(NULL, VOW_CHANNEL(.keepalive_ms = 10000), &call);
    uint64_t    before;

    (void)state;
    world_answer_held(world, "");
    assert_int_equal(world_settle(world, call), VOW_OK);
    world_advance_ms(world, 100);
    before = pieces(world);
    world_advance_ms(world, 3600 * 1000);
    assert_int_equal(pieces(world), before);
    world_free(world);
}

static void keepalive_is_off_unless_it_is_asked_for(void **state)
{
    vow_future *call;
    world      *world = world_with_open_call(NULL, NULL, &call);
    uint64_t    before = pieces(world);

    (void)state;
    world_advance_ms(world, 7190 * 1000); /* the server asks after two hours */
    assert_int_equal(pieces(world), before);
    world_advance_ms(world, 11 * 1000);
    assert_in_range(pieces(world) - before, 2, 6);
    vow_drop(call);
    world_free(world);
}

static void less_than_ten_seconds_is_taken_for_ten(void **state)
{
    vow_future *call;
    world      *world = world_with_open_call(NULL, VOW_CHANNEL(.keepalive_ms = 1), &call);
    uint64_t    before = pieces(world);

    (void)state;
    world_advance_ms(world, 9970);
    assert_int_equal(pieces(world), before);
    world_advance_ms(world, 40);
    assert_true(pieces(world) > before);
    vow_drop(call);
    world_free(world);
}

/* The server asks */

static void a_server_lets_go_of_a_client_that_is_gone(void **state)
{
    vow_future *call;
    world      *world =
        world_with_open_call(VOW_SERVER(.keepalive_ms = 20000, .keepalive_timeout_ms = 700), NULL, &call);

    (void)state;
    vow_network_cut(vow_network_of(world->loop));
    world_advance_ms(world, 20000 + 700 - 30);
    assert_int_equal(world->gone, 0);
    world_advance_ms(world, 31);
    assert_int_equal(world->gone, 1);
    vow_drop(call);
    world_free(world);
}

static void a_server_without_keepalive_never_asks(void **state)
{
    vow_future *call;
    world      *world = world_with_open_call(VOW_SERVER(.keepalive_ms = VOW_NO_TIMEOUT), NULL, &call);
    uint64_t    before = pieces(world);

    (void)state;
    world_advance_ms(world, 3 * 7200 * 1000);
    assert_int_equal(pieces(world), before);
    vow_drop(call);
    world_free(world);
}

/* Too many pings */

static void ping(sim_peer *peer, uint64_t number)
{
    sim_send_frame(peer, HEADER(.kind = VOW_FRAME_PING, .ping = number));
}

static bool is_ponged(sim_peer *peer, uint64_t number)
{
    vow_header header;
    vow_bytes  payload;

    return sim_next(peer, VOW_FRAME_PONG, 50, &header, &payload) && header.ping == number;
}

static void assert_refused(sim_peer *peer, const char *text)
{
    vow_header header;
    vow_bytes  payload;

    assert_true(sim_next(peer, VOW_FRAME_GOAWAY, 50, &header, &payload));
    assert_int_equal(header.code, VOW_RESOURCE_EXHAUSTED);
    assert_int_equal(header.text.size, strlen(text));
    assert_memory_equal(header.text.data, text, strlen(text));
    vow_loop_advance(peer->world->loop, 100);
    assert_true(peer->has_ended);
}

static void two_pings_that_come_too_soon_are_forgiven_and_the_third_ends_the_connection(void **state)
{
    world    *world = world_new(WORLD_SIMULATED);
    sim_peer *peer = sim_connect(world);

    (void)state;
    for (uint64_t i = 1; i <= 3; i++) {
        ping(peer, i);
        assert_true(is_ponged(peer, i));
    }
    ping(peer, 4);
    assert_refused(peer, "too_many_pings: they must be 300000 ms apart (min_ping_interval_ms)");
    assert_int_equal(world_settle(world, world_echo(world, "", NULL)), VOW_OK);
    sim_free(peer);
    world_free(world);
}

static void pings_min_ping_interval_ms_apart_are_welcome_and_sooner_ones_are_not(void **state)
{
    static const int64_t pauses[] = { 60200, 59900 };

    (void)state;
    for (int is_too_soon = 0; is_too_soon < 2; is_too_soon++) {
        world    *world = world_new_with(WORLD_SIMULATED, VOW_SERVER(.min_ping_interval_ms = 60000), NULL);
        sim_peer *peer = sim_connect(world);
        uint64_t  answered = 0;

        while (answered < 20) {
            ping(peer, answered + 1);
            if (!is_ponged(peer, answered + 1))
                break;
            answered++;
            world_advance_ms(world, pauses[is_too_soon] - 50);
        }
        assert_int_equal(answered, is_too_soon ? 3 : 20);
        sim_free(peer);
        world_free(world);
    }
}

static void with_calls_open_pings_may_come_each_five_seconds(void **state)
{
    static const int64_t pauses[] = { 5060, 4900 };

    (void)state;
    for (int is_too_soon = 0; is_too_soon < 2; is_too_soon++) {
        world    *world = world_new(WORLD_SIMULATED);
        sim_peer *peer = sim_connect(world);
        uint64_t  answered = 0;
        writer    call = { 0 };

        write_method(&call, 1, "calls.Calls/Hold");
        write_text_call(&call, 1, 1, "");
        sim_send(peer, &call);
        world_wait_for_held(world, 1);
        while (answered < 20) {
            ping(peer, answered + 1);
            if (!is_ponged(peer, answered + 1))
                break;
            answered++;
            world_advance_ms(world, pauses[is_too_soon] - 50);
        }
        assert_int_equal(answered, is_too_soon ? 3 : 20);
        writer_done(&call);
        sim_free(peer);
        world_advance_ms(world, 100);
        world_free(world);
    }
}

static void a_ping_behind_an_answer_is_free(void **state)
{
    world    *world = world_new(WORLD_SIMULATED);
    sim_peer *peer = sim_connect(world);
    writer    frames = { 0 };

    (void)state;
    write_method(&frames, 1, "calls.Calls/Echo");
    for (uint64_t i = 1; i <= 20; i++) {
        write_text_call(&frames, 2 * i - 1, 1, "");
        sim_send(peer, &frames);
        assert_true(sim_next(peer, VOW_FRAME_REPLY, 50, &(vow_header){ 0 }, &(vow_bytes){ NULL, 0 }));
        ping(peer, i);
        assert_true(is_ponged(peer, i));
    }
    writer_done(&frames);
    sim_free(peer);
    world_free(world);
}

struct bulk {
    size_t left;
    size_t got;
};

static vow_future *bulk_send(vow_call *call, void *arg)
{
    static const uint8_t bytes[32768];
    struct bulk         *bulk = arg;
    const vow_raw        raw = VOW_RAW_INIT(bytes, sizeof bytes);
    bool                 has_room = true;

    while (has_room && bulk->left > 0) {
        bulk->left--;
        has_room = vow_call_send(call, &raw.base);
    }
    if (bulk->left == 0)
        vow_call_end(call);
    return NULL;
}

static void serve_bulk(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    struct bulk *bulk = vow_call_alloc(call, sizeof *bulk);

    (void)request;
    (void)handler;
    if (!bulk)
        return;
    bulk->left = 1000;
    vow_call_answer(call, vow_call_write(call, bulk_send, bulk));
}

static vow_future *bulk_take(vow_call *call, const ProtobufCMessage *message, void *arg)
{
    struct bulk *bulk = arg;

    (void)call;
    (void)message;
    bulk->got++;
    return NULL;
}

static const vow_method bulk_method = { sizeof bulk_method,
                                        "calls.Streams/Bulk",
                                        &vow_raw_descriptor,
                                        &vow_raw_descriptor,
                                        false,
                                        true,
                                        false,
                                        NULL };

static void the_pings_that_measure_a_stream_do_not_count(void **state)
{
    world        *world = *state;
    const vow_raw nothing = VOW_RAW_INIT(NULL, 0);
    struct bulk   bulk = { 0 };
    vow_call     *call;

    vow_server_handle(world->server,
                      &(vow_handler){ sizeof(vow_handler), &bulk_method, serve_bulk, NULL, NULL });
    for (int i = 0; i < 3; i++) {
        call = vow_call_start(world->channel, &bulk_method, NULL);
        vow_call_send(call, &nothing.base);
        assert_int_equal(world_settle(world, vow_call_read(call, bulk_take, &bulk)), VOW_OK);
        vow_call_drop(call);
    }
    assert_int_equal(bulk.got, 3000);
    assert_int_equal(world_settle(world, world_echo(world, "", NULL)), VOW_OK);
}

/* Over real sockets */

/* Both sides wait in the same ten seconds, which is the least that vow asks after. */
static void peers_that_never_answer_pings_are_let_go_on_real_sockets(void **state)
{
    world *world =
        world_new_with(WORLD_TCP, VOW_SERVER(.keepalive_ms = 1, .keepalive_timeout_ms = 100), NULL);
    char         target[160];
    int          listener = raw_listen(WORLD_TCP, target);
    vow_channel *channel =
        vow_channel_open(world->loop, target, VOW_CHANNEL(.keepalive_ms = 1, .keepalive_timeout_ms = 100));
    Calls__Text request = CALLS__TEXT__INIT;
    vow_future *call = calls_calls_echo(channel, &request, VOW_CALL(.timeout_ms = VOW_NO_TIMEOUT));
    raw_peer   *server = raw_accept(world, listener);
    raw_peer   *client = raw_connect(world);
    writer      greeting = { 0 };
    vow_header  header;
    vow_bytes   payload;

    (void)state;
    write_greeting(&greeting);
    raw_send(server, greeting.data, greeting.size);
    raw_send(client, greeting.data, greeting.size);
    assert_true(raw_next(server, VOW_FRAME_PING, &header, &payload));
    assert_true(raw_next(server, VOW_FRAME_GOAWAY, &header, &payload));
    assert_int_equal(header.code, VOW_UNAVAILABLE);
    assert_non_null(strstr(world_error(world, call), "no pong within 100 ms (keepalive_timeout_ms)"));
    assert_true(raw_next(client, VOW_FRAME_PING, &header, &payload));
    assert_true(raw_next(client, VOW_FRAME_GOAWAY, &header, &payload));
    assert_int_equal(header.code, VOW_UNAVAILABLE);
    raw_free(server);
    raw_free(client);
    close(listener);
    vow_channel_close(channel);
    writer_done(&greeting);
    world_free(world);
}

static void a_flood_of_pings_is_refused_on_real_sockets(void **state)
{
    world     *world = world_new(WORLD_TCP);
    raw_peer  *peer = raw_connect(world);
    writer     bytes = { 0 };
    vow_header header;
    vow_bytes  payload;

    (void)state;
    write_greeting(&bytes);
    for (uint64_t i = 1; i <= 1000; i++)
        write_frame(&bytes, HEADER(.kind = VOW_FRAME_PING, .ping = i), NULL, 0);
    raw_send_writer(peer, &bytes);
    assert_true(raw_next(peer, VOW_FRAME_GOAWAY, &header, &payload));
    assert_int_equal(header.code, VOW_RESOURCE_EXHAUSTED);
    raw_run_to_end(peer);
    assert_int_equal(world_settle(world, world_echo(world, "", NULL)), VOW_OK);
    raw_free(peer);
    writer_done(&bytes);
    world_free(world);
}

static int open_simulated(void **state)
{
    *state = world_new(WORLD_SIMULATED);
    vow_network_set_faults(vow_network_of(((world *)*state)->loop), VOW_NETWORK_FAULTS(.latency_us = 5000));
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pong_that_has_come_and_was_not_read_saves_the_connection),
        cmocka_unit_test(a_call_on_a_dead_connection_fails_keepalive_timeout_ms_after_the_ping),
        cmocka_unit_test(a_call_on_a_live_connection_outlives_any_number_of_pings),
        cmocka_unit_test(a_pong_that_comes_just_in_time_saves_the_connection),
        cmocka_unit_test(no_ping_leaves_while_no_call_is_open),
        cmocka_unit_test(keepalive_is_off_unless_it_is_asked_for),
        cmocka_unit_test(less_than_ten_seconds_is_taken_for_ten),
        cmocka_unit_test(a_server_lets_go_of_a_client_that_is_gone),
        cmocka_unit_test(a_server_without_keepalive_never_asks),
        cmocka_unit_test(two_pings_that_come_too_soon_are_forgiven_and_the_third_ends_the_connection),
        cmocka_unit_test(pings_min_ping_interval_ms_apart_are_welcome_and_sooner_ones_are_not),
        cmocka_unit_test(with_calls_open_pings_may_come_each_five_seconds),
        cmocka_unit_test(a_ping_behind_an_answer_is_free),
        cmocka_unit_test_setup_teardown(the_pings_that_measure_a_stream_do_not_count, open_simulated,
                                        world_close),
        cmocka_unit_test_setup_teardown(the_pings_that_measure_a_stream_do_not_count, world_open_tcp,
                                        world_close),
        cmocka_unit_test(peers_that_never_answer_pings_are_let_go_on_real_sockets),
        cmocka_unit_test(a_flood_of_pings_is_refused_on_real_sockets),
    };

    return cmocka_run_group_tests_name("keepalive", tests, NULL, NULL);
}
