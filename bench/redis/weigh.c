/*
 * What a connection to redis-server takes that is idle. (It answers every command, so there is no call to
 * weigh.)
 *
 * What process and first connections take by themselves is there before the first look, and falls out.
 */
#include "link.h"
#include "measure/arguments.h"
#include "measure/fail.h"
#include "measure/process.h"
#include "measure/weight.h"

#include <stdlib.h>
#include <uv.h>

#define FIRST_ONES 1000
#define SPARE_FILES 100 /* beside the connections */

static void answered(redisAsyncContext *connection, void *answer, void *arg)
{
    size_t *count = arg;

    if (!answer)
        bench_fail("a command failed: %s", connection->errstr);
    ++*count;
}

static void connect_one(const char *target, size_t *count)
{
    size_t wanted = *count + 1;

    if (redisAsyncCommand(bench_redis_connect_async(target), answered, count, "PING") != REDIS_OK)
        bench_fail("cannot send a command");
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
            "of redis, more than the %d connections that come before the first look are weighed, and no "
            "calls",
            FIRST_ONES);
    bench_process_raise_files(options.connections + SPARE_FILES);
    while (count < options.connections) {
        connect_one(options.target, &count);
        if (count == FIRST_ONES)
            before = bench_weight_now(options.server_pid);
    }
    bench_weight_print(&before, options.server_pid, count - FIRST_ONES, BENCH_BYTES_PER_CONNECTION);
    exit(0); /* the connections go with the process */
}
