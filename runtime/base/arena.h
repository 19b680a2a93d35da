/*
 * An arena: the memory of one message, freed as a whole.
 *
 * The idea: small pieces are cut from the front of a chunk, the first of which lies inside the
 * arena's owner, so that a small call allocates nothing. A piece of over 1 KiB is a block of its
 * own and can be freed by itself: protobuf-c frees large temporaries while it unpacks.
 *
 * An arena has a cap, counted with what alignment and rounding add, and answers NULL beyond it.
 */
#ifndef VOW_BASE_ARENA_H
#define VOW_BASE_ARENA_H

#include "runtime/base/blocks.h"
#include "runtime/base/list.h"

#include <protobuf-c/protobuf-c.h>

#define VOW_ARENA_ALIGNMENT 16
#define VOW_ARENA_CHUNK 4096 /* small pieces are cut from chunks of this size */
#define VOW_ARENA_SMALL 1024 /* larger ones are blocks of their own */

typedef struct vow_arena_adopted vow_arena_adopted;

typedef struct vow_arena {
    uint8_t    *next; /* free bytes of the present chunk */
    uint8_t    *end;
    vow_list    pieces; /* chunks and blocks beyond the first */
    vow_blocks *blocks; /* lent */
    size_t      used;   /* bytes in pieces, and adopted */
    size_t      cap;
    vow_arena_adopted *adopted;
} vow_arena;

/* `first` is `size` bytes, aligned to VOW_ARENA_ALIGNMENT, and lent as long as the arena lives. */
void vow_arena_init(vow_arena *arena, void *first, size_t size, vow_blocks *blocks, size_t cap);
void vow_arena_done(vow_arena *arena);

/* Begins anew where it began. False: it has taken more memory than its first, and must be ended. */
static inline bool vow_arena_rewind(vow_arena *arena, void *first)
{
    if (arena->adopted || !vow_list_empty(&arena->pieces))
        return false;
    arena->next = first;
    return true;
}

/* Gives `size` bytes, aligned, that live as long as the arena, or NULL. */
void *vow_arena_alloc(vow_arena *arena, size_t size);

/* The same, inline where the chunk has room: for hot places, whose sizes are bounded. */
static inline void *vow_arena_cut(vow_arena *arena, size_t size)
{
    size_t rounded = (size + VOW_ARENA_ALIGNMENT - 1) & ~(size_t)(VOW_ARENA_ALIGNMENT - 1);
    void  *memory = arena->next;

    if (rounded > VOW_ARENA_SMALL || (size_t)(arena->end - arena->next) < rounded)
        return vow_arena_alloc(arena, size);
    arena->next += rounded;
    return memory;
}

/* Gives the memory of a large piece back before the arena ends; small ones stay. */
void vow_arena_free(vow_arena *arena, void *memory);

/* Where the next small piece will lie: what is written to its *size bytes first may be allocated afterwards. */
uint8_t *vow_arena_rest(const vow_arena *arena, size_t *size);

/* A place in an arena, and the way back to it: what was allocated behind it is given back. */
typedef struct vow_arena_mark {
    uint8_t  *next;
    uint8_t  *end;
    vow_link *last; /* of the pieces */
} vow_arena_mark;

vow_arena_mark vow_arena_here(const vow_arena *arena);
void           vow_arena_go_back(vow_arena *arena, vow_arena_mark mark);

/* Takes a block of the same vow_blocks, which then lives as long as the arena. False: it does not, and is not taken:
 * there is no memory, or the cap would be passed. */
bool vow_arena_adopt(vow_arena *arena, void *block, size_t size);

/* protobuf-c's view of an arena. */
ProtobufCAllocator vow_arena_allocator(vow_arena *arena);

#endif
