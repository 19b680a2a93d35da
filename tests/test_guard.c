/*
 * The guard in front of protobuf-c: which messages are sound. Each that passes is unpacked, in no more memory
 * than was foretold; each that does not is refused with what is wrong and where.
 */
#include "guard.pb-c.h"
#include "guard_proto2.pb-c.h"
#include "runtime/base/guard.h"
#include "tests/support/guard_checks.h"
#include "tests/support/message_writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ROUNDED(size) (((size) + VOW_GUARD_ALIGNMENT - 1) / VOW_GUARD_ALIGNMENT * VOW_GUARD_ALIGNMENT)

static const vow_guard_limits defaults = { 0 };

/* What protobuf-c packs */

static void an_empty_message_takes_its_struct(void **state)
{
    writer         nothing = { 0 };
    vow_guard_need need = check_passes(&guard__empty__descriptor, &nothing);

    (void)state;
    assert_int_equal(need.arena_bytes, ROUNDED(sizeof(Guard__Empty)));
    assert_int_equal(need.scratch_bytes, 0);
}

static void every_kind_of_field_takes_exactly_what_was_foretold(void **state)
{
    Guard__Kinds kinds = GUARD__KINDS__INIT;
    Guard__Empty empty = GUARD__EMPTY__INIT;

    (void)state;
    kinds.int32 = kinds.sint32 = kinds.sfixed32 = -1;
    kinds.int64 = kinds.sint64 = kinds.sfixed64 = INT64_MIN;
    kinds.uint32 = kinds.fixed32 = UINT32_MAX;
    kinds.uint64 = kinds.fixed64 = UINT64_MAX;
    kinds.single = 1.5f;
    kinds.twofold = -1.5;
    kinds.flag = true;
    kinds.colour = GUARD__COLOUR__BLUE;
    kinds.text = (char[]){ "fifteen and NUL" };
    kinds.data = (ProtobufCBinaryData){ 17, (uint8_t[17]){ 0 } };
    kinds.empty = &empty;
    check_foretold_exactly(&kinds.base);
}

static void lists_of_every_kind_take_exactly_what_was_foretold(void **state)
{
    Guard__Lists        lists = GUARD__LISTS__INIT;
    Guard__Empty        empty = GUARD__EMPTY__INIT;
    int32_t             narrow[] = { 0, 1, -1, INT32_MAX, INT32_MIN };
    int64_t             wide[] = { 0, 1, -1, INT64_MAX, INT64_MIN };
    float               singles[] = { 0, 1 };
    double              doubles[] = { 0, 1, 2 };
    protobuf_c_boolean  flags[] = { 1, 0, 1, 1, 1 };
    char               *texts[] = { "", "one", "a string of thirty-one letters." };
    ProtobufCBinaryData data[] = { { 0, NULL }, { 1, (uint8_t[]){ 0 } } };
    Guard__Empty       *empties[] = { &empty, &empty, &empty };

    (void)state;
    lists.int32 = lists.sint32 = lists.sfixed32 = lists.loose = narrow;
    lists.n_int32 = lists.n_sint32 = lists.n_sfixed32 = lists.n_loose = COUNT(narrow);
    lists.int64 = lists.sint64 = lists.sfixed64 = wide;
    lists.n_int64 = lists.n_sint64 = lists.n_sfixed64 = COUNT(wide);
    lists.uint32 = lists.fixed32 = (uint32_t *)narrow;
    lists.n_uint32 = lists.n_fixed32 = COUNT(narrow);
    lists.uint64 = lists.fixed64 = (uint64_t *)wide;
    lists.n_uint64 = lists.n_fixed64 = COUNT(wide);
    lists.single = singles;
    lists.n_single = COUNT(singles);
    lists.twofold = doubles;
    lists.n_twofold = COUNT(doubles);
    lists.flag = flags;
    lists.n_flag = COUNT(flags);
    lists.colour = (Guard__Colour *)narrow;
    lists.n_colour = 3;
    lists.text = texts;
    lists.n_text = COUNT(texts);
    lists.data = data;
    lists.n_data = COUNT(data);
    lists.empty = empties;
    lists.n_empty = COUNT(empties);
    check_foretold_exactly(&lists.base);
}

static void maps_and_oneofs_take_exactly_what_was_foretold(void **state)
{
    Guard__Tree             trunk = GUARD__TREE__INIT;
    Guard__Tree             oak = GUARD__TREE__INIT;
    Guard__Tree             graft = GUARD__TREE__INIT;
    Guard__Tree__NamedEntry entry = GUARD__TREE__NAMED_ENTRY__INIT;
    Guard__Tree__NamedEntry *entries[] = { &entry, &entry };

    (void)state;
    oak.kind_case = GUARD__TREE__KIND_LEAF;
    oak.leaf = (char[]){ "an oak's leaf" };
    graft.kind_case = GUARD__TREE__KIND_FRUIT;
    graft.fruit = (ProtobufCBinaryData){ 3, (uint8_t[]){ 1, 0, 2 } };
    entry.key = (char[]){ "oak" };
    entry.value = &oak;
    trunk.named = entries;
    trunk.n_named = COUNT(entries);
    trunk.kind_case = GUARD__TREE__KIND_GRAFTED;
    trunk.grafted = &graft;
    check_foretold_exactly(&trunk.base);
}

/* Malformed */

typedef struct wire_case {
    const char *bytes;
    size_t      size;
    const char *text;
} wire_case;

#define BYTES(literal) literal, sizeof(literal) - 1

static void malformed_bytes_are_refused_with_what_is_wrong(void **state)
{
    static const wire_case cases[] = {
        { BYTES("\x80"), "guard.Kinds ends within a tag" },
        { BYTES("\x80\x80\x80\x80\x80\x01\x00"), "guard.Kinds has a tag of over 5 bytes" },
        { BYTES("\x00\x00"), "guard.Kinds has a field number 0" },
        { BYTES("\x80\x00\x00"), "guard.Kinds has a field number 0" },
        { BYTES("\x80\x80\x80\x80\x10\x00"), "guard.Kinds has a field number above 2^29 - 1" },
        { BYTES("\x08"), "guard.Kinds.int32 ends within a varint" },
        { BYTES("\x08\x80"), "guard.Kinds.int32 ends within a varint" },
        { BYTES("\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00"), "guard.Kinds.int32 is a varint of over 10 bytes" },
        { BYTES("\x1d\x01\x02\x03"), "guard.Kinds.sfixed32 ends within a number of fixed size" },
        { BYTES("\x31\x01\x02\x03\x04\x05\x06\x07"), "guard.Kinds.sfixed64 ends within a number of fixed size" },
        { BYTES("\x7a"), "guard.Kinds.text ends within a length" },
        { BYTES("\x7a\x80"), "guard.Kinds.text ends within a length" },
        { BYTES("\x7a\x80\x80\x80\x80\x80\x00"), "guard.Kinds.text has a length of over 5 bytes" },
        { BYTES("\x7a\x02\x41"), "guard.Kinds.text goes beyond the end of the message" },
        { BYTES("\x7a\xff\xff\xff\xff\x0f\x41"), "guard.Kinds.text goes beyond the end of the message" },
        { BYTES("\x7a\x80\x80\x80\x80\x08\x41"), "guard.Kinds.text goes beyond the end of the message" },
        { BYTES("\x7a\x81\x80\x80\x80\x10\x41"), "guard.Kinds.text goes beyond the end of the message" },
        { BYTES("\xa2\x06\x05\x41"), "guard.Kinds field 100 goes beyond the end of the message" },
        { BYTES("\xa0\x06\x80"), "guard.Kinds field 100 ends within a varint" },
        { BYTES("\x0b\x0c"), "guard.Kinds.int32 is a group, which protobuf-c does not know" },
        { BYTES("\x0c"), "guard.Kinds.int32 is a group, which protobuf-c does not know" },
        { BYTES("\xa3\x06\xa4\x06"), "guard.Kinds field 100 is a group, which protobuf-c does not know" },
        { BYTES("\x0e\x00"), "guard.Kinds.int32 has a wire type that there is none of" },
        { BYTES("\x0f\x00"), "guard.Kinds.int32 has a wire type that there is none of" },
        { BYTES("\x8a\x01\x02\x08\x80"), "guard.Empty field 1 ends within a varint" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        writer message = { 0 };

        check_case(cases[i].text);
        writer_add(&message, cases[i].bytes, cases[i].size); /* a block of its own, for the sanitizer */
        check_refused(&guard__kinds__descriptor, &message, VOW_INVALID_ARGUMENT, cases[i].text);
        writer_done(&message);
    }
}

static void forms_that_are_longer_than_need_be_pass(void **state)
{
    static const wire_case cases[] = {
        { BYTES("\x88\x80\x80\x80\x00\x01"), "a tag of 5 bytes" },
        { BYTES("\x08\x81\x80\x80\x80\x80\x80\x80\x80\x80\x00"), "a varint of 10 bytes" },
        { BYTES("\x7a\x81\x80\x80\x80\x00\x41"), "a length of 5 bytes" },
        { BYTES("\xf8\xff\xff\xff\x0f\x01"), "field number 2^29 - 1" },
        { BYTES("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"), "a varint of 70 bits" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        writer message = { 0 };

        check_case(cases[i].text);
        writer_add(&message, cases[i].bytes, cases[i].size);
        check_passes(&guard__kinds__descriptor, &message);
        writer_done(&message);
    }
}

static void write_zeros(writer *message, uint32_t number, unsigned wire_type)
{
    static const size_t sizes[] = { 1, 8, 1, 0, 0, 4 };

    writer_tag(message, number, wire_type);
    writer_add(message, "\0\0\0\0\0\0\0\0", sizes[wire_type]);
}

/* As protobuf-c has it, which takes a bool in any. */
static void a_field_passes_in_its_own_wire_type_alone(void **state)
{
    static const unsigned             wire_types[] = { 0, 1, 2, 5 };
    const ProtobufCMessageDescriptor *types[] = { &guard__kinds__descriptor, &guard__lists__descriptor };
    size_t                            passed = 0;

    (void)state;
    for (size_t i = 0; i < COUNT(types) * COUNT(wire_types); i++) {
        const ProtobufCMessageDescriptor *type = types[i / COUNT(wire_types)];

        for (uint32_t number = 1; number <= type->n_fields; number++) {
            writer         message = { 0 };
            vow_guard_need need;
            bool           passes;

            write_zeros(&message, number, wire_types[i % COUNT(wire_types)]);
            passes = vow_guard_scan(type, message.data, message.size, &defaults, &need, NULL) == VOW_OK;
            check_case(type->fields[number - 1].name);
            if (type->fields[number - 1].type != PROTOBUF_C_TYPE_BOOL)
                assert_int_equal(passes, protobuf_c_unpacks(type, &message));
            passed += passes;
            writer_done(&message);
        }
    }
    /* One way for each of the 17 kinds; lists of the 15 numbers, packed, have two. */
    assert_int_equal(passed, 17 + 18 + 15);
}

static void a_field_in_a_foreign_wire_type_is_refused_by_name(void **state)
{
    writer message = { 0 };

    (void)state;
    writer_number(&message, 15, 1);
    check_refused(&guard__kinds__descriptor, &message, VOW_INVALID_ARGUMENT,
                  "guard.Kinds.text was sent as a varint instead of bytes with their length");
    writer_clear(&message);
    writer_text(&message, 10, "12345678");
    check_refused(&guard__kinds__descriptor, &message, VOW_INVALID_ARGUMENT,
                  "guard.Kinds.fixed64 was sent as bytes with their length instead of 64 bits");
    writer_done(&message);
}

/* Packed */

static void packed_numbers_of_a_wrong_length_are_refused_for_every_type(void **state)
{
    static const struct {
        uint32_t    number;
        size_t      size;
        const char *name;
    } fixed[] = { { 3, 4, "sfixed32" }, { 6, 8, "sfixed64" }, { 8, 4, "fixed32" },
                  { 10, 8, "fixed64" }, { 11, 4, "single" },  { 12, 8, "twofold" } };

    (void)state;
    for (size_t i = 0; i < COUNT(fixed); i++) {
        for (size_t size = 0; size <= 17; size++) {
            writer message = { 0 };
            char   text[128];

            writer_bytes(&message, fixed[i].number, (uint8_t[17]){ 0 }, size);
            snprintf(text, sizeof text, "guard.Lists.%s is packed in a length that is no multiple of its type's",
                     fixed[i].name);
            if (size % fixed[i].size == 0)
                check_passes(&guard__lists__descriptor, &message);
            else
                check_refused(&guard__lists__descriptor, &message, VOW_INVALID_ARGUMENT, text);
            writer_done(&message);
        }
    }
}

/* A varint of `size` bytes at each place within some of one byte, whichever word of eight it starts in. */
static void packed_varints_pass_up_to_10_bytes_wherever_they_lie(void **state)
{
    static const uint32_t numbers[] = { 1, 2, 4, 5, 7, 9, 13, 14 };
    uint8_t               long_one[12];

    (void)state;
    memset(long_one, 0x80, sizeof long_one);
    for (size_t i = 0; i < 20 * 12 * COUNT(numbers); i++) {
        uint32_t number = numbers[i / 240];
        size_t   before = i % 240 / 12;
        size_t   size = i % 12 + 1;
        writer   packed = { 0 };
        writer   message = { 0 };

        writer_repeat(&packed, "\x7f", 1, before);
        writer_add(&packed, long_one, size - 1);
        writer_repeat(&packed, "\x01", 1, 20 - before);
        writer_message(&message, number, &packed);
        if (size <= 10)
            check_passes(&guard__lists__descriptor, &message);
        else
            assert_int_equal(vow_guard_scan(&guard__lists__descriptor, message.data, message.size, &defaults,
                                            &(vow_guard_need){ 0 }, NULL),
                             VOW_INVALID_ARGUMENT);
        assert_int_equal(protobuf_c_unpacks(&guard__lists__descriptor, &message), size <= 10);
        writer_done(&packed);
        writer_done(&message);
    }
}

static void packed_varints_that_do_not_end_are_refused(void **state)
{
    writer message = { 0 };

    (void)state;
    for (size_t size = 1; size <= 40; size++) {
        uint8_t bytes[40] = { 0 };
        bool    is_long = size > 33;

        memset(bytes + (is_long ? size - 10 : size - 1), 0x80, is_long ? 10 : 1);
        writer_clear(&message);
        writer_bytes(&message, 9, bytes, size);
        check_refused(&guard__lists__descriptor, &message, VOW_INVALID_ARGUMENT,
                      is_long ? "guard.Lists.uint64 holds a varint of over 10 bytes"
                              : "guard.Lists.uint64 ends within a varint");
    }
    writer_done(&message);
}

static void packed_and_single_elements_of_one_field_add_up(void **state)
{
    static const uint32_t  numbers[] = { 1, 18 }; /* packed in the schema, and not */
    const vow_guard_limits six = { .max_count = 6 };
    const vow_guard_limits five = { .max_count = 5 };

    (void)state;
    for (size_t i = 0; i < COUNT(numbers); i++) {
        writer message = { 0 };

        writer_number(&message, numbers[i], 1);
        writer_bytes(&message, numbers[i], "\x01\x02\x03", 3);
        writer_number(&message, numbers[i], 300);
        writer_bytes(&message, numbers[i], "", 0);
        writer_bytes(&message, numbers[i], "\xac\x02", 2);
        assert_int_equal(check_passes_within(&guard__lists__descriptor, &message, &six).arena_bytes,
                         ROUNDED(sizeof(Guard__Lists)) + ROUNDED(6 * sizeof(int32_t)));
        check_refused_within(&guard__lists__descriptor, &message, &five, VOW_RESOURCE_EXHAUSTED,
                             i == 0 ? "guard.Lists.int32 has more than 5 elements (max_count)"
                                    : "guard.Lists.loose has more than 5 elements (max_count)");
        writer_done(&message);
    }
}

/* Text */

static void text_is_utf8_without_nul(void **state)
{
    static const struct {
        const char *bytes;
        size_t      size;
        size_t      good; /* bytes before the fault */
        const char *name;
    } cases[] = {
        { BYTES(""), 0, "nothing" },
        { BYTES("plain"), 5, "ASCII" },
        { BYTES("\x01\x7f"), 2, "controls" },
        { BYTES("\xc2\x80\xdf\xbf"), 4, "two bytes, first and last" },
        { BYTES("\xe0\xa0\x80\xef\xbf\xbf"), 6, "three bytes, first and last" },
        { BYTES("\xed\x9f\xbf\xee\x80\x80"), 6, "beside the surrogates" },
        { BYTES("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"), 8, "four bytes, first and last" },
        { BYTES("a\0b"), 1, "NUL" },
        { BYTES("\xc3\xa9\0"), 2, "NUL at the end" },
        { BYTES("ab\x80"), 2, "a continuation alone" },
        { BYTES("\xc0\x80"), 0, "overlong NUL" },
        { BYTES("\xc1\xbf"), 0, "overlong, two bytes" },
        { BYTES("\xe0\x9f\xbf"), 0, "overlong, three bytes" },
        { BYTES("\xf0\x8f\xbf\xbf"), 0, "overlong, four bytes" },
        { BYTES("\xed\xa0\x80"), 0, "first surrogate" },
        { BYTES("\xed\xbf\xbf"), 0, "last surrogate" },
        { BYTES("\xf4\x90\x80\x80"), 0, "above U+10FFFF" },
        { BYTES("\xf5\x80\x80\x80"), 0, "far above U+10FFFF" },
        { BYTES("\xff"), 0, "FF" },
        { BYTES("x\xc3"), 1, "two bytes, cut" },
        { BYTES("x\xe2\x82"), 1, "three bytes, cut" },
        { BYTES("x\xf0\x9f\x98"), 1, "four bytes, cut" },
        { BYTES("\xc3\x28"), 0, "two bytes, second is ASCII" },
        { BYTES("\xe2\x82\x28"), 0, "three bytes, third is ASCII" },
        { BYTES("\xf0\x9f\x98\x28"), 0, "four bytes, fourth is ASCII" },
        { BYTES("\xf0\x9f\xc0\x80"), 0, "four bytes, third begins another" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (size_t before = 0; before < 70; before++) { /* wherever in a word, or in a stride, it lies */
            writer text = { 0 };
            writer message = { 0 };
            char   reason[128];

            writer_repeat(&text, "x", 1, before);
            writer_add(&text, cases[i].bytes, cases[i].size);
            if (cases[i].good == cases[i].size)
                writer_repeat(&text, "y", 1, before);
            writer_message(&message, 15, &text);
            snprintf(reason, sizeof reason,
                     "guard.Kinds.text is a string and %s at byte %zu (a field of type bytes takes anything)",
                     strstr(cases[i].name, "NUL") == cases[i].name ? "holds NUL" : "is not UTF-8",
                     before + cases[i].good);
            check_case(cases[i].name);
            if (cases[i].good == cases[i].size)
                check_passes(&guard__kinds__descriptor, &message);
            else
                check_refused(&guard__kinds__descriptor, &message, VOW_INVALID_ARGUMENT, reason);
            writer_done(&text);
            writer_done(&message);
        }
    }
}

static void text_is_checked_in_lists_maps_and_oneofs_and_bytes_are_not(void **state)
{
    writer message = { 0 };
    writer entry = { 0 };

    (void)state;
    writer_text(&message, 11, "good");
    writer_text(&message, 11, "b\xff");
    check_refused(&guard__tree__descriptor, &message, VOW_INVALID_ARGUMENT,
                  "guard.Tree.words is a string and is not UTF-8 at byte 1 (a field of type bytes takes anything)");
    writer_clear(&message);
    writer_text(&message, 6, "\xff");
    check_refused(&guard__tree__descriptor, &message, VOW_INVALID_ARGUMENT,
                  "guard.Tree.leaf is a string and is not UTF-8 at byte 0 (a field of type bytes takes anything)");
    writer_clear(&message);
    writer_bytes(&entry, 1, "k\0", 2);
    writer_message(&message, 4, &entry);
    check_refused(&guard__tree__descriptor, &message, VOW_INVALID_ARGUMENT,
                  "guard.Tree.NamedEntry.key is a string and holds NUL at byte 1 "
                  "(a field of type bytes takes anything)");
    writer_clear(&message);
    writer_bytes(&message, 7, "\xff\0", 2);
    writer_bytes(&message, 100, "\xff\0", 2);
    check_passes(&guard__tree__descriptor, &message);
    writer_done(&entry);
    writer_done(&message);
}

/* Required, unknown, and replaced */

static void write_order(writer *message, bool with_id, bool with_key)
{
    if (with_id)
        writer_number(message, 1, 7);
    writer_text(message, 2, "Ada");
    if (with_key)
        writer_bytes(message, 11, "", 0);
}

static void a_required_field_that_is_missing_is_named(void **state)
{
    writer message = { 0 };
    writer part = { 0 };

    (void)state;
    write_order(&message, true, true); /* tax, which is required and has a default, may be missing */
    check_passes(&guard__order__descriptor, &message);
    write_order(&part, true, false);
    check_refused(&guard__order__descriptor, &part, VOW_INVALID_ARGUMENT, "guard.Order.key is required and missing");
    assert_false(protobuf_c_unpacks(&guard__order__descriptor, &part));
    writer_clear(&part);
    write_order(&part, false, true);
    writer_message(&message, 8, &part);
    check_refused(&guard__order__descriptor, &message, VOW_INVALID_ARGUMENT,
                  "guard.Order.id is required and missing");
    assert_false(protobuf_c_unpacks(&guard__order__descriptor, &message));
    writer_done(&part);
    writer_done(&message);
}

static void an_occurrence_that_lacks_a_required_field_is_not_helped_by_the_next(void **state)
{
    writer message = { 0 };
    writer half = { 0 };

    (void)state;
    write_order(&message, true, true);
    write_order(&half, true, false);
    writer_message(&message, 7, &half);
    writer_clear(&half);
    write_order(&half, true, true);
    writer_message(&message, 7, &half);
    check_refused(&guard__order__descriptor, &message, VOW_INVALID_ARGUMENT,
                  "guard.Order.key is required and missing");
    assert_false(protobuf_c_unpacks(&guard__order__descriptor, &message));
    writer_done(&half);
    writer_done(&message);
}

static void unknown_fields_are_kept_and_counted(void **state)
{
    writer         message = { 0 };
    vow_guard_need need;

    (void)state;
    writer_number(&message, 2, 300);                 /* 2 bytes */
    writer_bytes(&message, 3, "not UTF-8: \xff\0", 13); /* 14 with the length */
    writer_tag(&message, 536870911, PROTOBUF_C_WIRE_TYPE_64BIT);
    writer_add(&message, "12345678", 8);
    need = check_passes(&guard__empty__descriptor, &message);
    assert_int_equal(need.arena_bytes, ROUNDED(sizeof(Guard__Empty)) +
                                           ROUNDED(3 * sizeof(ProtobufCMessageUnknownField)) + 16 + 16 + 16);
    writer_done(&message);
}

static void field_numbers_far_apart_are_found(void **state)
{
    static const uint32_t known[] = { 1, 3, 4, 16, 1000, 1001, 536870911 };
    static const uint32_t unknown[] = { 2, 5, 15, 17, 999, 1002, 536870910 };

    (void)state;
    for (size_t i = 0; i < COUNT(known); i++) {
        writer message = { 0 };

        /* No field of this type is 64 bits wide, so only an unknown one passes. */
        write_zeros(&message, known[i], PROTOBUF_C_WIRE_TYPE_64BIT);
        assert_int_equal(vow_guard_scan(&guard__sparse__descriptor, message.data, message.size, &defaults,
                                        &(vow_guard_need){ 0 }, NULL),
                         VOW_INVALID_ARGUMENT);
        writer_clear(&message);
        write_zeros(&message, unknown[i], PROTOBUF_C_WIRE_TYPE_64BIT);
        check_passes(&guard__sparse__descriptor, &message);
        writer_done(&message);
    }
}

static void what_is_replaced_is_counted_since_an_arena_does_not_get_it_back(void **state)
{
    writer         message = { 0 };
    vow_guard_need need;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        writer_text(&message, 15, "sixteen and NUL!");
        writer_bytes(&message, 16, "sixteen of bytes", 16);
    }
    need = check_passes(&guard__kinds__descriptor, &message);
    assert_int_equal(need.arena_bytes, ROUNDED(sizeof(Guard__Kinds)) + 3 * (32 + 16));
    writer_done(&message);
}

static void a_oneof_may_change_its_mind(void **state)
{
    writer         message = { 0 };
    writer         graft = { 0 };
    vow_guard_need need;

    (void)state;
    writer_text(&graft, 11, "word");
    writer_message(&message, 5, &graft);
    writer_text(&message, 6, "leaf");
    writer_bytes(&message, 7, "fruit", 5);
    writer_message(&message, 5, &graft);
    writer_number(&message, 9, 1);
    writer_text(&message, 6, "leaf");
    need = check_passes(&guard__tree__descriptor, &message);
    assert_int_equal(need.arena_bytes,
                     3 * ROUNDED(sizeof(Guard__Tree)) + 2 * (ROUNDED(sizeof(char *)) + 16) + 3 * 16);
    writer_done(&graft);
    writer_done(&message);
}

static void whoever_does_not_want_the_reason_gets_the_code_alone(void **state)
{
    vow_guard_need need;

    (void)state;
    assert_int_equal(vow_guard_scan(&guard__empty__descriptor, "\x80", 1, &defaults, &need, NULL),
                     VOW_INVALID_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_message_takes_its_struct),
        cmocka_unit_test(every_kind_of_field_takes_exactly_what_was_foretold),
        cmocka_unit_test(lists_of_every_kind_take_exactly_what_was_foretold),
        cmocka_unit_test(maps_and_oneofs_take_exactly_what_was_foretold),
        cmocka_unit_test(malformed_bytes_are_refused_with_what_is_wrong),
        cmocka_unit_test(forms_that_are_longer_than_need_be_pass),
        cmocka_unit_test(a_field_passes_in_its_own_wire_type_alone),
        cmocka_unit_test(a_field_in_a_foreign_wire_type_is_refused_by_name),
        cmocka_unit_test(packed_numbers_of_a_wrong_length_are_refused_for_every_type),
        cmocka_unit_test(packed_varints_pass_up_to_10_bytes_wherever_they_lie),
        cmocka_unit_test(packed_varints_that_do_not_end_are_refused),
        cmocka_unit_test(packed_and_single_elements_of_one_field_add_up),
        cmocka_unit_test(text_is_utf8_without_nul),
        cmocka_unit_test(text_is_checked_in_lists_maps_and_oneofs_and_bytes_are_not),
        cmocka_unit_test(a_required_field_that_is_missing_is_named),
        cmocka_unit_test(an_occurrence_that_lacks_a_required_field_is_not_helped_by_the_next),
        cmocka_unit_test(unknown_fields_are_kept_and_counted),
        cmocka_unit_test(field_numbers_far_apart_are_found),
        cmocka_unit_test(what_is_replaced_is_counted_since_an_arena_does_not_get_it_back),
        cmocka_unit_test(a_oneof_may_change_its_mind),
        cmocka_unit_test(whoever_does_not_want_the_reason_gets_the_code_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
