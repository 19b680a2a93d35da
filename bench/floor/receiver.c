/*
 * The bare receiver: takes frames, and when one without payload comes, answers how many came before it.
 *
 * The idea: as for the bare echo, frames are checked where read(2) put them, and that is all.
 */
#include "frames.h"
#include "measure/arguments.h"
#include "measure/fail.h"
#include "socket.h"

#include <signal.h>
#include <stdlib.h>

struct connection {
    bench_socket socket; /* its data is the connection */
    uv_write_t   write;
    bench_frames frames;
    char         answer[BENCH_FRAME_HEADER_SIZE];
};

static void connection_free(uv_handle_t *handle)
{
    struct connection *connection = handle->data;

    bench_frames_done(&connection->frames);
    free(connection);
}

static void connection_answered(uv_write_t *write, int status)
{
    (void)write;
    bench_must(status == UV_ECANCELED ? 0 : status, "answer");
}

/* The sender waits for this answer, so that there is one at a time. */
static void connection_answer(struct connection *connection)
{
    uv_buf_t answer = uv_buf_init(connection->answer, sizeof connection->answer);

    bench_frame_set_payload(connection->answer, 0);
    bench_frame_set_number(connection->answer, connection->frames.next_number - 1);
    connection->frames.next_number = 0;
    bench_must(uv_write(&connection->write, &connection->socket.stream, &answer, 1, connection_answered),
               "write");
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

    (void)read;
    if (size < 0) { /* the sender has gone, in good order or not */
        uv_close((uv_handle_t *)stream, connection_free);
        return;
    }
    if (bench_frames_extend(&connection->frames, (size_t)size) > 0) {
        bool has_ended = bench_frames_last_payload(&connection->frames) == 0;

        bench_frames_discard_whole(&connection->frames);
        if (has_ended)
            connection_answer(connection);
    }
}

static void connection_open(uv_stream_t *listener, int status)
{
    struct connection *connection = bench_alloc(1, sizeof *connection);

    bench_must(status, "listen");
    bench_frames_init(&connection->frames, BENCH_FRAME_ANY_SIZE);
    bench_socket_accept(listener, &connection->socket, connection);
    bench_must(uv_read_start(&connection->socket.stream, connection_room, connection_read), "read");
}

int main(int argc, char **argv)
{
    bench_server_options options = bench_server_options_read(argc, argv);
    bench_socket         listener;

    if (options.silent)
        bench_fail_usage("the bare receiver keeps nothing for a stream, so it has no --silent");
    signal(SIGPIPE, SIG_IGN); /* libuv writes without MSG_NOSIGNAL */
    bench_socket_listen(&listener, uv_default_loop(), 1, options.listen, connection_open);
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
