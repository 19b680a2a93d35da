/*
 * What a call of vow's takes while nobody answers it: request packed and sent, deadline armed, future held.
 *
 * The idea: the growth of anonymous memory from the first thousand calls to all of them, divided by
 * their number, at the client and at the server. What a process and a connection take by themselves is
 * there before the first thousand are counted, and falls out.
 */
#include "measure/fail.h"
#include "measure/weight.h"
#include "peer.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define FIRST_CALLS 1000
#define BATCH_CALLS 1000   /* made before they are flushed, so that no large output queue is weighed too */
#define TIMEOUT_MS 3600000 /* armed, and far off */

/* Calls number `from` to `to`, not included; their futures are put into `replies`. */
static void call_without_answer(vow_channel *channel, const Bench__Block *request, vow_future **replies,
                                size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        replies[i] = bench_echo_call(channel, request, VOW_CALL(.timeout_ms = TIMEOUT_MS));
        if ((i + 1) % BATCH_CALLS == 0 || i + 1 == to)
            bench_peer_wait_for_arrival(channel);
    }
    for (size_t i = from; i < to; i++) {
        if (vow_future_settled(replies[i]))
            bench_fail("call %zu has ended: %s", i, vow_future_error(replies[i]));
    }
}

static void measure(vow_channel *channel, const bench_client_options *options)
{
    size_t       calls = options->outstanding;
    vow_future **replies = bench_alloc(calls, sizeof(vow_future *));
    Bench__Block request = bench_peer_block(options->size);
    bench_weight before;

    /* These pages are the benchmark's own: they are made resident before anything is weighed. */
    memset(replies, 0xff, calls * sizeof(vow_future *));

    call_without_answer(channel, &request, replies, 0, FIRST_CALLS);
    before = bench_weight_now(options->server_pid);
    call_without_answer(channel, &request, replies, FIRST_CALLS, calls);
    bench_weight_print(&before, options->server_pid, calls - FIRST_CALLS, BENCH_BYTES_PER_CALL);
    for (size_t i = 0; i < calls; i++)
        vow_drop(replies[i]);
    free(replies);
}

int main(int argc, char **argv)
{
    bench_client_options options = bench_client_options_read(argc, argv);
    bench_peer_link      link = bench_peer_open(&options);

    if (options.outstanding <= FIRST_CALLS)
        bench_fail_usage("--outstanding must be more than the %d calls that come before the first look",
                         FIRST_CALLS);
    measure(link.channel, &options);
    bench_peer_close(&link);
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
