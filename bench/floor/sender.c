/*
 * The bare sender: frames in one direction, as fast as the connection takes them.
 *
 * The idea: a batch of frames lies ready, as many as make up what vow flushes at most, or one larger frame.
 * Before each write the numbers are renewed, and nothing else is touched. A frame without payload ends the
 * passage; the receiver answers how many frames came.
 */
#include "frames.h"
#include "measure/arguments.h"
#include "measure/fail.h"
#include "measure/transfer.h"
#include "socket.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* VOW_FLUSH_MOST of runtime/protocol/native/output.h: both write as much at a time. */
#define BATCH_SIZE ((size_t)16 << 10)

struct sender {
    bench_socket socket; /* its data is the sender */
    uv_connect_t connect;
    uv_write_t   write;

    char    *batch;
    size_t   batch_count; /* frames */
    size_t   frame_size;
    uint64_t sent; /* frames of this passage */
    char     end[BENCH_FRAME_HEADER_SIZE];
    char     answer[BENCH_FRAME_HEADER_SIZE];
    size_t   answer_size;

    bench_client_options options;
    bench_transfer       transfer;
};

static void sender_init(struct sender *sender)
{
    sender->frame_size = BENCH_FRAME_HEADER_SIZE + sender->options.size;
    sender->batch_count = sender->frame_size < BATCH_SIZE ? BATCH_SIZE / sender->frame_size : 1;
    sender->batch = bench_alloc(sender->batch_count, sender->frame_size);
    memset(sender->batch, 'x', sender->batch_count * sender->frame_size);
    for (size_t i = 0; i < sender->batch_count; i++)
        bench_frame_set_payload(sender->batch + i * sender->frame_size, sender->options.size);
}

static void sender_renew_numbers(struct sender *sender)
{
    char    *frame = sender->batch;
    uint64_t number = sender->sent;

    for (size_t i = 0; i < sender->batch_count; i++, frame += sender->frame_size)
        bench_frame_set_number(frame, number++);
    sender->sent = number;
}

static void sender_go_on(struct sender *sender);

static void sender_written(uv_write_t *write, int status)
{
    if (uv_is_closing((uv_handle_t *)write->handle))
        return;
    bench_must(status, "write");
    sender_go_on(write->handle->data);
}

static void sender_ended(uv_write_t *write, int status)
{
    (void)write;
    bench_must(status, "write");
}

static void sender_end(struct sender *sender)
{
    uv_buf_t end = uv_buf_init(sender->end, sizeof sender->end);

    bench_frame_set_payload(sender->end, 0);
    bench_frame_set_number(sender->end, sender->sent);
    bench_must(uv_write(&sender->write, &sender->socket.stream, &end, 1, sender_ended), "write");
}

/* Writes until the kernel takes no more; libuv then has the rest of a batch, and calls back. */
static void sender_go_on(struct sender *sender)
{
    uv_stream_t *stream = &sender->socket.stream;

    while (bench_transfer_goes_on(&sender->transfer, uv_hrtime())) {
        uv_buf_t batch = uv_buf_init(sender->batch, (unsigned)(sender->batch_count * sender->frame_size));
        int      written;

        sender_renew_numbers(sender);
        written = uv_try_write(stream, &batch, 1);
        if (written == (int)batch.len)
            continue;
        if (written != UV_EAGAIN)
            bench_must(written, "write");
        if (written > 0)
            batch = uv_buf_init(batch.base + written, (unsigned)(batch.len - (size_t)written));
        bench_must(uv_write(&sender->write, stream, &batch, 1, sender_written), "write");
        return;
    }
    sender_end(sender);
}

static void sender_begin(struct sender *sender)
{
    sender->sent = 0;
    sender->answer_size = 0;
    bench_transfer_begin(&sender->transfer, &sender->options, uv_hrtime());
    sender_go_on(sender);
}

static void sender_room(uv_handle_t *handle, size_t suggested_size, uv_buf_t *room)
{
    struct sender *sender = handle->data;

    (void)suggested_size;
    *room = uv_buf_init(sender->answer + sender->answer_size,
                        (unsigned)(sizeof sender->answer - sender->answer_size));
}

static void sender_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *read)
{
    struct sender *sender = stream->data;

    (void)read;
    if (size < 0)
        bench_must((int)size, "read from the server");
    sender->answer_size += (size_t)size;
    if (sender->answer_size < sizeof sender->answer)
        return;
    if (bench_transfer_ended(&sender->transfer, sender->sent, bench_frame_number(sender->answer),
                             uv_hrtime()))
        sender_begin(sender);
    else
        uv_close((uv_handle_t *)stream, NULL);
}

static void sender_start(uv_connect_t *connect, int status)
{
    struct sender *sender = connect->handle->data;

    bench_socket_connected(&sender->socket, status);
    bench_must(uv_read_start(connect->handle, sender_room, sender_read), "read");
    sender_begin(sender);
}

int main(int argc, char **argv)
{
    static struct sender sender;
    uv_loop_t           *loop = uv_default_loop();

    sender.options = bench_client_options_read(argc, argv);
    sender_init(&sender);
    signal(SIGPIPE, SIG_IGN); /* libuv writes without MSG_NOSIGNAL */

    sender.socket.handle.data = &sender;
    bench_socket_connect(&sender.socket, loop, sender.options.target, &sender.connect, sender_start);
    uv_run(loop, UV_RUN_DEFAULT);
    free(sender.batch);
    return 0;
}
