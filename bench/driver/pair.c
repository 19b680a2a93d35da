#include "pair.h"

#include "child.h"

#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define START_TIMEOUT_MS 10000
#define FINISH_TIMEOUT_MS 30000 /* some libraries take long to let go of ten thousand connections */
#define EXTRA_TIMEOUT_MS 30000  /* beyond the seconds of measuring: to connect, and to warm up */
#define WEIGH_TIMEOUT_MS 180000 /* ten thousand handshakes of TLS, on a machine that does other things */
#define DEATH_PATIENCE_MS 500
#define LINE_SIZE 1024
#define MANY_CONNECTIONS 1000
#define MANY_SECONDS 0.4
#define ARGUMENTS_MOST 24
#define PREFIX_SIZE 32

struct pair {
    const bench_setting  *setting;
    const bench_peer     *peer;
    const bench_workload *workload;
    bench_child           server;
    bench_child           proxy;
    bench_child           client;
    char                  server_title[64];
    char                  proxy_title[64];
    char                  client_title[64];
    char                  unix_path[64];      /* "": there is none */
    char                  address[LINE_SIZE]; /* that the client calls */
};

/* A command line in the making: its values are kept in `text`. */
struct command {
    char  *argv[ARGUMENTS_MOST + 1];
    size_t count;
    char   text[LINE_SIZE + PATH_MAX];
    size_t used;
};

static void command_add(struct command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What does not fit is left out; the program then complains of what it lacks. */
static void command_add(struct command *command, const char *format, ...)
{
    char   *start = command->text + command->used;
    size_t  room = sizeof command->text - command->used;
    va_list values;
    int     size;

    va_start(values, format);
    size = vsnprintf(start, room, format, values);
    va_end(values);
    if (size < 0 || (size_t)size >= room || command->count == ARGUMENTS_MOST)
        return;
    command->used += (size_t)size + 1;
    command->argv[command->count++] = start;
}

/* Its first line is its address, and after a space what is to be kept apart from it. */
static bool child_tells_address(bench_child *child, char address[LINE_SIZE], char *rest, size_t rest_size)
{
    char *end;

    if (!bench_child_read_line(child, address, LINE_SIZE, START_TIMEOUT_MS))
        return false;
    end = address + strcspn(address, " ");
    snprintf(rest, rest_size, "%s", *end ? end + 1 : "");
    *end = '\0';
    return true;
}

/* What stands before unix:// where a peer has a scheme of its own: "grpc+" of grpc://127.0.0.1:0. */
static const char *unix_prefix(const char *listen, char prefix[PREFIX_SIZE])
{
    int size = (int)strcspn(listen, ":");

    snprintf(prefix, PREFIX_SIZE, "%.*s+", size, listen);
    return strncmp(listen, "tcp:", 4) == 0 ? "" : prefix;
}

static bool pair_start_server(struct pair *pair, bench_outcome *outcome)
{
    const bench_workload *workload = pair->workload;
    const char           *listen = pair->peer->listen ? pair->peer->listen : "tcp://127.0.0.1:0";
    int                   core = workload->threads > 1 ? -1 : pair->setting->server_core;
    struct command        command = { .count = 0 };
    char                  program[64], prefix[PREFIX_SIZE];

    bench_peer_server(pair->peer, workload->kind, program, sizeof program);
    command_add(&command, "%s/%s", pair->setting->folder, program);
    command_add(&command, "--listen");
    if (workload->over_unix) {
        snprintf(pair->unix_path, sizeof pair->unix_path, "/tmp/vow-bench-%d.sock", (int)getpid());
        unlink(pair->unix_path);
        command_add(&command, "%sunix://%s", unix_prefix(listen, prefix), pair->unix_path);
    } else {
        command_add(&command, "%s", listen);
    }
    if (bench_workload_is_silent(workload))
        command_add(&command, "--silent");
    if (workload->threads > 1) {
        command_add(&command, "--threads");
        command_add(&command, "%zu", workload->threads);
    }
    return bench_child_start(&pair->server, pair->server_title, command.argv, core) &&
           child_tells_address(&pair->server, pair->address, outcome->raised, sizeof outcome->raised);
}

/* The link of a chain is a proxy that delays; it runs where the client does, which then mostly waits. */
static bool pair_start_proxy(struct pair *pair)
{
    struct command command = { .count = 0 };
    char           rest[LINE_SIZE];

    if (pair->workload->kind != BENCH_CHAIN)
        return true;
    command_add(&command, "%s/bench_proxy", pair->setting->folder);
    command_add(&command, "--target");
    command_add(&command, "%s", pair->address);
    command_add(&command, "--listen");
    command_add(&command, "tcp://127.0.0.1:0");
    return bench_child_start(&pair->proxy, pair->proxy_title, command.argv, pair->setting->client_core) &&
           child_tells_address(&pair->proxy, pair->address, rest, sizeof rest);
}

/* Of what is weighed, fewer will do where time is short; of one, all. */
static size_t pair_count(const struct pair *pair, size_t count)
{
    double share = bench_workload_is_weighed(pair->workload) ? pair->setting->weighed_share : 1;

    return count > 1 ? (size_t)ceil((double)count * share) : count;
}

/* Calls on a thousand connections take a while each. */
static double pair_seconds(const struct pair *pair)
{
    bool is_many = pair->workload->connections >= MANY_CONNECTIONS;

    return is_many && pair->setting->seconds < MANY_SECONDS ? MANY_SECONDS : pair->setting->seconds;
}

static bool pair_start_client(struct pair *pair, double rate)
{
    const bench_workload *workload = pair->workload;
    struct command        command = { .count = 0 };
    char                  program[64];

    bench_peer_client(pair->peer, workload->kind, program, sizeof program);
    command_add(&command, "%s/%s", pair->setting->folder, program);
    command_add(&command, "--target");
    command_add(&command, "%s", pair->address);
    command_add(&command, "--server-pid");
    command_add(&command, "%d", (int)pair->server.pid);
    command_add(&command, "--outstanding");
    command_add(&command, "%zu", pair_count(pair, workload->outstanding));
    command_add(&command, "--size");
    command_add(&command, "%zu", workload->size);
    if (workload->connections > 1) {
        command_add(&command, "--connections");
        command_add(&command, "%zu", pair_count(pair, workload->connections));
    }
    if (!bench_workload_is_weighed(workload)) {
        command_add(&command, "--seconds");
        command_add(&command, "%g", pair_seconds(pair));
    }
    if (rate > 0) {
        command_add(&command, "--rate");
        command_add(&command, "%g", rate);
    }
    return bench_child_start(&pair->client, pair->client_title, command.argv, pair->setting->client_core);
}

static bool pair_read_results(struct pair *pair, bench_outcome *outcome)
{
    int  run_ms = (int)(pair->setting->seconds * 2000) + EXTRA_TIMEOUT_MS;
    int  timeout_ms = bench_workload_is_weighed(pair->workload) ? WEIGH_TIMEOUT_MS : run_ms;
    char line[LINE_SIZE];

    if (!bench_child_read_line(&pair->client, line, sizeof line, timeout_ms))
        return false;
    if (bench_results_parse(line, &outcome->results))
        return true;
    return bench_child_fail(&pair->client, "prints what is no line of results: %.100s", line);
}

static void pair_name(struct pair *pair)
{
    const char *peer = pair->peer->name;
    const char *workload = pair->workload->name;

    snprintf(pair->server_title, sizeof pair->server_title, "%s's server (%s)", peer, workload);
    snprintf(pair->proxy_title, sizeof pair->proxy_title, "the proxy before %s's server", peer);
    snprintf(pair->client_title, sizeof pair->client_title, "%s's client (%s)", peer, workload);
}

static void pair_stop(struct pair *pair)
{
    bench_child_stop(&pair->client);
    bench_child_stop(&pair->proxy);
    bench_child_stop(&pair->server);
    if (*pair->unix_path)
        unlink(pair->unix_path);
}

bool bench_pair_run(const bench_setting *setting, const bench_peer *peer, const bench_workload *workload,
                    double rate, bench_outcome *outcome)
{
    struct pair        pair = { .setting = setting, .peer = peer, .workload = workload };
    bench_child *const children[] = { &pair.server, &pair.proxy, &pair.client };
    bool               done;

    pair_name(&pair);
    done = pair_start_server(&pair, outcome) && pair_start_proxy(&pair) && pair_start_client(&pair, rate) &&
           pair_read_results(&pair, outcome) && bench_child_finish(&pair.client, FINISH_TIMEOUT_MS);
    if (bench_child_blame(children, 3, done || bench_signal_caught() ? 0 : DEATH_PATIENCE_MS))
        done = false;
    pair_stop(&pair);
    return done;
}
