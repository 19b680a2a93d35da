#include "runtime/base/blocks.h"

#include "runtime/base/memory.h"
#include "runtime/base/sanitizer.h"

#include <assert.h>

#define SMALLEST ((size_t)64)

struct vow_block_free {
    struct vow_block_free *next;
};

void vow_blocks_init(vow_blocks *blocks)
{
    *blocks = (vow_blocks){ .kept_bytes = 0 };
}

/* Class 4k + s holds blocks of 2^(6+k) * (1 + s/4) bytes. */
static size_t class_size(unsigned class)
{
    return (SMALLEST << (class / 4)) / 4 * (4 + class % 4);
}

/* The highest bit of size - 1 tells the doublings, the two below it the quarters that are passed. */
static unsigned class_of(size_t size)
{
    uint64_t last = (uint64_t)size - 1;
    unsigned highest;

    if (size <= SMALLEST)
        return 0;
    if (size > class_size(VOW_BLOCKS_CLASSES - 1))
        return VOW_BLOCKS_CLASSES;
    highest = 63 - (unsigned)__builtin_clzll(last);
    return (highest - 6) * 4 + (unsigned)(last >> (highest - 2) & 3) + 1;
}

static struct vow_block_free *class_shift(vow_blocks *blocks, unsigned class)
{
    struct vow_block_free *block = blocks->free[class];

    VOW_UNPOISON(block, class_size(class));
    blocks->free[class] = block->next;
    blocks->kept_bytes -= class_size(class);
    return block;
}

void vow_blocks_done(vow_blocks *blocks)
{
    assert(blocks->live == 0);
    for (unsigned class = 0; class < VOW_BLOCKS_CLASSES; class ++) {
        while (blocks->free[class])
            vow_free(class_shift(blocks, class));
    }
}

void *vow_blocks_take(vow_blocks *blocks, size_t *size)
{
    unsigned class = class_of(*size);
    void    *block;

    if (class < VOW_BLOCKS_CLASSES)
        *size = class_size(class);
    if (class < VOW_BLOCKS_CLASSES && blocks->free[class])
        block = class_shift(blocks, class);
    else
        block = vow_alloc(*size);
    if (block)
        blocks->live++;
    return block;
}

void vow_blocks_give(vow_blocks *blocks, void *memory, size_t size)
{
    unsigned               class = class_of(size);
    struct vow_block_free *block = memory;

    if (!memory)
        return;
    assert(blocks->live > 0);
    blocks->live--;
    if (class == VOW_BLOCKS_CLASSES || blocks->kept_bytes + size > VOW_BLOCKS_KEPT) {
        vow_free(memory);
        return;
    }
    assert(class_size(class) == size);
    block->next = blocks->free[class];
    blocks->free[class] = block;
    blocks->kept_bytes += size;
    VOW_POISON(memory, size);
}
