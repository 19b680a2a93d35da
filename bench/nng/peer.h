/*
 * What nng's programs share.
 */
#ifndef BENCH_NNG_PEER_H
#define BENCH_NNG_PEER_H

#include <nng/nng.h>
#include <stddef.h>

#define BENCH_NNG_MESSAGE_MOST ((size_t)8 << 20) /* nng's default is 1 MiB */
#define BENCH_NNG_URL_SIZE 160

/* Fails with "cannot <what>: <nng's text>" unless `status` is 0. */
void bench_nng_must(int status, const char *what);

/* Raises what a message may have. */
void bench_nng_socket_init(nng_socket socket);

/* nng calls a Unix socket ipc. */
void bench_nng_dial(nng_socket socket, const char *url);

/* Listens, and prints the address and the limit that was raised. */
void bench_nng_listen(nng_socket socket, const char *url);

#endif
