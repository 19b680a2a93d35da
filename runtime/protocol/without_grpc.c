/* Stands in for gRPC in a build without nghttp2: says what is missing. */
#include "runtime/protocol/protocol.h"

static bool claims_nothing(const uint8_t *first, size_t size, bool *need_more)
{
    (void)first;
    (void)size;
    *need_more = false;
    return false;
}

const vow_protocol vow_protocol_grpc = {
    .name = "gRPC",
    .lacks = "libnghttp2 (the option VOW_GRPC)",
    .claims = claims_nothing,
};
