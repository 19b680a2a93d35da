/*
 * Compressed messages: gzip, of one message at a time.
 *
 * The idea: compressing is a courtesy, and inflating a risk. What does not become smaller, or finds no
 * memory, is sent as it is. What comes is inflated only as far as it may: a small message could become a
 * thousand times as much memory. So that a peer with the limits of vow takes what vow sends, a message of
 * zeros is filled up with empty blocks to a hundredth of its size.
 *
 * zlib's memory is the loop's, one state in each direction: a message is done with before the next one
 * begins, and setting up a state costs more than a small message.
 *
 * Source  gRPC, "Compression"; RFC 1951, RFC 1952.
 */
#ifndef VOW_PROTOCOL_GRPC_COMPRESS_H
#define VOW_PROTOCOL_GRPC_COMPRESS_H

#include "runtime/protocol/held.h"

/* The encodings that are known here, as grpc-accept-encoding lists them. */
#define VOW_GRPC_ENCODINGS "identity, gzip"

/* A message may become so large whatever it was; beyond, it may become so many times as large. */
#define VOW_INFLATE_FREE ((size_t)64 << 10)
#define VOW_INFLATE_RATIO ((size_t)100)

/* Compresses into `to`, which has room for `size` bytes. Gives the size, less than `size`; 0: it is better
 * sent as it is. */
size_t vow_grpc_deflate(vow_loop *loop, uint8_t *to, const uint8_t *data, size_t size);

/* Inflates into `inflated`, an empty buffer of the session's, within its limits. False: `status` is given. */
bool vow_grpc_inflate(vow_session *session, const uint8_t *data, size_t size, vow_buffer *inflated,
                      vow_status *status);

#endif
