#include "runtime/base/arena.h"

#include "runtime/base/sanitizer.h"

#include <assert.h>
#include <string.h>

/* How many of the newest pieces are searched for one that is freed: protobuf-c frees its temporaries
 * soon, and a message that fails to unpack piece by piece must not cost the square of its pieces. */
#define FREE_SEARCH 32

typedef struct arena_piece {
    vow_link link;
    size_t   size;     /* of the block, this header included */
    size_t   is_large; /* one allocation alone: can be freed by itself */
} arena_piece;

/* A block that came with something in it; this lies in the arena itself. */
struct vow_arena_adopted {
    vow_arena_adopted *next;
    void              *block;
    size_t             size;
};

_Static_assert(sizeof(arena_piece) % VOW_ARENA_ALIGNMENT == 0, "what follows a header is aligned");

void vow_arena_init(vow_arena *arena, void *first, size_t size, vow_blocks *blocks, size_t cap)
{
    assert((uintptr_t)first % VOW_ARENA_ALIGNMENT == 0);
    *arena = (vow_arena){ .next = first, .end = (uint8_t *)first + size, .blocks = blocks, .cap = cap };
    vow_list_init(&arena->pieces);
}

static void piece_free(vow_arena *arena, arena_piece *piece)
{
    vow_link_remove(&piece->link);
    arena->used -= piece->size;
    vow_blocks_give(arena->blocks, piece, piece->size);
}

void vow_arena_done(vow_arena *arena)
{
    vow_link *link;

    for (vow_arena_adopted *adopted = arena->adopted; adopted; adopted = adopted->next) {
        arena->used -= adopted->size;
        vow_blocks_give(arena->blocks, adopted->block, adopted->size);
    }
    arena->adopted = NULL;
    while ((link = vow_list_first(&arena->pieces)))
        piece_free(arena, VOW_OWNER(link, arena_piece, link));
    arena->next = arena->end = NULL;
}

static arena_piece *piece_new(vow_arena *arena, size_t size)
{
    size_t       block_size = sizeof(arena_piece) + size;
    arena_piece *piece;

    if (size > arena->cap || arena->used > arena->cap - size)
        return NULL;
    piece = vow_blocks_take(arena->blocks, &block_size);
    if (!piece)
        return NULL;
    piece->size = block_size;
    vow_list_append(&arena->pieces, &piece->link);
    arena->used += block_size;
    return piece;
}

static void *arena_alloc_large(vow_arena *arena, size_t size)
{
    arena_piece *piece = piece_new(arena, size);

    if (!piece)
        return NULL;
    piece->is_large = true;
    return piece + 1;
}

static bool arena_add_chunk(vow_arena *arena)
{
    arena_piece *piece = piece_new(arena, VOW_ARENA_CHUNK - sizeof(arena_piece));

    if (!piece)
        return false;
    piece->is_large = false;
    arena->next = (uint8_t *)(piece + 1);
    arena->end = (uint8_t *)piece + piece->size;
    return true;
}

void *vow_arena_alloc(vow_arena *arena, size_t size)
{
    size_t rounded = (size + VOW_ARENA_ALIGNMENT - 1) & ~(size_t)(VOW_ARENA_ALIGNMENT - 1);
    void  *memory;

    if (rounded > VOW_ARENA_SMALL || rounded < size)
        return rounded < size ? NULL : arena_alloc_large(arena, rounded);
    if ((size_t)(arena->end - arena->next) < rounded && !arena_add_chunk(arena))
        return NULL;
    memory = arena->next;
    arena->next += rounded;
    return memory;
}

uint8_t *vow_arena_rest(const vow_arena *arena, size_t *size)
{
    size_t left = (size_t)(arena->end - arena->next);

    left -= left % VOW_ARENA_ALIGNMENT; /* pieces are rounded up: the last bytes of an odd memory hold none */
    *size = left < VOW_ARENA_SMALL ? left : VOW_ARENA_SMALL;
    return arena->next;
}

void vow_arena_free(vow_arena *arena, void *memory)
{
    vow_link *link = arena->pieces.head.previous;

    for (size_t i = 0; i < FREE_SEARCH && link != &arena->pieces.head; i++, link = link->previous) {
        arena_piece *piece = VOW_OWNER(link, arena_piece, link);

        if (piece->is_large && memory == piece + 1) {
            piece_free(arena, piece);
            return;
        }
    }
}

vow_arena_mark vow_arena_here(const vow_arena *arena)
{
    return (vow_arena_mark){ arena->next, arena->end, arena->pieces.head.previous };
}

void vow_arena_go_back(vow_arena *arena, vow_arena_mark mark)
{
    while (arena->pieces.head.previous != mark.last)
        piece_free(arena, VOW_OWNER(arena->pieces.head.previous, arena_piece, link));
    arena->next = mark.next;
    arena->end = mark.end;
}

bool vow_arena_adopt(vow_arena *arena, void *block, size_t size)
{
    vow_arena_adopted *adopted;

    if (size > arena->cap || arena->used > arena->cap - size)
        return false;
    adopted = vow_arena_alloc(arena, sizeof *adopted);
    if (!adopted)
        return false;
    *adopted = (vow_arena_adopted){ arena->adopted, block, size };
    arena->adopted = adopted;
    arena->used += size;
    return true;
}

static void *allocator_alloc(void *arena, size_t size)
{
    return vow_arena_alloc(arena, size);
}

static void allocator_free(void *arena, void *memory)
{
    vow_arena_free(arena, memory);
}

ProtobufCAllocator vow_arena_allocator(vow_arena *arena)
{
    return (ProtobufCAllocator){ .alloc = allocator_alloc, .free = allocator_free, .allocator_data = arena };
}
