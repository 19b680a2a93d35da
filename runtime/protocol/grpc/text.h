/*
 * The texts that gRPC puts into HTTP/2 headers: timeouts, messages, binary metadata.
 *
 * The idea: each is written into room that the caller has, and read out of bytes that stay where they are.
 *
 * Source  gRPC, "gRPC over HTTP2", Requests and Responses; RFC 4648, section 4 (Base 64).
 */
#ifndef VOW_PROTOCOL_GRPC_TEXT_H
#define VOW_PROTOCOL_GRPC_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Eight digits, a unit and a NUL. */
#define VOW_GRPC_TIMEOUT_ROOM 10

/* Writes a grpc-timeout that is no longer than `ns`, but at least 1 ns; gives its size. */
size_t vow_grpc_timeout_write(char text[VOW_GRPC_TIMEOUT_ROOM], uint64_t ns);

/* False: it is none. What is longer than fits is UINT64_MAX. */
bool vow_grpc_timeout_read(const uint8_t *text, size_t size, uint64_t *ns);

/* Percent-encodes a grpc-message into room for 3 times its size; gives the size. */
size_t vow_grpc_percent_write(char *to, const char *text, size_t size);

/* The other way, into room for `size`. An escape that is none stays as it is, as the specification wants it.
 */
size_t vow_grpc_percent_read(char *to, const uint8_t *text, size_t size);

static inline size_t vow_base64_room(size_t size)
{
    return (size + 2) / 3 * 4;
}

/* Without padding; gives the size, at most vow_base64_room(size). */
size_t vow_base64_write(char *to, const uint8_t *data, size_t size);

/* With padding or without, into room for `size`; gives the size, or SIZE_MAX: it is no Base 64. */
size_t vow_base64_read(uint8_t *to, const uint8_t *text, size_t size);

#endif
