#include "tools/vow-load/buffer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 256

static void *must_have(void *memory)
{
    if (!memory) {
        fputs("vow-load: out of memory\n", stderr);
        exit(1);
    }
    return memory;
}

void *load_alloc(size_t count, size_t size)
{
    return must_have(calloc(count ? count : 1, size ? size : 1));
}

char *load_copy(const char *text, size_t size)
{
    char *copy = load_alloc(size + 1, 1);

    memcpy(copy, text, size);
    return copy;
}

static void buffer_reserve(load_buffer *buffer, size_t more)
{
    size_t room = buffer->room ? buffer->room : FIRST_ROOM;

    while (room - buffer->size <= more) {
        if (room > SIZE_MAX / 2)
            must_have(NULL);
        room *= 2;
    }
    if (room == buffer->room)
        return;
    buffer->data = must_have(realloc(buffer->data, room));
    buffer->room = room;
}

void load_buffer_clear(load_buffer *buffer)
{
    buffer->size = 0;
}

void load_buffer_add(load_buffer *buffer, const void *data, size_t size)
{
    buffer_reserve(buffer, size);
    if (size > 0)
        memcpy(buffer->data + buffer->size, data, size);
    buffer->size += size;
    buffer->data[buffer->size] = '\0';
}

void load_buffer_print(load_buffer *buffer, const char *format, ...)
{
    va_list list;
    int     size;

    va_start(list, format);
    size = vsnprintf(NULL, 0, format, list);
    va_end(list);
    if (size < 0)
        return;
    buffer_reserve(buffer, (size_t)size + 1);
    va_start(list, format);
    vsnprintf(buffer->data + buffer->size, (size_t)size + 1, format, list);
    va_end(list);
    buffer->size += (size_t)size;
}

void load_buffer_free(load_buffer *buffer)
{
    free(buffer->data);
    *buffer = (load_buffer){ NULL, 0, 0 };
}

bool load_buffer_read(load_buffer *buffer, const char *path, size_t most, load_problem *problem)
{
    char   part[16384];
    size_t got;
    FILE  *file = fopen(path, "rb");
    bool   fits = true;

    if (!file)
        return load_problem_set(problem, "cannot read %s: %s", path, strerror(errno));
    while (fits && (got = fread(part, 1, sizeof part, file)) > 0) {
        load_buffer_add(buffer, part, got);
        fits = buffer->size <= most;
    }
    if (!fits)
        load_problem_set(problem, "%s is larger than %zu bytes", path, most);
    else if (ferror(file))
        fits = load_problem_set(problem, "cannot read %s: %s", path, strerror(errno));
    fclose(file);
    return fits;
}
