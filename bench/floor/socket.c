#include "socket.h"

#include "address.h"
#include "measure/fail.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define UNIX_SCHEME "unix://"

/* NULL: the URL is one of TCP. */
static const char *unix_path(const char *url)
{
    size_t size = sizeof UNIX_SCHEME - 1;

    return strncmp(url, UNIX_SCHEME, size) == 0 ? url + size : NULL;
}

void bench_socket_connect(bench_socket *socket, uv_loop_t *loop, const char *url, uv_connect_t *connect,
                          uv_connect_cb connected)
{
    const char        *path = unix_path(url);
    struct sockaddr_in address;

    if (path) {
        bench_must(uv_pipe_init(loop, &socket->pipe, 0), "make a socket");
        uv_pipe_connect(connect, &socket->pipe, path, connected);
        return;
    }
    address = bench_address_read(url);
    bench_must(uv_tcp_init(loop, &socket->tcp), "make a socket");
    bench_must(uv_tcp_connect(connect, &socket->tcp, (const struct sockaddr *)&address, connected),
               "connect");
}

static void socket_send_at_once(bench_socket *socket)
{
    if (socket->handle.type == UV_TCP)
        bench_must(uv_tcp_nodelay(&socket->tcp, 1), "set TCP_NODELAY");
}

void bench_socket_connected(bench_socket *socket, int status)
{
    bench_must(status, "connect");
    socket_send_at_once(socket);
}

/* libuv binds without SO_REUSEPORT, which lets several sockets have one port. */
static void listen_on_shared_port(bench_socket *listener, uv_loop_t *loop, struct sockaddr_in *address)
{
    const int yes = 1;
    socklen_t size = sizeof *address;
    int       descriptor = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (descriptor < 0 || setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes) != 0 ||
        bind(descriptor, (const struct sockaddr *)address, size) != 0 ||
        getsockname(descriptor, (struct sockaddr *)address, &size) != 0)
        bench_fail("cannot bind to port %d: %m", ntohs(address->sin_port));
    bench_must(uv_tcp_init(loop, &listener->tcp), "make a socket");
    bench_must(uv_tcp_open(&listener->tcp, descriptor), "take a socket");
}

void bench_socket_listen(bench_socket *listeners, uv_loop_t *loops, size_t count, const char *url,
                         uv_connection_cb opened)
{
    const char        *path = unix_path(url);
    struct sockaddr_in address = { 0 };

    if (path && count > 1)
        bench_fail_usage("--threads takes TCP, whose port several sockets can share");
    if (path) {
        bench_must(uv_pipe_init(loops, &listeners->pipe, 0), "make a socket");
        bench_must(uv_pipe_bind(&listeners->pipe, path), "bind");
        printf("%s\n", url);
    } else {
        address = bench_address_read(url);
        for (size_t i = 0; i < count; i++)
            listen_on_shared_port(&listeners[i], &loops[i], &address);
        printf("tcp://%s:%d\n", inet_ntoa(address.sin_addr), ntohs(address.sin_port));
    }
    for (size_t i = 0; i < count; i++)
        bench_must(uv_listen(&listeners[i].stream, SOMAXCONN, opened), "listen");
    if (fflush(stdout) != 0)
        bench_fail("cannot tell the address: %m");
}

void bench_socket_accept(uv_stream_t *listener, bench_socket *socket, void *data)
{
    if (listener->type == UV_NAMED_PIPE)
        bench_must(uv_pipe_init(listener->loop, &socket->pipe, 0), "make a socket");
    else
        bench_must(uv_tcp_init(listener->loop, &socket->tcp), "make a socket");
    socket->handle.data = data;
    bench_must(uv_accept(listener, &socket->stream), "accept a connection");
    socket_send_at_once(socket);
}
