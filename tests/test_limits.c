/*
 * Limits: what every option of a server and of a channel does on either side of its boundary.
 *
 * The limits on calls that run or wait are in test_call.c; on time and connections of a channel in
 * test_connecting.c.
 */
#include "runtime/protocol/native/header.h"
#include "runtime/protocol/native/hello.h"
#include "runtime/transport/simulated.h"
#include "tests/support/world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define OTHER_HOST "tcp://10.0.0.2:7000"

static void assert_refused(const char *error, const char *code, const char *option)
{
    if (strncmp(error, code, strlen(code)) != 0 || !strstr(error, option))
        fail_msg("expected %s and %s, and got: %s", code, option, error);
}

static vow_future *echo_over(vow_channel *channel)
{
    Calls__Text request = CALLS__TEXT__INIT;

    return calls_calls_echo(channel, &request, NULL);
}

/* Sizes of messages */

/* A Block of 128 to 16,383 bytes is packed into 3 more. */
#define BLOCK_OVERHEAD 3

static const char *ask_block(world *world, size_t size)
{
    Calls__Block request = CALLS__BLOCK__INIT;
    uint8_t     *body = calloc(1, size + 1);
    vow_future  *reply;

    request.body = (ProtobufCBinaryData){ .data = body, .len = size };
    reply = calls_calls_echo_block(world->channel, &request, NULL);
    free(body);
    return world_error(world, reply);
}

/* In one turn with another call: its frames stand behind those of that. */
static const char *ask_block_behind(world *world, size_t size)
{
    vow_future *other = echo_over(world->channel);
    const char *error = ask_block(world, size);

    assert_int_equal(world_settle(world, other), VOW_OK);
    return error;
}

static void a_request_of_max_message_size_passes_and_one_byte_more_does_not(void **state)
{
    world *world = world_new_with(WORLD_SIMULATED, VOW_SERVER(.max_message_size = 1000), NULL);

    (void)state;
    assert_string_equal(ask_block(world, 1000 - BLOCK_OVERHEAD), "OK");
    assert_refused(ask_block(world, 1001 - BLOCK_OVERHEAD), "RESOURCE_EXHAUSTED: tcp://", "max_message_size");
    assert_string_equal(ask_block_behind(world, 1000 - BLOCK_OVERHEAD), "OK");
    assert_refused(ask_block_behind(world, 1001 - BLOCK_OVERHEAD), "RESOURCE_EXHAUSTED: tcp://", "max_message_size");
    assert_string_equal(ask_block(world, 1), "OK");
    world_free(world);
}

static void a_reply_of_max_message_size_passes_and_one_byte_more_does_not(void **state)
{
    world *world = world_new_with(WORLD_SIMULATED, NULL, VOW_CHANNEL(.max_message_size = 1000));

    (void)state;
    assert_string_equal(ask_block(world, 1000 - BLOCK_OVERHEAD), "OK");
    assert_refused(ask_block(world, 1001 - BLOCK_OVERHEAD), "RESOURCE_EXHAUSTED: the reply", "max_message_size");
    assert_string_equal(ask_block_behind(world, 1000 - BLOCK_OVERHEAD), "OK");
    assert_refused(ask_block_behind(world, 1001 - BLOCK_OVERHEAD), "RESOURCE_EXHAUSTED: the reply", "max_message_size");
    assert_string_equal(ask_block(world, 1), "OK");
    world_free(world);
}

/* The largest block that passes, found by halving; the next one must be refused for max_decoded_size. */
static size_t find_largest_block(world *world, size_t beyond)
{
    size_t passes = 1;

    assert_string_equal(ask_block(world, passes), "OK");
    while (passes + 1 < beyond) {
        size_t      middle = passes + (beyond - passes) / 2;
        const char *error = ask_block(world, middle);

        if (strcmp(error, "OK") == 0) {
            passes = middle;
        } else {
            assert_refused(error, "RESOURCE_EXHAUSTED", "max_decoded_size");
            beyond = middle;
        }
    }
    return passes;
}

static void a_request_fills_max_decoded_size_and_not_more(void **state)
{
    world *world = world_new_with(WORLD_SIMULATED, VOW_SERVER(.max_decoded_size = 4096), NULL);
    size_t largest = find_largest_block(world, 8192);

    (void)state;
    assert_in_range(largest, 4096 - sizeof(Calls__Block) - 64, 4096 - sizeof(Calls__Block));
    world_free(world);
}

static void a_reply_fills_max_decoded_size_and_not_more(void **state)
{
    world *world = world_new_with(WORLD_SIMULATED, NULL, VOW_CHANNEL(.max_decoded_size = 4096));
    size_t largest = find_largest_block(world, 8192);

    (void)state;
    assert_in_range(largest, 4096 - sizeof(Calls__Block) - 64, 4096 - sizeof(Calls__Block));
    world_free(world);
}

/* Connections */

static void connections_beyond_max_connections_are_refused_until_one_goes(void **state)
{
    world       *world = world_new_with(WORLD_SIMULATED, VOW_SERVER(.max_connections = 2), NULL);
    vow_channel *second = vow_channel_open(world->loop, world->address, NULL);
    vow_channel *third = vow_channel_open(world->loop, world->address, VOW_CHANNEL(.backoff_min_ms = 1));

    (void)state;
    assert_int_equal(world_settle(world, echo_over(world->channel)), VOW_OK);
    assert_int_equal(world_settle(world, echo_over(second)), VOW_OK);
    assert_refused(world_error(world, echo_over(third)), "RESOURCE_EXHAUSTED: tcp://", "max_connections)");
    assert_int_equal(world_settle(world, echo_over(second)), VOW_OK);
    vow_channel_close(second);
    world_advance_ms(world, 100);
    assert_int_equal(world_settle(world, echo_over(third)), VOW_OK);
    vow_channel_close(third);
    world_free(world);
}

static void a_host_has_max_connections_per_peer_and_loopback_is_exempt(void **state)
{
    world       *world = world_new_with(WORLD_SIMULATED, VOW_SERVER(.max_connections_per_peer = 2), NULL);
    vow_channel *local[4];
    vow_channel *remote[3];

    (void)state;
    assert_int_equal(vow_server_listen(world->server, OTHER_HOST, NULL), VOW_OK);
    for (size_t i = 0; i < 4; i++) {
        local[i] = vow_channel_open(world->loop, world->address, NULL);
        assert_int_equal(world_settle(world, echo_over(local[i])), VOW_OK);
    }
    for (size_t i = 0; i < 3; i++)
        remote[i] = vow_channel_open(world->loop, OTHER_HOST, NULL);
    assert_int_equal(world_settle(world, echo_over(remote[0])), VOW_OK);
    assert_int_equal(world_settle(world, echo_over(remote[1])), VOW_OK);
    assert_refused(world_error(world, echo_over(remote[2])), "RESOURCE_EXHAUSTED: tcp://10.0.0.2",
                   "max_connections_per_peer");
    assert_int_equal(world_settle(world, echo_over(remote[0])), VOW_OK);
    for (size_t i = 0; i < 4; i++)
        vow_channel_close(local[i]);
    for (size_t i = 0; i < 3; i++)
        vow_channel_close(remote[i]);
    world_free(world);
}

static unsigned mode_of(const char *path)
{
    struct stat about;

    assert_int_equal(stat(path, &about), 0);
    return about.st_mode & 07777;
}

static void a_unix_sockets_file_has_unix_mode(void **state)
{
    world *plain = world_new(WORLD_UNIX);
    world *open = world_new_with(WORLD_UNIX, VOW_SERVER(.unix_mode = 0660), NULL);

    (void)state;
    assert_int_equal(mode_of(plain->address + strlen("unix://")), 0600);
    assert_int_equal(mode_of(open->address + strlen("unix://")), 0660);
    world_free(open);
    world_free(plain);
}

/* Memory */

static char *text_of(size_t size)
{
    char *text = malloc(size + 1);

    assert_non_null(text);
    memset(text, 'x', size);
    text[size] = '\0';
    return text;
}

static void a_server_reads_no_more_at_three_quarters_of_max_memory_and_goes_on_below_half(void **state)
{
    enum { COUNT = 10 };
    world      *world = world_new_with(WORLD_SIMULATED, VOW_SERVER(.max_memory = 1 << 20), NULL);
    char       *text = text_of(100 << 10);
    vow_future *replies[COUNT];
    size_t      taken;

    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        replies[i] = world_hold(world, text, VOW_CALL(.timeout_ms = VOW_NO_TIMEOUT));
        world_advance_ms(world, 500);
    }
    taken = world->held_ever; /* a message counts twice while it is unpacked */
    assert_in_range(taken, 6, 8);
    while (world->held_count > 5) {
        assert_int_equal(world->held_ever, taken);
        world_answer_held(world, "");
        world_advance_ms(world, 10);
    }
    world_answer_held(world, "");
    world_advance_ms(world, 2000);
    assert_true(world->held_ever > taken);
    while (world->held_ever < COUNT || world->held_count > 0) {
        assert_true(world->held_count > 0);
        world_answer_held(world, "");
        world_advance_ms(world, 500);
    }
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(world_settle(world, replies[i]), VOW_OK);
    free(text);
    world_free(world);
}

static void messages_that_come_in_beyond_max_memory_are_refused_and_block_nobody(void **state)
{
    enum { COUNT = 8 };
    world      *world = world_new_with(WORLD_SIMULATED, VOW_SERVER(.max_memory = 1 << 20), NULL);
    char       *text = text_of(200 << 10);
    vow_future *replies[COUNT];
    size_t      refused = 0;

    (void)state;
    for (size_t i = 0; i < COUNT; i++)
        replies[i] = world_echo(world, text, NULL);
    for (size_t i = 0; i < COUNT; i++) {
        const char *error = world_error(world, replies[i]);

        if (strcmp(error, "OK") == 0)
            continue;
        assert_refused(error, "RESOURCE_EXHAUSTED: ", "max_memory");
        refused++;
    }
    assert_in_range(refused, 1, COUNT - 1);
    assert_int_equal(world_settle(world, world_echo(world, text, NULL)), VOW_OK);
    free(text);
    world_free(world);
}

static void calls_and_connections_are_refused_at_max_memory(void **state)
{
    world       *world = world_new_with(WORLD_SIMULATED, VOW_SERVER(.max_memory = 1 << 20), NULL);
    vow_channel *connected = vow_channel_open(world->loop, world->address, NULL);
    vow_channel *late = vow_channel_open(world->loop, world->address, VOW_CHANNEL(.backoff_min_ms = 1));
    vow_future  *large;

    (void)state;
    assert_int_equal(world_settle(world, echo_over(connected)), VOW_OK);
    large = world_hold(world, "", NULL);
    world_wait_for_held(world, 1);
    assert_non_null(vow_call_alloc(world->held[0], 1 << 20));
    assert_refused(world_error(world, echo_over(connected)), "RESOURCE_EXHAUSTED: the server holds", "max_memory");
    assert_refused(world_error(world, echo_over(late)), "RESOURCE_EXHAUSTED: tcp://", "max_memory");
    world_answer_held(world, "");
    assert_int_equal(world_settle(world, large), VOW_OK);
    assert_int_equal(world_settle(world, echo_over(connected)), VOW_OK);
    world_advance_ms(world, 10);
    assert_int_equal(world_settle(world, echo_over(late)), VOW_OK);
    vow_channel_close(connected);
    vow_channel_close(late);
    world_free(world);
}

static void a_call_fails_once_more_than_max_queued_bytes_wait(void **state)
{
    enum { LIMIT = 300000 };
    world         *world = world_new_with(WORLD_SIMULATED, NULL, VOW_CHANNEL(.max_queued_bytes = LIMIT));
    char          *text = text_of(10000);
    vow_future    *replies[400];
    size_t         count = 0;
    unsigned long  waiting = 0;
    const char    *place;

    (void)state;
    assert_int_equal(world_settle(world, world_echo(world, "", NULL)), VOW_OK);
    vow_network_cut(vow_network_of(world->loop));
    do {
        assert_true(count < 400);
        replies[count] = world_echo(world, text, NULL);
    } while (!vow_future_settled(replies[count++]));
    assert_int_equal(vow_future_code(replies[count - 1]), VOW_RESOURCE_EXHAUSTED);
    place = strstr(vow_future_error(replies[count - 1]),
                   " bytes wait to be sent; 300000 are allowed (max_queued_bytes)");
    assert_non_null(place);
    while (place[-1] >= '0' && place[-1] <= '9')
        place--;
    sscanf(place, "%lu", &waiting);
    assert_in_range(waiting, LIMIT + 1, LIMIT + 10100); /* the call before was still allowed */
    vow_network_heal(vow_network_of(world->loop));
    for (size_t i = 0; i + 1 < count; i++)
        assert_int_equal(world_settle(world, replies[i]), VOW_OK);
    vow_drop(replies[count - 1]);
    free(text);
    world_free(world);
}

/* Peers that keep one waiting */

/* An end that says what the test makes it say, and nothing by itself. */
struct mute {
    vow_stream *stream; /* NULL: closed */
    uint64_t    closed_ns;
    vow_loop   *loop;
    uint8_t     buffer[512];
};

static void mute_opened(void *owner)
{
    (void)owner;
}

static vow_room mute_room(void *owner)
{
    struct mute *mute = owner;

    return (vow_room){ mute->buffer, sizeof mute->buffer };
}

static void mute_read(void *owner, size_t size)
{
    (void)owner;
    (void)size;
}

static void mute_closed(void *owner, const vow_status *why)
{
    struct mute *mute = owner;

    (void)why;
    mute->stream = NULL;
    mute->closed_ns = vow_loop_now_ns(mute->loop);
}

static const vow_stream_events mute_events = {
    .opened = mute_opened,
    .room = mute_room,
    .read = mute_read,
    .written = mute_opened,
    .closed = mute_closed,
};

static void mute_connect(struct mute *mute, world *world)
{
    *mute = (struct mute){ .loop = world->loop };
    mute->stream = vow_stream_connect(world->loop, world->address, &mute_events, mute, NULL);
    assert_non_null(mute->stream);
}

static void mute_accept(void *owner, vow_stream *stream)
{
    struct mute *mute = owner;

    assert_null(mute->stream);
    mute->stream = stream;
    vow_stream_adopt(stream, &mute_events, mute);
}

/* Says hello, and begins a frame of 100 bytes without ending it. */
static void mute_begin_frame(struct mute *mute)
{
    static uint8_t   bytes[VOW_PREFACE_SIZE + VOW_HEADER_PLAIN_MAX + VOW_HELLO_MAX + 4];
    const vow_header header = { .kind = VOW_FRAME_HELLO };
    uint8_t          payload[VOW_HELLO_MAX];
    const vow_hello  hello = { .max_frame_size = VOW_FRAME_MAX, .max_message_size = 1000, .max_calls = 10,
                               .stream_window = VOW_STREAM_WINDOW, .connection_window = VOW_CONNECTION_WINDOW };
    size_t           size = vow_hello_write(payload, &hello);
    uint8_t         *at = bytes;

    memcpy(at, vow_preface, VOW_PREFACE_SIZE);
    at = vow_header_write(at + VOW_PREFACE_SIZE, &header, size);
    memcpy(at, payload, size);
    at += size;
    memcpy(at, "\x64\0\0\0", 4);
    at += 4;
    vow_stream_write(mute->stream, &(vow_slice){ bytes, (size_t)(at - bytes) }, 1);
}

static world *world_with_latency(const vow_server_options *server, const vow_channel_options *channel)
{
    world *world = world_new_with(WORLD_SIMULATED, server, channel);

    vow_network_set_faults(vow_network_of(world->loop), VOW_NETWORK_FAULTS(.latency_us = 1000));
    return world;
}

static void a_peer_that_says_no_hello_is_closed_after_hello_timeout_ms(void **state)
{
    world      *world = world_with_latency(VOW_SERVER(.hello_timeout_ms = 300), NULL);
    struct mute mute;

    (void)state;
    mute_connect(&mute, world);
    world_advance_ms(world, 300);
    assert_non_null(mute.stream);
    world_advance_ms(world, 50);
    assert_null(mute.stream);
    world_free(world);
}

static void a_frame_that_does_not_end_closes_the_connection_after_hello_timeout_ms(void **state)
{
    world      *world = world_with_latency(VOW_SERVER(.hello_timeout_ms = 300), NULL);
    struct mute mute;

    (void)state;
    mute_connect(&mute, world);
    world_advance_ms(world, 10);
    mute_begin_frame(&mute);
    world_advance_ms(world, 299);
    assert_non_null(mute.stream);
    world_advance_ms(world, 50);
    assert_null(mute.stream);
    world_free(world);
}

static void an_idle_connection_is_left_alone(void **state)
{
    world *world = world_with_latency(VOW_SERVER(.hello_timeout_ms = 300), NULL);

    (void)state;
    assert_int_equal(world_settle(world, world_echo(world, "", NULL)), VOW_OK);
    world_advance_ms(world, 3600000);
    assert_int_equal(world_settle(world, world_echo(world, "", NULL)), VOW_OK);
    assert_int_equal(vow_network_count(vow_network_of(world->loop)).connections, 1);
    world_free(world);
}

static void a_server_that_keeps_its_client_waiting_is_named_after_the_clients_option(void **state)
{
    world        *world = world_with_latency(NULL, NULL);
    struct mute   mute = { .loop = world->loop };
    vow_listener *listener;
    vow_channel  *channel = vow_channel_open(world->loop, OTHER_HOST, VOW_CHANNEL(.connect_timeout_ms = 300));
    vow_future   *reply;

    (void)state;
    assert_int_equal(vow_listener_open(world->loop, OTHER_HOST, &(vow_listener_options){ 0 }, mute_accept, &mute,
                                       &listener, NULL),
                     VOW_OK);
    assert_refused(world_error(world, echo_over(channel)), "UNAVAILABLE: " OTHER_HOST,
                   "still waiting for the server's hello after 300 ms (connect_timeout_ms)");
    world_advance_ms(world, 2000);
    assert_null(mute.stream);
    reply = echo_over(channel);
    world_advance_ms(world, 100);
    mute_begin_frame(&mute);
    assert_refused(world_error(world, reply), "UNAVAILABLE: " OTHER_HOST,
                   "a frame had begun 300 ms ago and has not ended (connect_timeout_ms)");
    vow_channel_close(channel);
    world_advance_ms(world, 5000);
    assert_null(mute.stream);
    vow_listener_close(listener);
    world_free(world);
}

static void a_peer_without_a_hello_does_not_delay_a_drain(void **state)
{
    world      *world = world_with_latency(NULL, NULL);
    struct mute mute;
    vow_future *drain;

    (void)state;
    mute_connect(&mute, world);
    world_advance_ms(world, 10);
    drain = vow_server_drain(world->server, 5000);
    world_advance_ms(world, 10);
    assert_true(vow_future_settled(drain));
    assert_int_equal(world_settle(world, drain), VOW_OK);
    world_advance_ms(world, 3000);
    assert_null(mute.stream);
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_of_max_message_size_passes_and_one_byte_more_does_not),
        cmocka_unit_test(a_reply_of_max_message_size_passes_and_one_byte_more_does_not),
        cmocka_unit_test(a_request_fills_max_decoded_size_and_not_more),
        cmocka_unit_test(a_reply_fills_max_decoded_size_and_not_more),
        cmocka_unit_test(connections_beyond_max_connections_are_refused_until_one_goes),
        cmocka_unit_test(a_host_has_max_connections_per_peer_and_loopback_is_exempt),
        cmocka_unit_test(a_unix_sockets_file_has_unix_mode),
        cmocka_unit_test(a_server_reads_no_more_at_three_quarters_of_max_memory_and_goes_on_below_half),
        cmocka_unit_test(messages_that_come_in_beyond_max_memory_are_refused_and_block_nobody),
        cmocka_unit_test(calls_and_connections_are_refused_at_max_memory),
        cmocka_unit_test(a_call_fails_once_more_than_max_queued_bytes_wait),
        cmocka_unit_test(a_peer_that_says_no_hello_is_closed_after_hello_timeout_ms),
        cmocka_unit_test(a_frame_that_does_not_end_closes_the_connection_after_hello_timeout_ms),
        cmocka_unit_test(an_idle_connection_is_left_alone),
        cmocka_unit_test(a_server_that_keeps_its_client_waiting_is_named_after_the_clients_option),
        cmocka_unit_test(a_peer_without_a_hello_does_not_delay_a_drain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
