#include "listener.h"

#include "address.h"
#include "measure/fail.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>

void bench_listener_open(uv_tcp_t *listener, uv_loop_t *loop, const char *url, uv_connection_cb opened)
{
    struct sockaddr_in address = bench_address_read(url);
    int                size = sizeof address;

    bench_must(uv_tcp_init(loop, listener), "make a socket");
    bench_must(uv_tcp_bind(listener, (const struct sockaddr *)&address, 0), "bind");
    bench_must(uv_listen((uv_stream_t *)listener, SOMAXCONN, opened), "listen");
    bench_must(uv_tcp_getsockname(listener, (struct sockaddr *)&address, &size), "read the port");
    printf("tcp://%s:%d\n", inet_ntoa(address.sin_addr), ntohs(address.sin_port));
    if (fflush(stdout) != 0)
        bench_fail("cannot tell the address: %m");
}

void bench_listener_accept(uv_stream_t *listener, uv_tcp_t *tcp, void *data)
{
    bench_must(uv_tcp_init(listener->loop, tcp), "make a socket");
    tcp->data = data;
    bench_must(uv_accept(listener, (uv_stream_t *)tcp), "accept a connection");
    bench_must(uv_tcp_nodelay(tcp, 1), "set TCP_NODELAY");
}
