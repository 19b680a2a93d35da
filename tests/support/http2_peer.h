/*
 * A peer that says what it likes in HTTP/2: raw_peer.h and sim_peer.h, with frames of HTTP/2 and blocks of
 * HPACK.
 *
 * The idea: a test adds frames, right or wrong, to what is sent next; what comes back is read frame by frame,
 * its header blocks as lines of "name: value". Where the world is simulated, so is the peer.
 */
#ifndef VOW_TESTS_HTTP2_PEER_H
#define VOW_TESTS_HTTP2_PEER_H

#include "tests/support/setups.h"
#include "tests/support/sim_peer.h"

#include <nghttp2/nghttp2.h>

typedef struct http2_peer {
    world               *world;
    raw_peer            *raw; /* one of these */
    sim_peer            *sim;
    nghttp2_hd_deflater *deflater;
    nghttp2_hd_inflater *inflater;
    writer               out;
    size_t               at; /* of the frame that comes next in what came */
} http2_peer;

typedef struct http2_frame {
    uint8_t        type;
    uint8_t        flags;
    uint32_t       stream;
    const uint8_t *payload; /* until more comes */
    size_t         size;
    char           fields[4096]; /* of HEADERS: "name: value\n" each */
} http2_frame;

/* Name and value in turn, and NULL. */
typedef const char *const http2_fields[];

/* Connects to the world's server and says hello in HTTP/2, or only connects. */
http2_peer *http2_connect(world *world);
http2_peer *http2_connect_silent(world *world);

/* A peer that has connected to a raw or simulated listener; says SETTINGS. */
http2_peer *http2_of_raw(raw_peer *raw);
void        http2_free(http2_peer *peer);

/* Frames that leave with http2_send. */
void http2_add(http2_peer *peer, uint8_t type, uint8_t flags, uint32_t stream, const void *payload,
               size_t size);
void http2_add_hello(http2_peer *peer);
void http2_add_fields(http2_peer *peer, uint32_t stream, uint8_t flags, const char *const *fields);
void http2_add_number(http2_peer *peer, uint8_t type, uint32_t stream, uint32_t number);

/* A whole request header of calls.Calls/METHOD; and a Text in a message. */
void http2_add_request(http2_peer *peer, uint32_t stream, const char *method);
void http2_add_text(http2_peer *peer, uint32_t stream, uint8_t flags, const char *text);

/* The block of HPACK alone. */
void http2_write_block(http2_peer *peer, writer *block, const char *const *fields);

void http2_send(http2_peer *peer);

/* Lets a little time pass. */
void http2_turn(http2_peer *peer);
bool http2_has_ended(const http2_peer *peer);

/* The next frame, if it has come whole. */
bool http2_take(http2_peer *peer, http2_frame *frame);

/* Runs until a frame of `type` comes for `stream`; what comes before is dropped. False: the connection ended.
 */
bool http2_next(http2_peer *peer, uint8_t type, uint32_t stream, http2_frame *frame);

/* The connection ends with a GOAWAY of `error`, whose text has `says` in it. */
void http2_assert_told(http2_peer *peer, const char *name, uint32_t error, const char *says);

/* The stream ends with trailers of `code`, whose grpc-message has `says` in it. */
void http2_assert_status(http2_peer *peer, const char *name, uint32_t stream, int code, const char *says);

/* The stream is reset with `error`. */
void http2_assert_reset(http2_peer *peer, const char *name, uint32_t stream, uint32_t error);

/* Set-ups of tests on hostile peers: a world of gRPC whose server waits 2 s, and takes 100 calls of a
 * connection. */
int http2_open_simulated(void **state);
int http2_open_tcp(void **state);

#define HTTP2_SIMULATED(test) cmocka_unit_test_setup_teardown(test, http2_open_simulated, world_close)
#define HTTP2_EVERYWHERE(test)                                                                               \
    { #test " (simulated)", test, http2_open_simulated, world_close, NULL },                                 \
    {                                                                                                        \
#test " (tcp)", test, http2_open_tcp, world_close, NULL                                              \
    }

#endif
