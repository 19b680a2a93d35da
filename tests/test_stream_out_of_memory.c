/*
 * Every allocation made to fail in turn, through a stream's whole life on both sides: reading and writing
 * settle, nothing is lost, and a fresh stream succeeds as soon as there is memory again.
 */
#include "tests/support/failing.h"
#include "tests/support/kinds.h"

#include <vow/vow.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#define ADDRESS "tcp://10.0.0.1:7000"
#define TARGET_GRPC "grpc://10.0.0.1:7000"
#define MESSAGES 12
#define LARGE 100000 /* above the window, and in several frames */

static const vow_method relay_method = { sizeof relay_method,
                                         "calls.Streams/Relay",
                                         &vow_raw_descriptor,
                                         &vow_raw_descriptor,
                                         true,
                                         true,
                                         false,
                                         NULL };

static const char *target = ADDRESS; /* of the channel */

typedef struct life {
    vow_loop    *loop;
    vow_server  *server;
    vow_channel *channel;
    vow_call    *call;
    int          sent;
    int          got;
    size_t       done; /* of reading, writing and the end */
    vow_code     code; /* of reading */
} life;

static vow_future *relay_back(vow_call *call, const ProtobufCMessage *message, void *arg)
{
    (void)arg;
    return vow_call_send(call, message) ? NULL : vow_call_when_room(call);
}

static void relay(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    (void)request;
    (void)handler;
    vow_call_send_metadata(call, VOW_METADATA({ .name = "trace", .value = "1" }));
    vow_call_answer(call, vow_call_read(call, relay_back, NULL));
}

static vow_future *send_more(vow_call *call, void *arg)
{
    static const uint8_t bytes[LARGE];
    life                *life = arg;
    bool                 has_room = true;

    while (has_room && life->sent < MESSAGES) {
        const vow_raw raw = VOW_RAW_INIT(bytes, life->sent % 4 == 3 ? LARGE : 1000);

        life->sent++;
        has_room = vow_call_send(call, &raw.base);
    }
    if (life->sent == MESSAGES)
        vow_call_end(call);
    return NULL;
}

static vow_future *read_one(vow_call *call, const ProtobufCMessage *message, void *arg)
{
    life *life = arg;

    assert_int_equal(((const vow_raw *)message)->data_size, life->got % 4 == 3 ? LARGE : 1000);
    life->got++;
    return life->got == 2 ? vow_sleep(vow_call_loop(call), 50) : NULL; /* messages wait meanwhile */
}

static void part_ended(vow_future *settled, void *arg)
{
    life *life = arg;

    (void)settled;
    life->done++;
}

static void read_ended(vow_future *settled, void *arg)
{
    life *life = arg;

    life->code = vow_future_code(settled);
    if (life->code == VOW_OK)
        assert_int_equal(life->got, MESSAGES);
    life->done++;
}

/* Runs one stream to its end, whatever that is. */
static vow_code stream_once(life *life)
{
    life->sent = life->got = 0;
    life->done = 0;
    life->call =
        vow_call_start(life->channel, &relay_method, VOW_CALL(.wait_for_ready = true, .timeout_ms = 5000));
    vow_done(vow_call_read(life->call, read_one, life), read_ended, life);
    vow_done(vow_call_write(life->call, send_more, life), part_ended, life);
    vow_done(vow_call_when_closed(life->call), part_ended, life);
    vow_loop_advance(life->loop, 5001);
    vow_call_drop(life->call);
    vow_loop_advance(life->loop, 1);
    assert_int_equal(life->done, 3);
    return life->code;
}

static bool life_open(life *life)
{
    vow_error error;

    *life = (struct life){ .loop = vow_loop_simulated(1) };
    if (!life->loop)
        return false;
    life->server = vow_server_open(life->loop, NULL);
    vow_server_handle(life->server, &(vow_handler){ sizeof(vow_handler), &relay_method, relay, NULL, NULL });
    if (vow_server_listen(life->server, ADDRESS, &error) == VOW_OK) {
        life->channel = vow_channel_open(life->loop, target, VOW_CHANNEL(.backoff_min_ms = 1));
        return true;
    }
    assert_int_equal(error.code, VOW_RESOURCE_EXHAUSTED);
    return false;
}

/* False: the program asked for fewer allocations than that. */
static bool live_with_failure(size_t nth, bool from_then_on)
{
    life     life;
    bool     failed;
    vow_code code;

    failing_install(nth, from_then_on);
    if (life_open(&life)) {
        code = stream_once(&life);
        failed = failing_has_failed();
        failing_stop();
        if (code != VOW_OK)
            assert_true(failed);
        code = stream_once(&life);
        if (code != VOW_OK) /* the channel itself could not be made */
            assert_int_equal(code, VOW_RESOURCE_EXHAUSTED);
    }
    failed = failing_has_failed();
    failing_stop();
    if (life.loop) {
        vow_channel_close(life.channel);
        vow_server_close(life.server);
        vow_loop_close(life.loop);
    }
    assert_int_equal(failing_outstanding(), 0);
    failing_remove();
    return failed;
}

static void a_stream_survives_each_allocation_that_fails_once(void **state)
{
    (void)state;
    assert_true(failing_each(live_with_failure, false, 30));
}

static void a_stream_fails_in_good_order_when_memory_ends_for_good(void **state)
{
    (void)state;
    assert_true(failing_each(live_with_failure, true, 30));
}

static int over_grpc(void **state)
{
    (void)state;
    target = TARGET_GRPC;
    return 0;
}

static int over_native(void **state)
{
    (void)state;
    target = ADDRESS;
    return 0;
}

#define OVER(protocol, test)                                                                                 \
    {                                                                                                        \
#test " (" #protocol ")", test, over_##protocol, NULL, NULL                                          \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        OVER(native, a_stream_survives_each_allocation_that_fails_once),
        OVER(native, a_stream_fails_in_good_order_when_memory_ends_for_good),
        OVER(grpc, a_stream_survives_each_allocation_that_fails_once),
        OVER(grpc, a_stream_fails_in_good_order_when_memory_ends_for_good),
    };

    return kinds_run_tests("streams out of memory", tests);
}
