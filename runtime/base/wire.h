/*
 * Protobuf's wire format, one element at a time.
 *
 * The idea: a message is a row of elements, each a tag (field number and wire type) and a value
 * whose size its own first bytes tell, so it can be walked along without knowing its type. Knows no
 * descriptor, allocates nothing, reads nothing outside the bounds it is given.
 *
 * As strict as protobuf-c, and no stricter but for field numbers, which protobuf limits to
 * 1..2^29 - 1: tags and lengths take at most 5 bytes, varints 10, lengths are below 2 GiB, and there
 * are no groups.
 *
 * Source  Protocol Buffers, "Encoding".
 */
#ifndef VOW_BASE_WIRE_H
#define VOW_BASE_WIRE_H

#include <stddef.h>
#include <stdint.h>

typedef struct vow_wire_element {
    const uint8_t *value;   /* behind the tag; for what has a length, the length */
    const uint8_t *content; /* as `value`, but behind the length */
    const uint8_t *end;
    uint32_t       number; /* of the field */
    uint32_t       type;   /* a ProtobufCWireType */
} vow_wire_element;

/*
 * Reads the element at `at`, which lies before `end`. NULL, or what is wrong with it, in words that go on
 * after the field's name; `element->number` is then the field's, 0 if not even that could be read.
 */
const char *vow_wire_read(vow_wire_element *element, const uint8_t *at, const uint8_t *end);

/* Counts the varints that fill `at` to `end`. NULL, or what is wrong with them. */
const char *vow_wire_count_varints(const uint8_t *at, const uint8_t *end, size_t *count);

#endif
