/*
 * What the programs on hiredis share: URLs as the benchmark writes them.
 */
#ifndef BENCH_REDIS_LINK_H
#define BENCH_REDIS_LINK_H

#include <hiredis/async.h>
#include <hiredis/hiredis.h>

/* The path of unix:///PATH, lent by it; NULL: the URL is of TCP. */
const char *bench_redis_path(const char *url);

/* The port of tcp://127.0.0.1:PORT. */
int bench_redis_port(const char *url);

/* A connection that waits for answers; whether there is one, its `err` says. */
redisContext *bench_redis_connect(const char *url);

/* One on libuv's default loop, which the loop waits for. What fails on it ends the program. */
redisAsyncContext *bench_redis_connect_async(const char *url);

#endif
