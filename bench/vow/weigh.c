/*
 * What a call of vow's takes while nobody answers it: request packed and sent, deadline armed, future held.
 * And where no calls are asked for, what a connection takes that is idle.
 *
 * The idea: the growth of anonymous memory from the first thousand to all of them, divided by their number,
 * at the client and at the server. What a process takes by itself is there before the first thousand are
 * counted, and falls out.
 */
#include "measure/fail.h"
#include "measure/process.h"
#include "measure/weight.h"
#include "peer.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define FIRST_ONES 1000
#define BATCH_CALLS 1000 /* made before they are flushed, so that no large output queue is weighed too */
#define BATCH_CONNECTIONS 100
#define TIMEOUT_MS 3600000 /* armed, and far off */
#define SPARE_FILES 100    /* beside the connections */

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

static void weigh_calls(vow_loop *loop, const bench_client_options *options)
{
    size_t       calls = options->outstanding;
    vow_channel *channel = bench_peer_channel(loop, options->target);
    vow_future **replies = bench_alloc(calls, sizeof(vow_future *));
    Bench__Block request = bench_peer_block(options->size);
    bench_weight before;

    /* These pages are the benchmark's own: they are made resident before anything is weighed. */
    memset(replies, 0xff, calls * sizeof(vow_future *));

    call_without_answer(channel, &request, replies, 0, FIRST_ONES);
    before = bench_weight_now(options->server_pid);
    call_without_answer(channel, &request, replies, FIRST_ONES, calls);
    bench_weight_print(&before, options->server_pid, calls - FIRST_ONES, BENCH_BYTES_PER_CALL);
    for (size_t i = 0; i < calls; i++)
        vow_drop(replies[i]);
    free(replies);
    free(request.body.data);
}

/* Opens a channel each, and waits for the answer to an empty block on all of them: both sides shake hands at
 * once. */
static void connect_batch(vow_loop *loop, const char *target)
{
    Bench__Block empty = BENCH__BLOCK__INIT;
    vow_future  *answers[BATCH_CONNECTIONS];

    for (size_t i = 0; i < BATCH_CONNECTIONS; i++)
        answers[i] = bench_echo_call(bench_peer_channel(loop, target), &empty, NULL);
    for (size_t i = 0; i < BATCH_CONNECTIONS; i++) {
        if (vow_wait(answers[i]) != VOW_OK)
            bench_fail("the server does not answer: %s", vow_future_error(answers[i]));
        vow_drop(answers[i]);
    }
}

static void weigh_connections(vow_loop *loop, const bench_client_options *options)
{
    bench_weight before = { 0 };

    for (size_t count = 0; count < options->connections;) {
        connect_batch(loop, options->target);
        count += BATCH_CONNECTIONS;
        if (count == FIRST_ONES)
            before = bench_weight_now(options->server_pid);
    }
    bench_weight_print(&before, options->server_pid, options->connections - FIRST_ONES,
                       BENCH_BYTES_PER_CONNECTION);
}

int main(int argc, char **argv)
{
    bench_client_options options = bench_client_options_read(argc, argv);
    vow_loop            *loop = vow_loop_attach(uv_default_loop());

    if (options.outstanding <= FIRST_ONES && (options.outstanding > 0 || options.connections <= FIRST_ONES))
        bench_fail_usage("more than the %d that come before the first look are to be weighed", FIRST_ONES);
    if (options.outstanding == 0 && options.connections % BATCH_CONNECTIONS != 0)
        bench_fail_usage("--connections must be a multiple of %d", BATCH_CONNECTIONS);
    if (!loop)
        bench_fail("cannot attach to the loop: out of memory or file descriptors");
    bench_process_raise_files(options.connections + SPARE_FILES);
    if (options.outstanding > 0)
        weigh_calls(loop, &options);
    else
        weigh_connections(loop, &options);
    vow_loop_close(loop); /* the channels with it */
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
