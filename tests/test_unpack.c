/*
 * Messages out of their bytes: one whose large field stays where it came is, byte for byte, what protobuf-c
 * alone makes of it.
 */
#include "guard.pb-c.h"
#include "guard_proto2.pb-c.h"
#include "runtime/base/unpack.h"
#include "tests/support/failing.h"
#include "tests/support/message_writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LARGE ((size_t)20000)
#define CAP ((size_t)16 << 20)

typedef struct bench {
    vow_blocks blocks;
    vow_arena  arena;
    vow_packed packed;
    _Alignas(VOW_ARENA_ALIGNMENT) uint8_t first[256];
    uint8_t large[LARGE];
} bench;

static int bench_setup(void **state)
{
    bench *bench = test_calloc(1, sizeof *bench);

    vow_blocks_init(&bench->blocks);
    vow_arena_init(&bench->arena, bench->first, sizeof bench->first, &bench->blocks, CAP);
    for (size_t i = 0; i < LARGE; i++)
        bench->large[i] = (uint8_t)(i * 7 + 3);
    *state = bench;
    return 0;
}

static void bench_clear(bench *bench)
{
    vow_blocks_give(&bench->blocks, bench->packed.block, bench->packed.block_size);
    bench->packed.block = NULL;
    vow_arena_done(&bench->arena);
    assert_int_equal(bench->arena.used, 0);
    assert_int_equal(bench->blocks.live, 0);
    vow_arena_init(&bench->arena, bench->first, sizeof bench->first, &bench->blocks, CAP);
}

static int bench_teardown(void **state)
{
    bench *bench = *state;

    bench_clear(bench);
    vow_blocks_done(&bench->blocks);
    test_free(bench);
    return 0;
}

/* The message arrives in a block of its own, of `room` bytes more than it needs. */
static void bench_arrive(bench *bench, const writer *message, size_t room)
{
    size_t   block_size = message->size + room + 5;
    uint8_t *block = vow_blocks_take(&bench->blocks, &block_size);

    assert_non_null(block);
    memcpy(block + 5, message->data, message->size);
    bench->packed = (vow_packed){ block + 5, message->size, block, block_size };
}

static bool is_in_block(const ProtobufCBinaryData *data, const uint8_t *block, size_t block_size)
{
    return data->data >= block && data->data < block + block_size;
}

static void assert_same_message(const ProtobufCMessage *is, const ProtobufCMessage *wanted)
{
    size_t   size = protobuf_c_message_get_packed_size(wanted);
    uint8_t *packed = test_malloc(2 * size + 1);

    assert_int_equal(protobuf_c_message_get_packed_size(is), size);
    protobuf_c_message_pack(wanted, packed);
    protobuf_c_message_pack(is, packed + size);
    assert_memory_equal(packed, packed + size, size);
    test_free(packed);
}

/* Unpacks it both ways; gives ours. */
static ProtobufCMessage *bench_compare(bench *bench, const ProtobufCMessageDescriptor *type,
                                       const writer *message)
{
    vow_error         error = { VOW_OK, "" };
    ProtobufCMessage *wanted = protobuf_c_message_unpack(type, NULL, message->size, message->data);
    ProtobufCMessage *is = vow_unpack(&bench->arena, type, &bench->packed, &error);

    if (!is != !wanted)
        fail_msg("protobuf-c %s it, and vow says: %s", wanted ? "takes" : "refuses", error.message);
    if (is)
        assert_same_message(is, wanted);
    protobuf_c_message_free_unpacked(wanted, NULL);
    return is;
}

static const Guard__Kinds *bench_kinds(bench *bench, const writer *message)
{
    return (const Guard__Kinds *)bench_compare(bench, &guard__kinds__descriptor, message);
}

/* What stays where it is */

static void a_large_field_stays_where_it_came_and_its_block_becomes_the_arenas(void **state)
{
    bench              *bench = *state;
    writer              message = { 0 };
    const Guard__Kinds *kinds;
    const uint8_t      *block;

    writer_number(&message, 1, 7);
    writer_bytes(&message, 16, bench->large, LARGE);
    writer_text(&message, 15, "behind it");
    bench_arrive(bench, &message, 0);
    block = bench->packed.block;
    kinds = bench_kinds(bench, &message);
    assert_null(bench->packed.block);
    assert_true(is_in_block(&kinds->data, block, bench->packed.block_size));
    assert_int_equal(bench->arena.used, bench->packed.block_size);
    assert_int_equal(kinds->int32, 7);
    assert_string_equal(kinds->text, "behind it");
    writer_done(&message);
}

static void a_field_below_the_least_is_copied(void **state)
{
    bench *bench = *state;

    for (size_t size = VOW_UNPACK_IN_PLACE_MIN - 1; size <= VOW_UNPACK_IN_PLACE_MIN; size++) {
        writer message = { 0 };

        writer_bytes(&message, 16, bench->large, size);
        bench_arrive(bench, &message, 0);
        bench_kinds(bench, &message);
        assert_int_equal(bench->packed.block != NULL, size < VOW_UNPACK_IN_PLACE_MIN);
        bench_clear(bench);
        writer_done(&message);
    }
}

static void a_field_is_copied_where_the_rest_is_not_small(void **state)
{
    bench *bench = *state;

    for (size_t more = 0; more <= 1; more++) {
        writer message = { 0 };

        writer_bytes(&message, 16, bench->large, LARGE); /* 2 bytes of tag and 3 of length */
        writer_text(&message, 15, "");                   /* 2 bytes */
        writer_bytes(&message, 99, bench->large, VOW_UNPACK_REST_MAX - 11 + more); /* and 4 */
        bench_arrive(bench, &message, 0);
        assert_int_equal(message.size - LARGE, VOW_UNPACK_REST_MAX + more);
        bench_kinds(bench, &message);
        assert_int_equal(bench->packed.block != NULL, more);
        bench_clear(bench);
        writer_done(&message);
    }
}

static void a_block_that_is_mostly_empty_is_not_kept(void **state)
{
    bench *bench = *state;
    writer message = { 0 };

    writer_bytes(&message, 16, bench->large, LARGE);
    bench_arrive(bench, &message, LARGE / 2);
    bench_kinds(bench, &message);
    assert_null(bench->packed.block);
    bench_clear(bench);
    bench_arrive(bench, &message, 2 * LARGE);
    bench_kinds(bench, &message);
    assert_non_null(bench->packed.block);
    writer_done(&message);
}

static void what_lies_in_memory_that_others_use_is_copied(void **state)
{
    bench              *bench = *state;
    writer              message = { 0 };
    const Guard__Kinds *kinds;

    writer_bytes(&message, 16, bench->large, LARGE);
    bench->packed = (vow_packed){ .data = message.data, .size = message.size };
    kinds = bench_kinds(bench, &message);
    memset(message.data, 0, message.size);
    assert_memory_equal(kinds->data.data, bench->large, LARGE);
    writer_done(&message);
}

static void a_block_that_the_arena_has_no_room_for_is_left(void **state)
{
    bench    *bench = *state;
    writer    message = { 0 };
    vow_error error = { VOW_OK, "" };

    writer_bytes(&message, 16, bench->large, LARGE);
    bench_arrive(bench, &message, 0);
    bench->arena.cap = bench->packed.block_size - 1;
    assert_non_null(bench_kinds(bench, &message));
    assert_non_null(bench->packed.block); /* the copy is smaller */
    bench_clear(bench);

    bench_arrive(bench, &message, 0);
    bench->arena.cap = LARGE;
    assert_null(vow_unpack(&bench->arena, &guard__kinds__descriptor, &bench->packed, &error));
    assert_int_equal(error.code, VOW_RESOURCE_EXHAUSTED);
    assert_string_equal(error.message,
                        "guard.Kinds.data is where the message would take more than 20000 bytes of "
                        "memory (max_decoded_size)");
    writer_done(&message);
}

/* As protobuf-c has it */

static void the_last_value_of_a_field_counts(void **state)
{
    bench *bench = *state;
    writer message = { 0 };

    writer_bytes(&message, 16, "first", 5);
    writer_bytes(&message, 16, bench->large, LARGE);
    bench_arrive(bench, &message, 0);
    assert_int_equal(bench_kinds(bench, &message)->data.len, LARGE);
    assert_null(bench->packed.block);
    bench_clear(bench);

    writer_bytes(&message, 16, "last", 4);
    bench_arrive(bench, &message, 0);
    assert_int_equal(bench_kinds(bench, &message)->data.len, 4);
    bench_clear(bench);

    writer_bytes(&message, 16, "", 0);
    bench_arrive(bench, &message, 0);
    assert_int_equal(bench_kinds(bench, &message)->data.len, 0);
    writer_done(&message);
}

static const Guard__Tree *bench_tree(bench *bench, const writer *message)
{
    return (const Guard__Tree *)bench_compare(bench, &guard__tree__descriptor, message);
}

static void a_member_of_a_oneof_stays_unless_another_replaces_it(void **state)
{
    bench             *bench = *state;
    writer             message = { 0 };
    const Guard__Tree *tree;

    writer_text(&message, 6, "leaf");
    writer_bytes(&message, 7, bench->large, LARGE);
    bench_arrive(bench, &message, 0);
    tree = bench_tree(bench, &message);
    assert_null(bench->packed.block);
    assert_int_equal(tree->kind_case, GUARD__TREE__KIND_FRUIT);
    assert_memory_equal(tree->fruit.data, bench->large, LARGE);
    bench_clear(bench);

    writer_number(&message, 9, 1);
    bench_arrive(bench, &message, 0);
    tree = bench_tree(bench, &message);
    assert_int_equal(tree->kind_case, GUARD__TREE__KIND_COLOUR);
    assert_int_equal(tree->colour, 1);
    writer_done(&message);
}

static void optional_and_required_fields_know_that_they_came(void **state)
{
    static const uint32_t fields[] = { 4, 11 }; /* optional with a default, required */
    bench                *bench = *state;

    for (size_t i = 0; i < 2; i++) {
        writer              message = { 0 };
        const Guard__Order *order;

        writer_number(&message, 1, 1);
        writer_text(&message, 2, "customer");
        writer_number(&message, 6, 20);
        writer_bytes(&message, fields[i], bench->large, LARGE);
        if (fields[i] != 11)
            writer_bytes(&message, 11, "key", 3);
        bench_arrive(bench, &message, 0);
        order = (const Guard__Order *)bench_compare(bench, &guard__order__descriptor, &message);
        assert_null(bench->packed.block);
        assert_int_equal(order->has_stamp, fields[i] == 4);
        assert_int_equal(order->stamp.len, fields[i] == 4 ? LARGE : 2);
        bench_clear(bench);
        writer_done(&message);
    }
}

static void what_is_inside_a_sub_message_or_repeated_is_copied(void **state)
{
    bench *bench = *state;
    writer kinds = { 0 };
    writer message = { 0 };

    writer_bytes(&kinds, 16, bench->large, LARGE);
    writer_message(&message, 1, &kinds);
    bench_arrive(bench, &message, 0);
    assert_non_null(bench_compare(bench, &guard__box__descriptor, &message));
    assert_non_null(bench->packed.block);
    bench_clear(bench);

    bench_arrive(bench, &kinds, 0);
    assert_non_null(bench_compare(bench, &guard__lists__descriptor, &kinds));
    assert_non_null(bench->packed.block);
    writer_done(&kinds);
    writer_done(&message);
}

/* Random messages */

/* Of any of the fields of guard.Kinds and guard.Tree, by their numbers, and of some that are not. */
static void write_random_field(writer *message, const bench *bench, unsigned *seed)
{
    static const size_t sizes[] = { 0, 1, 100, VOW_UNPACK_IN_PLACE_MIN, LARGE };
    size_t              size = sizes[(size_t)rand_r(seed) % 5];

    switch (rand_r(seed) % 6) {
    case 0:
        writer_bytes(message, 16, bench->large, size);
        break;
    case 1:
        writer_bytes(message, 7, bench->large, size);
        break;
    case 2:
        writer_text(message, 6, "leaf");
        break;
    case 3:
        writer_number(message, 9, (uint64_t)rand_r(seed) % 3);
        break;
    case 4:
        writer_bytes(message, 77, bench->large, size % LARGE);
        break;
    default:
        writer_text(message, 15, "text");
    }
}

static void random_messages_are_what_protobuf_c_makes_of_them(void **state)
{
    static const ProtobufCMessageDescriptor *const types[] = { &guard__kinds__descriptor,
                                                               &guard__tree__descriptor,
                                                               &guard__sparse__descriptor,
                                                               &guard__body__descriptor };
    bench                                         *bench = *state;
    unsigned                                       seed = 1;
    size_t                                         kept = 0;

    for (int i = 0; i < 20000; i++) {
        writer message = { 0 };
        int    fields = rand_r(&seed) % 5;

        for (int field = 0; field < fields; field++)
            write_random_field(&message, bench, &seed);
        if (message.size > 0) {
            bench_arrive(bench, &message, (size_t)rand_r(&seed) % 1000);
            bench_compare(bench, types[rand_r(&seed) % 4], &message);
            kept += !bench->packed.block;
            bench_clear(bench);
        }
        writer_done(&message);
    }
    assert_in_range(kept, 1000, 10000); /* the test is about these */
}

/* No memory */

static void wherever_memory_ends_nothing_is_lost(void **state)
{
    bench *bench = *state;
    writer message = { 0 };
    size_t nth = 0;
    bool   has_failed;

    writer_bytes(&message, 16, bench->large, LARGE);
    writer_bytes(&message, 77, bench->large, 700); /* beyond what the arena has at first */
    failing_install(SIZE_MAX, false);
    do {
        vow_error               error = { VOW_OK, "" };
        const ProtobufCMessage *is;

        bench_arrive(bench, &message, 0);
        failing_fail_at(nth++, true);
        is = vow_unpack(&bench->arena, &guard__kinds__descriptor, &bench->packed, &error);
        has_failed = failing_has_failed();
        failing_stop();
        assert_true(is || error.code == VOW_INVALID_ARGUMENT);
        if (is)
            assert_memory_equal(((const Guard__Kinds *)is)->data.data, bench->large, LARGE);
        bench_clear(bench);
        vow_blocks_done(&bench->blocks);
    } while (has_failed);
    assert_true(nth > 1);
    assert_int_equal(failing_outstanding(), 0);
    failing_remove();
    writer_done(&message);
}

#define ON_BENCH(test) cmocka_unit_test_setup_teardown(test, bench_setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BENCH(a_large_field_stays_where_it_came_and_its_block_becomes_the_arenas),
        ON_BENCH(a_field_below_the_least_is_copied),
        ON_BENCH(a_field_is_copied_where_the_rest_is_not_small),
        ON_BENCH(a_block_that_is_mostly_empty_is_not_kept),
        ON_BENCH(what_lies_in_memory_that_others_use_is_copied),
        ON_BENCH(a_block_that_the_arena_has_no_room_for_is_left),
        ON_BENCH(the_last_value_of_a_field_counts),
        ON_BENCH(a_member_of_a_oneof_stays_unless_another_replaces_it),
        ON_BENCH(optional_and_required_fields_know_that_they_came),
        ON_BENCH(what_is_inside_a_sub_message_or_repeated_is_copied),
        ON_BENCH(random_messages_are_what_protobuf_c_makes_of_them),
        ON_BENCH(wherever_memory_ends_nothing_is_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
