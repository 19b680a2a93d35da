/* Bearer tokens: what a server refuses and why, who its handlers see, and how a channel gets and keeps a
 * token. */
#include "runtime/service/bearer.h"
#include "tests/support/failing.h"
#include "tests/support/world.h"

#include <vow/bearer.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECRET "mF_9.B5f-4.1JqM" /* RFC 6750's own */
#define EXPECTED "send \"authorization: Bearer TOKEN\""
#define CHARACTERS "it has A-Z a-z 0-9 - . _ ~ + /, then any number of ="

/* A server that verifies */

/* Answers Echo with the identity that its handler sees. */
struct guarded {
    world               *world;
    vow_bearer_verifier *verifier;
    vow_promise         *promise; /* of a verification under way */
    size_t               verified;
    size_t               released; /* identities */
    size_t               cancelled;
};

static void serve_identity(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    Calls__Text reply = CALLS__TEXT__INIT;
    char       *identity = vow_bearer_identity(call);

    (void)request;
    (void)handler;
    reply.text = identity ? identity : (char *)"nobody";
    calls_calls_echo_reply(call, &reply);
}

static struct guarded *guarded_open(world_kind kind, const vow_bearer_options *options,
                                    vow_bearer_verify_fn *verify)
{
    static const vow_handler echo = { .size = sizeof echo,
                                      .method = &calls_calls_echo_method,
                                      .serve = serve_identity };
    struct guarded          *guarded = calloc(1, sizeof *guarded);

    assert_non_null(guarded);
    guarded->world = world_new(kind);
    guarded->verifier = vow_bearer_verifier_new(
        options, verify, verify == vow_bearer_verify_static ? SECRET : (void *)guarded);
    vow_server_handle(guarded->world->server, &echo);
    vow_server_intercept(guarded->world->server, vow_bearer_verifier_interceptor(guarded->verifier));
    return guarded;
}

static void guarded_close(struct guarded *guarded)
{
    world_free(guarded->world);
    vow_bearer_verifier_free(guarded->verifier);
    free(guarded);
}

static const char *guarded_error(struct guarded *guarded, const char *authorization)
{
    return world_error(
        guarded->world,
        world_echo(guarded->world, "",
                   VOW_CALL(.metadata = VOW_METADATA({ .name = "other", .value = "x" },
                                                     { .name = "authorization", .value = authorization }))));
}

static void the_right_token_lets_a_call_in_on(world_kind kind)
{
    struct guarded *guarded = guarded_open(kind, NULL, vow_bearer_verify_static);
    vow_future     *reply = world_echo(
            guarded->world, "",
            VOW_CALL(.metadata = VOW_METADATA({ .name = "authorization", .value = "Bearer " SECRET })));

    assert_int_equal(vow_wait(reply), VOW_OK);
    assert_string_equal(calls_calls_echo_result(reply)->text, SECRET);
    vow_drop(reply);
    guarded_close(guarded);
}

static void the_right_token_lets_a_call_in(void **state)
{
    (void)state;
    the_right_token_lets_a_call_in_on(WORLD_SIMULATED);
    the_right_token_lets_a_call_in_on(WORLD_TCP);
    the_right_token_lets_a_call_in_on(WORLD_UNIX);
    the_right_token_lets_a_call_in_on(WORLD_MEMORY);
}

static void anything_else_is_refused_with_what_was_expected(void **state)
{
    static const struct {
        const char *authorization;
        const char *error;
    } cases[] = {
        { "Bearer " SECRET, "OK" },
        { "bearer " SECRET, "OK" },
        { "BEARER    " SECRET, "OK" },
        { "Bearer wrong", "UNAUTHENTICATED: the bearer token is not valid" },
        { "Bearer " SECRET "=", "UNAUTHENTICATED: the bearer token is not valid" },
        { "Basic " SECRET, "UNAUTHENTICATED: authorization is of another scheme; " EXPECTED },
        { "Bearer" SECRET, "UNAUTHENTICATED: authorization is of another scheme; " EXPECTED },
        { "Bear", "UNAUTHENTICATED: authorization is of another scheme; " EXPECTED },
        { SECRET, "UNAUTHENTICATED: authorization is of another scheme; " EXPECTED },
        { "", "UNAUTHENTICATED: authorization is of another scheme; " EXPECTED },
        { "Bearer", "UNAUTHENTICATED: the bearer token is malformed: " CHARACTERS },
        { "Bearer  ", "UNAUTHENTICATED: the bearer token is malformed: " CHARACTERS },
        { "Bearer ==", "UNAUTHENTICATED: the bearer token is malformed: " CHARACTERS },
        { "Bearer a=b", "UNAUTHENTICATED: the bearer token is malformed: " CHARACTERS },
        { "Bearer " SECRET " ", "UNAUTHENTICATED: the bearer token is malformed: " CHARACTERS },
        { "Bearer " SECRET ", Basic x", "UNAUTHENTICATED: the bearer token is malformed: " CHARACTERS },
    };
    struct guarded *guarded = guarded_open(WORLD_TCP, NULL, vow_bearer_verify_static);

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(guarded_error(guarded, cases[i].authorization), cases[i].error);
    assert_string_equal(world_error(guarded->world, world_echo(guarded->world, "", NULL)),
                        "UNAUTHENTICATED: no authorization; " EXPECTED);
    assert_string_equal(
        world_error(guarded->world,
                    world_echo(guarded->world, "",
                               VOW_CALL(.metadata = VOW_METADATA(
                                            { .name = "authorization", .value = "Bearer " SECRET },
                                            { .name = "authorization", .value = "Bearer " SECRET })))),
        "UNAUTHENTICATED: authorization is there 2 times; send it once");
    guarded_close(guarded);
}

static void a_token_over_the_bound_is_refused_by_name(void **state)
{
    struct guarded *guarded = guarded_open(WORLD_SIMULATED, VOW_BEARER(.max_token_size = sizeof SECRET - 1),
                                           vow_bearer_verify_static);

    (void)state;
    assert_string_equal(guarded_error(guarded, "Bearer " SECRET), "OK");
    assert_string_equal(guarded_error(guarded, "Bearer " SECRET "x"),
                        "UNAUTHENTICATED: the bearer token has 16 bytes; 15 are allowed (max_token_size)");
    guarded_close(guarded);
}

static void methods_that_are_open_need_no_token(void **state)
{
    static const vow_method *const open[] = { &calls_calls_hold_method, &calls_calls_echo_method, NULL };
    struct guarded                *guarded =
        guarded_open(WORLD_SIMULATED, VOW_BEARER(.open_methods = open), vow_bearer_verify_static);
    vow_future *reply = world_echo(guarded->world, "", NULL);
    Calls__Text request = CALLS__TEXT__INIT;

    (void)state;
    assert_int_equal(vow_wait(reply), VOW_OK);
    assert_string_equal(calls_calls_echo_result(reply)->text, "nobody");
    vow_drop(reply);
    assert_string_equal(guarded_error(guarded, "Basic"), "OK");
    assert_int_equal(world_settle(guarded->world, calls_calls_fail(guarded->world->channel, &request, NULL)),
                     VOW_UNAUTHENTICATED);
    guarded_close(guarded);
}

static void identity_release(void *identity)
{
    struct guarded *guarded = *(struct guarded **)identity;

    guarded->released++;
    free(identity);
}

static void verification_cancelled(void *arg)
{
    struct guarded *guarded = arg;
    vow_promise    *promise = guarded->promise;

    guarded->cancelled++;
    guarded->promise = NULL;
    vow_reject(promise, VOW_CANCELLED, "no longer wanted");
}

static vow_future *verify_later(vow_call *call, const char *token, void *arg)
{
    struct guarded *guarded = arg;
    vow_future     *future = vow_promise_new(vow_call_loop(call), &guarded->promise);

    assert_string_equal(token, SECRET);
    guarded->verified++;
    vow_promise_on_cancel(guarded->promise, verification_cancelled, guarded);
    return future;
}

static bool is_being_verified(const world *world, void *arg)
{
    (void)world;
    return ((struct guarded *)arg)->promise != NULL;
}

static vow_future *guarded_hold(struct guarded *guarded)
{
    return world_hold(
        guarded->world, "",
        VOW_CALL(.metadata = VOW_METADATA({ .name = "authorization", .value = "Bearer " SECRET })));
}

static void a_call_waits_until_its_token_is_verified_on(world_kind kind)
{
    struct guarded  *guarded = guarded_open(kind, NULL, verify_later);
    vow_future      *reply = guarded_hold(guarded);
    struct guarded **identity = malloc(sizeof *identity);
    vow_promise     *promise;

    assert_non_null(identity);
    *identity = guarded;
    world_run_until(guarded->world, is_being_verified, guarded);
    world_advance_ms(guarded->world, 20);
    assert_int_equal(guarded->world->held_count, 0);
    promise = guarded->promise;
    guarded->promise = NULL;
    vow_resolve(promise, identity, identity_release);
    world_wait_for_held(guarded->world, 1);
    assert_ptr_equal(vow_bearer_identity(guarded->world->held[0]), identity);
    world_advance_ms(guarded->world, 20);
    assert_int_equal(guarded->released, 0);
    world_answer_held(guarded->world, "done");
    assert_int_equal(world_settle(guarded->world, reply), VOW_OK);
    world_advance_ms(guarded->world, 20);
    assert_int_equal(guarded->released, 1);
    assert_int_equal(guarded->verified, 1);
    guarded_close(guarded);
}

static void a_call_waits_until_its_token_is_verified(void **state)
{
    (void)state;
    a_call_waits_until_its_token_is_verified_on(WORLD_SIMULATED);
    a_call_waits_until_its_token_is_verified_on(WORLD_TCP);
}

static void a_failed_verification_is_the_calls_status(void **state)
{
    struct guarded *guarded = guarded_open(WORLD_TCP, NULL, verify_later);
    vow_future     *reply = guarded_hold(guarded);
    vow_promise    *promise;

    (void)state;
    world_run_until(guarded->world, is_being_verified, guarded);
    promise = guarded->promise;
    guarded->promise = NULL;
    vow_reject(promise, VOW_UNAVAILABLE, "nobody knows at present");
    assert_string_equal(world_error(guarded->world, reply), "UNAVAILABLE: nobody knows at present");
    guarded_close(guarded);
}

static void a_verification_ends_with_the_call_that_asked_for_it(void **state)
{
    struct guarded *guarded = guarded_open(WORLD_SIMULATED, NULL, verify_later);
    vow_future     *reply = guarded_hold(guarded);

    (void)state;
    world_run_until(guarded->world, is_being_verified, guarded);
    vow_drop(reply);
    world_advance_ms(guarded->world, 100);
    assert_int_equal(guarded->cancelled, 1);
    assert_int_equal(guarded->world->held_ever, 0);
    guarded_close(guarded);
}

/* The identity must not go while a handler may look at it, though the caller has gone long ago. */
static void forget(vow_call *call, const Calls__Text *request, void *arg)
{
    vow_call **kept = arg;

    (void)request;
    *kept = call;
}

static vow_future *verify_as_new(vow_call *call, const char *token, void *arg)
{
    struct guarded **identity = malloc(sizeof *identity);

    (void)token;
    assert_non_null(identity);
    *identity = arg;
    return vow_value(vow_call_loop(call), identity, identity_release);
}

static bool is_kept(const world *world, void *arg)
{
    (void)world;
    return *(vow_call **)arg != NULL;
}

static void an_identity_lives_as_long_as_the_handler_has_the_call(void **state)
{
    static const calls_calls_service service = { .hold = forget };
    struct guarded                  *guarded = guarded_open(WORLD_TCP, NULL, verify_as_new);
    vow_call                        *kept = NULL;
    vow_future                      *reply;

    (void)state;
    calls_calls_serve(guarded->world->server, &service, &kept);
    reply = guarded_hold(guarded);
    world_run_until(guarded->world, is_kept, &kept);
    vow_drop(reply);
    world_advance_ms(guarded->world, 50);
    assert_true(vow_call_cancelled(kept));
    assert_int_equal(guarded->released, 0);
    assert_ptr_equal(*(struct guarded **)vow_bearer_identity(kept), guarded);
    vow_call_fail(kept, VOW_CANCELLED, "the caller has gone");
    world_advance_ms(guarded->world, 50);
    assert_int_equal(guarded->released, 1);
    guarded_close(guarded);
}

static void a_verifier_that_there_is_no_memory_for_refuses_every_call(void **state)
{
    struct guarded *guarded;

    (void)state;
    failing_install(0, true);
    assert_null(vow_bearer_verifier_new(NULL, vow_bearer_verify_static, SECRET));
    failing_remove();
    vow_bearer_verifier_free(NULL);
    guarded = guarded_open(WORLD_SIMULATED, NULL, vow_bearer_verify_static);
    vow_server_intercept(guarded->world->server, vow_bearer_verifier_interceptor(NULL));
    assert_string_equal(guarded_error(guarded, "Bearer " SECRET),
                        "RESOURCE_EXHAUSTED: there was no memory to verify bearer tokens");
    guarded_close(guarded);
}

static void tokens_are_equal_when_all_of_them_is(void **state)
{
    (void)state;
    assert_true(vow_bearer_equal("secret", "secret"));
    assert_true(vow_bearer_equal("", ""));
    assert_false(vow_bearer_equal("secreT", "secret"));
    assert_false(vow_bearer_equal("Secret", "secret"));
    assert_false(vow_bearer_equal("secre", "secret"));
    assert_false(vow_bearer_equal("secrets", "secret"));
    assert_false(vow_bearer_equal("", "secret"));
    assert_false(vow_bearer_equal("secret", ""));
}

static void a_token_has_the_characters_of_rfc_6750(void **state)
{
    (void)state;
    for (int byte = 1; byte < 256; byte++) {
        char text[] = { 'a', (char)byte, '\0' };
        char first[] = { (char)byte, '\0' };
        bool is_part = byte < 128 &&
                       strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/", byte);

        assert_int_equal(vow_bearer_is_token(text), is_part || byte == '=');
        assert_int_equal(vow_bearer_is_token(first), is_part);
    }
    assert_false(vow_bearer_is_token(""));
    assert_true(vow_bearer_is_token("a=="));
    assert_false(vow_bearer_is_token("a=a"));
}

/* A channel that fetches */

/* Fetches count their tokens: "token-1", "token-2". Echo answers with the authorization that it was sent. */
struct sourced {
    world             *world;
    vow_bearer_source *source;
    vow_promise       *promise; /* of a fetch under way */
    vow_bearer_token   token;
    char               text[40];
    size_t             fetched;
    size_t             cancelled;
    bool               refuses_all; /* the server */
};

static void serve_authorization(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    const struct sourced *sourced = handler->arg;
    Calls__Text           reply = CALLS__TEXT__INIT;
    const char           *authorization = vow_call_metadata_get(call, "authorization");

    (void)request;
    if (sourced->refuses_all) {
        vow_call_fail(call, VOW_UNAUTHENTICATED, "revoked");
        return;
    }
    reply.text = (char *)(uintptr_t)(authorization ? authorization : "none");
    calls_calls_echo_reply(call, &reply);
}

static void fetch_cancelled(void *arg)
{
    struct sourced *sourced = arg;
    vow_promise    *promise = sourced->promise;

    sourced->cancelled++;
    sourced->promise = NULL;
    vow_reject(promise, VOW_CANCELLED, "no longer wanted");
}

static vow_future *fetch_later(vow_loop *loop, void *arg)
{
    struct sourced *sourced = arg;
    vow_future     *future = vow_promise_new(loop, &sourced->promise);

    sourced->fetched++;
    vow_promise_on_cancel(sourced->promise, fetch_cancelled, sourced);
    return future;
}

static vow_future *fetch_now(vow_loop *loop, void *arg)
{
    struct sourced *sourced = arg;

    snprintf(sourced->text, sizeof sourced->text, "token-%zu", ++sourced->fetched);
    sourced->token.text = sourced->text;
    return vow_value(loop, &sourced->token, NULL);
}

static struct sourced *sourced_open_with(world_kind kind, const vow_bearer_source_options *options,
                                         vow_bearer_fetch_fn *fetch, int64_t lifetime_ms)
{
    struct sourced *sourced = calloc(1, sizeof *sourced);
    vow_handler     echo = {
            .size = sizeof echo, .method = &calls_calls_echo_method, .serve = serve_authorization, .arg = sourced
    };

    assert_non_null(sourced);
    sourced->token.lifetime_ms = lifetime_ms;
    sourced->world = world_new(kind);
    sourced->source = vow_bearer_source_new(sourced->world->loop, options, fetch, sourced);
    vow_server_handle(sourced->world->server, &echo);
    vow_channel_intercept(sourced->world->channel, vow_bearer_source_interceptor(sourced->source));
    return sourced;
}

static struct sourced *sourced_open(world_kind kind, vow_bearer_fetch_fn *fetch, int64_t lifetime_ms)
{
    return sourced_open_with(kind, NULL, fetch, lifetime_ms);
}

static void sourced_close(struct sourced *sourced)
{
    world_free(sourced->world);
    vow_bearer_source_free(sourced->source);
    free(sourced);
}

/* What a fetch under way gives. */
static void sourced_give(struct sourced *sourced, const char *text)
{
    vow_promise *promise = sourced->promise;

    sourced->promise = NULL;
    sourced->token.text = text;
    vow_resolve(promise, &sourced->token, NULL);
}

static void assert_sends(struct sourced *sourced, const char *authorization)
{
    vow_future *reply = world_echo(sourced->world, "", NULL);

    if (vow_wait(reply) != VOW_OK)
        fail_msg("%s", vow_future_error(reply));
    assert_string_equal(calls_calls_echo_result(reply)->text, authorization);
    vow_drop(reply);
}

static void a_token_is_fetched_once_and_sent_with_every_call_on(world_kind kind)
{
    struct sourced *sourced = sourced_open(kind, fetch_now, VOW_NO_TIMEOUT);

    assert_int_equal(sourced->fetched, 0);
    assert_sends(sourced, "Bearer token-1");
    assert_sends(sourced, "Bearer token-1");
    assert_int_equal(sourced->fetched, 1);
    sourced_close(sourced);
}

static void a_token_is_fetched_once_and_sent_with_every_call(void **state)
{
    (void)state;
    a_token_is_fetched_once_and_sent_with_every_call_on(WORLD_SIMULATED);
    a_token_is_fetched_once_and_sent_with_every_call_on(WORLD_TCP);
    a_token_is_fetched_once_and_sent_with_every_call_on(WORLD_UNIX);
    a_token_is_fetched_once_and_sent_with_every_call_on(WORLD_MEMORY);
}

static void the_calls_own_metadata_goes_with_the_token(void **state)
{
    struct sourced *sourced = sourced_open(WORLD_TCP, fetch_now, VOW_NO_TIMEOUT);
    vow_future     *reply = world_hold(
            sourced->world, "",
            VOW_CALL(.metadata = VOW_METADATA({ .name = "first", .value = "1" },
                                              { .name = "some-bin", .value = "\0\1", .value_size = 2 })));
    const vow_metadata *received;

    (void)state;
    world_wait_for_held(sourced->world, 1);
    received = vow_call_metadata(sourced->world->held[0]);
    assert_string_equal(received[0].name, "first");
    assert_string_equal(received[1].name, "some-bin");
    assert_int_equal(received[1].value_size, 2);
    assert_memory_equal(received[1].value, "\0\1", 2);
    assert_string_equal(received[2].name, "authorization");
    assert_string_equal(received[2].value, "Bearer token-1");
    assert_null(received[3].name);
    world_answer_held(sourced->world, "");
    assert_int_equal(world_settle(sourced->world, reply), VOW_OK);
    sourced_close(sourced);
}

static void a_call_with_an_authorization_of_its_own_keeps_it(void **state)
{
    struct sourced *sourced = sourced_open(WORLD_SIMULATED, fetch_now, VOW_NO_TIMEOUT);
    vow_future     *reply =
        world_echo(sourced->world, "",
                   VOW_CALL(.metadata = VOW_METADATA({ .name = "authorization", .value = "Basic x" })));

    (void)state;
    assert_int_equal(vow_wait(reply), VOW_OK);
    assert_string_equal(calls_calls_echo_result(reply)->text, "Basic x");
    vow_drop(reply);
    assert_int_equal(sourced->fetched, 0);
    sourced_close(sourced);
}

static void a_new_token_is_fetched_once_the_old_one_is_about_to_expire(void **state)
{
    struct sourced *sourced = sourced_open(WORLD_SIMULATED, fetch_now, 60000);

    (void)state;
    assert_sends(sourced, "Bearer token-1");
    vow_loop_advance(sourced->world->loop, 49000);
    assert_sends(sourced, "Bearer token-1");
    vow_loop_advance(sourced->world->loop, 1000); /* 10 s before the end */
    assert_sends(sourced, "Bearer token-2");
    assert_sends(sourced, "Bearer token-2");
    assert_int_equal(sourced->fetched, 2);
    sourced_close(sourced);
}

static void early_ms_says_how_long_before_its_end_a_token_is_not_used_any_more(void **state)
{
    struct sourced *sourced =
        sourced_open_with(WORLD_SIMULATED, VOW_BEARER_SOURCE(.early_ms = 25000), fetch_now, 60000);

    (void)state;
    assert_sends(sourced, "Bearer token-1");
    vow_loop_advance(sourced->world->loop, 34000);
    assert_sends(sourced, "Bearer token-1");
    vow_loop_advance(sourced->world->loop, 1000);
    assert_sends(sourced, "Bearer token-2");
    sourced_close(sourced);
}

static void a_token_that_lives_shortly_is_used_for_half_of_its_life(void **state)
{
    struct sourced *sourced = sourced_open(WORLD_SIMULATED, fetch_now, 4000);

    (void)state;
    assert_sends(sourced, "Bearer token-1");
    vow_loop_advance(sourced->world->loop, 1900);
    assert_sends(sourced, "Bearer token-1");
    vow_loop_advance(sourced->world->loop, 100);
    assert_sends(sourced, "Bearer token-2");
    sourced_close(sourced);
}

static void a_token_without_a_lifetime_is_for_the_calls_that_wait(void **state)
{
    struct sourced *sourced = sourced_open(WORLD_SIMULATED, fetch_now, 0);

    (void)state;
    assert_sends(sourced, "Bearer token-1");
    assert_sends(sourced, "Bearer token-2");
    sourced_close(sourced);
}

#define CALLS 100

static void many_calls_wait_for_one_fetch(void **state)
{
    struct sourced *sourced = sourced_open(WORLD_TCP, fetch_later, 60000);
    vow_future     *replies[CALLS];

    (void)state;
    for (size_t i = 0; i < CALLS; i++)
        replies[i] = world_echo(sourced->world, "", NULL);
    assert_int_equal(sourced->fetched, 1);
    vow_drop(replies[0]); /* one that gives up takes nothing from the others */
    sourced_give(sourced, "shared");
    for (size_t i = 1; i < CALLS; i++) {
        assert_int_equal(vow_wait(replies[i]), VOW_OK);
        assert_string_equal(calls_calls_echo_result(replies[i])->text, "Bearer shared");
        vow_drop(replies[i]);
    }
    assert_int_equal(sourced->fetched, 1);
    assert_int_equal(sourced->cancelled, 0);
    sourced_close(sourced);
}

static void a_failed_fetch_fails_those_who_waited_and_the_next_call_tries_again(void **state)
{
    struct sourced *sourced = sourced_open(WORLD_SIMULATED, fetch_later, 60000);
    vow_future     *first = world_echo(sourced->world, "", NULL);
    vow_future     *second = world_echo(sourced->world, "", NULL);
    vow_promise    *promise = sourced->promise;

    (void)state;
    sourced->promise = NULL;
    vow_reject(promise, VOW_UNAVAILABLE, "the issuer sleeps");
    assert_string_equal(world_error(sourced->world, first), "UNAVAILABLE: the issuer sleeps");
    assert_string_equal(world_error(sourced->world, second), "UNAVAILABLE: the issuer sleeps");
    first = world_echo(sourced->world, "", NULL);
    assert_int_equal(sourced->fetched, 2);
    sourced_give(sourced, "late");
    assert_int_equal(world_settle(sourced->world, first), VOW_OK);
    sourced_close(sourced);
}

static void what_is_no_token_is_not_sent(void **state)
{
    static const char *const wrong[] = { NULL, "", "two words", "line\nbreak", "a=b" };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct sourced *sourced = sourced_open(WORLD_SIMULATED, fetch_later, 60000);
        vow_future     *reply = world_echo(sourced->world, "", NULL);

        sourced_give(sourced, wrong[i]);
        assert_string_equal(world_error(sourced->world, reply),
                            "INTERNAL: what was fetched is no bearer token: " CHARACTERS);
        sourced_close(sourced);
    }
}

static vow_future *fetch_nothing(vow_loop *loop, void *arg)
{
    (void)loop;
    (void)arg;
    return NULL;
}

static void without_a_token_a_call_fails(void **state)
{
    struct sourced *sourced = sourced_open(WORLD_SIMULATED, fetch_nothing, 0);

    (void)state;
    assert_string_equal(world_error(sourced->world, world_echo(sourced->world, "", NULL)),
                        "UNAUTHENTICATED: there is no bearer token for this call");
    sourced_close(sourced);
}

static void a_token_that_was_refused_is_not_used_again(void **state)
{
    struct sourced *sourced = sourced_open(WORLD_TCP, fetch_now, VOW_NO_TIMEOUT);

    (void)state;
    assert_sends(sourced, "Bearer token-1");
    sourced->refuses_all = true;
    assert_string_equal(world_error(sourced->world, world_echo(sourced->world, "", NULL)),
                        "UNAUTHENTICATED: revoked");
    sourced->refuses_all = false;
    assert_sends(sourced, "Bearer token-2");
    assert_sends(sourced, "Bearer token-2");
    sourced_close(sourced);
}

static void a_refusal_of_an_older_token_leaves_the_newer_one(void **state)
{
    struct sourced *sourced = sourced_open(WORLD_SIMULATED, fetch_now, 60000);
    vow_future     *slow = world_hold(sourced->world, "", VOW_CALL(.timeout_ms = VOW_NO_TIMEOUT));
    vow_call       *held;

    (void)state;
    world_wait_for_held(sourced->world, 1);
    vow_loop_advance(sourced->world->loop, 50000);
    assert_sends(sourced, "Bearer token-2");
    held = sourced->world->held[0];
    sourced->world->held_count = 0;
    vow_call_fail(held, VOW_UNAUTHENTICATED, "too old");
    assert_int_equal(world_settle(sourced->world, slow), VOW_UNAUTHENTICATED);
    assert_sends(sourced, "Bearer token-2");
    sourced_close(sourced);
}

static vow_future *fetch_through_itself(vow_loop *loop, void *arg)
{
    struct sourced *sourced = arg;

    (void)loop;
    return world_echo(sourced->world, "", NULL);
}

static void a_fetch_through_its_own_channel_is_refused(void **state)
{
    struct sourced *sourced = sourced_open(WORLD_SIMULATED, fetch_through_itself, 0);

    (void)state;
    assert_string_equal(world_error(sourced->world, world_echo(sourced->world, "", NULL)),
                        "FAILED_PRECONDITION: calls.Calls/Echo gets the token that its own channel waits "
                        "for; use another channel");
    sourced_close(sourced);
}

static void a_loop_may_close_while_a_token_is_fetched(void **state)
{
    struct sourced *sourced = sourced_open(WORLD_TCP, fetch_later, 0);
    vow_future     *reply = world_echo(sourced->world, "", NULL);

    (void)state;
    vow_detach(reply);
    assert_int_equal(sourced->fetched, 1);
    sourced_close(sourced); /* the source after the loop */
}

static void all_who_wait_may_give_up_while_a_token_is_fetched(void **state)
{
    struct sourced *sourced = sourced_open(WORLD_SIMULATED, fetch_later, 60000);

    (void)state;
    vow_drop(world_echo(sourced->world, "", NULL));
    assert_int_equal(sourced->cancelled, 0);
    sourced_give(sourced, "kept");
    world_advance_ms(sourced->world, 10);
    assert_sends(sourced, "Bearer kept");
    assert_int_equal(sourced->fetched, 1);
    sourced_close(sourced);
}

static void a_source_that_is_freed_cancels_its_fetch(void **state)
{
    struct sourced *sourced = sourced_open(WORLD_SIMULATED, fetch_later, 0);

    (void)state;
    assert_int_equal(world_settle(sourced->world, world_echo(sourced->world, "", VOW_CALL(.timeout_ms = 10))),
                     VOW_DEADLINE_EXCEEDED);
    vow_channel_close(sourced->world->channel);
    sourced->world->channel = NULL;
    assert_int_equal(sourced->cancelled, 0);
    vow_bearer_source_free(sourced->source);
    sourced->source = NULL;
    world_advance_ms(sourced->world, 10);
    assert_int_equal(sourced->cancelled, 1);
    sourced_close(sourced);
}

static void a_source_that_there_is_no_memory_for_fails_every_call(void **state)
{
    world *world;

    (void)state;
    failing_install(0, true);
    assert_null(vow_bearer_source_new(NULL, NULL, fetch_now, NULL));
    failing_remove();
    vow_bearer_source_free(NULL);
    world = world_new(WORLD_SIMULATED);
    vow_channel_intercept(world->channel, vow_bearer_source_interceptor(NULL));
    assert_string_equal(world_error(world, world_echo(world, "", NULL)),
                        "RESOURCE_EXHAUSTED: there was no memory to get bearer tokens");
    world_free(world);
}

/* Both, and every allocation that fails */

static vow_future *fetch_secret(vow_loop *loop, void *arg)
{
    static const vow_bearer_token token = { .text = SECRET };

    (void)arg;
    return vow_value(loop, (void *)(uintptr_t)&token, NULL);
}

static void serve_only_friends(vow_call *call, const Calls__Text *request, void *arg)
{
    (void)arg;
    assert_string_equal(vow_bearer_identity(call), SECRET); /* whatever failed, nobody else gets here */
    calls_calls_echo_reply(call, request);
}

/* Runs a call between both with one failure. False: it asked for fewer allocations than that. */
static bool call_with_failure(size_t nth, bool from_then_on)
{
    static const calls_calls_service service = { .echo = serve_only_friends };
    vow_bearer_verifier             *verifier;
    vow_bearer_source               *source;
    world                           *world;
    vow_code                         code;
    bool                             failed;

    failing_install(SIZE_MAX, false);
    world = world_new(WORLD_SIMULATED);
    calls_calls_serve(world->server, &service, NULL);
    failing_fail_at(nth, from_then_on);
    verifier = vow_bearer_verifier_new(NULL, vow_bearer_verify_static, SECRET);
    source = vow_bearer_source_new(world->loop, NULL, fetch_secret, NULL);
    vow_server_intercept(world->server, vow_bearer_verifier_interceptor(verifier));
    vow_channel_intercept(world->channel, vow_bearer_source_interceptor(source));
    code = world_settle(world, world_echo(world, "", NULL));
    failed = failing_has_failed();
    if (!failed)
        assert_int_equal(code, VOW_OK);
    failing_stop();
    if (verifier && source && world_settle(world, world_echo(world, "", NULL)) != VOW_OK)
        assert_true(failed); /* the interceptor itself was not added */
    world_free(world);
    vow_bearer_verifier_free(verifier);
    vow_bearer_source_free(source);
    assert_int_equal(failing_outstanding(), 0);
    failing_remove();
    return failed;
}

static void nobody_gets_in_because_there_is_no_memory(void **state)
{
    (void)state;
    for (int from_then_on = 0; from_then_on < 2; from_then_on++) {
        size_t nth = 0;

        while (nth < 1000 && call_with_failure(nth, from_then_on))
            nth++;
        assert_in_range(nth, 5, 999);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_right_token_lets_a_call_in),
        cmocka_unit_test(anything_else_is_refused_with_what_was_expected),
        cmocka_unit_test(a_token_over_the_bound_is_refused_by_name),
        cmocka_unit_test(methods_that_are_open_need_no_token),
        cmocka_unit_test(a_call_waits_until_its_token_is_verified),
        cmocka_unit_test(a_failed_verification_is_the_calls_status),
        cmocka_unit_test(a_verification_ends_with_the_call_that_asked_for_it),
        cmocka_unit_test(an_identity_lives_as_long_as_the_handler_has_the_call),
        cmocka_unit_test(a_verifier_that_there_is_no_memory_for_refuses_every_call),
        cmocka_unit_test(tokens_are_equal_when_all_of_them_is),
        cmocka_unit_test(a_token_has_the_characters_of_rfc_6750),
        cmocka_unit_test(a_token_is_fetched_once_and_sent_with_every_call),
        cmocka_unit_test(the_calls_own_metadata_goes_with_the_token),
        cmocka_unit_test(a_call_with_an_authorization_of_its_own_keeps_it),
        cmocka_unit_test(a_new_token_is_fetched_once_the_old_one_is_about_to_expire),
        cmocka_unit_test(early_ms_says_how_long_before_its_end_a_token_is_not_used_any_more),
        cmocka_unit_test(a_token_that_lives_shortly_is_used_for_half_of_its_life),
        cmocka_unit_test(a_token_without_a_lifetime_is_for_the_calls_that_wait),
        cmocka_unit_test(many_calls_wait_for_one_fetch),
        cmocka_unit_test(a_failed_fetch_fails_those_who_waited_and_the_next_call_tries_again),
        cmocka_unit_test(what_is_no_token_is_not_sent),
        cmocka_unit_test(without_a_token_a_call_fails),
        cmocka_unit_test(a_token_that_was_refused_is_not_used_again),
        cmocka_unit_test(a_refusal_of_an_older_token_leaves_the_newer_one),
        cmocka_unit_test(a_fetch_through_its_own_channel_is_refused),
        cmocka_unit_test(a_loop_may_close_while_a_token_is_fetched),
        cmocka_unit_test(all_who_wait_may_give_up_while_a_token_is_fetched),
        cmocka_unit_test(a_source_that_is_freed_cancels_its_fetch),
        cmocka_unit_test(a_source_that_there_is_no_memory_for_fails_every_call),
        cmocka_unit_test(nobody_gets_in_because_there_is_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
