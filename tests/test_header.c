/*
 * The codec of a frame's header, held against protobuf-c's.
 *
 * The idea: protobuf-c knows nothing of the code under test, and was generated from the same file that the
 * protocol's description is. What is read lies in a block of exactly its size, so that AddressSanitizer sees
 * every byte that is read beyond it.
 */
#include "runtime/base/random.h"
#include "runtime/protocol/metadata.h"
#include "runtime/protocol/native/header.h"
#include "tests/support/message_writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vow/wire.pb-c.h"

#define HEADERS 100000
#define ENTRIES_MAX 4
#define TEXT_MAX 300

/* A header, as both codecs know it, and what it points into. */
typedef struct sample {
    vow_header          header;
    Vow__Wire__Header   message;
    Vow__Wire__Metadata entries[ENTRIES_MAX];
    Vow__Wire__Metadata *entry_list[ENTRIES_MAX];
    vow_metadata        to_send[ENTRIES_MAX + 1];
    Vow__Wire__Metadata  trailing_entries[ENTRIES_MAX];
    Vow__Wire__Metadata *trailing_list[ENTRIES_MAX];
    vow_metadata         trailing_to_send[ENTRIES_MAX + 1];
    char                texts[3 + 4 * ENTRIES_MAX][TEXT_MAX + 1];
    size_t              texts_used;
} sample;

/* As many bits as not: every length of a varint is as likely as the others. */
static uint64_t random_number(uint64_t *random)
{
    return vow_random_next(random) >> vow_random_below(random, 64);
}

static bool heads(uint64_t *random)
{
    return vow_random_below(random, 2);
}

/* Printable, so that it is a text, a name and a value alike; often over the 127 bytes that fit a short length. */
static char *random_text(sample *sample, uint64_t *random)
{
    char  *text = sample->texts[sample->texts_used++];
    size_t size = vow_random_below(random, heads(random) ? TEXT_MAX + 1 : 12);

    for (size_t i = 0; i < size; i++)
        text[i] = (char)('a' + vow_random_below(random, 26));
    text[size] = '\0';
    return text;
}

#define NUMBER(field, kind)                                                   \
    do {                                                                      \
        if (heads(random) && (header->field = (kind)random_number(random))) { \
            message->has_##field = 1;                                         \
            message->field = header->field;                                   \
        }                                                                     \
    } while (0)

#define NUMBER_WITH_FLAG(flag, field)                           \
    do {                                                        \
        if (heads(random)) {                                    \
            header->flag = true;                                \
            header->field = heads(random) ? random_number(random) : 0; \
            message->has_##field = 1;                           \
            message->field = header->field;                     \
        }                                                       \
    } while (0)

static void sample_numbers(sample *sample, uint64_t *random)
{
    vow_header        *header = &sample->header;
    Vow__Wire__Header *message = &sample->message;

    header->kind = (vow_frame_kind)(1 + vow_random_below(random, VOW_FRAME_KINDS - 1));
    message->kind = (Vow__Wire__Kind)header->kind;
    NUMBER(call, uint64_t);
    NUMBER(method, uint32_t);
    NUMBER(message_size, uint64_t);
    NUMBER(time_left_us, uint64_t);
    NUMBER(code, uint32_t);
    NUMBER(ping, uint64_t);
    NUMBER(credit, uint64_t);
    NUMBER_WITH_FLAG(has_push_back, push_back_ms);
    NUMBER_WITH_FLAG(has_last_call, last_call);
    header->more = heads(random);
    message->has_more = message->more = header->more;
    header->one_way = heads(random);
    message->has_one_way = message->one_way = header->one_way;
    header->streams = heads(random);
    message->has_streams = message->streams = header->streams;
    header->never_ran = heads(random);
    message->has_never_ran = message->never_ran = header->never_ran;
}

static vow_bytes bytes_of(const char *text)
{
    return (vow_bytes){ (const uint8_t *)text, strlen(text) };
}

static void sample_texts(sample *sample, uint64_t *random)
{
    vow_header        *header = &sample->header;
    Vow__Wire__Header *message = &sample->message;

    if (heads(random)) {
        message->method_name = random_text(sample, random);
        header->method_name = bytes_of(message->method_name);
    }
    if (heads(random)) {
        message->text = random_text(sample, random);
        header->text = bytes_of(message->text);
    }
    if (heads(random)) {
        header->details = bytes_of(random_text(sample, random));
        message->has_details = 1;
        message->details.data = (uint8_t *)(uintptr_t)header->details.data;
        message->details.len = header->details.size;
    }
}

/* Gives how many entries were made, alike for both codecs. */
static size_t sample_entries(sample *sample, uint64_t *random, Vow__Wire__Metadata *entries, Vow__Wire__Metadata **list,
                             vow_metadata *to_send)
{
    size_t count = heads(random) ? vow_random_below(random, ENTRIES_MAX + 1) : 0;

    for (size_t i = 0; i < count; i++) {
        Vow__Wire__Metadata *entry = &entries[i];

        vow__wire__metadata__init(entry);
        entry->name = random_text(sample, random);
        entry->value.data = (uint8_t *)random_text(sample, random);
        entry->value.len = strlen((char *)entry->value.data);
        to_send[i] = (vow_metadata){ entry->name, (char *)entry->value.data, entry->value.len };
        list[i] = entry;
    }
    return count;
}

static void sample_metadata(sample *sample, uint64_t *random)
{
    Vow__Wire__Header *message = &sample->message;

    message->n_metadata = sample_entries(sample, random, sample->entries, sample->entry_list, sample->to_send);
    message->metadata = sample->entry_list;
    sample->header.to_send = message->n_metadata ? sample->to_send : NULL;
    message->n_trailing_metadata = sample_entries(sample, random, sample->trailing_entries, sample->trailing_list,
                                                  sample->trailing_to_send);
    message->trailing_metadata = sample->trailing_list;
    sample->header.trailing_to_send = message->n_trailing_metadata ? sample->trailing_to_send : NULL;
}

static void sample_make(sample *sample, uint64_t *random)
{
    memset(sample, 0, sizeof *sample);
    vow__wire__header__init(&sample->message);
    sample_numbers(sample, random);
    if (heads(random)) {
        sample_texts(sample, random);
        sample_metadata(sample, random);
    }
}

/* Writing */

/* Gives the header's bytes within a frame, and checks what is in front of them. */
static vow_bytes frame_header(const uint8_t *frame, const uint8_t *end, size_t payload_size)
{
    size_t length = frame[0] | (size_t)frame[1] << 8 | (size_t)frame[2] << 16 | (size_t)frame[3] << 24;
    size_t size = 0;
    size_t at = 4;

    for (unsigned shift = 0;; shift += 7) {
        size |= (size_t)(frame[at] & 0x7f) << shift;
        if (!(frame[at++] & 0x80))
            break;
    }
    assert_int_equal(length, (size_t)(end - frame) - 4 + payload_size);
    assert_int_equal(size, (size_t)(end - frame) - at);
    return (vow_bytes){ frame + at, size };
}

static void a_header_is_written_as_protobuf_c_packs_it(void **state)
{
    static uint8_t packed[8192];
    uint64_t       random = 1;
    sample        *sample = malloc(sizeof *sample);

    (void)state;
    for (int i = 0; i < HEADERS; i++) {
        size_t    payload_size = vow_random_below(&random, 60000);
        uint8_t  *frame;
        uint8_t  *end;
        vow_bytes header;

        sample_make(sample, &random);
        frame = malloc(vow_header_room(&sample->header));
        end = vow_header_write(frame, &sample->header, payload_size);
        header = frame_header(frame, end, payload_size);
        assert_int_equal(header.size, vow__wire__header__pack(&sample->message, packed));
        assert_memory_equal(header.data, packed, header.size);
        free(frame);
    }
    free(sample);
}

static void a_short_header_is_written_as_any_other(void **state)
{
    uint64_t random = 2;

    (void)state;
    for (int i = 0; i < HEADERS; i++) {
        const vow_short_header shorter = { .kind = (vow_frame_kind)(1 + vow_random_below(&random, VOW_FRAME_KINDS - 1)),
                                           .method = (uint32_t)random_number(&random),
                                           .call = random_number(&random),
                                           .time_left_us = random_number(&random) };
        const vow_header       header = { .kind = shorter.kind,
                                          .method = shorter.method,
                                          .call = shorter.call,
                                          .time_left_us = shorter.time_left_us };
        size_t                 payload = vow_random_below(&random, 2000);
        uint8_t                is[VOW_HEADER_PLAIN_MAX];
        uint8_t                wanted[VOW_HEADER_PLAIN_MAX];
        uint8_t               *end = vow_header_begin_frame(is, &shorter);
        size_t                 size = (size_t)(end - is);

        vow_header_close_frame(is, end + payload);
        assert_int_equal(vow_header_write(wanted, &header, payload) - wanted, size);
        assert_memory_equal(is, wanted, size);
    }
}

static void the_room_for_a_header_is_enough_at_its_longest(void **state)
{
    static char       name[513];
    vow_header        header = { .kind = VOW_FRAME_KINDS - 1,
                                 .method = UINT32_MAX,
                                 .code = UINT32_MAX,
                                 .more = true,
                                 .one_way = true,
                                 .has_push_back = true,
                                 .has_last_call = true,
                                 .call = UINT64_MAX,
                                 .message_size = UINT64_MAX,
                                 .time_left_us = UINT64_MAX,
                                 .ping = UINT64_MAX,
                                 .credit = UINT64_MAX,
                                 .streams = true,
                                 .never_ran = true,
                                 .push_back_ms = UINT64_MAX,
                                 .last_call = UINT64_MAX };
    uint8_t          *frame = malloc(vow_header_room(&header));

    (void)state;
    assert_true((size_t)(vow_header_write(frame, &header, 0) - frame) <= vow_header_room(&header));
    free(frame);
    memset(name, 'n', sizeof name - 1);
    header.method_name = header.text = header.details = bytes_of(name);
    header.to_send = (const vow_metadata[]){ { name, name, 0 }, { "a", "", 0 }, { NULL, NULL, 0 } };
    header.trailing_to_send = header.to_send;
    frame = malloc(vow_header_room(&header));
    assert_true((size_t)(vow_header_write(frame, &header, 0) - frame) <= vow_header_room(&header));
    free(frame);
}

/* Reading */

static void assert_same_bytes(vow_bytes read, vow_bytes written)
{
    assert_int_equal(!read.data, !written.data);
    assert_int_equal(read.size, written.size);
    if (read.size)
        assert_memory_equal(read.data, written.data, read.size);
}

static void assert_same_metadata(vow_entries read, const vow_metadata *sent, size_t sent_count)
{
    vow_entries left = read;
    vow_bytes   name, value;
    size_t      count = 0;

    for (; vow_header_next_metadata(&left, &name, &value); count++) {
        assert_true(count < sent_count);
        assert_int_equal(name.size, strlen(sent[count].name));
        assert_memory_equal(name.data, sent[count].name, name.size);
        assert_int_equal(value.size, sent[count].value_size);
        assert_memory_equal(value.data, sent[count].value, value.size);
    }
    assert_int_equal(count, sent_count);
    assert_int_equal(count, read.count);
}

static void assert_same_header(const vow_header *read, const sample *sample)
{
    const vow_header *written = &sample->header;

    assert_int_equal(read->kind, written->kind);
    assert_int_equal(read->method, written->method);
    assert_int_equal(read->code, written->code);
    assert_int_equal(read->more, written->more);
    assert_int_equal(read->one_way, written->one_way);
    assert_int_equal(read->has_push_back, written->has_push_back);
    assert_int_equal(read->has_last_call, written->has_last_call);
    assert_true(read->call == written->call);
    assert_true(read->message_size == written->message_size);
    assert_true(read->time_left_us == written->time_left_us);
    assert_true(read->ping == written->ping);
    assert_true(read->credit == written->credit);
    assert_int_equal(read->streams, written->streams);
    assert_int_equal(read->never_ran, written->never_ran);
    assert_true(read->push_back_ms == written->push_back_ms);
    assert_true(read->last_call == written->last_call);
    assert_same_bytes(read->method_name, written->method_name);
    assert_same_bytes(read->text, written->text);
    assert_same_bytes(read->details, written->details);
    assert_same_metadata(read->metadata, sample->to_send, sample->message.n_metadata);
    assert_same_metadata(read->trailing, sample->trailing_to_send, sample->message.n_trailing_metadata);
}

static void a_header_that_protobuf_c_packed_is_read_as_it_was(void **state)
{
    uint64_t random = 2;
    sample  *sample = malloc(sizeof *sample);

    (void)state;
    for (int i = 0; i < HEADERS; i++) {
        uint8_t    *bytes;
        size_t      size;
        vow_header  read;
        const char *wrong;

        sample_make(sample, &random);
        size = vow__wire__header__get_packed_size(&sample->message);
        bytes = malloc(size);
        vow__wire__header__pack(&sample->message, bytes);
        wrong = vow_header_read(&read, bytes, size);
        if (wrong)
            fail_msg("header %d %s", i, wrong);
        assert_same_header(&read, sample);
        free(bytes);
    }
    free(sample);
}

/* Gives what is wrong with the writer's bytes, which are read from a block of their own size. */
static const char *read_exactly(const uint8_t *data, size_t size, vow_header *header)
{
    uint8_t    *bytes = calloc(1, size ? size : 1);
    const char *wrong;
    vow_entries left;
    vow_bytes   name, value;

    if (size)
        memcpy(bytes, data, size);
    wrong = vow_header_read(header, size ? bytes : bytes + 1, size);
    left = header->metadata;
    while (!wrong && vow_header_next_metadata(&left, &name, &value))
        ;
    left = header->trailing;
    while (!wrong && vow_header_next_metadata(&left, &name, &value))
        ;
    free(bytes);
    return wrong;
}

/* Where a header is cut between fields it is still one: what is behind is absent. Within a field it is not. */
static void every_truncation_is_refused_or_falls_between_fields(void **state)
{
    uint64_t       random = 3;
    sample        *sample = malloc(sizeof *sample);
    static uint8_t packed[8192];

    (void)state;
    for (int i = 0; i < 300; i++) {
        size_t size;

        sample_make(sample, &random);
        size = vow__wire__header__pack(&sample->message, packed);
        for (size_t cut = 0; cut < size; cut++) {
            vow_header         header;
            const char        *wrong = read_exactly(packed, cut, &header);
            Vow__Wire__Header *theirs = vow__wire__header__unpack(NULL, cut, packed);

            if (!wrong != !!theirs)
                fail_msg("header %d cut to %zu bytes: %s", i, cut, wrong ? wrong : "is read, and is none");
            if (theirs)
                vow__wire__header__free_unpacked(theirs, NULL);
        }
    }
    free(sample);
}

/* A byte or two changed: never a byte read out of bounds, and what protobuf-c refuses is refused. */
static void what_protobuf_c_refuses_is_refused(void **state)
{
    uint64_t       random = 4;
    sample        *sample = malloc(sizeof *sample);
    static uint8_t packed[8192];

    (void)state;
    for (int i = 0; i < HEADERS; i++) {
        size_t             size;
        vow_header         header;
        Vow__Wire__Header *theirs;

        sample_make(sample, &random);
        size = vow__wire__header__pack(&sample->message, packed);
        for (uint64_t left = 1 + vow_random_below(&random, 2); left > 0; left--)
            packed[vow_random_below(&random, size)] = (uint8_t)vow_random_next(&random);
        theirs = vow__wire__header__unpack(NULL, size, packed);
        if (!read_exactly(packed, size, &header) && !theirs)
            fail_msg("header %d is read, and protobuf-c refuses it", i);
        if (theirs)
            vow__wire__header__free_unpacked(theirs, NULL);
    }
    free(sample);
}

static void fields_that_are_not_known_are_skipped(void **state)
{
    writer     bytes = { 0 };
    vow_header header;

    (void)state;
    writer_number(&bytes, 19, 7);
    writer_number(&bytes, 1, VOW_FRAME_PING);
    writer_text(&bytes, 100, "from a later version");
    writer_tag(&bytes, 22, 1);
    writer_add(&bytes, "12345678", 8);
    writer_tag(&bytes, 536870911, 5);
    writer_add(&bytes, "1234", 4);
    writer_number(&bytes, 14, 1);
    writer_number(&bytes, 17, 1);
    writer_text(&bytes, 18, "key");
    writer_number(&bytes, 13, 300);
    assert_null(read_exactly(bytes.data, bytes.size, &header));
    assert_int_equal(header.kind, VOW_FRAME_PING);
    assert_int_equal(header.ping, 300);
    assert_int_equal(header.metadata.count, 0);
    writer_done(&bytes);
}

static void of_a_field_that_comes_twice_the_last_counts(void **state)
{
    writer     bytes = { 0 };
    vow_header header;

    (void)state;
    writer_number(&bytes, 1, VOW_FRAME_PING);
    writer_number(&bytes, 13, 1);
    writer_number(&bytes, 1, VOW_FRAME_PONG);
    writer_number(&bytes, 13, 2);
    assert_null(read_exactly(bytes.data, bytes.size, &header));
    assert_int_equal(header.kind, VOW_FRAME_PONG);
    assert_int_equal(header.ping, 2);
    writer_done(&bytes);
}

static const struct {
    const char *name;
    const char *bytes; /* behind kind = CALL */
    size_t      size;
    const char *says;
} refused[] = {
    { "a varint of 11 bytes", "\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12, "" },
    { "a varint that does not end", "\x10\xff\xff", 3, "" },
    { "a tag alone", "\x10", 1, "" },
    { "a tag that does not end", "\x80", 1, "" },
    { "a length beyond the end", "\x3a\x05" "ab", 4, "" },
    { "a length of nearly 4 GiB", "\x3a\xff\xff\xff\xff\x0f", 6, "" },
    { "a length of nearly 2^64", "\x52\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, "" },
    { "a group", "\x13\x14", 2, "" },
    { "an end of a group", "\x14", 1, "" },
    { "wire type 6", "\x16\x00", 2, "" },
    { "wire type 7", "\x17\x00", 2, "" },
    { "field 0", "\x00\x00", 2, "" },
    { "four bytes of eight", "\x99\x01" "1234", 6, "" },
    { "a number as text", "\x12\x01z", 3, "wire type" },
    { "a number in 8 bytes", "\x11" "12345678", 9, "wire type" },
    { "a number in 4 bytes", "\x1d" "1234", 5, "wire type" },
    { "a name as a number", "\x38\x01", 2, "wire type" },
    { "metadata as a number", "\x80\x01\x01", 3, "wire type" },
    { "a name that is not UTF-8", "\x3a\x02" "a\xff", 4, "not UTF-8" },
    { "a name with a NUL", "\x3a\x03" "a\0b", 5, "not UTF-8" },
    { "a text that is cut in a character", "\x4a\x02\xe2\x82", 4, "not UTF-8" },
    { "a text with a surrogate", "\x4a\x03\xed\xa0\x80", 5, "not UTF-8" },
    { "metadata that is empty", "\x82\x01\x00", 3, "metadata" },
    { "metadata without a value", "\x82\x01\x03\x0a\x01n", 6, "metadata" },
    { "metadata without a name", "\x82\x01\x03\x12\x01v", 6, "metadata" },
    { "metadata in the wrong order", "\x82\x01\x06\x12\x01v\x0a\x01n", 9, "metadata" },
    { "metadata with more behind", "\x82\x01\x08\x0a\x01n\x12\x01v\x18\x01", 11, "metadata" },
    { "metadata whose value is too long", "\x82\x01\x06\x0a\x01n\x12\x05" "v", 9, "metadata" },
    { "kind 15", "\x08\x0f", 2, "no known kind" },
    { "kind 0", "\x08\x00", 2, "no known kind" },
    { "a kind of 10 bytes", "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, "no known kind" },
};

static void what_is_malformed_is_refused_by_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        writer      bytes = { 0 };
        vow_header  header;
        const char *wrong;

        writer_number(&bytes, 1, VOW_FRAME_CALL);
        writer_add(&bytes, refused[i].bytes, refused[i].size);
        wrong = read_exactly(bytes.data, bytes.size, &header);
        if (!wrong || !strstr(wrong, refused[i].says))
            fail_msg("%s: %s", refused[i].name, wrong ? wrong : "was read");
        writer_done(&bytes);
    }
}

static void a_header_without_a_kind_is_refused(void **state)
{
    vow_header header;

    (void)state;
    assert_non_null(read_exactly(NULL, 0, &header));
    assert_non_null(read_exactly((const uint8_t *)"\x10\x01", 2, &header));
}

static void every_kind_has_a_name(void **state)
{
    (void)state;
    for (unsigned kind = 1; kind < VOW_FRAME_KINDS; kind++)
        assert_string_equal(vow_frame_kind_name((vow_frame_kind)kind),
                            protobuf_c_enum_descriptor_get_value(&vow__wire__kind__descriptor, (int)kind)->name);
    assert_non_null(vow_frame_kind_name(0));
    assert_non_null(vow_frame_kind_name(VOW_FRAME_KINDS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_is_written_as_protobuf_c_packs_it),
        cmocka_unit_test(a_short_header_is_written_as_any_other),
        cmocka_unit_test(the_room_for_a_header_is_enough_at_its_longest),
        cmocka_unit_test(a_header_that_protobuf_c_packed_is_read_as_it_was),
        cmocka_unit_test(every_truncation_is_refused_or_falls_between_fields),
        cmocka_unit_test(what_protobuf_c_refuses_is_refused),
        cmocka_unit_test(fields_that_are_not_known_are_skipped),
        cmocka_unit_test(of_a_field_that_comes_twice_the_last_counts),
        cmocka_unit_test(what_is_malformed_is_refused_by_name),
        cmocka_unit_test(a_header_without_a_kind_is_refused),
        cmocka_unit_test(every_kind_has_a_name),
    };

    return cmocka_run_group_tests_name("header", tests, NULL, NULL);
}
