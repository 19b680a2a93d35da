/*
 * Pools: objects of one size that are used again.
 *
 * The idea: a free list in front of the allocator, so that the steady path of a call asks the system
 * for nothing. What a burst took beyond a fixed amount goes back at once.
 *
 * On the loop's thread only. Debug builds let a few objects rest and reuse the one that was freed first,
 * so that a stale pointer finds a dead object and not a new one; AddressSanitizer is told of free objects.
 */
#ifndef VOW_BASE_POOL_H
#define VOW_BASE_POOL_H

#include <stddef.h>

struct vow_pool_free; /* the free list's link, in the object */

typedef struct vow_pool {
    size_t                object_size;
    size_t                kept_max; /* free objects that are kept */
    size_t                kept;
    size_t                live; /* objects that are out */
    struct vow_pool_free *first;
    struct vow_pool_free *last;
} vow_pool;

void vow_pool_init(vow_pool *pool, size_t object_size);

/* Frees what is kept; none may be out. */
void vow_pool_done(vow_pool *pool);

/* Gives an object with undefined content (vow_pool_give), or NULL. */
void *vow_pool_take(vow_pool *pool);

void vow_pool_give(vow_pool *pool, void *object);

#endif
