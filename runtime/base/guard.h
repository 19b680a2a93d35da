/*
 * The guard: what every message from a peer passes before protobuf-c unpacks it.
 *
 * protobuf-c recurses as deep as a message is nested, turns 4 MiB of empty sub-messages into 600 MB,
 * and cuts strings at their first NUL. The idea: one walk along the bytes, led by the descriptor,
 * without recursion or allocation, checks all that protobuf-c checks and what it does not, and adds
 * up what unpacking is going to ask for. No element is looked at more than twice (in a type of over
 * VOW_GUARD_COUNTERS fields, once more for each further VOW_GUARD_COUNTERS).
 *
 * Of what passes, protobuf-c 1.4 and 1.5 read no byte out of bounds and ask for no more than the scan
 * has said. When they still give NULL there was no memory for it, or the message has a singular
 * sub-message more than once, the type of which has a oneof that is not set: they cannot merge those.
 */
#ifndef VOW_BASE_GUARD_H
#define VOW_BASE_GUARD_H

#include <vow/status.h>

#include <protobuf-c/protobuf-c.h>

/* Each block is counted with its size rounded up to this, as vow's arenas do. */
#define VOW_GUARD_ALIGNMENT 16

/* The walk keeps a place for each level on the stack, and protobuf-c takes some 1 KiB of stack for each. */
#define VOW_GUARD_DEPTH_MAX 250

/* Every further occurrence of a singular sub-message makes protobuf-c copy the arrays of those before. */
#define VOW_GUARD_OCCURRENCES_MAX 16

/* How many fields of a type are counted in one go. */
#define VOW_GUARD_COUNTERS 256

/* What a message may be. Zero is the default of every field. */
typedef struct vow_guard_limits {
    size_t max_depth;  /* levels of sub-messages below the outermost; 100, at most VOW_GUARD_DEPTH_MAX */
    size_t max_count;  /* elements of one repeated field of one message; 1,048,576 */
    size_t max_memory; /* arena_bytes; 16 MiB. scratch_bytes may be up to 4 times as much */
} vow_guard_limits;

/* The largest value among the singular fields of type bytes of the outermost message. It is the last of its field. */
typedef struct vow_guard_bytes {
    const ProtobufCFieldDescriptor *field;  /* NULL: there is none */
    const uint8_t                  *length; /* its length, as it was sent */
    const uint8_t                  *content;
    size_t                          size;
} vow_guard_bytes;

/*
 * What protobuf_c_message_unpack will ask for, at most.
 *
 * The arena's part holds the message, with what is replaced while it is unpacked: a singular field
 * that occurs again frees its former value, and an arena has no use for that. Where nothing occurs
 * again it is exact. The scratch part is freed before protobuf_c_message_unpack returns: lists of
 * the elements of those messages that have more than 16 (32 bytes each, in lists of doubling size).
 */
typedef struct vow_guard_need {
    size_t          arena_bytes;   /* all of it together */
    size_t          scratch_bytes; /* the most that is out at one time */
    vow_guard_bytes large;
} vow_guard_need;

/*
 * Looks through `size` bytes at `data` as a message of the type `descriptor`; fills `need` if all is well.
 * `data` may be NULL if there are none.
 *
 * Fails   VOW_INVALID_ARGUMENT: malformed, a field in a wire type that is not its own, a string that is
 *         not UTF-8 or holds NUL, a required field that is missing. VOW_RESOURCE_EXHAUSTED: beyond a
 *         limit. The message names type and field, and the limit and its option.
 * Source  Protocol Buffers, "Encoding"; libprotobuf-c, protobuf_c_message_unpack.
 */
vow_code vow_guard_scan(const ProtobufCMessageDescriptor *descriptor, const void *data, size_t size,
                        const vow_guard_limits *limits, vow_guard_need *need, vow_error *error);

#endif
