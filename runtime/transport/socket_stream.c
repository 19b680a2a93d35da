#include "runtime/transport/socket_stream.h"

#include "runtime/base/memory.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

/* How long, and for how many bytes, a finished stream listens on, so that closing does not reset the connection
 * under what was written last. */
#define LINGER_MS 1000
#define LINGER_BYTES ((size_t)1 << 20)

static vow_scheduler *socket_scheduler(const vow_socket *socket)
{
    return vow_scheduler_of(socket->stream.loop);
}

/* Life */

static void socket_broken(vow_task *task);
static void socket_lingered(vow_timer *timer);

vow_socket *vow_socket_new(vow_loop *loop, const vow_transport *transport)
{
    vow_socket *socket = vow_alloc_zeroed(sizeof *socket);

    if (!socket)
        return NULL;
    socket->stream = (vow_stream){ .transport = transport, .loop = loop };
    socket->is_unix = transport == &vow_transport_unix;
    vow_task_init(&socket->broken, socket_broken);
    vow_timer_init(&socket->linger, socket_lingered);
    vow_loop_object_born(loop);
    return socket;
}

static void socket_free(vow_socket *socket)
{
    vow_loop *loop = socket->stream.loop;

    vow_connector_free(socket);
    vow_free(socket->target);
    vow_free(socket);
    vow_loop_object_gone(loop);
}

static void socket_may_free(vow_socket *socket)
{
    if (socket->state == VOW_SOCKET_CLOSED && socket->pins == 0)
        socket_free(socket);
}

void vow_socket_unpin(vow_socket *socket)
{
    assert(socket->pins > 0);
    socket->pins--;
    socket_may_free(socket);
}

static void handle_closed(uv_handle_t *handle)
{
    vow_socket_unpin(handle->data);
}

static void socket_close(vow_stream *stream)
{
    vow_socket      *socket = (vow_socket *)stream;
    vow_socket_state was = socket->state;

    assert(was != VOW_SOCKET_CLOSED);
    socket->state = VOW_SOCKET_CLOSED;
    socket->stream.events = NULL;
    vow_task_cancel(&socket->broken);
    vow_timers_disarm(&socket_scheduler(socket)->timers, &socket->linger);
    if (was == VOW_SOCKET_OPEN || was == VOW_SOCKET_FINISHING)
        uv_close(&socket->handle.any, handle_closed);
    else
        vow_connector_end(socket);
    socket_may_free(socket);
}

void vow_socket_fail(vow_socket *socket, vow_status why)
{
    const vow_stream_events *events = socket->stream.events;
    void                    *owner = socket->stream.owner;

    socket->pins++; /* `why` may point into it */
    vow_stream_drop_unread(&socket->stream);
    socket_close(&socket->stream);
    if (events)
        events->closed(owner, &why);
    vow_status_done(&why);
    vow_socket_unpin(socket);
}

static vow_status socket_lost(const vow_socket *socket, int error)
{
    const char *peer = socket->peer;

    if (error == UV_ENOBUFS || error == UV_ENOMEM)
        return vow_status_make(VOW_RESOURCE_EXHAUSTED, "%s: no memory to read into", peer);
    return vow_status_make(VOW_UNAVAILABLE, "%s: the connection was lost: %s", peer, uv_strerror(error));
}

/* Taking a descriptor over */

static void socket_name_tcp(vow_socket *socket, const struct sockaddr *address)
{
    char     host[INET6_ADDRSTRLEN] = "";
    unsigned port;

    if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;

        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
        port = ntohs(v6->sin6_port);
        socket->is_local = IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr) ||
                           (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) && v6->sin6_addr.s6_addr[12] == 127);
        snprintf(socket->peer, sizeof socket->peer, "tcp://[%s]:%u", host, port);
    } else {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;

        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        port = ntohs(v4->sin_port);
        socket->is_local = ntohl(v4->sin_addr.s_addr) >> 24 == 127;
        snprintf(socket->peer, sizeof socket->peer, "tcp://%s:%u", host, port);
    }
    snprintf(socket->host, sizeof socket->host, "%s", host);
}

/* A Unix client's socket has no name: it is called by where it came in. */
static void socket_name_unix(vow_socket *socket, int descriptor)
{
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    socklen_t          size = sizeof name - 1;

    socket->is_local = true;
    if (getsockname(descriptor, (struct sockaddr *)&name, &size) != 0 || !name.sun_path[0]) {
        size = sizeof name - 1;
        if (getpeername(descriptor, (struct sockaddr *)&name, &size) != 0)
            name.sun_path[0] = '\0';
    }
    snprintf(socket->peer, sizeof socket->peer, "unix://%s", name.sun_path);
}

static bool socket_name(vow_socket *socket, int descriptor)
{
    struct sockaddr_storage address;
    socklen_t               size = sizeof address;

    if (socket->is_unix) {
        socket_name_unix(socket, descriptor);
        return true;
    }
    if (getpeername(descriptor, (struct sockaddr *)&address, &size) != 0)
        return false; /* it has gone already */
    socket_name_tcp(socket, (const struct sockaddr *)&address);
    return true;
}

static int socket_open_handle(vow_socket *socket, int descriptor)
{
    uv_loop_t *uv = vow_loop_uv(socket->stream.loop);
    int        failed;

    if (socket->is_unix)
        failed = uv_pipe_init(uv, &socket->handle.pipe, 0);
    else
        failed = uv_tcp_init(uv, &socket->handle.tcp);
    if (failed)
        return failed;
    socket->handle.any.data = socket;
    socket->state = VOW_SOCKET_OPEN;
    socket->pins++;
    if (socket->is_unix)
        return uv_pipe_open(&socket->handle.pipe, descriptor);
    return uv_tcp_open(&socket->handle.tcp, descriptor);
}

bool vow_socket_take(vow_socket *socket, int descriptor)
{
    int one = 1;

    if (!socket_name(socket, descriptor) || socket_open_handle(socket, descriptor) != 0) {
        close(descriptor);
        return false;
    }
    if (!socket->is_unix)
        setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    uv_unref(&socket->handle.any);
    return true;
}

vow_stream *vow_socket_accepted(vow_loop *loop, int descriptor)
{
    struct sockaddr_storage address;
    socklen_t               size = sizeof address;
    const vow_transport    *transport = &vow_transport_tcp;
    vow_socket             *socket;

    if (getsockname(descriptor, (struct sockaddr *)&address, &size) == 0 && address.ss_family == AF_UNIX)
        transport = &vow_transport_unix;
    socket = vow_socket_new(loop, transport);
    if (!socket) {
        close(descriptor);
        return NULL;
    }
    if (vow_socket_take(socket, descriptor))
        return &socket->stream;
    socket_close(&socket->stream);
    return NULL;
}

/* Reading */

static void read_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    vow_socket *socket = handle->data;
    vow_room    room;

    (void)suggested;
    *buffer = uv_buf_init(NULL, 0);
    if (socket->is_resting)
        return; /* libuv says to read_done that there is no room, and looks at its other sockets */
    room = socket->stream.events->room(socket->stream.owner); /* calls nobody back: no event, no clock */
    *buffer = uv_buf_init((char *)room.data, (unsigned)room.size);
}

static void socket_stop_reading(vow_socket *socket)
{
    if (!socket->is_reading)
        return;
    socket->is_reading = false;
    uv_read_stop(&socket->handle.stream);
}

/* A peer that sends as fast as we read would keep all others waiting, and what follows from what it has sent. */
static void socket_keep_budget(vow_socket *socket, bool room_was_filled, size_t size)
{
    socket->read_bytes = room_was_filled ? socket->read_bytes + size : 0;
    if (socket->read_bytes < VOW_READ_BUDGET)
        return;
    socket->read_bytes = 0;
    socket->is_resting = true;
}

/* libuv keeps watching, so that nothing need be asked of the system. */
static bool socket_has_rested(vow_socket *socket, ssize_t size)
{
    bool has_rested = socket->is_resting && size == UV_ENOBUFS;

    socket->is_resting = false;
    return has_rested;
}

static void read_done(uv_stream_t *handle, ssize_t size, const uv_buf_t *buffer)
{
    vow_socket    *socket = handle->data;
    vow_scheduler *scheduler = socket_scheduler(socket);

    if (socket_has_rested(socket, size) || size == 0)
        return;
    vow_scheduler_enter(scheduler);
    if (size == UV_EOF) {
        vow_socket_fail(socket, VOW_STATUS_OK);
    } else if (size < 0) {
        vow_socket_fail(socket, socket_lost(socket, (int)size));
    } else {
        socket_keep_budget(socket, (size_t)size == buffer->len, (size_t)size);
        socket->stream.events->read(socket->stream.owner, (size_t)size);
    }
    vow_scheduler_settle(scheduler);
    vow_scheduler_leave(scheduler);
}

void vow_socket_start_reading(vow_socket *socket)
{
    if (socket->is_reading || socket->is_paused || socket->stream.unread)
        return;
    socket->is_reading = true;
    uv_read_start(&socket->handle.stream, read_room, read_done);
}

static void socket_adopt(vow_stream *stream)
{
    vow_socket_start_reading((vow_socket *)stream);
}

static void socket_pause(vow_stream *stream)
{
    vow_socket *socket = (vow_socket *)stream;

    socket->is_paused = true;
    socket_stop_reading(socket);
}

static void socket_resume(vow_stream *stream)
{
    vow_socket *socket = (vow_socket *)stream;

    socket->is_paused = false;
    vow_socket_start_reading(socket);
}

/* Writing */

static void socket_broken(vow_task *task)
{
    vow_socket *socket = VOW_OWNER(task, vow_socket, broken);

    vow_socket_fail(socket, socket_lost(socket, socket->error));
}

/* The owner is told from the queue: it is in the middle of a write. */
static bool socket_break(vow_socket *socket, int error)
{
    socket->error = error;
    vow_scheduler_soon(socket_scheduler(socket), &socket->broken);
    return false;
}

static void write_done(uv_write_t *write, int status)
{
    vow_socket    *socket = write->data;
    vow_scheduler *scheduler = socket_scheduler(socket);

    vow_scheduler_enter(scheduler);
    if (socket->state == VOW_SOCKET_OPEN) {
        if (status == 0)
            socket->stream.events->written(socket->stream.owner);
        else
            vow_socket_fail(socket, socket_lost(socket, status));
    }
    vow_socket_unpin(socket);
    vow_scheduler_leave(scheduler);
}

/* Leaves out the first `size` bytes; gives what is left of the buffers. */
static size_t buffers_skip(uv_buf_t *buffers, size_t count, size_t size)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        size_t skip = size < buffers[i].len ? size : buffers[i].len;

        size -= skip;
        if (skip == buffers[i].len)
            continue;
        buffers[kept++] = uv_buf_init(buffers[i].base + skip, (unsigned)(buffers[i].len - skip));
    }
    return kept;
}

static void buffers_fill(uv_buf_t *buffers, const vow_slice *slices, size_t count)
{
    assert(count > 0 && count <= VOW_WRITE_SLICES);
    for (size_t i = 0; i < count; i++)
        buffers[i] = uv_buf_init((char *)(uintptr_t)slices[i].data, (unsigned)slices[i].size);
}

static bool socket_write(vow_stream *stream, const vow_slice *slices, size_t count)
{
    vow_socket *socket = (vow_socket *)stream;
    uv_buf_t    buffers[VOW_WRITE_SLICES] = { { .base = NULL } };
    int         result;

    if (vow_task_queued(&socket->broken))
        return false;
    buffers_fill(buffers, slices, count);
    result = uv_try_write(&socket->handle.stream, buffers, (unsigned)count);
    if (result < 0 && result != UV_EAGAIN)
        return socket_break(socket, result);
    count = buffers_skip(buffers, count, result < 0 ? 0 : (size_t)result);
    if (count == 0)
        return true;
    socket->write.data = socket;
    socket->pins++;
    result = uv_write(&socket->write, &socket->handle.stream, buffers, (unsigned)count, write_done);
    if (result < 0) {
        socket->pins--;
        return socket_break(socket, result);
    }
    return false;
}

static size_t socket_try_write(vow_stream *stream, const vow_slice *slices, size_t count)
{
    vow_socket *socket = (vow_socket *)stream;
    uv_buf_t    buffers[VOW_WRITE_SLICES] = { { .base = NULL } };
    int         result;

    if (vow_task_queued(&socket->broken))
        return 0;
    buffers_fill(buffers, slices, count);
    result = uv_try_write(&socket->handle.stream, buffers, (unsigned)count);
    return result < 0 ? 0 : (size_t)result;
}

/* Finishing */

static vow_room finish_room(void *owner)
{
    static __thread uint8_t waste[4096];

    (void)owner;
    return (vow_room){ waste, sizeof waste };
}

static void finish_read(void *owner, size_t size)
{
    vow_socket *socket = owner;

    socket->lingered_bytes += size;
    if (socket->lingered_bytes > LINGER_BYTES)
        socket_close(&socket->stream);
}

static void finish_nothing(void *owner)
{
    (void)owner;
}

static void finish_closed(void *owner, const vow_status *why)
{
    (void)owner;
    (void)why;
}

static const vow_stream_events finishing_events = {
    .opened = finish_nothing,
    .room = finish_room,
    .read = finish_read,
    .written = finish_nothing,
    .closed = finish_closed,
};

static void socket_lingered(vow_timer *timer)
{
    socket_close(&VOW_OWNER(timer, vow_socket, linger)->stream);
}

static void shutdown_done(uv_shutdown_t *shutdown, int status)
{
    (void)status;
    vow_socket_unpin(shutdown->data);
}

static void socket_finish(vow_stream *stream)
{
    vow_socket    *socket = (vow_socket *)stream;
    vow_scheduler *scheduler = socket_scheduler(socket);

    assert(socket->state == VOW_SOCKET_OPEN);
    socket->state = VOW_SOCKET_FINISHING;
    socket->stream.events = &finishing_events;
    socket->stream.owner = socket;
    socket->is_paused = false;
    socket->shutdown.data = socket;
    if (vow_task_queued(&socket->broken) ||
        uv_shutdown(&socket->shutdown, &socket->handle.stream, shutdown_done) != 0) {
        socket_close(stream);
        return;
    }
    socket->pins++;
    vow_timers_arm(&scheduler->timers, &socket->linger, vow_scheduler_after_ms(scheduler, LINGER_MS));
    uv_ref(&socket->handle.any); /* uv_run shall not end before the last bytes have arrived */
    vow_socket_start_reading(socket);
}

/* The tables */

static const char *socket_peer(const vow_stream *stream)
{
    return ((const vow_socket *)stream)->peer;
}

static const char *socket_peer_host(const vow_stream *stream)
{
    return ((const vow_socket *)stream)->host;
}

/* Neither end of a Unix socket has a name but the one that the server listens on. */
static void socket_local(const vow_stream *stream, char *text, size_t size)
{
    const vow_socket       *socket = (const vow_socket *)stream;
    struct sockaddr_storage address = { .ss_family = AF_UNSPEC };
    int                     length = sizeof address;
    char                    host[INET6_ADDRSTRLEN] = "";

    if (socket->is_unix) {
        snprintf(text, size, "%s", socket->peer);
        return;
    }
    text[0] = '\0';
    if (uv_tcp_getsockname(&socket->handle.tcp, (struct sockaddr *)&address, &length) != 0)
        return;
    if (address.ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)&address;

        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
        snprintf(text, size, "tcp://[%s]:%u", host, ntohs(v6->sin6_port));
    } else {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)&address;

        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        snprintf(text, size, "tcp://%s:%u", host, ntohs(v4->sin_port));
    }
}

static bool socket_is_local(const vow_stream *stream)
{
    return ((const vow_socket *)stream)->is_local;
}

const vow_transport vow_transport_tcp = {
    .scheme = "tcp",
    .connect = vow_socket_connect_tcp,
    .adopt = socket_adopt,
    .write = socket_write,
    .try_write = socket_try_write,
    .pause = socket_pause,
    .resume = socket_resume,
    .close = socket_close,
    .finish = socket_finish,
    .peer = socket_peer,
    .peer_host = socket_peer_host,
    .local = socket_local,
    .is_local = socket_is_local,
    .listen = vow_socket_listen,
    .unlisten = vow_socket_unlisten,
    .port = vow_socket_port,
    .address = vow_socket_address,
};

const vow_transport vow_transport_unix = {
    .scheme = "unix",
    .connect = vow_socket_connect_unix,
    .adopt = socket_adopt,
    .write = socket_write,
    .try_write = socket_try_write,
    .pause = socket_pause,
    .resume = socket_resume,
    .close = socket_close,
    .finish = socket_finish,
    .peer = socket_peer,
    .peer_host = socket_peer_host,
    .local = socket_local,
    .is_local = socket_is_local,
    .listen = vow_socket_listen,
    .unlisten = vow_socket_unlisten,
    .port = vow_socket_port,
    .address = vow_socket_address,
};
