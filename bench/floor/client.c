/*
 * The bare echo, calling: N requests outstanding, each made again when its answer has come.
 *
 * The idea: the N requests lie ready in a ring of frames, for answers come in the order of requests. A
 * callback that has read k answers renews the numbers of the k oldest frames and writes those, in one
 * write (of two pieces where the ring ends). Nothing is copied, and a frame that the kernel did not take
 * at once stays where it is: its place is used again only after it has been answered.
 */
#include "address.h"
#include "frames.h"
#include "measure/arguments.h"
#include "measure/fail.h"
#include "measure/load.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* The ring goes out in one write, whose size libuv tells as an int. */
#define RING_SIZE_MOST (1u << 30)

struct client {
    uv_tcp_t     tcp; /* its data is the client */
    uv_connect_t connect;
    uv_write_t   write;
    bool         writing; /* libuv has the rest of a write that was too large for the kernel */
    bench_frames frames;

    char     *ring;
    size_t    ring_size;  /* bytes */
    size_t    frame_size; /* bytes */
    uint64_t *sent_ns;    /* when each of the ring's frames was sent */
    size_t    oldest;     /* index of the frame that is answered next */
    uint64_t  next_number;
    uint64_t  ready_size;   /* bytes of frames made since the start */
    uint64_t  written_size; /* of them, bytes handed to libuv */

    bench_client_options options;
    bench_load           load;
};

static void client_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *read);

static void client_init(struct client *client)
{
    size_t count = client->options.outstanding;

    client->frame_size = BENCH_FRAME_HEADER_SIZE + client->options.size;
    if (count > RING_SIZE_MOST / client->frame_size)
        bench_fail_usage("%zu requests of %zu bytes are more than %u bytes", count, client->options.size,
                         RING_SIZE_MOST);
    client->ring_size = count * client->frame_size;
    client->ring = bench_alloc(count, client->frame_size);
    client->sent_ns = bench_alloc(count, sizeof *client->sent_ns);
    memset(client->ring, 'x', client->ring_size);
    for (size_t i = 0; i < count; i++)
        bench_frame_set_payload(client->ring + i * client->frame_size, client->options.size);
    bench_frames_init(&client->frames, client->options.size);
}

static void client_done(struct client *client)
{
    bench_frames_done(&client->frames);
    free(client->sent_ns);
    free(client->ring);
}

/* What has been made and not written: up to two pieces of the ring. */
static unsigned client_unwritten(const struct client *client, uv_buf_t pieces[2])
{
    size_t size = client->ready_size - client->written_size;
    size_t start = client->written_size % client->ring_size;
    size_t until_end = client->ring_size - start;

    pieces[0] = uv_buf_init(client->ring + start, (unsigned)(size < until_end ? size : until_end));
    if (size <= until_end)
        return 1;
    pieces[1] = uv_buf_init(client->ring, (unsigned)(size - until_end));
    return 2;
}

static void client_written(uv_write_t *write, int status);

static void client_flush(struct client *client)
{
    uv_stream_t *stream = (uv_stream_t *)&client->tcp;
    uv_buf_t     pieces[2];
    int          written;

    if (client->writing || client->written_size == client->ready_size)
        return;
    written = uv_try_write(stream, pieces, client_unwritten(client, pieces));
    if (written != UV_EAGAIN)
        bench_must(written, "write");
    if (written > 0)
        client->written_size += (uint64_t)written;
    if (client->written_size == client->ready_size)
        return;

    client->writing = true;
    bench_must(uv_write(&client->write, stream, pieces, client_unwritten(client, pieces), client_written),
               "write");
    client->written_size = client->ready_size;
}

static void client_written(uv_write_t *write, int status)
{
    struct client *client = write->handle->data;

    if (uv_is_closing((uv_handle_t *)write->handle))
        return;
    bench_must(status, "write");
    client->writing = false;
    client_flush(client);
}

/* Makes the `count` oldest calls anew; those they take the place of have been answered.
 * As in bench_frames_extend, the loop works on locals. */
static void client_call(struct client *client, size_t count, uint64_t now_ns)
{
    const size_t frame_size = client->frame_size;
    uint64_t     number = client->next_number;
    size_t       index = client->oldest;

    for (size_t i = 0; i < count; i++) {
        bench_frame_set_number(client->ring + index * frame_size, number++);
        client->sent_ns[index] = now_ns;
        index = index + 1 < client->options.outstanding ? index + 1 : 0;
    }
    client->next_number = number;
    client->oldest = index;
    client->ready_size += count * frame_size;
}

static void client_count_answers(struct client *client, size_t count, uint64_t now_ns)
{
    size_t index = client->oldest;

    for (size_t i = 0; i < count; i++) {
        bench_load_answered(&client->load, client->sent_ns[index], now_ns);
        index = index + 1 < client->options.outstanding ? index + 1 : 0;
    }
}

static void client_room(uv_handle_t *handle, size_t suggested_size, uv_buf_t *room)
{
    struct client *client = handle->data;

    (void)suggested_size;
    *room = bench_frames_room(&client->frames);
}

static void client_start(uv_connect_t *connect, int status)
{
    struct client *client = connect->handle->data;
    uint64_t       now_ns = uv_hrtime();

    bench_must(status, "connect");
    bench_must(uv_tcp_nodelay(&client->tcp, 1), "set TCP_NODELAY");
    bench_must(uv_read_start(connect->handle, client_room, client_read), "read");
    bench_load_begin(&client->load, &client->options, now_ns);
    client_call(client, client->options.outstanding, now_ns);
    client_flush(client);
}

static void client_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *read)
{
    struct client *client = stream->data;
    uint64_t       now_ns = uv_hrtime();
    size_t         answers;

    (void)read;
    if (size < 0)
        bench_must((int)size, "read from the server");
    if (!bench_load_goes_on(&client->load, now_ns)) {
        bench_load_print(&client->load);
        uv_close((uv_handle_t *)stream, NULL);
        return;
    }

    answers = bench_frames_extend(&client->frames, (size_t)size);
    bench_frames_discard_whole(&client->frames);
    client_count_answers(client, answers, now_ns);
    client_call(client, answers, now_ns);
    client_flush(client);
}

int main(int argc, char **argv)
{
    static struct client client;
    uv_loop_t           *loop = uv_default_loop();
    struct sockaddr_in   address;

    client.options = bench_client_options_read(argc, argv);
    address = bench_address_read(client.options.target);
    client_init(&client);
    signal(SIGPIPE, SIG_IGN); /* libuv writes without MSG_NOSIGNAL */

    bench_must(uv_tcp_init(loop, &client.tcp), "make a socket");
    client.tcp.data = &client;
    bench_must(uv_tcp_connect(&client.connect, &client.tcp, (const struct sockaddr *)&address, client_start),
               "connect");
    uv_run(loop, UV_RUN_DEFAULT);
    client_done(&client);
    return 0;
}
