/* A loop per thread: servers that share addresses, how they begin and how they end. */
#include "runtime/transport/transport.h"

#include "calls.vow.h"

#include <vow/vow.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <uv.h>

#define THREADS 4
#define CONNECTIONS 64
#define LEAST 4 /* of them, that each thread has */
#define RAW 200 /* connections made while a listener closes */
#define HELD_MS 100
#define GRACE_MS 10000
#define PATIENCE_S 20

/* One thread's part. */
typedef struct part {
    struct cluster *cluster;
    vow_loop       *loop;
    vow_listener   *listener;
    atomic_uint     served;
} part;

typedef struct cluster {
    vow_threads *threads;
    part         parts[THREADS];
    atomic_int   port;
    atomic_uint  held;
    atomic_uint  closed; /* listeners */
    char         unix_address[64];
    uv_loop_t    uv; /* the client's */
    vow_loop    *loop;
} cluster;

/* The servers */

static void serve_echo(vow_call *call, const Calls__Text *request, void *arg)
{
    part *part = arg;

    atomic_fetch_add(&part->served, 1);
    calls_calls_echo_reply(call, request);
}

static vow_future *held_long_enough(vow_future *slept, void *arg)
{
    static Calls__Text done = CALLS__TEXT__INIT;

    (void)arg;
    return vow_value(vow_future_loop(slept), &done, NULL);
}

static void serve_hold(vow_call *call, const Calls__Text *request, void *arg)
{
    part *part = arg;

    (void)request;
    atomic_fetch_add(&part->cluster->held, 1);
    vow_call_answer(call, vow_then(vow_sleep(part->loop, HELD_MS), held_long_enough, NULL));
}

static const calls_calls_service service = { .echo = serve_echo, .hold = serve_hold };

static vow_code part_set_up(vow_loop *loop, size_t index, void *arg, vow_error *error)
{
    cluster    *cluster = arg;
    part       *part = &cluster->parts[index];
    vow_server *server = vow_server_open(loop, NULL);
    char        address[40];
    vow_code    code;

    part->cluster = cluster;
    part->loop = loop;
    calls_calls_serve(server, &service, part);
    snprintf(address, sizeof address, "tcp://127.0.0.1:%d", index ? 0 : atomic_load(&cluster->port));
    code = vow_server_listen(server, address, error);
    if (code != VOW_OK)
        return code;
    if (index)
        assert_int_equal(vow_server_port(server), atomic_load(&cluster->port));
    atomic_store(&cluster->port, vow_server_port(server));
    return vow_server_listen(server, cluster->unix_address, error);
}

static void cluster_open(cluster *cluster, vow_setup_fn *set_up)
{
    vow_error error = { VOW_OK, "" };

    memset(cluster, 0, sizeof *cluster);
    snprintf(cluster->unix_address, sizeof cluster->unix_address, "unix:///tmp/vow-threads-%ld",
             (long)getpid());
    cluster->threads = vow_threads_start(THREADS, set_up, cluster, &error);
    if (!cluster->threads)
        fail_msg("%s", error.message);
    assert_int_equal(uv_loop_init(&cluster->uv), 0);
    cluster->loop = vow_loop_attach(&cluster->uv);
    assert_non_null(cluster->loop);
}

static void cluster_close_client(cluster *cluster)
{
    vow_loop_close(cluster->loop);
    uv_run(&cluster->uv, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&cluster->uv), 0);
}

static void cluster_close(cluster *cluster)
{
    cluster_close_client(cluster);
    vow_threads_stop(cluster->threads, 1000);
}

static vow_channel *cluster_channel(cluster *cluster, bool over_unix)
{
    char target[64];

    snprintf(target, sizeof target, "tcp://127.0.0.1:%d", atomic_load(&cluster->port));
    return vow_channel_open(cluster->loop, over_unix ? cluster->unix_address : target, NULL);
}

/* Sharing */

static void connections_are_spread(cluster *cluster, bool over_unix)
{
    vow_channel *channels[CONNECTIONS];
    vow_future  *replies[CONNECTIONS];
    Calls__Text  request = CALLS__TEXT__INIT;

    for (size_t i = 0; i < THREADS; i++)
        atomic_store(&cluster->parts[i].served, 0);
    for (size_t i = 0; i < CONNECTIONS; i++) {
        channels[i] = cluster_channel(cluster, over_unix);
        replies[i] = calls_calls_echo(channels[i], &request, NULL);
    }
    for (size_t i = 0; i < CONNECTIONS; i++) {
        if (vow_wait(replies[i]) != VOW_OK)
            fail_msg("%s", vow_future_error(replies[i]));
        vow_drop(replies[i]);
        vow_channel_close(channels[i]);
    }
    for (size_t i = 0; i < THREADS; i++)
        assert_in_range(atomic_load(&cluster->parts[i].served), LEAST, CONNECTIONS);
}

static void threads_share_a_port_and_a_unix_socket_evenly(void **state)
{
    static cluster cluster;

    (void)state;
    cluster_open(&cluster, part_set_up);
    connections_are_spread(&cluster, false);
    connections_are_spread(&cluster, true);
    cluster_close(&cluster);
}

static void a_second_server_on_a_busy_port_is_refused(void **state)
{
    static struct cluster cluster;
    static struct cluster other; /* is to be refused */
    vow_error             error = { VOW_OK, "" };
    char                  address[40];
    vow_server           *server;

    (void)state;
    cluster_open(&cluster, part_set_up);
    snprintf(address, sizeof address, "tcp://127.0.0.1:%d", atomic_load(&cluster.port));
    server = vow_server_open(cluster.loop, NULL);
    assert_int_equal(vow_server_listen(server, address, &error), VOW_ALREADY_EXISTS);
    assert_non_null(strstr(error.message, "the address is in use"));
    vow_server_close(server);

    atomic_store(&other.port, atomic_load(&cluster.port));
    assert_null(vow_threads_start(THREADS, part_set_up, &other, &error));
    assert_int_equal(error.code, VOW_ALREADY_EXISTS);
    assert_non_null(strstr(error.message, "thread 0: "));
    assert_non_null(strstr(error.message, "the address is in use"));
    cluster_close(&cluster);
}

/* A thread that can't be set up */

static vow_code part_fails(vow_loop *loop, size_t index, void *arg, vow_error *error)
{
    if (index == 2)
        return vow_error_set(error, VOW_NOT_FOUND, "its file is missing");
    return part_set_up(loop, index, arg, error);
}

static void a_setup_that_fails_is_named_and_stops_all(void **state)
{
    static cluster     cluster;
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    vow_error          error = { VOW_OK, "" };
    int                socket_of_client;

    (void)state;
    snprintf(cluster.unix_address, sizeof cluster.unix_address, "unix:///tmp/vow-threads-%ld",
             (long)getpid());
    assert_null(vow_threads_start(THREADS, part_fails, &cluster, &error));
    assert_int_equal(error.code, VOW_NOT_FOUND);
    assert_string_equal(error.message, "thread 2: its file is missing");
    address.sin_port = htons((uint16_t)atomic_load(&cluster.port));
    socket_of_client = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(socket_of_client, (struct sockaddr *)&address, sizeof address), -1);
    close(socket_of_client);
    assert_int_equal(access(cluster.unix_address + strlen("unix://"), F_OK), -1);
}

/* A listener that closes */

static void part_accept(void *owner, vow_stream *stream)
{
    part *part = owner;

    atomic_fetch_add(&part->served, 1);
    vow_stream_close(stream);
}

static vow_code part_listen(vow_loop *loop, size_t index, void *arg, vow_error *error)
{
    cluster *cluster = arg;
    part    *part = &cluster->parts[index];
    vow_code code;

    part->cluster = cluster;
    part->loop = loop;
    code = vow_listener_open(loop, "tcp://127.0.0.1:0", &(vow_listener_options){ 0 }, part_accept, part,
                             &part->listener, error);
    if (code == VOW_OK)
        atomic_store(&cluster->port, vow_listener_port(part->listener));
    return code;
}

static void part_unlisten(void *arg)
{
    part *part = arg;

    vow_listener_close(part->listener);
    atomic_fetch_add(&part->cluster->closed, 1);
}

static int raw_connect(cluster *cluster)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    struct timeval     patience = { .tv_sec = PATIENCE_S };
    int                connected = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_port = htons((uint16_t)atomic_load(&cluster->port));
    assert_true(connected >= 0);
    setsockopt(connected, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    assert_int_equal(connect(connected, (struct sockaddr *)&address, sizeof address), 0);
    return connected;
}

/* All but the first thread's close while connections are made: each of those is still taken by somebody. */
static void a_listener_that_closes_loses_no_connection(void **state)
{
    static cluster cluster;
    int            connected[RAW];
    unsigned       taken = 0;

    (void)state;
    cluster_open(&cluster, part_listen);
    for (size_t i = 0; i < RAW; i++) {
        if (i % 50 == 25 && i / 50 + 1 < THREADS)
            assert_int_equal(
                vow_loop_post(cluster.parts[i / 50 + 1].loop, part_unlisten, &cluster.parts[i / 50 + 1]),
                VOW_OK);
        connected[i] = raw_connect(&cluster);
    }
    for (size_t i = 0; i < RAW; i++) {
        char byte;

        assert_int_equal(read(connected[i], &byte, 1), 0); /* ended in order: neither reset nor forgotten */
        close(connected[i]);
    }
    for (size_t i = 0; i < THREADS; i++)
        taken += atomic_load(&cluster.parts[i].served);
    assert_int_equal(taken, RAW);
    assert_int_equal(vow_loop_post(cluster.parts[0].loop, part_unlisten, &cluster.parts[0]), VOW_OK);
    cluster_close(&cluster);
    assert_int_equal(atomic_load(&cluster.closed), THREADS);
}

/* Stopping */

static void *stop_threads(void *arg)
{
    vow_threads_stop(arg, GRACE_MS);
    return NULL;
}

static void count_success(vow_future *settled, void *arg)
{
    unsigned *succeeded = arg;

    *succeeded += vow_future_code(settled) == VOW_OK;
}

static void stopping_lets_calls_that_run_finish(void **state)
{
    static cluster cluster;
    pthread_t      stopper;
    vow_channel   *channels[8];
    unsigned       succeeded = 0;
    Calls__Text    request = CALLS__TEXT__INIT;

    (void)state;
    cluster_open(&cluster, part_set_up);
    for (size_t i = 0; i < 8; i++) {
        channels[i] = cluster_channel(&cluster, i % 2);
        vow_done(calls_calls_hold(channels[i], &request, NULL), count_success, &succeeded);
    }
    while (atomic_load(&cluster.held) < 8)
        uv_run(&cluster.uv, UV_RUN_ONCE);
    assert_int_equal(pthread_create(&stopper, NULL, stop_threads, cluster.threads), 0);
    uv_run(&cluster.uv, UV_RUN_DEFAULT);
    assert_int_equal(succeeded, 8);
    for (size_t i = 0; i < 8; i++)
        vow_channel_close(channels[i]);
    cluster_close_client(&cluster);
    pthread_join(stopper, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_share_a_port_and_a_unix_socket_evenly),
        cmocka_unit_test(a_second_server_on_a_busy_port_is_refused),
        cmocka_unit_test(a_setup_that_fails_is_named_and_stops_all),
        cmocka_unit_test(a_listener_that_closes_loses_no_connection),
        cmocka_unit_test(stopping_lets_calls_that_run_finish),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
