/*
 * The hello: how a connection begins.
 *
 * The idea: each side sends eight bytes that no other protocol begins with, and that a text-mode proxy breaks
 * visibly, then a HELLO frame with what it speaks and takes. The versions agree on the highest that both know.
 *
 * Source  docs/native-protocol.md, "Beginning"; the preface follows RFC 2083, section 12.11 (PNG's signature).
 */
#ifndef VOW_PROTOCOL_NATIVE_HELLO_H
#define VOW_PROTOCOL_NATIVE_HELLO_H

#include "runtime/protocol/protocol.h"

#define VOW_PREFACE_SIZE 8
extern const uint8_t vow_preface[VOW_PREFACE_SIZE];

#define VOW_PROTOCOL_VERSION 1

/* What follows a frame's length, at most: so that a large message holds up a small one for no longer than that. Between
 * peers on one machine, larger frames take no more time and a quarter of the system calls. */
#define VOW_FRAME_MAX ((size_t)64 << 10)
#define VOW_FRAME_MAX_LOCAL ((size_t)256 << 10)
#define VOW_FRAME_LEAST ((size_t)1 << 10)   /* a peer that takes less can't be spoken to */

/* What a stream's window is at least: frames are a quarter of it, and must not be too small. */
#define VOW_WINDOW_LEAST ((uint64_t)4 << 10)
#define VOW_STREAM_WINDOW ((uint64_t)64 << 10)
#define VOW_CONNECTION_WINDOW ((uint64_t)1 << 20)

/* A HELLO's payload is no longer than this. */
#define VOW_HELLO_MAX 1024

typedef struct vow_hello {
    uint32_t version; /* agreed; not of ours */
    size_t   max_frame_size;
    uint64_t max_message_size; /* UINT64_MAX: not said */
    size_t   max_calls;
    uint64_t stream_window;     /* the credit that each of our streams begins with */
    uint64_t connection_window; /* and all of them together */
    char     agent[VOW_AGENT_MAX]; /* not of ours */
} vow_hello;

/* Packs ours; gives its size. */
size_t vow_hello_write(uint8_t payload[VOW_HELLO_MAX], const vow_hello *ours);

/* Reads the peer's. Fails: VOW_INTERNAL, malformed; VOW_FAILED_PRECONDITION, no version in common. */
vow_code vow_hello_read(vow_hello *hello, const uint8_t *payload, size_t size, vow_error *error);

#endif
