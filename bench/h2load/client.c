/*
 * h2load as a client: it is asked for as many requests as fit into the seconds, by what a first run found.
 *
 * h2load takes every answer with HTTP status 200 for a good one, and gRPC's failures have that status, too.
 * So a server of gRPC is asked how many calls it has answered with OK, and the two counts must be equal.
 */
#include "echo.vow.h"
#include "h2load.h"
#include "measure/arguments.h"
#include "measure/fail.h"
#include "measure/process.h"
#include "measure/results.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <uv.h>
#include <vow/vow.h>

#define WARM_UP_SHARE 0.2
#define WARM_UP_LEAST_MS 100 /* so that large answers come in it as well */
#define PATH_SIZE 64
#define URI_SIZE 256

/* How targets are asked. */
static const struct method {
    const char *scheme;
    const char *path; /* NULL: the size of the block */
    bool        posts;
    bool        counts; /* the server tells how many calls it has answered */
} methods[] = {
    { "grpc://", "bench.Echo/Call", .posts = true, .counts = true },
    { "http+post://", NULL, .posts = true },
    { "http+get://", NULL, .posts = false },
};

static const struct method *method_of(const char *target)
{
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (strncmp(target, methods[i].scheme, strlen(methods[i].scheme)) == 0)
            return &methods[i];
    }
    bench_fail_usage("\"%s\" is no target of h2load's: write grpc://host:port", target);
}

static void uri_write(char uri[URI_SIZE], const struct method *method, const bench_client_options *options)
{
    const char *authority = options->target + strlen(method->scheme);

    if (method->path)
        snprintf(uri, URI_SIZE, "http://%s/%s", authority, method->path);
    else
        snprintf(uri, URI_SIZE, "http://%s/%zu", authority, options->size);
}

/* A message of gRPC's, with its five bytes before it, in a file that goes with the process. */
static void body_write(char path[PATH_SIZE], size_t size)
{
    Bench__Block block = BENCH__BLOCK__INIT;
    int          file = memfd_create("request", 0);
    size_t       packed_size;
    uint8_t     *frame;

    block.body.data = bench_alloc(size + 1, 1);
    block.body.len = size;
    memset(block.body.data, 'x', size);
    packed_size = bench__block__get_packed_size(&block);
    frame = bench_alloc(packed_size + 5, 1);
    for (unsigned i = 0; i < 4; i++)
        frame[4 - i] = (uint8_t)(packed_size >> (8 * i));
    bench__block__pack(&block, frame + 5);
    if (file < 0 || write(file, frame, packed_size + 5) != (ssize_t)(packed_size + 5))
        bench_fail("cannot write the request: %m");
    snprintf(path, PATH_SIZE, "/proc/%d/fd/%d", (int)getpid(), file);
    free(frame);
    free(block.body.data);
}

static uint64_t answered_by_now(const char *target)
{
    Bench__Block        question = BENCH__BLOCK__INIT;
    vow_loop           *loop = vow_loop_attach(uv_default_loop());
    vow_channel        *channel = vow_channel_open(loop, target, NULL);
    vow_future         *answer = bench_counts_answered(channel, &question, NULL);
    const Bench__Count *count;
    uint64_t            answered;

    if (vow_wait(answer) != VOW_OK)
        bench_fail("the server does not say what it has answered: %s", vow_future_error(answer));
    count = bench_counts_answered_result(answer);
    answered = count->blocks;
    vow_drop(answer);
    vow_channel_close(channel);
    vow_loop_close(loop);
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    return answered;
}

static h2load_report run_counted(const h2load_job *job, const char *target)
{
    uint64_t      before = answered_by_now(target);
    h2load_report report = h2load_run(job);
    uint64_t      answered = answered_by_now(target) - before;

    if (answered != report.succeeded)
        bench_fail("h2load counts %" PRIu64 " answers, the server %" PRIu64 " that were OK", report.succeeded,
                   answered);
    return report;
}

/* The first run warms up, and says how many requests fit into the second. */
static h2load_report measure(h2load_job *job, const struct method *method,
                             const bench_client_options *options)
{
    h2load_report warm_up;

    job->duration_ms = (unsigned)(options->seconds * WARM_UP_SHARE * 1000);
    if (job->duration_ms < WARM_UP_LEAST_MS)
        job->duration_ms = WARM_UP_LEAST_MS;
    warm_up = h2load_run(job);
    job->requests = options->outstanding + (uint64_t)(warm_up.requests_per_s * options->seconds);
    return method->counts ? run_counted(job, options->target) : h2load_run(job);
}

static void print_report(const h2load_report *report, const bench_client_options *options,
                         uint64_t idle_bytes, uint64_t idle_anon_bytes)
{
    bench_results results = bench_results_unknown();
    double        calls = (double)report->succeeded;

    results.figures[BENCH_CALLS_PER_S] = report->requests_per_s;
    results.figures[BENCH_MB_PER_S] = report->requests_per_s * (double)options->size / 1e6;
    results.figures[BENCH_CLIENT_US_PER_CALL] = (double)report->client_ns / calls / 1e3;
    results.figures[BENCH_SERVER_US_PER_CALL] = (double)report->server_ns / calls / 1e3;
    results.figures[BENCH_SERVER_IDLE_BYTES] = (double)idle_bytes;
    results.figures[BENCH_SERVER_ADDED_BYTES] = (double)report->server_anon_bytes - (double)idle_anon_bytes;
    bench_results_print(&results);
}

int main(int argc, char **argv)
{
    bench_client_options options = bench_client_options_read(argc, argv);
    const struct method *method = method_of(options.target);
    uint64_t             idle_bytes = bench_process_resident_bytes(options.server_pid);
    uint64_t             idle_anon_bytes = bench_process_anon_bytes(options.server_pid);
    char                 uri[URI_SIZE], body_path[PATH_SIZE];
    h2load_job           job = {
                  .uri = uri,
                  .body_path = method->posts ? body_path : NULL,
                  .connections = options.connections,
                  .streams = (options.outstanding + options.connections - 1) / options.connections,
                  .server_pid = options.server_pid,
    };
    h2load_report report;

    if (options.rate > 0)
        bench_fail_usage("h2load keeps calls outstanding: there is no --rate");
    uri_write(uri, method, &options);
    body_write(body_path, options.size);
    report = measure(&job, method, &options);
    print_report(&report, &options, idle_bytes, idle_anon_bytes);
    return 0;
}
