/*
 * vow's echo, calling: N calls outstanding, each made again when its future has settled.
 *
 * All options are at their defaults: each call has a deadline, each reply passes the guard.
 */
#include "echo.vow.h"
#include "measure/arguments.h"
#include "measure/fail.h"
#include "measure/load.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>
#include <vow/vow.h>

struct client {
    vow_loop            *loop;
    vow_channel         *channel;
    Bench__Block         request;
    uv_prepare_t         before_poll;
    uint64_t             now_ns; /* one stamp for each iteration of the loop; 0: not taken yet */
    bool                 over;
    bench_client_options options;
    bench_load           load;
};

/* One of the N calls that are outstanding. */
struct slot {
    struct client *client;
    uint64_t       sent_ns;
};

/* The clock is the benchmark's own, not the one of the library that is measured. */
static uint64_t client_now_ns(struct client *client)
{
    if (!client->now_ns)
        client->now_ns = uv_hrtime();
    return client->now_ns;
}

static void client_forget_time(uv_prepare_t *before_poll)
{
    struct client *client = before_poll->data;

    client->now_ns = 0;
}

static void client_stop(struct client *client)
{
    client->over = true;
    bench_load_print(&client->load);
    uv_close((uv_handle_t *)&client->before_poll, NULL);
    vow_channel_close(client->channel); /* cancels what is outstanding */
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

static void slot_call(struct slot *slot);

static void slot_answered(vow_future *reply, void *arg)
{
    struct slot   *slot = arg;
    struct client *client = slot->client;

    if (client->over)
        return;
    client_check(client, reply);
    if (!bench_load_goes_on(&client->load, client_now_ns(client))) {
        client_stop(client);
        return;
    }
    bench_load_answered(&client->load, slot->sent_ns, client_now_ns(client));
    slot_call(slot);
}

static void slot_call(struct slot *slot)
{
    struct client *client = slot->client;

    slot->sent_ns = client_now_ns(client);
    vow_done(bench_echo_call(client->channel, &client->request, NULL), slot_answered, slot);
}

static void client_start(struct client *client, struct slot *slots)
{
    uv_loop_t *uv = uv_default_loop();

    client->loop = vow_loop_attach(uv);
    if (!client->loop)
        bench_fail("cannot attach to the loop: out of memory or file descriptors");
    client->channel = vow_channel_open(client->loop, client->options.target, NULL);
    bench_must(uv_prepare_init(uv, &client->before_poll), "make a handle");
    client->before_poll.data = client;
    bench_must(uv_prepare_start(&client->before_poll, client_forget_time), "start a handle");
    uv_unref((uv_handle_t *)&client->before_poll);

    bench_load_begin(&client->load, &client->options, client_now_ns(client));
    for (size_t i = 0; i < client->options.outstanding; i++) {
        slots[i].client = client;
        slot_call(&slots[i]);
    }
}

int main(int argc, char **argv)
{
    static struct client client = { .request = BENCH__BLOCK__INIT };
    struct slot         *slots;

    client.options = bench_client_options_read(argc, argv);
    slots = bench_alloc(client.options.outstanding, sizeof *slots);
    client.request.body.data = bench_alloc(client.options.size, 1);
    client.request.body.len = client.options.size;
    memset(client.request.body.data, 'x', client.options.size);

    client_start(&client, slots);
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);

    free(client.request.body.data);
    free(slots);
    return 0;
}
