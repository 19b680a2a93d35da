/*
 * What a call of vow's takes while nobody answers it: request packed and sent, deadline armed, future held.
 *
 * The idea: the growth of anonymous memory from the first thousand calls to all of them, divided by
 * their number, at the client and at the server. What a process and a connection take by themselves is
 * there before the first thousand are counted, and falls out.
 */
#include "echo.vow.h"
#include "measure/arguments.h"
#include "measure/fail.h"
#include "measure/process.h"
#include "measure/results.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>
#include <vow/vow.h>

#define FIRST_CALLS 1000
#define BATCH_CALLS 1000    /* made before they are flushed, so that no large output queue is weighed too */
#define TIMEOUT_MS  3600000 /* armed, and far off */

struct memory {
    uint64_t client_bytes;
    uint64_t server_bytes;
};

static struct memory memory_now(pid_t server_pid)
{
    return (struct memory){
        .client_bytes = bench_process_anon_bytes(0),
        .server_bytes = bench_process_anon_bytes(server_pid),
    };
}

/* A silent server answers an empty block, and has received all that was sent before it by then. */
static void wait_for_arrival(vow_channel *channel)
{
    Bench__Block empty = BENCH__BLOCK__INIT;
    vow_future  *answer = bench_echo_call(channel, &empty, NULL);

    if (vow_wait(answer) != VOW_OK)
        bench_fail("the server does not answer: %s", vow_future_error(answer));
    vow_drop(answer);
}

/* Calls number `from` to `to`, not included; their futures are put into `replies`. */
static void call_without_answer(vow_channel *channel, const Bench__Block *request, vow_future **replies,
                                size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        replies[i] = bench_echo_call(channel, request, VOW_CALL(.timeout_ms = TIMEOUT_MS));
        if ((i + 1) % BATCH_CALLS == 0 || i + 1 == to)
            wait_for_arrival(channel);
    }
    for (size_t i = from; i < to; i++) {
        if (vow_future_settled(replies[i]))
            bench_fail("call %zu has ended: %s", i, vow_future_error(replies[i]));
    }
}

/* Bytes a call. */
static double growth(uint64_t before, uint64_t after, size_t calls)
{
    return ((double)after - (double)before) / (double)calls;
}

static void measure(vow_channel *channel, const bench_client_options *options)
{
    size_t        calls = options->outstanding;
    vow_future  **replies = bench_alloc(calls, sizeof(vow_future *));
    Bench__Block  request = BENCH__BLOCK__INIT;
    bench_results results = bench_results_unknown();
    struct memory before, after;

    request.body.data = bench_alloc(options->size, 1);
    request.body.len = options->size;
    /* These pages are the benchmark's own: they are made resident before anything is weighed. */
    memset(replies, 0xff, calls * sizeof(vow_future *));

    call_without_answer(channel, &request, replies, 0, FIRST_CALLS);
    before = memory_now(options->server_pid);
    call_without_answer(channel, &request, replies, FIRST_CALLS, calls);
    after = memory_now(options->server_pid);

    results.figures[BENCH_BYTES_PER_CALL] =
        growth(before.client_bytes, after.client_bytes, calls - FIRST_CALLS);
    results.figures[BENCH_SERVER_BYTES_PER_CALL] =
        growth(before.server_bytes, after.server_bytes, calls - FIRST_CALLS);
    bench_results_print(&results);
    for (size_t i = 0; i < calls; i++)
        vow_drop(replies[i]);
    free(request.body.data);
    free(replies);
}

int main(int argc, char **argv)
{
    bench_client_options options = bench_client_options_read(argc, argv);
    vow_loop            *loop = vow_loop_attach(uv_default_loop());
    vow_channel         *channel;

    if (options.outstanding <= FIRST_CALLS)
        bench_fail_usage("--outstanding must be more than the %d calls that come before the first look",
                         FIRST_CALLS);
    if (!loop)
        bench_fail("cannot attach to the loop: out of memory or file descriptors");
    channel = vow_channel_open(loop, options.target, NULL);
    measure(channel, &options);
    vow_channel_close(channel);
    vow_loop_close(loop);
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
