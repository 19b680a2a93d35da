/*
 * What ZeroMQ's programs share.
 */
#ifndef BENCH_ZEROMQ_PEER_H
#define BENCH_ZEROMQ_PEER_H

#include <stddef.h>
#include <zmq.h>

#define BENCH_ZEROMQ_URL_SIZE 160

/* Fails with "cannot <what>: <ZeroMQ's text>" if `status` is -1; gives it else. */
int bench_zeromq_must(int status, const char *what);

/* A socket without a high-water mark: what is outstanding has its limit already, and a router at its mark
 * drops messages. */
void *bench_zeromq_unlimited(void *context, int type);

/* ZeroMQ calls a Unix socket ipc. */
void bench_zeromq_connect(void *socket, const char *url);

/* Binds, and prints the address and after it `raised`, the limits that were raised. */
void bench_zeromq_bind(void *socket, const char *url, const char *raised);

/* Receives the next part of a message; its size. */
size_t bench_zeromq_receive(void *socket, zmq_msg_t *part);

#endif
