/*
 * One direction of a simulated connection: the bytes that were sent and not read yet.
 *
 * The idea: a ring, and marks that say when its bytes arrive. Sender's buffer, wire and reader's buffer
 * are one: a reader that stops fills it, and then the sender waits.
 *
 *     ring   [ arrived: may be read | mark 0 | mark 1 | ... |  room ]
 *
 * Knows no clock: the moments are handed in. The ring's memory is held while there are bytes in it.
 */
#ifndef VOW_TRANSPORT_SIM_PIPE_H
#define VOW_TRANSPORT_SIM_PIPE_H

#include "runtime/base/pool.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VOW_PIPE_BYTES ((size_t)64 << 10)
#define VOW_PIPE_MARKS 32
#define VOW_PIPE_NEVER UINT64_MAX

typedef struct vow_pipe_mark {
    uint64_t due_ns;
    size_t   size;
} vow_pipe_mark;

typedef struct vow_pipe {
    uint8_t      *ring;    /* NULL: nothing in it */
    vow_pool     *rings;   /* lent */
    size_t        first;   /* where the oldest byte is */
    size_t        size;    /* of all bytes in it */
    size_t        arrived; /* of those that may be read */
    vow_pipe_mark marks[VOW_PIPE_MARKS];
    unsigned      first_mark;
    unsigned      mark_count;
    uint64_t      last_due_ns; /* nothing arrives before what was sent earlier */
    uint64_t      end_due_ns;  /* when the reader may know that no more is sent; VOW_PIPE_NEVER: not ended */
} vow_pipe;

/* `rings` holds objects of VOW_PIPE_BYTES. */
void vow_pipe_init(vow_pipe *pipe, vow_pool *rings);
void vow_pipe_done(vow_pipe *pipe);

/* For how many bytes there is room; none while all marks are in use. */
static inline size_t vow_pipe_room(const vow_pipe *pipe)
{
    return pipe->mark_count < VOW_PIPE_MARKS ? VOW_PIPE_BYTES - pipe->size : 0;
}

/* Puts `size` bytes in, no more than there is room for, to arrive at `due_ns` or later. False: no memory. */
bool vow_pipe_put(vow_pipe *pipe, const uint8_t *data, size_t size, uint64_t due_ns);

/* No more is put in; the reader may know once all has arrived, and at `due_ns` or later. */
void vow_pipe_end(vow_pipe *pipe, uint64_t due_ns);

/* Lets arrive what is due. */
void vow_pipe_arrive(vow_pipe *pipe, uint64_t now_ns);

/* When something arrives next, the end included; now_ns when something has. */
uint64_t vow_pipe_next_ns(const vow_pipe *pipe, uint64_t now_ns);

/* Has everything been read, and is the end due? */
bool vow_pipe_has_ended(const vow_pipe *pipe, uint64_t now_ns);

/* Takes `size` bytes out, no more than have arrived; `data` NULL discards them. */
void vow_pipe_take(vow_pipe *pipe, uint8_t *data, size_t size);

#endif
