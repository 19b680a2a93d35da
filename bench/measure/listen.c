#include "listen.h"

#include "fail.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define UNIX_SCHEME "unix://"

union address {
    struct sockaddr    any;
    struct sockaddr_in tcp;
    struct sockaddr_un local;
};

static socklen_t address_read(const char *url, union address *address)
{
    char     host[INET_ADDRSTRLEN];
    unsigned port;
    char     rest;

    memset(address, 0, sizeof *address);
    if (strncmp(url, UNIX_SCHEME, strlen(UNIX_SCHEME)) == 0) {
        const char *path = url + strlen(UNIX_SCHEME);

        if (strlen(path) >= sizeof address->local.sun_path)
            bench_fail_usage("\"%s\" is longer than the path of a socket may be", path);
        address->local.sun_family = AF_UNIX;
        strcpy(address->local.sun_path, path);
        return sizeof address->local;
    }
    if (sscanf(url, "tcp://%15[0-9.]:%5u%c", host, &port, &rest) != 2 || port > 65535 ||
        inet_pton(AF_INET, host, &address->tcp.sin_addr) != 1)
        bench_fail_usage("\"%s\" is neither tcp://127.0.0.1:0 nor unix:///PATH", url);
    address->tcp.sin_family = AF_INET;
    address->tcp.sin_port = htons((uint16_t)port);
    return sizeof address->tcp;
}

int bench_listen(const char *url)
{
    union address address;
    socklen_t     size = address_read(url, &address);
    int           listener = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (address.any.sa_family == AF_UNIX)
        unlink(address.local.sun_path);
    if (listener < 0 || bind(listener, &address.any, size) != 0 || listen(listener, SOMAXCONN) != 0)
        bench_fail("cannot listen on %s: %m", url);
    return listener;
}

/* Linux hands out no port that is bound, and lets a second socket bind it where both have SO_REUSEADDR and
 * none listens yet: socket(7). The descriptor stays open across execve. */
int bench_port_keep(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t          size = sizeof address;
    int                keeper = socket(AF_INET, SOCK_STREAM, 0);

    if (keeper < 0 || setsockopt(keeper, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)) != 0 ||
        bind(keeper, (struct sockaddr *)&address, size) != 0 ||
        getsockname(keeper, (struct sockaddr *)&address, &size) != 0)
        bench_fail("cannot find a free port: %m");
    return ntohs(address.sin_port);
}

void bench_listen_print(int listener)
{
    union address address = { 0 };
    socklen_t     size = sizeof address;
    char          host[INET_ADDRSTRLEN];

    if (getsockname(listener, &address.any, &size) != 0)
        bench_fail("cannot read the address of a socket: %m");
    if (address.any.sa_family == AF_UNIX)
        printf(UNIX_SCHEME "%s\n", address.local.sun_path);
    else
        printf("tcp://%s:%d\n", inet_ntop(AF_INET, &address.tcp.sin_addr, host, sizeof host),
               ntohs(address.tcp.sin_port));
    if (fflush(stdout) != 0)
        bench_fail("cannot tell the address: %m");
}
