/*
 * Memory for services: that of the program's allocator, through the public door.
 *
 * The idea: a service stands above the library, and what it keeps is counted with the library's all the same.
 */
#ifndef VOW_SERVICE_MEMORY_H
#define VOW_SERVICE_MEMORY_H

#include <stddef.h>

/* Gives memory (vow_service_free), zeroed, or NULL. */
void *vow_service_alloc(size_t size);

void vow_service_free(void *memory);

#endif
