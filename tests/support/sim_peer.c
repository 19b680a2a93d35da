#include "tests/support/sim_peer.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

/* Events */

static void peer_flush(sim_peer *peer)
{
    while (peer->stream && !peer->is_writing && peer->queued.size) {
        writer swap = peer->leaving;

        peer->leaving = peer->queued;
        peer->queued = swap;
        writer_clear(&peer->queued);
        peer->is_writing =
            !vow_stream_write(peer->stream, &(vow_slice){ peer->leaving.data, peer->leaving.size }, 1);
    }
}

static void peer_opened(void *owner)
{
    peer_flush(owner);
}

static vow_room peer_room(void *owner)
{
    sim_peer *peer = owner;

    return (vow_room){ peer->room, sizeof peer->room };
}

static void peer_read(void *owner, size_t size)
{
    sim_peer *peer = owner;

    writer_add(&peer->got, peer->room, size);
}

static void peer_written(void *owner)
{
    sim_peer *peer = owner;

    peer->is_writing = false;
    peer_flush(peer);
}

static void peer_closed(void *owner, const vow_status *why)
{
    sim_peer *peer = owner;

    (void)why;
    peer->stream = NULL;
    peer->has_ended = true;
}

static const vow_stream_events peer_events = {
    .opened = peer_opened,
    .room = peer_room,
    .read = peer_read,
    .written = peer_written,
    .closed = peer_closed,
};

/* Life */

static sim_peer *peer_new(world *world)
{
    sim_peer *peer = calloc(1, sizeof *peer);

    assert_non_null(peer);
    peer->world = world;
    return peer;
}

static void peer_greet(sim_peer *peer)
{
    writer greeting = { 0 };

    write_greeting(&greeting);
    sim_send(peer, &greeting);
    writer_done(&greeting);
}

void sim_connect_many(world *world, sim_peer **peers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        vow_error error = { VOW_OK, "" };

        peers[i] = peer_new(world);
        peers[i]->stream = vow_stream_connect(world->loop, world->address, &peer_events, peers[i], &error);
        if (!peers[i]->stream)
            fail_msg("%s", error.message);
        peers[i]->is_writing = true; /* until it is open */
    }
    vow_loop_advance(world->loop, 20);
    for (size_t i = 0; i < count; i++)
        peers[i]->is_writing = false;
}

sim_peer *sim_connect_silent(world *world)
{
    sim_peer *peer;

    sim_connect_many(world, &peer, 1);
    return peer;
}

sim_peer *sim_connect(world *world)
{
    sim_peer *peer = sim_connect_silent(world);

    peer_greet(peer);
    assert_true(sim_next(peer, VOW_FRAME_HELLO, 100, &(vow_header){ 0 }, &(vow_bytes){ NULL, 0 }));
    return peer;
}

void sim_end(sim_peer *peer)
{
    if (peer->stream)
        vow_stream_finish(peer->stream);
    peer->stream = NULL;
    peer->has_ended = true;
}

void sim_free(sim_peer *peer)
{
    if (peer->stream)
        vow_stream_close(peer->stream);
    writer_done(&peer->queued);
    writer_done(&peer->leaving);
    writer_done(&peer->got);
    free(peer);
}

/* Frames */

void sim_send(sim_peer *peer, writer *writer)
{
    if (writer->size)
        writer_add(&peer->queued, writer->data, writer->size);
    writer_clear(writer);
    peer_flush(peer);
}

void sim_send_frame(sim_peer *peer, const vow_header *header)
{
    writer frame = { 0 };

    write_frame(&frame, header, NULL, 0);
    sim_send(peer, &frame);
    writer_done(&frame);
}

bool sim_next(sim_peer *peer, vow_frame_kind kind, int64_t patience_ms, vow_header *header,
              vow_bytes *payload)
{
    for (;; patience_ms--) {
        while (take_frame(&peer->got, &peer->at, header, payload)) {
            if (kind == 0 || header->kind == kind)
                return true;
        }
        if (patience_ms <= 0 || peer->has_ended)
            return false;
        vow_loop_advance(peer->world->loop, 1);
    }
}

/* Servers */

static void server_accept(void *owner, vow_stream *stream)
{
    sim_server *server = owner;
    sim_peer   *peer = peer_new(server->world);

    assert_true(server->count < SIM_PEERS_MAX);
    peer->stream = stream;
    server->peers[server->count++] = peer;
    vow_stream_adopt(stream, &peer_events, peer);
    if (server->greets)
        peer_greet(peer);
}

sim_server *sim_listen(world *world, const char *address)
{
    sim_server *server = calloc(1, sizeof *server);
    vow_error   error = { VOW_OK, "" };

    assert_non_null(server);
    *server = (sim_server){ .world = world, .address = address, .greets = true };
    if (vow_listener_open(world->loop, address, NULL, server_accept, server, &server->listener, &error) !=
        VOW_OK)
        fail_msg("%s", error.message);
    return server;
}

void sim_server_free(sim_server *server)
{
    vow_listener_close(server->listener);
    for (size_t i = 0; i < server->count; i++)
        sim_free(server->peers[i]);
    free(server);
}

sim_peer *sim_accepted(sim_server *server, size_t count)
{
    for (int i = 0; i < 5000 && server->count < count; i++)
        vow_loop_advance(server->world->loop, 1);
    assert_true(server->count >= count);
    return server->peers[count - 1];
}
