/*
 * The bare echo, serving: as little as a libuv program can do with a frame and still have received it.
 *
 * The idea: whole frames go back from the buffer that they were read into, in one write per read
 * callback and without a copy. When the kernel takes only a part, reading stops until libuv has
 * written the rest: this client always reads, so the pause ends, and the buffer need not be kept twice.
 */
#include "frames.h"
#include "measure/arguments.h"
#include "measure/fail.h"
#include "measure/process.h"
#include "socket.h"

#include <signal.h>
#include <stdlib.h>

struct connection {
    bench_socket socket; /* its data is the connection */
    uv_write_t   write;
    bench_frames frames;
    uint64_t     now_ns; /* stamped by each read callback, as every server that keeps deadlines must */
};

static void connection_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *read);

static void connection_room(uv_handle_t *handle, size_t suggested_size, uv_buf_t *room)
{
    struct connection *connection = handle->data;

    (void)suggested_size;
    *room = bench_frames_room(&connection->frames);
}

static void connection_open(uv_stream_t *listener, int status)
{
    struct connection *connection = bench_alloc(1, sizeof *connection);

    bench_must(status, "listen");
    bench_frames_init(&connection->frames, BENCH_FRAME_ANY_SIZE);
    bench_socket_accept(listener, &connection->socket, connection);
    bench_must(uv_read_start(&connection->socket.stream, connection_room, connection_read), "read");
}

static void connection_free(uv_handle_t *handle)
{
    struct connection *connection = handle->data;

    bench_frames_done(&connection->frames);
    free(connection);
}

static void connection_written(uv_write_t *write, int status)
{
    struct connection *connection = write->handle->data;

    if (uv_is_closing((uv_handle_t *)write->handle))
        return;
    if (status < 0) {
        uv_close((uv_handle_t *)write->handle, connection_free);
        return;
    }
    bench_frames_discard_whole(&connection->frames);
    bench_must(uv_read_start(write->handle, connection_room, connection_read), "read on");
}

/* uv_try_write is a bare write(2); uv_write would queue a request and call back in the next iteration. */
static void connection_echo(struct connection *connection, uv_stream_t *stream)
{
    uv_buf_t echo = uv_buf_init(connection->frames.data, (unsigned)connection->frames.whole);
    int      written = uv_try_write(stream, &echo, 1);

    if (written == (int)echo.len) {
        bench_frames_discard_whole(&connection->frames);
        return;
    }
    /* An error stays: uv_write meets it again, and connection_written closes. */
    if (written > 0)
        echo = uv_buf_init(echo.base + written, (unsigned)(echo.len - (size_t)written));
    bench_must(uv_read_stop(stream), "stop reading");
    bench_must(uv_write(&connection->write, stream, &echo, 1, connection_written), "write");
}

static void connection_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *read)
{
    struct connection *connection = stream->data;

    (void)read;
    if (size < 0) { /* the client has gone, in good order or not */
        uv_close((uv_handle_t *)stream, connection_free);
        return;
    }
    connection->now_ns = uv_hrtime();
    if (bench_frames_extend(&connection->frames, (size_t)size) > 0)
        connection_echo(connection, stream);
}

static void serve(void *loop)
{
    uv_run(loop, UV_RUN_DEFAULT);
}

int main(int argc, char **argv)
{
    bench_server_options options = bench_server_options_read(argc, argv);
    bench_socket        *listeners = bench_alloc(options.threads, sizeof *listeners);
    uv_loop_t           *loops = bench_alloc(options.threads, sizeof *loops);
    uv_thread_t          thread;

    if (options.silent)
        bench_fail_usage("the bare echo keeps nothing for a call, so it has no --silent");
    bench_process_raise_files(0);
    signal(SIGPIPE, SIG_IGN); /* libuv writes without MSG_NOSIGNAL */
    for (size_t i = 0; i < options.threads; i++)
        bench_must(uv_loop_init(&loops[i]), "make a loop");
    bench_socket_listen(listeners, loops, options.threads, options.listen, connection_open);
    for (size_t i = 1; i < options.threads; i++)
        bench_must(uv_thread_create(&thread, serve, &loops[i]), "start a thread");
    serve(&loops[0]);
    return 0;
}
