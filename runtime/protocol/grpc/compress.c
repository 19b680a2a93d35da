#include "runtime/protocol/grpc/compress.h"

#include "runtime/base/memory.h"
#include "runtime/loop/loop.h"

#include <string.h>
#include <zlib.h>

/* Around the compressed data: RFC 1952, section 2.3. */
#define HEAD 10
#define TAIL 8

/* windowBits of zlib: 9 to 15, and 16 more for a head and a tail of gzip. */
#define WINDOW_MIN 9
#define WINDOW_MAX 15
#define WITH_GZIP 16

/* An empty block that is stored: RFC 1951, section 3.2.4. Its first byte says whether it is the last. */
#define EMPTY_BLOCK 5

static void *zlib_alloc(void *opaque, unsigned count, unsigned size)
{
    (void)opaque;
    return vow_alloc((size_t)count * size);
}

static void zlib_free(void *opaque, void *memory)
{
    (void)opaque;
    vow_free(memory);
}

/* States of zlib, kept from one message to the next */

typedef struct codec {
    z_stream inflating;
    z_stream deflating;
    bool     inflates;     /* the state is there */
    int      deflate_bits; /* of the window of the other; 0: it is not there */
} codec;

static void codec_free(void *memory)
{
    codec *codec = memory;

    inflateEnd(&codec->inflating); /* does nothing to one that is not there */
    deflateEnd(&codec->deflating);
    vow_free(codec);
}

/* NULL: no memory. */
static codec *codec_of(vow_loop *loop)
{
    codec *codec = loop->codec;

    if (codec)
        return codec;
    codec = vow_alloc_zeroed(sizeof *codec);
    if (!codec)
        return NULL;
    codec->inflating = codec->deflating = (z_stream){ .zalloc = zlib_alloc, .zfree = zlib_free };
    loop->codec = codec;
    loop->codec_free = codec_free;
    return codec;
}

/* Ready for a message. NULL: no memory. */
static z_stream *codec_inflates(vow_loop *loop)
{
    codec *codec = codec_of(loop);

    if (codec && codec->inflates)
        return inflateReset(&codec->inflating) == Z_OK ? &codec->inflating : NULL;
    if (!codec || inflateInit2(&codec->inflating, WINDOW_MAX + WITH_GZIP) != Z_OK)
        return NULL;
    codec->inflates = true;
    return &codec->inflating;
}

/* A window that the data does not fill would only cost memory, and time to clear it. */
static int window_for(size_t size)
{
    int bits = WINDOW_MIN;

    while (bits < WINDOW_MAX && (size_t)1 << bits < size)
        bits++;
    return bits;
}

/* The same for one of this size. Messages are often as large as the one before. */
static z_stream *codec_deflates(vow_loop *loop, size_t size)
{
    codec *codec = codec_of(loop);
    int    bits = window_for(size);

    if (codec && codec->deflate_bits == bits)
        return deflateReset(&codec->deflating) == Z_OK ? &codec->deflating : NULL;
    if (!codec)
        return NULL;
    if (codec->deflate_bits)
        deflateEnd(&codec->deflating);
    codec->deflate_bits = 0;
    if (deflateInit2(&codec->deflating, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -bits, bits < 8 ? bits : 8,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        return NULL;
    codec->deflate_bits = bits;
    return &codec->deflating;
}

/* Compressing */

static uint8_t *write_32(uint8_t *at, uint32_t number)
{
    for (int i = 0; i < 4; i++)
        *at++ = (uint8_t)(number >> 8 * i);
    return at;
}

static uint8_t *write_empty_block(uint8_t *at, bool is_last)
{
    const uint8_t block[EMPTY_BLOCK] = { is_last, 0, 0, 0xff, 0xff };

    memcpy(at, block, sizeof block);
    return at + sizeof block;
}

/* Compresses all of `data` into blocks that end with a byte, and are not the last. 0: no memory, or no room.
 */
static size_t deflate_blocks(vow_loop *loop, uint8_t *to, size_t room, const uint8_t *data, size_t size)
{
    z_stream *zlib = codec_deflates(loop, size);

    if (!zlib)
        return 0;
    zlib->next_in = (Bytef *)(uintptr_t)data;
    zlib->avail_in = (uInt)size;
    zlib->next_out = to;
    zlib->avail_out = (uInt)room;
    if (deflate(zlib, Z_SYNC_FLUSH) != Z_OK || zlib->avail_in > 0 || zlib->avail_out == 0)
        return 0;
    return room - zlib->avail_out;
}

size_t vow_grpc_deflate(vow_loop *loop, uint8_t *to, const uint8_t *data, size_t size)
{
    static const uint8_t head[HEAD] = { 0x1f, 0x8b, Z_DEFLATED, [9] = 0xff };
    size_t               around = HEAD + EMPTY_BLOCK + TAIL + 1;
    size_t               least = size > VOW_INFLATE_FREE ? size / VOW_INFLATE_RATIO + 1 : 0;
    size_t               used;
    uint8_t             *at = to + HEAD;

    if (size <= around || size > UINT32_MAX)
        return 0;
    used = deflate_blocks(loop, at, size - around, data, size);
    if (used == 0)
        return 0;
    memcpy(to, head, HEAD);
    at += used;
    while ((size_t)(at - to) < least)
        at = write_empty_block(at, false);
    at = write_empty_block(at, true);
    at = write_32(at, (uint32_t)crc32(0, data, (uInt)size));
    at = write_32(at, (uint32_t)size);
    return (size_t)(at - to);
}

/* Inflating */

/* What a message may become, by its own size and by what any may have. */
static size_t inflate_limit(const vow_session_options *options, size_t size)
{
    size_t ratio = options->max_inflate_ratio;
    size_t by_ratio = size > SIZE_MAX / ratio ? SIZE_MAX : size * ratio;

    if (by_ratio < VOW_INFLATE_FREE)
        by_ratio = VOW_INFLATE_FREE;
    return by_ratio < options->max_message_size ? by_ratio : options->max_message_size;
}

static vow_status too_large(const vow_session_options *options, size_t size, size_t limit)
{
    if (limit == options->max_message_size)
        return vow_status_make(VOW_RESOURCE_EXHAUSTED,
                               "a compressed message of %zu bytes becomes more than %zu (max_message_size)",
                               size, limit);
    return vow_status_make(
        VOW_RESOURCE_EXHAUSTED,
        "a compressed message of %zu bytes becomes more than %zu times as large (max_inflate_ratio)", size,
        options->max_inflate_ratio);
}

/* The last four bytes say what it becomes, or lie; what is too short for a tail says nothing. One more than
 * that shows that it goes on. */
static size_t first_room(const uint8_t *data, size_t size, size_t limit)
{
    size_t said = 0;

    for (size_t i = 0; i < 4 && size >= HEAD + TAIL; i++)
        said |= (size_t)data[size - 4 + i] << 8 * i;
    return said < limit ? said + 1 : limit + 1;
}

/* Goes on until all has come, or more than `limit`. Gives what zlib said last; Z_MEM_ERROR: no room either.
 */
static int inflate_all(vow_session *session, z_stream *zlib, vow_buffer *inflated, size_t room, size_t limit)
{
    int result = Z_OK;

    while (result == Z_OK && inflated->size <= limit) {
        uint8_t *at = vow_buffer_make_room(session, inflated, room, 0);

        if (!at)
            return Z_MEM_ERROR;
        zlib->next_out = at;
        zlib->avail_out = (uInt)room;
        result = inflate(zlib, Z_NO_FLUSH);
        inflated->size += room - zlib->avail_out;
        if (result == Z_OK && zlib->avail_out > 0)
            return Z_BUF_ERROR; /* it is cut off */
        room = inflated->size < limit ? limit - inflated->size + 1 : 1;
        room = room < inflated->size + VOW_INFLATE_FREE ? room : inflated->size + VOW_INFLATE_FREE;
    }
    return result;
}

bool vow_grpc_inflate(vow_session *session, const uint8_t *data, size_t size, vow_buffer *inflated,
                      vow_status *status)
{
    const vow_session_options *options = &session->options;
    size_t                     limit = inflate_limit(options, size);
    z_stream                  *zlib = codec_inflates(session->loop);
    int                        result = Z_MEM_ERROR;

    if (zlib) {
        zlib->next_in = (Bytef *)(uintptr_t)data;
        zlib->avail_in = (uInt)size;
        result = inflate_all(session, zlib, inflated, first_room(data, size, limit), limit);
    }
    if (result == Z_STREAM_END && zlib->avail_in == 0 && inflated->size <= limit)
        return true;
    if (inflated->size > limit)
        *status = too_large(options, size, limit);
    else if (result == Z_MEM_ERROR)
        *status =
            vow_status_make(VOW_RESOURCE_EXHAUSTED, "no memory to inflate a message of %zu bytes", size);
    else
        *status = vow_status_make(VOW_INTERNAL,
                                  "a message of %zu bytes is compressed with gzip, and damaged: %s", size,
                                  result == Z_STREAM_END ? "something follows its end"
                                  : zlib->msg            ? zlib->msg
                                                         : "it is cut off");
    vow_buffer_give(session, inflated);
    return false;
}
