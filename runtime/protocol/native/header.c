#include "runtime/protocol/native/header.h"

#include "runtime/base/utf8.h"
#include "runtime/base/wire.h"
#include "runtime/protocol/metadata.h"

#include <string.h>

enum { VARINT = 0, LENGTH_PREFIXED = 2 };

enum { METADATA = 16, TRAILING_METADATA = 20 };

#define TAG(number, type) ((uint32_t)(number) << 3 | (type))

/* A length of over 127 bytes takes up to 3: headers are no longer than VOW_HEADER_MAX. */
#define LONG_PREFIX 3

static const char *const kind_names[VOW_FRAME_KINDS] = {
    [VOW_FRAME_CALL] = "CALL",     [VOW_FRAME_MESSAGE] = "MESSAGE", [VOW_FRAME_REPLY] = "REPLY",
    [VOW_FRAME_STATUS] = "STATUS", [VOW_FRAME_CANCEL] = "CANCEL",   [VOW_FRAME_CREDIT] = "CREDIT",
    [VOW_FRAME_PING] = "PING",     [VOW_FRAME_PONG] = "PONG",       [VOW_FRAME_GOAWAY] = "GOAWAY",
    [VOW_FRAME_HELLO] = "HELLO",   [VOW_FRAME_METHOD] = "METHOD",
    [VOW_FRAME_STREAM] = "STREAM", [VOW_FRAME_END] = "END",         [VOW_FRAME_METADATA] = "METADATA",
};

const char *vow_frame_kind_name(vow_frame_kind kind)
{
    return kind > 0 && kind < VOW_FRAME_KINDS ? kind_names[kind] : "a frame of no known kind";
}

/* Writing */

static inline uint8_t *write_varint(uint8_t *at, uint64_t value)
{
    while (value >= 0x80) {
        *at++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *at++ = (uint8_t)value;
    return at;
}

static inline uint8_t *write_number(uint8_t *at, unsigned number, uint64_t value)
{
    return write_varint(write_varint(at, TAG(number, VARINT)), value);
}

static inline uint8_t *write_nonzero(uint8_t *at, unsigned number, uint64_t value)
{
    return value ? write_number(at, number, value) : at;
}

static uint8_t *write_bytes(uint8_t *at, unsigned number, const void *data, size_t size)
{
    at = write_varint(at, TAG(number, LENGTH_PREFIXED));
    at = write_varint(at, size);
    if (size)
        memcpy(at, data, size);
    return at + size;
}

static uint8_t *write_present(uint8_t *at, unsigned number, vow_bytes bytes)
{
    return bytes.data ? write_bytes(at, number, bytes.data, bytes.size) : at;
}

static size_t varint_size(size_t value)
{
    size_t size = 1;

    for (; value >= 0x80; value >>= 7)
        size++;
    return size;
}

static size_t metadata_entry_size(const vow_metadata *entry)
{
    size_t name = strlen(entry->name);
    size_t value = vow_metadata_value_size(entry);

    return 1 + varint_size(name) + name + 1 + varint_size(value) + value;
}

static uint8_t *write_metadata(uint8_t *at, unsigned number, const vow_metadata *metadata)
{
    for (const vow_metadata *entry = metadata; entry->name; entry++) {
        at = write_varint(at, TAG(number, LENGTH_PREFIXED));
        at = write_varint(at, metadata_entry_size(entry));
        at = write_bytes(at, 1, entry->name, strlen(entry->name));
        at = write_bytes(at, 2, entry->value, vow_metadata_value_size(entry));
    }
    return at;
}

/* In the order of the numbers, as protobuf-c packs. */
static inline uint8_t *write_fields(uint8_t *at, const vow_header *header)
{
    at = write_number(at, 1, header->kind);
    at = write_nonzero(at, 2, header->call);
    at = write_nonzero(at, 3, header->method);
    at = write_nonzero(at, 4, header->more);
    at = write_nonzero(at, 5, header->message_size);
    at = write_nonzero(at, 6, header->time_left_us);
    at = write_present(at, 7, header->method_name);
    at = write_nonzero(at, 8, header->code);
    at = write_present(at, 9, header->text);
    at = write_present(at, 10, header->details);
    if (header->has_push_back)
        at = write_number(at, 11, header->push_back_ms);
    if (header->has_last_call)
        at = write_number(at, 12, header->last_call);
    at = write_nonzero(at, 13, header->ping);
    at = write_nonzero(at, 14, header->credit);
    at = write_nonzero(at, 15, header->one_way);
    if (header->to_send)
        at = write_metadata(at, METADATA, header->to_send);
    at = write_nonzero(at, 19, header->streams);
    if (header->trailing_to_send)
        at = write_metadata(at, TRAILING_METADATA, header->trailing_to_send);
    return write_nonzero(at, 21, header->never_ran);
}

static bool header_is_plain(const vow_header *header)
{
    return !header->method_name.data && !header->text.data && !header->details.data && !header->to_send &&
           !header->trailing_to_send;
}

static size_t metadata_room(const vow_metadata *metadata)
{
    size_t room = 0;

    for (const vow_metadata *entry = metadata; entry && entry->name; entry++)
        room += 2 + LONG_PREFIX + metadata_entry_size(entry);
    return room;
}

size_t vow_header_room(const vow_header *header)
{
    size_t room = VOW_HEADER_PLAIN_MAX;

    if (header_is_plain(header))
        return room;
    room += LONG_PREFIX + header->method_name.size + header->text.size + header->details.size;
    return room + metadata_room(header->to_send) + metadata_room(header->trailing_to_send);
}

static void write_length(uint8_t *at, uint32_t length)
{
    at[0] = (uint8_t)length;
    at[1] = (uint8_t)(length >> 8);
    at[2] = (uint8_t)(length >> 16);
    at[3] = (uint8_t)(length >> 24);
}

uint8_t *vow_header_write(uint8_t *at, const vow_header *header, size_t payload_size)
{
    uint8_t *fields = at + 5;
    uint8_t *end = write_fields(fields, header);
    size_t   size = (size_t)(end - fields);
    size_t   prefix = varint_size(size);

    if (prefix > 1) {
        memmove(fields + prefix - 1, fields, size);
        end += prefix - 1;
    }
    write_varint(at + 4, size);
    write_length(at, (uint32_t)(prefix + size + payload_size));
    return end;
}

uint8_t *vow_header_begin_frame(uint8_t *frame, const vow_short_header *header)
{
    uint8_t *fields = frame + 5;
    uint8_t *at = write_number(fields, 1, header->kind);

    at = write_nonzero(at, 2, header->call);
    at = write_nonzero(at, 3, header->method);
    at = write_nonzero(at, 6, header->time_left_us);
    frame[4] = (uint8_t)(at - fields);
    return at;
}

void vow_header_close_frame(uint8_t *frame, const uint8_t *end)
{
    write_length(frame, (uint32_t)(end - frame) - 4);
}

/* Reading */

static inline const uint8_t *read_varint(const uint8_t *at, const uint8_t *end, uint64_t *value)
{
    uint64_t sum = 0;

    if (at < end && *at < 0x80) { /* as most are */
        *value = *at;
        return at + 1;
    }
    for (unsigned shift = 0; at < end && shift < 70; shift += 7) {
        sum |= (uint64_t)(*at & 0x7f) << (shift & 63);
        if (!(*at++ & 0x80)) {
            *value = sum;
            return at;
        }
    }
    return NULL;
}

static const char *header_set_bytes(vow_header *header, uint32_t number, vow_bytes bytes)
{
    bool is_text = number == 7 || number == 9;

    if (is_text && vow_utf8_span(bytes.data, bytes.size) != bytes.size)
        return "holds a text that is not UTF-8";
    if (number == 7)
        header->method_name = bytes;
    else if (number == 9)
        header->text = bytes;
    else if (number == 10)
        header->details = bytes;
    return NULL;
}

static inline void header_set_number(vow_header *header, uint32_t number, uint64_t value)
{
    switch (number) {
    case 1: header->kind = value < VOW_FRAME_KINDS ? (vow_frame_kind)value : 0; break;
    case 2: header->call = value; break;
    case 3: header->method = (uint32_t)value; break;
    case 4: header->more = value != 0; break;
    case 5: header->message_size = value; break;
    case 6: header->time_left_us = value; break;
    case 8: header->code = (uint32_t)value; break;
    case 11: header->push_back_ms = value; header->has_push_back = true; break;
    case 12: header->last_call = value; header->has_last_call = true; break;
    case 13: header->ping = value; break;
    case 14: header->credit = value; break;
    case 15: header->one_way = value != 0; break;
    case 19: header->streams = value != 0; break;
    case 21: header->never_ran = value != 0; break;
    default: break;
    }
}

/* An entry of metadata has one name and one value, in this order: whoever writes it differently is no vow. */
static bool metadata_entry_read(vow_bytes entry, vow_bytes *name, vow_bytes *value)
{
    const uint8_t *end = entry.data + entry.size;
    vow_wire_element element;

    if (entry.size == 0 || vow_wire_read(&element, entry.data, end) || element.number != 1 ||
        element.type != LENGTH_PREFIXED)
        return false;
    *name = (vow_bytes){ element.content, (size_t)(element.end - element.content) };
    if (element.end == end || vow_wire_read(&element, element.end, end) || element.number != 2 ||
        element.type != LENGTH_PREFIXED || element.end != end)
        return false;
    *value = (vow_bytes){ element.content, (size_t)(element.end - element.content) };
    return true;
}

/* Which wire type each field has that we know; others are skipped. */
static bool type_is_right(uint32_t number, uint32_t type)
{
    static const uint8_t types[] = { [1] = VARINT,  [2] = VARINT,  [3] = VARINT,           [4] = VARINT,
                                     [5] = VARINT,  [6] = VARINT,  [7] = LENGTH_PREFIXED,  [8] = VARINT,
                                     [9] = LENGTH_PREFIXED, [10] = LENGTH_PREFIXED, [11] = VARINT, [12] = VARINT,
                                     [13] = VARINT, [14] = VARINT, [15] = VARINT, [16] = LENGTH_PREFIXED,
                                     [17] = VARINT, [18] = LENGTH_PREFIXED, [19] = VARINT,
                                     [20] = LENGTH_PREFIXED, [21] = VARINT };

    return number >= sizeof types || types[number] == type;
}

/* `at` is where the entry begins, with its tag. */
static const char *header_add_entry(vow_header *header, uint32_t number, vow_bytes content, const uint8_t *at,
                                    const uint8_t *end)
{
    vow_entries *entries = number == METADATA ? &header->metadata : &header->trailing;
    vow_bytes    name, value;

    if (entries->count++ == 0) {
        entries->data = at;
        entries->size = (size_t)(end - at);
        entries->number = number;
    }
    return metadata_entry_read(content, &name, &value) ? NULL : "has metadata that is malformed";
}

/* Any field, the long way. Gives where the next one begins. */
static const uint8_t *header_read_field(vow_header *header, const uint8_t *at, const uint8_t *end, const char **wrong)
{
    vow_wire_element element;
    vow_bytes        content;
    uint64_t         number = 0;

    *wrong = vow_wire_read(&element, at, end);
    if (*wrong)
        return end;
    if (!type_is_right(element.number, element.type)) {
        *wrong = "has a field in a wire type that is not its own";
        return end;
    }
    content = (vow_bytes){ element.content, (size_t)(element.end - element.content) };
    if (element.type == VARINT) {
        read_varint(element.value, element.end, &number);
        header_set_number(header, element.number, number);
    } else if (element.number == METADATA || element.number == TRAILING_METADATA) {
        *wrong = header_add_entry(header, element.number, content, at, end);
    } else if (element.type == LENGTH_PREFIXED) {
        *wrong = header_set_bytes(header, element.number, content);
    }
    return element.end;
}

/* Takes a number that is expected next. Gives where to go on: at the same place where it is absent, or
 * malformed. */
static inline const uint8_t *take_number(const uint8_t *at, const uint8_t *end, unsigned number,
                                         uint64_t *value)
{
    const uint8_t *next = at < end && *at == TAG(number, VARINT) ? read_varint(at + 1, end, value) : NULL;

    return next ? next : at;
}

/* Nearly all headers have these and no others, in this order. */
static const uint8_t *header_read_plain(vow_header *header, const uint8_t *at, const uint8_t *end)
{
    uint64_t kind = 0;
    uint64_t method = 0;

    at = take_number(at, end, 1, &kind);
    at = take_number(at, end, 2, &header->call);
    at = take_number(at, end, 3, &method);
    at = take_number(at, end, 6, &header->time_left_us);
    header_set_number(header, 1, kind);
    header_set_number(header, 3, method);
    return at;
}

const char *vow_header_read(vow_header *header, const uint8_t *data, size_t size)
{
    const uint8_t *end = data + size;
    const uint8_t *at;
    const char    *wrong = NULL;

    *header = (vow_header){ .kind = 0 };
    at = header_read_plain(header, data, end);
    while (at < end && !wrong)
        at = header_read_field(header, at, end, &wrong);
    if (!wrong && header->kind == 0)
        wrong = "is of no known kind";
    return wrong;
}

bool vow_header_next_metadata(vow_entries *left, vow_bytes *name, vow_bytes *value)
{
    while (left->size > 0) {
        const uint8_t   *end = left->data + left->size;
        vow_wire_element element;

        if (vow_wire_read(&element, left->data, end))
            return false;
        left->data = element.end;
        left->size = (size_t)(end - element.end);
        if (element.number == left->number)
            return metadata_entry_read((vow_bytes){ element.content, (size_t)(element.end - element.content) }, name,
                                       value);
    }
    return false;
}
