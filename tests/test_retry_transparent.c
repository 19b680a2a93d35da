/*
 * Calls that provably reached no handler begin anew, and others do not.
 *
 * Source  RFC 9113, section 6.8; gRFC A6, "Transparent Retries".
 */
#include "runtime/transport/simulated.h"
#include "tests/support/failing.h"
#include "tests/support/sim_peer.h"
#include "tests/support/streams.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ADDRESS "tcp://10.0.0.9:7000"

/* A channel to a server that says what a test wants, and a call that it has received. */
typedef struct scene {
    world       *world;
    sim_server  *server;
    vow_channel *channel;
    vow_future  *call;
    sim_peer    *peer;
    uint64_t     id; /* of the call, as the server knows it */
} scene;

static vow_future *scene_echo(scene *scene, const char *text)
{
    Calls__Text request = CALLS__TEXT__INIT;

    request.text = (char *)(uintptr_t)text;
    return calls_calls_echo(scene->channel, &request,
                            VOW_CALL(.metadata = VOW_METADATA({ .name = "trace", .value = "42" })));
}

static uint64_t next_call(sim_peer *peer)
{
    vow_header  header;
    vow_bytes   payload, name, value;
    vow_entries metadata;

    assert_true(sim_next(peer, VOW_FRAME_CALL, 200, &header, &payload));
    metadata = header.metadata;
    assert_true(vow_header_next_metadata(&metadata, &name, &value));
    assert_int_equal(value.size, 2);
    assert_memory_equal(payload.data, "\x0a\x05", 2);
    assert_memory_equal(payload.data + 2, "asked", 5);
    return header.call;
}

static void scene_open(scene *scene)
{
    *scene = (struct scene){ .world = world_new(WORLD_SIMULATED) };
    scene->server = sim_listen(scene->world, ADDRESS);
    scene->channel = vow_channel_open(scene->world->loop, ADDRESS, NULL);
    scene->call = scene_echo(scene, "asked");
    scene->peer = sim_accepted(scene->server, 1);
    scene->id = next_call(scene->peer);
}

static void scene_close(scene *scene)
{
    vow_channel_close(scene->channel);
    sim_server_free(scene->server);
    world_free(scene->world);
}

static void answer(sim_peer *peer, uint64_t call)
{
    writer frame = { 0 };

    write_frame(&frame, HEADER(.kind = VOW_FRAME_REPLY, .call = call), "\x0a\x05reply", 7);
    sim_send(peer, &frame);
    writer_done(&frame);
}

static vow_header status_of(uint64_t call, vow_code code, bool never_ran)
{
    return (vow_header){ .kind = VOW_FRAME_STATUS,
                         .call = call,
                         .code = (uint32_t)code,
                         .never_ran = never_ran,
                         .text = { (const uint8_t *)"no", 2 } };
}

static void send_goaway(sim_peer *peer, uint64_t last)
{
    sim_send_frame(peer, HEADER(.kind = VOW_FRAME_GOAWAY, .has_last_call = true, .last_call = last));
}

static void assert_served_by(scene *scene, size_t peers)
{
    sim_peer *peer = sim_accepted(scene->server, peers);

    assert_false(vow_future_settled(scene->call));
    answer(peer, next_call(peer));
    assert_int_equal(world_settle(scene->world, scene->call), VOW_OK);
}

static void a_call_above_the_last_id_goes_to_another_connection(void **state)
{
    scene scene;

    (void)state;
    scene_open(&scene);
    send_goaway(scene.peer, 0);
    assert_served_by(&scene, 2);
    scene_close(&scene);
}

static void a_call_up_to_the_last_id_stays_where_it_is(void **state)
{
    scene scene;

    (void)state;
    scene_open(&scene);
    send_goaway(scene.peer, scene.id);
    world_advance_ms(scene.world, 100);
    assert_int_equal(scene.server->count, 1);
    answer(scene.peer, scene.id);
    assert_int_equal(world_settle(scene.world, scene.call), VOW_OK);
    scene_close(&scene);
}

static void goaways_in_two_steps_move_what_the_second_does_not_name(void **state)
{
    scene scene;

    (void)state;
    scene_open(&scene);
    sim_send_frame(scene.peer, HEADER(.kind = VOW_FRAME_GOAWAY));
    world_advance_ms(scene.world, 50);
    assert_int_equal(scene.server->count, 1);
    send_goaway(scene.peer, 0);
    assert_served_by(&scene, 2);
    scene_close(&scene);
}

static void a_last_id_that_sinks_moves_more(void **state)
{
    scene scene;

    (void)state;
    scene_open(&scene);
    send_goaway(scene.peer, 1000);
    world_advance_ms(scene.world, 50);
    assert_false(vow_future_settled(scene.call));
    send_goaway(scene.peer, 0);
    assert_served_by(&scene, 2);
    scene_close(&scene);
}

static void a_goaway_with_an_error_moves_what_it_says_has_not_run(void **state)
{
    scene scene;

    (void)state;
    scene_open(&scene);
    sim_send_frame(scene.peer, HEADER(.kind = VOW_FRAME_GOAWAY, .code = VOW_UNAVAILABLE,
                                      .has_last_call = true, .text = { (const uint8_t *)"bye", 3 }));
    assert_served_by(&scene, 2);
    scene_close(&scene);
}

static void a_goaway_with_an_error_alone_fails_the_call(void **state)
{
    scene scene;

    (void)state;
    scene_open(&scene);
    sim_send_frame(scene.peer, HEADER(.kind = VOW_FRAME_GOAWAY, .code = VOW_UNAVAILABLE,
                                      .text = { (const uint8_t *)"bye", 3 }));
    assert_non_null(strstr(world_error(scene.world, scene.call), "the peer ended the connection: bye"));
    assert_int_equal(scene.server->count, 1);
    scene_close(&scene);
}

static void a_call_that_was_refused_unseen_begins_anew_once(void **state)
{
    scene      scene;
    vow_header refusal;

    (void)state;
    scene_open(&scene);
    refusal = status_of(scene.id, VOW_UNAVAILABLE, true);
    sim_send_frame(scene.peer, &refusal);
    scene.id = next_call(scene.peer); /* the same connection has not gone away */
    assert_false(vow_future_settled(scene.call));
    refusal = status_of(scene.id, VOW_UNAVAILABLE, true);
    sim_send_frame(scene.peer, &refusal);
    assert_string_equal(world_error(scene.world, scene.call), "UNAVAILABLE: no");
    scene_close(&scene);
}

static void a_call_that_may_have_run_does_not_begin_anew(void **state)
{
    static const struct {
        vow_code code;
        bool     never_ran;
    } refusals[] = { { VOW_UNAVAILABLE, false }, { VOW_RESOURCE_EXHAUSTED, true }, { VOW_ABORTED, true } };

    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        scene      scene;
        vow_header refusal;

        scene_open(&scene);
        refusal = status_of(scene.id, refusals[i].code, refusals[i].never_ran);
        sim_send_frame(scene.peer, &refusal);
        assert_int_equal(world_settle(scene.world, scene.call), refusals[i].code);
        scene_close(&scene);
    }
}

static void a_lost_connection_does_not_move_calls_that_have_left(void **state)
{
    scene scene;

    (void)state;
    scene_open(&scene);
    vow_network_reset(vow_network_of(scene.world->loop));
    assert_int_equal(world_settle(scene.world, scene.call), VOW_UNAVAILABLE);
    assert_int_equal(scene.server->count, 1);
    scene_close(&scene);
}

static void a_call_that_begins_anew_keeps_its_deadline(void **state)
{
    scene       scene;
    const char *error;

    (void)state;
    scene_open(&scene);
    world_advance_ms(scene.world, 6000);
    send_goaway(scene.peer, 0);
    sim_accepted(scene.server, 2);
    world_advance_ms(scene.world, 3900);
    assert_false(vow_future_settled(scene.call));
    world_advance_ms(scene.world, 100);
    error = world_error(scene.world, scene.call);
    assert_memory_equal(error, "DEADLINE_EXCEEDED", 17);
    scene_close(&scene);
}

static void a_call_without_a_server_to_go_to_fails(void **state)
{
    scene scene;

    (void)state;
    scene_open(&scene);
    vow_network_refuse(vow_network_of(scene.world->loop));
    send_goaway(scene.peer, 0);
    assert_non_null(strstr(world_error(scene.world, scene.call), "connection refused"));
    scene_close(&scene);
}

static void a_call_that_is_dropped_while_it_waits_anew_leaves_nothing(void **state)
{
    scene scene;

    (void)state;
    scene_open(&scene);
    send_goaway(scene.peer, 0);
    world_advance_ms(scene.world, 1);
    vow_drop(scene.call);
    scene_close(&scene);
}

/* How much is kept */

static vow_code code_after_refusal(size_t request_size)
{
    world       *world = world_new(WORLD_SIMULATED);
    sim_server  *server = sim_listen(world, ADDRESS);
    vow_channel *channel = vow_channel_open(world->loop, ADDRESS, NULL);
    uint8_t     *bytes = calloc(1, request_size);
    vow_raw      request = VOW_RAW_INIT(bytes, request_size);
    vow_future  *ready = vow_channel_ready(channel);
    vow_future  *call;
    sim_peer    *peer;
    vow_code     code;

    assert_non_null(bytes);
    assert_int_equal(world_settle(world, ready), VOW_OK);
    call = vow_call_unary(channel, &calls_calls_echo_block_method, &request.base, NULL);
    free(bytes);
    peer = sim_accepted(server, 1);
    assert_true(sim_next(peer, VOW_FRAME_CALL, 100, &(vow_header){ 0 }, &(vow_bytes){ NULL, 0 }));
    send_goaway(peer, 0);
    world_advance_ms(world, 100);
    if (server->count == 2) {
        vow_header header;
        vow_bytes  payload;

        assert_true(sim_next(server->peers[1], VOW_FRAME_CALL, 100, &header, &payload));
        answer(server->peers[1], header.call);
    }
    code = world_settle(world, call);
    vow_channel_close(channel);
    sim_server_free(server);
    world_free(world);
    return code;
}

static void requests_of_up_to_16_kib_are_kept(void **state)
{
    (void)state;
    assert_int_equal(code_after_refusal(1), VOW_OK);
    assert_int_equal(code_after_refusal(16384), VOW_OK);
    assert_int_equal(code_after_refusal(16385), VOW_UNAVAILABLE);
}

/* Streams */

static void a_stream_begins_anew_until_its_first_message_has_left(void **state)
{
    (void)state;
    for (int messages = 0; messages < 2; messages++) {
        world       *world = world_new(WORLD_SIMULATED);
        sim_server  *server = sim_listen(world, ADDRESS);
        vow_channel *channel = vow_channel_open(world->loop, ADDRESS, NULL);
        vow_call    *call = vow_call_start(channel, &streams_join, NULL);
        vow_future  *closed = vow_call_when_closed(call);
        sim_peer    *peer = sim_accepted(server, 1);
        vow_header   header;
        vow_bytes    payload;

        assert_true(sim_next(peer, VOW_FRAME_CALL, 100, &header, &payload));
        if (messages)
            streams_send(call, "gone");
        world_advance_ms(world, 10);
        send_goaway(peer, 0);
        world_advance_ms(world, 10);
        if (messages) {
            assert_int_equal(world_settle(world, closed), VOW_UNAVAILABLE);
        } else {
            streams_send(call, "kept"); /* while there is no connection */
            vow_call_end(call);
            peer = sim_accepted(server, 2);
            assert_true(sim_next(peer, VOW_FRAME_STREAM, 100, &header, &payload));
            assert_memory_equal(payload.data, "\x0a\x04kept", 6);
            assert_true(sim_next(peer, VOW_FRAME_END, 100, &header, &payload));
            answer(peer, header.call);
            assert_int_equal(world_settle(world, closed), VOW_OK);
        }
        vow_call_drop(call);
        vow_channel_close(channel);
        sim_server_free(server);
        world_free(world);
    }
}

static void a_request_whose_replies_stream_begins_anew(void **state)
{
    world       *world = world_new(WORLD_SIMULATED);
    sim_server  *server = sim_listen(world, ADDRESS);
    vow_channel *channel = vow_channel_open(world->loop, ADDRESS, NULL);
    vow_call    *call = vow_call_start(channel, &streams_count, NULL);
    vow_future  *closed = vow_call_when_closed(call);
    sim_peer    *peer;
    vow_header   header;
    vow_bytes    payload;

    (void)state;
    streams_send(call, "3");
    peer = sim_accepted(server, 1);
    assert_true(sim_next(peer, VOW_FRAME_CALL, 100, &header, &payload));
    send_goaway(peer, 0);
    peer = sim_accepted(server, 2);
    assert_true(sim_next(peer, VOW_FRAME_CALL, 100, &header, &payload));
    assert_memory_equal(payload.data,
                        "\x0a\x01"
                        "3",
                        3);
    sim_send_frame(peer, HEADER(.kind = VOW_FRAME_STATUS, .call = header.call));
    assert_int_equal(world_settle(world, closed), VOW_OK);
    vow_call_drop(call);
    vow_channel_close(channel);
    sim_server_free(server);
    world_free(world);
}

/* The server's side */

static void a_call_behind_the_last_goaway_is_told_that_it_did_not_run(void **state)
{
    world      *world = world_new(WORLD_SIMULATED);
    sim_peer   *peer = sim_connect(world);
    writer      frames = { 0 };
    vow_future *drain;
    vow_header  header;
    vow_bytes   payload;

    (void)state;
    write_method(&frames, 1, "calls.Calls/Hold");
    write_text_call(&frames, 1, 1, "");
    sim_send(peer, &frames);
    world_wait_for_held(world, 1);
    drain = vow_server_drain(world->server, 5000);
    assert_true(sim_next(peer, VOW_FRAME_PING, 50, &header, &payload));
    sim_send_frame(peer, HEADER(.kind = VOW_FRAME_PONG, .ping = header.ping));
    assert_true(sim_next(peer, VOW_FRAME_GOAWAY, 50, &header, &payload));
    assert_int_equal(header.last_call, 1);
    write_text_call(&frames, 3, 1, "");
    sim_send(peer, &frames);
    assert_true(sim_next(peer, VOW_FRAME_STATUS, 50, &header, &payload));
    assert_int_equal(header.call, 3);
    assert_int_equal(header.code, VOW_UNAVAILABLE);
    assert_true(header.never_ran);
    assert_int_equal(world->held_ever, 1);
    world_answer_held(world, "");
    assert_true(sim_next(peer, VOW_FRAME_PING, 50, &header, &payload)); /* has the answer come? */
    sim_send_frame(peer, HEADER(.kind = VOW_FRAME_PONG, .ping = header.ping));
    assert_int_equal(world_settle(world, drain), VOW_OK);
    writer_done(&frames);
    sim_free(peer);
    world_free(world);
}

static void a_server_that_closes_says_up_to_where_it_has_run(void **state)
{
    world     *world = world_new(WORLD_SIMULATED);
    sim_peer  *peer = sim_connect(world);
    writer     frames = { 0 };
    vow_header header;
    vow_bytes  payload;

    (void)state;
    write_method(&frames, 1, "calls.Calls/Echo");
    write_text_call(&frames, 7, 1, "");
    sim_send(peer, &frames);
    assert_true(sim_next(peer, VOW_FRAME_REPLY, 50, &header, &payload));
    vow_server_close(world->server);
    assert_true(sim_next(peer, VOW_FRAME_GOAWAY, 50, &header, &payload));
    assert_int_equal(header.code, VOW_UNAVAILABLE);
    assert_true(header.has_last_call);
    assert_int_equal(header.last_call, 7);
    world->server = vow_server_open(world->loop, NULL);
    writer_done(&frames);
    sim_free(peer);
    world_free(world);
}

/* Real sockets */

static void a_call_above_the_last_id_goes_elsewhere_on_real_sockets(void **state)
{
    world       *world = world_new(WORLD_TCP);
    char         target[160];
    int          listener = raw_listen(WORLD_TCP, target);
    vow_channel *channel = vow_channel_open(world->loop, target, NULL);
    Calls__Text  request = CALLS__TEXT__INIT;
    vow_future  *call = calls_calls_echo(channel, &request, NULL);
    raw_peer    *first = raw_accept(world, listener);
    raw_peer    *second;
    writer       frames = { 0 };
    vow_header   header;
    vow_bytes    payload;

    (void)state;
    write_greeting(&frames);
    raw_send(first, frames.data, frames.size);
    assert_true(raw_next(first, VOW_FRAME_CALL, &header, &payload));
    writer_clear(&frames);
    write_frame(&frames, HEADER(.kind = VOW_FRAME_GOAWAY, .has_last_call = true), NULL, 0);
    raw_send_writer(first, &frames);
    second = raw_accept(world, listener);
    write_greeting(&frames);
    raw_send_writer(second, &frames);
    assert_true(raw_next(second, VOW_FRAME_CALL, &header, &payload));
    write_frame(&frames, HEADER(.kind = VOW_FRAME_REPLY, .call = header.call), NULL, 0);
    raw_send_writer(second, &frames);
    assert_int_equal(world_settle(world, call), VOW_OK);
    raw_free(first);
    raw_free(second);
    close(listener);
    vow_channel_close(channel);
    writer_done(&frames);
    world_free(world);
}

/* Memory */

static void without_memory_a_call_begins_anew_or_fails(void **state)
{
    bool   failed = true;
    size_t nth = 0;

    (void)state;
    for (; failed && nth < 300; nth++) {
        scene scene;

        scene_open(&scene);
        send_goaway(scene.peer, 0);
        failing_install(nth, true);
        world_advance_ms(scene.world, 50);
        failed = failing_has_failed();
        failing_stop();
        if (scene.server->count == 2 && !vow_future_settled(scene.call))
            assert_served_by(&scene, 2);
        else
            assert_in_range(world_settle(scene.world, scene.call), VOW_CANCELLED, VOW_UNAUTHENTICATED);
        failing_remove();
        scene_close(&scene);
    }
    assert_in_range(nth, 3, 299);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_above_the_last_id_goes_to_another_connection),
        cmocka_unit_test(a_call_up_to_the_last_id_stays_where_it_is),
        cmocka_unit_test(goaways_in_two_steps_move_what_the_second_does_not_name),
        cmocka_unit_test(a_last_id_that_sinks_moves_more),
        cmocka_unit_test(a_goaway_with_an_error_moves_what_it_says_has_not_run),
        cmocka_unit_test(a_goaway_with_an_error_alone_fails_the_call),
        cmocka_unit_test(a_call_that_was_refused_unseen_begins_anew_once),
        cmocka_unit_test(a_call_that_may_have_run_does_not_begin_anew),
        cmocka_unit_test(a_lost_connection_does_not_move_calls_that_have_left),
        cmocka_unit_test(a_call_that_begins_anew_keeps_its_deadline),
        cmocka_unit_test(a_call_without_a_server_to_go_to_fails),
        cmocka_unit_test(a_call_that_is_dropped_while_it_waits_anew_leaves_nothing),
        cmocka_unit_test(requests_of_up_to_16_kib_are_kept),
        cmocka_unit_test(a_stream_begins_anew_until_its_first_message_has_left),
        cmocka_unit_test(a_request_whose_replies_stream_begins_anew),
        cmocka_unit_test(a_call_behind_the_last_goaway_is_told_that_it_did_not_run),
        cmocka_unit_test(a_server_that_closes_says_up_to_where_it_has_run),
        cmocka_unit_test(a_call_above_the_last_id_goes_elsewhere_on_real_sockets),
        cmocka_unit_test(without_memory_a_call_begins_anew_or_fails),
    };

    return cmocka_run_group_tests_name("transparent retry", tests, NULL, NULL);
}
