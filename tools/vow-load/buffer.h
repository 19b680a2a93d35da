/*
 * Memory of the program: what is not there ends it, with a word.
 */
#ifndef VOW_LOAD_BUFFER_H
#define VOW_LOAD_BUFFER_H

#include "tools/vow-load/problem.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes that grow; a NUL, which does not count, stands behind them once there are any. All zero: empty. */
typedef struct load_buffer {
    char  *data;
    size_t size;
    size_t room;
} load_buffer;

/* Zeroed. */
void *load_alloc(size_t count, size_t size);
char *load_copy(const char *text, size_t size);

void load_buffer_clear(load_buffer *buffer);
void load_buffer_add(load_buffer *buffer, const void *data, size_t size);
void load_buffer_print(load_buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));
void load_buffer_free(load_buffer *buffer);

/* Adds what a file holds, up to `most` bytes; false: it can't be read, or is larger. */
bool load_buffer_read(load_buffer *buffer, const char *path, size_t most, load_problem *problem);

#ifdef __cplusplus
}
#endif
#endif
