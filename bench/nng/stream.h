/*
 * A stream of nng's: a pair of sockets, with room for some messages at each end. A pipeline, push to pull,
 * has no way back for the answer how many came.
 */
#ifndef BENCH_NNG_STREAM_H
#define BENCH_NNG_STREAM_H

#include "peer.h"

#include <nng/protocol/pair0/pair.h>

#define BENCH_NNG_ROOM                                                                                       \
    128 /* messages; the default is none, with which each send waits for the one before                      \
         */

static inline nng_socket bench_nng_stream_open(void)
{
    nng_socket pair;

    bench_nng_must(nng_pair0_open(&pair), "open a socket");
    bench_nng_socket_init(pair);
    bench_nng_must(nng_socket_set_int(pair, NNG_OPT_SENDBUF, BENCH_NNG_ROOM), "set an option");
    bench_nng_must(nng_socket_set_int(pair, NNG_OPT_RECVBUF, BENCH_NNG_ROOM), "set an option");
    return pair;
}

#endif
