/*
 * The fields of a type, found by their number: its descriptor has them in order, and where the gaps are.
 */
#ifndef VOW_BASE_FIELDS_H
#define VOW_BASE_FIELDS_H

#include <protobuf-c/protobuf-c.h>

#include <stddef.h>
#include <stdint.h>

/* The place of the field of that number among the type's; SIZE_MAX: it has none. */
static inline size_t vow_field_place(const ProtobufCMessageDescriptor *descriptor, uint32_t number)
{
    const ProtobufCIntRange *range = descriptor->field_ranges;
    size_t                   count = descriptor->n_field_ranges;
    uint32_t                 index;

    if (count == 0)
        return SIZE_MAX;
    while (count > 1) { /* most types have one range only: 1 and what follows */
        size_t half = count / 2;

        if (number >= (uint32_t)range[half].start_value) {
            range += half;
            count -= half;
        } else {
            count = half;
        }
    }
    index = number - (uint32_t)range->start_value; /* wraps beyond all ranges if it lies before this one */
    if (index >= range[1].orig_index - range[0].orig_index)
        return SIZE_MAX;
    return range->orig_index + index;
}

/* NULL when the type has no field of that number. */
static inline const ProtobufCFieldDescriptor *vow_field_find(const ProtobufCMessageDescriptor *descriptor,
                                                             uint32_t                          number)
{
    size_t place = vow_field_place(descriptor, number);

    return place == SIZE_MAX ? NULL : &descriptor->fields[place];
}

#endif
