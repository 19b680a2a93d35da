/*
 * nghttpd, serving files: the process becomes nghttpd once it has chosen a port.
 *
 *     --listen http+post://127.0.0.1:0   answers as gRPC's are shaped: HEADERS, DATA, HEADERS with a status
 *     --listen http+get://127.0.0.1:0    plain files, the least that a server of HTTP/2 can do
 *
 * nghttpd neither chooses a port nor says when it listens. So a child of this process waits until somebody
 * answers, tells the address, and is gone.
 */
#include "measure/arguments.h"
#include "measure/fail.h"
#include "measure/listen.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define START_TRIES 1000
#define TRY_NS 10000000

static const char post_scheme[] = "http+post://127.0.0.1:";
static const char get_scheme[] = "http+get://127.0.0.1:";

static bool port_answers(int port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr = { htonl(INADDR_LOOPBACK) },
    };
    int  fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool answers;

    if (fd < 0)
        bench_fail("cannot open a socket: %m");
    answers = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return answers;
}

static void announce(pid_t server, const char *scheme, int port)
{
    const struct timespec pause = { .tv_nsec = TRY_NS };
    int                   tries = 0;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != server) /* it ended before, and has said why */
        _exit(1);
    while (!port_answers(port)) {
        if (++tries == START_TRIES)
            bench_fail("nghttpd does not listen");
        nanosleep(&pause, NULL);
    }
    printf("%s%d\n", scheme, port);
    if (fflush(stdout) != 0)
        bench_fail("cannot tell the address: %m");
    _exit(0);
}

/* Windows are as large as gRPC's become, and streams as many as vow takes. */
static void become_nghttpd(bool as_grpc, int port, size_t threads)
{
    char        port_text[8], threads_text[24];
    const char *plain[] = { "nghttpd", "--no-tls",   "-a",      "127.0.0.1", "-d", BENCH_NGHTTPD_FILES,
                            "-m",      "1000",       "-w",      "22",        "-W", "22",
                            "-n",      threads_text, port_text, NULL };
    const char *like_grpc[] = { "nghttpd",
                                "--no-tls",
                                "-a",
                                "127.0.0.1",
                                "-d",
                                BENCH_NGHTTPD_FILES,
                                "-m",
                                "1000",
                                "-w",
                                "22",
                                "-W",
                                "22",
                                "-n",
                                threads_text,
                                "--no-content-length",
                                "--trailer",
                                "grpc-status: 0",
                                port_text,
                                NULL };
    int         nowhere = open("/dev/null", O_WRONLY);

    snprintf(port_text, sizeof port_text, "%d", port);
    snprintf(threads_text, sizeof threads_text, "%zu", threads);
    if (nowhere < 0 || dup2(nowhere, STDOUT_FILENO) < 0)
        bench_fail("cannot open /dev/null: %m");
    execvp("nghttpd", (char **)(as_grpc ? like_grpc : plain));
    bench_fail("cannot run nghttpd: %m (Debian's package is nghttp2-server)");
}

int main(int argc, char **argv)
{
    bench_server_options options = bench_server_options_read(argc, argv);
    bool                 as_grpc = strcmp(options.listen, "http+post://127.0.0.1:0") == 0;
    int                  port = bench_port_keep();
    pid_t                server = getpid();
    pid_t                child;

    if (!as_grpc && strcmp(options.listen, "http+get://127.0.0.1:0") != 0)
        bench_fail_usage("--listen must be %s0 or %s0", post_scheme, get_scheme);
    if (options.silent)
        bench_fail_usage("nghttpd always answers: there is no --silent");
    child = fork();
    if (child < 0)
        bench_fail("cannot make a process: %m");
    if (child == 0)
        announce(server, as_grpc ? post_scheme : get_scheme, port);
    become_nghttpd(as_grpc, port, options.threads);
}
