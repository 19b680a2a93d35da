/*
 * redis's own benchmark, `redis-benchmark -t ping_mbulk`, as a client of this one.
 *
 * The idea: it takes a number of requests and no time, so short runs tell how many fill the time that is
 * wanted. Its pipeline is N: it writes N requests, and the next N when all N answers have come. A PING has no
 * payload.
 */
#include "link.h"
#include "measure/arguments.h"
#include "measure/fail.h"
#include "measure/process.h"
#include "measure/results.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_REQUESTS 10000.0
#define WARM_UP_SHARE 0.2

struct run {
    double   calls_per_s;
    double   p50_us;
    double   p99_us;
    double   max_us;
    uint64_t client_ns;
    uint64_t server_ns;
};

static void become_benchmark(const bench_client_options *options, double requests)
{
    const char *path = bench_redis_path(options->target);
    char        port[16], connections[24], pipeline[24], count[32];
    char       *argv[] = { "redis-benchmark",
                           "-t",
                           "ping_mbulk",
                           "--csv",
                           "-n",
                           count,
                           "-c",
                           connections,
                           "-P",
                           pipeline,
                     path ? "-s" : "-p",
                     path ? (char *)path : port,
                           NULL };

    snprintf(port, sizeof port, "%d", path ? 0 : bench_redis_port(options->target));
    snprintf(connections, sizeof connections, "%zu", options->connections);
    snprintf(pipeline, sizeof pipeline, "%zu", options->outstanding / options->connections);
    snprintf(count, sizeof count, "%.0f", requests);
    execvp(argv[0], argv);
    bench_fail("cannot start redis-benchmark: %m");
}

static uint64_t children_cpu_ns(void)
{
    struct rusage usage;

    if (getrusage(RUSAGE_CHILDREN, &usage) != 0)
        bench_fail("cannot read processor time: %m");
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000u +
           (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000u;
}

/* "PING_MBULK",rps,average,least,p50,p95,p99,greatest; the times in milliseconds. */
static void run_read(struct run *run, FILE *output)
{
    char line[512];
    bool found = false;

    while (fgets(line, sizeof line, output)) {
        double p50_ms, p99_ms, max_ms;

        if (sscanf(line, "\"PING_MBULK\",\"%lf\",\"%*f\",\"%*f\",\"%lf\",\"%*f\",\"%lf\",\"%lf\"",
                   &run->calls_per_s, &p50_ms, &p99_ms, &max_ms) != 4)
            continue;
        run->p50_us = p50_ms * 1e3;
        run->p99_us = p99_ms * 1e3;
        run->max_us = max_ms * 1e3;
        found = true;
    }
    if (!found)
        bench_fail("redis-benchmark tells no figures of PING_MBULK");
}

static struct run run_benchmark(const bench_client_options *options, double requests)
{
    struct run run = { .client_ns = children_cpu_ns(),
                       .server_ns = bench_process_cpu_ns(options->server_pid) };
    int        ends[2];
    int        status;
    pid_t      child;
    FILE      *output;

    if (pipe(ends) != 0 || (child = fork()) < 0)
        bench_fail("cannot start a process: %m");
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        become_benchmark(options, requests);
    }
    close(ends[1]);
    output = fdopen(ends[0], "r");
    if (!output)
        bench_fail("cannot read from redis-benchmark: %m");
    run_read(&run, output);
    fclose(output);
    if (waitpid(child, &status, 0) != child || status != 0)
        bench_fail("redis-benchmark has failed");
    run.client_ns = children_cpu_ns() - run.client_ns;
    run.server_ns = bench_process_cpu_ns(options->server_pid) - run.server_ns;
    return run;
}

static void run_print(const struct run *run, double requests)
{
    bench_results results = bench_results_unknown();

    results.figures[BENCH_CALLS_PER_S] = run->calls_per_s;
    results.figures[BENCH_P50_US] = run->p50_us;
    results.figures[BENCH_P99_US] = run->p99_us;
    results.figures[BENCH_MAX_US] = run->max_us;
    results.figures[BENCH_CLIENT_US_PER_CALL] = (double)run->client_ns / requests / 1e3;
    results.figures[BENCH_SERVER_US_PER_CALL] = (double)run->server_ns / requests / 1e3;
    bench_results_print(&results);
}

int main(int argc, char **argv)
{
    bench_client_options options = bench_client_options_read(argc, argv);
    double               requests = FIRST_REQUESTS;
    struct run           run;

    if (options.rate > 0 || options.seconds <= 0 || options.outstanding < 1)
        bench_fail_usage("redis-benchmark knows a closed loop only: --seconds, and no --rate");
    run = run_benchmark(&options, requests);
    run = run_benchmark(&options, run.calls_per_s * options.seconds * WARM_UP_SHARE + 1);
    requests = run.calls_per_s * options.seconds + 1;
    run = run_benchmark(&options, requests);
    run_print(&run, requests);
    return 0;
}
