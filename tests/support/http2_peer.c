#include "tests/support/http2_peer.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD 9
#define FIELDS_MAX 256
#define TURNS_MAX 4000

/* Life */

static http2_peer *peer_new(world *world)
{
    http2_peer *peer = calloc(1, sizeof *peer);

    assert_non_null(peer);
    peer->world = world;
    assert_int_equal(nghttp2_hd_deflate_new(&peer->deflater, 4096), 0);
    assert_int_equal(nghttp2_hd_inflate_new(&peer->inflater), 0);
    return peer;
}

http2_peer *http2_connect_silent(world *world)
{
    http2_peer *peer = peer_new(world);

    if (world->uv)
        peer->raw = raw_connect(world);
    else
        peer->sim = sim_connect_silent(world);
    return peer;
}

http2_peer *http2_connect(world *world)
{
    http2_peer *peer = http2_connect_silent(world);

    http2_add_hello(peer);
    http2_send(peer);
    return peer;
}

http2_peer *http2_of_raw(raw_peer *raw)
{
    http2_peer *peer = peer_new(raw->world);

    peer->raw = raw;
    peer->at = NGHTTP2_CLIENT_MAGIC_LEN;
    http2_add(peer, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
    http2_send(peer);
    return peer;
}

void http2_free(http2_peer *peer)
{
    if (peer->raw)
        raw_free(peer->raw);
    if (peer->sim)
        sim_free(peer->sim);
    nghttp2_hd_deflate_del(peer->deflater);
    nghttp2_hd_inflate_del(peer->inflater);
    writer_done(&peer->out);
    free(peer);
}

/* Writing */

void http2_add(http2_peer *peer, uint8_t type, uint8_t flags, uint32_t stream, const void *payload,
               size_t size)
{
    const uint8_t head[HEAD] = {
        (uint8_t)(size >> 16),   (uint8_t)(size >> 8),    (uint8_t)size,          type,           flags,
        (uint8_t)(stream >> 24), (uint8_t)(stream >> 16), (uint8_t)(stream >> 8), (uint8_t)stream
    };

    writer_add(&peer->out, head, sizeof head);
    if (size)
        writer_add(&peer->out, payload, size);
}

void http2_add_number(http2_peer *peer, uint8_t type, uint32_t stream, uint32_t number)
{
    const uint8_t bytes[4] = { (uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8),
                               (uint8_t)number };

    http2_add(peer, type, 0, stream, bytes, sizeof bytes);
}

void http2_add_hello(http2_peer *peer)
{
    writer_add(&peer->out, NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN);
    http2_add(peer, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
}

void http2_write_block(http2_peer *peer, writer *block, const char *const *fields)
{
    static nghttp2_nv table[FIELDS_MAX];
    size_t            count = 0;
    size_t            room;
    uint8_t          *bytes;
    ssize_t           size;

    for (; *fields; fields += 2) {
        assert_true(count < FIELDS_MAX);
        table[count++] = (nghttp2_nv){ (uint8_t *)(uintptr_t)fields[0], (uint8_t *)(uintptr_t)fields[1],
                                       strlen(fields[0]), strlen(fields[1]), NGHTTP2_NV_FLAG_NONE };
    }
    room = nghttp2_hd_deflate_bound(peer->deflater, table, count);
    bytes = malloc(room);
    assert_non_null(bytes);
    size = nghttp2_hd_deflate_hd(peer->deflater, bytes, room, table, count);
    assert_true(size >= 0);
    writer_add(block, bytes, (size_t)size);
    free(bytes);
}

void http2_add_fields(http2_peer *peer, uint32_t stream, uint8_t flags, const char *const *fields)
{
    writer block = { 0 };

    http2_write_block(peer, &block, fields);
    http2_add(peer, NGHTTP2_HEADERS, flags | NGHTTP2_FLAG_END_HEADERS, stream, block.data, block.size);
    writer_done(&block);
}

void http2_add_request(http2_peer *peer, uint32_t stream, const char *method)
{
    char path[64];

    snprintf(path, sizeof path, "/calls.Calls/%s", method);
    http2_add_fields(peer, stream, 0,
                     (http2_fields){ ":method", "POST", ":scheme", "http", ":path", path, ":authority",
                                     "here", "te", "trailers", "content-type", "application/grpc", NULL });
}

void http2_add_text(http2_peer *peer, uint32_t stream, uint8_t flags, const char *text)
{
    writer message = { 0 };
    writer payload = { 0 };

    writer_text(&message, 1, text);
    writer_add(&payload,
               (const uint8_t[5]){ 0, 0, (uint8_t)(message.size >> 16), (uint8_t)(message.size >> 8),
                                   (uint8_t)message.size },
               5);
    writer_add(&payload, message.data, message.size);
    http2_add(peer, NGHTTP2_DATA, flags, stream, payload.data, payload.size);
    writer_done(&message);
    writer_done(&payload);
}

void http2_send(http2_peer *peer)
{
    if (peer->raw)
        raw_send_writer(peer->raw, &peer->out);
    else
        sim_send(peer->sim, &peer->out);
}

/* Reading */

void http2_turn(http2_peer *peer)
{
    if (peer->raw)
        raw_turn(peer->raw, 5);
    else
        vow_loop_advance(peer->world->loop, 1);
}

bool http2_has_ended(const http2_peer *peer)
{
    return peer->raw ? peer->raw->has_ended : peer->sim->has_ended;
}

static void read_fields(http2_peer *peer, http2_frame *frame)
{
    const uint8_t *at = frame->payload;
    size_t         left = frame->size;
    size_t         used = 0;

    assert_true(frame->flags & NGHTTP2_FLAG_END_HEADERS);
    while (true) {
        nghttp2_nv field;
        int        flags = 0;
        ssize_t    size = nghttp2_hd_inflate_hd2(peer->inflater, &field, &flags, at, left, 1);

        assert_true(size >= 0);
        at += size;
        left -= (size_t)size;
        if (flags & NGHTTP2_HD_INFLATE_EMIT)
            used += (size_t)snprintf(frame->fields + used, sizeof frame->fields - used, "%.*s: %.*s\n",
                                     (int)field.namelen, (const char *)field.name, (int)field.valuelen,
                                     (const char *)field.value);
        assert_true(used < sizeof frame->fields);
        if (flags & NGHTTP2_HD_INFLATE_FINAL)
            break;
    }
    nghttp2_hd_inflate_end_headers(peer->inflater);
}

bool http2_take(http2_peer *peer, http2_frame *frame)
{
    const writer  *got = peer->raw ? &peer->raw->got : &peer->sim->got;
    const uint8_t *at = got->data + peer->at;
    size_t         size;

    if (got->size < peer->at + HEAD)
        return false;
    size = (size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2];
    if (got->size < peer->at + HEAD + size)
        return false;
    *frame =
        (http2_frame){ .type = at[3],
                       .flags = at[4],
                       .stream = (uint32_t)at[5] << 24 | (uint32_t)at[6] << 16 | (uint32_t)at[7] << 8 | at[8],
                       .payload = at + HEAD,
                       .size = size };
    peer->at += HEAD + size;
    if (frame->type == NGHTTP2_HEADERS)
        read_fields(peer, frame);
    return true;
}

bool http2_next(http2_peer *peer, uint8_t type, uint32_t stream, http2_frame *frame)
{
    for (int i = 0; i < TURNS_MAX; i++) {
        while (http2_take(peer, frame)) {
            if (frame->type == type && frame->stream == stream)
                return true;
        }
        if (http2_has_ended(peer))
            return false;
        http2_turn(peer);
    }
    fail_msg("no frame of type %u came for stream %u", type, stream);
    return false;
}

/* Claims */

static uint32_t read_number(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

void http2_assert_told(http2_peer *peer, const char *name, uint32_t error, const char *says)
{
    http2_frame frame;
    uint32_t    seen = 0;
    char        text[1024] = "";

    for (int i = 0; i < TURNS_MAX && !http2_has_ended(peer); i++)
        http2_turn(peer);
    if (!http2_has_ended(peer))
        fail_msg("%s: the connection was not closed", name);
    while (http2_next(peer, NGHTTP2_GOAWAY, 0, &frame)) {
        seen = read_number(frame.payload + 4);
        snprintf(text, sizeof text, "%.*s", (int)frame.size - 8, (const char *)frame.payload + 8);
        if (seen)
            break;
    }
    if (seen != error || !strstr(text, says))
        fail_msg("%s: it was told %u \"%s\"", name, seen, text);
}

void http2_assert_status(http2_peer *peer, const char *name, uint32_t stream, int code, const char *says)
{
    http2_frame frame;
    char        status[32];

    do {
        if (!http2_next(peer, NGHTTP2_HEADERS, stream, &frame))
            fail_msg("%s: the connection has ended", name);
    } while (!(frame.flags & NGHTTP2_FLAG_END_STREAM));
    snprintf(status, sizeof status, "grpc-status: %d\n", code);
    if (!strstr(frame.fields, status) || !strstr(frame.fields, says))
        fail_msg("%s: it was told %s", name, frame.fields);
}

void http2_assert_reset(http2_peer *peer, const char *name, uint32_t stream, uint32_t error)
{
    http2_frame frame;

    if (!http2_next(peer, NGHTTP2_RST_STREAM, stream, &frame))
        fail_msg("%s: the connection has ended", name);
    if (read_number(frame.payload) != error)
        fail_msg("%s: it was reset with %u", name, read_number(frame.payload));
}

/* Set-ups */

#define OPTIONS VOW_SERVER(.hello_timeout_ms = 2000, .max_calls_per_connection = 100)

int http2_open_simulated(void **state)
{
    *state = world_new_with(WORLD_GRPC_SIMULATED, OPTIONS, NULL);
    return 0;
}

int http2_open_tcp(void **state)
{
    *state = world_new_with(WORLD_GRPC, OPTIONS, NULL);
    return 0;
}
