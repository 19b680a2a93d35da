/*
 * redis-server, as a server of the benchmark: without files, on an address that is told when it answers.
 *
 * The idea: this process becomes redis-server, so that its processor time, its memory and its end are those
 * of the process that was started. What waits until it answers, and tells the address then, is a child that
 * has ended by the time it has.
 */
#include "link.h"
#include "measure/arguments.h"
#include "measure/fail.h"
#include "measure/listen.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_MS 10000
#define PAUSE_MS 10
#define BACKLOG "4096"  /* as redis advises where many connect at once */
#define CLIENTS "12000" /* redis-server's default is 10,000 */

static bool server_answers(const char *url)
{
    redisContext *redis = bench_redis_connect(url);
    redisReply   *reply = redis->err ? NULL : redisCommand(redis, "PING");
    bool          answers = reply != NULL;

    freeReplyObject(reply);
    redisFree(redis);
    return answers;
}

/* The server never writes into its end of `alive`, which closes with it. To ask for its process would not do:
 * that stays, as a zombie, until the driver has seen its end. */
static void wait_and_tell(int alive, const char *url)
{
    struct pollfd end = { .fd = alive };

    for (int waited_ms = 0; waited_ms < WAIT_MS; waited_ms += PAUSE_MS) {
        if (server_answers(url)) {
            printf("%s maxclients=" CLIENTS "\n", url);
            if (fflush(stdout) != 0)
                bench_fail("cannot tell the address: %m");
            return;
        }
        if (poll(&end, 1, PAUSE_MS) > 0)
            return; /* it has said why */
    }
    bench_fail("redis-server does not answer at %s", url);
}

/* In a grandchild, which redis-server need not wait for. */
static void tell_when_it_answers(const char *url)
{
    int   alive[2];
    pid_t child;

    if (pipe(alive) != 0 || (child = fork()) < 0)
        bench_fail("cannot start a process: %m");
    if (child > 0) {
        close(alive[0]);
        waitpid(child, NULL, 0);
        return;
    }
    close(alive[1]);
    if (fork() == 0)
        wait_and_tell(alive[0], url);
    _exit(0);
}

static void server_become(const char *port, const char *path, size_t threads)
{
    char  count[24];
    char *argv[] = { "redis-server",
                     "--port",
                     (char *)port,
                     "--bind",
                     "127.0.0.1",
                     "--save",
                     "",
                     "--appendonly",
                     "no",
                     "--maxclients",
                     CLIENTS,
                     "--tcp-backlog",
                     BACKLOG,
                     "--logfile",
                     "/dev/null",
                     "--io-threads",
                     count,
                     "--io-threads-do-reads",
                     threads > 1 ? "yes" : "no",
                     path ? "--unixsocket" : NULL,
                     (char *)path,
                     NULL };

    snprintf(count, sizeof count, "%zu", threads);
    dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO); /* the pipe is the child's alone now */
    execvp(argv[0], argv);
    bench_fail("cannot run redis-server: %m (Debian's package is redis-server)");
}

int main(int argc, char **argv)
{
    bench_server_options options = bench_server_options_read(argc, argv);
    const char          *path = bench_redis_path(options.listen);
    char                 port[16] = "0";
    char                 url[160];

    if (options.silent)
        bench_fail_usage("redis-server answers every command, so it has no --silent");
    if (path) {
        snprintf(url, sizeof url, "%s", options.listen);
    } else {
        if (bench_redis_port(options.listen) != 0)
            bench_fail_usage("the port is chosen here: --listen must be tcp://127.0.0.1:0 or unix:///PATH");
        snprintf(port, sizeof port, "%d", bench_port_keep());
        snprintf(url, sizeof url, "tcp://127.0.0.1:%s", port);
    }
    tell_when_it_answers(url);
    server_become(port, path, options.threads);
}
