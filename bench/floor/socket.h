/*
 * What the bare programs listen on and connect with: a stream socket of libuv's, TCP or Unix as its URL says.
 */
#ifndef BENCH_FLOOR_SOCKET_H
#define BENCH_FLOOR_SOCKET_H

#include <stddef.h>
#include <uv.h>

/* libuv's handles all begin with the same fields. */
typedef union bench_socket {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_tcp_t    tcp;
    uv_pipe_t   pipe;
} bench_socket;

/* Connects to "tcp://127.0.0.1:7000" or "unix:///PATH". */
void bench_socket_connect(bench_socket *socket, uv_loop_t *loop, const char *url, uv_connect_t *connect,
                          uv_connect_cb connected);

/* To be called when it has been connected, which it has not yet if `status` is an error: then fails. */
void bench_socket_connected(bench_socket *socket, int status);

/* Listens on `url`, on each of `count` loops with a socket of its own, between which the kernel distributes
 * connections; prints the address with the port that it got. More than one takes TCP. */
void bench_socket_listen(bench_socket *listeners, uv_loop_t *loops, size_t count, const char *url,
                         uv_connection_cb opened);

/* Accepts a connection, whose handle's data becomes `data`. */
void bench_socket_accept(uv_stream_t *listener, bench_socket *socket, void *data);

#endif
