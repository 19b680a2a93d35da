/* Details of failures: from a handler to its caller, along chains, and from peers that send nonsense. */
#include "runtime/base/details.h"
#include "tests/support/failing.h"
#include "tests/support/raw_peer.h"
#include "tests/support/setups.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char reported[300];

static void keep_report(const char *text, void *arg)
{
    (void)arg;
    strncpy(reported, text, sizeof reported - 1);
}

/* What handlers fail with */

static char *text(const char *constant)
{
    return (char *)(uintptr_t)constant;
}

static void fail_with_error_and_delay(vow_call *call, const ProtobufCMessage *request,
                                      const vow_handler *handler)
{
    Vow__ErrorInfo                 error = VOW__ERROR_INFO__INIT;
    Vow__ErrorInfo__MetadataEntry  table = VOW__ERROR_INFO__METADATA_ENTRY__INIT;
    Vow__ErrorInfo__MetadataEntry *entries[] = { &table };
    Vow__RetryInfo                 retry = VOW__RETRY_INFO__INIT;
    Vow__Duration                  delay = VOW__DURATION__INIT;

    (void)request;
    (void)handler;
    table.key = text("table");
    table.value = text("7");
    error.reason = text("TABLES_TAKEN");
    error.domain = text("inn.example.com");
    error.n_metadata = 1;
    error.metadata = entries;
    delay.seconds = 1;
    delay.nanos = 500000001;
    retry.retry_delay = &delay;
    vow_call_fail_with(call, VOW_RESOURCE_EXHAUSTED, VOW_DETAILS(&error.base, &retry.base),
                       "all %d tables are taken", 7);
}

static void handle_echo(world *world,
                        void (*serve)(vow_call *, const ProtobufCMessage *, const vow_handler *), void *arg)
{
    const vow_handler handler = {
        .size = sizeof handler, .method = &calls_calls_echo_method, .serve = serve, .arg = arg
    };

    vow_server_handle(world->server, &handler);
}

static void assert_error_and_delay(const vow_future *failed)
{
    const Vow__ErrorInfo *error = vow_future_error_info(failed);

    assert_string_equal(vow_future_error(failed), "RESOURCE_EXHAUSTED: all 7 tables are taken");
    assert_non_null(error);
    assert_string_equal(error->reason, "TABLES_TAKEN");
    assert_string_equal(error->domain, "inn.example.com");
    assert_int_equal(error->n_metadata, 1);
    assert_string_equal(error->metadata[0]->key, "table");
    assert_string_equal(error->metadata[0]->value, "7");
    assert_ptr_equal(vow_future_error_info(failed), error); /* unpacked once */
    assert_int_equal(vow_future_retry_info(failed)->retry_delay->seconds, 1);
    assert_int_equal(vow_future_retry_delay_ms(failed), 1501); /* never sooner than it says */
    assert_null(vow_future_bad_request(failed));
    assert_null(vow_future_detail(failed, &vow__error_info__descriptor, 1));
}

/* From handler to caller */

static void details_reach_the_caller_typed(void **state)
{
    world      *world = *state;
    vow_future *reply;

    handle_echo(world, fail_with_error_and_delay, NULL);
    reply = world_echo(world, "", NULL);
    assert_null(vow_future_error_info(reply)); /* not settled yet */
    vow_wait(reply);
    assert_error_and_delay(reply);
    vow_drop(reply);
}

static vow_future *pass_on(vow_future *settled, void *arg)
{
    (void)arg;
    return vow_future_ref(settled);
}

static void details_stay_with_a_failure_along_a_chain_of_futures(void **state)
{
    world      *world = *state;
    vow_future *chain;

    handle_echo(world, fail_with_error_and_delay, NULL);
    chain = vow_then(world_echo(world, "", NULL), pass_on, NULL);
    chain = vow_recover(vow_timeout(vow_shield(chain), 10000), pass_on, NULL);
    chain = vow_all(world->loop, 1, &chain);
    chain = vow_race(world->loop, 1, &chain);
    vow_wait(chain);
    assert_error_and_delay(chain);
    vow_drop(chain);
}

static void relay(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    world *world = handler->arg;

    vow_call_answer(call,
                    calls_calls_read(world->channel, (const Calls__Text *)request, VOW_CALL(.parent = call)));
}

static void details_pass_through_a_handler_that_answers_with_anothers_failure(void **state)
{
    world            *world = *state;
    const vow_handler origin = { .size = sizeof origin,
                                 .method = &calls_calls_read_method,
                                 .serve = fail_with_error_and_delay };
    vow_future       *reply;

    vow_server_handle(world->server, &origin);
    handle_echo(world, relay, world);
    reply = world_echo(world, "", NULL);
    vow_wait(reply);
    assert_error_and_delay(reply);
    vow_drop(reply);
}

/* Every type */

static void every_type_of_google_rpc_travels_under_its_name(void **state)
{
    const ProtobufCMessageDescriptor *types[] = {
        &vow__error_info__descriptor,   &vow__retry_info__descriptor,
        &vow__debug_info__descriptor,   &vow__quota_failure__descriptor,
        &vow__bad_request__descriptor,  &vow__precondition_failure__descriptor,
        &vow__request_info__descriptor, &vow__resource_info__descriptor,
        &vow__help__descriptor,         &vow__localized_message__descriptor,
    };
    union {
        ProtobufCMessage base;
        char             room[128];
    } messages[10];
    const ProtobufCMessage *details[11] = { NULL };
    world                  *world = *state;
    vow_future             *failed;
    Vow__Status            *packed;
    const void             *bytes;
    size_t                  size;

    for (size_t i = 0; i < 10; i++) {
        protobuf_c_message_init(types[i], &messages[i]);
        details[i] = &messages[i].base;
    }
    failed = vow_failure_with(world->loop, VOW_NOT_FOUND, details, "nothing");
    bytes = vow_future_details(failed, &size);
    packed = vow__status__unpack(NULL, size, bytes);
    assert_int_equal(packed->code, VOW_NOT_FOUND);
    assert_string_equal(packed->message, "nothing");
    assert_int_equal(packed->n_details, 10);
    for (size_t i = 0; i < 10; i++) {
        assert_memory_equal(packed->details[i]->type_url, "type.googleapis.com/google.rpc.", 31);
        assert_string_equal(packed->details[i]->type_url + 20, types[i]->name);
        assert_ptr_equal(vow_future_detail(failed, types[i], 0)->descriptor, types[i]);
    }
    vow__status__free_unpacked(packed, NULL);
    vow_drop(failed);
}

static void a_message_of_any_type_is_a_detail_and_several_of_one_keep_their_order(void **state)
{
    world       *world = *state;
    Calls__Text  first = CALLS__TEXT__INIT;
    Calls__Block other = CALLS__BLOCK__INIT;
    Calls__Text  second = CALLS__TEXT__INIT;
    vow_promise *promise;
    vow_future  *failed = vow_promise_new(world->loop, &promise);

    first.text = text("first");
    second.text = text("second");
    vow_reject_with(promise, VOW_ABORTED, VOW_DETAILS(&first.base, &other.base, &second.base), "so it is");
    assert_string_equal(((const Calls__Text *)vow_future_detail(failed, &calls__text__descriptor, 0))->text,
                        "first");
    assert_string_equal(((const Calls__Text *)vow_future_detail(failed, &calls__text__descriptor, 1))->text,
                        "second");
    assert_null(vow_future_detail(failed, &calls__text__descriptor, 2));
    assert_int_equal(
        ((const Calls__Block *)vow_future_detail(failed, &calls__block__descriptor, 0))->body.len, 0);
    assert_int_equal(vow_future_retry_delay_ms(failed), -1);
    vow_drop(failed);
}

static void details_that_are_packed_already_are_passed_on_with_others(void **state)
{
    world      *world = *state;
    Calls__Text detail = CALLS__TEXT__INIT;
    vow_future *failed, *again;
    const void *bytes;
    size_t      size;

    detail.text = text("one");
    failed = vow_failure_with(world->loop, VOW_ABORTED, VOW_DETAILS(&detail.base), "first");
    bytes = vow_future_details(failed, &size);
    detail.text = text("two");
    again = vow_failure_with(world->loop, VOW_NOT_FOUND,
                             VOW_DETAILS(&((vow_raw)VOW_RAW_INIT(bytes, size)).base, &detail.base), "second");
    vow_drop(failed);
    assert_string_equal(vow_future_error(again), "NOT_FOUND: second");
    assert_string_equal(((const Calls__Text *)vow_future_detail(again, &calls__text__descriptor, 0))->text,
                        "one");
    assert_string_equal(((const Calls__Text *)vow_future_detail(again, &calls__text__descriptor, 1))->text,
                        "two");
    vow_drop(again);
}

static void a_failure_without_details_has_none(void **state)
{
    world      *world = *state;
    size_t      size = 1;
    vow_future *failed = vow_failure_with(world->loop, VOW_ABORTED, NULL, "plain");
    vow_future *value = vow_value(world->loop, NULL, NULL);

    assert_null(vow_future_details(failed, &size));
    assert_int_equal(size, 0);
    assert_null(vow_future_error_info(failed));
    assert_int_equal(vow_future_retry_delay_ms(failed), -1);
    assert_null(vow_future_error_info(value));
    vow_drop(failed);
    vow_drop(value);
}

/* Limits */

static size_t details_size(world *world, size_t body_size)
{
    uint8_t     *body = calloc(1, body_size);
    Calls__Block detail = CALLS__BLOCK__INIT;
    vow_future  *failed;
    size_t       size;

    detail.body = (ProtobufCBinaryData){ .data = body, .len = body_size };
    failed = vow_failure_with(world->loop, VOW_ABORTED, VOW_DETAILS(&detail.base), "large");
    assert_string_equal(vow_future_error(failed), "ABORTED: large");
    vow_future_details(failed, &size);
    vow_drop(failed);
    free(body);
    return size;
}

static void details_of_8_kib_are_kept_and_of_a_byte_more_are_left_out_and_reported(void **state)
{
    world *world = *state;
    size_t around = details_size(world, 8000) - 8000;

    vow_report_set(keep_report, NULL);
    assert_int_equal(details_size(world, VOW_DETAILS_MAX - around), VOW_DETAILS_MAX);
    assert_string_equal(reported, "");
    assert_int_equal(details_size(world, VOW_DETAILS_MAX - around + 1), 0);
    assert_string_equal(reported,
                        "a failure goes without its details: with calls.Block they have 8193 bytes, code and "
                        "message included; 8192 are allowed (ABORTED: large)");
    vow_report_set(NULL, NULL);
    reported[0] = '\0';
}

static void a_detail_nested_16_deep_is_read_and_a_level_more_is_not(void **state)
{
    world                  *world = *state;
    Calls__Tree             levels[18];
    Calls__Tree            *children[18];
    const ProtobufCMessage *read;

    for (size_t depth = 16; depth <= 17; depth++) {
        vow_future *failed;

        for (size_t i = 0; i <= depth; i++) {
            calls__tree__init(&levels[i]);
            children[i] = &levels[i];
            levels[i].n_children = i > 0;
            levels[i].children = i > 0 ? &children[i - 1] : NULL;
        }
        failed = vow_failure_with(world->loop, VOW_ABORTED, VOW_DETAILS(&levels[depth].base), "deep");
        read = vow_future_detail(failed, &calls__tree__descriptor, 0);
        if (depth == 16)
            assert_non_null(read);
        else
            assert_null(read);
        vow_drop(failed);
    }
}

/* When to come back */

typedef struct attempts {
    vow_loop *loop;
    int64_t   seconds;
    size_t    made;
    uint64_t  at_ns[2];
} attempts;

static vow_future *attempt(size_t index, void *arg)
{
    attempts      *attempts = arg;
    Vow__RetryInfo retry = VOW__RETRY_INFO__INIT;
    Vow__Duration  delay = VOW__DURATION__INIT;

    attempts->at_ns[index] = vow_loop_now_ns(attempts->loop);
    attempts->made++;
    delay.seconds = attempts->seconds;
    retry.retry_delay = &delay;
    return vow_failure_with(attempts->loop, VOW_UNAVAILABLE, VOW_DETAILS(&retry.base), "not now");
}

static uint64_t pause_after(int64_t seconds, int64_t pause_ms)
{
    attempts    attempts = { .loop = vow_loop_simulated(7), .seconds = seconds };
    vow_future *retry = vow_retry(attempts.loop, 2, pause_ms, attempt, &attempts);

    assert_int_equal(vow_wait(retry), VOW_UNAVAILABLE);
    vow_drop(retry);
    vow_loop_close(attempts.loop);
    return attempts.made == 2 ? (attempts.at_ns[1] - attempts.at_ns[0]) / 1000000 : 0;
}

static void a_retry_waits_at_least_as_long_as_the_failure_asks(void **state)
{
    (void)state;
    assert_in_range(pause_after(3, 10), 3000, 3600);
    assert_in_range(pause_after(1, 10000), 8000, 12000); /* its own pause is longer */
    assert_in_range(pause_after(120, 10), 120000, 144000);
    assert_int_equal(pause_after(121, 10), 0);   /* longer than the longest pause: not again */
    assert_in_range(pause_after(-5, 10), 8, 12); /* nonsense */
}

/* Peers that send nonsense */

static vow_future *answered_by_raw_server(world *world, const vow_header *status)
{
    char         target[160];
    int          listener = raw_listen(world->kind, target);
    vow_channel *channel = vow_channel_open(world->loop, target, NULL);
    Calls__Text  request = CALLS__TEXT__INIT;
    vow_future  *reply = calls_calls_echo(channel, &request, NULL);
    raw_peer    *server = raw_accept(world, listener);
    writer       bytes = { 0 };
    vow_header   header;
    vow_bytes    payload;

    write_greeting(&bytes);
    raw_send_writer(server, &bytes);
    assert_true(raw_next(server, VOW_FRAME_CALL, &header, &payload));
    write_frame(&bytes, status, NULL, 0);
    raw_send_writer(server, &bytes);
    while (!vow_future_settled(reply))
        raw_turn(server, 10);
    writer_done(&bytes);
    vow_channel_close(channel);
    raw_free(server);
    close(listener);
    return reply;
}

static void malformed_details_of_a_peer_are_dropped_and_the_failure_stays(void **state)
{
    static uint8_t large[VOW_DETAILS_MAX + 1] = { 0x12, 0xfe,
                                                  0x3f }; /* a message that fills all but the last byte */
    static const struct {
        const char *name;
        const char *bytes;
        size_t      size;
    } cases[] = {
        { "cut", "\x1a\x05\x0a", 3 },
        { "another wire type", "\x18\x05", 2 },
        { "an Any that is none", "\x1a\x02\x0a\x05", 4 },
        { "a type with a NUL", "\x1a\x04\x0a\x02/\0", 6 },
        { "a type that is not UTF-8", "\x1a\x04\x0a\x02/\xff", 6 },
        { "too much", (const char *)large, sizeof large },
    };

    memset(large + 3, 'x', sizeof large - 3);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const vow_header status = { .kind = VOW_FRAME_STATUS,
                                    .call = 1,
                                    .code = VOW_NOT_FOUND,
                                    .text = { (const uint8_t *)"none", 4 },
                                    .details = { (const uint8_t *)cases[i].bytes, cases[i].size } };
        vow_future      *reply = answered_by_raw_server(*state, &status);
        size_t           size;

        if (vow_future_details(reply, &size))
            fail_msg("%s: the details were kept", cases[i].name);
        assert_string_equal(vow_future_error(reply), "NOT_FOUND: none");
        vow_drop(reply);
    }
}

static void details_of_a_peer_may_have_8_kib(void **state)
{
    static uint8_t   bytes[VOW_DETAILS_MAX] = { 0x12, 0xfd, 0x3f };
    const vow_header status = {
        .kind = VOW_FRAME_STATUS, .call = 1, .code = VOW_NOT_FOUND, .details = { bytes, sizeof bytes }
    };
    vow_future *reply;
    size_t      size;

    memset(bytes + 3, 'x', sizeof bytes - 3);
    reply = answered_by_raw_server(*state, &status);
    assert_non_null(vow_future_details(reply, &size));
    assert_int_equal(size, VOW_DETAILS_MAX);
    vow_drop(reply);
}

static void a_detail_that_is_malformed_inside_is_not_there_and_its_neighbours_are(void **state)
{
    /* An ErrorInfo whose reason is cut, and a RequestInfo with an id. */
    static const char bytes[] = "\x1a\x2e\x0a\x28type.googleapis.com/google.rpc.ErrorInfo\x12\x02\x0a\x09"
                                "\x1a\x30\x0a\x2atype.googleapis.com/google.rpc.RequestInfo\x12\x02\x0a\x00";
    vow_status        status = vow_status_make(VOW_ABORTED, "half");

    (void)state;
    vow_status_copy_details(&status, bytes, sizeof bytes - 1);
    assert_null(vow_status_detail(&status, &vow__error_info__descriptor, 0));
    assert_non_null(vow_status_detail(&status, &vow__request_info__descriptor, 0));
    vow_status_done(&status);
}

static void a_delay_without_details_is_heard_and_kept_within_bounds(void **state)
{
    const uint64_t told[] = { 0, 70, UINT64_MAX };
    const int64_t  heard[] = { 0, 70, VOW_PUSH_BACK_MAX_MS };

    for (size_t i = 0; i < 3; i++) {
        const vow_header status = { .kind = VOW_FRAME_STATUS,
                                    .call = 1,
                                    .code = VOW_UNAVAILABLE,
                                    .has_push_back = true,
                                    .push_back_ms = told[i] };
        vow_future      *reply = answered_by_raw_server(*state, &status);

        assert_int_equal(vow_future_retry_delay_ms(reply), heard[i]);
        vow_drop(reply);
    }
}

/* Memory */

static void without_memory_the_failure_goes_without_details(void **state)
{
    Vow__ErrorInfo error = VOW__ERROR_INFO__INIT;
    size_t         nth = 0;
    bool           failed = true;

    (void)state;
    error.reason = text("WHY");
    for (; failed && nth < 100; nth++) {
        vow_status            status;
        const Vow__ErrorInfo *read;

        failing_install(nth, true);
        status = vow_status_make(VOW_ABORTED, "so");
        vow_status_add_details(&status, VOW_DETAILS(&error.base));
        vow_status_set_push_back(&status, 5);
        read = (const Vow__ErrorInfo *)vow_status_detail(&status, &vow__error_info__descriptor, 0);
        failed = failing_has_failed();
        assert_int_equal(status.code, VOW_ABORTED);
        if (!failed)
            assert_string_equal(read->reason, "WHY");
        vow_status_done(&status);
        failing_stop();
        assert_int_equal(failing_outstanding(), 0);
        failing_remove();
    }
    assert_in_range(nth, 5, 99);
}

#define SIMULATED(test) cmocka_unit_test_setup_teardown(test, world_open_simulated, world_close)
#define ON_TCP(test) cmocka_unit_test_setup_teardown(test, world_open_tcp, world_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SIMULATED(details_reach_the_caller_typed),
        { "details_reach_the_caller_typed (tcp)", details_reach_the_caller_typed, world_open_tcp, world_close,
          NULL },
        SIMULATED(details_stay_with_a_failure_along_a_chain_of_futures),
        SIMULATED(details_pass_through_a_handler_that_answers_with_anothers_failure),
        SIMULATED(every_type_of_google_rpc_travels_under_its_name),
        SIMULATED(a_message_of_any_type_is_a_detail_and_several_of_one_keep_their_order),
        SIMULATED(details_that_are_packed_already_are_passed_on_with_others),
        SIMULATED(a_failure_without_details_has_none),
        SIMULATED(details_of_8_kib_are_kept_and_of_a_byte_more_are_left_out_and_reported),
        SIMULATED(a_detail_nested_16_deep_is_read_and_a_level_more_is_not),
        cmocka_unit_test(a_retry_waits_at_least_as_long_as_the_failure_asks),
        ON_TCP(malformed_details_of_a_peer_are_dropped_and_the_failure_stays),
        ON_TCP(details_of_a_peer_may_have_8_kib),
        cmocka_unit_test(a_detail_that_is_malformed_inside_is_not_there_and_its_neighbours_are),
        ON_TCP(a_delay_without_details_is_heard_and_kept_within_bounds),
        cmocka_unit_test(without_memory_the_failure_goes_without_details),
    };

    return cmocka_run_group_tests_name("details", tests, NULL, NULL);
}
