/*
 * The bare echo's frames, and the one buffer of a connection that they are read into.
 *
 *     uint32 size of what follows | uint64 number | payload          (little-endian)
 *
 * The idea: frames are parsed where read(2) put them, and handled where they lie. The buffer always has
 * room for the whole of the frame that has begun, so that a large one is read to its end in one piece;
 * what is left behind the last whole frame moves to the front. Nothing is allocated for a message.
 *
 * Each frame's number must be one more than the last one's, on both sides.
 */
#ifndef BENCH_FLOOR_FRAMES_H
#define BENCH_FLOOR_FRAMES_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <uv.h>

#define BENCH_FRAME_SIZE_SIZE 4
#define BENCH_FRAME_NUMBER_SIZE 8
#define BENCH_FRAME_HEADER_SIZE (BENCH_FRAME_SIZE_SIZE + BENCH_FRAME_NUMBER_SIZE)
#define BENCH_FRAME_PAYLOAD_MOST ((size_t)16 << 20)
#define BENCH_FRAME_ANY_SIZE SIZE_MAX

typedef struct bench_frames {
    char    *data;
    size_t   capacity;
    size_t   used;    /* bytes that have been read */
    size_t   whole;   /* of them, bytes of whole frames, at the front */
    size_t   payload; /* bytes that every frame must carry, or BENCH_FRAME_ANY_SIZE */
    size_t   last;    /* where the last of the whole frames begins */
    uint64_t next_number;
} bench_frames;

void bench_frames_init(bench_frames *frames, size_t payload);
void bench_frames_done(bench_frames *frames);

/* Where to read to. */
uv_buf_t bench_frames_room(const bench_frames *frames);

/* `size` more bytes have been read: checks the frames that are whole now, and gives their count. */
size_t bench_frames_extend(bench_frames *frames, size_t size);

/* The whole frames have been dealt with. */
void bench_frames_discard_whole(bench_frames *frames);

/* The fields of a header, at the first byte of a frame. */

static inline size_t bench_frame_payload(const char *frame)
{
    uint32_t size_le;

    memcpy(&size_le, frame, sizeof size_le);
    /* Of a size that is too small even for the number, this becomes a very large one. */
    return le32toh(size_le) - (uint32_t)BENCH_FRAME_NUMBER_SIZE;
}

static inline uint64_t bench_frame_number(const char *frame)
{
    uint64_t number_le;

    memcpy(&number_le, frame + BENCH_FRAME_SIZE_SIZE, sizeof number_le);
    return le64toh(number_le);
}

static inline void bench_frame_set_payload(char *frame, size_t payload)
{
    uint32_t size_le = htole32((uint32_t)(payload + BENCH_FRAME_NUMBER_SIZE));

    memcpy(frame, &size_le, sizeof size_le);
}

static inline void bench_frame_set_number(char *frame, uint64_t number)
{
    uint64_t number_le = htole64(number);

    memcpy(frame + BENCH_FRAME_SIZE_SIZE, &number_le, sizeof number_le);
}

/* The payload of the last whole frame, once bench_frames_extend has found one. */
static inline size_t bench_frames_last_payload(const bench_frames *frames)
{
    return bench_frame_payload(frames->data + frames->last);
}

#endif
