#include "runtime/base/memory.h"
#include "runtime/transport/acceptor.h"
#include "runtime/transport/socket.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

typedef struct socket_listener {
    vow_listener listener; /* first */
    vow_member  *member;   /* of an acceptor; NULL: accepts by itself */
    vow_bound    bound;    /* when it accepts by itself */
    uv_poll_t    poll;
    vow_timer    pause; /* armed: descriptors or memory had run out */
    bool         is_closed;
} socket_listener;

bool vow_accept_ran_out(int error_number)
{
    return error_number == EMFILE || error_number == ENFILE || error_number == ENOBUFS || error_number == ENOMEM;
}

/* Accepting */

static void listener_take(void *owner, int descriptor)
{
    socket_listener *listener = owner;
    vow_stream      *stream = vow_socket_accepted(listener->listener.loop, descriptor);

    if (stream)
        listener->listener.accept(listener->listener.owner, stream);
}

static void listener_readable(uv_poll_t *poll, int status, int events);

static void listener_pause(socket_listener *listener)
{
    vow_scheduler *scheduler = vow_scheduler_of(listener->listener.loop);

    uv_poll_stop(&listener->poll);
    vow_timers_arm(&scheduler->timers, &listener->pause, vow_scheduler_after_ms(scheduler, VOW_ACCEPT_PAUSE_MS));
    vow_report("%s: out of file descriptors or memory: accepting pauses for %d ms (see ulimit -n)",
               listener->bound.address, VOW_ACCEPT_PAUSE_MS);
}

static void listener_go_on(vow_timer *timer)
{
    socket_listener *listener = VOW_OWNER(timer, socket_listener, pause);

    uv_poll_start(&listener->poll, UV_READABLE, listener_readable);
}

/* `accept` may close the listener. */
static void listener_accept(socket_listener *listener)
{
    for (int i = 0; i < VOW_ACCEPTS_MAX && !listener->is_closed; i++) {
        int descriptor = accept4(listener->bound.descriptor, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (descriptor >= 0)
            listener_take(listener, descriptor);
        else if (errno == EAGAIN || errno == EWOULDBLOCK)
            return;
        else if (vow_accept_ran_out(errno)) {
            listener_pause(listener);
            return;
        }
        /* Else this one has gone already: the next. */
    }
}

static void listener_readable(uv_poll_t *poll, int status, int events)
{
    socket_listener *listener = poll->data;
    vow_scheduler   *scheduler = vow_scheduler_of(listener->listener.loop);

    (void)status;
    (void)events;
    vow_scheduler_enter(scheduler);
    listener_accept(listener);
    vow_scheduler_leave(scheduler);
}

/* Closing */

static void listener_free(socket_listener *listener)
{
    vow_loop *loop = listener->listener.loop;

    vow_free(listener);
    vow_loop_object_gone(loop);
}

static void poll_closed(uv_handle_t *handle)
{
    listener_free(handle->data);
}

void vow_socket_unlisten(vow_listener *open)
{
    socket_listener *listener = (socket_listener *)open;
    vow_scheduler   *scheduler = vow_scheduler_of(open->loop);

    listener->is_closed = true;
    vow_scheduler_release(scheduler);
    if (listener->member) {
        vow_acceptor_leave(listener->member);
        listener_free(listener);
        return;
    }
    vow_timers_disarm(&scheduler->timers, &listener->pause);
    uv_poll_stop(&listener->poll);
    vow_unbind(&listener->bound);
    uv_close((uv_handle_t *)&listener->poll, poll_closed);
}

/* Opening */

static vow_code listener_join(socket_listener *listener, const char *address, unsigned unix_mode, vow_error *error)
{
    vow_loop *loop = listener->listener.loop;

    return vow_acceptor_join(loop->acceptor, loop, address, unix_mode, listener_take, listener, &listener->member,
                             error);
}

static vow_code listener_open_alone(socket_listener *listener, const char *address, unsigned unix_mode,
                                    vow_error *error)
{
    vow_code code = vow_bind(address, unix_mode, &listener->bound, error);

    if (code != VOW_OK)
        return code;
    if (uv_poll_init(vow_loop_uv(listener->listener.loop), &listener->poll, listener->bound.descriptor) != 0) {
        vow_unbind(&listener->bound);
        return vow_error_set(error, VOW_RESOURCE_EXHAUSTED, "cannot listen on %.150s: no memory", address);
    }
    listener->poll.data = listener;
    vow_timer_init(&listener->pause, listener_go_on);
    uv_poll_start(&listener->poll, UV_READABLE, listener_readable);
    uv_unref((uv_handle_t *)&listener->poll);
    return VOW_OK;
}

vow_code vow_socket_listen(vow_loop *loop, const char *address, const vow_listener_options *options,
                           vow_accept_fn *accept, void *owner, vow_listener **opened, vow_error *error)
{
    bool             is_unix = strncmp(address, "unix:", 5) == 0;
    socket_listener *listener = vow_alloc_zeroed(sizeof *listener);
    vow_code         code;

    if (!listener)
        return vow_error_set(error, VOW_RESOURCE_EXHAUSTED, "cannot listen on %.150s: no memory", address);
    listener->listener = (vow_listener){ .transport = is_unix ? &vow_transport_unix : &vow_transport_tcp,
                                         .loop = loop,
                                         .accept = accept,
                                         .owner = owner };
    if (loop->acceptor)
        code = listener_join(listener, address, options->unix_mode, error);
    else
        code = listener_open_alone(listener, address, options->unix_mode, error);
    if (code != VOW_OK) {
        vow_free(listener);
        return code;
    }
    vow_loop_object_born(loop);
    vow_scheduler_hold(vow_scheduler_of(loop)); /* an open listener keeps the loop alive, also while it pauses */
    *opened = &listener->listener;
    return VOW_OK;
}

int vow_socket_port(const vow_listener *open)
{
    const socket_listener *listener = (const socket_listener *)open;

    return listener->member ? vow_member_port(listener->member) : listener->bound.port;
}

const char *vow_socket_address(const vow_listener *open)
{
    const socket_listener *listener = (const socket_listener *)open;

    return listener->member ? vow_member_address(listener->member) : listener->bound.address;
}
