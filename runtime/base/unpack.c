#include "runtime/base/unpack.h"

#include "runtime/base/apart.h"
#include "runtime/base/flat.h"
#include "runtime/base/guard.h"

#include <string.h>

/* A block lives as long as what is used of it: at least half. */
bool vow_packed_keep(vow_packed *packed, size_t size, vow_arena *arena)
{
    if (!packed->block || size < VOW_UNPACK_IN_PLACE_MIN || size < packed->block_size / 2 ||
        !vow_arena_adopt(arena, packed->block, packed->block_size))
        return false;
    packed->block = NULL;
    return true;
}

/* The scan has bounded what protobuf-c will ask for; the arena's cap stands behind it, with room for what
 * headers and rounding add to each piece. */
static ProtobufCMessage *unpack(vow_arena *arena, const ProtobufCMessageDescriptor *descriptor,
                                const uint8_t *data, size_t size, const vow_guard_need *need)
{
    ProtobufCAllocator allocator = vow_arena_allocator(arena);
    size_t             cap = arena->cap;
    size_t             asked = need->arena_bytes + need->scratch_bytes;
    ProtobufCMessage  *message;

    arena->cap = arena->used + asked + asked / 2 + VOW_ARENA_CHUNK;
    message = protobuf_c_message_unpack(descriptor, &allocator, size, data);
    arena->cap = cap;
    return message;
}

/* Has nothing that came behind it replaced the field? */
static bool is_set(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    uint32_t chosen;

    if (!(field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF))
        return true;
    memcpy(&chosen, (const uint8_t *)message + field->quantifier_offset, sizeof chosen);
    return chosen == field->id;
}

static void set_bytes(ProtobufCMessage *message, const vow_guard_bytes *bytes)
{
    ProtobufCBinaryData value = { bytes->size,
                                  (uint8_t *)bytes->content }; /* in the arena's block: the user's to write */

    if (is_set(message, bytes->field))
        memcpy((uint8_t *)message + bytes->field->offset, &value, sizeof value);
}

/* How much of the message is not the content of its large field. */
static size_t rest_size(const vow_packed *packed, const vow_guard_bytes *large)
{
    return packed->size - large->size;
}

/* The empty field stands where the large one does, so whatever depends on its place, or on its having come,
 * is as it would be. */
static ProtobufCMessage *unpack_rest(vow_arena *arena, const ProtobufCMessageDescriptor *descriptor,
                                     const vow_packed *packed, const vow_guard_need *need)
{
    const vow_guard_bytes *large = &need->large;
    const uint8_t         *behind = large->content + large->size;
    size_t                 before_size = (size_t)(large->length - packed->data);
    size_t                 behind_size = (size_t)(packed->data + packed->size - behind);
    uint8_t                rest[VOW_UNPACK_REST_MAX];
    ProtobufCMessage      *message;

    memcpy(rest, packed->data, before_size);
    rest[before_size] = 0; /* its length; the true one takes no less */
    memcpy(rest + before_size + 1, behind, behind_size);
    message = unpack(arena, descriptor, rest, before_size + 1 + behind_size, need);
    if (message)
        set_bytes(message, large);
    return message;
}

static VOW_APART ProtobufCMessage *unpack_guarded(vow_arena *arena, const ProtobufCMessageDescriptor *descriptor,
                                                  vow_packed *packed, vow_error *error)
{
    const vow_guard_limits limits = { .max_memory = arena->cap };
    vow_guard_need         need;
    ProtobufCMessage      *message;

    if (vow_guard_scan(descriptor, packed->data, packed->size, &limits, &need, error) != VOW_OK)
        return NULL;
    if (rest_size(packed, &need.large) <= VOW_UNPACK_REST_MAX &&
        vow_packed_keep(packed, need.large.size, arena))
        message = unpack_rest(arena, descriptor, packed, &need);
    else
        message = unpack(arena, descriptor, packed->data, packed->size, &need);
    if (!message)
        vow_error_set(error, VOW_INVALID_ARGUMENT, "it does not parse as %s, or there was no memory for it",
                      descriptor->name);
    return message;
}

ProtobufCMessage *vow_unpack(vow_arena *arena, const ProtobufCMessageDescriptor *descriptor,
                             vow_packed *packed, vow_error *error)
{
    ProtobufCMessage *message = vow_flat_unpack(arena, descriptor, packed->data, packed->size);

    return message ? message : unpack_guarded(arena, descriptor, packed, error);
}
