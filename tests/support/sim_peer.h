/*
 * Peers that say what they like on a world's simulated network: raw_peer.h, on the simulated clock.
 *
 * The idea: a test writes frames, right or wrong, at moments of its choice, and reads those that come back. A
 * sim_server is a listener that vow does not know of, and keeps the peers that have connected to it.
 */
#ifndef VOW_TESTS_SIM_PEER_H
#define VOW_TESTS_SIM_PEER_H

#include "runtime/transport/transport.h"
#include "tests/support/raw_peer.h"

#define SIM_PEERS_MAX 64

typedef struct sim_peer {
    world      *world;
    vow_stream *stream; /* NULL: has ended */
    bool        has_ended;
    bool        is_writing;
    writer      queued; /* waits for what is being written */
    writer      leaving;
    writer      got;
    size_t      at; /* of the frame that comes next in `got` */
    uint8_t     room[16384];
} sim_peer;

typedef struct sim_server {
    world        *world;
    vow_listener *listener;
    const char   *address;
    bool          greets; /* who connects, at once */
    sim_peer     *peers[SIM_PEERS_MAX];
    size_t        count;
} sim_server;

/* A connection to the world's server, that has said hello. */
sim_peer *sim_connect(world *world);
sim_peer *sim_connect_silent(world *world);                               /* and that has not */
void      sim_connect_many(world *world, sim_peer **peers, size_t count); /* at the same moment */
void      sim_free(sim_peer *peer);
void      sim_end(sim_peer *peer); /* closes in good order */

/* Takes what is written so far. */
void sim_send(sim_peer *peer, writer *writer);
void sim_send_frame(sim_peer *peer, const vow_header *header);

/* The next frame of `kind` (0: any) that comes within `patience_ms`; what comes before is dropped. False:
 * none. */
bool sim_next(sim_peer *peer, vow_frame_kind kind, int64_t patience_ms, vow_header *header,
              vow_bytes *payload);

sim_server *sim_listen(world *world, const char *address);
void        sim_server_free(sim_server *server);

/* Waits until so many peers have ever connected, and gives the last of them. */
sim_peer *sim_accepted(sim_server *server, size_t count);

#endif
