/*
 * The texts of gRPC's headers, and the fields of a header block.
 *
 * Source  gRPC, "gRPC over HTTP2", Requests and Responses; RFC 4648, sections 3.2 and 4; RFC 3986,
 * section 2.1.
 */
#include "runtime/protocol/grpc/fields.h"
#include "runtime/protocol/grpc/text.h"
#include "runtime/protocol/metadata.h"

#include <vow/testing.h>
#include <vow/vow.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_S UINT64_C(1000000000)

/* Timeouts: "TimeoutValue → {positive integer as ASCII string of at most 8 digits}" and a unit */

static bool timeout_read(const char *text, uint64_t *ns)
{
    return vow_grpc_timeout_read((const uint8_t *)text, strlen(text), ns);
}

static void a_timeout_has_one_to_eight_digits_and_a_unit(void **state)
{
    static const struct {
        const char *text;
        uint64_t    ns;
    } right[] = { { "1n", 1 },
                  { "1u", 1000 },
                  { "1m", 1000000 },
                  { "1S", NS_PER_S },
                  { "1M", 60 * NS_PER_S },
                  { "1H", 3600 * NS_PER_S },
                  { "0S", 0 },
                  { "00000007n", 7 },
                  { "99999999S", 99999999 * NS_PER_S },
                  { "99999999H", UINT64_MAX } }; /* more than fits: none */
    static const char *const wrong[] = { "",     "S",   "1",  "1s",   "1 S",        "-1S", "+1S",
                                         "1.5S", "1SS", "S1", "0x1S", "123456789S", " 1S", "1h" };
    uint64_t                 ns;

    (void)state;
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        assert_true(timeout_read(right[i].text, &ns));
        assert_int_equal(ns, right[i].ns);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        if (timeout_read(wrong[i], &ns))
            fail_msg("\"%s\" was taken for a timeout", wrong[i]);
    }
}

static void a_timeout_is_written_in_the_finest_unit_that_fits_and_never_longer(void **state)
{
    static const struct {
        uint64_t    ns;
        const char *text;
    } cases[] = { { 0, "1n" },
                  { 1, "1n" },
                  { 99999999, "99999999n" },
                  { 100000000, "100000u" },
                  { 99999999999, "99999999u" },
                  { 100000000000, "100000m" },
                  { 100000000000000, "100000S" },
                  { 99999999 * NS_PER_S, "99999999S" },
                  { 100000000 * NS_PER_S, "1666666M" } };
    char text[VOW_GRPC_TIMEOUT_ROOM];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t   size = vow_grpc_timeout_write(text, cases[i].ns);
        uint64_t ns;

        assert_int_equal(size, strlen(cases[i].text));
        assert_memory_equal(text, cases[i].text, size);
        assert_true(vow_grpc_timeout_read((const uint8_t *)text, size, &ns));
        assert_true(ns <= (cases[i].ns ? cases[i].ns : 1));
    }
    assert_true(vow_grpc_timeout_write(text, UINT64_MAX) < VOW_GRPC_TIMEOUT_ROOM);
}

/* Percent-encoding: "Percent-Byte-Unencoded → 1*( %x20-%x24 / %x26-%x7E )" */

static void a_message_is_percent_encoded_and_back(void **state)
{
    static const struct {
        const char *plain;
        const char *encoded;
    } cases[] = { { "", "" },           { "plain text ~", "plain text ~" },
                  { "100%", "100%25" }, { "\t\r\n", "%09%0D%0A" },
                  { "\x7f", "%7F" },    { "\xc3\xa4", "%C3%A4" } };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char   text[64];
        size_t size = vow_grpc_percent_write(text, cases[i].plain, strlen(cases[i].plain));

        assert_int_equal(size, strlen(cases[i].encoded));
        assert_memory_equal(text, cases[i].encoded, size);
        size = vow_grpc_percent_read(text, (const uint8_t *)cases[i].encoded, strlen(cases[i].encoded));
        assert_int_equal(size, strlen(cases[i].plain));
        assert_memory_equal(text, cases[i].plain, size);
    }
}

/* "When decoding invalid values, implementations MUST NOT error or throw away the message." */
static void an_escape_that_is_none_stays_as_it_is(void **state)
{
    static const char *const texts[] = { "%", "%4", "a%", "%zz", "%4z", "%%", "100% sure" };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char   text[64];
        size_t size = vow_grpc_percent_read(text, (const uint8_t *)texts[i], strlen(texts[i]));

        assert_int_equal(size, strlen(texts[i]));
        assert_memory_equal(text, texts[i], size);
    }
}

/* Base 64: "Implementations MUST accept padded and un-padded values and should emit un-padded values." */

static void base_64_is_read_with_padding_and_without(void **state)
{
    static const struct {
        const char *text;
        const char *data; /* NULL: it is none */
    } cases[] = { { "", "" },
                  { "Zg==", "f" },
                  { "Zg", "f" },
                  { "Zm8=", "fo" },
                  { "Zm8", "fo" },
                  { "Zm9v", "foo" },
                  { "Zm9vYmFy", "foobar" },
                  { "Z", NULL },
                  { "Zm9vY", NULL },
                  { "Zg=", NULL },
                  { "Zg===", NULL },
                  { "=", NULL },
                  { "====", NULL },
                  { "Z=g=", NULL },
                  { "Zm9*", NULL },
                  { "Zm 9", NULL },
                  { "Zm9-", NULL },
                  { "Zm9v=", NULL } };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t data[64];
        size_t  size = vow_base64_read(data, (const uint8_t *)cases[i].text, strlen(cases[i].text));

        if (!cases[i].data) {
            if (size != SIZE_MAX)
                fail_msg("\"%s\" was taken for Base 64", cases[i].text);
            continue;
        }
        assert_int_equal(size, strlen(cases[i].data));
        assert_memory_equal(data, cases[i].data, size);
    }
}

static void base_64_is_written_without_padding(void **state)
{
    static const char *const texts[] = { "", "Zg", "Zm8", "Zm9v", "Zm9vYg", "Zm9vYmE", "Zm9vYmFy" };

    (void)state;
    for (size_t size = 0; size < sizeof texts / sizeof texts[0]; size++) {
        char text[64];

        assert_int_equal(vow_base64_write(text, (const uint8_t *)"foobar", size), strlen(texts[size]));
        assert_memory_equal(text, texts[size], strlen(texts[size]));
        assert_true(strlen(texts[size]) <= vow_base64_room(size));
    }
}

static void base_64_takes_every_byte(void **state)
{
    uint8_t bytes[256];
    uint8_t back[344];
    char    text[344];
    size_t  size;

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)i;
    size = vow_base64_write(text, bytes, sizeof bytes);
    assert_int_equal(vow_base64_read(back, (const uint8_t *)text, size), sizeof bytes);
    assert_memory_equal(back, bytes, sizeof bytes);
}

/* Fields */

typedef struct block {
    vow_loop       *loop;
    vow_session     session;
    vow_grpc_fields fields;
} block;

static int open_block(void **state)
{
    block *block = calloc(1, sizeof *block);

    block->loop = vow_loop_simulated(1);
    block->session.loop = block->loop;
    block->session.options.max_metadata_size = 16384;
    block->session.options.max_metadata_count = 100;
    vow_grpc_fields_init(&block->fields, &block->session);
    *state = block;
    return 0;
}

static int close_block(void **state)
{
    block *block = *state;

    vow_grpc_fields_clear(&block->fields);
    assert_int_equal(block->session.held_bytes, 0);
    vow_loop_close(block->loop);
    free(block);
    return 0;
}

static bool add(block *block, const char *name, const char *value)
{
    return vow_grpc_fields_add(&block->fields, (const uint8_t *)name, strlen(name), (const uint8_t *)value,
                               strlen(value));
}

/* "application/grpc" [("+proto" / "+json" / {custom})]; what is not "+proto" this side can't read. */
static void the_content_type_says_what_is_grpc(void **state)
{
    static const struct {
        const char *type;
        bool        is_grpc;
    } cases[] = { { "application/grpc", true },
                  { "application/grpc+proto", true },
                  { "application/grpc;charset=x", true },
                  { "application/grpc+proto;x=y", true },
                  { "application/grpc+json", false },
                  { "application/grpc-web", false },
                  { "application/grpcx", false },
                  { "application/json", false },
                  { "", false } };
    block *block = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        vow_grpc_fields_clear(&block->fields);
        add(block, "content-type", cases[i].type);
        if (block->fields.is_grpc != cases[i].is_grpc)
            fail_msg("\"%s\"", cases[i].type);
    }
}

/* A code that is none is UNKNOWN: gRPC, "Status codes and their use in gRPC". */
static void a_status_that_is_none_is_unknown(void **state)
{
    static const struct {
        const char *text;
        unsigned    code;
    } cases[] = { { "0", VOW_OK },        { "16", VOW_UNAUTHENTICATED }, { "17", VOW_UNKNOWN },
                  { "", VOW_UNKNOWN },    { "-1", VOW_UNKNOWN },         { "x", VOW_UNKNOWN },
                  { "007", VOW_UNKNOWN }, { "1x", VOW_UNKNOWN } };
    block *block = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        vow_grpc_fields_clear(&block->fields);
        add(block, "grpc-status", cases[i].text);
        assert_true(block->fields.has_status);
        if (block->fields.status != cases[i].code)
            fail_msg("\"%s\" is %u", cases[i].text, block->fields.status);
    }
}

static void assert_entry(const vow_metadata *entry, const char *name, const void *value, size_t size)
{
    assert_string_equal(entry->name, name);
    assert_int_equal(entry->value_size ? entry->value_size : strlen(entry->value), size);
    assert_memory_equal(entry->value, value, size);
}

/* "Implementations must split Binary-Headers on "," before decoding the Base64-encoded values." */
static void binary_values_come_padded_or_not_and_joined(void **state)
{
    block        *block = *state;
    vow_metadata *metadata;
    size_t        block_size;

    add(block, "plain", "a,b");
    add(block, "a-bin", "Zg==,Zm8, Zm9v");
    add(block, "b-bin", "AAE");
    assert_int_equal(block->fields.fault.code, VOW_OK);
    assert_int_equal(vow_grpc_fields_metadata(&block->fields, &metadata, &block_size), VOW_OK);
    assert_entry(metadata, "plain", "a,b", 3);
    assert_entry(metadata + 1, "a-bin", "f", 1);
    assert_entry(metadata + 2, "a-bin", "fo", 2);
    assert_entry(metadata + 3, "a-bin", "foo", 3);
    assert_entry(metadata + 4, "b-bin", "\0\1", 2);
    assert_null(metadata[5].name);
    vow_held_give(&block->session, metadata, block_size);
}

/* Names with "grpc-" are gRPC's own, and values are printable ASCII: what is neither is nobody's. */
static void what_is_no_metadata_is_left_out(void **state)
{
    block        *block = *state;
    vow_metadata *metadata;
    size_t        block_size;

    add(block, "grpc-previous-rpc-attempts", "1");
    add(block, "umlaut", "\xc3\xa4");
    add(block, "user-agent", "x");
    assert_int_equal(block->fields.fault.code, VOW_OK);
    assert_int_equal(vow_grpc_fields_metadata(&block->fields, &metadata, &block_size), VOW_OK);
    assert_null(metadata);
}

/* CVE-2024-7246, CVE-2023-32731: a fault ends with its block, and the first is the one that is told. */
static void the_first_fault_is_told_and_ends_with_its_block(void **state)
{
    block *block = *state;

    assert_true(add(block, "a-bin", "*"));
    assert_true(add(block, "grpc-timeout", "x"));
    assert_int_equal(block->fields.fault.code, VOW_INTERNAL);
    assert_non_null(strstr(vow_status_message(&block->fields.fault), "\"a-bin\" is not Base 64"));
    vow_grpc_fields_clear(&block->fields);
    assert_int_equal(block->fields.fault.code, VOW_OK);
    assert_int_equal(block->fields.count, 0);
}

/* CVE-2019-9516: an empty name and value cost, too. */
static void a_block_of_many_fields_is_given_up(void **state)
{
    block *block = *state;
    int    count = 0;

    while (add(block, "x", "") && count < 1000000)
        count++;
    assert_in_range(count, 4 * 16384 / 33 - 1, 4 * 16384 / 33 + 1);
    assert_int_equal(block->fields.fault.code, VOW_RESOURCE_EXHAUSTED);
    assert_true(block->session.held_bytes < 65536);
}

#define BLOCK(test)                                                                                          \
    {                                                                                                        \
#test, test, open_block, close_block, NULL                                                           \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_timeout_has_one_to_eight_digits_and_a_unit),
        cmocka_unit_test(a_timeout_is_written_in_the_finest_unit_that_fits_and_never_longer),
        cmocka_unit_test(a_message_is_percent_encoded_and_back),
        cmocka_unit_test(an_escape_that_is_none_stays_as_it_is),
        cmocka_unit_test(base_64_is_read_with_padding_and_without),
        cmocka_unit_test(base_64_is_written_without_padding),
        cmocka_unit_test(base_64_takes_every_byte),
        BLOCK(the_content_type_says_what_is_grpc),
        BLOCK(a_status_that_is_none_is_unknown),
        BLOCK(binary_values_come_padded_or_not_and_joined),
        BLOCK(what_is_no_metadata_is_left_out),
        BLOCK(the_first_fault_is_told_and_ends_with_its_block),
        BLOCK(a_block_of_many_fields_is_given_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
