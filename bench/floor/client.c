/*
 * The bare echo, calling: N requests outstanding, each made again when its answer has come, or at intended
 * moments.
 *
 * The idea: a connection's requests lie ready in a ring of frames, for answers come in the order of requests.
 * A callback that has read k answers renews the numbers of k frames and writes those, in one write (of two
 * pieces where the ring ends). Nothing is copied, and a frame that the kernel did not take at once stays
 * where it is: its place is used again only after it has been answered.
 */
#include "frames.h"
#include "measure/arguments.h"
#include "measure/clock.h"
#include "measure/fail.h"
#include "measure/load.h"
#include "socket.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* A ring goes out in one write, whose size libuv tells as an int. */
#define RING_SIZE_MOST (1u << 30)

struct connection {
    struct client *client; /* lent */
    bench_socket   socket; /* its data is the connection */
    uv_connect_t   connect;
    uv_write_t     write;
    bool           writing; /* libuv has the rest of a write that was too large for the kernel */
    bench_frames   frames;

    char     *ring;
    size_t    count;     /* frames in it */
    size_t    ring_size; /* bytes */
    uint64_t *start_ns;  /* of each of the ring's frames: what its latency is counted from */
    size_t    oldest;    /* index of the frame that is answered next */
    size_t    next;      /* index of the one that is called next */
    size_t    calls;     /* in flight: frames from `oldest` to before `next` */
    uint64_t  next_number;
    uint64_t  ready_size;   /* bytes of frames made since the start */
    uint64_t  written_size; /* of them, bytes handed to libuv */
};

struct client {
    struct connection *connections;
    size_t             connected;
    size_t             turn; /* index of the connection that gets what the timer finds due */
    bench_moments      moments;
    size_t             frame_size; /* bytes */

    bench_client_options options;
    bench_load           load;
};

static void connection_init(struct connection *connection, struct client *client, size_t count)
{
    size_t frame_size = client->frame_size;

    if (count > RING_SIZE_MOST / frame_size)
        bench_fail_usage("%zu requests of %zu bytes are more than %u bytes", count, client->options.size,
                         RING_SIZE_MOST);
    connection->client = client;
    connection->socket.handle.data = connection;
    connection->count = count;
    connection->ring_size = count * frame_size;
    connection->ring = bench_alloc(count, frame_size);
    connection->start_ns = bench_alloc(count, sizeof *connection->start_ns);
    memset(connection->ring, 'x', connection->ring_size);
    for (size_t i = 0; i < count; i++)
        bench_frame_set_payload(connection->ring + i * frame_size, client->options.size);
    bench_frames_init(&connection->frames, client->options.size);
}

static void connection_done(struct connection *connection)
{
    bench_frames_done(&connection->frames);
    free(connection->start_ns);
    free(connection->ring);
}

/* What has been made and not written: up to two pieces of the ring. */
static unsigned connection_unwritten(const struct connection *connection, uv_buf_t pieces[2])
{
    size_t size = connection->ready_size - connection->written_size;
    size_t start = connection->written_size % connection->ring_size;
    size_t until_end = connection->ring_size - start;

    pieces[0] = uv_buf_init(connection->ring + start, (unsigned)(size < until_end ? size : until_end));
    if (size <= until_end)
        return 1;
    pieces[1] = uv_buf_init(connection->ring, (unsigned)(size - until_end));
    return 2;
}

static void connection_written(uv_write_t *write, int status);

static void connection_flush(struct connection *connection)
{
    uv_stream_t *stream = &connection->socket.stream;
    uv_buf_t     pieces[2];
    int          written;

    if (connection->writing || connection->written_size == connection->ready_size)
        return;
    written = uv_try_write(stream, pieces, connection_unwritten(connection, pieces));
    if (written != UV_EAGAIN)
        bench_must(written, "write");
    if (written > 0)
        connection->written_size += (uint64_t)written;
    if (connection->written_size == connection->ready_size)
        return;

    connection->writing = true;
    bench_must(uv_write(&connection->write, stream, pieces, connection_unwritten(connection, pieces),
                        connection_written),
               "write");
    connection->written_size = connection->ready_size;
}

static void connection_written(uv_write_t *write, int status)
{
    struct connection *connection = write->handle->data;

    if (uv_is_closing((uv_handle_t *)write->handle))
        return;
    bench_must(status, "write");
    connection->writing = false;
    connection_flush(connection);
}

/* Makes the calls that are due. As in bench_frames_extend, the loop works on locals. */
static void connection_call(struct connection *connection, uint64_t now_ns)
{
    bench_load  *load = &connection->client->load;
    const size_t frame_size = connection->client->frame_size;
    const size_t count = connection->count;
    uint64_t     number = connection->next_number;
    size_t       calls = connection->calls;
    size_t       index = connection->next;

    while (calls < count && bench_load_call(load, now_ns, &connection->start_ns[index])) {
        bench_frame_set_number(connection->ring + index * frame_size, number++);
        index = index + 1 < count ? index + 1 : 0;
        calls++;
    }
    connection->ready_size += (calls - connection->calls) * frame_size;
    connection->next_number = number;
    connection->next = index;
    connection->calls = calls;
    connection_flush(connection);
}

static void connection_count_answers(struct connection *connection, size_t count, uint64_t now_ns)
{
    bench_load *load = &connection->client->load;
    size_t      index = connection->oldest;

    for (size_t i = 0; i < count; i++) {
        bench_load_answered(load, connection->start_ns[index], now_ns);
        index = index + 1 < connection->count ? index + 1 : 0;
    }
    connection->oldest = index;
    connection->calls -= count;
}

static void client_stop(struct client *client)
{
    bench_load_print(&client->load);
    for (size_t i = 0; i < client->options.connections; i++)
        uv_close(&client->connections[i].socket.handle, NULL);
    bench_moments_stop(&client->moments);
}

static void connection_room(uv_handle_t *handle, size_t suggested_size, uv_buf_t *room)
{
    struct connection *connection = handle->data;

    (void)suggested_size;
    *room = bench_frames_room(&connection->frames);
}

static void connection_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *read)
{
    struct connection *connection = stream->data;
    uint64_t           now_ns = uv_hrtime();
    size_t             answers;

    (void)read;
    if (size < 0)
        bench_must((int)size, "read from the server");
    if (!bench_load_goes_on(&connection->client->load, now_ns)) {
        client_stop(connection->client);
        return;
    }

    answers = bench_frames_extend(&connection->frames, (size_t)size);
    bench_frames_discard_whole(&connection->frames);
    connection_count_answers(connection, answers, now_ns);
    connection_call(connection, now_ns);
}

static void client_due(void *arg)
{
    struct client *client = arg;
    uint64_t       now_ns = uv_hrtime();
    size_t         count = client->options.connections;

    if (!bench_load_goes_on(&client->load, now_ns)) {
        client_stop(client);
        return;
    }
    for (size_t i = 0; i < count; i++)
        connection_call(&client->connections[(client->turn + i) % count], now_ns);
    client->turn = (client->turn + 1) % count;
}

static void client_start(struct client *client)
{
    uint64_t now_ns = uv_hrtime();

    bench_load_begin(&client->load, &client->options, now_ns);
    bench_moments_start(&client->moments, &client->load, client_due, client);
    for (size_t i = 0; i < client->options.connections; i++)
        connection_call(&client->connections[i], now_ns);
}

static void connection_open(uv_connect_t *connect, int status)
{
    struct connection *connection = connect->handle->data;
    struct client     *client = connection->client;

    bench_socket_connected(&connection->socket, status);
    bench_must(uv_read_start(connect->handle, connection_room, connection_read), "read");
    client->connected++;
    if (client->connected == client->options.connections)
        client_start(client);
}

int main(int argc, char **argv)
{
    static struct client client;
    size_t               count;

    client.options = bench_client_options_read(argc, argv);
    client.frame_size = BENCH_FRAME_HEADER_SIZE + client.options.size;
    count = client.options.connections;
    client.connections = bench_alloc(count, sizeof *client.connections);
    signal(SIGPIPE, SIG_IGN); /* libuv writes without MSG_NOSIGNAL */

    for (size_t i = 0; i < count; i++) {
        struct connection *connection = &client.connections[i];

        connection_init(connection, &client, bench_share(client.options.outstanding, count, i));
        bench_socket_connect(&connection->socket, uv_default_loop(), client.options.target,
                             &connection->connect, connection_open);
    }
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    for (size_t i = 0; i < count; i++)
        connection_done(&client.connections[i]);
    free(client.connections);
    return 0;
}
