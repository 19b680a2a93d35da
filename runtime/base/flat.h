/*
 * Flat messages: a short way from and to the wire for what most messages are.
 *
 * The idea: one pass over the bytes does what the guard and protobuf-c do in four, but only for what is
 * plain: fields that the type has, that are neither repeated nor messages nor in a oneof, that come once, in
 * the wire type that is theirs, and whose text is UTF-8. At anything else it gives up, and the guard and
 * protobuf-c begin anew: so it knows no error, no limit and no rare rule, and what it gives is what they
 * would have given. Packing is the same the other way round.
 *
 * A test and a fuzz target hold it against protobuf-c.
 */
#ifndef VOW_BASE_FLAT_H
#define VOW_BASE_FLAT_H

#include "runtime/base/arena.h"

/* No larger message is plain: the fields of larger ones are better not copied. */
#define VOW_FLAT_MAX ((size_t)8 << 10)

/* Gives the message, in the arena, or NULL: it is not plain, or there was no memory. */
ProtobufCMessage *vow_flat_unpack(vow_arena *arena, const ProtobufCMessageDescriptor *descriptor,
                                  const uint8_t *data, size_t size);

/* Packs the message from `at` on, in one pass, without asking for its size first. Gives its end, or NULL: it is not
 * plain, or might not end before `end`; what has been written means nothing then. */
uint8_t *vow_flat_pack(const ProtobufCMessage *message, uint8_t *at, const uint8_t *end);

#endif
