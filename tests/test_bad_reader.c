/*
 * A peer that does not read what it is sent, whatever credit it gives: what waits for it is bounded, and what
 * waits leaves as soon as it reads.
 */
#include "runtime/rpc/server.h"
#include "tests/support/raw_peer.h"
#include "tests/support/setups.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* What may wait for a peer, and the few frames that run over. */
#define QUEUED_MOST (VOW_MAX_QUEUED_BYTES + VOW_MAX_QUEUED_BYTES / 2 + ((size_t)1 << 20))

enum { COUNT = 1, ECHO, NOTHING, THREE };

static raw_peer *connect_greeted(world *world)
{
    raw_peer *peer = raw_connect(world);
    writer    bytes = { 0 };

    write_greeting(&bytes);
    write_method(&bytes, COUNT, "calls.Streams/Count");
    write_method(&bytes, ECHO, "calls.Calls/Echo");
    write_method(&bytes, NOTHING, "calls.Nothing/AtAll");
    raw_send_writer(peer, &bytes);
    writer_done(&bytes);
    return peer;
}

static void give(writer *w, uint64_t call, uint64_t credit)
{
    write_frame(w, HEADER(.kind = VOW_FRAME_CREDIT, .call = call, .credit = credit), NULL, 0);
}

static void assert_others_are_served(world *world)
{
    world_assert_serves(world);
}

/* The handler asks for room, and the peer promises any amount of it. */
static void credit_without_end_does_not_make_a_handler_fill_the_memory(void **state)
{
    world     *world = *state;
    raw_peer  *peer = connect_greeted(world);
    writer     bytes = { 0 };
    vow_header header = { .kind = VOW_FRAME_STREAM };
    vow_bytes  payload;
    size_t     count = 0;

    peer->does_not_read = true;
    write_text_call(&bytes, 1, COUNT, "1000000");
    give(&bytes, 0, UINT64_C(1) << 61);
    give(&bytes, 1, UINT64_C(1) << 61);
    raw_send_writer(peer, &bytes);
    for (int i = 0; i < 50; i++) {
        raw_turn(peer, 1);
        assert_in_range(world->server->account.used, 0, QUEUED_MOST);
    }
    assert_others_are_served(world);
    peer->does_not_read = false;
    for (; count < 1000000 && raw_next(peer, VOW_FRAME_STREAM, &header, &payload); count++) {
        if (count % 100000 == 0)
            assert_in_range(world->server->account.used, 0, QUEUED_MOST);
    }
    assert_int_equal(count, 1000000);
    assert_true(raw_next(peer, VOW_FRAME_STATUS, &header, &payload));
    assert_int_equal(header.code, VOW_OK);
    raw_free(peer);
    writer_done(&bytes);
}

static void serve_three(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    static char text[30001];

    (void)request;
    (void)handler;
    memset(text, 'x', sizeof text - 1);
    for (int i = 0; i < 3; i++)
        streams_send(call, text);
    vow_call_end(call);
}

/* The handler has answered, and its last message finds no credit. */
static void an_answer_that_finds_no_credit_waits_until_the_deadline(void **state)
{
    static const vow_method three = { sizeof three,
                                      "calls.Streams/Three",
                                      &calls__text__descriptor,
                                      &calls__text__descriptor,
                                      false,
                                      true,
                                      false,
                                      NULL };
    world                  *world = *state;
    raw_peer               *peer = connect_greeted(world);
    writer                  bytes = { 0 };

    vow_server_handle(world->server, &(vow_handler){ sizeof(vow_handler), &three, serve_three, NULL, NULL });
    write_method(&bytes, THREE, three.name);
    write_frame(&bytes, HEADER(.kind = VOW_FRAME_CALL, .call = 1, .method = THREE, .time_left_us = 100000),
                NULL, 0);
    raw_send_writer(peer, &bytes);
    raw_next(peer, VOW_FRAME_STREAM, &(vow_header){ 0 }, &(vow_bytes){ 0 });
    assert_int_equal(world->server->running, 1);
    for (int i = 0; i < 1000 && world->server->running; i++)
        raw_turn(peer, 10);
    assert_int_equal(world->server->running, 0);
    assert_others_are_served(world);
    raw_free(peer);
    writer_done(&bytes);
}

/* Sends as often as the other side takes some of it; gives how often that was all of it. */
static size_t send_while_taken(raw_peer *peer, const writer *bytes, size_t times)
{
    size_t at = 0;
    size_t sent = 0;

    for (int idle = 0; sent < times && idle < 100;) {
        ssize_t size = send(peer->fd, bytes->data + at, bytes->size - at, MSG_NOSIGNAL);

        idle = size > 0 ? 0 : idle + 1;
        at += size > 0 ? (size_t)size : 0;
        if (at == bytes->size) {
            at = 0;
            sent++;
        }
        raw_turn(peer, 1);
    }
    return sent;
}

/* Each refusal is longer than what it refuses. */
static void calls_that_are_refused_do_not_pile_up_their_answers(void **state)
{
    world    *world = *state;
    raw_peer *peer = connect_greeted(world);
    writer    bytes = { 0 };
    size_t    sent = 0;

    peer->does_not_read = true;
    for (uint64_t call = 1; sent < 2000; call += 2000) {
        for (uint64_t i = 0; i < 2000; i += 2)
            write_text_call(&bytes, call + i, NOTHING, "");
        if (send_while_taken(peer, &bytes, 1) == 0)
            break;
        assert_in_range(world->server->account.used, 0, QUEUED_MOST);
        writer_clear(&bytes);
        sent++;
    }
    assert_in_range(sent, 1, 1999);
    assert_others_are_served(world);
    raw_free(peer);
    writer_done(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STREAMS(tcp, credit_without_end_does_not_make_a_handler_fill_the_memory),
        ON_STREAMS(tcp, an_answer_that_finds_no_credit_waits_until_the_deadline),
        ON_STREAMS(tcp, calls_that_are_refused_do_not_pile_up_their_answers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
