#include "runtime/base/guard.h"

#include "runtime/base/fields.h"
#include "runtime/base/utf8.h"
#include "runtime/base/wire.h"

#include <assert.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define DEPTH_DEFAULT 100 /* as protobuf for C++ and Java */
#define COUNT_DEFAULT ((size_t)1 << 20)
#define MEMORY_DEFAULT ((size_t)16 << 20)
#define SCRATCH_FACTOR 4

/* What protobuf_c_message_unpack keeps on its own stack, and makes lists on the heap beyond. */
#define LISTED_ON_STACK 16
#define FIELDS_ON_STACK 128

/* Stands for protobuf-c's ScannedMember, which its header does not show. */
typedef struct listed_element {
    uint32_t    tag;
    uint8_t     wire_type;
    uint8_t     length_prefix_len;
    const void *field;
    size_t      len;
    const void *data;
} listed_element;

/* How a type is sent when it is not packed, and what one takes in the array of a repeated field. */
typedef struct field_kind {
    uint8_t wire_type;
    uint8_t size;
} field_kind;

static const field_kind kinds[] = {
    [PROTOBUF_C_TYPE_INT32] = { PROTOBUF_C_WIRE_TYPE_VARINT, 4 },
    [PROTOBUF_C_TYPE_SINT32] = { PROTOBUF_C_WIRE_TYPE_VARINT, 4 },
    [PROTOBUF_C_TYPE_SFIXED32] = { PROTOBUF_C_WIRE_TYPE_32BIT, 4 },
    [PROTOBUF_C_TYPE_INT64] = { PROTOBUF_C_WIRE_TYPE_VARINT, 8 },
    [PROTOBUF_C_TYPE_SINT64] = { PROTOBUF_C_WIRE_TYPE_VARINT, 8 },
    [PROTOBUF_C_TYPE_SFIXED64] = { PROTOBUF_C_WIRE_TYPE_64BIT, 8 },
    [PROTOBUF_C_TYPE_UINT32] = { PROTOBUF_C_WIRE_TYPE_VARINT, 4 },
    [PROTOBUF_C_TYPE_FIXED32] = { PROTOBUF_C_WIRE_TYPE_32BIT, 4 },
    [PROTOBUF_C_TYPE_UINT64] = { PROTOBUF_C_WIRE_TYPE_VARINT, 8 },
    [PROTOBUF_C_TYPE_FIXED64] = { PROTOBUF_C_WIRE_TYPE_64BIT, 8 },
    [PROTOBUF_C_TYPE_FLOAT] = { PROTOBUF_C_WIRE_TYPE_32BIT, 4 },
    [PROTOBUF_C_TYPE_DOUBLE] = { PROTOBUF_C_WIRE_TYPE_64BIT, 8 },
    [PROTOBUF_C_TYPE_BOOL] = { PROTOBUF_C_WIRE_TYPE_VARINT, sizeof(protobuf_c_boolean) },
    [PROTOBUF_C_TYPE_ENUM] = { PROTOBUF_C_WIRE_TYPE_VARINT, 4 },
    [PROTOBUF_C_TYPE_STRING] = { PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED, sizeof(char *) },
    [PROTOBUF_C_TYPE_BYTES] = { PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED, sizeof(ProtobufCBinaryData) },
    [PROTOBUF_C_TYPE_MESSAGE] = { PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED, sizeof(void *) },
};

/* A message that is being looked through: the outermost, or one inside the frame before. */
typedef struct guard_frame {
    const ProtobufCMessageDescriptor *descriptor;
    const ProtobufCFieldDescriptor   *field; /* of the frame before, whose value it is; NULL: the outermost */
    const uint8_t                    *at;    /* behind what has been entered */
    const uint8_t                    *end;
    size_t                            children;      /* sub-messages that have not been entered */
    uint32_t                          occurrences;   /* the most of any singular sub-message */
    uint64_t                          array_bytes;   /* of repeated fields, its singular children's too */
    uint64_t                          scratch_bytes; /* its own */
} guard_frame;

/* The sums cannot overflow: a message is below 2 GiB, and they meet their limits after every element. */
typedef struct guard_scan {
    vow_guard_limits limits;
    vow_error       *error;
    uint64_t         arena_bytes;
    uint64_t         scratch_bytes; /* of all frames there are now */
    uint64_t         scratch_most;
    size_t           depth; /* frames there are */
    vow_guard_bytes  large;
    uint32_t         counts[VOW_GUARD_COUNTERS]; /* of elements, by field, of the message being measured */
    guard_frame      frames[VOW_GUARD_DEPTH_MAX + 1];
} guard_scan;

static uint64_t rounded(uint64_t size)
{
    return (size + VOW_GUARD_ALIGNMENT - 1) & ~(uint64_t)(VOW_GUARD_ALIGNMENT - 1);
}

/* What an array takes more when it grows from `before` to `after` elements. */
static uint64_t array_growth(uint64_t before, uint64_t after, size_t size)
{
    return rounded(after * size) - rounded(before * size);
}

static bool is_packable(const ProtobufCFieldDescriptor *field)
{
    return kinds[field->type].wire_type != PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
}

/* Refusing */

/* `field` may be NULL: it is the message as a whole that is refused. */
VOW_PRINTF(5, 6)
static vow_code refuse(const guard_scan *scan, vow_code code, const ProtobufCMessageDescriptor *descriptor,
                       const ProtobufCFieldDescriptor *field, const char *format, ...)
{
    char    reason[sizeof scan->error->message];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    return vow_error_set(scan->error, code, "%s%s%s %s", descriptor->name, field ? "." : "",
                         field ? field->name : "", reason);
}

static vow_code refuse_malformed(const guard_scan *scan, const guard_frame *frame, uint32_t number,
                                 const char *fault)
{
    const ProtobufCFieldDescriptor *field = vow_field_find(frame->descriptor, number);

    if (field || number == 0)
        return refuse(scan, VOW_INVALID_ARGUMENT, frame->descriptor, field, "%s", fault);
    return refuse(scan, VOW_INVALID_ARGUMENT, frame->descriptor, NULL, "field %u %s", number, fault);
}

static vow_code refuse_wire_type(const guard_scan *scan, const guard_frame *frame,
                                 const ProtobufCFieldDescriptor *field, uint32_t wire_type)
{
    static const char *const names[] = {
        [PROTOBUF_C_WIRE_TYPE_VARINT] = "a varint",
        [PROTOBUF_C_WIRE_TYPE_64BIT] = "64 bits",
        [PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED] = "bytes with their length",
        [PROTOBUF_C_WIRE_TYPE_32BIT] = "32 bits",
    };

    return refuse(scan, VOW_INVALID_ARGUMENT, frame->descriptor, field, "was sent as %s instead of %s",
                  names[wire_type], names[kinds[field->type].wire_type]);
}

static vow_code refuse_text(const guard_scan *scan, const guard_frame *frame,
                            const ProtobufCFieldDescriptor *field, const vow_wire_element *element,
                            size_t good)
{
    const char *what = element->content[good] ? "is not UTF-8" : "holds NUL";

    return refuse(scan, VOW_INVALID_ARGUMENT, frame->descriptor, field,
                  "is a string and %s at byte %zu (a field of type bytes takes anything)", what, good);
}

static vow_code refuse_memory(const guard_scan *scan, const ProtobufCMessageDescriptor *descriptor,
                              const ProtobufCFieldDescriptor *field)
{
    return refuse(scan, VOW_RESOURCE_EXHAUSTED, descriptor, field,
                  "is where the message would take more than %zu bytes of memory (max_decoded_size)",
                  scan->limits.max_memory);
}

/* Measuring one message, without what is inside its sub-messages */

/* Counts one element, or the `count` packed in one, in `counter`, which is the field's. */
static vow_code field_count(guard_scan *scan, guard_frame *frame, const ProtobufCFieldDescriptor *field,
                            uint32_t *counter, size_t count)
{
    uint32_t before = *counter;
    uint32_t after = before + (uint32_t)count;

    *counter = after;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        uint64_t bytes = array_growth(before, after, kinds[field->type].size);

        scan->arena_bytes += bytes;
        frame->array_bytes += bytes;
        if (after > scan->limits.max_count)
            return refuse(scan, VOW_RESOURCE_EXHAUSTED, frame->descriptor, field,
                          "has more than %zu elements (max_count)", scan->limits.max_count);
    } else if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        if (after > frame->occurrences)
            frame->occurrences = after;
        if (after > VOW_GUARD_OCCURRENCES_MAX)
            return refuse(scan, VOW_RESOURCE_EXHAUSTED, frame->descriptor, field,
                          "occurs more than %d times, a fixed limit, and is not repeated",
                          VOW_GUARD_OCCURRENCES_MAX);
    }
    return VOW_OK;
}

/* How many elements a length-prefixed value of a scalar repeated field has: protobuf-c takes it as packed
 * whatever the schema says, and takes each byte of a bool for one when it makes room. */
static const char *packed_count(const ProtobufCFieldDescriptor *field, const vow_wire_element *element,
                                size_t *count)
{
    size_t      size = (size_t)(element->end - element->content);
    size_t      each = kinds[field->type].size;
    const char *fault;

    switch (kinds[field->type].wire_type) {
    case PROTOBUF_C_WIRE_TYPE_64BIT:
    case PROTOBUF_C_WIRE_TYPE_32BIT:
        *count = size / each;
        return size % each ? "is packed in a length that is no multiple of its type's" : NULL;
    default:
        fault = vow_wire_count_varints(element->content, element->end, count);
        if (field->type == PROTOBUF_C_TYPE_BOOL)
            *count = size;
        return fault;
    }
}

/* protobuf-c keeps the last value of a field: an earlier one of the same field is not worth a note. */
static void bytes_note(guard_scan *scan, const ProtobufCFieldDescriptor *field, const vow_wire_element *element,
                       size_t size)
{
    if (scan->depth > 1 || field->label == PROTOBUF_C_LABEL_REPEATED)
        return;
    if (size > scan->large.size || field == scan->large.field)
        scan->large = (vow_guard_bytes){ field, element->value, element->content, size };
}

/* Adds up what the value alone takes, beside a place in its message or array. */
static vow_code value_measure(guard_scan *scan, guard_frame *frame, const ProtobufCFieldDescriptor *field,
                              const vow_wire_element *element)
{
    size_t size = (size_t)(element->end - element->content);
    size_t good;

    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        good = vow_utf8_span(element->content, size);
        if (good < size)
            return refuse_text(scan, frame, field, element, good);
        scan->arena_bytes += rounded(size + 1);
        return VOW_OK;
    case PROTOBUF_C_TYPE_BYTES:
        scan->arena_bytes += rounded(size);
        bytes_note(scan, field, element, size);
        return VOW_OK;
    case PROTOBUF_C_TYPE_MESSAGE:
        scan->arena_bytes += rounded(((const ProtobufCMessageDescriptor *)field->descriptor)->sizeof_message);
        frame->children++;
        return VOW_OK;
    default:
        return VOW_OK;
    }
}

/* The field's counter, or NULL if the fields counted now, `first` and those after it, are others. */
static uint32_t *counter_of(guard_scan *scan, const guard_frame *frame, const ProtobufCFieldDescriptor *field,
                            size_t first)
{
    size_t index = (size_t)(field - frame->descriptor->fields) - first;

    return index < VOW_GUARD_COUNTERS ? &scan->counts[index] : NULL;
}

static vow_code element_measure(guard_scan *scan, guard_frame *frame, const ProtobufCFieldDescriptor *field,
                                const vow_wire_element *element)
{
    uint32_t *counter = counter_of(scan, frame, field, 0);
    size_t    count = 1;
    vow_code  code;

    if (element->type == kinds[field->type].wire_type) {
        code = value_measure(scan, frame, field, element);
        if (code != VOW_OK)
            return code;
    } else if (element->type == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED &&
               field->label == PROTOBUF_C_LABEL_REPEATED) {
        const char *fault = packed_count(field, element, &count);

        if (fault)
            return refuse(scan, VOW_INVALID_ARGUMENT, frame->descriptor, field, "%s", fault);
    } else {
        return refuse_wire_type(scan, frame, field, element->type);
    }
    return counter ? field_count(scan, frame, field, counter, count) : VOW_OK;
}

static size_t fields_counted(const guard_frame *frame, size_t first)
{
    size_t left = frame->descriptor->n_fields - first;

    return left < VOW_GUARD_COUNTERS ? left : VOW_GUARD_COUNTERS;
}

/* Eight at a time, a size the compiler knows: otherwise this takes a third of the time of a small message. */
static void counts_clear(guard_scan *scan, const guard_frame *frame, size_t first)
{
    size_t count = fields_counted(frame, first);

    for (size_t i = 0; i < count; i += 8)
        memset(&scan->counts[i], 0, 8 * sizeof *scan->counts);
}

_Static_assert(VOW_GUARD_COUNTERS % 8 == 0, "counters are cleared eight at a time");

/* protobuf-c would refuse it as well, but not say why. */
static vow_code required_check(const guard_scan *scan, const guard_frame *frame, size_t first)
{
    size_t count = fields_counted(frame, first);

    for (size_t i = 0; i < count; i++) {
        const ProtobufCFieldDescriptor *field = &frame->descriptor->fields[first + i];

        if (field->label == PROTOBUF_C_LABEL_REQUIRED && !field->default_value && scan->counts[i] == 0)
            return refuse(scan, VOW_INVALID_ARGUMENT, frame->descriptor, field,
                          "is required and missing");
    }
    return VOW_OK;
}

/* What measuring has left out of a type with many fields: those from `first` on are counted. */
static vow_code message_count_more(guard_scan *scan, guard_frame *frame, size_t first)
{
    vow_wire_element element = { .end = frame->at };
    vow_code         code;

    counts_clear(scan, frame, first);
    while (element.end < frame->end && !vow_wire_read(&element, element.end, frame->end)) {
        const ProtobufCFieldDescriptor *field = vow_field_find(frame->descriptor, element.number);
        uint32_t                       *counter = field ? counter_of(scan, frame, field, first) : NULL;
        size_t                          count = 1;

        if (!counter)
            continue;
        if (is_packable(field) && element.type == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED)
            (void)packed_count(field, &element, &count);
        code = field_count(scan, frame, field, counter, count);
        if (code != VOW_OK)
            return code;
        if (scan->arena_bytes > scan->limits.max_memory)
            return refuse_memory(scan, frame->descriptor, field);
    }
    return required_check(scan, frame, first);
}

/* The lists of `elements` elements: the first beyond the stack has twice the places there, and so on. */
static uint64_t lists_bytes(size_t elements)
{
    uint64_t places = LISTED_ON_STACK;
    uint64_t listed = LISTED_ON_STACK;

    while (listed < elements) {
        places *= 2;
        listed += places;
    }
    return (listed - LISTED_ON_STACK) * sizeof(listed_element);
}

_Static_assert(LISTED_ON_STACK * sizeof(listed_element) % VOW_GUARD_ALIGNMENT == 0, "lists need no rounding");

static vow_code scratch_measure(guard_scan *scan, guard_frame *frame, size_t elements)
{
    size_t   field_count = frame->descriptor->n_fields;
    uint64_t most = (uint64_t)scan->limits.max_memory * SCRATCH_FACTOR;

    frame->scratch_bytes = lists_bytes(elements);
    if (field_count > FIELDS_ON_STACK)
        frame->scratch_bytes += rounded((field_count + 7) / 8); /* a bit for each, to find required ones */

    scan->scratch_bytes += frame->scratch_bytes;
    if (scan->scratch_bytes > scan->scratch_most)
        scan->scratch_most = scan->scratch_bytes;
    if (scan->scratch_bytes > most)
        return refuse(scan, VOW_RESOURCE_EXHAUSTED, frame->descriptor, NULL,
                      "has %zu elements: to unpack it would take more than %llu bytes for a while "
                      "(%d times max_decoded_size)",
                      elements, (unsigned long long)most, SCRATCH_FACTOR);
    return VOW_OK;
}

static vow_code message_measure(guard_scan *scan, guard_frame *frame)
{
    vow_wire_element element = { .end = frame->at };
    size_t           elements = 0;
    size_t           unknown = 0;
    vow_code         code;

    counts_clear(scan, frame, 0);
    for (; element.end < frame->end; elements++) {
        const ProtobufCFieldDescriptor *field;
        const char                     *fault = vow_wire_read(&element, element.end, frame->end);

        if (fault)
            return refuse_malformed(scan, frame, element.number, fault);
        field = vow_field_find(frame->descriptor, element.number);
        if (field) {
            code = element_measure(scan, frame, field, &element);
            if (code != VOW_OK)
                return code;
        } else {
            scan->arena_bytes += rounded((uint64_t)(element.end - element.value)) +
                                 array_growth(unknown, unknown + 1, sizeof(ProtobufCMessageUnknownField));
            unknown++;
        }
        if (scan->arena_bytes > scan->limits.max_memory)
            return refuse_memory(scan, frame->descriptor, field);
    }

    code = required_check(scan, frame, 0);
    for (size_t first = VOW_GUARD_COUNTERS; code == VOW_OK && first < frame->descriptor->n_fields;
         first += VOW_GUARD_COUNTERS)
        code = message_count_more(scan, frame, first);
    return code == VOW_OK ? scratch_measure(scan, frame, elements) : code;
}

/* Walking from message to message */

static vow_code frame_enter(guard_scan *scan, const ProtobufCMessageDescriptor *descriptor,
                            const ProtobufCFieldDescriptor *field, const uint8_t *at, const uint8_t *end)
{
    guard_frame *frame = &scan->frames[scan->depth];

    /* What the array is, not only what the limit says: the limit comes from elsewhere. */
    assert(scan->depth <= VOW_GUARD_DEPTH_MAX);
    assert(descriptor->magic == PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC);
    scan->depth++;
    *frame = (guard_frame){ .descriptor = descriptor, .field = field, .at = at, .end = end };
    return message_measure(scan, frame);
}

/*
 * A message is complete, and so is what it brings to the one it is in. When a singular sub-message occurs k
 * times, protobuf-c joins the second to the first, the third to both, and so on, and copies all their
 * arrays each time: each array at most k - 1 times. The members of a oneof are replaced instead.
 */
static vow_code frame_leave(guard_scan *scan)
{
    guard_frame                    *frame = &scan->frames[--scan->depth];
    const ProtobufCFieldDescriptor *field = frame->field;
    guard_frame                    *parent;

    scan->scratch_bytes -= frame->scratch_bytes;
    if (!field || field->label == PROTOBUF_C_LABEL_REPEATED || (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF))
        return VOW_OK;
    parent = frame - 1;
    parent->array_bytes += frame->array_bytes;
    scan->arena_bytes += frame->array_bytes * (parent->occurrences - 1);
    if (scan->arena_bytes > scan->limits.max_memory)
        return refuse_memory(scan, parent->descriptor, field);
    return VOW_OK;
}

static vow_code child_enter(guard_scan *scan, guard_frame *frame)
{
    const ProtobufCFieldDescriptor *field;
    vow_wire_element                element = { .end = frame->at };

    do { /* it has been measured, so every element is sound and there is one that is a sub-message */
        (void)vow_wire_read(&element, element.end, frame->end);
        field = vow_field_find(frame->descriptor, element.number);
    } while (!field || field->type != PROTOBUF_C_TYPE_MESSAGE);

    frame->at = element.end;
    frame->children--;
    if (scan->depth > scan->limits.max_depth)
        return refuse(scan, VOW_RESOURCE_EXHAUSTED, frame->descriptor, field,
                      "is nested more than %zu deep (max_depth)", scan->limits.max_depth);
    return frame_enter(scan, field->descriptor, field, element.content, element.end);
}

static void limits_set(vow_guard_limits *chosen, const vow_guard_limits *limits)
{
    *chosen = (vow_guard_limits){
        .max_depth = limits->max_depth ? limits->max_depth : DEPTH_DEFAULT,
        .max_count = limits->max_count ? limits->max_count : COUNT_DEFAULT,
        .max_memory = limits->max_memory ? limits->max_memory : MEMORY_DEFAULT,
    };
    if (chosen->max_depth > VOW_GUARD_DEPTH_MAX)
        chosen->max_depth = VOW_GUARD_DEPTH_MAX;
    if (chosen->max_memory > SIZE_MAX / SCRATCH_FACTOR)
        chosen->max_memory = SIZE_MAX / SCRATCH_FACTOR; /* so that both parts of the need fit their type */
}

vow_code vow_guard_scan(const ProtobufCMessageDescriptor *descriptor, const void *data, size_t size,
                        const vow_guard_limits *limits, vow_guard_need *need, vow_error *error)
{
    guard_scan scan; /* large: what is used is set as it is needed */
    vow_code   code;

    limits_set(&scan.limits, limits);
    scan.error = error;
    scan.arena_bytes = rounded(descriptor->sizeof_message);
    scan.scratch_bytes = scan.scratch_most = 0;
    scan.depth = 0;
    scan.large = (vow_guard_bytes){ .field = NULL };
    /* Beyond, protobuf-c's counts of elements and lengths, which are ints, overflow. */
    if (size > INT_MAX)
        return refuse(&scan, VOW_RESOURCE_EXHAUSTED, descriptor, NULL,
                      "is larger than 2 GiB, protobuf's own limit");
    if (scan.arena_bytes > scan.limits.max_memory)
        return refuse_memory(&scan, descriptor, NULL);

    code = frame_enter(&scan, descriptor, NULL, data, size ? (const uint8_t *)data + size : data);
    while (code == VOW_OK && scan.depth > 0) {
        guard_frame *frame = &scan.frames[scan.depth - 1];

        code = frame->children > 0 ? child_enter(&scan, frame) : frame_leave(&scan);
    }
    if (code != VOW_OK)
        return code;
    *need = (vow_guard_need){ (size_t)scan.arena_bytes, (size_t)scan.scratch_most, scan.large };
    return VOW_OK;
}
