/*
 * What a call of vow's takes while nobody answers it: request packed and sent, deadline armed, future held.
 * And where no calls are asked for, what a connection takes that is idle.
 */
#include "measure/fail.h"
#include "measure/weight.h"
#include "peer.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define BATCH_CALLS 1000 /* made before they are flushed, so that no large output queue is weighed too */
#define BATCH_CONNECTIONS 100
#define TIMEOUT_MS 3600000 /* armed, and far off */

struct client {
    vow_loop    *loop;
    const char  *target;
    vow_channel *channel; /* of the calls */
    Bench__Block request;
    vow_future **replies;
};

static void client_call(size_t from, size_t to, void *arg)
{
    struct client *client = arg;

    for (size_t i = from; i < to; i++)
        client->replies[i] =
            bench_echo_call(client->channel, &client->request, VOW_CALL(.timeout_ms = TIMEOUT_MS));
    bench_peer_wait_for_arrival(client->channel);
    for (size_t i = from; i < to; i++) {
        if (vow_future_settled(client->replies[i]))
            bench_fail("call %zu has ended: %s", i, vow_future_error(client->replies[i]));
    }
}

static void weigh_calls(struct client *client, const bench_client_options *options)
{
    size_t calls = options->outstanding;

    client->channel = bench_peer_channel(client->loop, client->target);
    client->request = bench_peer_block(options->size);
    client->replies = bench_alloc(calls, sizeof(vow_future *));
    /* These pages are the benchmark's own: they are made resident before anything is weighed. */
    memset(client->replies, 0xff, calls * sizeof(vow_future *));

    bench_weigh(options, BENCH_BYTES_PER_CALL, BATCH_CALLS, client_call, client);
    for (size_t i = 0; i < calls; i++)
        vow_drop(client->replies[i]);
    free(client->replies);
    free(client->request.body.data);
}

/* Opens a channel each, and waits for the answer to an empty block on all of them: both sides shake hands at
 * once. */
static void client_connect(size_t from, size_t to, void *arg)
{
    struct client *client = arg;
    Bench__Block   empty = BENCH__BLOCK__INIT;
    vow_future    *answers[BATCH_CONNECTIONS];

    for (size_t i = 0; i < to - from; i++)
        answers[i] = bench_echo_call(bench_peer_channel(client->loop, client->target), &empty, NULL);
    for (size_t i = 0; i < to - from; i++) {
        if (vow_wait(answers[i]) != VOW_OK)
            bench_fail("the server does not answer: %s", vow_future_error(answers[i]));
        vow_drop(answers[i]);
    }
}

int main(int argc, char **argv)
{
    bench_client_options options = bench_client_options_read(argc, argv);
    struct client        client = { .loop = vow_loop_attach(uv_default_loop()), .target = options.target };

    if (!client.loop)
        bench_fail("cannot attach to the loop: out of memory or file descriptors");
    if (options.outstanding > 0)
        weigh_calls(&client, &options);
    else
        bench_weigh(&options, BENCH_BYTES_PER_CONNECTION, BATCH_CONNECTIONS, client_connect, &client);
    vow_loop_close(client.loop); /* the channels with it */
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
