/* Compressed messages from a peer: none becomes more than it may, and what vow compresses comes back as it was. */
#include "runtime/protocol/grpc/compress.h"

#include <vow/loop.h>

#include <stdlib.h>
#include <string.h>

#define SIZE_LIMIT ((size_t)200000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void inflate_once(vow_session *session, const uint8_t *data, size_t size)
{
    vow_buffer inflated = { NULL, 0, 0 };
    vow_status status;
    size_t     most = size * VOW_INFLATE_RATIO > VOW_INFLATE_FREE ? size * VOW_INFLATE_RATIO : VOW_INFLATE_FREE;

    if (!vow_grpc_inflate(session, data, size, &inflated, &status)) {
        if (status.code != VOW_INTERNAL && status.code != VOW_RESOURCE_EXHAUSTED)
            abort();
        vow_status_done(&status);
    } else if (inflated.size > SIZE_LIMIT || inflated.size > most) {
        abort();
    }
    vow_buffer_give(session, &inflated);
    if (session->held_bytes != 0)
        abort();
}

static void compress_and_back(vow_session *session, const uint8_t *data, size_t size)
{
    uint8_t   *compressed = malloc(size + 1);
    size_t     compressed_size = compressed ? vow_grpc_deflate(session->loop, compressed, data, size) : 0;
    vow_buffer inflated = { NULL, 0, 0 };
    vow_status status;

    if (compressed_size && (compressed_size >= size ||
                            !vow_grpc_inflate(session, compressed, compressed_size, &inflated, &status) ||
                            inflated.size != size || memcmp(inflated.data, data, size) != 0))
        abort();
    vow_buffer_give(session, &inflated);
    free(compressed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static vow_session session;

    if (!session.loop)
        session = (vow_session){
            .loop = vow_loop_simulated(1),
            .options = { .max_message_size = SIZE_LIMIT, .max_inflate_ratio = VOW_INFLATE_RATIO },
        };
    inflate_once(&session, data, size);
    if (size <= SIZE_LIMIT)
        compress_and_back(&session, data, size);
    return 0;
}
