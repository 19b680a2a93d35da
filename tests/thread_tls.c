/* TLS with a loop per thread: what one thread's server has begun, another's resumes; and the hours of
 * tickets. */
#include "calls.vow.h"
#include "runtime/transport/tls/tls.h"
#include "tests/support/certificates.h"

#include <vow/testing.h>
#include <vow/vow.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#define THREADS 2
#define CONNECTIONS 6

typedef struct cluster {
    atomic_int  port;
    atomic_uint served[THREADS];
} cluster;

static void serve_echo(vow_call *call, const Calls__Text *request, void *arg)
{
    atomic_fetch_add((atomic_uint *)arg, 1);
    calls_calls_echo_reply(call, request);
}

static vow_code set_up(vow_loop *loop, size_t index, void *arg, vow_error *error)
{
    static const calls_calls_service service = { .echo = serve_echo };
    cluster                         *cluster = arg;
    const vow_tls_options *tls = VOW_TLS(.certificate_pem = certificate_text(certificate_of_server()),
                                         .key_pem = certificate_key(certificate_of_server()));
    vow_server            *server = vow_server_open(loop, VOW_SERVER(.tls = tls));
    vow_code               code;

    calls_calls_serve(server, &service, &cluster->served[index]);
    code = vow_server_listen(server, "tcp://127.0.0.1:0", error);
    atomic_store(&cluster->port, vow_server_port(server));
    return code;
}

static bool is_resumed(vow_channel *channel)
{
    Calls__Text         request = CALLS__TEXT__INIT;
    vow_connection_info info = VOW_CONNECTION_INFO_INIT;
    vow_future         *reply;

    vow_channel_cut(channel);
    reply = calls_calls_echo(channel, &request, VOW_CALL(.wait_for_ready = true));
    if (vow_wait(reply) != VOW_OK)
        fail_msg("%s", vow_future_error(reply));
    assert_true(vow_call_connection(vow_future_call(reply), &info));
    vow_drop(reply);
    return info.tls_was_resumed;
}

static void the_server_of_another_thread_resumes_what_one_began(void **state)
{
    cluster      cluster = { 0 };
    vow_error    error = { VOW_OK, "" };
    vow_threads *threads;
    uv_loop_t    uv;
    vow_loop    *loop;
    vow_channel *channel;
    char         target[64];

    (void)state;
    certificate_of_server(); /* made before there are threads */
    threads = vow_threads_start(THREADS, set_up, &cluster, &error);
    if (!threads)
        fail_msg("%s", error.message);
    assert_int_equal(uv_loop_init(&uv), 0);
    loop = vow_loop_attach(&uv);
    snprintf(target, sizeof target, "tls://127.0.0.1:%d", atomic_load(&cluster.port));
    channel = vow_channel_open(loop, target,
                               VOW_CHANNEL(.tls = VOW_TLS(.ca_pem = certificate_text(certificate_of_ca()))));
    for (int i = 0; i < CONNECTIONS; i++)
        assert_int_equal(is_resumed(channel), i > 0);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(atomic_load(&cluster.served[i]), CONNECTIONS / THREADS); /* they come in turn */
    vow_channel_close(channel);
    vow_loop_close(loop);
    uv_run(&uv, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&uv), 0);
    vow_threads_stop(threads, 1000);
}

/* Keys change by the hour; a ticket is good for the one in which it was sealed, and the next. */
static void a_ticket_is_opened_for_an_hour_and_not_for_two(void **state)
{
    static const char *const alpn[] = { "vow/1", NULL };
    vow_tls_context         *context;
    vow_error                error;
    uint8_t                  name[VOW_TLS_TICKET_NAME];
    uint8_t                  next[VOW_TLS_TICKET_NAME];

    (void)state;
    assert_int_equal(vow_tls_context_new(true,
                                         VOW_TLS(.certificate_pem = certificate_text(certificate_of_server()),
                                                 .key_pem = certificate_key(certificate_of_server())),
                                         alpn, &context, &error),
                     VOW_OK);
    assert_true(vow_tls_ticket_name(context, 500000, name));
    assert_true(vow_tls_ticket_name(context, 500001, next));
    assert_memory_not_equal(name, next, sizeof name);
    assert_int_equal(vow_tls_ticket_period_of(context, 500000, name), 500000);
    assert_int_equal(vow_tls_ticket_period_of(context, 500001, name), 500000);
    assert_int_equal(vow_tls_ticket_period_of(context, 500002, name), 0);
    assert_int_equal(vow_tls_ticket_period_of(context, 499999, name), 0);
    vow_tls_context_drop(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_server_of_another_thread_resumes_what_one_began),
        cmocka_unit_test(a_ticket_is_opened_for_an_hour_and_not_for_two),
    };

    return cmocka_run_group_tests_name("TLS on threads", tests, NULL, NULL);
}
