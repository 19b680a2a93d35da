#include "exchange.h"

#include "measure/fail.h"

#include <string.h>

static void exchange_written(uv_write_t *write, int status)
{
    (void)write;
    bench_must(status, "write");
}

/* As the bare echo does, with a bare write(2) where the kernel takes all of it. */
void bench_exchange_again(bench_exchange *exchange)
{
    uv_stream_t *stream = &exchange->socket.stream;
    uv_buf_t     frame = uv_buf_init(exchange->frame, (unsigned)exchange->frame_size);
    int          written;

    bench_frame_set_number(exchange->frame, exchange->next_number++);
    written = uv_try_write(stream, &frame, 1);
    if (written == (int)frame.len)
        return;
    if (written > 0)
        frame = uv_buf_init(frame.base + written, (unsigned)(frame.len - (size_t)written));
    bench_must(uv_write(&exchange->write, stream, &frame, 1, exchange_written), "write");
}

static void exchange_room(uv_handle_t *handle, size_t suggested_size, uv_buf_t *room)
{
    bench_exchange *exchange = handle->data;

    (void)suggested_size;
    *room = bench_frames_room(&exchange->frames);
}

static void exchange_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *read)
{
    bench_exchange *exchange = stream->data;

    (void)read;
    if (size < 0)
        bench_must((int)size, "read from the server");
    if (bench_frames_extend(&exchange->frames, (size_t)size) == 0)
        return;
    bench_frames_discard_whole(&exchange->frames);
    exchange->exchanged(exchange);
}

static void exchange_begin(uv_connect_t *connect, int status)
{
    bench_exchange *exchange = connect->handle->data;

    bench_socket_connected(&exchange->socket, status);
    bench_must(uv_read_start(connect->handle, exchange_room, exchange_read), "read");
    bench_exchange_again(exchange);
}

void bench_exchange_open(bench_exchange *exchange, const char *url, size_t size,
                         bench_exchanged_fn *exchanged, void *owner)
{
    *exchange = (bench_exchange){
        .frame = bench_alloc(BENCH_FRAME_HEADER_SIZE + size, 1),
        .frame_size = BENCH_FRAME_HEADER_SIZE + size,
        .exchanged = exchanged,
        .owner = owner,
    };
    memset(exchange->frame, 'x', exchange->frame_size);
    bench_frame_set_payload(exchange->frame, size);
    bench_frames_init(&exchange->frames, size);
    exchange->socket.handle.data = exchange;
    bench_socket_connect(&exchange->socket, uv_default_loop(), url, &exchange->connect, exchange_begin);
}
