/*
 * No allocation from the system on the steady path of a call, nor on that of a message of a stream.
 *
 * malloc, calloc, realloc, free and posix_memalign of the whole program are ours here, libuv's and
 * protobuf-c's calls included. Server and client run in one process, on a loop each, over a real TCP
 * connection.
 *
 * Memory is used again, so it grows to the most that was ever in use at once: how many calls end in one turn,
 * how much output waits, where a read cuts a frame. That is up to the system's scheduler. So the claim is
 * that soon a round of calls allocates nothing at all. What allocates for calls, or gives back and asks
 * again, does so in every round.
 */
#include "calls.vow.h"

#include <vow/vow.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#define CALLS 10000
#define ROUNDS_MAX 50

static atomic_bool   is_counting;
static atomic_size_t allocations;

/* glibc's own, under the names that it keeps for this. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);

static void count_one(void)
{
    if (atomic_load_explicit(&is_counting, memory_order_relaxed))
        atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
}

void *malloc(size_t size)
{
    count_one();
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    count_one();
    return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    count_one();
    return __libc_realloc(memory, size);
}

/* Interceptors that look at all, and keep a little for each call. */
static vow_future *begin(vow_call *call, void *arg)
{
    int *slot = vow_call_slot(call, arg, sizeof *slot);

    *slot = 1;
    return NULL;
}

static const ProtobufCMessage *send_as_it_is(vow_call *call, const ProtobufCMessage *message, void *arg)
{
    (void)call;
    (void)arg;
    return message;
}

static ProtobufCMessage *receive_as_it_is(vow_call *call, ProtobufCMessage *message, void *arg)
{
    (void)call;
    (void)arg;
    return message;
}

static void end(vow_call *call, const vow_call_result *result, void *arg)
{
    (void)call;
    (void)result;
    ++*(size_t *)arg;
}

static vow_interceptor interceptor_counting(size_t *ended)
{
    return (vow_interceptor){ sizeof(vow_interceptor), begin, send_as_it_is, receive_as_it_is, end, ended };
}

struct load {
    uv_loop_t    uv;
    vow_channel *channel;
    size_t       to_begin;
    size_t       open;
    size_t       failed;
};

static void load_begin_one(struct load *load);

static void answered(vow_future *reply, void *arg)
{
    struct load *load = arg;

    load->open--;
    load->failed += vow_future_code(reply) != VOW_OK;
    if (load->to_begin > 0)
        load_begin_one(load);
    else if (load->open == 0)
        uv_stop(&load->uv);
}

static void load_begin_one(struct load *load)
{
    static char text[] = "thirty-two bytes of some request";
    Calls__Text request = CALLS__TEXT__INIT;

    request.text = text;
    load->to_begin--;
    load->open++;
    vow_done(calls_calls_echo(load->channel, &request, NULL), answered, load);
}

static void load_run(struct load *load, size_t calls, size_t outstanding)
{
    load->to_begin = calls;
    while (load->open < outstanding && load->to_begin > 0)
        load_begin_one(load);
    uv_run(&load->uv, UV_RUN_DEFAULT);
}

/* What a round of calls asked of the system. */
static size_t load_count(struct load *load, size_t outstanding)
{
    atomic_store(&allocations, 0);
    atomic_store(&is_counting, true);
    load_run(load, CALLS, outstanding);
    atomic_store(&is_counting, false);
    return atomic_load(&allocations);
}

static void serve_echo(vow_call *call, const Calls__Text *request, void *arg)
{
    (void)arg;
    calls_calls_echo_reply(call, request);
}

static const vow_method talk_method = { sizeof talk_method,
                                        "calls.Streams/Talk",
                                        &calls__text__descriptor,
                                        &calls__text__descriptor,
                                        true,
                                        true,
                                        false,
                                        NULL };

static vow_future *talk_back(vow_call *call, const ProtobufCMessage *message, void *arg)
{
    (void)arg;
    vow_call_send(call, message);
    return NULL;
}

static void serve_talk(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    (void)request;
    (void)handler;
    vow_call_answer(call, vow_call_read(call, talk_back, NULL));
}

struct served {
    int    port;
    bool   intercepts;
    size_t ended;
};

static vow_code serve(vow_loop *loop, size_t index, void *arg, vow_error *error)
{
    static const calls_calls_service service = { .echo = serve_echo };
    struct served                   *served = arg;
    vow_server                      *server = vow_server_open(loop, NULL);

    (void)index;
    if (served->intercepts) {
        const vow_interceptor interceptor = interceptor_counting(&served->ended);

        vow_server_intercept(server, &interceptor);
    }
    calls_calls_serve(server, &service, NULL);
    vow_server_handle(server, &(vow_handler){ sizeof(vow_handler), &talk_method, serve_talk, NULL, NULL });
    if (vow_server_listen(server, "tcp://127.0.0.1:0", error) != VOW_OK)
        return error->code;
    served->port = vow_server_port(server);
    return VOW_OK;
}

static void count_at(size_t outstanding, bool intercepts)
{
    struct load   load = { .open = 0 };
    struct served served = { .intercepts = intercepts };
    size_t        ended = 0;
    size_t        rounds = 0; /* that have allocated */
    vow_error     error = { VOW_OK, "" };
    vow_threads  *threads = vow_threads_start(1, serve, &served, &error);
    vow_loop     *loop;
    char          target[64];

    if (!threads)
        fail_msg("%s", error.message);
    assert_int_equal(uv_loop_init(&load.uv), 0);
    loop = vow_loop_attach(&load.uv);
    snprintf(target, sizeof target, "tcp://127.0.0.1:%d", served.port);
    load.channel = vow_channel_open(loop, target, NULL);
    if (intercepts) {
        const vow_interceptor interceptor = interceptor_counting(&ended);

        vow_channel_intercept(load.channel, &interceptor);
    }
    load_run(&load, CALLS, 4 * outstanding);
    while (load_count(&load, outstanding) > 0)
        assert_in_range(++rounds, 1, ROUNDS_MAX);
    assert_int_equal(load.failed, 0);
    vow_loop_close(loop);
    uv_run(&load.uv, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&load.uv), 0);
    vow_threads_stop(threads, 1000);
    assert_int_equal(ended, intercepts ? (2 + rounds) * CALLS : 0);
    assert_int_equal(served.ended, ended);
}

static void one_call_at_a_time_allocates_nothing(void **state)
{
    (void)state;
    count_at(1, false);
}

static void a_hundred_calls_at_a_time_allocate_nothing(void **state)
{
    (void)state;
    count_at(100, false);
}

static void a_thousand_calls_at_a_time_allocate_nothing(void **state)
{
    (void)state;
    count_at(1000, false);
}

static void calls_that_pass_interceptors_allocate_nothing(void **state)
{
    (void)state;
    count_at(1, true);
    count_at(100, true);
}

/* Texts that are sent, echoed and read, on one stream. */
struct talk {
    uv_loop_t uv;
    vow_call *call;
    size_t    to_send;
    size_t    to_read;
};

static vow_future *talk_send(vow_call *call, void *arg)
{
    static char  text[] = "sixty-four bytes of a message, which goes one way and then back.";
    struct talk *talk = arg;
    Calls__Text  message = CALLS__TEXT__INIT;

    message.text = text;
    while (talk->to_send > 0) {
        talk->to_send--;
        if (!vow_call_send(call, &message.base))
            break;
    }
    return NULL;
}

static vow_future *talk_read(vow_call *call, const ProtobufCMessage *message, void *arg)
{
    struct talk *talk = arg;

    (void)call;
    (void)message;
    if (--talk->to_read == 0)
        uv_stop(&talk->uv);
    return NULL;
}

static void talk_run(struct talk *talk, size_t messages)
{
    talk->to_read = messages;
    for (talk->to_send = messages; talk->to_read > 0;) {
        talk_send(talk->call, talk);
        uv_run(&talk->uv, talk->to_send > 0 ? UV_RUN_ONCE : UV_RUN_DEFAULT);
    }
}

static size_t talk_count(struct talk *talk)
{
    atomic_store(&allocations, 0);
    atomic_store(&is_counting, true);
    talk_run(talk, CALLS);
    atomic_store(&is_counting, false);
    return atomic_load(&allocations);
}

static void messages_of_a_stream_allocate_nothing(void **state)
{
    struct talk   talk = { .call = NULL };
    struct served served = { 0 };
    size_t        rounds = 0; /* that have allocated */
    vow_error     error = { VOW_OK, "" };
    vow_threads  *threads = vow_threads_start(1, serve, &served, &error);
    vow_loop     *loop;
    vow_future   *reading;
    char          target[64];

    (void)state;
    assert_non_null(threads);
    assert_int_equal(uv_loop_init(&talk.uv), 0);
    loop = vow_loop_attach(&talk.uv);
    snprintf(target, sizeof target, "tcp://127.0.0.1:%d", served.port);
    talk.call = vow_call_start(vow_channel_open(loop, target, NULL), &talk_method, NULL);
    reading = vow_call_read(talk.call, talk_read, &talk);
    talk_run(&talk, 10 * CALLS);
    while (talk_count(&talk) > 0)
        assert_in_range(++rounds, 1, ROUNDS_MAX);
    assert_int_equal(talk.to_read, 0);
    vow_drop(reading);
    vow_call_drop(talk.call);
    vow_loop_close(loop);
    uv_run(&talk.uv, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&talk.uv), 0);
    vow_threads_stop(threads, 1000);
}

static void the_counter_counts(void **state)
{
    void *volatile memory;

    (void)state;
    atomic_store(&allocations, 0);
    atomic_store(&is_counting, true);
    memory = malloc(10);
    free(memory);
    atomic_store(&is_counting, false);
    assert_int_equal(atomic_load(&allocations), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_counter_counts),
        cmocka_unit_test(one_call_at_a_time_allocates_nothing),
        cmocka_unit_test(a_hundred_calls_at_a_time_allocate_nothing),
        cmocka_unit_test(a_thousand_calls_at_a_time_allocate_nothing),
        cmocka_unit_test(calls_that_pass_interceptors_allocate_nothing),
        cmocka_unit_test(messages_of_a_stream_allocate_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
