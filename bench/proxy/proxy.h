/*
 * A proxy that makes a link long: what comes in at one end goes out at the other a fixed time later.
 *
 * The idea: the delay is the same for all, so all that is on its way, in both directions of all connections,
 * is one queue in the order of its moments, with one timer for its head. Any number of messages can be on
 * their way at once, so the delay takes nothing from the throughput until a direction holds
 * BENCH_PROXY_HELD_MOST; then it is not read until half of that has been taken at the other end.
 *
 * The opening of a connection is not delayed. IPv4 and TCP only; the scheme of a URL is passed on as it is,
 * for what runs over TCP looks the same from here.
 */
#ifndef BENCH_PROXY_PROXY_H
#define BENCH_PROXY_PROXY_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

/* For each direction of a connection: 1.6 GB/s at 2.5 ms are 4 MiB. */
#define BENCH_PROXY_HELD_MOST ((size_t)8 << 20)

typedef struct bench_proxy bench_proxy;

/* Listens on `listen`, and passes on to `target`; the URLs are lent for this call. Fails as in
 * measure/fail.h. */
bench_proxy *bench_proxy_open(uv_loop_t *loop, const char *listen, const char *target, uint64_t delay_ns);

int bench_proxy_port(const bench_proxy *proxy);

/* Bytes that have been read and that the other end has not been given yet, over all connections. */
size_t bench_proxy_held_bytes(const bench_proxy *proxy);

/* Takes the proxy; its memory goes once the loop has closed its handles. */
void bench_proxy_close(bench_proxy *proxy);

#endif
