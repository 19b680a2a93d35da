#include "runtime/transport/transport.h"

#include "runtime/base/memory.h"
#include "runtime/transport/memory.h"
#include "runtime/transport/simulated.h"
#include "runtime/transport/socket.h"

#include <string.h>

static const vow_transport *const transports[] = { &vow_transport_tcp, &vow_transport_unix, &vow_transport_memory };

static bool scheme_is(const char *target, const char *scheme)
{
    size_t size = strlen(scheme);

    return strncmp(target, scheme, size) == 0 && strncmp(target + size, "://", 3) == 0;
}

static const vow_transport *transport_find(const vow_loop *loop, const char *target, vow_error *error)
{
    for (size_t i = 0; i < sizeof transports / sizeof transports[0]; i++) {
        if (scheme_is(target, transports[i]->scheme))
            return vow_loop_is_simulated(loop) ? &vow_transport_simulated : transports[i];
    }
    vow_error_set(error, VOW_INVALID_ARGUMENT,
                  "\"%.100s\" is no address: write tcp://host:port, unix:///path or memory://name", target);
    return NULL;
}

vow_stream *vow_stream_connect(vow_loop *loop, const char *target, const vow_stream_events *events, void *owner,
                               vow_error *error)
{
    const vow_transport *transport = transport_find(loop, target, error);

    return transport ? transport->connect(loop, target, events, owner, error) : NULL;
}

/* Bytes that were given back, on their way to the next owner. */
typedef struct vow_unread {
    vow_task    task;
    vow_stream *stream;
    size_t      size;
    uint8_t     bytes[];
} vow_unread;

void vow_stream_drop_unread(vow_stream *stream)
{
    if (stream->unread)
        vow_task_cancel(&stream->unread->task);
    vow_free(stream->unread);
    stream->unread = NULL;
}

/* There was no memory. What comes next would make no sense without them. */
static void unread_fail(vow_stream *stream)
{
    const vow_stream_events *events = stream->events;
    void                    *owner = stream->owner;
    vow_status               why = vow_status_no_memory();

    vow_stream_close(stream);
    events->closed(owner, &why);
    vow_status_done(&why);
}

static void unread_deliver(vow_task *task)
{
    vow_unread *unread = VOW_OWNER(task, vow_unread, task);
    vow_stream *stream = unread->stream;
    vow_room    room = stream->events->room(stream->owner);

    if (room.size < unread->size) {
        unread_fail(stream);
        return;
    }
    memcpy(room.data, unread->bytes, unread->size);
    stream->unread = NULL;
    stream->transport->adopt(stream); /* which waited for this to read on */
    stream->events->read(stream->owner, unread->size);
    vow_free(unread);
}

vow_code vow_stream_unread(vow_stream *stream, const void *data, size_t size)
{
    vow_unread *unread = vow_alloc(sizeof *unread + size);

    if (!unread)
        return VOW_RESOURCE_EXHAUSTED;
    vow_task_init(&unread->task, unread_deliver);
    unread->stream = stream;
    unread->size = size;
    memcpy(unread->bytes, data, size);
    vow_stream_drop_unread(stream);
    stream->unread = unread;
    vow_scheduler_soon(vow_scheduler_of(stream->loop), &unread->task); /* before the transport queues what comes next */
    return VOW_OK;
}

void vow_stream_adopt(vow_stream *stream, const vow_stream_events *events, void *owner)
{
    stream->events = events;
    stream->owner = owner;
    stream->transport->adopt(stream);
}

bool vow_stream_write(vow_stream *stream, const vow_slice *slices, size_t count)
{
    return stream->transport->write(stream, slices, count);
}

size_t vow_stream_try_write(vow_stream *stream, const vow_slice *slices, size_t count)
{
    return stream->transport->try_write ? stream->transport->try_write(stream, slices, count) : 0;
}

void vow_stream_pause(vow_stream *stream)
{
    stream->transport->pause(stream);
}

void vow_stream_resume(vow_stream *stream)
{
    stream->transport->resume(stream);
}

void vow_stream_close(vow_stream *stream)
{
    vow_stream_drop_unread(stream);
    stream->transport->close(stream);
}

void vow_stream_finish(vow_stream *stream)
{
    vow_stream_drop_unread(stream);
    stream->transport->finish(stream);
}

const char *vow_stream_peer(const vow_stream *stream)
{
    return stream->transport->peer(stream);
}

void vow_stream_local(const vow_stream *stream, char *text, size_t size)
{
    stream->transport->local(stream, text, size);
}

bool vow_stream_is_local(const vow_stream *stream)
{
    return stream->transport->is_local(stream);
}

const char *vow_stream_peer_host(const vow_stream *stream)
{
    return stream->transport->peer_host(stream);
}

vow_code vow_listener_open(vow_loop *loop, const char *address, const vow_listener_options *options,
                           vow_accept_fn *accept, void *owner, vow_listener **opened, vow_error *error)
{
    const vow_transport *transport = transport_find(loop, address, error);

    if (!transport)
        return VOW_INVALID_ARGUMENT;
    return transport->listen(loop, address, options, accept, owner, opened, error);
}

void vow_listener_close(vow_listener *listener)
{
    listener->transport->unlisten(listener);
}

int vow_listener_port(const vow_listener *listener)
{
    return listener->transport->port(listener);
}

const char *vow_listener_address(const vow_listener *listener)
{
    return listener->transport->address(listener);
}
