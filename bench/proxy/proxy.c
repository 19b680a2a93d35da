#include "proxy.h"

#include "floor/address.h"
#include "measure/fail.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define READ_SIZE ((size_t)64 << 10)
#define URL_SIZE 64

struct connection;

/* One way through a connection. */
struct direction {
    struct connection *connection; /* lent: it holds this */
    uv_tcp_t          *from;
    uv_tcp_t          *to;
    size_t             held; /* bytes in the queue, and bytes being written */
    bool               is_paused;
};

struct connection {
    bench_proxy       *proxy; /* lent */
    struct connection *next;
    struct connection *previous;
    uv_tcp_t           caller; /* the data of both is the direction that reads them */
    uv_tcp_t           target;
    uv_connect_t       connect;
    struct direction   forth;
    struct direction   back;
    unsigned           ends;  /* directions that have come to their end */
    unsigned           users; /* handles not closed yet, and chunks */
};

/* What one read gave. */
struct chunk {
    struct chunk     *next;
    struct direction *direction;
    uint64_t          due_ns;
    uv_write_t        write;
    uv_shutdown_t     shutdown;
    size_t            size; /* 0: the end */
    char              bytes[];
};

struct bench_proxy {
    uv_tcp_t           listener;
    uv_poll_t          timer; /* a timerfd, since libuv's own timers count milliseconds */
    int                timer_fd;
    struct sockaddr_in target;
    uint64_t           delay_ns;
    struct chunk      *first; /* on their way, the next one due first */
    struct chunk     **last;
    struct connection *connections;
    size_t             held;
    unsigned           users; /* handles not closed yet, and connections */
    char               room[READ_SIZE];
};

/* Ends */

static void proxy_let_go(bench_proxy *proxy)
{
    if (--proxy->users == 0)
        free(proxy);
}

static void connection_let_go(struct connection *connection)
{
    if (--connection->users > 0)
        return;
    if (connection->previous)
        connection->previous->next = connection->next;
    else
        connection->proxy->connections = connection->next;
    if (connection->next)
        connection->next->previous = connection->previous;
    proxy_let_go(connection->proxy);
    free(connection);
}

static void connection_closed(uv_handle_t *handle)
{
    struct direction *direction = handle->data;

    connection_let_go(direction->connection);
}

static bool connection_is_closing(const struct connection *connection)
{
    return uv_is_closing((const uv_handle_t *)&connection->caller);
}

static void connection_close(struct connection *connection)
{
    if (connection_is_closing(connection))
        return;
    uv_close((uv_handle_t *)&connection->caller, connection_closed);
    uv_close((uv_handle_t *)&connection->target, connection_closed);
}

/* What is on its way */

static void proxy_arm(bench_proxy *proxy)
{
    struct itimerspec due = { 0 };

    if (proxy->first) {
        due.it_value.tv_sec = (time_t)(proxy->first->due_ns / 1000000000u);
        due.it_value.tv_nsec = (long)(proxy->first->due_ns % 1000000000u);
    }
    if (timerfd_settime(proxy->timer_fd, TFD_TIMER_ABSTIME, &due, NULL))
        bench_fail("cannot set a timer: %m");
}

static void direction_queue(struct direction *direction, const char *bytes, size_t size)
{
    bench_proxy  *proxy = direction->connection->proxy;
    struct chunk *chunk = bench_alloc(1, sizeof *chunk + size);
    bool          was_empty = !proxy->first;

    chunk->direction = direction;
    chunk->due_ns = uv_hrtime() + proxy->delay_ns;
    chunk->size = size;
    if (size > 0)
        memcpy(chunk->bytes, bytes, size);
    *proxy->last = chunk;
    proxy->last = &chunk->next;

    direction->connection->users++;
    direction->held += size;
    proxy->held += size;
    if (was_empty)
        proxy_arm(proxy);
}

static void direction_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *read);

static void direction_room(uv_handle_t *handle, size_t suggested_size, uv_buf_t *room)
{
    struct direction *direction = handle->data;

    (void)suggested_size;
    *room = uv_buf_init(direction->connection->proxy->room, READ_SIZE);
}

static void direction_read_on(struct direction *direction)
{
    direction->is_paused = false;
    bench_must(uv_read_start((uv_stream_t *)direction->from, direction_room, direction_read), "read");
}

static void direction_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *read)
{
    struct direction *direction = stream->data;

    if (size == UV_EOF) {
        direction_queue(direction, NULL, 0);
        uv_read_stop(stream);
        return;
    }
    if (size < 0) {
        connection_close(direction->connection);
        return;
    }
    if (size > 0)
        direction_queue(direction, read->base, (size_t)size);
    if (direction->held >= BENCH_PROXY_HELD_MOST) {
        direction->is_paused = true;
        uv_read_stop(stream);
    }
}

static void chunk_free(struct chunk *chunk)
{
    struct direction  *direction = chunk->direction;
    struct connection *connection = direction->connection;

    direction->held -= chunk->size;
    connection->proxy->held -= chunk->size;
    if (direction->is_paused && direction->held <= BENCH_PROXY_HELD_MOST / 2 &&
        !connection_is_closing(connection))
        direction_read_on(direction);
    connection_let_go(connection);
    free(chunk);
}

static void chunk_written(uv_write_t *write, int status)
{
    struct chunk *chunk = write->data;

    if (status < 0)
        connection_close(chunk->direction->connection);
    chunk_free(chunk);
}

static void chunk_ended(uv_shutdown_t *shutdown, int status)
{
    struct chunk      *chunk = shutdown->data;
    struct connection *connection = chunk->direction->connection;

    if (status < 0 || ++connection->ends == 2)
        connection_close(connection);
    chunk_free(chunk);
}

static void chunk_deliver(struct chunk *chunk)
{
    uv_stream_t *to = (uv_stream_t *)chunk->direction->to;
    uv_buf_t     bytes = uv_buf_init(chunk->bytes, (unsigned)chunk->size);

    if (connection_is_closing(chunk->direction->connection)) {
        chunk_free(chunk);
    } else if (chunk->size > 0) {
        chunk->write.data = chunk;
        bench_must(uv_write(&chunk->write, to, &bytes, 1, chunk_written), "write");
    } else {
        chunk->shutdown.data = chunk;
        if (uv_shutdown(&chunk->shutdown, to, chunk_ended) < 0) { /* that end has gone already */
            connection_close(chunk->direction->connection);
            chunk_free(chunk);
        }
    }
}

static void proxy_deliver(uv_poll_t *timer, int status, int events)
{
    bench_proxy *proxy = timer->data;
    uint64_t     now_ns = uv_hrtime();

    (void)events;
    bench_must(status, "wait for a timer");
    while (proxy->first && proxy->first->due_ns <= now_ns) {
        struct chunk *chunk = proxy->first;

        proxy->first = chunk->next;
        if (!proxy->first)
            proxy->last = &proxy->first;
        chunk_deliver(chunk);
    }
    proxy_arm(proxy); /* which takes back that it has fired, too */
}

/* Connections */

static void connection_open(uv_connect_t *connect, int status)
{
    struct connection *connection = connect->data;

    if (connection_is_closing(connection))
        return;
    if (status < 0) {
        fprintf(stderr, "bench_proxy: cannot connect to the target: %s\n", uv_strerror(status));
        connection_close(connection);
        return;
    }
    direction_read_on(&connection->forth);
    direction_read_on(&connection->back);
}

static void connection_init_side(struct connection *connection, uv_tcp_t *tcp, struct direction *reads)
{
    bench_must(uv_tcp_init(connection->proxy->listener.loop, tcp), "make a socket");
    tcp->data = reads;
    connection->users++;
}

static void proxy_accept(uv_stream_t *listener, int status)
{
    bench_proxy       *proxy = listener->data;
    struct connection *connection = bench_alloc(1, sizeof *connection);

    bench_must(status, "listen");
    connection->proxy = proxy;
    connection->next = proxy->connections;
    if (connection->next)
        connection->next->previous = connection;
    proxy->connections = connection;
    proxy->users++;

    connection->forth = (struct direction){ connection, &connection->caller, &connection->target, 0, false };
    connection->back = (struct direction){ connection, &connection->target, &connection->caller, 0, false };
    connection_init_side(connection, &connection->caller, &connection->forth);
    connection_init_side(connection, &connection->target, &connection->back);
    bench_must(uv_accept(listener, (uv_stream_t *)&connection->caller), "accept a connection");
    connection->connect.data = connection;
    bench_must(uv_tcp_connect(&connection->connect, &connection->target,
                              (const struct sockaddr *)&proxy->target, connection_open),
               "connect");
    bench_must(uv_tcp_nodelay(&connection->caller, 1), "set TCP_NODELAY");
    bench_must(uv_tcp_nodelay(&connection->target, 1), "set TCP_NODELAY");
}

/* The whole */

static struct sockaddr_in address_of(const char *url)
{
    const char *host = strstr(url, "://");
    char        tcp[URL_SIZE];

    snprintf(tcp, sizeof tcp, "tcp%s", host ? host : url);
    return bench_address_read(tcp);
}

bench_proxy *bench_proxy_open(uv_loop_t *loop, const char *listen, const char *target, uint64_t delay_ns)
{
    bench_proxy       *proxy = bench_alloc(1, sizeof *proxy);
    struct sockaddr_in address = address_of(listen);

    proxy->target = address_of(target);
    proxy->delay_ns = delay_ns;
    proxy->last = &proxy->first;
    proxy->users = 2;

    proxy->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (proxy->timer_fd < 0)
        bench_fail("cannot make a timer: %m");
    bench_must(uv_poll_init(loop, &proxy->timer, proxy->timer_fd), "watch a timer");
    proxy->timer.data = proxy;
    bench_must(uv_poll_start(&proxy->timer, UV_READABLE, proxy_deliver), "watch a timer");

    bench_must(uv_tcp_init(loop, &proxy->listener), "make a socket");
    proxy->listener.data = proxy;
    bench_must(uv_tcp_bind(&proxy->listener, (const struct sockaddr *)&address, 0), "bind");
    bench_must(uv_listen((uv_stream_t *)&proxy->listener, SOMAXCONN, proxy_accept), "listen");
    return proxy;
}

int bench_proxy_port(const bench_proxy *proxy)
{
    struct sockaddr_in address;
    int                size = sizeof address;

    bench_must(uv_tcp_getsockname(&proxy->listener, (struct sockaddr *)&address, &size), "read the port");
    return ntohs(address.sin_port);
}

size_t bench_proxy_held_bytes(const bench_proxy *proxy)
{
    return proxy->held;
}

static void proxy_closed(uv_handle_t *handle)
{
    bench_proxy *proxy = handle->data;

    if (handle == (uv_handle_t *)&proxy->timer)
        close(proxy->timer_fd);
    proxy_let_go(proxy);
}

void bench_proxy_close(bench_proxy *proxy)
{
    struct chunk *chunk, *next;

    for (struct connection *connection = proxy->connections; connection; connection = connection->next)
        connection_close(connection);
    for (chunk = proxy->first; chunk; chunk = next) {
        next = chunk->next;
        chunk_free(chunk);
    }
    uv_close((uv_handle_t *)&proxy->timer, proxy_closed);
    uv_close((uv_handle_t *)&proxy->listener, proxy_closed);
}
