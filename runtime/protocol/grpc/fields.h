/*
 * The fields of one header block, as they come.
 *
 * The idea: HTTP/2 never interleaves header blocks, so a session has one of these and uses it again. What
 * gRPC knows by name is read at once; the rest is metadata, kept in one growing buffer and counted against
 * the limits. A field that is wrong does not end the block, since the tables of HPACK must stay in step; the
 * first fault is kept.
 *
 * Source  gRPC, "gRPC over HTTP2"; RFC 9113, section 8.
 */
#ifndef VOW_PROTOCOL_GRPC_FIELDS_H
#define VOW_PROTOCOL_GRPC_FIELDS_H

#include "runtime/protocol/held.h"

/* "application/grpc+proto; charset=…": what is longer is none of gRPC's. For messages about it. */
#define VOW_GRPC_CONTENT_TYPE_MAX 64

/* The same of an encoding. */
#define VOW_GRPC_ENCODING_MAX 32

typedef struct vow_grpc_fields {
    vow_session *session; /* whose memory and limits these are */
    vow_status   fault;   /* the first thing that is wrong; OK: nothing */

    uint64_t timeout_ns;  /* of a request; 0: none */
    unsigned http_status; /* of a response; 0: none came */
    unsigned status;      /* grpc-status */
    bool     is_post;
    bool     takes_trailers; /* te: trailers */
    bool     has_status;
    bool     is_grpc;    /* its content type says so */
    bool     is_gzip;    /* grpc-encoding is gzip */
    bool     is_unknown; /* grpc-encoding is none that is known here, and stands in `encoding` */
    bool     takes_gzip; /* grpc-accept-encoding has it */

    uint8_t   *text; /* metadata, in a block; NULL: none yet */
    size_t     text_room;
    size_t     text_size;
    vow_buffer message; /* grpc-message */
    vow_buffer details; /* grpc-status-details-bin */
    size_t     charged; /* of metadata: names, values, and a charge for each */
    size_t     whole;   /* the same of all fields */
    size_t     count;

    char path[VOW_METHOD_NAME_MAX + 2]; /* of a request: "/package.Service/Method" */
    char content_type[VOW_GRPC_CONTENT_TYPE_MAX + 1];
    char encoding[VOW_GRPC_ENCODING_MAX + 1];
} vow_grpc_fields;

void vow_grpc_fields_init(vow_grpc_fields *fields, vow_session *session);

/* Before each block, and at the end: gives back what the last one took. */
void vow_grpc_fields_clear(vow_grpc_fields *fields);

/* False: the block is so much too large that the rest is not worth a look. */
bool vow_grpc_fields_add(vow_grpc_fields *fields, const uint8_t *name, size_t name_size, const uint8_t *value,
                         size_t value_size);

/* The metadata in a block of the session's; it points into the fields. NULL and VOW_OK: there is none. */
vow_code vow_grpc_fields_metadata(const vow_grpc_fields *fields, vow_metadata **metadata, size_t *block_size);

#endif
