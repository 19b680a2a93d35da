/*
 * Flow control on links that are long, narrow or used in bursts: windows grow with what a link carries, and a
 * reader that stops costs a window and a message.
 */
#include "runtime/transport/simulated.h"
#include "tests/support/streams.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_SIZE 1000
#define LARGE_TEXT_SIZE 20000
#define SMALLEST_WINDOW 4096

/* What a service read of a stream. */
struct sink {
    size_t   count;
    uint64_t last_ns;
};

static const vow_method fill = {
    sizeof fill, "calls.Streams/Fill", &calls__text__descriptor, &calls__text__descriptor, true, false, false,
    NULL
};

static vow_future *fill_read(vow_call *call, const ProtobufCMessage *message, void *arg)
{
    struct sink *sink = arg;

    assert_int_equal(strlen(streams_text(message)), TEXT_SIZE);
    sink->count++;
    sink->last_ns = vow_loop_now_ns(vow_call_loop(call));
    return NULL;
}

static void serve_fill(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    (void)request;
    vow_call_answer(call, vow_call_read(call, fill_read, handler->arg));
}

/* A test's state says which protocol it is about. */
static const world_kind over_native = WORLD_SIMULATED;
static const world_kind over_grpc = WORLD_GRPC_SIMULATED;

/* A server behind a link with `latency_ms` one way; its streams begin with `window` bytes, and fill `sink`.
 */
static world *linked_world(world_kind kind, int64_t latency_ms, uint64_t bytes_per_second, size_t window,
                           struct sink *sink)
{
    world *world = world_new_with(kind, VOW_SERVER(.stream_window = window), NULL);

    vow_network_set_faults(
        vow_network_of(world->loop),
        VOW_NETWORK_FAULTS(.latency_us = (uint64_t)latency_ms * 1000, .bytes_per_second = bytes_per_second));
    streams_serve(world->server);
    vow_server_handle(world->server, &(vow_handler){ sizeof(vow_handler), &fill, serve_fill, NULL, sink });
    return world;
}

/* Sends texts whenever there is room. */
struct source {
    vow_call   *call;
    vow_future *writing;
    size_t      size; /* of each text */
    size_t      sent;
};

static bool text_send(vow_call *call, size_t size)
{
    char text[LARGE_TEXT_SIZE + 1];

    memset(text, 'x', size);
    text[size] = '\0';
    return streams_send(call, text);
}

static vow_future *source_send(vow_call *call, void *arg)
{
    struct source *source = arg;

    do
        source->sent++;
    while (text_send(call, source->size));
    return NULL;
}

/* Lent to its stream until source_close. */
static void source_open(struct source *source, world *world, const vow_method *method)
{
    *source = (struct source){ .call = vow_call_start(world->channel, method, NULL), .size = TEXT_SIZE };
    source->writing = vow_call_write(source->call, source_send, source);
}

static void source_close(struct source *source)
{
    vow_drop(source->writing);
    vow_call_drop(source->call);
}

static void a_stream_fills_a_long_link_once_its_window_has_grown(void **state)
{
    const size_t  rate = 1000000; /* 40 ms there and back: ten times the window */
    struct sink   sink = { 0 };
    world        *world = linked_world(*(const world_kind *)*state, 20, rate, SMALLEST_WINDOW, &sink);
    struct source source;
    size_t        warm;

    source_open(&source, world, &fill);
    world_advance_ms(world, 2000);
    warm = sink.count;
    world_advance_ms(world, 5000);
    assert_in_range((sink.count - warm) * TEXT_SIZE, rate * 5 * 8 / 10, rate * 5);
    source_close(&source);
    world_free(world);
}

static void what_a_long_link_carries_at_first_is_a_window_each_round_trip(void **state)
{
    struct sink   sink = { 0 };
    world        *world = linked_world(*(const world_kind *)*state, 500, 1000000, SMALLEST_WINDOW, &sink);
    struct source source;

    source_open(&source, world, &fill);
    world_advance_ms(world, 3200); /* connected after one, greeted after two */
    assert_in_range(sink.count, 1, SMALLEST_WINDOW / TEXT_SIZE);
    source_close(&source);
    world_free(world);
}

#define BURST 40

/* How long it takes until the last text of a burst has come. */
static int64_t burst_ms(world *world, vow_call *call, const struct sink *sink)
{
    uint64_t began_ns = vow_loop_now_ns(world->loop);
    size_t   wanted = sink->count + BURST;

    for (size_t i = 0; i < BURST; i++)
        text_send(call, TEXT_SIZE);
    world_advance_ms(world, 5000);
    assert_int_equal(sink->count, wanted);
    return (int64_t)(sink->last_ns - began_ns) / 1000000;
}

static void bursts_pass_a_long_link_at_once_when_the_window_has_grown(void **state)
{
    struct sink sink = { 0 };
    world      *world = linked_world(*(const world_kind *)*state, 50, 1000000, SMALLEST_WINDOW, &sink);
    vow_call   *call = vow_call_start(world->channel, &fill, NULL);
    int64_t     last_ms = 0;

    assert_true(burst_ms(world, call, &sink) > 400); /* the connection, and some round trips */
    for (int i = 0; i < 20; i++)
        last_ms = burst_ms(world, call, &sink);
    assert_in_range(last_ms, 50 + BURST, 50 + BURST + 20); /* half a round trip, and 40 KB at 1 MB/s */
    vow_call_drop(call);
    world_free(world);
}

/* All memory that vow has, in bytes. */
static size_t held_bytes;

static void *held_alloc(size_t size, void *context)
{
    void *memory = malloc(size);

    (void)context;
    held_bytes += malloc_usable_size(memory);
    return memory;
}

static void *held_resize(void *memory, size_t size, void *context)
{
    void *resized;

    (void)context;
    held_bytes -= malloc_usable_size(memory);
    resized = realloc(memory, size);
    held_bytes += malloc_usable_size(resized);
    return resized;
}

static void held_release(void *memory, void *context)
{
    (void)context;
    held_bytes -= malloc_usable_size(memory);
    free(memory);
}

static const vow_allocator held_allocator = { held_alloc, held_resize, held_release, NULL };

/* What `count` streams take at both ends together, each, when the server does not read and the client sends
 * all that there is room for. */
static size_t stalled_bytes(void **state, size_t count, size_t window)
{
    struct source *sources = calloc(count, sizeof *sources);
    struct sink    sink = { 0 };
    world         *world;
    size_t         before, after;

    assert_non_null(sources);
    held_bytes = 0;
    vow_allocator_set(&held_allocator);
    world = linked_world(*(const world_kind *)*state, 5, 100000000, window, &sink);
    world_settle(world, world_echo(world, "warm", NULL));
    before = held_bytes;
    for (size_t i = 0; i < count; i++)
        source_open(&sources[i], world, &streams_mute);
    world_advance_ms(world, 5000);
    after = held_bytes;
    world_advance_ms(world, 5000);
    assert_in_range(held_bytes, 0, after + 1000);
    for (size_t i = 0; i < count; i++) {
        assert_in_range(sources[i].sent, 2, window / TEXT_SIZE + 2);
        source_close(&sources[i]);
    }
    world_free(world);
    vow_allocator_set(NULL);
    free(sources);
    return (after - before) / count;
}

/* Beside its messages a stream takes its call on both sides, futures, and blocks that are not full. */
#define STREAM_OVERHEAD ((size_t)14 << 10)

/* And a connection that is busy takes blocks to read into and to send from, which it keeps. */
#define CONNECTION_OVERHEAD ((size_t)320 << 10)

static void a_stream_that_is_not_read_holds_a_window_and_a_message(void **state)
{
    assert_in_range(stalled_bytes(state, 1, 65536), 65536 - 2 * TEXT_SIZE,
                    65536 + TEXT_SIZE + STREAM_OVERHEAD + CONNECTION_OVERHEAD);
}

static void a_thousand_streams_that_are_not_read_hold_a_window_and_a_message_each(void **state)
{
    assert_in_range(stalled_bytes(state, 1000, 16384), 16384 - 2 * TEXT_SIZE, 16384 + TEXT_SIZE + STREAM_OVERHEAD);
}

static void a_stream_that_is_not_read_keeps_the_window_that_it_began_with(void **state)
{
    const size_t  window = 2 * LARGE_TEXT_SIZE;
    struct sink   sink = { 0 };
    world        *world = linked_world(*(const world_kind *)*state, 5, 100000000, window, &sink);
    struct source source, stalled;

    source_open(&source, world, &fill);
    world_advance_ms(world, 1000); /* that of the connection has grown then */
    source_open(&stalled, world, &streams_mute);
    stalled.size = LARGE_TEXT_SIZE;
    world_advance_ms(world, 5000);
    assert_in_range(stalled.sent, 2, 4); /* one began before the credit was spent, and one waits */
    source_close(&stalled);
    source_close(&source);
    world_free(world);
}

static void streams_that_are_not_read_hold_up_no_other(void **state)
{
    const size_t  rate = 1000000;
    struct sink   sink = { 0 };
    world        *world = linked_world(*(const world_kind *)*state, 20, rate, 16384, &sink);
    struct source stalled[100];
    struct source source;
    size_t        before;

    for (size_t i = 0; i < 100; i++)
        source_open(&stalled[i], world, &streams_mute);
    world_advance_ms(world, 5000);
    source_open(&source, world, &fill);
    world_advance_ms(world, 2000);
    before = sink.count;
    world_advance_ms(world, 5000);
    assert_in_range((sink.count - before) * TEXT_SIZE, rate * 5 * 8 / 10, rate * 5);
    for (size_t i = 0; i < 100; i++)
        source_close(&stalled[i]);
    source_close(&source);
    world_free(world);
}

#define ON_BOTH(test)                                                                                        \
    { #test ", native", test, NULL, NULL, (void *)(uintptr_t)&over_native },                                  \
    {                                                                                                        \
        #test ", gRPC", test, NULL, NULL, (void *)(uintptr_t)&over_grpc                                      \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(a_stream_fills_a_long_link_once_its_window_has_grown),
        ON_BOTH(what_a_long_link_carries_at_first_is_a_window_each_round_trip),
        ON_BOTH(bursts_pass_a_long_link_at_once_when_the_window_has_grown),
        ON_BOTH(a_stream_that_is_not_read_holds_a_window_and_a_message),
        ON_BOTH(a_thousand_streams_that_are_not_read_hold_a_window_and_a_message_each),
        ON_BOTH(a_stream_that_is_not_read_keeps_the_window_that_it_began_with),
        ON_BOTH(streams_that_are_not_read_hold_up_no_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
