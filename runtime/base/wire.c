#include "runtime/base/wire.h"

#include <protobuf-c/protobuf-c.h>

#include <limits.h>
#include <string.h>

#define TAG_BYTES_MAX 5
#define LENGTH_BYTES_MAX 5
#define VARINT_BYTES_MAX 10

#define NUMBER_MAX ((1u << 29) - 1)

#define HIGHS 0x8080808080808080u

/* The number of at most `max` bytes at `at`. Its size, or 0 if it does not end in time. */
static inline size_t varint_read(const uint8_t *at, const uint8_t *end, size_t max, uint64_t *number)
{
    size_t   left = (size_t)(end - at) < max ? (size_t)(end - at) : max;
    uint64_t value = 0;

    if (left > 0 && *at <= 0x7F) { /* nearly all tags, and most lengths, are one byte */
        *number = *at;
        return 1;
    }
    for (size_t i = 0; i < left; i++) {
        value |= (uint64_t)(at[i] & 0x7F) << (7 * i);
        if (at[i] <= 0x7F) {
            *number = value;
            return i + 1;
        }
    }
    return 0;
}

static inline size_t varint_size(const uint8_t *at, const uint8_t *end)
{
    size_t left = (size_t)(end - at) < VARINT_BYTES_MAX ? (size_t)(end - at) : VARINT_BYTES_MAX;

    for (size_t i = 0; i < left; i++) {
        if (at[i] <= 0x7F)
            return i + 1;
    }
    return 0;
}

static inline const char *tag_read(vow_wire_element *element, const uint8_t *at, const uint8_t *end)
{
    uint64_t tag;
    size_t   size = varint_read(at, end, TAG_BYTES_MAX, &tag);

    if (size == 0)
        return end - at < TAG_BYTES_MAX ? "ends within a tag" : "has a tag of over 5 bytes";
    if (tag >> 3 == 0)
        return "has a field number 0";
    if (tag >> 3 > NUMBER_MAX)
        return "has a field number above 2^29 - 1";
    element->number = (uint32_t)(tag >> 3);
    element->type = tag & 7;
    element->value = at + size;
    return NULL;
}

static inline const char *varint_skip(vow_wire_element *element, const uint8_t *end)
{
    size_t size = varint_size(element->value, end);

    if (size == 0)
        return end - element->value < VARINT_BYTES_MAX ? "ends within a varint"
                                                       : "is a varint of over 10 bytes";
    element->end = element->value + size;
    return NULL;
}

static inline const char *fixed_skip(vow_wire_element *element, const uint8_t *end, ptrdiff_t size)
{
    if (end - element->value < size)
        return "ends within a number of fixed size";
    element->end = element->value + size;
    return NULL;
}

static inline const char *length_skip(vow_wire_element *element, const uint8_t *end)
{
    uint64_t length;
    size_t   size = varint_read(element->value, end, LENGTH_BYTES_MAX, &length);

    if (size == 0)
        return end - element->value < LENGTH_BYTES_MAX ? "ends within a length"
                                                       : "has a length of over 5 bytes";
    element->content = element->value + size;
    if (length > INT_MAX || length > (uint64_t)(end - element->content))
        return "goes beyond the end of the message";
    element->end = element->content + length;
    return NULL;
}

const char *vow_wire_read(vow_wire_element *element, const uint8_t *at, const uint8_t *end)
{
    const char *fault;

    element->number = 0;
    fault = tag_read(element, at, end);
    if (fault)
        return fault;

    element->content = element->value;
    switch (element->type) {
    case PROTOBUF_C_WIRE_TYPE_VARINT:
        return varint_skip(element, end);
    case PROTOBUF_C_WIRE_TYPE_64BIT:
        return fixed_skip(element, end, 8);
    case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED:
        return length_skip(element, end);
    case PROTOBUF_C_WIRE_TYPE_32BIT:
        return fixed_skip(element, end, 4);
    case 3:
    case 4:
        return "is a group, which protobuf-c does not know";
    default:
        return "has a wire type that there is none of";
    }
}

/* Eight bytes with the first of them lowest, whatever the processor's order. */
static uint64_t word_load(const uint8_t *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

const char *vow_wire_count_varints(const uint8_t *at, const uint8_t *end, size_t *count)
{
    size_t found = 0;
    size_t open = 0; /* bytes of the varint that `at` is within */

    for (; end - at >= 8; at += 8) {
        uint64_t last = ~word_load(at) & HIGHS; /* a bit for each byte that ends a varint */

        if (!last) {
            open += 8;
        } else {
            open += (size_t)__builtin_ctzll(last) / 8;
            if (open >= VARINT_BYTES_MAX)
                break;
            found += (size_t)__builtin_popcountll(last);
            open = (size_t)__builtin_clzll(last) / 8;
        }
        if (open >= VARINT_BYTES_MAX)
            break;
    }
    for (; at < end && open < VARINT_BYTES_MAX; at++) {
        open = *at <= 0x7F ? 0 : open + 1;
        found += open == 0;
    }
    if (open >= VARINT_BYTES_MAX)
        return "holds a varint of over 10 bytes";
    if (open > 0)
        return "ends within a varint";
    *count = found;
    return NULL;
}
