#include "scratch.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct block {
    struct block *next;
    max_align_t   memory[];
} block;

static block *blocks;

void *vow_scratch_alloc(size_t size)
{
    block *added = size <= SIZE_MAX - sizeof *added ? calloc(1, sizeof *added + size) : NULL;

    if (!added) {
        fprintf(stderr, "protoc-gen-vow: out of memory\n");
        exit(1);
    }
    added->next = blocks;
    blocks = added;
    return added->memory;
}

char *vow_scratch_copy(const char *bytes, size_t size)
{
    char *copy = vow_scratch_alloc(size + 1);

    if (size > 0)
        memcpy(copy, bytes, size);
    return copy;
}

char *vow_scratch_format(const char *format, ...)
{
    va_list values, again;
    char   *text;
    int     size;

    va_start(values, format);
    va_copy(again, values);
    size = vsnprintf(NULL, 0, format, values);
    text = vow_scratch_alloc((size_t)size + 1);
    vsnprintf(text, (size_t)size + 1, format, again);
    va_end(again);
    va_end(values);
    return text;
}

static void *allocator_alloc(void *context, size_t size)
{
    (void)context;
    return vow_scratch_alloc(size);
}

static void allocator_free(void *context, void *memory)
{
    (void)context;
    (void)memory;
}

ProtobufCAllocator vow_scratch_allocator = { .alloc = allocator_alloc, .free = allocator_free };

void vow_scratch_free(void)
{
    while (blocks) {
        block *next = blocks->next;

        free(blocks);
        blocks = next;
    }
}
