/*
 * What an idle connection takes that is nothing but a handle of libuv's and a buffer to read into.
 *
 * What process and first connections take by themselves is there before the first look, and falls out.
 */
#include "exchange.h"
#include "measure/arguments.h"
#include "measure/fail.h"
#include "measure/process.h"
#include "measure/weight.h"

#include <signal.h>
#include <stdlib.h>

#define FIRST_ONES 1000
#define SPARE_FILES 100 /* beside the connections */

static void connected(bench_exchange *exchange)
{
    size_t *count = exchange->owner;

    ++*count;
}

/* A frame there and back says that both sides have it. */
static void connect_one(const char *target, size_t *count)
{
    size_t wanted = *count + 1;

    bench_exchange_open(bench_alloc(1, sizeof(bench_exchange)), target, 0, connected, count);
    while (*count < wanted)
        uv_run(uv_default_loop(), UV_RUN_ONCE);
}

int main(int argc, char **argv)
{
    bench_client_options options = bench_client_options_read(argc, argv);
    bench_weight         before = { 0 };
    size_t               count = 0;

    if (options.outstanding > 0 || options.connections <= FIRST_ONES)
        bench_fail_usage(
            "more than the %d connections that come before the first look are weighed, and no calls",
            FIRST_ONES);
    bench_process_raise_files(options.connections + SPARE_FILES);
    signal(SIGPIPE, SIG_IGN); /* libuv writes without MSG_NOSIGNAL */
    while (count < options.connections) {
        connect_one(options.target, &count);
        if (count == FIRST_ONES)
            before = bench_weight_now(options.server_pid);
    }
    bench_weight_print(&before, options.server_pid, count - FIRST_ONES, BENCH_BYTES_PER_CONNECTION);
    exit(0); /* the connections go with the process */
}
