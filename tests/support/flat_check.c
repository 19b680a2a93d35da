#include "tests/support/flat_check.h"

#include "runtime/base/flat.h"
#include "runtime/base/guard.h"

#include <string.h>

#define CAP ((size_t)16 << 20)

/* What a field of each type takes in its message. */
static size_t member_size(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    default:
        return 4;
    }
}

static bool is_same_text(const void *is, const void *wanted)
{
    char *const *is_text = is;
    char *const *wanted_text = wanted;

    return !*is_text == !*wanted_text && (!*is_text || strcmp(*is_text, *wanted_text) == 0);
}

static bool is_same_bytes(const void *is, const void *wanted)
{
    const ProtobufCBinaryData *is_bytes = is;
    const ProtobufCBinaryData *wanted_bytes = wanted;

    return is_bytes->len == wanted_bytes->len && !is_bytes->data == !wanted_bytes->data &&
           (!is_bytes->len || memcmp(is_bytes->data, wanted_bytes->data, is_bytes->len) == 0);
}

/* Repeated fields and messages are absent in both. */
static bool is_same_member(const ProtobufCFieldDescriptor *field, const void *is, const void *wanted)
{
    const void *const *is_child = is;
    const void *const *wanted_child = wanted;

    if (field->label == PROTOBUF_C_LABEL_REPEATED || field->type == PROTOBUF_C_TYPE_MESSAGE)
        return !*is_child && !*wanted_child;
    if (field->type == PROTOBUF_C_TYPE_STRING)
        return is_same_text(is, wanted);
    if (field->type == PROTOBUF_C_TYPE_BYTES)
        return is_same_bytes(is, wanted);
    return memcmp(is, wanted, member_size(field)) == 0;
}

static bool is_same_field(const ProtobufCFieldDescriptor *field, const uint8_t *is, const uint8_t *wanted)
{
    unsigned quantifier = field->quantifier_offset; /* a count, a truth or a case: 4 bytes at least */

    if (quantifier && memcmp(is + quantifier, wanted + quantifier, 4) != 0)
        return false;
    return is_same_member(field, is + field->offset, wanted + field->offset);
}

static const char *compare(const ProtobufCMessage *is, const ProtobufCMessage *wanted)
{
    if (!wanted)
        return "protobuf-c refuses it";
    if (is->descriptor != wanted->descriptor || is->n_unknown_fields != wanted->n_unknown_fields)
        return "its base is another one";
    for (size_t i = 0; i < wanted->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &wanted->descriptor->fields[i];

        if (!is_same_field(field, (const uint8_t *)is, (const uint8_t *)wanted))
            return field->name;
    }
    return NULL;
}

const char *flat_check(const ProtobufCMessageDescriptor *type, const uint8_t *data, size_t size, bool *plain)
{
    const vow_guard_limits                limits = { .max_memory = CAP };
    vow_guard_need                        need;
    vow_error                             error;
    vow_blocks                            blocks;
    vow_arena                             arena;
    ProtobufCMessage                     *wanted = protobuf_c_message_unpack(type, NULL, size, data);
    ProtobufCMessage                     *is;
    const char                           *wrong = NULL;
    _Alignas(VOW_ARENA_ALIGNMENT) uint8_t first[256];

    vow_blocks_init(&blocks);
    vow_arena_init(&arena, first, sizeof first, &blocks, CAP);
    is = vow_flat_unpack(&arena, type, data, size);
    *plain = is;
    if (is)
        wrong = compare(is, wanted);
    else if (arena.used || arena.next != first)
        wrong = "something stays in the arena";
    if (!wrong && is && vow_guard_scan(type, data, size, &limits, &need, &error) != VOW_OK)
        wrong = "the guard refuses it";
    vow_arena_done(&arena);
    vow_blocks_done(&blocks);
    protobuf_c_message_free_unpacked(wanted, NULL);
    return wrong;
}
