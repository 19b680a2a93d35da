/*
 * What a stream of vow's takes that is open and idle: both sides read it, each has sent one block, and no
 * more comes.
 *
 * As in weigh.c, what process and connection take by themselves is there before the first look.
 */
#include "measure/fail.h"
#include "measure/weight.h"
#include "peer.h"

#include <stdlib.h>
#include <uv.h>

#define BATCH 1000 /* opened at a time; the first batch comes before the first look */

static vow_future *heard(vow_call *call, const ProtobufCMessage *message, void *arg)
{
    size_t *count = arg;

    (void)call;
    (void)message;
    ++*count;
    return NULL;
}

static void over(vow_future *end, void *arg)
{
    (void)arg;
    bench_fail("a stream ended: %s", vow_future_error(end));
}

static void open_batch(vow_channel *channel, const Bench__Block *block, size_t *count)
{
    size_t wanted = *count + BATCH;

    for (size_t i = 0; i < BATCH; i++) {
        vow_call *call = bench_streams_talk(channel, NULL);

        bench_streams_talk_send_request(call, block);
        vow_done(vow_call_read(call, heard, count), over, NULL);
    }
    while (*count < wanted)
        uv_run(uv_default_loop(), UV_RUN_ONCE);
}

int main(int argc, char **argv)
{
    bench_client_options options = bench_client_options_read(argc, argv);
    bench_peer_link      link = bench_peer_open(&options);
    Bench__Block         block = bench_peer_block(options.size);
    size_t               count = 0;
    bench_weight         before;

    if (options.outstanding < 2 * BATCH)
        bench_fail_usage("--outstanding must be at least %d", 2 * BATCH);
    open_batch(link.channel, &block, &count);
    before = bench_weight_now(options.server_pid);
    while (count < options.outstanding)
        open_batch(link.channel, &block, &count);
    bench_weight_print(&before, options.server_pid, count - BATCH, BENCH_BYTES_PER_STREAM);
    return 0; /* the streams go with the process */
}
