/*
 * What a program may do in a callback, done in every callback: it drops calls, closes channels, servers and
 * the loop, ends calls on both sides, sends and reads more, all by chance.
 *
 * The claim: nothing is used after it is gone, each callback that must come comes, and nothing is left.
 */
#include "tests/support/streams.h"

#include <vow/testing.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define CALLS 24
#define FUTURES 64
#define DEEDS_MOST 400

/* A call that somebody may do something with; NULL: it is not there any more. */
typedef struct place {
    struct scene *scene;
    vow_call     *call;
} place;

typedef struct scene {
    uv_loop_t    uv;
    vow_loop    *loop;
    vow_server  *server;
    vow_channel *channel;
    place        started[CALLS]; /* by the client, which drops them */
    place        served[CALLS];  /* lent until their memory is released */
    vow_future  *futures[FUTURES];
    uint64_t     random;
    size_t       deeds;
    size_t       waits; /* vow_done that are still to come */
    size_t       begun;
    size_t       ended; /* as interceptors saw it */
    bool         is_closing;
} scene;

static size_t chance(scene *scene, size_t below)
{
    scene->random = scene->random * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(scene->random >> 33) % below;
}

static void deeds(scene *scene);

/* Callbacks */

static void done(vow_future *future, void *arg)
{
    scene *scene = arg;

    (void)future;
    scene->waits--;
    deeds(scene);
}

/* What is dropped ends calls, and so calls interceptors, which come here. */
static void keep_future(scene *scene, size_t at, vow_future *future)
{
    vow_future *before = scene->futures[at];

    scene->futures[at] = future;
    vow_drop(before);
}

/* Somebody waits for it, or it is kept for later, or dropped. */
static void use_future(scene *scene, vow_future *future)
{
    size_t at = chance(scene, FUTURES);

    if (chance(scene, 3) == 0) {
        vow_drop(future);
    } else if (chance(scene, 2) == 0) {
        scene->waits++;
        vow_done(future, done, scene);
    } else {
        keep_future(scene, at, future);
    }
}

static vow_future *some_future(scene *scene)
{
    switch (chance(scene, 4)) {
    case 0:
        return vow_failure(scene->loop, VOW_ABORTED, "by chance");
    case 1:
        return vow_sleep(scene->loop, (int64_t)chance(scene, 3));
    case 2:
        return vow_value(scene->loop, NULL, NULL);
    default:
        return NULL;
    }
}

static vow_future *read_one(vow_call *call, const ProtobufCMessage *message, void *arg)
{
    scene *scene = arg;

    assert_int_equal(strlen(streams_text(message)) % 10, 0);
    (void)call;
    deeds(scene);
    return some_future(scene);
}

static void send_some(scene *scene, vow_call *call)
{
    static char text[70001];
    size_t      size = chance(scene, 4) == 0 ? 70000 : 10 * chance(scene, 20);

    memset(text, 'x', size);
    text[size] = '\0';
    streams_send(call, text);
}

static vow_future *room_came(vow_call *call, void *arg)
{
    scene *scene = arg;
    size_t before = scene->deeds;

    send_some(scene, call);
    deeds(scene);
    if (before == scene->deeds || chance(scene, 4) == 0)
        return vow_failure(scene->loop, VOW_ABORTED, "enough");
    return some_future(scene);
}

/* Deeds */

static void start_call(scene *scene)
{
    static const vow_method *const methods[] = { &streams_chat, &streams_join, &streams_count };
    place                         *place = &scene->started[chance(scene, CALLS)];
    vow_call                      *call;

    if (!scene->channel || place->call)
        return;
    call = vow_call_start(scene->channel, methods[chance(scene, 3)],
                          chance(scene, 2) ? VOW_CALL(.timeout_ms = (int64_t)chance(scene, 20) + 1) : NULL);
    if (place->call)
        vow_call_drop(call); /* an interceptor was faster */
    else
        place->call = call;
}

static void use_call(scene *scene, vow_call *call, size_t how)
{
    switch (how) {
    case 0:
        send_some(scene, call);
        break;
    case 1:
        vow_call_end(call);
        break;
    case 2:
        use_future(scene, vow_call_next(call));
        break;
    case 3:
        use_future(scene, vow_call_when_room(call));
        break;
    case 4:
        use_future(scene, vow_call_when_closed(call));
        break;
    case 5:
        use_future(scene, vow_call_read(call, read_one, scene));
        break;
    case 6:
        use_future(scene, vow_call_write(call, room_came, scene));
        break;
    default:
        use_future(scene, vow_call_when_draining(call));
        break;
    }
}

static void use_started(scene *scene)
{
    place    *place = &scene->started[chance(scene, CALLS)];
    vow_call *call = place->call;

    if (!call)
        return;
    if (chance(scene, 6) == 0) {
        place->call = NULL;
        vow_call_drop(call);
    } else {
        use_call(scene, call, chance(scene, 7));
    }
}

static void use_served(scene *scene)
{
    place      *place = &scene->served[chance(scene, CALLS)];
    vow_call   *call = place->call;
    Calls__Text reply = CALLS__TEXT__INIT;

    if (!call)
        return;
    reply.text = (char *)(uintptr_t) "0123456789";
    switch (chance(scene, 14)) {
    case 0:
        vow_call_fail(call, VOW_ABORTED, "by chance");
        break;
    case 1:
        vow_call_reply(call, &reply.base);
        break;
    case 2:
        if (vow_call_alloc(call, chance(scene, 5000)))
            vow_call_send_metadata(call, VOW_METADATA({ .name = "name", .value = "value" }));
        break;
    case 3:
        vow_call_answer(call, vow_call_when_closed(call));
        break;
    case 4:
        vow_call_answer(call, vow_call_read(call, read_one, scene));
        break;
    default:
        use_call(scene, call, chance(scene, 8));
        break;
    }
}

static void unary(scene *scene)
{
    Calls__Text request = CALLS__TEXT__INIT;

    request.text = (char *)(uintptr_t) "0123456789";
    if (scene->channel)
        use_future(scene, calls_calls_echo(scene->channel, &request, VOW_CALL(.timeout_ms = 5)));
}

static void close_something(scene *scene)
{
    vow_channel *channel = scene->channel;
    vow_server  *server = scene->server;

    switch (chance(scene, 40)) {
    case 0:
        scene->channel = NULL;
        vow_channel_close(channel);
        break;
    case 1:
        scene->server = NULL;
        vow_server_close(server);
        break;
    case 2:
        if (server)
            use_future(scene, vow_server_drain(server, 3));
        break;
    case 3:
        if (channel)
            vow_channel_cut(channel);
        break;
    case 4:
        scene->channel = NULL; /* the loop closes them */
        scene->server = NULL;
        scene->is_closing = true;
        vow_loop_close(scene->loop);
        break;
    default:
        break;
    }
}

static void deed(scene *scene)
{
    size_t at = chance(scene, FUTURES);

    switch (chance(scene, 8)) {
    case 0:
        start_call(scene);
        break;
    case 1:
        unary(scene);
        break;
    case 2:
        keep_future(scene, at, NULL);
        break;
    case 3:
        if (scene->channel)
            use_future(scene,
                       chance(scene, 2)
                           ? vow_channel_ready(scene->channel)
                           : vow_channel_changed(scene->channel, vow_channel_connectivity(scene->channel)));
        break;
    case 4:
    case 5:
        use_started(scene);
        break;
    case 6:
        use_served(scene);
        break;
    default:
        close_something(scene);
        break;
    }
}

static void deeds(scene *scene)
{
    for (size_t count = chance(scene, 4); count > 0 && scene->deeds < DEEDS_MOST && !scene->is_closing;
         count--) {
        scene->deeds++;
        deed(scene);
    }
}

/* The service */

static void served_released(void *object)
{
    ((place *)object)->call = NULL;
}

static void serve(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    scene *scene = handler->arg;
    place *place = NULL;

    (void)request;
    for (size_t i = 0; i < CALLS && !place; i++)
        place = scene->served[i].call ? NULL : &scene->served[i];
    if (!place) {
        vow_call_fail(call, VOW_RESOURCE_EXHAUSTED, "no place");
        return;
    }
    place->call = call;
    if (!vow_call_attach(call, place, served_released)) {
        vow_call_fail(call, VOW_RESOURCE_EXHAUSTED, "no memory");
        return;
    }
    if (chance(scene, 2))
        vow_call_answer(call, vow_call_when_closed(call));
    deeds(scene);
}

/* Interceptors */

static vow_future *sees_begin(vow_call *call, void *arg)
{
    scene *scene = arg;

    (void)call;
    scene->begun++;
    deeds(scene);
    return chance(scene, 3) ? NULL : some_future(scene);
}

static const ProtobufCMessage *sees_send(vow_call *call, const ProtobufCMessage *message, void *arg)
{
    (void)call;
    deeds(arg);
    return chance(arg, 20) ? message : NULL;
}

static ProtobufCMessage *sees_receive(vow_call *call, ProtobufCMessage *message, void *arg)
{
    (void)call;
    deeds(arg);
    return chance(arg, 20) ? message : NULL;
}

static void sees_end(vow_call *call, const vow_call_result *result, void *arg)
{
    scene *scene = arg;

    (void)result;
    scene->ended++;
    if (chance(scene, 10) == 0)
        vow_call_end_as(call, VOW_DATA_LOSS, "by chance");
    deeds(scene);
}

/* One run */

static void scene_open(scene *scene, const char *address, bool is_intercepted)
{
    const vow_interceptor interceptor = {
        sizeof interceptor, sees_begin, sees_send, sees_receive, sees_end, scene,
    };
    const vow_method *const methods[] = { &streams_chat, &streams_join, &streams_count,
                                          &calls_calls_echo_method };
    char                    bound[200];
    vow_error               error;

    assert_int_equal(uv_loop_init(&scene->uv), 0);
    scene->loop = vow_loop_attach(&scene->uv);
    scene->server = vow_server_open(scene->loop, NULL);
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        vow_server_handle(scene->server,
                          &(vow_handler){ sizeof(vow_handler), methods[i], serve, NULL, scene });
    if (is_intercepted)
        vow_server_intercept(scene->server, &interceptor);
    assert_int_equal(vow_server_listen(scene->server, address, &error), VOW_OK);
    snprintf(bound, sizeof bound, "%s", address);
    if (strncmp(address, "tcp:", 4) == 0)
        snprintf(bound, sizeof bound, "tcp://127.0.0.1:%d", vow_server_port(scene->server));
    scene->channel = vow_channel_open(scene->loop, bound, VOW_CHANNEL(.backoff_min_ms = 1, .connections = 2));
    if (is_intercepted)
        vow_channel_intercept(scene->channel, &interceptor);
}

static void scene_close(scene *scene)
{
    scene->deeds = DEEDS_MOST;
    for (size_t i = 0; i < FUTURES; i++)
        keep_future(scene, i, NULL);
    for (size_t i = 0; i < CALLS; i++) {
        vow_call_drop(scene->started[i].call);
        if (scene->served[i].call)
            vow_call_fail(scene->served[i].call, VOW_ABORTED, "the end");
    }
    if (!scene->is_closing)
        vow_loop_close(scene->loop);
    uv_run(&scene->uv, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&scene->uv), 0);
    assert_int_equal(scene->waits, 0);
    assert_int_equal(scene->begun, scene->ended);
}

static void run(uint64_t seed, const char *address, bool is_intercepted)
{
    scene *scene = calloc(1, sizeof *scene);

    assert_non_null(scene);
    scene->random = seed * 2 + 1;
    scene_open(scene, address, is_intercepted);
    for (int turn = 0; turn < 400 && !scene->is_closing && scene->deeds < DEEDS_MOST; turn++) {
        deed(scene);
        scene->deeds++;
        uv_run(&scene->uv, UV_RUN_NOWAIT);
    }
    scene_close(scene);
    free(scene);
}

/* SEEDS=N runs more, and says which; SEED=S runs one. Sockets and timers make no two runs quite the same. */
static void runs(const char *address, bool is_intercepted)
{
    const char *one = getenv("SEED");
    uint64_t    first = one ? strtoull(one, NULL, 10) : 1;
    uint64_t    count = one ? 1 : getenv("SEEDS") ? strtoull(getenv("SEEDS"), NULL, 10) : 100;

    for (uint64_t seed = first; seed < first + count; seed++) {
        if (getenv("SEEDS"))
            fprintf(stderr, "%s %d seed %llu\n", address, is_intercepted, (unsigned long long)seed);
        run(seed, address, is_intercepted);
    }
}

static void everything_may_end_in_any_callback(void **state)
{
    (void)state;
    runs("memory://any-moment", false);
}

static void everything_may_end_in_any_callback_of_calls_with_interceptors(void **state)
{
    (void)state;
    runs("memory://any-moment", true);
}

static void everything_may_end_in_any_callback_over_tcp(void **state)
{
    (void)state;
    runs("tcp://127.0.0.1:0", false);
}

static void everything_may_end_in_any_callback_with_interceptors_over_tcp(void **state)
{
    (void)state;
    runs("tcp://127.0.0.1:0", true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_may_end_in_any_callback),
        cmocka_unit_test(everything_may_end_in_any_callback_of_calls_with_interceptors),
        cmocka_unit_test(everything_may_end_in_any_callback_over_tcp),
        cmocka_unit_test(everything_may_end_in_any_callback_with_interceptors_over_tcp),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
