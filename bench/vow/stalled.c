/*
 * What a stream of vow's takes whose server does not read it, while its client sends whenever there is room.
 *
 * The idea: once all credit is spent nothing moves any more. What is then held at both ends should be a
 * window and a message at the server, and a message at the client.
 */
#include "measure/fail.h"
#include "measure/weight.h"
#include "peer.h"

#include <uv.h>

#define STILL_ROUNDS 20 /* round trips without a block in between: nothing moves */

struct load {
    Bench__Block block;
    uint64_t     sent;
};

static vow_future *send_all(vow_call *call, void *arg)
{
    struct load *load = arg;

    do
        load->sent++;
    while (bench_streams_stall_send_request(call, &load->block));
    return NULL;
}

static void over(vow_future *end, void *arg)
{
    (void)arg;
    bench_fail("a stream ended: %s", vow_future_error(end));
}

static void wait_until_still(vow_channel *channel, const struct load *load)
{
    uint64_t seen = 0;

    for (int rounds = 0; rounds < STILL_ROUNDS; rounds++) {
        if (seen != load->sent)
            rounds = 0;
        seen = load->sent;
        bench_peer_wait_for_arrival(channel);
    }
}

int main(int argc, char **argv)
{
    bench_client_options options = bench_client_options_read(argc, argv);
    bench_peer_link      link = bench_peer_open(&options);
    struct load          load = { .block = bench_peer_block(options.size) };
    bench_weight         before;

    bench_peer_wait_for_arrival(link.channel);
    before = bench_weight_now(options.server_pid);
    for (size_t i = 0; i < options.outstanding; i++)
        vow_done(vow_call_write(bench_streams_stall(link.channel, NULL), send_all, &load), over, NULL);
    wait_until_still(link.channel, &load);
    bench_weight_print(&before, options.server_pid, options.outstanding, BENCH_BYTES_PER_STREAM);
    return 0; /* the streams go with the process */
}
