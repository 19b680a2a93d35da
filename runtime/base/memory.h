/*
 * Memory: the one door to the allocator that the program has set.
 *
 * The idea: everything vow and protobuf-c allocate goes through these functions, so that a program
 * can account for it and a test can make any one of them fail.
 *
 * Thread-safe as far as the allocator is.
 */
#ifndef VOW_BASE_MEMORY_H
#define VOW_BASE_MEMORY_H

#include <stddef.h>

/* Gives memory (vow_free) or NULL. */
void *vow_alloc(size_t size);
void *vow_alloc_zeroed(size_t size);

/* As realloc: on failure NULL, and `memory` is as it was. */
void *vow_resize(void *memory, size_t size);

/* Gives a copy of a string, or NULL. */
char *vow_text_copy(const char *text);

void vow_free(void *memory);

#endif
