#include "peer.h"

#include "measure/fail.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define UNIX_SCHEME "unix://"

int bench_zeromq_must(int status, const char *what)
{
    if (status == -1)
        bench_fail("cannot %s: %s", what, zmq_strerror(errno));
    return status;
}

void *bench_zeromq_unlimited(void *context, int type)
{
    static const int none = 0;
    void            *socket = zmq_socket(context, type);

    bench_zeromq_must(socket ? 0 : -1, "open a socket");
    bench_zeromq_must(zmq_setsockopt(socket, ZMQ_SNDHWM, &none, sizeof none), "raise a limit");
    bench_zeromq_must(zmq_setsockopt(socket, ZMQ_RCVHWM, &none, sizeof none), "raise a limit");
    return socket;
}

static const char *address_of(const char *url, char own[BENCH_ZEROMQ_URL_SIZE])
{
    if (strncmp(url, UNIX_SCHEME, strlen(UNIX_SCHEME)) != 0)
        return url;
    snprintf(own, BENCH_ZEROMQ_URL_SIZE, "ipc://%s", url + strlen(UNIX_SCHEME));
    return own;
}

void bench_zeromq_connect(void *socket, const char *url)
{
    char own[BENCH_ZEROMQ_URL_SIZE];

    bench_zeromq_must(zmq_connect(socket, address_of(url, own)), "connect");
}

void bench_zeromq_bind(void *socket, const char *url, const char *raised)
{
    char   own[BENCH_ZEROMQ_URL_SIZE];
    char   bound[BENCH_ZEROMQ_URL_SIZE];
    size_t size = sizeof bound;

    bench_zeromq_must(zmq_bind(socket, address_of(url, own)), "listen");
    bench_zeromq_must(zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, bound, &size), "read the address");
    printf("%s%s%s\n", strncmp(bound, "tcp:", 4) == 0 ? bound : url, *raised ? " " : "", raised);
    if (fflush(stdout) != 0)
        bench_fail("cannot tell the address: %m");
}

size_t bench_zeromq_receive(void *socket, zmq_msg_t *part)
{
    bench_zeromq_must(zmq_msg_init(part), "make a message");
    return (size_t)bench_zeromq_must(zmq_msg_recv(part, socket, 0), "receive");
}
