#include "check.h"

#include "child.h"
#include "measure/results.h"

#include <limits.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#define ATTEMPTS 3
#define TOLERANCE 0.2
#define TIMEOUT_MS 20000
#define LINE_SIZE 1024

#define DELAY_MS 10 /* each way */
#define RATE 1000
#define SECONDS 1.5
#define STALL_AFTER_MS 800 /* of the client's start: within the measuring, which begins after 300 ms */
#define STALL_MS 300

/* A server, a link if wanted, and a client */

struct bench {
    const bench_setting *setting;
    bench_child          server;
    bench_child          proxy;
    bench_child          client;
    char                 address[LINE_SIZE];
};

static bool program_start(const struct bench *bench, bench_child *child, const char *program,
                          char **arguments, int core)
{
    char  path[PATH_MAX];
    char *argv[24] = { path };

    snprintf(path, sizeof path, "%s/%s", bench->setting->folder, program);
    for (size_t i = 0; arguments[i]; i++)
        argv[i + 1] = arguments[i];
    return bench_child_start(child, program, argv, core);
}

static bool bench_start_server(struct bench *bench)
{
    char *arguments[] = { "--listen", "tcp://127.0.0.1:0", NULL };

    return program_start(bench, &bench->server, "bench_floor_server", arguments,
                         bench->setting->server_core) &&
           bench_child_read_line(&bench->server, bench->address, LINE_SIZE, TIMEOUT_MS);
}

static bool bench_start_proxy(struct bench *bench, int delay_ms)
{
    char  target[LINE_SIZE], delay[16];
    char *arguments[] = { "--listen", "tcp://127.0.0.1:0", "--target", target, "--delay-ms", delay, NULL };

    snprintf(target, sizeof target, "%s", bench->address);
    snprintf(delay, sizeof delay, "%d", delay_ms);
    return program_start(bench, &bench->proxy, "bench_proxy", arguments, bench->setting->client_core) &&
           bench_child_read_line(&bench->proxy, bench->address, LINE_SIZE, TIMEOUT_MS);
}

/* `rate` "": the closed loop. */
static bool bench_start_client(struct bench *bench, const char *outstanding, const char *rate)
{
    char  pid[16], seconds[16];
    char *arguments[] = {
        "--target", bench->address, "--server-pid", pid,     "--outstanding",         (char *)outstanding,
        "--size",   "32",           "--seconds",    seconds, *rate ? "--rate" : NULL, (char *)rate,
        NULL
    };

    snprintf(pid, sizeof pid, "%d", (int)bench->server.pid);
    snprintf(seconds, sizeof seconds, "%g", SECONDS);
    return program_start(bench, &bench->client, "bench_floor_client", arguments, bench->setting->client_core);
}

static bool bench_read_results(struct bench *bench, bench_results *results)
{
    char line[LINE_SIZE];

    return bench_child_read_line(&bench->client, line, sizeof line, TIMEOUT_MS) &&
           bench_results_parse(line, results) && bench_child_finish(&bench->client, TIMEOUT_MS);
}

static void bench_stop(struct bench *bench)
{
    bench_child *const children[] = { &bench->server, &bench->proxy, &bench->client };

    bench_child_blame(children, 3, 0);
    bench_child_stop(&bench->client);
    bench_child_stop(&bench->proxy);
    bench_child_stop(&bench->server);
}

/* Checks */

/* Says what was due and what came; false if they are too far apart. */
static bool figure_check(const char *what, const char *unit, double due, double came)
{
    bool fits = fabs(came - due) <= TOLERANCE * due;

    printf("  %-52s %9.1f due, %9.1f found %s%s\n", what, due, came, unit, fits ? "" : "  <- off");
    return fits;
}

static bool check_delay(const bench_setting *setting)
{
    struct bench  bench = { .setting = setting };
    bench_results results;
    double        due_us = 2e3 * DELAY_MS;
    bool          fits;

    printf("a link that delays %d ms each way, 10 calls outstanding\n", DELAY_MS);
    fits = bench_start_server(&bench) && bench_start_proxy(&bench, DELAY_MS) &&
           bench_start_client(&bench, "10", "") && bench_read_results(&bench, &results);
    bench_stop(&bench);
    return fits && figure_check("p50", "us", due_us, results.figures[BENCH_P50_US]) &&
           figure_check("calls a second", "", 10e6 / due_us, results.figures[BENCH_CALLS_PER_S]);
}

/* Stops the server for a while, and gives how long that was; 0 if a signal ended it. */
static double stall_us(const bench_child *server)
{
    uint64_t began_ns;
    double   us;

    if (poll(NULL, 0, STALL_AFTER_MS) != 0 || kill(server->pid, SIGSTOP) != 0)
        return 0;
    began_ns = uv_hrtime();
    poll(NULL, 0, STALL_MS);
    us = (double)(uv_hrtime() - began_ns) / 1e3;
    kill(server->pid, SIGCONT);
    return us;
}

static bool bench_run_stalled(const bench_setting *setting, const char *outstanding, const char *rate,
                              bench_results *results, double *stalled_us)
{
    struct bench bench = { .setting = setting };
    bool         done = bench_start_server(&bench) && bench_start_client(&bench, outstanding, rate);

    if (done)
        *stalled_us = stall_us(&bench.server);
    done = done && *stalled_us > 0 && bench_read_results(&bench, results);
    bench_stop(&bench);
    return done;
}

/* Of the calls in a second and a half, those that became due while the server stood still waited for what was
 * left of that time: the last 1 % of all are those that became due in the first 15 ms of it. */
static bool check_stall(const bench_setting *setting)
{
    bench_results results;
    double        stalled_us;
    char          rate[16];

    printf("a server that stands still for %d ms, %d calls a second begin (open loop), 10 at once at most\n",
           STALL_MS, RATE);
    snprintf(rate, sizeof rate, "%d", RATE);
    return bench_run_stalled(setting, "10", rate, &results, &stalled_us) &&
           figure_check("p99", "us", stalled_us - SECONDS * 1e4, results.figures[BENCH_P99_US]) &&
           figure_check("longest", "us", stalled_us, results.figures[BENCH_MAX_US]) &&
           figure_check("calls a second", "", RATE, results.figures[BENCH_CALLS_PER_S]);
}

/* Not held to anything: this is what the open loop is for. */
static bool show_closed_loop(const bench_setting *setting)
{
    bench_results results;
    double        stalled_us;

    printf("the same server, a call begins when the last was answered (closed loop)\n");
    if (!bench_run_stalled(setting, "1", "", &results, &stalled_us))
        return false;
    printf("  p99 %.1f us, longest %.1f us: one call of %.0f saw it\n", results.figures[BENCH_P99_US],
           results.figures[BENCH_MAX_US], results.figures[BENCH_CALLS_PER_S] * SECONDS);
    return true;
}

bool bench_check_run(const bench_setting *setting)
{
    static bool (*const checks[])(const bench_setting *) = { check_delay, check_stall, show_closed_loop };
    bool hold = true;

    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        bool holds = false;

        for (int attempt = 0; attempt < ATTEMPTS && !holds && !bench_signal_caught(); attempt++)
            holds = checks[i](setting);
        hold = hold && holds;
    }
    printf("%s\n", hold ? "all as it should be" : "the benchmark does not measure here what it should");
    return fflush(stdout) == 0 && hold;
}
