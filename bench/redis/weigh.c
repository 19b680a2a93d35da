/*
 * What a connection to redis-server takes that is idle.
 */
#include "link.h"
#include "measure/arguments.h"
#include "measure/fail.h"
#include "measure/weight.h"

#include <stdlib.h>
#include <uv.h>

struct client {
    const char *target;
    size_t      connected;
};

static void client_answered(redisAsyncContext *connection, void *answer, void *arg)
{
    struct client *client = arg;

    if (!answer)
        bench_fail("a command failed: %s", connection->errstr);
    client->connected++;
}

/* The answer to a PING says that both sides have it. */
static void client_connect(size_t from, size_t to, void *arg)
{
    struct client *client = arg;

    for (size_t i = from; i < to; i++) {
        if (redisAsyncCommand(bench_redis_connect_async(client->target), client_answered, client, "PING") !=
            REDIS_OK)
            bench_fail("cannot send a command");
    }
    while (client->connected < to)
        uv_run(uv_default_loop(), UV_RUN_ONCE);
}

int main(int argc, char **argv)
{
    bench_client_options options = bench_client_options_read(argc, argv);
    struct client        client = { .target = options.target };

    if (options.outstanding > 0)
        bench_fail_usage("redis-server answers every command, so no call waits: --outstanding must be 0");
    bench_weigh(&options, BENCH_BYTES_PER_CONNECTION, 1, client_connect, &client);
    exit(0); /* the connections go with the process */
}
