#include "frames.h"

#include "measure/fail.h"

#include <inttypes.h>
#include <stdlib.h>

/* A read of 64 KiB takes more than a thousand small frames. (Smaller ones let the two sides work at once:
 * with 1,000 outstanding, 16 KiB gave 1.05 to 1.2 times the calls a second, for 1.5 times the processor
 * time.)
 *
 * Frames that don't fit get a buffer for several of them: at 64 KiB of payload and 4 outstanding, 512 KiB
 * were 1.1 times as fast as one frame's size, for one read and one write then often serve all four. At 1 MiB
 * nothing made a difference, since copying in the kernel is nearly all: reading a frame to its exact end,
 * reading on into a second buffer while the first is written, one payload shared by all requests. */
#define SMALL_CAPACITY (64u << 10)
#define LARGE_CAPACITY (512u << 10)

void bench_frames_init(bench_frames *frames, size_t payload)
{
    *frames = (bench_frames){
        .data = bench_alloc(SMALL_CAPACITY, 1),
        .capacity = SMALL_CAPACITY,
        .payload = payload,
    };
}

void bench_frames_done(bench_frames *frames)
{
    free(frames->data);
}

uv_buf_t bench_frames_room(const bench_frames *frames)
{
    return uv_buf_init(frames->data + frames->used, (unsigned)(frames->capacity - frames->used));
}

/* Once per connection and size, not per message: the buffer stays as large as it has become. */
static void frames_make_room(bench_frames *frames, size_t frame_size)
{
    size_t capacity = frame_size > LARGE_CAPACITY ? frame_size : LARGE_CAPACITY;
    char  *larger;

    if (frame_size <= frames->capacity)
        return;
    larger = bench_alloc(capacity, 1);
    memcpy(larger, frames->data, frames->used);
    free(frames->data);
    frames->data = larger;
    frames->capacity = capacity;
}

/* The loop keeps what it works with in locals: at 20 million frames a second, each store counts. */
size_t bench_frames_extend(bench_frames *frames, size_t size)
{
    const uint64_t first = frames->next_number;
    const size_t   used = frames->used += size;
    const size_t   due = frames->payload;
    size_t         whole = frames->whole;
    size_t         last = whole;
    uint64_t       number = first;

    while (used - whole >= BENCH_FRAME_HEADER_SIZE) {
        const char *frame = frames->data + whole;
        size_t      payload = bench_frame_payload(frame);

        if (payload > BENCH_FRAME_PAYLOAD_MOST || (due != BENCH_FRAME_ANY_SIZE && payload != due))
            bench_fail("the peer sent %zu bytes of payload where %zu were due", payload, due);
        if (used - whole < BENCH_FRAME_HEADER_SIZE + payload) {
            frames_make_room(frames, BENCH_FRAME_HEADER_SIZE + payload);
            break;
        }
        if (bench_frame_number(frame) != number)
            bench_fail("the peer sent frame %" PRIu64 " where %" PRIu64 " was due", bench_frame_number(frame),
                       number);
        number++;
        last = whole;
        whole += BENCH_FRAME_HEADER_SIZE + payload;
    }
    frames->whole = whole;
    frames->last = last;
    frames->next_number = number;
    return (size_t)(number - first);
}

void bench_frames_discard_whole(bench_frames *frames)
{
    size_t rest = frames->used - frames->whole;

    if (rest > 0 && frames->whole > 0)
        memmove(frames->data, frames->data + frames->whole, rest);
    frames->used = rest;
    frames->whole = 0;
}
