/*
 * What vow's clients begin with.
 */
#ifndef BENCH_VOW_PEER_H
#define BENCH_VOW_PEER_H

#include "echo.vow.h"
#include "measure/arguments.h"

#include <stdbool.h>
#include <vow/vow.h>

typedef struct bench_peer_link {
    vow_loop    *loop;
    vow_channel *channel;
} bench_peer_link;

#define BENCH_PEER_MESSAGE_MOST (8 << 20) /* of server and client; all else is at its default */

/* Is it tls:// or grpcs://, or tls+unix:// or grpcs+unix://? */
bool bench_peer_has_tls(const char *url);

/* Trusts the certificate that the build has made for the server. */
vow_channel *bench_peer_channel(vow_loop *loop, const char *target);

/* On libuv's default loop. */
bench_peer_link bench_peer_open(const bench_client_options *options);
void            bench_peer_close(bench_peer_link *link);

/* A block of `size` bytes; they are never freed. */
Bench__Block bench_peer_block(size_t size);

/* Waits for the answer to an empty block: what was sent before it has arrived. */
void bench_peer_wait_for_arrival(vow_channel *channel);

#endif
