/*
 * Blocks: buffers of any size that are used again.
 *
 * The idea: sizes are rounded up to classes a quarter of a power of two apart, each with a free
 * list. A message of 1 MiB then reuses memory whose pages are there already: fresh ones from the
 * system cost a page fault every 4 KiB, at every message.
 *
 * On the loop's thread only. At most VOW_BLOCKS_KEPT bytes wait in the lists; the rest goes back.
 */
#ifndef VOW_BASE_BLOCKS_H
#define VOW_BASE_BLOCKS_H

#include <stddef.h>
#include <stdint.h>

#define VOW_BLOCKS_KEPT ((size_t)16 << 20)
#define VOW_BLOCKS_CLASSES 77 /* 64 bytes to 32 MiB; larger ones are never kept */

struct vow_block_free;

typedef struct vow_blocks {
    struct vow_block_free *free[VOW_BLOCKS_CLASSES];
    size_t                 kept_bytes;
    size_t                 live; /* blocks that are out */
} vow_blocks;

void vow_blocks_init(vow_blocks *blocks);

/* Frees what is kept; none may be out. */
void vow_blocks_done(vow_blocks *blocks);

/* Gives at least *size bytes (vow_blocks_give) and sets *size to what they are, or NULL. */
void *vow_blocks_take(vow_blocks *blocks, size_t *size);

/* `size` is what vow_blocks_take set. */
void vow_blocks_give(vow_blocks *blocks, void *block, size_t size);

#endif
