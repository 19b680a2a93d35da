#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void vow_text_add(vow_text *text, const char *bytes, size_t size)
{
    if (text->size + size >= text->capacity) {
        size_t capacity = 2 * (text->size + size) + 64;
        char  *data = vow_scratch_alloc(capacity);

        if (text->size > 0)
            memcpy(data, text->data, text->size);
        text->data = data;
        text->capacity = capacity;
    }
    if (size > 0)
        memcpy(text->data + text->size, bytes, size);
    text->size += size;
    text->data[text->size] = '\0';
}

void vow_text_print(vow_text *text, const char *format, ...)
{
    va_list values, again;
    char   *line;
    int     size;

    va_start(values, format);
    va_copy(again, values);
    size = vsnprintf(NULL, 0, format, values);
    line = vow_scratch_alloc((size_t)size + 1);
    vsnprintf(line, (size_t)size + 1, format, again);
    vow_text_add(text, line, (size_t)size);
    va_end(again);
    va_end(values);
}

static const char *value_of(const vow_text_value *values, const char *name, size_t size)
{
    for (; values->name; values++) {
        if (strlen(values->name) == size && memcmp(values->name, name, size) == 0)
            return values->value;
    }
    fprintf(stderr, "protoc-gen-vow: no value for $%.*s$\n", (int)size, name);
    abort();
}

void vow_text_fill(vow_text *text, const char *pattern, const vow_text_value *values)
{
    const char *open;

    while ((open = strchr(pattern, '$'))) {
        size_t      size = strcspn(open + 1, "$");
        const char *value = value_of(values, open + 1, size);

        vow_text_add(text, pattern, (size_t)(open - pattern));
        vow_text_add(text, value, strlen(value));
        pattern = open + 1 + size + 1;
    }
    vow_text_add(text, pattern, strlen(pattern));
}
