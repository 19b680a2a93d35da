#include "link.h"

#include "measure/fail.h"

#include <hiredis/adapters/libuv.h>
#include <stdio.h>
#include <string.h>

#define HOST "127.0.0.1"
#define UNIX_SCHEME "unix://"

const char *bench_redis_path(const char *url)
{
    return strncmp(url, UNIX_SCHEME, strlen(UNIX_SCHEME)) == 0 ? url + strlen(UNIX_SCHEME) : NULL;
}

int bench_redis_port(const char *url)
{
    int  port;
    char rest;

    if (sscanf(url, "tcp://" HOST ":%5d%c", &port, &rest) != 1)
        bench_fail_usage("\"%s\" is neither tcp://" HOST ":7000 nor unix:///PATH", url);
    return port;
}

static void redis_check(const redisAsyncContext *redis)
{
    if (!redis)
        bench_fail("no memory for a connection");
    if (redis->err)
        bench_fail("a connection failed: %s", redis->errstr);
}

redisContext *bench_redis_connect(const char *url)
{
    const char   *path = bench_redis_path(url);
    redisContext *redis = path ? redisConnectUnix(path) : redisConnect(HOST, bench_redis_port(url));

    if (!redis)
        bench_fail("no memory for a connection");
    return redis;
}

static void redis_gone(const redisAsyncContext *redis, int status)
{
    if (status != REDIS_OK)
        redis_check(redis);
}

redisAsyncContext *bench_redis_connect_async(const char *url)
{
    const char        *path = bench_redis_path(url);
    redisAsyncContext *redis =
        path ? redisAsyncConnectUnix(path) : redisAsyncConnect(HOST, bench_redis_port(url));

    redis_check(redis);
    redis->c.reader->maxbuf = 0; /* keep a large buffer, as hiredis advises for large answers */
    bench_must(redisLibuvAttach(redis, uv_default_loop()) == REDIS_OK ? 0 : UV_ENOMEM, "watch a connection");
    redisAsyncSetConnectCallback(redis, redis_gone);
    redisAsyncSetDisconnectCallback(redis, redis_gone);
    return redis;
}
