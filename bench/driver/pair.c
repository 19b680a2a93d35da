#include "pair.h"

#include "child.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define START_TIMEOUT_MS 10000
#define FINISH_TIMEOUT_MS 5000
#define EXTRA_TIMEOUT_MS 30000 /* beyond the seconds of measuring: to connect, and to warm up */
#define LINE_SIZE 512

struct pair {
    const bench_setting  *setting;
    const bench_peer     *peer;
    const bench_workload *workload;
    bench_child           server;
    bench_child           client;
    char                  server_title[64];
    char                  client_title[64];
    char                  address[LINE_SIZE];
};

static void program_path(char path[PATH_MAX], const bench_setting *setting, const char *program)
{
    snprintf(path, PATH_MAX, "%s/%s", setting->folder, program);
}

/* Its first line is its address, and after a space the limits that it has raised. */
static bool pair_start_server(struct pair *pair, bench_outcome *outcome)
{
    char  path[PATH_MAX];
    char *silent = bench_workload_is_weighed(pair->workload) ? "--silent" : NULL;
    char *argv[] = { path, "--listen", "tcp://127.0.0.1:0", silent, NULL };
    char *raised;

    program_path(path, pair->setting, pair->peer->programs[pair->workload->kind].server);
    if (!bench_child_start(&pair->server, pair->server_title, argv, pair->setting->server_core) ||
        !bench_child_read_line(&pair->server, pair->address, sizeof pair->address, START_TIMEOUT_MS))
        return false;

    raised = pair->address + strcspn(pair->address, " ");
    snprintf(outcome->raised, sizeof outcome->raised, "%s", *raised ? raised + 1 : "");
    *raised = '\0';
    return true;
}

static bool pair_start_client(struct pair *pair)
{
    bool  weighed = bench_workload_is_weighed(pair->workload);
    char  path[PATH_MAX];
    char  pid[16], outstanding[24], size[24], seconds[32];
    char *argv[] = { path,          "--target",
                     pair->address, "--server-pid",
                     pid,           "--outstanding",
                     outstanding,   "--size",
                     size,          weighed ? NULL : "--seconds",
                     seconds,       NULL };

    program_path(path, pair->setting, pair->peer->programs[pair->workload->kind].client);
    snprintf(pid, sizeof pid, "%d", (int)pair->server.pid);
    snprintf(outstanding, sizeof outstanding, "%zu", pair->workload->outstanding);
    snprintf(size, sizeof size, "%zu", pair->workload->size);
    snprintf(seconds, sizeof seconds, "%g", pair->setting->seconds);
    return bench_child_start(&pair->client, pair->client_title, argv, pair->setting->client_core);
}

static bool pair_read_results(struct pair *pair, bench_outcome *outcome)
{
    int  timeout_ms = (int)(pair->setting->seconds * 2000) + EXTRA_TIMEOUT_MS;
    char line[LINE_SIZE];

    if (!bench_child_read_line(&pair->client, line, sizeof line, timeout_ms))
        return false;
    if (bench_results_parse(line, &outcome->results))
        return true;
    fprintf(stderr, "bench: %s prints what is no line of results: %s\n", pair->client.title, line);
    return false;
}

bool bench_pair_run(const bench_setting *setting, const bench_peer *peer, const bench_workload *workload,
                    bench_outcome *outcome)
{
    struct pair pair = { .setting = setting, .peer = peer, .workload = workload };
    bool        done;

    snprintf(pair.server_title, sizeof pair.server_title, "%s's server (%s)", peer->name, workload->name);
    snprintf(pair.client_title, sizeof pair.client_title, "%s's client (%s)", peer->name, workload->name);
    done = pair_start_server(&pair, outcome) && pair_start_client(&pair) &&
           pair_read_results(&pair, outcome) && bench_child_finish(&pair.client, FINISH_TIMEOUT_MS);
    /* A client can fail because its server has: both are told of. */
    if (pair.server.pid && !bench_child_runs(&pair.server))
        done = false;
    bench_child_stop(&pair.client);
    bench_child_stop(&pair.server);
    return done;
}
