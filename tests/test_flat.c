/*
 * Flat messages: what is plain is unpacked in the short way, to what protobuf-c makes of it; all else is left
 * to others.
 */
#include "guard.pb-c.h"
#include "guard_proto2.pb-c.h"
#include "runtime/base/flat.h"
#include "runtime/base/random.h"
#include "tests/support/flat_check.h"
#include "tests/support/message_writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MESSAGES 100000

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Fails where the two ways differ. */
static bool is_plain(const ProtobufCMessageDescriptor *type, const writer *message)
{
    bool        plain;
    const char *wrong = flat_check(type, message->data, message->size, &plain);

    if (wrong)
        fail_msg("%s: %s", type->name, wrong);
    return plain;
}

/* Each case by itself */

typedef struct wire_case {
    const char                       *name;
    const ProtobufCMessageDescriptor *type;
    const char                       *bytes;
    size_t                            size;
} wire_case;

#define WIRE(text) text, sizeof(text) - 1
#define KINDS &guard__kinds__descriptor
#define MAYBE &guard__maybe__descriptor
#define SPARSE &guard__sparse__descriptor
#define ORDER &guard__order__descriptor
#define TREE &guard__tree__descriptor

static const wire_case plain_cases[] = {
    { "nothing", KINDS, WIRE("") },
    { "an int32", KINDS, WIRE("\x08\x07") },
    { "an int32 of 10 bytes, as -1 is sent", KINDS, WIRE("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01") },
    { "an int32 of 9 bytes, cut to its lower half", KINDS, WIRE("\x08\x81\x82\x83\x84\x85\x86\x87\x88\x09") },
    { "a varint that is longer than it need be", KINDS, WIRE("\x08\x87\x80\x00") },
    { "a tag that is longer than it need be", KINDS, WIRE("\x88\x00\x07") },
    { "a length that is longer than it need be", KINDS,
      WIRE("\x7a\x81\x00"
           "a") },
    { "a sint32 of over 32 bits", KINDS, WIRE("\x10\xff\xff\xff\xff\xff\x01") },
    { "an sfixed32", KINDS, WIRE("\x1d\x01\x02\x03\xff") },
    { "an int64, the least", KINDS, WIRE("\x20\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01") },
    { "a sint64", KINDS, WIRE("\x28\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01") },
    { "a double", KINDS, WIRE("\x61\x01\x02\x03\x04\x05\x06\x07\x08") },
    { "a bool of 7", KINDS, WIRE("\x68\x07") },
    { "a bool of 2^32", KINDS, WIRE("\x68\x80\x80\x80\x80\x10") },
    { "a bool that is false", KINDS, WIRE("\x68\x00") },
    { "a value that its enum does not have", KINDS, WIRE("\x70\x09") },
    { "text", KINDS,
      WIRE("\x7a\x03"
           "abc") },
    { "text that is empty", KINDS, WIRE("\x7a\x00") },
    { "bytes", KINDS,
      WIRE("\x82\x01\x03"
           "abc") },
    { "bytes that are empty", KINDS, WIRE("\x82\x01\x00") },
    { "fields in another order", KINDS,
      WIRE("\x7a\x01"
           "a\x08\x01") },
    { "an optional field that is zero", MAYBE, WIRE("\x08\x00") },
    { "an optional text that is empty", MAYBE, WIRE("\x1a\x00") },
    { "optional fields, all", MAYBE,
      WIRE("\x08\x01\x10\x01\x1a\x01"
           "a\x22\x01"
           "b\x29\1\2\3\4\5\6\7\x08\x30\x01") },
    { "fields behind a gap", SPARSE,
      WIRE("\x1a\x01"
           "a\x20\x05\x82\x01\x01"
           "b") },
    { "required fields, all", ORDER,
      WIRE("\x08\x01\x12\x01"
           "a\x30\x05\x5a\x01"
           "k") },
    { "optional fields in place of defaults", ORDER,
      WIRE("\x08\x01\x12\x01"
           "a\x1a\x01"
           "n\x22\x00\x28\x00\x30\x05\x5a\x01"
           "k") },
};

static const wire_case other_cases[] = {
    { "a field that comes again", KINDS, WIRE("\x08\x07\x08\x08") },
    { "text that comes again", KINDS,
      WIRE("\x7a\x01"
           "a\x7a\x01"
           "b") },
    { "a field that the type has not", KINDS, WIRE("\xa0\x01\x07") },
    { "a field within a gap", SPARSE, WIRE("\x10\x07") },
    { "a message", KINDS, WIRE("\x8a\x01\x00") },
    { "a member of a oneof", TREE,
      WIRE("\x32\x01"
           "a") },
    { "a repeated field", TREE, WIRE("\x50\x07") },
    { "a field in another wire type", KINDS, WIRE("\x0d\x01\x02\x03\x04") },
    { "a group", KINDS, WIRE("\x0b\x0c") },
    { "field number 0", KINDS, WIRE("\x00\x00") },
    { "text that is not UTF-8", KINDS, WIRE("\x7a\x01\xff") },
    { "text that holds NUL", KINDS,
      WIRE("\x7a\x03"
           "a\0b") },
    { "text beyond the end", KINDS,
      WIRE("\x7a\x03"
           "ab") },
    { "bytes beyond the end", KINDS,
      WIRE("\x82\x01\x03"
           "ab") },
    { "a tag without a value", KINDS, WIRE("\x08") },
    { "a tag that is cut", KINDS, WIRE("\x82") },
    { "a length that is cut", KINDS, WIRE("\x7a\x81") },
    { "a length of 3 bytes", KINDS,
      WIRE("\x7a\x81\x80\x00"
           "a") },
    { "a varint that is cut", KINDS, WIRE("\x08\x80") },
    { "a varint of 11 bytes", KINDS, WIRE("\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01") },
    { "a varint beyond 64 bits", KINDS, WIRE("\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02") },
    { "a bool beyond 64 bits", KINDS, WIRE("\x68\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02") },
    { "a fixed number that is cut", KINDS, WIRE("\x1d\x01\x02\x03") },
    { "a required field that is missing", ORDER,
      WIRE("\x08\x01\x12\x01"
           "a\x30\x05") },
    { "a required field that is missing, and has a default", ORDER,
      WIRE("\x08\x01\x12\x01"
           "a\x5a\x01"
           "k") },
};

static void check_cases(const wire_case *cases, size_t count, bool plain)
{
    for (size_t i = 0; i < count; i++) {
        writer message = { 0 };

        writer_add(&message, cases[i].bytes, cases[i].size);
        if (is_plain(cases[i].type, &message) != plain)
            fail_msg("%s: %s", cases[i].name, plain ? "is not plain" : "is plain");
        writer_done(&message);
    }
}

static void what_is_plain_is_unpacked_in_the_short_way(void **state)
{
    (void)state;
    check_cases(plain_cases, COUNT(plain_cases), true);
}

static void what_is_not_plain_is_left_to_the_guard(void **state)
{
    (void)state;
    check_cases(other_cases, COUNT(other_cases), false);
}

/* Many of them */

static uint32_t below(uint64_t *random, uint32_t limit)
{
    return (uint32_t)vow_random_below(random, limit);
}

static void add_varint(writer *message, uint64_t *random)
{
    writer_varint(message, vow_random_next(random) >> below(random, 64));
}

static void add_content(writer *message, uint64_t *random)
{
    static const uint8_t texts[][4] = {
        "abc", { 0xc3, 0xa9, 'x', 'y' }, { 0xff, 0, 1, 2 }, { 'a', 0, 'b', 'c' }
    };
    uint32_t size = below(random, 40) ? below(random, 40) : 2000;

    writer_varint(message, size);
    for (uint32_t i = 0; i < size; i += 4)
        writer_add(message, texts[below(random, 20) ? 0 : below(random, COUNT(texts))],
                   size - i < 4 ? size - i : 4);
}

/* One of the type's fields, mostly as it should be. */
static void add_field(writer *message, const ProtobufCMessageDescriptor *type, uint64_t *random)
{
    const ProtobufCFieldDescriptor *field = &type->fields[below(random, type->n_fields)];
    unsigned                        wire_type;
    uint64_t                        fixed = vow_random_next(random);

    switch (field->type) {
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        wire_type = PROTOBUF_C_WIRE_TYPE_32BIT;
        break;
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        wire_type = PROTOBUF_C_WIRE_TYPE_64BIT;
        break;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        wire_type = PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
        break;
    default:
        wire_type = PROTOBUF_C_WIRE_TYPE_VARINT;
    }
    if (below(random, 100) == 0)
        wire_type = below(random, 8);
    writer_tag(message, field->id, wire_type);
    if (wire_type == PROTOBUF_C_WIRE_TYPE_VARINT)
        add_varint(message, random);
    else if (wire_type == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED)
        add_content(message, random);
    else
        writer_add(message, &fixed, wire_type == PROTOBUF_C_WIRE_TYPE_64BIT ? 8 : 4);
}

static void mutate(writer *message, uint64_t *random)
{
    if (message->size == 0)
        return;
    if (below(random, 3) == 0)
        message->size = below(random, (uint32_t)message->size);
    else
        message->data[below(random, (uint32_t)message->size)] = (uint8_t)vow_random_next(random);
}

static void check_many(const ProtobufCMessageDescriptor *type, uint64_t seed)
{
    uint64_t random = seed;
    size_t   plain = 0;

    for (size_t i = 0; i < MESSAGES; i++) {
        writer message = { 0 };

        if (type == ORDER && below(&random, 4)) /* what it requires */
            writer_add(&message, WIRE("\x08\x01\x12\x01"
                                      "a\x30\x05\x5a\x01"
                                      "k"));
        for (uint32_t fields = below(&random, 6); fields > 0; fields--)
            add_field(&message, type, &random);
        if (below(&random, 3) == 0)
            mutate(&message, &random);
        plain += is_plain(type, &message);
        writer_done(&message);
    }
    if (plain < MESSAGES / 20 || plain > MESSAGES - MESSAGES / 20)
        fail_msg("%s: %zu of %d messages were plain", type->name, plain, MESSAGES);
}

static void random_messages_are_what_protobuf_c_makes_of_them(void **state)
{
    (void)state;
    check_many(KINDS, 1);
    check_many(MAYBE, 2);
    check_many(SPARSE, 3);
    check_many(ORDER, 4);
}

/* Limits */

static void a_message_of_8_KiB_is_plain_and_one_byte_more_is_not(void **state)
{
    static uint8_t bytes[VOW_FLAT_MAX];

    (void)state;
    for (size_t size = VOW_FLAT_MAX - 3; size <= VOW_FLAT_MAX - 2; size++) {
        writer message = { 0 };

        writer_bytes(&message, 16, bytes, size - 1);
        assert_int_equal(message.size, size + 3);
        assert_int_equal(is_plain(KINDS, &message), message.size <= VOW_FLAT_MAX);
        writer_done(&message);
    }
}

/* The guard judges what may be too large for its arena. */
static void a_message_that_may_pass_its_arenas_cap_is_left_to_the_guard(void **state)
{
    const size_t least =
        sizeof(Guard__Maybe) + 3 + (guard__maybe__descriptor.n_fields + 1) * VOW_ARENA_ALIGNMENT;

    (void)state;
    for (size_t cap = least - 1; cap <= least; cap++) {
        vow_blocks                            blocks;
        vow_arena                             arena;
        _Alignas(VOW_ARENA_ALIGNMENT) uint8_t first[512];

        vow_blocks_init(&blocks);
        vow_arena_init(&arena, first, sizeof first, &blocks, cap);
        assert_int_equal(vow_flat_unpack(&arena, MAYBE,
                                         (const uint8_t *)"\x1a\x01"
                                                          "a",
                                         3) != NULL,
                         cap == least);
        vow_arena_done(&arena);
        vow_blocks_done(&blocks);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_plain_is_unpacked_in_the_short_way),
        cmocka_unit_test(what_is_not_plain_is_left_to_the_guard),
        cmocka_unit_test(random_messages_are_what_protobuf_c_makes_of_them),
        cmocka_unit_test(a_message_of_8_KiB_is_plain_and_one_byte_more_is_not),
        cmocka_unit_test(a_message_that_may_pass_its_arenas_cap_is_left_to_the_guard),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
