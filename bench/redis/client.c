/*
 * hiredis on libuv, calling redis-server: N commands outstanding, each made again when it was answered.
 *
 * A command is an ECHO of the payload, and where there is none a PING. hiredis puts commands into one buffer
 * and writes it when the loop says that there is room: so all commands of a read leave together.
 */
#include "link.h"
#include "measure/arguments.h"
#include "measure/chain.h"
#include "measure/clock.h"
#include "measure/fail.h"
#include "measure/load.h"
#include "measure/process.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define SPARE_FILES 100 /* beside the connections */

struct client {
    redisAsyncContext  **connections;
    struct slot         *idle;
    char                *payload;
    bench_stamp          stamp;
    bench_moments        moments;
    bench_client_options options;
    bench_load           load;
};

/* One of the N commands that may be outstanding. */
struct slot {
    struct client     *client; /* lent */
    struct slot       *next;
    redisAsyncContext *connection;
    unsigned           answers; /* of its chain */
    uint64_t           start_ns;
};

/* What is outstanding goes with the process. */
static void client_stop(struct client *client)
{
    bench_load_print(&client->load);
    exit(0);
}

static void slot_answered(redisAsyncContext *connection, void *answer, void *arg);

static void slot_send(struct slot *slot)
{
    size_t      size = slot->client->options.size;
    const char *words[] = { size > 0 ? "ECHO" : "PING", slot->client->payload };
    size_t      sizes[] = { 4, size };

    if (redisAsyncCommandArgv(slot->connection, slot_answered, slot, size > 0 ? 2 : 1, words, sizes) !=
        REDIS_OK)
        bench_fail("cannot send a command: %s", slot->connection->errstr);
}

static void client_call(struct client *client)
{
    struct slot *slot = client->idle;

    while (slot && bench_load_call(&client->load, bench_stamp_now_ns(&client->stamp), &slot->start_ns)) {
        client->idle = slot->next;
        slot->answers = 0;
        slot_send(slot);
        slot = client->idle;
    }
}

static void slot_check(const struct slot *slot, const redisReply *answer)
{
    size_t due = slot->client->options.size > 0 ? slot->client->options.size : strlen("PONG");

    if (!answer)
        bench_fail("a command failed: %s", slot->connection->errstr);
    if (answer->type == REDIS_REPLY_ERROR)
        bench_fail("a command failed: %s", answer->str);
    if (answer->len != due)
        bench_fail("%zu bytes came back where %zu were due", answer->len, due);
}

static void slot_answered(redisAsyncContext *connection, void *answer, void *arg)
{
    struct slot   *slot = arg;
    struct client *client = slot->client;

    (void)connection;
    slot_check(slot, answer);
    if (++slot->answers < BENCH_CHAIN_CALLS) {
        slot_send(slot);
        return;
    }
    if (!bench_load_goes_on(&client->load, bench_stamp_now_ns(&client->stamp)))
        client_stop(client);
    bench_load_answered(&client->load, slot->start_ns, bench_stamp_now_ns(&client->stamp));
    slot->next = client->idle;
    client->idle = slot;
    client_call(client);
}

static void client_due(void *arg)
{
    struct client *client = arg;

    if (!bench_load_goes_on(&client->load, bench_stamp_now_ns(&client->stamp)))
        client_stop(client);
    client_call(client);
}

static void client_open(struct client *client)
{
    const bench_client_options *options = &client->options;
    struct slot                *slots = bench_alloc(options->outstanding, sizeof *slots);

    bench_process_raise_files(options->connections + SPARE_FILES);
    client->payload = bench_alloc(options->size + 1, 1);
    memset(client->payload, 'x', options->size);
    client->connections = bench_alloc(options->connections, sizeof(redisAsyncContext *));
    for (size_t i = 0; i < options->connections; i++)
        client->connections[i] = bench_redis_connect_async(options->target);
    for (size_t i = 0; i < options->outstanding; i++) {
        slots[i].client = client;
        slots[i].connection = client->connections[i % options->connections];
        slots[i].next = client->idle;
        client->idle = &slots[i];
    }
}

static void client_start(struct client *client)
{
    bench_stamp_start(&client->stamp, SIZE_MAX);
    bench_load_begin(&client->load, &client->options, bench_stamp_now_ns(&client->stamp));
    bench_moments_start(&client->moments, &client->load, client_due, client);
    client_call(client);
}

int main(int argc, char **argv)
{
    static struct client client;

    client.options = bench_client_options_read(argc, argv);
    signal(SIGPIPE, SIG_IGN); /* hiredis writes without MSG_NOSIGNAL */
    client_open(&client);
    client_start(&client);
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
