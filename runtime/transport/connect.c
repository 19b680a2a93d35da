/*
 * From one address to a connected socket; dial.c chooses the address.
 *
 * The idea: the caller bounds the time. Sockets are connected here and not by libuv, which gives up on a Unix
 * socket whose listener is busy.
 */
#include "runtime/base/memory.h"
#include "runtime/transport/address.h"
#include "runtime/transport/socket_stream.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

/* Before a Unix socket whose listener has no place in its queue is asked again. */
#define AGAIN_MS 5

/* Waits until the socket can be written to; libuv's handle outlives it until libuv is done. */
typedef struct attempt {
    uv_poll_t   poll; /* first */
    vow_socket *socket;
    int         descriptor;
} attempt;

struct vow_connector {
    vow_socket             *socket;
    struct sockaddr_storage address;
    socklen_t               address_size;
    attempt                *attempt; /* NULL: none is under way */
    vow_task                step;
    vow_timer               again;
};

static vow_scheduler *socket_scheduler(const vow_socket *socket)
{
    return vow_scheduler_of(socket->stream.loop);
}

static void connector_step(vow_task *task);
static void connector_again(vow_timer *timer);

/* Life */

static vow_socket *connecting_new(vow_loop *loop, const vow_transport *transport, const char *target)
{
    vow_socket *socket = vow_socket_new(loop, transport);

    if (!socket)
        return NULL;
    socket->connector = vow_alloc_zeroed(sizeof *socket->connector);
    socket->target = vow_text_copy(target);
    if (!socket->connector || !socket->target) {
        vow_free(socket->connector);
        socket->connector = NULL;
        vow_stream_close(&socket->stream);
        return NULL;
    }
    socket->connector->socket = socket;
    vow_task_init(&socket->connector->step, connector_step);
    vow_timer_init(&socket->connector->again, connector_again);
    return socket;
}

void vow_connector_free(vow_socket *socket)
{
    vow_free(socket->connector);
    socket->connector = NULL;
}

static void attempt_closed(uv_handle_t *handle)
{
    attempt    *attempt = handle->data;
    vow_socket *socket = attempt->socket;

    vow_free(attempt);
    vow_socket_unpin(socket);
}

/* Gives the descriptor: it is connected, or to be closed. */
static int attempt_end(attempt *attempt)
{
    int descriptor = attempt->descriptor;

    attempt->socket->connector->attempt = NULL;
    uv_poll_stop(&attempt->poll);
    uv_close((uv_handle_t *)&attempt->poll, attempt_closed);
    return descriptor;
}

void vow_connector_end(vow_socket *socket)
{
    vow_connector *connector = socket->connector;

    if (!connector)
        return;
    vow_task_cancel(&connector->step);
    vow_timers_disarm(&socket_scheduler(socket)->timers, &connector->again);
    if (connector->attempt)
        close(attempt_end(connector->attempt));
}

/* Failing */

static vow_status connect_status(const char *target, int error)
{
    if (error == ECONNREFUSED)
        return vow_status_make(VOW_UNAVAILABLE, "%s: connection refused (is the server running?)", target);
    if (error == ENOENT)
        return vow_status_make(VOW_UNAVAILABLE, "%s: there is no such socket (is the server running?)",
                               target);
    if (error == EMFILE || error == ENFILE)
        return vow_status_make(VOW_RESOURCE_EXHAUSTED,
                               "%s: cannot connect: out of file descriptors (see ulimit -n)", target);
    if (error == ENOMEM || error == ENOBUFS)
        return vow_status_make(VOW_RESOURCE_EXHAUSTED, "%s: cannot connect: no memory", target);
    return vow_status_make(VOW_UNAVAILABLE, "%s: cannot connect: %s", target, strerror(error));
}

static void connector_fail(vow_connector *connector, int error)
{
    vow_socket_fail(connector->socket, connect_status(connector->socket->target, error));
}

/* Trying an address */

static void connector_connected(vow_connector *connector, int descriptor)
{
    vow_socket *socket = connector->socket;

    if (!vow_socket_take(socket, descriptor)) {
        connector_fail(connector, ECONNRESET);
        return;
    }
    vow_connector_free(socket);
    socket->stream.events->opened(socket->stream.owner);
}

static void attempt_writable(uv_poll_t *poll, int status, int events)
{
    attempt       *attempt = poll->data;
    vow_connector *connector = attempt->socket->connector;
    vow_scheduler *scheduler = socket_scheduler(attempt->socket);
    int            error = 0;
    socklen_t      size = sizeof error;
    int            descriptor;

    (void)events;
    if (connector->attempt != attempt)
        return;
    vow_scheduler_enter(scheduler);
    if (getsockopt(attempt->descriptor, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        error = errno;
    if (error == 0 && status < 0)
        error = -status;
    descriptor = attempt_end(attempt);
    if (error == 0) {
        connector_connected(connector, descriptor);
    } else {
        close(descriptor);
        connector_fail(connector, error);
    }
    vow_scheduler_leave(scheduler);
}

/* Watches a connection that is being made. Gives 0, or an errno. */
static int attempt_begin(vow_connector *connector, int descriptor)
{
    vow_socket *socket = connector->socket;
    attempt    *attempt = vow_alloc_zeroed(sizeof *attempt);

    if (!attempt)
        return ENOMEM;
    attempt->socket = socket;
    attempt->descriptor = descriptor;
    attempt->poll.data = attempt;
    if (uv_poll_init(vow_loop_uv(socket->stream.loop), &attempt->poll, descriptor) != 0) {
        vow_free(attempt);
        return ENOMEM;
    }
    socket->pins++;
    connector->attempt = attempt;
    uv_poll_start(&attempt->poll, UV_WRITABLE, attempt_writable);
    uv_unref((uv_handle_t *)&attempt->poll);
    return 0;
}

/* True: the listener's queue is full, and a timer will ask it again. */
static bool connector_asks_again(vow_connector *connector, int error)
{
    vow_scheduler *scheduler = socket_scheduler(connector->socket);

    if (!connector->socket->is_unix || error != EAGAIN)
        return false;
    vow_timers_arm(&scheduler->timers, &connector->again, vow_scheduler_after_ms(scheduler, AGAIN_MS));
    return true;
}

static void connector_step(vow_task *task)
{
    vow_connector         *connector = VOW_OWNER(task, vow_connector, step);
    const struct sockaddr *address = (const struct sockaddr *)&connector->address;
    int descriptor = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int error = 0;

    if (descriptor < 0) {
        connector_fail(connector, errno);
        return;
    }
    if (connect(descriptor, address, connector->address_size) == 0) {
        connector_connected(connector, descriptor);
        return;
    }
    error = errno;
    if (error == EINPROGRESS)
        error = attempt_begin(connector, descriptor);
    if (error == 0)
        return;
    close(descriptor);
    if (!connector_asks_again(connector, error))
        connector_fail(connector, error);
}

static void connector_again(vow_timer *timer)
{
    vow_connector *connector = VOW_OWNER(timer, vow_connector, again);

    vow_scheduler_soon(socket_scheduler(connector->socket), &connector->step);
}

/* Connecting */

static vow_stream *connect_begin(vow_loop *loop, const vow_transport *transport, const char *target,
                                 const struct sockaddr *address, socklen_t size,
                                 const vow_stream_events *events, void *owner, vow_error *error)
{
    vow_socket *socket = connecting_new(loop, transport, target);

    if (!socket) {
        vow_error_set(error, VOW_RESOURCE_EXHAUSTED, "%.160s: no memory to connect", target);
        return NULL;
    }
    socket->stream.events = events;
    socket->stream.owner = owner;
    memcpy(&socket->connector->address, address, size);
    socket->connector->address_size = size;
    vow_scheduler_soon(socket_scheduler(socket), &socket->connector->step);
    return &socket->stream;
}

/* Reads an address in figures, which asks nobody; names are looked up by then. */
static vow_code figures_read(const char *target, struct sockaddr_storage *address, socklen_t *size,
                             vow_error *error)
{
    const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM };
    vow_tcp_address       parsed;
    struct addrinfo      *found;
    int                   failed;

    if (vow_tcp_address_parse(target, &parsed, error) != VOW_OK)
        return VOW_INVALID_ARGUMENT;
    failed = getaddrinfo(parsed.host, parsed.port, &hints, &found);
    if (failed == EAI_MEMORY)
        return vow_error_set(error, VOW_RESOURCE_EXHAUSTED, "%.160s: no memory to connect", target);
    if (failed)
        return vow_error_set(error, VOW_INVALID_ARGUMENT, "%.160s: this is no address in figures: %s", target,
                             gai_strerror(failed));
    memcpy(address, found->ai_addr, found->ai_addrlen);
    *size = found->ai_addrlen;
    freeaddrinfo(found);
    return VOW_OK;
}

vow_stream *vow_socket_connect_tcp(vow_loop *loop, const char *target, const vow_stream_events *events,
                                   void *owner, vow_error *error)
{
    struct sockaddr_storage address;
    socklen_t               size = 0;

    if (figures_read(target, &address, &size, error) != VOW_OK)
        return NULL;
    return connect_begin(loop, &vow_transport_tcp, target, (const struct sockaddr *)&address, size, events,
                         owner, error);
}

vow_stream *vow_socket_connect_unix(vow_loop *loop, const char *target, const vow_stream_events *events,
                                    void *owner, vow_error *error)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    const char        *path = vow_unix_address_path(target, error);

    if (!path)
        return NULL;
    strcpy(address.sun_path, path);
    return connect_begin(loop, &vow_transport_unix, target, (const struct sockaddr *)&address, sizeof address,
                         events, owner, error);
}
