/*
 * vow's echo, calling: N calls outstanding, each made again when its future has settled, or at intended
 * moments.
 *
 * All options are at their defaults but the largest message: each call has a deadline, each reply passes the
 * guard. A connection is a channel of its own.
 */
#include "measure/chain.h"
#include "measure/clock.h"
#include "measure/fail.h"
#include "measure/load.h"
#include "peer.h"

#include <stdlib.h>
#include <uv.h>

/* How many answers in a row, of one connection and one iteration of the loop, have one stamp at most. Where
 * few are outstanding each has its own. */
#define STAMP_ANSWERS 16

struct client {
    vow_loop     *loop;
    vow_channel **channels;
    struct slot  *free; /* those that are not outstanding */
    Bench__Block  request;
    bench_stamp   stamp;
    bench_moments moments;
    bool          over;

    bench_client_options options;
    bench_load           load;
};

/* One of the N calls that can be outstanding. */
struct slot {
    struct client *client;
    vow_channel   *channel;
    struct slot   *next;    /* of the free ones */
    unsigned       answers; /* of its chain */
    uint64_t       start_ns;
};

static void client_stop(struct client *client)
{
    client->over = true;
    bench_load_print(&client->load);
    bench_stamp_stop(&client->stamp);
    bench_moments_stop(&client->moments);
    for (size_t i = 0; i < client->options.connections; i++)
        vow_channel_close(client->channels[i]); /* cancels what is outstanding */
    vow_loop_close(client->loop);
}

static void client_check(const struct client *client, const vow_future *reply)
{
    const Bench__Block *block = bench_echo_call_result(reply);

    if (!block)
        bench_fail("a call failed: %s", vow_future_error(reply));
    if (block->body.len != client->options.size)
        bench_fail("%zu bytes came back where %zu were due", block->body.len, client->options.size);
}

static void slot_answered(vow_future *reply, void *arg);

static void slot_call(struct slot *slot)
{
    vow_done(bench_echo_call(slot->channel, &slot->client->request, NULL), slot_answered, slot);
}

/* Makes the calls that are due. */
static void client_call(struct client *client)
{
    struct slot *slot = client->free;

    while (slot && bench_load_call(&client->load, client->stamp.now_ns, &slot->start_ns)) {
        client->free = slot->next;
        slot->answers = 0;
        slot_call(slot);
        slot = client->free;
    }
}

static void slot_answered(vow_future *reply, void *arg)
{
    struct slot   *slot = arg;
    struct client *client = slot->client;
    uint64_t       now_ns;

    if (client->over)
        return;
    client_check(client, reply);
    if (++slot->answers < BENCH_CHAIN_CALLS) {
        slot_call(slot);
        return;
    }
    now_ns = bench_stamp_heard_ns(&client->stamp, slot->channel);
    if (!bench_load_goes_on(&client->load, now_ns)) {
        client_stop(client);
        return;
    }
    bench_load_answered(&client->load, slot->start_ns, now_ns);
    slot->next = client->free;
    client->free = slot;
    client_call(client);
}

static void client_due(void *arg)
{
    struct client *client = arg;

    if (bench_load_goes_on(&client->load, bench_stamp_heard_ns(&client->stamp, NULL)))
        client_call(client);
    else
        client_stop(client);
}

static void client_open(struct client *client, struct slot *slots)
{
    size_t count = client->options.connections;

    client->loop = vow_loop_attach(uv_default_loop());
    if (!client->loop)
        bench_fail("cannot attach to the loop: out of memory or file descriptors");
    for (size_t i = 0; i < count; i++) {
        client->channels[i] = bench_peer_channel(client->loop, client->options.target);
        bench_peer_wait_for_arrival(client->channels[i]); /* connecting is not measured */
    }
    for (size_t i = client->options.outstanding; i-- > 0;) {
        slots[i] = (struct slot){
            .client = client,
            .channel = client->channels[i % count],
            .next = client->free,
        };
        client->free = &slots[i];
    }
}

static void client_start(struct client *client)
{
    size_t most = client->options.outstanding / 8;

    bench_stamp_start(&client->stamp, most < STAMP_ANSWERS ? most : STAMP_ANSWERS);
    bench_load_begin(&client->load, &client->options, bench_stamp_heard_ns(&client->stamp, NULL));
    bench_moments_start(&client->moments, &client->load, client_due, client);
    client_call(client);
}

int main(int argc, char **argv)
{
    static struct client client;
    struct slot         *slots;

    client.options = bench_client_options_read(argc, argv);
    slots = bench_alloc(client.options.outstanding, sizeof *slots);
    client.channels = bench_alloc(client.options.connections, sizeof(vow_channel *));
    client.request = bench_peer_block(client.options.size);
    client_open(&client, slots);
    client_start(&client);
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);

    free(client.request.body.data);
    free(client.channels);
    free(slots);
    return 0;
}
