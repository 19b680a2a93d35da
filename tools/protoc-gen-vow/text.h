/*
 * Text that grows: a file as it is being written.
 *
 * The idea: generated code stands in the generator as it will stand in the file, with `$name$` where
 * a name belongs; vow_text_fill puts the names in. A `$name$` without a value is our own mistake and
 * stops the program.
 */
#ifndef VOW_GENERATOR_TEXT_H
#define VOW_GENERATOR_TEXT_H

#include "scratch.h"

#include <stddef.h>

/* Zero is an empty text. `data` ends with a NUL, which `size` does not count. */
typedef struct vow_text {
    char  *data;
    size_t size;
    size_t capacity;
} vow_text;

typedef struct vow_text_value {
    const char *name;
    const char *value;
} vow_text_value;

void vow_text_add(vow_text *text, const char *bytes, size_t size);
void vow_text_print(vow_text *text, const char *format, ...) VOW_FORMAT(2, 3);

/* `values` ends with a NULL name. */
void vow_text_fill(vow_text *text, const char *pattern, const vow_text_value *values);

#endif
