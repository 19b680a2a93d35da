#include "tests/support/world.h"

#include "tests/support/certificates.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#define PATIENCE_MS 20000

/* The service */

static void serve_echo(vow_call *call, const Calls__Text *request, void *arg)
{
    (void)arg;
    calls_calls_echo_reply(call, request);
}

static void serve_echo_block(vow_call *call, const Calls__Block *request, void *arg)
{
    (void)arg;
    calls_calls_echo_block_reply(call, request);
}

static void serve_echo_tree(vow_call *call, const Calls__Tree *request, void *arg)
{
    (void)arg;
    calls_calls_echo_tree_reply(call, request);
}

static void serve_fail(vow_call *call, const Calls__Text *request, void *arg)
{
    (void)arg;
    vow_call_fail(call, VOW_INVALID_ARGUMENT, "%s", request->text);
}

struct held {
    world    *world;
    vow_call *call;
};

static void held_remove(world *world, size_t place)
{
    world->held_count--;
    memmove(world->held + place, world->held + place + 1,
            (world->held_count - place) * sizeof world->held[0]);
}

static void held_closed(vow_future *closed, void *arg)
{
    struct held *held = arg; /* in the call's memory, which waits for us, also when the call was answered */
    world       *world = held->world;

    if (vow_future_code(closed) == VOW_OK)
        return;
    world->gone++;
    for (size_t i = 0; i < world->held_count; i++) {
        if (world->held[i] == held->call) {
            held_remove(world, i);
            vow_call_fail(held->call, VOW_CANCELLED, "the caller has gone");
            return;
        }
    }
}

static void serve_hold(vow_call *call, const Calls__Text *request, void *arg)
{
    world       *world = arg;
    struct held *held = vow_call_alloc(call, sizeof *held);

    (void)request;
    if (!held)
        return;
    *held = (struct held){ world, call };
    if (world->held_count == WORLD_HELD_MAX) {
        vow_call_fail(call, VOW_RESOURCE_EXHAUSTED, "the test holds no more calls");
        return;
    }
    world->held[world->held_count++] = call;
    world->held_ever++;
    vow_done(vow_call_when_closed(call), held_closed, held);
}

static const calls_calls_service service = {
    .echo = serve_echo,
    .echo_block = serve_echo_block,
    .echo_tree = serve_echo_tree,
    .hold = serve_hold,
    .fail = serve_fail,
    .read = serve_echo,
};

/* Life */

/* Where the server listens, and what the channel's target has in its place. */
static const struct kind {
    const char *transport;
    const char *scheme;
    bool        is_simulated;
    bool        has_tls;
} kinds[] = {
    [WORLD_SIMULATED] = { "tcp://", "tcp://", true, false },
    [WORLD_TCP] = { "tcp://", "tcp://", false, false },
    [WORLD_UNIX] = { "unix://", "unix://", false, false },
    [WORLD_MEMORY] = { "memory://", "memory://", false, false },
    [WORLD_GRPC] = { "tcp://", "grpc://", false, false },
    [WORLD_GRPC_SIMULATED] = { "tcp://", "grpc://", true, false },
    [WORLD_TLS] = { "tcp://", "tls://", false, true },
    [WORLD_TLS_MEMORY] = { "memory://", "tls+memory://", false, true },
    [WORLD_TLS_SIMULATED] = { "tcp://", "tls://", true, true },
    [WORLD_GRPCS] = { "tcp://", "grpcs://", false, true },
    [WORLD_GRPCS_SIMULATED] = { "tcp://", "grpcs://", true, true },
};

static const struct kind *world_kind_of(const world *world)
{
    return &kinds[world->kind];
}

static void world_choose_address(world *world)
{
    static unsigned count;
    const char     *transport = world_kind_of(world)->transport;

    if (strcmp(transport, "unix://") == 0)
        snprintf(world->address, sizeof world->address, "unix:///tmp/vow-test-%ld-%u", (long)getpid(),
                 count++);
    else if (strcmp(transport, "memory://") == 0)
        snprintf(world->address, sizeof world->address, "memory://test-%u", count++);
    else
        strcpy(world->address, "tcp://127.0.0.1:0");
}

static void world_choose_target(world *world)
{
    if (vow_server_port(world->server))
        snprintf(world->address, sizeof world->address, "tcp://127.0.0.1:%d", vow_server_port(world->server));
    snprintf(world->target, sizeof world->target, "%s%s", world_kind_of(world)->scheme,
             world->address + strlen(world_kind_of(world)->transport));
}

/* Where the test does not say what there is of TLS: a CA, and a server's certificate of it. */
static vow_server *world_open_server(const world *world, const vow_server_options *given)
{
    vow_server_options     options = { .size = sizeof options };
    const vow_tls_options *tls = VOW_TLS(.certificate_pem = certificate_text(certificate_of_server()),
                                         .key_pem = certificate_key(certificate_of_server()));

    if (given)
        options = *given;
    if (world_kind_of(world)->has_tls && !options.tls)
        options.tls = tls;
    return vow_server_open(world->loop, &options);
}

static vow_channel *world_open_channel(const world *world, const vow_channel_options *given)
{
    vow_channel_options    options = { .size = sizeof options };
    const vow_tls_options *tls = VOW_TLS(.ca_pem = certificate_text(certificate_of_ca()));

    if (given)
        options = *given;
    if (world_kind_of(world)->has_tls && !options.tls)
        options.tls = tls;
    return vow_channel_open(world->loop, world->target, &options);
}

static void world_open_loop(world *world)
{
    if (world_kind_of(world)->is_simulated) {
        world->loop = vow_loop_simulated(1);
    } else {
        world->uv = malloc(sizeof *world->uv);
        assert_non_null(world->uv);
        assert_int_equal(uv_loop_init(world->uv), 0);
        world->loop = vow_loop_attach(world->uv);
    }
    assert_non_null(world->loop);
}

world *world_new_with(world_kind kind, const vow_server_options *server, const vow_channel_options *channel)
{
    world    *world = calloc(1, sizeof *world);
    vow_error error = { VOW_OK, "" };

    assert_non_null(world);
    world->kind = kind;
    world_open_loop(world);
    world_choose_address(world);
    world->server = world_open_server(world, server);
    calls_calls_serve(world->server, &service, world);
    if (vow_server_listen(world->server, world->address, &error) != VOW_OK)
        fail_msg("%s", error.message);
    world_choose_target(world);
    world->channel = world_open_channel(world, channel);
    return world;
}

world *world_new(world_kind kind)
{
    return world_new_with(kind, NULL, NULL);
}

void world_free(world *world)
{
    vow_channel_close(world->channel);
    while (world->held_count)
        world_answer_held(world, "");
    vow_server_close(world->server);
    vow_loop_close(world->loop);
    if (world->uv) {
        uv_run(world->uv, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(world->uv), 0);
        free(world->uv);
    }
    free(world);
}

/* Waiting */

static void patience_is_over(uv_timer_t *timer)
{
    bool *over = timer->data;

    *over = true;
}

static void world_run_real_until(world *world, bool (*reached)(const struct world *world, void *arg),
                                 void  *arg)
{
    bool       over = false;
    uv_timer_t patience = { .data = &over };

    uv_timer_init(world->uv, &patience);
    uv_timer_start(&patience, patience_is_over, PATIENCE_MS, 0);
    while (!reached(world, arg) && !over)
        uv_run(world->uv, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&patience, NULL);
    uv_run(world->uv, UV_RUN_NOWAIT);
    if (over)
        fail_msg("what the test waits for did not happen within %d ms", PATIENCE_MS);
}

void world_run_until(world *world, bool (*reached)(const struct world *world, void *arg), void *arg)
{
    if (world->uv) {
        world_run_real_until(world, reached, arg);
        return;
    }
    for (int i = 0; i < PATIENCE_MS && !reached(world, arg); i++)
        vow_loop_advance(world->loop, 1);
    if (!reached(world, arg))
        fail_msg("what the test waits for did not happen within %d simulated ms", PATIENCE_MS);
}

static bool future_has_settled(const world *world, void *arg)
{
    (void)world;
    return vow_future_settled(arg);
}

void world_wait(world *world, vow_future *future)
{
    world_run_until(world, future_has_settled, future);
}

const char *world_error(world *world, vow_future *future)
{
    static char text[1024];

    world_wait(world, future);
    snprintf(text, sizeof text, "%s", vow_future_error(future));
    vow_drop(future);
    return text;
}

const char *world_text(world *world, vow_future *reply)
{
    static char text[1024];

    world_wait(world, reply);
    if (vow_future_code(reply) != VOW_OK)
        return world_error(world, reply);
    snprintf(text, sizeof text, "%s", ((const Calls__Text *)vow_future_value(reply))->text);
    vow_drop(reply);
    return text;
}

vow_code world_settle(world *world, vow_future *future)
{
    vow_code code;

    world_wait(world, future);
    code = vow_future_code(future);
    vow_drop(future);
    return code;
}

static bool enough_are_held(const world *world, void *arg)
{
    return world->held_count >= *(size_t *)arg;
}

void world_wait_for_held(world *world, size_t count)
{
    world_run_until(world, enough_are_held, &count);
}

void world_advance_ms(world *world, int64_t ms)
{
    if (world->uv)
        assert_int_equal(world_settle(world, vow_sleep(world->loop, ms)), VOW_OK);
    else
        vow_loop_advance(world->loop, ms);
}

/* Calling */

void world_answer_held(world *world, const char *text)
{
    Calls__Text reply = CALLS__TEXT__INIT;
    vow_call   *call = world->held[0];

    assert_true(world->held_count > 0);
    held_remove(world, 0);
    reply.text = (char *)(uintptr_t)text;
    calls_calls_hold_reply(call, &reply);
}

vow_future *world_echo(world *world, const char *text, const vow_call_options *options)
{
    Calls__Text request = CALLS__TEXT__INIT;

    request.text = (char *)(uintptr_t)text;
    return calls_calls_echo(world->channel, &request, options);
}

vow_future *world_hold(world *world, const char *text, const vow_call_options *options)
{
    Calls__Text request = CALLS__TEXT__INIT;

    request.text = (char *)(uintptr_t)text;
    return calls_calls_hold(world->channel, &request, options);
}

void world_assert_serves(world *world)
{
    assert_int_equal(world_settle(world, world_echo(world, "still there", NULL)), VOW_OK);
}
