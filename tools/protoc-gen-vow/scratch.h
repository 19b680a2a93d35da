/*
 * Memory of one run.
 *
 * The idea: a code generator lives for milliseconds, so nothing is given back before its end. What
 * these functions give is never released by itself, and never NULL: out of memory ends the program
 * with a message and status 1.
 */
#ifndef VOW_GENERATOR_SCRATCH_H
#define VOW_GENERATOR_SCRATCH_H

#include <protobuf-c/protobuf-c.h>

#include <stddef.h>

#define VOW_FORMAT(at, first) __attribute__((format(printf, at, first)))

/* Zeroed. */
void *vow_scratch_alloc(size_t size);

char *vow_scratch_copy(const char *bytes, size_t size);
char *vow_scratch_format(const char *format, ...) VOW_FORMAT(1, 2);

/* For what protobuf-c unpacks. */
extern ProtobufCAllocator vow_scratch_allocator;

/* Releases everything. */
void vow_scratch_free(void);

#endif
