/*
 * The benchmark's proxy: it delays, and does nothing else to what passes.
 */
#include "bench/proxy/proxy.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_MS 1000000u
#define ONE_READ ((size_t)64 << 10)

/* A caller, the proxy, and a target that takes what comes, on one loop. */
struct ends {
    uv_loop_t     loop;
    bench_proxy  *proxy;
    uv_tcp_t      listener;
    uv_tcp_t      target;
    uv_tcp_t      caller;
    uv_connect_t  connect;
    uv_write_t    write;
    uv_shutdown_t shutdown;
    bool          target_is_open;
    bool          target_reads;
    bool          target_heard_the_end;
    bool          caller_heard_the_end;
    size_t        taken;        /* bytes, by the target */
    size_t        held_most;    /* at the proxy, seen whenever the target took some */
    uint64_t      first_ns;     /* when the target took its first byte */
    size_t        caller_taken; /* bytes that came back */
    bool          mixed_up;     /* byte number i was not the i-th */
    char          room[ONE_READ];
};

static char byte_number(size_t i)
{
    return (char)(i * 2654435761u >> 24);
}

static void ends_room(uv_handle_t *handle, size_t suggested_size, uv_buf_t *room)
{
    struct ends *ends = handle->data;

    (void)suggested_size;
    *room = uv_buf_init(ends->room, sizeof ends->room);
}

static void target_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *read)
{
    struct ends *ends = stream->data;

    if (size < 0) {
        ends->target_heard_the_end = true;
        return;
    }
    if (ends->taken == 0)
        ends->first_ns = uv_hrtime();
    if (bench_proxy_held_bytes(ends->proxy) > ends->held_most)
        ends->held_most = bench_proxy_held_bytes(ends->proxy);
    for (ssize_t i = 0; i < size; i++)
        ends->mixed_up |= read->base[i] != byte_number(ends->taken++);
}

static void caller_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *read)
{
    struct ends *ends = stream->data;

    (void)read;
    if (size < 0)
        ends->caller_heard_the_end = true;
    else
        ends->caller_taken += (size_t)size;
}

static void target_accept(uv_stream_t *listener, int status)
{
    struct ends *ends = listener->data;

    assert_int_equal(status, 0);
    assert_int_equal(uv_tcp_init(&ends->loop, &ends->target), 0);
    ends->target.data = ends;
    assert_int_equal(uv_accept(listener, (uv_stream_t *)&ends->target), 0);
    ends->target_is_open = true;
    if (ends->target_reads)
        uv_read_start((uv_stream_t *)&ends->target, ends_room, target_read);
}

static void caller_connected(uv_connect_t *connect, int status)
{
    assert_int_equal(status, 0);
    uv_read_start(connect->handle, ends_room, caller_read);
}

static void url_of(char url[64], int port)
{
    snprintf(url, 64, "tcp://127.0.0.1:%d", port);
}

static struct ends *ends_open(uint64_t delay_ns, bool target_reads)
{
    struct ends       *ends = calloc(1, sizeof *ends);
    struct sockaddr_in address;
    int                size = sizeof address;
    char               url[64];

    assert_non_null(ends);
    ends->target_reads = target_reads;
    uv_loop_init(&ends->loop);
    uv_tcp_init(&ends->loop, &ends->listener);
    ends->listener.data = ends;
    uv_ip4_addr("127.0.0.1", 0, &address);
    assert_int_equal(uv_tcp_bind(&ends->listener, (const struct sockaddr *)&address, 0), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&ends->listener, 1, target_accept), 0);
    uv_tcp_getsockname(&ends->listener, (struct sockaddr *)&address, &size);
    url_of(url, ntohs(address.sin_port));
    ends->proxy = bench_proxy_open(&ends->loop, "tcp://127.0.0.1:0", url, delay_ns);

    uv_tcp_init(&ends->loop, &ends->caller);
    ends->caller.data = ends;
    uv_ip4_addr("127.0.0.1", bench_proxy_port(ends->proxy), &address);
    uv_tcp_connect(&ends->connect, &ends->caller, (const struct sockaddr *)&address, caller_connected);
    return ends;
}

static void ends_close(struct ends *ends)
{
    bench_proxy_close(ends->proxy);
    if (!uv_is_closing((uv_handle_t *)&ends->listener))
        uv_close((uv_handle_t *)&ends->listener, NULL);
    if (ends->target_is_open)
        uv_close((uv_handle_t *)&ends->target, NULL);
    uv_close((uv_handle_t *)&ends->caller, NULL);
    uv_run(&ends->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&ends->loop), 0);
    free(ends);
}

/* Gives what was sent; to be freed once it has arrived. */
static char *caller_send(struct ends *ends, size_t size)
{
    char    *bytes = malloc(size);
    uv_buf_t all = uv_buf_init(bytes, (unsigned)size);

    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++)
        bytes[i] = byte_number(i);
    uv_write(&ends->write, (uv_stream_t *)&ends->caller, &all, 1, NULL);
    return bytes;
}

static void run_until_taken(struct ends *ends, size_t size)
{
    while (ends->taken < size)
        uv_run(&ends->loop, UV_RUN_ONCE);
}

static void run_until_held(struct ends *ends, size_t size)
{
    while (bench_proxy_held_bytes(ends->proxy) < size)
        uv_run(&ends->loop, UV_RUN_ONCE);
}

static void what_is_sent_comes_out_unchanged_and_in_order(void **state)
{
    struct ends *ends = ends_open(2 * NS_PER_MS, true);
    size_t       size = 3 << 20;
    char        *sent = caller_send(ends, size);

    (void)state;
    run_until_taken(ends, size);
    assert_false(ends->mixed_up);
    assert_int_equal(bench_proxy_held_bytes(ends->proxy), 0);

    ends_close(ends);
    free(sent);
}

static void nothing_comes_out_before_its_time(void **state)
{
    struct ends *ends = ends_open(20 * NS_PER_MS, true);
    uint64_t     sent_ns = uv_hrtime();
    char        *sent = caller_send(ends, 32);

    (void)state;
    run_until_taken(ends, 32);
    assert_true(ends->first_ns - sent_ns >= 20 * NS_PER_MS);

    ends_close(ends);
    free(sent);
}

/* The delay is far longer than the test: were one awaited before the next is read, this would never end. */
static void any_number_is_on_its_way_at_once(void **state)
{
    struct ends *ends = ends_open(UINT64_C(1000000) * NS_PER_MS, true);
    size_t       size = BENCH_PROXY_HELD_MOST;
    char        *sent = caller_send(ends, size);

    (void)state;
    run_until_held(ends, size);
    assert_int_equal(ends->taken, 0);

    ends_close(ends);
    free(sent);
}

static void a_target_that_takes_nothing_costs_the_proxy_its_limit_and_one_read(void **state)
{
    struct ends *ends = ends_open(0, false);
    size_t       size = 4 * BENCH_PROXY_HELD_MOST;
    char        *sent = caller_send(ends, size);

    (void)state;
    run_until_held(ends, BENCH_PROXY_HELD_MOST);
    uv_read_start((uv_stream_t *)&ends->target, ends_room, target_read);
    run_until_taken(ends, size);
    assert_false(ends->mixed_up);
    assert_true(ends->held_most >= BENCH_PROXY_HELD_MOST / 2);
    assert_true(ends->held_most < BENCH_PROXY_HELD_MOST + ONE_READ);

    ends_close(ends);
    free(sent);
}

static void an_end_is_passed_on_and_the_way_back_stays_open(void **state)
{
    struct ends *ends = ends_open(2 * NS_PER_MS, true);
    char        *sent = caller_send(ends, 32);
    uv_buf_t     answer = uv_buf_init(sent, 10);
    uv_write_t   write;

    (void)state;
    uv_shutdown(&ends->shutdown, (uv_stream_t *)&ends->caller, NULL);
    while (!ends->target_heard_the_end)
        uv_run(&ends->loop, UV_RUN_ONCE);
    assert_int_equal(ends->taken, 32);
    uv_write(&write, (uv_stream_t *)&ends->target, &answer, 1, NULL);
    while (ends->caller_taken < 10)
        uv_run(&ends->loop, UV_RUN_ONCE);
    assert_false(ends->caller_heard_the_end);

    ends_close(ends);
    free(sent);
}

static void a_caller_of_a_target_that_refuses_hears_the_end(void **state)
{
    struct ends *ends = ends_open(0, true);

    (void)state;
    uv_close((uv_handle_t *)&ends->listener, NULL);
    while (!ends->caller_heard_the_end)
        uv_run(&ends->loop, UV_RUN_ONCE);
    assert_false(ends->target_is_open);

    ends_close(ends);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sent_comes_out_unchanged_and_in_order),
        cmocka_unit_test(nothing_comes_out_before_its_time),
        cmocka_unit_test(any_number_is_on_its_way_at_once),
        cmocka_unit_test(a_target_that_takes_nothing_costs_the_proxy_its_limit_and_one_read),
        cmocka_unit_test(an_end_is_passed_on_and_the_way_back_stays_open),
        cmocka_unit_test(a_caller_of_a_target_that_refuses_hears_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
