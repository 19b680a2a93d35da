/*
 * From a target to a connected socket.
 *
 * The idea: a name is resolved on libuv's pool; its addresses are tried in turn, in the order in which the
 * resolver gives them (RFC 6724). The caller bounds the time. Sockets are connected here and not by libuv, which
 * knows no second address and gives up on a Unix socket whose listener is busy.
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

/* One address that is being tried; libuv's handle outlives it until libuv is done. */
typedef struct attempt {
    uv_poll_t   poll; /* first */
    vow_socket *socket;
    int         descriptor;
} attempt;

struct vow_connector {
    vow_socket        *socket;
    uv_getaddrinfo_t   resolve;
    struct addrinfo   *addresses; /* NULL for a Unix socket */
    struct addrinfo   *next;      /* to be tried after the one under way */
    struct sockaddr_un path;      /* of a Unix socket */
    attempt           *attempt;   /* NULL: none is under way */
    int                last_error; /* errno of the last attempt */
    vow_task           step;
    vow_timer          again;
};

static vow_scheduler *socket_scheduler(const vow_socket *socket)
{
    return vow_scheduler_of(socket->stream.loop);
}

static void connector_step(vow_task *task);
static void connector_again(vow_timer *timer);

/* --- Life ----------------------------------------------------------------------------------------- */

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
    vow_connector *connector = socket->connector;

    socket->connector = NULL;
    if (!connector)
        return;
    if (connector->addresses)
        freeaddrinfo(connector->addresses);
    vow_free(connector);
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
    uv_cancel((uv_req_t *)&connector->resolve); /* what can't be stopped holds a pin until it ends */
    if (connector->attempt)
        close(attempt_end(connector->attempt));
}

/* --- Failing ---------------------------------------------------------------------------------------- */

static vow_status connect_status(const char *target, int error)
{
    if (error == ECONNREFUSED)
        return vow_status_make(VOW_UNAVAILABLE, "%s: connection refused (is the server running?)", target);
    if (error == ENOENT)
        return vow_status_make(VOW_UNAVAILABLE, "%s: there is no such socket (is the server running?)", target);
    if (error == EMFILE || error == ENFILE)
        return vow_status_make(VOW_RESOURCE_EXHAUSTED, "%s: cannot connect: out of file descriptors (see ulimit -n)",
                               target);
    if (error == ENOMEM || error == ENOBUFS)
        return vow_status_make(VOW_RESOURCE_EXHAUSTED, "%s: cannot connect: no memory", target);
    return vow_status_make(VOW_UNAVAILABLE, "%s: cannot connect: %s", target, strerror(error));
}

static void connector_fail(vow_connector *connector, int error)
{
    vow_socket_fail(connector->socket, connect_status(connector->socket->target, error));
}

/* --- Trying an address --------------------------------------------------------------------------------- */

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

static void connector_try_next(vow_connector *connector, int error)
{
    connector->last_error = error;
    if (connector->next)
        vow_scheduler_soon(socket_scheduler(connector->socket), &connector->step);
    else
        connector_fail(connector, error);
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
        connector_try_next(connector, error);
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

static void connector_try(vow_connector *connector, const struct sockaddr *address, socklen_t size)
{
    int descriptor = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int error = 0;

    connector->socket->state = VOW_SOCKET_CONNECTING;
    if (descriptor < 0) {
        connector_try_next(connector, errno);
        return;
    }
    if (connect(descriptor, address, size) == 0) {
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
        connector_try_next(connector, error);
}

static void connector_step(vow_task *task)
{
    vow_connector   *connector = VOW_OWNER(task, vow_connector, step);
    struct addrinfo *address = connector->next;

    if (connector->socket->is_unix) {
        connector_try(connector, (const struct sockaddr *)&connector->path, sizeof connector->path);
        return;
    }
    connector->next = address->ai_next;
    connector_try(connector, address->ai_addr, address->ai_addrlen);
}

static void connector_again(vow_timer *timer)
{
    vow_connector *connector = VOW_OWNER(timer, vow_connector, again);

    vow_scheduler_soon(socket_scheduler(connector->socket), &connector->step);
}

/* --- Resolving -------------------------------------------------------------------------------------------- */

static void resolve_done(uv_getaddrinfo_t *resolve, int status, struct addrinfo *addresses)
{
    vow_connector *connector = resolve->data;
    vow_socket    *socket = connector->socket;
    vow_scheduler *scheduler = socket_scheduler(socket);

    vow_scheduler_enter(scheduler);
    connector->addresses = addresses;
    connector->next = addresses;
    if (socket->state == VOW_SOCKET_RESOLVING) {
        if (status == 0)
            vow_scheduler_soon(scheduler, &connector->step);
        else
            vow_socket_fail(socket, vow_status_make(VOW_UNAVAILABLE, "%s: the name cannot be resolved: %s",
                                                    socket->target, uv_strerror(status)));
    }
    vow_socket_unpin(socket);
    vow_scheduler_leave(scheduler);
}

/* An address in figures asks nobody, so it does not take the way over libuv's pool. */
static bool resolve_at_once(vow_connector *connector, const vow_tcp_address *address)
{
    const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM };

    return getaddrinfo(address->host, address->port, &hints, &connector->addresses) == 0;
}

static int resolve_begin(vow_socket *socket, const vow_tcp_address *address)
{
    const struct addrinfo hints = { .ai_flags = AI_NUMERICSERV, .ai_socktype = SOCK_STREAM };
    vow_connector        *connector = socket->connector;

    if (resolve_at_once(connector, address)) {
        connector->next = connector->addresses;
        vow_scheduler_soon(socket_scheduler(socket), &connector->step);
        return 0;
    }
    connector->resolve.data = connector;
    socket->state = VOW_SOCKET_RESOLVING;
    socket->pins++;
    return uv_getaddrinfo(vow_loop_uv(socket->stream.loop), &connector->resolve, resolve_done, address->host,
                          address->port, &hints);
}

/* --- Connecting --------------------------------------------------------------------------------------------- */

static vow_stream *connect_refuse(const char *target, vow_error *error)
{
    vow_error_set(error, VOW_RESOURCE_EXHAUSTED, "%.160s: no memory to connect", target);
    return NULL;
}

vow_stream *vow_socket_connect_tcp(vow_loop *loop, const char *target, const vow_stream_events *events, void *owner,
                                   vow_error *error)
{
    vow_tcp_address address;
    vow_socket     *socket;

    if (vow_tcp_address_parse(target, &address, error) != VOW_OK)
        return NULL;
    socket = connecting_new(loop, &vow_transport_tcp, target);
    if (!socket)
        return connect_refuse(target, error);
    socket->stream.events = events;
    socket->stream.owner = owner;
    if (resolve_begin(socket, &address) == 0)
        return &socket->stream;
    socket->pins--;
    vow_stream_close(&socket->stream);
    return connect_refuse(target, error);
}

vow_stream *vow_socket_connect_unix(vow_loop *loop, const char *target, const vow_stream_events *events, void *owner,
                                    vow_error *error)
{
    const char *path = vow_unix_address_path(target, error);
    vow_socket *socket;

    if (!path)
        return NULL;
    socket = connecting_new(loop, &vow_transport_unix, target);
    if (!socket)
        return connect_refuse(target, error);
    socket->stream.events = events;
    socket->stream.owner = owner;
    socket->connector->path.sun_family = AF_UNIX;
    strcpy(socket->connector->path.sun_path, path);
    vow_scheduler_soon(socket_scheduler(socket), &socket->connector->step);
    return &socket->stream;
}
