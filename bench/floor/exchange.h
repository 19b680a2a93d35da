/*
 * A connection with one frame at a time on its way: it is sent, and comes back.
 */
#ifndef BENCH_FLOOR_EXCHANGE_H
#define BENCH_FLOOR_EXCHANGE_H

#include "frames.h"
#include "socket.h"

typedef struct bench_exchange bench_exchange;

/* The frame has come back. */
typedef void bench_exchanged_fn(bench_exchange *exchange);

struct bench_exchange {
    bench_socket        socket; /* its data is the exchange */
    uv_connect_t        connect;
    uv_write_t          write;
    bench_frames        frames;
    char               *frame;
    size_t              frame_size;
    uint64_t            next_number;
    bench_exchanged_fn *exchanged;
    void               *owner; /* for `exchanged` */
};

/* Connects to `url` on libuv's default loop, and sends the first frame, with `size` bytes of payload. */
void bench_exchange_open(bench_exchange *exchange, const char *url, size_t size,
                         bench_exchanged_fn *exchanged, void *owner);

/* Sends the next one; only after the last has come back. */
void bench_exchange_again(bench_exchange *exchange);

#endif
