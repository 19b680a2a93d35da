/*
 * What an idle connection takes that is nothing but a handle of libuv's and a buffer to read into.
 */
#include "exchange.h"
#include "measure/arguments.h"
#include "measure/fail.h"
#include "measure/weight.h"

#include <signal.h>
#include <stdlib.h>

struct client {
    const char *target;
    size_t      connected;
};

static void client_connected(bench_exchange *exchange)
{
    struct client *client = exchange->owner;

    client->connected++;
}

/* A frame there and back says that both sides have it. */
static void client_connect(size_t from, size_t to, void *arg)
{
    struct client *client = arg;

    for (size_t i = from; i < to; i++)
        bench_exchange_open(bench_alloc(1, sizeof(bench_exchange)), client->target, 0, client_connected,
                            client);
    while (client->connected < to)
        uv_run(uv_default_loop(), UV_RUN_ONCE);
}

int main(int argc, char **argv)
{
    bench_client_options options = bench_client_options_read(argc, argv);
    struct client        client = { .target = options.target };

    if (options.outstanding > 0)
        bench_fail_usage("the bare echo keeps nothing for a call: --outstanding must be 0");
    signal(SIGPIPE, SIG_IGN); /* libuv writes without MSG_NOSIGNAL */
    bench_weigh(&options, BENCH_BYTES_PER_CONNECTION, 1, client_connect, &client);
    exit(0); /* the connections go with the process */
}
