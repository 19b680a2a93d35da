/*
 * From the bytes of a message to the message, in an arena.
 *
 * The idea: what is flat goes the short way (flat.h). Of all else, the guard looks first, and then protobuf-c
 * unpacks what it has let through. protobuf-c copies all; so of a message that is mostly one large `bytes`
 * field only the rest is given to it, with that field empty. The field then points to where its bytes have
 * been since they came, in the block of the message, which the arena takes.
 *
 * The message is the same in either case, but for where its bytes begin: what points into a block is not
 * aligned.
 */
#ifndef VOW_BASE_UNPACK_H
#define VOW_BASE_UNPACK_H

#include "runtime/base/arena.h"

#include <vow/status.h>

/* A field of at least this is left where it is. The copy of a smaller one costs no more than what it takes to
 * save it. */
#define VOW_UNPACK_IN_PLACE_MIN ((size_t)8 << 10)

/* If the rest of its message is no more than this. */
#define VOW_UNPACK_REST_MAX 1024

/* A message as it came. */
typedef struct vow_packed {
    const uint8_t *data; /* lent */
    size_t         size;
    void *block; /* that `data` lies in with nothing else, of the loop's. NULL: there is none, or it was taken
                  */
    size_t block_size;
} vow_packed;

/* Moves the block of `packed` into the arena, where `data` then lives as long as that. False: there is none,
 * it is too large for `size` bytes of it, or the arena has no room. */
bool vow_packed_keep(vow_packed *packed, size_t size, vow_arena *arena);

/*
 * Looks through `packed`, and unpacks it into `arena`, within the cap of that. May take the block of
 * `packed`.
 *
 * Fails   NULL; as vow_guard_scan, or VOW_INVALID_ARGUMENT: protobuf-c gives nothing for it.
 */
ProtobufCMessage *vow_unpack(vow_arena *arena, const ProtobufCMessageDescriptor *descriptor,
                             vow_packed *packed, vow_error *error);

#endif
