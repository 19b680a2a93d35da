/* Large messages: which of their bytes are copied on the way out, and in. */
#include "runtime/loop/loop.h"
#include "runtime/protocol/native/output.h"
#include "runtime/transport/transport.h"
#include "tests/support/raw_peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MIB ((size_t)1 << 20)

/* Out: a connection that takes all that it is given */

static struct {
    const uint8_t *message; /* that is being sent */
    size_t         message_size;
    size_t         own;   /* bytes that left from there */
    size_t         other;
} taken;

static size_t take(vow_stream *stream, const vow_slice *slices, size_t count)
{
    size_t size = 0;

    (void)stream;
    for (size_t i = 0; i < count; i++) {
        bool is_own = slices[i].data >= taken.message && slices[i].data < taken.message + taken.message_size;

        *(is_own ? &taken.own : &taken.other) += slices[i].size;
        size += slices[i].size;
    }
    return size;
}

static bool take_all(vow_stream *stream, const vow_slice *slices, size_t count)
{
    take(stream, slices, count);
    return true;
}

static const vow_transport taking = { .scheme = "tcp", .write = take_all, .try_write = take };

static void nothing_to_tell(vow_output *output)
{
    (void)output;
}

static void nobody_to_tell(vow_output *output, vow_pace *pace)
{
    (void)output;
    (void)pace;
}

/* How many bytes of a message of `size` left by themselves, and how many still wait. */
static void send_large(world *world, size_t size, size_t *left, size_t *waiting)
{
    vow_stream  stream = { .transport = &taking, .loop = world->loop };
    vow_session session = { .loop = world->loop, .stream = &stream };
    vow_header  header = { .kind = VOW_FRAME_REPLY, .call = 1 };
    uint8_t    *bytes = calloc(1, size);
    vow_raw     message = VOW_RAW_INIT(bytes, size);
    vow_output  output;

    assert_non_null(bytes);
    memset(&taken, 0, sizeof taken);
    taken.message = bytes;
    taken.message_size = size;
    vow_output_init(&output, &session, nothing_to_tell, nobody_to_tell);
    output.max_frame_size = VOW_FRAME_MAX_LOCAL;
    assert_int_equal(vow_output_message(&output, &header, &message.base, size, NULL), VOW_OK);
    *left = taken.own;
    *waiting = output.queued_bytes;
    vow_output_done(&output);
    assert_int_equal(session.held_bytes, 0);
    free(bytes);
}

static void a_message_of_4_mib_leaves_from_its_own_memory_and_the_rest_of_a_larger_one_is_copied(void **state)
{
    world *world = world_new(WORLD_SIMULATED);
    size_t left, waiting;

    (void)state;
    send_large(world, 4 * MIB, &left, &waiting);
    assert_int_equal(left, 4 * MIB);
    assert_int_equal(waiting, 0);
    send_large(world, 6 * MIB, &left, &waiting);
    assert_in_range(left, 4 * MIB, 4 * MIB + VOW_FRAME_MAX_LOCAL); /* frames are whole */
    assert_in_range(waiting, 6 * MIB - left, 6 * MIB - left + 1000);
    world_free(world);
}

/* In */

enum { SIZE = 40 << 10 };

static void write_hold(writer *writer, uint64_t call, const uint8_t *payload, size_t size)
{
    static const char name[] = "calls.Calls/Hold";

    write_frame(writer,
                HEADER(.kind = VOW_FRAME_CALL, .call = call, .method_name = { (const uint8_t *)name, sizeof name - 1 },
                       .more = true, .message_size = size),
                NULL, 0);
    write_frame(writer, HEADER(.kind = VOW_FRAME_MESSAGE, .call = call), payload, size);
}

/* The block is the loop's, and shows what came by it. */
static void a_message_behind_a_large_one_does_not_come_by_the_loops_block(void **state)
{
    world         *world = world_new(WORLD_UNIX);
    raw_peer      *peer = raw_connect(world);
    const uint8_t *block = vow_loop_read_block(world->loop);
    char          *text = malloc(SIZE);
    writer         message = { 0 };
    writer         frames = { 0 };

    (void)state;
    assert_non_null(text);
    memset(text, 'x', SIZE);
    writer_bytes(&message, 1, text, SIZE);
    write_greeting(&frames);
    raw_send_writer(peer, &frames);
    for (uint64_t call = 1; call <= 5; call += 2) {
        memset((uint8_t *)(uintptr_t)block, 0, VOW_READ_BLOCK);
        write_hold(&frames, call, message.data, message.size);
        raw_send_writer(peer, &frames);
        world_wait_for_held(world, (call + 1) / 2);
        assert_int_equal(block[1000], call == 1 ? 'x' : 0);
    }
    while (world->held_count > 0)
        world_answer_held(world, "");
    writer_done(&message);
    writer_done(&frames);
    free(text);
    raw_free(peer);
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_of_4_mib_leaves_from_its_own_memory_and_the_rest_of_a_larger_one_is_copied),
        cmocka_unit_test(a_message_behind_a_large_one_does_not_come_by_the_loops_block),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
