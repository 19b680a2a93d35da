/*
 * What a stream of vow's takes that is open and idle: both sides read it, each has sent one block, and no
 * more comes.
 */
#include "measure/fail.h"
#include "measure/weight.h"
#include "peer.h"

#include <stdlib.h>
#include <uv.h>

#define BATCH 1000

struct client {
    vow_channel *channel;
    Bench__Block block;
    size_t       heard;
};

static vow_future *heard(vow_call *call, const ProtobufCMessage *message, void *arg)
{
    struct client *client = arg;

    (void)call;
    (void)message;
    client->heard++;
    return NULL;
}

static void over(vow_future *end, void *arg)
{
    (void)arg;
    bench_fail("a stream ended: %s", vow_future_error(end));
}

static void open_streams(size_t from, size_t to, void *arg)
{
    struct client *client = arg;

    for (size_t i = from; i < to; i++) {
        vow_call *call = bench_streams_talk(client->channel, NULL);

        bench_streams_talk_send_request(call, &client->block);
        vow_done(vow_call_read(call, heard, client), over, NULL);
    }
    while (client->heard < to)
        uv_run(uv_default_loop(), UV_RUN_ONCE);
}

int main(int argc, char **argv)
{
    bench_client_options options = bench_client_options_read(argc, argv);
    bench_peer_link      link = bench_peer_open(&options);
    struct client        client = { link.channel, bench_peer_block(options.size), 0 };

    bench_weigh(&options, BENCH_BYTES_PER_STREAM, BATCH, open_streams, &client);
    return 0; /* the streams go with the process */
}
