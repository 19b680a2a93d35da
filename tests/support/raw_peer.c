#include "tests/support/raw_peer.h"

#include <setjmp.h>
#include <stdarg.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#define PATIENCE_NS (20u * UINT64_C(1000000000))

/* Connecting */

typedef union any_address {
    struct sockaddr     any;
    struct sockaddr_in  tcp;
    struct sockaddr_un  local;
} any_address;

static socklen_t address_of(const char *target, any_address *address)
{
    const char *port = strrchr(target, ':');

    memset(address, 0, sizeof *address);
    if (strncmp(target, "unix://", 7) == 0) {
        address->local.sun_family = AF_UNIX;
        snprintf(address->local.sun_path, sizeof address->local.sun_path, "%s", target + 7);
        return sizeof address->local;
    }
    address->tcp.sin_family = AF_INET;
    address->tcp.sin_port = htons((uint16_t)atoi(port + 1));
    address->tcp.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return sizeof address->tcp;
}

static raw_peer *peer_new(world *world, int fd)
{
    raw_peer *peer = calloc(1, sizeof *peer);

    assert_non_null(peer);
    assert_true(fd >= 0);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    *peer = (raw_peer){ .world = world, .fd = fd };
    return peer;
}

raw_peer *raw_connect(world *world)
{
    any_address address;
    socklen_t   size = address_of(world->address, &address);
    int         fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int         room = 4096;

    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    if (connect(fd, &address.any, size) != 0)
        fail_msg("%s: %s", world->address, strerror(errno));
    return peer_new(world, fd);
}

void raw_free(raw_peer *peer)
{
    if (peer->fd >= 0)
        close(peer->fd);
    writer_done(&peer->got);
    free(peer);
}

void raw_reset(raw_peer *peer)
{
    struct linger at_once = { 1, 0 };

    setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(peer->fd);
    peer->fd = -1;
    peer->has_ended = true;
}

int raw_listen(world_kind kind, char target[160])
{
    static unsigned count;
    any_address     address;
    socklen_t       size;
    int             fd;

    if (kind == WORLD_UNIX)
        snprintf(target, 160, "unix:///tmp/vow-raw-%ld-%u", (long)getpid(), count++);
    else
        strcpy(target, "tcp://127.0.0.1:0");
    size = address_of(target, &address);
    fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fd, &address.any, size), 0);
    assert_int_equal(listen(fd, 16), 0);
    if (kind != WORLD_UNIX) {
        assert_int_equal(getsockname(fd, &address.any, &size), 0);
        snprintf(target, 160, "tcp://127.0.0.1:%d", ntohs(address.tcp.sin_port));
    }
    return fd;
}

/* Running */

static void loop_turn(world *world, int fd, short events, int wait_ms)
{
    int           timeout = uv_backend_timeout(world->uv);
    struct pollfd watched[2] = { { fd, events, 0 }, { uv_backend_fd(world->uv), POLLIN, 0 } };

    uv_run(world->uv, UV_RUN_NOWAIT);
    if (timeout < 0 || timeout > wait_ms)
        timeout = wait_ms;
    poll(watched, 2, timeout);
    uv_run(world->uv, UV_RUN_NOWAIT);
}

raw_peer *raw_accept(world *world, int listener)
{
    uint64_t end = uv_hrtime() + PATIENCE_NS;
    int      fd;

    while ((fd = accept(listener, NULL, NULL)) < 0 && uv_hrtime() < end)
        loop_turn(world, listener, POLLIN, 10);
    return peer_new(world, fd);
}

static void peer_read(raw_peer *peer)
{
    uint8_t block[16384];
    ssize_t size;

    while (!peer->does_not_read && !peer->has_ended) {
        size = read(peer->fd, block, sizeof block);
        if (size > 0)
            writer_add(&peer->got, block, (size_t)size);
        else if (size < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        else
            peer->has_ended = true;
    }
}

void raw_turn(raw_peer *peer, int wait_ms)
{
    loop_turn(peer->world, peer->has_ended ? -1 : peer->fd, peer->does_not_read ? 0 : POLLIN, wait_ms);
    peer_read(peer);
}

void raw_send(raw_peer *peer, const void *data, size_t size)
{
    const uint8_t *at = data;
    uint64_t       end = uv_hrtime() + PATIENCE_NS;

    while (size > 0 && !peer->has_ended && uv_hrtime() < end) {
        ssize_t sent = send(peer->fd, at, size, MSG_NOSIGNAL);

        if (sent > 0) {
            at += sent;
            size -= (size_t)sent;
        } else if (sent < 0 && errno != EAGAIN && errno != EINTR) {
            peer->has_ended = peer->does_not_read;
            return;
        } else {
            raw_turn(peer, 1);
        }
    }
}

void raw_send_writer(raw_peer *peer, writer *writer)
{
    raw_send(peer, writer->data, writer->size);
    writer_clear(writer);
}

void raw_run_to_end(raw_peer *peer)
{
    uint64_t end = uv_hrtime() + PATIENCE_NS;

    while (!peer->has_ended && uv_hrtime() < end)
        raw_turn(peer, 10);
    if (!peer->has_ended)
        fail_msg("the connection was not closed");
}

/* Reading */

bool take_frame(const writer *got, size_t *taken, vow_header *header, vow_bytes *payload)
{
    const uint8_t *at;
    size_t         left;
    size_t         length, prefix = 0, size = 0;

    if (*taken == 0 && got->size >= VOW_PREFACE_SIZE) {
        assert_memory_equal(got->data, vow_preface, VOW_PREFACE_SIZE);
        *taken = VOW_PREFACE_SIZE;
    }
    left = got->size - *taken;
    if (*taken == 0 || left < 5)
        return false;
    at = got->data + *taken;
    length = at[0] | (size_t)at[1] << 8 | (size_t)at[2] << 16 | (size_t)at[3] << 24;
    if (left < 4 + length)
        return false;
    do
        size |= (size_t)(at[4 + prefix] & 0x7f) << (7 * prefix);
    while (at[4 + prefix++] & 0x80);
    assert_null(vow_header_read(header, at + 4 + prefix, size));
    *payload = (vow_bytes){ at + 4 + prefix + size, length - prefix - size };
    *taken += 4 + length;
    return true;
}

bool raw_next(raw_peer *peer, vow_frame_kind kind, vow_header *header, vow_bytes *payload)
{
    uint64_t end = uv_hrtime() + PATIENCE_NS;

    for (;;) {
        while (take_frame(&peer->got, &peer->at, header, payload)) {
            if (kind == 0 || header->kind == kind)
                return true;
        }
        if (peer->has_ended)
            return false;
        if (uv_hrtime() > end)
            fail_msg("no %s came", vow_frame_kind_name(kind));
        raw_turn(peer, 10);
    }
}

/* Writing */

void write_frame(writer *writer, const vow_header *header, const void *payload, size_t size)
{
    uint8_t *bytes = malloc(vow_header_room(header));

    assert_non_null(bytes);
    writer_add(writer, bytes, (size_t)(vow_header_write(bytes, header, size) - bytes));
    if (size)
        writer_add(writer, payload, size);
    free(bytes);
}

void write_preface(writer *writer)
{
    writer_add(writer, vow_preface, VOW_PREFACE_SIZE);
}

void write_hello(writer *writer, uint32_t min_version, uint32_t max_version)
{
    struct writer hello = { 0 };

    writer_number(&hello, 1, min_version);
    writer_number(&hello, 2, max_version);
    write_frame(writer, HEADER(.kind = VOW_FRAME_HELLO), hello.data, hello.size);
    writer_done(&hello);
}

void write_greeting(writer *writer)
{
    write_preface(writer);
    write_hello(writer, 1, 1);
}

void write_method(writer *writer, uint32_t number, const char *name)
{
    write_frame(writer,
                HEADER(.kind = VOW_FRAME_METHOD, .method = number,
                       .method_name = { (const uint8_t *)name, strlen(name) }),
                NULL, 0);
}

void write_text_call(writer *writer, uint64_t call, uint32_t method, const char *text)
{
    struct writer request = { 0 };

    writer_text(&request, 1, text);
    write_frame(writer, HEADER(.kind = VOW_FRAME_CALL, .call = call, .method = method), request.data, request.size);
    writer_done(&request);
}
