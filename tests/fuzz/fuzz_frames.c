/*
 * A server and a channel with a peer that sends anything, cut anywhere.
 *
 *     byte 0   1: to a channel; 2: behind a preface; 4: behind a hello as well; 8: all of it in HTTP/2
 *     byte 1   how many bytes come at a time; 0: all at once
 *     then     what the peer sends
 *
 * The idea: the whole stack in a simulated loop, with a fake peer on the memory transport. What it leaves behind
 * AddressSanitizer sees: everything is closed in the end, after the time for every timeout has passed.
 */
#include "runtime/protocol/native/hello.h"
#include "runtime/transport/transport.h"
#include "tests/support/message_writer.h"

#include <stdlib.h>
#include <string.h>

#include <vow/vow.h>

#include "calls.vow.h"

#define ADDRESS "tcp://10.0.0.1:7000"
#define TARGET_GRPC "grpc://10.0.0.1:7000"
#define HELD_MAX 64
#define LONGEST_TIMEOUT_MS 30000

enum { TO_CHANNEL = 1, WITH_PREFACE = 2, WITH_HELLO = 4, HTTP2 = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct fake {
    vow_stream *stream; /* NULL: none yet, or closed */
    writer      bytes;
    size_t      sent;
    size_t      lent;
    size_t      at_once;
    uint8_t     room[4096];
} fake;

static vow_call *held[HELD_MAX];
static size_t    held_count;

/* The fake peer */

static void fake_send(void)
{
    while (fake.stream && fake.sent < fake.bytes.size && !fake.lent) {
        size_t    left = fake.bytes.size - fake.sent;
        size_t    size = fake.at_once && fake.at_once < left ? fake.at_once : left;
        vow_slice slice = { fake.bytes.data + fake.sent, size };

        if (vow_stream_write(fake.stream, &slice, 1))
            fake.sent += size;
        else
            fake.lent = size;
    }
}

static void fake_opened(void *owner)
{
    (void)owner;
    fake_send();
}

static vow_room fake_room(void *owner)
{
    (void)owner;
    return (vow_room){ fake.room, sizeof fake.room };
}

static void fake_read(void *owner, size_t size)
{
    (void)owner;
    (void)size;
}

static void fake_written(void *owner)
{
    (void)owner;
    fake.sent += fake.lent;
    fake.lent = 0;
    fake_send();
}

static void fake_closed(void *owner, const vow_status *why)
{
    (void)owner;
    (void)why;
    fake.stream = NULL;
}

static const vow_stream_events fake_events = {
    .opened = fake_opened,
    .room = fake_room,
    .read = fake_read,
    .written = fake_written,
    .closed = fake_closed,
};

static void fake_accept(void *owner, vow_stream *stream)
{
    (void)owner;
    if (fake.stream || fake.sent) {
        vow_stream_close(stream);
        return;
    }
    fake.stream = stream;
    vow_stream_adopt(stream, &fake_events, &fake);
    fake_send();
}

/* What it talks to */

static void serve_echo(vow_call *call, const Calls__Text *request, void *arg)
{
    (void)arg;
    calls_calls_echo_reply(call, request);
}

static void serve_hold(vow_call *call, const Calls__Text *request, void *arg)
{
    (void)request;
    (void)arg;
    if (held_count < HELD_MAX)
        held[held_count++] = call;
    else
        vow_call_fail(call, VOW_RESOURCE_EXHAUSTED, "enough is held");
}

static const calls_calls_service service = { .echo = serve_echo, .hold = serve_hold };

static void run_server(vow_loop *loop)
{
    vow_server *server = vow_server_open(loop, VOW_SERVER(.max_message_size = 100000));
    vow_error   error;

    calls_calls_serve(server, &service, NULL);
    if (vow_server_listen(server, ADDRESS, &error) != VOW_OK)
        abort();
    fake.stream = vow_stream_connect(loop, ADDRESS, &fake_events, &fake, &error);
    vow_loop_advance(loop, LONGEST_TIMEOUT_MS);
    while (held_count)
        vow_call_fail(held[--held_count], VOW_CANCELLED, "the end");
    if (fake.stream)
        vow_stream_close(fake.stream);
    fake.stream = NULL;
    vow_server_close(server);
}

static void run_channel(vow_loop *loop, const char *target)
{
    vow_channel  *channel = vow_channel_open(loop, target, VOW_CHANNEL(.max_message_size = 100000));
    vow_listener *listener;
    vow_future   *replies[3];
    vow_error     error;
    Calls__Text   request = CALLS__TEXT__INIT;

    if (vow_listener_open(loop, ADDRESS, &(vow_listener_options){ 0 }, fake_accept, NULL, &listener, &error) != VOW_OK)
        abort();
    for (size_t i = 0; i < 3; i++)
        replies[i] = calls_calls_echo(channel, &request, NULL);
    vow_loop_advance(loop, LONGEST_TIMEOUT_MS);
    for (size_t i = 0; i < 3; i++) {
        if (!vow_future_settled(replies[i]))
            abort();
        vow_drop(replies[i]);
    }
    vow_channel_close(channel);
    vow_listener_close(listener);
    if (fake.stream)
        vow_stream_close(fake.stream);
    fake.stream = NULL;
}

static void write_greeting(unsigned mode)
{
    static const uint8_t hello[] = { 7, 0, 0, 0, 2, 8, 10, 8, 1, 16, 1 }; /* versions 1 to 1 */

    if (mode & HTTP2) {
        if (!(mode & TO_CHANNEL) && (mode & (WITH_PREFACE | WITH_HELLO)))
            writer_add(&fake.bytes, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
        if (mode & WITH_HELLO)
            writer_add(&fake.bytes, "\0\0\0\4\0\0\0\0\0", 9); /* SETTINGS */
        return;
    }
    if (mode & (WITH_PREFACE | WITH_HELLO))
        writer_add(&fake.bytes, vow_preface, VOW_PREFACE_SIZE);
    if (mode & WITH_HELLO)
        writer_add(&fake.bytes, hello, sizeof hello);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    vow_loop *loop;

    if (size < 2)
        return 0;
    loop = vow_loop_simulated(1);
    if (!loop)
        return 0;
    fake.sent = fake.lent = 0;
    fake.at_once = data[1];
    write_greeting(data[0]);
    writer_add(&fake.bytes, data + 2, size - 2);
    if (data[0] & TO_CHANNEL)
        run_channel(loop, data[0] & HTTP2 ? TARGET_GRPC : ADDRESS);
    else
        run_server(loop);
    vow_loop_close(loop);
    writer_done(&fake.bytes);
    return 0;
}
