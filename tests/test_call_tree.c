/*
 * Calls that are made for other calls, five services deep: what they inherit, and how they end.
 *
 * The idea: five servers, each with a channel to the next. A handler notes what it was given, spends some
 * time, and asks the next server, once or several times; those of the last answer at once or never. So the
 * whole tree hangs on one call of the test's.
 */
#include "tests/support/streams.h"

#include <vow/testing.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH 5
#define WIDTH_MAX 3
#define HOUR_MS (3600 * 1000)
#define NS_PER_MS 1000000

/* One way, and what a small message and the simulated network's rounding may add for each hop. */
#define LATENCY_MS 5
#define SLACK_US 200

#define TRACE_ID "0af7651916cd43dd8448eb211c80319c"
#define PARENT_ID "b7ad6b7169203331"
#define TRACE_PARENT "00-" TRACE_ID "-" PARENT_ID "-01"

struct tree;

typedef struct service {
    struct tree *tree;
    size_t       level; /* from 1 on */
    vow_server  *server;
    vow_channel *next; /* NULL: the last */
    char         address[160];
    size_t       began;
    size_t       closed;
    vow_code     code;      /* that the last handler's call was closed with */
    uint64_t     closed_ns; /* when */
    int64_t      left_ms;   /* that the last call had when it began */
    bool         has_trace;
    vow_trace    trace;
    char         state[64];
    char         tenant[64];
    char         secret[64];
} service;

typedef struct tree {
    world              *world; /* the first service's world, whose channel leads to it */
    service             services[DEPTH];
    size_t              width;      /* calls that a handler makes */
    int64_t             spends_ms;  /* before it makes them */
    bool                answers;    /* the last one */
    bool                last_fails; /* the first of the last */
    bool                streams;
    uint64_t            random;
    size_t              ended; /* what handlers gave to vow_call_answer and has really ended */
    size_t              answered;
    const vow_metadata *own; /* of each child call */
} tree;

/* The services */

/* All values under a name, with commas between. */
static void copy_metadata(const vow_call *call, const char *name, char *text, size_t size)
{
    size_t used = 0;

    text[0] = '\0';
    for (const vow_metadata *entry = vow_call_metadata(call); entry->name; entry++) {
        if (strcmp(entry->name, name) == 0 && used < size)
            used += (size_t)snprintf(text + used, size - used, "%s%s", used ? "," : "", entry->value);
    }
}

static void service_note(service *service, vow_call *call)
{
    service->began++;
    service->left_ms = vow_call_time_left_ms(call);
    service->has_trace = vow_call_trace(call, &service->trace);
    copy_metadata(call, "tracestate", service->state, sizeof service->state);
    copy_metadata(call, "tenant", service->tenant, sizeof service->tenant);
    copy_metadata(call, "secret", service->secret, sizeof service->secret);
}

static void service_closed(vow_future *closed, void *arg)
{
    service *service = arg;

    service->closed++;
    service->code = vow_future_code(closed);
    service->closed_ns = vow_loop_now_ns(vow_future_loop(closed));
}

/* What one handler needs later; in its call's memory. */
struct handling {
    service  *service;
    vow_call *call;
};

static void handling_ended(void *object)
{
    tree *tree = object;

    tree->ended++;
}

static void drop_call(void *call)
{
    vow_call_drop(call);
}

static vow_future *ask_once(service *service, vow_call *parent)
{
    const vow_call_options *options =
        VOW_CALL(.parent = parent, .timeout_ms = HOUR_MS, .metadata = service->tree->own);
    Calls__Text request = CALLS__TEXT__INIT;
    vow_call   *call;

    if (!service->tree->streams)
        return calls_calls_hold(service->next, &request, options);
    call = vow_call_start(service->next, &streams_chat, options);
    vow_call_send(call, &request.base);
    return vow_attach(vow_call_when_closed(call), call, drop_call);
}

static vow_future *reply_first(vow_future *all, void *arg)
{
    struct handling *handling = arg;
    Calls__Text      reply = CALLS__TEXT__INIT;

    (void)all;
    if (!handling->service->tree->streams)
        vow_call_reply(handling->call, &reply.base);
    return NULL;
}

static vow_future *ask_next(vow_future *slept, void *arg)
{
    struct handling *handling = arg;
    service         *service = handling->service;
    vow_future      *replies[WIDTH_MAX];

    for (size_t i = 0; i < service->tree->width; i++)
        replies[i] = ask_once(service, handling->call);
    return vow_all(vow_future_loop(slept), service->tree->width, replies);
}

static vow_future *service_do(service *service, vow_call *call)
{
    vow_loop        *loop = vow_call_loop(call);
    tree            *tree = service->tree;
    struct handling *handling = vow_call_alloc(call, sizeof *handling);

    assert_non_null(handling);
    *handling = (struct handling){ service, call };
    if (service->next)
        return vow_then(vow_then(vow_sleep(loop, tree->spends_ms), ask_next, handling), reply_first,
                        handling);
    if (tree->last_fails && service->began == 1)
        return vow_failure(loop, VOW_ABORTED, "the first leaf falls");
    return vow_then(vow_sleep(loop, tree->answers ? 0 : HOUR_MS), reply_first, handling);
}

static void serve(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    service *service = handler->arg;

    (void)request;
    service_note(service, call);
    vow_done(vow_call_when_closed(call), service_closed, service);
    vow_call_answer(call, vow_attach(service_do(service, call), service->tree, handling_ended));
}

/* The tree */

static void service_open(tree *tree, size_t level)
{
    service    *service = &tree->services[level - 1];
    world      *world = tree->world;
    vow_error   error;
    vow_handler handlers[] = {
        { sizeof(vow_handler), &calls_calls_hold_method, serve, NULL, service },
        { sizeof(vow_handler), &streams_chat, serve, NULL, service },
    };

    service->tree = tree;
    service->level = level;
    service->server = level == 1 ? world->server : vow_server_open(world->loop, NULL);
    for (size_t i = 0; i < sizeof handlers / sizeof handlers[0]; i++)
        vow_server_handle(service->server, &handlers[i]);
    if (level > 1 && vow_server_listen(service->server, "tcp://127.0.0.1:0", &error) != VOW_OK)
        fail_msg("%s", error.message);
    snprintf(service->address, sizeof service->address, "tcp://127.0.0.1:%d",
             vow_server_port(service->server));
    if (level > 1)
        tree->services[level - 2].next = vow_channel_open(
            world->loop, service->address, VOW_CHANNEL(.inherited = VOW_NAMES("tenant", "absent")));
}

static vow_future *tree_call(tree *tree, int64_t timeout_ms, const vow_metadata *metadata)
{
    Calls__Text request = CALLS__TEXT__INIT;

    return calls_calls_hold(tree->world->channel, &request,
                            VOW_CALL(.timeout_ms = timeout_ms, .metadata = metadata));
}

/* Calls once through all of it, so that every connection is there. */
static void tree_connect(tree *tree)
{
    tree->answers = true;
    assert_int_equal(world_settle(tree->world, tree_call(tree, 5000, NULL)), VOW_OK);
    tree->answers = false;
    tree->ended = 0;
    for (size_t i = 0; i < DEPTH; i++) {
        tree->services[i].began = 0;
        tree->services[i].closed = 0;
    }
}

static int open_tree(void **state, world_kind kind)
{
    tree *tree = calloc(1, sizeof *tree);

    assert_non_null(tree);
    tree->world = world_new(kind);
    tree->width = 1;
    if (!tree->world->uv)
        vow_network_set_faults(
            vow_network_of(tree->world->loop),
            VOW_NETWORK_FAULTS(.latency_us = LATENCY_MS * 1000, .bytes_per_second = 1 << 30));
    for (size_t level = 1; level <= DEPTH; level++)
        service_open(tree, level);
    tree_connect(tree);
    *state = tree;
    return 0;
}

static int open_simulated(void **state)
{
    return open_tree(state, WORLD_SIMULATED);
}
static int open_tcp(void **state)
{
    return open_tree(state, WORLD_TCP);
}

static int close_tree(void **state)
{
    tree *tree = *state;

    for (size_t i = 0; i < DEPTH; i++) {
        vow_channel_close(tree->services[i].next);
        if (i > 0)
            vow_server_close(tree->services[i].server);
    }
    world_free(tree->world);
    free(tree);
    return 0;
}

static size_t tree_handlers(const tree *tree)
{
    size_t at_level = 1;
    size_t count = 0;

    for (size_t i = 0; i < DEPTH; i++, at_level *= tree->width)
        count += at_level;
    return count;
}

static size_t tree_began(const tree *tree)
{
    size_t count = 0;

    for (size_t i = 0; i < DEPTH; i++)
        count += tree->services[i].began;
    return count;
}

static bool all_began(const world *world, void *arg)
{
    (void)world;
    return tree_began(arg) == tree_handlers(arg);
}

static bool all_ended(const world *world, void *arg)
{
    const tree *tree = arg;

    (void)world;
    for (size_t i = 0; i < DEPTH; i++) {
        if (tree->services[i].closed < tree->services[i].began)
            return false;
    }
    return tree->ended == tree_began(tree);
}

/* No server runs a call any more, which would take an hour: each drains in the round trip that it takes to tell. */
static void assert_nothing_runs(tree *tree)
{
    int64_t grace_ms = tree->world->uv ? 10000 : 3 * LATENCY_MS;

    for (size_t i = 0; i < DEPTH; i++)
        assert_int_equal(world_settle(tree->world, vow_server_drain(tree->services[i].server, grace_ms)), VOW_OK);
}

/* What follows from `since_ns` reached each service no later than a message from the test could. */
static void assert_ended_in_one_way(const tree *tree, uint64_t since_ns)
{
    if (tree->world->uv)
        return; /* other programs may keep the machine busy */
    for (size_t level = 1; level <= DEPTH; level++) {
        uint64_t took_ns = tree->services[level - 1].closed_ns - since_ns;

        assert_in_range(took_ns / 1000, 0, level * (LATENCY_MS * 1000 + SLACK_US));
    }
}

/* Deadlines */

static void the_time_left_shrinks_at_each_hop_by_what_was_spent(void **state)
{
    tree       *tree = *state;
    vow_future *reply;

    tree->spends_ms = 20;
    tree->answers = true;
    reply = tree_call(tree, 5000, NULL);
    assert_int_equal(world_settle(tree->world, reply), VOW_OK);
    assert_in_range(tree->services[0].left_ms, 1, 5000);
    for (size_t i = 1; i < DEPTH; i++) {
        int64_t spent_ms = tree->services[i - 1].left_ms - tree->services[i].left_ms;

        assert_in_range(spent_ms, 20, tree->world->uv ? 5000 : 21);
    }
}

static void a_deadline_passes_at_every_service_at_the_same_moment(void **state)
{
    tree       *tree = *state;
    uint64_t    since_ns = vow_loop_now_ns(tree->world->loop);
    vow_future *reply = tree_call(tree, 200, NULL);

    tree->width = 2;
    world_run_until(tree->world, all_began, tree);
    assert_int_equal(world_settle(tree->world, reply), VOW_DEADLINE_EXCEEDED);
    world_run_until(tree->world, all_ended, tree);
    assert_ended_in_one_way(tree, since_ns + 200 * NS_PER_MS);
    for (size_t i = 0; i < DEPTH; i++)
        assert_true(tree->services[i].code == VOW_DEADLINE_EXCEEDED ||
                    tree->services[i].code == VOW_CANCELLED);
    assert_nothing_runs(tree);
}

static void a_call_that_began_after_its_parents_deadline_never_runs_long(void **state)
{
    tree       *tree = *state;
    vow_future *reply = tree_call(tree, 50, NULL);

    tree->spends_ms = 100;
    assert_int_equal(world_settle(tree->world, reply), VOW_DEADLINE_EXCEEDED);
    world_advance_ms(tree->world, 200);
    assert_int_equal(tree_began(tree), 1);
    assert_nothing_runs(tree);
}

/* Cancellation */

static void abandon_after_all_began(tree *tree)
{
    vow_future *reply = tree_call(tree, HOUR_MS, NULL);
    uint64_t    since_ns;

    world_run_until(tree->world, all_began, tree);
    since_ns = vow_loop_now_ns(tree->world->loop);
    vow_drop(reply);
    world_run_until(tree->world, all_ended, tree);
    assert_ended_in_one_way(tree, since_ns);
    for (size_t i = 0; i < DEPTH; i++)
        assert_int_equal(tree->services[i].code, VOW_CANCELLED);
    assert_nothing_runs(tree);
}

static void an_abandoned_chain_of_calls_ends_everywhere_within_one_way(void **state)
{
    abandon_after_all_began(*state);
}

static void an_abandoned_tree_of_calls_ends_everywhere_within_one_way(void **state)
{
    tree *tree = *state;

    tree->width = WIDTH_MAX; /* 121 handlers */
    abandon_after_all_began(tree);
}

static void an_abandoned_tree_of_streams_ends_everywhere_within_one_way(void **state)
{
    tree *tree = *state;

    tree->width = 2;
    tree->streams = true;
    abandon_after_all_began(tree);
}

static void a_tree_whose_client_vanishes_ends_everywhere(void **state)
{
    tree       *tree = *state;
    vow_future *reply;

    tree->width = 2;
    reply = tree_call(tree, HOUR_MS, NULL);
    world_run_until(tree->world, all_began, tree);
    vow_channel_close(tree->world->channel);
    tree->world->channel = NULL;
    assert_int_equal(world_settle(tree->world, reply), VOW_CANCELLED);
    world_run_until(tree->world, all_ended, tree);
    assert_nothing_runs(tree);
}

/* vow_all cancels the others; so do all those above. */
static void a_leaf_that_fails_ends_the_whole_tree(void **state)
{
    tree       *tree = *state;
    vow_future *reply;

    tree->width = 2;
    tree->last_fails = true;
    reply = tree_call(tree, HOUR_MS, NULL);
    assert_string_equal(world_error(tree->world, reply), "ABORTED: the first leaf falls");
    world_run_until(tree->world, all_ended, tree);
    assert_nothing_runs(tree);
}

/* A tree that is dropped while it still grows: nothing more begins once it has ended. */
static void a_tree_that_is_abandoned_while_it_grows_stops_growing(void **state)
{
    tree       *tree = *state;
    vow_future *reply;
    size_t      began;

    tree->width = 2;
    tree->spends_ms = 10;
    reply = tree_call(tree, HOUR_MS, NULL);
    world_advance_ms(tree->world, 30);
    began = tree_began(tree);
    vow_drop(reply);
    world_advance_ms(tree->world, 5 * (LATENCY_MS + 1));
    assert_in_range(began, 1, tree_handlers(tree) - 1);
    assert_true(all_ended(tree->world, tree));
    assert_nothing_runs(tree);
}

/* Trace and metadata */

static void answer_through_all(tree *tree, const vow_metadata *metadata)
{
    tree->answers = true;
    assert_int_equal(world_settle(tree->world, tree_call(tree, 5000, metadata)), VOW_OK);
    assert_int_equal(tree_began(tree), DEPTH);
}

static void a_trace_reaches_the_fifth_service_under_a_new_parent_id_at_each(void **state)
{
    tree *tree = *state;

    answer_through_all(tree, VOW_METADATA({ .name = "traceparent", .value = TRACE_PARENT },
                                          { .name = "tracestate", .value = "rojo=1" },
                                          { .name = "tracestate", .value = "congo=2" }));
    assert_string_equal(tree->services[0].trace.parent_id, PARENT_ID);
    for (size_t i = 0; i < DEPTH; i++) {
        assert_true(tree->services[i].has_trace);
        assert_string_equal(tree->services[i].trace.trace_id, TRACE_ID);
        assert_int_equal(tree->services[i].trace.flags, VOW_TRACE_SAMPLED);
        assert_string_equal(tree->services[i].state, "rojo=1,congo=2");
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(tree->services[i].trace.parent_id, tree->services[j].trace.parent_id);
    }
}

static void streams_inherit_the_trace_as_well(void **state)
{
    tree     *tree = *state;
    vow_call *call;

    tree->streams = true;
    call = vow_call_start(tree->world->channel, &streams_chat,
                          VOW_CALL(.metadata = VOW_METADATA({ .name = "traceparent", .value = TRACE_PARENT },
                                                            { .name = "tenant", .value = "blue" })));
    world_run_until(tree->world, all_began, tree);
    assert_string_equal(tree->services[DEPTH - 1].trace.trace_id, TRACE_ID);
    assert_string_not_equal(tree->services[DEPTH - 1].trace.parent_id, PARENT_ID);
    assert_string_equal(tree->services[DEPTH - 1].tenant, "blue");
    vow_call_drop(call);
    world_run_until(tree->world, all_ended, tree);
}

static void a_malformed_traceparent_is_not_passed_on(void **state)
{
    tree *tree = *state;

    answer_through_all(tree,
                       VOW_METADATA({ .name = "traceparent", .value = "00-" TRACE_ID "-" PARENT_ID "-0" },
                                    { .name = "tracestate", .value = "rojo=1" }));
    assert_false(tree->services[0].has_trace);
    assert_string_equal(tree->services[0].state, "rojo=1");
    assert_false(tree->services[1].has_trace);
    assert_string_equal(tree->services[1].state, "");
}

static void a_malformed_tracestate_is_left_out_and_the_trace_goes_on(void **state)
{
    tree *tree = *state;

    answer_through_all(tree, VOW_METADATA({ .name = "traceparent", .value = TRACE_PARENT },
                                          { .name = "tracestate", .value = "ROJO=1" }));
    assert_string_equal(tree->services[1].trace.trace_id, TRACE_ID);
    assert_string_equal(tree->services[1].state, "");
}

static void a_call_without_a_trace_begins_none(void **state)
{
    tree *tree = *state;

    answer_through_all(tree, NULL);
    assert_false(tree->services[0].has_trace);
    assert_false(tree->services[DEPTH - 1].has_trace);
}

static void a_trace_that_a_child_sets_itself_wins(void **state)
{
    tree *tree = *state;

    tree->own = VOW_METADATA(
        { .name = "traceparent", .value = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00" });
    answer_through_all(tree, VOW_METADATA({ .name = "traceparent", .value = TRACE_PARENT },
                                          { .name = "tracestate", .value = "rojo=1" }));
    assert_string_equal(tree->services[1].trace.trace_id, "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_string_equal(tree->services[1].trace.parent_id, "00f067aa0ba902b7");
    assert_string_equal(tree->services[1].state, "");
}

/* As a tracing system does that adds itself to the list. */
static void a_child_may_set_the_tracestate_alone(void **state)
{
    tree *tree = *state;

    tree->own = VOW_METADATA({ .name = "tracestate", .value = "mine=2,rojo=1" });
    answer_through_all(tree, VOW_METADATA({ .name = "traceparent", .value = TRACE_PARENT },
                                          { .name = "tracestate", .value = "rojo=1" }));
    assert_string_equal(tree->services[1].trace.trace_id, TRACE_ID);
    assert_string_equal(tree->services[1].state, "mine=2,rojo=1");
}

static void metadata_that_the_channel_names_are_inherited_and_others_are_not(void **state)
{
    tree *tree = *state;

    answer_through_all(
        tree, VOW_METADATA({ .name = "secret", .value = "x" }, { .name = "tenant", .value = "blue" }));
    for (size_t i = 0; i < DEPTH; i++)
        assert_string_equal(tree->services[i].tenant, "blue");
    assert_string_equal(tree->services[0].secret, "x");
    assert_string_equal(tree->services[1].secret, "");
}

static void metadata_that_a_child_sets_itself_win(void **state)
{
    tree *tree = *state;

    tree->own = VOW_METADATA({ .name = "tenant", .value = "green" });
    answer_through_all(tree, VOW_METADATA({ .name = "tenant", .value = "blue" }));
    assert_string_equal(tree->services[0].tenant, "blue");
    assert_string_equal(tree->services[1].tenant, "green");
    assert_string_equal(tree->services[DEPTH - 1].tenant, "green");
}

/* 16 KiB in all, 32 for each entry. */
static char *text_of(size_t size)
{
    char *text = malloc(size + 1);

    assert_non_null(text);
    memset(text, 'x', size);
    text[size] = '\0';
    return text;
}

static void inherited_metadata_beyond_the_limit_fail_the_child(void **state)
{
    tree *tree = *state;
    char *received = text_of(16 * 1024 - 32 - 6);
    char *own = text_of(1);

    tree->answers = true;
    tree->own = VOW_METADATA({ .name = "own", .value = own });
    assert_string_equal(
        world_error(tree->world,
                    tree_call(tree, 5000, VOW_METADATA({ .name = "tenant", .value = received }))),
        "RESOURCE_EXHAUSTED: metadata counts 16420 bytes, 32 for each entry included; 16384 are allowed");
    assert_int_equal(tree_began(tree), 1);
    free(received);
    free(own);
}

/* With room for it to the byte, and for one byte less. */
static void a_trace_that_does_not_fit_is_left_out(void **state)
{
    tree  *tree = *state;
    size_t trace_size = 11 + 55 + 32;

    for (size_t missing = 0; missing < 2; missing++) {
        char *own = text_of(16 * 1024 - 32 - 3 - trace_size + missing);

        tree->services[0].began = 0;
        tree->services[1].began = 0;
        tree->own = VOW_METADATA({ .name = "own", .value = own });
        tree->answers = true;
        assert_int_equal(world_settle(tree->world, tree_call(tree, 5000,
                                                             VOW_METADATA({ .name = "traceparent",
                                                                            .value = TRACE_PARENT }))),
                         VOW_OK);
        assert_int_equal(tree->services[1].has_trace, missing == 0);
        free(own);
    }
}

static void a_name_that_metadata_cannot_have_fails_the_channels_calls(void **state)
{
    tree        *tree = *state;
    vow_channel *channel = vow_channel_open(tree->world->loop, tree->services[0].address,
                                            VOW_CHANNEL(.inherited = VOW_NAMES("Authorization")));
    Calls__Text  request = CALLS__TEXT__INIT;

    assert_string_equal(
        world_error(tree->world, calls_calls_hold(channel, &request, NULL)),
        "INVALID_ARGUMENT: metadata \"Authorization\" to be inherited: a name has the characters "
        "a-z 0-9 _ - . and does not begin with \"grpc-\"");
    vow_channel_close(channel);
}

#define ON(world, test)                                                                                      \
    {                                                                                                        \
#test " (" #world ")", test, open_##world, close_tree, NULL                                          \
    }
#define ON_EACH(test) ON(simulated, test), ON(tcp, test)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EACH(the_time_left_shrinks_at_each_hop_by_what_was_spent),
        ON_EACH(a_deadline_passes_at_every_service_at_the_same_moment),
        ON_EACH(a_call_that_began_after_its_parents_deadline_never_runs_long),
        ON_EACH(an_abandoned_chain_of_calls_ends_everywhere_within_one_way),
        ON_EACH(an_abandoned_tree_of_calls_ends_everywhere_within_one_way),
        ON_EACH(an_abandoned_tree_of_streams_ends_everywhere_within_one_way),
        ON_EACH(a_tree_whose_client_vanishes_ends_everywhere),
        ON_EACH(a_leaf_that_fails_ends_the_whole_tree),
        ON(simulated, a_tree_that_is_abandoned_while_it_grows_stops_growing),
        ON_EACH(a_trace_reaches_the_fifth_service_under_a_new_parent_id_at_each),
        ON_EACH(streams_inherit_the_trace_as_well),
        ON_EACH(a_malformed_traceparent_is_not_passed_on),
        ON_EACH(a_malformed_tracestate_is_left_out_and_the_trace_goes_on),
        ON_EACH(a_call_without_a_trace_begins_none),
        ON_EACH(a_trace_that_a_child_sets_itself_wins),
        ON_EACH(a_child_may_set_the_tracestate_alone),
        ON_EACH(metadata_that_the_channel_names_are_inherited_and_others_are_not),
        ON_EACH(metadata_that_a_child_sets_itself_win),
        ON_EACH(inherited_metadata_beyond_the_limit_fail_the_child),
        ON_EACH(a_trace_that_does_not_fit_is_left_out),
        ON_EACH(a_name_that_metadata_cannot_have_fails_the_channels_calls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
