/*
 * What the bare servers listen with.
 */
#ifndef BENCH_FLOOR_LISTENER_H
#define BENCH_FLOOR_LISTENER_H

#include <uv.h>

/* Listens on `url`, and prints the address with the port that it got. */
void bench_listener_open(uv_tcp_t *listener, uv_loop_t *loop, const char *url, uv_connection_cb opened);

/* Accepts a connection, whose handle's data becomes `data`. */
void bench_listener_accept(uv_stream_t *listener, uv_tcp_t *tcp, void *data);

#endif
