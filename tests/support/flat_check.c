#include "tests/support/flat_check.h"

#include "runtime/base/flat.h"
#include "runtime/base/guard.h"

#include <stdlib.h>
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

/* Packing */

/* Tags and numbers are written where there is room for the longest. */
#define SLACK 15

/* Packs it into `room` bytes. NULL: it was packed as it should be, or not at all, which `packed` tells. */
static const char *pack_within(const ProtobufCMessage *message, const uint8_t *wanted, size_t size,
                               size_t room, bool *packed)
{
    uint8_t       *bytes = calloc(1, room ? room : 1);
    const uint8_t *end = vow_flat_pack(message, bytes, bytes + room);
    bool           is_right = !end || ((size_t)(end - bytes) == size && memcmp(bytes, wanted, size) == 0);

    *packed = end;
    free(bytes);
    return is_right ? NULL : "it is packed otherwise";
}

/* Has it something of a field that is repeated, a message or in a oneof? */
static bool has_more(const ProtobufCFieldDescriptor *field, const ProtobufCMessage *message)
{
    const uint8_t *base = (const uint8_t *)message;

    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        return *(const size_t *)(const void *)(base + field->quantifier_offset) > 0;
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        return *(const uint32_t *)(const void *)(base + field->quantifier_offset) == field->id;
    return field->type == PROTOBUF_C_TYPE_MESSAGE && *(void *const *)(const void *)(base + field->offset);
}

static bool may_pack(const ProtobufCMessage *message)
{
    for (size_t i = 0; i < message->descriptor->n_fields; i++) {
        if (has_more(&message->descriptor->fields[i], message))
            return false;
    }
    return message->n_unknown_fields == 0;
}

static const char *check_packing(const ProtobufCMessage *message)
{
    size_t      size = protobuf_c_message_get_packed_size(message);
    uint8_t    *wanted = malloc(size + 1);
    const char *wrong;
    bool        packed;

    protobuf_c_message_pack(message, wanted);
    wrong = pack_within(message, wanted, size, size + SLACK, &packed);
    if (!wrong && packed != may_pack(message))
        wrong = packed ? "it was packed, and is not plain" : "it is plain, and was not packed";
    if (!wrong)
        wrong = pack_within(message, wanted, size, size, &packed);
    if (!wrong && size > 0)
        wrong = pack_within(message, wanted, size, size - 1, &packed);
    if (!wrong && size > 0 && packed)
        wrong = "it was packed into less than it takes";
    free(wanted);
    return wrong;
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
    if (!wrong && wanted)
        wrong = check_packing(wanted);
    vow_arena_done(&arena);
    vow_blocks_done(&blocks);
    protobuf_c_message_free_unpacked(wanted, NULL);
    return wrong;
}
