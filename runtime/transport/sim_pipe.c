#include "runtime/transport/sim_pipe.h"

#include <assert.h>
#include <string.h>

void vow_pipe_init(vow_pipe *pipe, vow_pool *rings)
{
    *pipe = (vow_pipe){ .rings = rings, .end_due_ns = VOW_PIPE_NEVER };
}

void vow_pipe_done(vow_pipe *pipe)
{
    if (pipe->ring)
        vow_pool_give(pipe->rings, pipe->ring);
    pipe->ring = NULL;
    pipe->size = 0;
    pipe->arrived = 0;
    pipe->mark_count = 0;
}

static uint64_t pipe_in_order(vow_pipe *pipe, uint64_t due_ns)
{
    if (due_ns > pipe->last_due_ns)
        pipe->last_due_ns = due_ns;
    return pipe->last_due_ns;
}

bool vow_pipe_put(vow_pipe *pipe, const uint8_t *data, size_t size, uint64_t due_ns)
{
    size_t place;
    size_t before_wrap;

    assert(size <= vow_pipe_room(pipe));
    if (!pipe->ring)
        pipe->ring = vow_pool_take(pipe->rings);
    if (!pipe->ring)
        return false;
    place = (pipe->first + pipe->size) % VOW_PIPE_BYTES;
    before_wrap = VOW_PIPE_BYTES - place < size ? VOW_PIPE_BYTES - place : size;
    memcpy(pipe->ring + place, data, before_wrap);
    memcpy(pipe->ring, data + before_wrap, size - before_wrap);
    pipe->size += size;
    place = (pipe->first_mark + pipe->mark_count++) % VOW_PIPE_MARKS;
    pipe->marks[place] = (vow_pipe_mark){ .due_ns = pipe_in_order(pipe, due_ns), .size = size };
    return true;
}

void vow_pipe_end(vow_pipe *pipe, uint64_t due_ns)
{
    pipe->end_due_ns = pipe_in_order(pipe, due_ns);
}

void vow_pipe_arrive(vow_pipe *pipe, uint64_t now_ns)
{
    while (pipe->mark_count > 0 && pipe->marks[pipe->first_mark].due_ns <= now_ns) {
        pipe->arrived += pipe->marks[pipe->first_mark].size;
        pipe->first_mark = (pipe->first_mark + 1) % VOW_PIPE_MARKS;
        pipe->mark_count--;
    }
}

uint64_t vow_pipe_next_ns(const vow_pipe *pipe, uint64_t now_ns)
{
    if (pipe->arrived > 0)
        return now_ns;
    return pipe->mark_count > 0 ? pipe->marks[pipe->first_mark].due_ns : pipe->end_due_ns;
}

bool vow_pipe_has_ended(const vow_pipe *pipe, uint64_t now_ns)
{
    return pipe->size == 0 && pipe->end_due_ns <= now_ns;
}

void vow_pipe_take(vow_pipe *pipe, uint8_t *data, size_t size)
{
    size_t before_wrap = VOW_PIPE_BYTES - pipe->first < size ? VOW_PIPE_BYTES - pipe->first : size;

    assert(size <= pipe->arrived);
    if (data && size > 0) {
        memcpy(data, pipe->ring + pipe->first, before_wrap);
        memcpy(data + before_wrap, pipe->ring, size - before_wrap);
    }
    pipe->first = (pipe->first + size) % VOW_PIPE_BYTES;
    pipe->size -= size;
    pipe->arrived -= size;
    if (pipe->size == 0 && pipe->ring) {
        vow_pool_give(pipe->rings, pipe->ring);
        pipe->ring = NULL;
        pipe->first = 0;
    }
}
