#include "runtime/service/memory.h"

#include <vow/status.h>

#include <string.h>

void *vow_service_alloc(size_t size)
{
    const vow_allocator *allocator = vow_allocator_get();
    void                *memory = allocator->alloc(size, allocator->context);

    return memory ? memset(memory, 0, size) : NULL;
}

void vow_service_free(void *memory)
{
    const vow_allocator *allocator = vow_allocator_get();

    if (memory)
        allocator->release(memory, allocator->context);
}
