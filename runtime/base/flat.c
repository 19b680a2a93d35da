#include "runtime/base/flat.h"

#include "runtime/base/fields.h"
#include "runtime/base/utf8.h"

#include <string.h>

/* A bit for each tells which have come. */
#define FIELDS_MAX 64

/* Tags and lengths of up to 2 bytes: field numbers below 2,048, and any length within VOW_FLAT_MAX. */
#define SHORT_BYTES 2

_Static_assert(VOW_FLAT_MAX < (size_t)1 << (7 * SHORT_BYTES), "a short number holds any length");

static inline bool is_plain(const ProtobufCFieldDescriptor *field)
{
    return field->label != PROTOBUF_C_LABEL_REPEATED && !(field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) &&
           field->type != PROTOBUF_C_TYPE_MESSAGE;
}

static inline uint32_t wire_type_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        return PROTOBUF_C_WIRE_TYPE_32BIT;
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return PROTOBUF_C_WIRE_TYPE_64BIT;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
    default:
        return PROTOBUF_C_WIRE_TYPE_VARINT;
    }
}

/* Unpacking */

/* Where reading is. All functions that take one give false where it is not plain. */
typedef struct flat_reader {
    const uint8_t *at;
    const uint8_t *end;
    vow_arena     *arena;
} flat_reader;

static inline bool read_short(flat_reader *reader, uint32_t *value)
{
    const uint8_t *at = reader->at;

    if (at < reader->end && at[0] < 0x80) {
        *value = at[0];
        reader->at = at + 1;
        return true;
    }
    if (reader->end - at < SHORT_BYTES || at[1] >= 0x80)
        return false;
    *value = (at[0] & 0x7fu) | (uint32_t)at[1] << 7;
    reader->at = at + SHORT_BYTES;
    return true;
}

/* A tenth byte is 1: negative numbers have it. protobuf-c drops other bits there, but not of a bool. */
static inline bool read_varint(flat_reader *reader, uint64_t *value)
{
    uint64_t read = 0;

    for (unsigned shift = 0; shift < 64 && reader->at < reader->end; shift += 7) {
        uint8_t byte = *reader->at++;

        if (shift == 63 && byte != 1)
            return false;
        read |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *value = read;
            return true;
        }
    }
    return false;
}

static inline bool read_fixed(flat_reader *reader, size_t size, uint64_t *value)
{
    uint64_t read = 0;

    if ((size_t)(reader->end - reader->at) < size)
        return false;
    for (size_t i = 0; i < size; i++)
        read |= (uint64_t)reader->at[i] << (8 * i);
    reader->at += size;
    *value = read;
    return true;
}

static inline bool read_content(flat_reader *reader, const uint8_t **content, uint32_t *size)
{
    if (!read_short(reader, size) || *size > (size_t)(reader->end - reader->at))
        return false;
    *content = reader->at;
    reader->at += *size;
    return true;
}

static inline bool read_string(flat_reader *reader, void *member)
{
    const uint8_t *content;
    uint32_t       size;
    char          *copy;

    if (!read_content(reader, &content, &size) || vow_utf8_span(content, size) < size)
        return false;
    copy = vow_arena_cut(reader->arena, (size_t)size + 1);
    if (!copy)
        return false;
    memcpy(copy, content, size);
    copy[size] = '\0';
    memcpy(member, &copy, sizeof copy);
    return true;
}

static inline bool read_bytes(flat_reader *reader, void *member)
{
    ProtobufCBinaryData copy = { 0, NULL };
    const uint8_t      *content;
    uint32_t            size;

    if (!read_content(reader, &content, &size))
        return false;
    if (size > 0) {
        copy = (ProtobufCBinaryData){ size, vow_arena_cut(reader->arena, size) };
        if (!copy.data)
            return false;
        memcpy(copy.data, content, size);
    }
    memcpy(member, &copy, sizeof copy);
    return true;
}

static inline void set_32(void *member, uint64_t value)
{
    uint32_t low = (uint32_t)value;

    memcpy(member, &low, sizeof low);
}

static inline void set_bool(void *member, uint64_t value)
{
    protobuf_c_boolean truth = value != 0;

    memcpy(member, &truth, sizeof truth);
}

/* As ZigZag has numbers: 0, -1, 1, -2, ... */
static inline uint64_t unzigzag(uint64_t value)
{
    return value >> 1 ^ (0 - (value & 1));
}

static inline bool read_number(flat_reader *reader, uint32_t wire_type, uint64_t *value)
{
    switch (wire_type) {
    case PROTOBUF_C_WIRE_TYPE_VARINT:
        return read_varint(reader, value);
    case PROTOBUF_C_WIRE_TYPE_32BIT:
        return read_fixed(reader, 4, value);
    case PROTOBUF_C_WIRE_TYPE_64BIT:
        return read_fixed(reader, 8, value);
    default:
        return false;
    }
}

static inline bool read_scalar(flat_reader *reader, ProtobufCType type, uint32_t wire_type, void *member)
{
    uint64_t value = 0;

    if (wire_type != wire_type_of(type) || !read_number(reader, wire_type, &value))
        return false;
    switch (type) {
    case PROTOBUF_C_TYPE_BOOL:
        set_bool(member, value);
        return true;
    case PROTOBUF_C_TYPE_SINT32:
        set_32(member, unzigzag((uint32_t)value));
        return true;
    case PROTOBUF_C_TYPE_SINT64:
        value = unzigzag(value);
        memcpy(member, &value, sizeof value);
        return true;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        memcpy(member, &value, sizeof value);
        return true;
    default:
        set_32(member, value);
        return true;
    }
}

static inline bool read_value(flat_reader *reader, ProtobufCType type, uint32_t wire_type, void *member)
{
    switch (type) {
    case PROTOBUF_C_TYPE_BYTES:
        return wire_type == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED && read_bytes(reader, member);
    case PROTOBUF_C_TYPE_STRING:
        return wire_type == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED && read_string(reader, member);
    default:
        return read_scalar(reader, type, wire_type, member);
    }
}

static inline bool read_field(flat_reader *reader, const ProtobufCMessageDescriptor *descriptor,
                              void *message, uint64_t *seen)
{
    const ProtobufCFieldDescriptor *field;
    uint32_t                        tag;
    size_t                          place;

    if (!read_short(reader, &tag))
        return false;
    place = vow_field_place(descriptor, tag >> 3);
    if (place == SIZE_MAX || *seen >> place & 1)
        return false;
    *seen |= (uint64_t)1 << place;
    field = &descriptor->fields[place];
    if (!is_plain(field))
        return false;
    if (field->quantifier_offset)
        set_bool((uint8_t *)message + field->quantifier_offset, true);
    return read_value(reader, field->type, tag & 7, (uint8_t *)message + field->offset);
}

static bool lacks_required(const ProtobufCMessageDescriptor *descriptor, uint64_t seen)
{
    for (size_t i = 0; i < descriptor->n_fields; i++) {
        if (descriptor->fields[i].label == PROTOBUF_C_LABEL_REQUIRED && !(seen >> i & 1))
            return true;
    }
    return false;
}

/* Of each field, one string or one value of bytes comes at most; their sum is in `size`. */
static bool may_be_flat(const vow_arena *arena, const ProtobufCMessageDescriptor *descriptor, size_t size)
{
    return size <= VOW_FLAT_MAX && descriptor->n_fields <= FIELDS_MAX && descriptor->message_init &&
           descriptor->sizeof_message + size + (descriptor->n_fields + 1) * VOW_ARENA_ALIGNMENT <= arena->cap;
}

ProtobufCMessage *vow_flat_unpack(vow_arena *arena, const ProtobufCMessageDescriptor *descriptor,
                                  const uint8_t *data, size_t size)
{
    flat_reader       reader = { data, size ? data + size : data, arena };
    vow_arena_mark    mark = vow_arena_here(arena);
    ProtobufCMessage *message;
    uint64_t          seen = 0;
    bool              plain = true;

    if (!may_be_flat(arena, descriptor, size))
        return NULL;
    message = vow_arena_cut(arena, descriptor->sizeof_message);
    if (!message)
        return NULL;
    descriptor->message_init(message);
    while (plain && reader.at < reader.end)
        plain = read_field(&reader, descriptor, message, &seen);
    if (plain && !lacks_required(descriptor, seen))
        return message;
    vow_arena_go_back(arena, mark);
    return NULL;
}

/* Packing */

/* What a tag and a number, or a tag and a length, take at most. */
#define ELEMENT_MAX 15

/* A number of any type, as it is sent. */
static inline uint64_t number_of(ProtobufCType type, const void *member)
{
    uint64_t wide;
    uint32_t narrow;

    memcpy(&narrow, member, sizeof narrow);
    switch (type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_ENUM:
        return (uint64_t)(int64_t)(int32_t)narrow;
    case PROTOBUF_C_TYPE_SINT32:
        return narrow << 1 ^ (0 - (narrow >> 31));
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        return narrow;
    case PROTOBUF_C_TYPE_BOOL:
        return narrow != 0;
    default:
        memcpy(&wide, member, sizeof wide);
        return type == PROTOBUF_C_TYPE_SINT64 ? wide << 1 ^ (0 - (wide >> 63)) : wide;
    }
}

static inline bool has_content(ProtobufCType type)
{
    return type == PROTOBUF_C_TYPE_BYTES || type == PROTOBUF_C_TYPE_STRING;
}

/* The content of a field that has a length. */
static inline ProtobufCBinaryData content_of(ProtobufCType type, const void *member)
{
    ProtobufCBinaryData content;

    if (type == PROTOBUF_C_TYPE_BYTES) {
        memcpy(&content, member, sizeof content);
    } else {
        memcpy(&content.data, member, sizeof content.data);
        content.len = content.data ? strlen((const char *)content.data) : 0;
    }
    return content;
}

static inline bool has_optional(const ProtobufCFieldDescriptor *field, const uint8_t *message)
{
    protobuf_c_boolean has;

    memcpy(&has, message + field->quantifier_offset, sizeof has);
    return has;
}

/* proto3 leaves out what is empty. */
static inline bool content_is_sent(const ProtobufCFieldDescriptor *field, const uint8_t *message,
                                   const ProtobufCBinaryData *content)
{
    if (field->label == PROTOBUF_C_LABEL_NONE)
        return content->len > 0;
    if (field->label == PROTOBUF_C_LABEL_REQUIRED)
        return true;
    if (field->type == PROTOBUF_C_TYPE_STRING)
        return content->data && content->data != field->default_value;
    return has_optional(field, message);
}

/* And what is zero; to protobuf-c, so is -0. */
static inline bool number_is_zero(ProtobufCType type, uint64_t number)
{
    if (type == PROTOBUF_C_TYPE_FLOAT)
        return (uint32_t)(number << 1) == 0;
    return (type == PROTOBUF_C_TYPE_DOUBLE ? number << 1 : number) == 0;
}

static inline bool number_is_sent(const ProtobufCFieldDescriptor *field, const uint8_t *message, uint64_t number)
{
    if (field->label == PROTOBUF_C_LABEL_NONE)
        return !number_is_zero(field->type, number);
    return field->label == PROTOBUF_C_LABEL_REQUIRED || has_optional(field, message);
}

/* Of a field that is not plain: there is nothing of it to be sent. */
static bool is_absent(const ProtobufCFieldDescriptor *field, const uint8_t *message)
{
    const void *child;
    size_t      count;
    uint32_t    chosen;

    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        memcpy(&count, message + field->quantifier_offset, sizeof count);
        return count == 0;
    }
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
        memcpy(&chosen, message + field->quantifier_offset, sizeof chosen);
        return chosen != field->id;
    }
    memcpy(&child, message + field->offset, sizeof child);
    return !child && field->label != PROTOBUF_C_LABEL_REQUIRED;
}

static inline uint8_t *write_varint(uint8_t *at, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *at++ = (uint8_t)(value | 0x80);
    *at++ = (uint8_t)value;
    return at;
}

static inline uint8_t *write_fixed(uint8_t *at, size_t size, uint64_t value)
{
    for (size_t i = 0; i < size; i++)
        at[i] = (uint8_t)(value >> (8 * i));
    return at + size;
}

/* These give where it ends; NULL: there may be no room for it. */
static inline uint8_t *write_content(uint8_t *at, const uint8_t *end, const ProtobufCFieldDescriptor *field,
                                     const uint8_t *message)
{
    ProtobufCBinaryData content = content_of(field->type, message + field->offset);

    if (!content_is_sent(field, message, &content))
        return at;
    if (end - at < ELEMENT_MAX)
        return NULL;
    at = write_varint(at, (uint64_t)field->id << 3 | PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED);
    at = write_varint(at, content.len);
    if (content.len > (size_t)(end - at))
        return NULL;
    if (content.len)
        memcpy(at, content.data, content.len);
    return at + content.len;
}

static inline uint8_t *write_number(uint8_t *at, const uint8_t *end, const ProtobufCFieldDescriptor *field,
                                    const uint8_t *message)
{
    uint64_t number = number_of(field->type, message + field->offset);
    uint32_t wire_type = wire_type_of(field->type);

    if (!number_is_sent(field, message, number))
        return at;
    if (end - at < ELEMENT_MAX)
        return NULL;
    at = write_varint(at, (uint64_t)field->id << 3 | wire_type);
    if (wire_type == PROTOBUF_C_WIRE_TYPE_VARINT)
        return write_varint(at, number);
    return write_fixed(at, wire_type == PROTOBUF_C_WIRE_TYPE_32BIT ? 4 : 8, number);
}

uint8_t *vow_flat_pack(const ProtobufCMessage *message, uint8_t *at, const uint8_t *end)
{
    const ProtobufCMessageDescriptor *descriptor = message->descriptor;

    if (message->n_unknown_fields > 0)
        return NULL;
    for (size_t i = 0; i < descriptor->n_fields && at; i++) {
        const ProtobufCFieldDescriptor *field = &descriptor->fields[i];

        if (!is_plain(field)) {
            if (!is_absent(field, (const uint8_t *)message))
                return NULL;
        } else if (has_content(field->type)) {
            at = write_content(at, end, field, (const uint8_t *)message);
        } else {
            at = write_number(at, end, field, (const uint8_t *)message);
        }
    }
    return at;
}
