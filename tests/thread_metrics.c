/* Servers with a loop for each thread, whose metrics are read and added up by another while they count. */
#include "tests/support/exposition.h"

#include "calls.vow.h"

#include <vow/vow.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define THREADS 3
#define CALLS 3000
#define AT_ONCE 50

typedef struct cluster {
    vow_metrics *metrics[THREADS];
    vow_threads *threads;
    atomic_int   port;
    atomic_bool  is_over;
    size_t       pages; /* that the scraper has read */
    char         fault[300];
} cluster;

/* The servers */

static void serve_echo(vow_call *call, const Calls__Text *request, void *arg)
{
    (void)arg;
    calls_calls_echo_reply(call, request);
}

static vow_code set_up(vow_loop *loop, size_t index, void *arg, vow_error *error)
{
    static const calls_calls_service service = { .echo = serve_echo };
    cluster                         *cluster = arg;
    vow_server                      *server = vow_server_open(loop, NULL);
    vow_code                         code;

    calls_calls_serve(server, &service, NULL);
    vow_server_intercept(server, vow_metrics_interceptor(cluster->metrics[index]));
    code = vow_server_listen(server, "tcp://127.0.0.1:0", error);
    atomic_store(&cluster->port, vow_server_port(server));
    return code;
}

/* Who reads */

struct text {
    char  *data;
    size_t size;
};

static void text_take(const char *piece, size_t size, void *arg)
{
    struct text *text = arg;
    char        *larger = realloc(text->data, text->size + size + 1);

    if (!larger)
        abort();
    text->data = larger;
    memcpy(text->data + text->size, piece, size + 1);
    text->size += size;
}

static struct text cluster_page(cluster *cluster)
{
    vow_metrics *sum = vow_metrics_new(NULL);
    struct text  page = { calloc(1, 1), 0 };

    for (size_t i = 0; sum && i < THREADS; i++)
        vow_metrics_add(sum, cluster->metrics[i]);
    if (sum)
        vow_metrics_print(sum, text_take, &page);
    vow_metrics_free(sum);
    return page;
}

/* A failed assertion would end this thread alone: so what is wrong is kept. */
static void *scrape(void *arg)
{
    cluster *cluster = arg;
    double   before = 0;

    while (!atomic_load(&cluster->is_over) && !cluster->fault[0]) {
        struct text page = cluster_page(cluster);
        const char *fault = exposition_fault(page.data);
        double      now =
            exposition_value(page.data, "vow_server_calls_started_total{method=\"calls.Calls/Echo\"}");
        double running =
            exposition_value(page.data, "vow_server_calls_in_flight{method=\"calls.Calls/Echo\"}");

        if (fault)
            snprintf(cluster->fault, sizeof cluster->fault, "%s", fault);
        else if ((now >= 0 && now < before) ||
                 running > CALLS) /* of some, both begin and end are in between */
            snprintf(cluster->fault, sizeof cluster->fault, "%g calls after %g, %g running", now, before,
                     running);
        before = now > before ? now : before;
        cluster->pages++;
        free(page.data);
    }
    return NULL;
}

/* Who calls */

static vow_future *ask(size_t index, void *arg)
{
    static char text[] = "hello";
    Calls__Text request = CALLS__TEXT__INIT;

    (void)index;
    request.text = text;
    return calls_calls_echo(arg, &request, VOW_CALL(.wait_for_ready = true));
}

static void run_calls(cluster *cluster)
{
    char         target[40];
    uv_loop_t    uv;
    vow_loop    *loop;
    vow_channel *channel;
    vow_future  *all;

    snprintf(target, sizeof target, "tcp://127.0.0.1:%d", atomic_load(&cluster->port));
    assert_int_equal(uv_loop_init(&uv), 0);
    loop = vow_loop_attach(&uv);
    channel =
        vow_channel_open(loop, target, VOW_CHANNEL(.connections = 2 * THREADS, .max_waiting_calls = CALLS));
    all = vow_each(loop, CALLS, AT_ONCE, ask, channel);
    assert_int_equal(vow_wait(all), VOW_OK);
    vow_drop(all);
    vow_loop_close(loop);
    uv_run(&uv, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&uv), 0);
}

static void metrics_can_be_read_while_every_thread_counts(void **state)
{
    static cluster cluster;
    vow_error      error = { VOW_OK, "" };
    pthread_t      scraper;
    struct text    page;

    (void)state;
    for (size_t i = 0; i < THREADS; i++)
        assert_non_null(cluster.metrics[i] = vow_metrics_new(NULL));
    cluster.threads = vow_threads_start(THREADS, set_up, &cluster, &error);
    if (!cluster.threads)
        fail_msg("%s", error.message);
    assert_int_equal(pthread_create(&scraper, NULL, scrape, &cluster), 0);
    run_calls(&cluster);
    atomic_store(&cluster.is_over, true);
    assert_int_equal(pthread_join(scraper, NULL), 0);
    assert_string_equal(cluster.fault, "");
    assert_in_range(cluster.pages, 1, SIZE_MAX);
    vow_threads_stop(cluster.threads, 1000);
    page = cluster_page(&cluster);
    assert_int_equal(
        exposition_value(page.data, "vow_server_calls_total{method=\"calls.Calls/Echo\",code=\"OK\"}"),
        CALLS);
    assert_int_equal(
        exposition_value(page.data, "vow_server_received_bytes_total{method=\"calls.Calls/Echo\"}"),
        7 * CALLS);
    free(page.data);
    for (size_t i = 0; i < THREADS; i++)
        vow_metrics_free(cluster.metrics[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metrics_can_be_read_while_every_thread_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
