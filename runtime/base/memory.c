#include "runtime/base/memory.h"

#include <vow/status.h>

#include <stdlib.h>
#include <string.h>

static void *system_alloc(size_t size, void *context)
{
    (void)context;
    return malloc(size);
}

static void *system_resize(void *memory, size_t size, void *context)
{
    (void)context;
    return realloc(memory, size);
}

static void system_release(void *memory, void *context)
{
    (void)context;
    free(memory);
}

static const vow_allocator system_allocator = { system_alloc, system_resize, system_release, NULL };
static vow_allocator       allocator = { system_alloc, system_resize, system_release, NULL };

void vow_allocator_set(const vow_allocator *chosen)
{
    allocator = chosen ? *chosen : system_allocator;
}

const vow_allocator *vow_allocator_get(void)
{
    return &allocator;
}

void *vow_alloc(size_t size)
{
    return allocator.alloc(size, allocator.context);
}

void *vow_alloc_zeroed(size_t size)
{
    void *memory = vow_alloc(size);

    return memory ? memset(memory, 0, size) : NULL;
}

void *vow_resize(void *memory, size_t size)
{
    return allocator.resize(memory, size, allocator.context);
}

void vow_free(void *memory)
{
    if (memory)
        allocator.release(memory, allocator.context);
}

char *vow_text_copy(const char *text)
{
    size_t size = strlen(text) + 1;
    char  *copy = vow_alloc(size);

    return copy ? memcpy(copy, text, size) : NULL;
}
