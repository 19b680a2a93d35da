/* Stands in for gRPC in a build without nghttp2: says what is missing, to programs and to peers. */
#include "runtime/protocol/protocol.h"

#include <string.h>

/* RFC 9113, section 3.4: what a client begins with. */
static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

static bool claims_http2(const uint8_t *first, size_t size, bool *need_more)
{
    size_t whole = sizeof preface - 1;

    *need_more = size < whole && memcmp(first, preface, size) == 0;
    return size >= whole && memcmp(first, preface, whole) == 0;
}

/* Sections 6.5 and 6.8: no settings; no stream was begun, internal error. */
#define REASON "this server was built without gRPC (the option VOW_GRPC)"
static const uint8_t goaway[] = "\0\0\0\4\0\0\0\0\0"
                                "\0\0\x40\7\0\0\0\0\0\0\0\0\0\0\0\0\2" REASON;
_Static_assert(sizeof REASON - 1 + 8 == 0x40, "the GOAWAY's size");

/* There is no session: who came is told why, and that is the end of it. */
static vow_session *refuse(vow_stream *stream, const vow_session_options *options,
                           const vow_session_events *events, void *owner)
{
    const vow_slice slice = { goaway, sizeof goaway - 1 };

    (void)options;
    (void)events;
    (void)owner;
    if (vow_stream_write(stream, &slice, 1))
        vow_stream_finish(stream);
    else
        vow_stream_close(stream);
    return NULL;
}

const vow_protocol vow_protocol_grpc = {
    .name = "gRPC",
    .lacks = "libnghttp2 (the option VOW_GRPC)",
    .claims = claims_http2,
    .open = refuse,
};
