#include "runtime/transport/memory.h"

#include "runtime/base/memory.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define SCHEME "memory://"
#define NAME_MAX_SIZE 100

/*
 * Two ends, which point at each other. What one writes is copied into the other's room by that one's task:
 *
 *     writer: write(slices) --lent--> [task of the reader: room, copy, read] --> written
 */
typedef struct end {
    vow_stream  stream; /* first */
    struct end *other;  /* NULL: closed */
    vow_task    open;   /* tells the connecting side */
    vow_task    read;   /* copies from `other`'s slices, or reports the end */
    vow_task    wrote;  /* tells that the slices have left */
    vow_slice   slices[VOW_WRITE_SLICES]; /* being written */
    size_t      count;
    bool        is_paused;
    bool        is_finishing; /* closes when the slices have left */
    bool        is_refused;   /* nobody listened */
    bool        is_closed;
    unsigned    holds; /* tasks on the stack */
    char        name[NAME_MAX_SIZE + 16];
} end;

typedef struct memory_listener {
    vow_listener listener; /* first */
    vow_link     link;
    char         address[NAME_MAX_SIZE + 16];
} memory_listener;

static vow_scheduler *end_scheduler(const end *end)
{
    return vow_scheduler_of(end->stream.loop);
}

/* Life */

static void end_opened(vow_task *task);
static void end_read(vow_task *task);
static void end_wrote(vow_task *task);

static end *end_new(vow_loop *loop, const char *name)
{
    end *end = vow_alloc_zeroed(sizeof *end);

    if (!end)
        return NULL;
    end->stream = (vow_stream){ .transport = &vow_transport_memory, .loop = loop };
    vow_task_init(&end->open, end_opened);
    vow_task_init(&end->read, end_read);
    vow_task_init(&end->wrote, end_wrote);
    snprintf(end->name, sizeof end->name, "%s", name);
    vow_loop_object_born(loop);
    return end;
}

static void end_may_free(end *end)
{
    vow_loop *loop = end->stream.loop;

    if (!end->is_closed || end->holds > 0)
        return;
    vow_free(end);
    vow_loop_object_gone(loop);
}

static void memory_close(vow_stream *stream)
{
    end *end = (struct end *)stream;

    end->is_closed = true;
    vow_task_cancel(&end->open);
    vow_task_cancel(&end->read);
    vow_task_cancel(&end->wrote);
    if (end->other) {
        end->other->other = NULL;
        vow_scheduler_soon(end_scheduler(end), &end->other->read);
    }
    end->other = NULL;
    end_may_free(end);
}

static void end_report_closed(end *end, vow_status why)
{
    const vow_stream_events *events = end->stream.events;
    void                    *owner = end->stream.owner;

    vow_stream_drop_unread(&end->stream);
    memory_close(&end->stream);
    if (events)
        events->closed(owner, &why);
    vow_status_done(&why);
}

/* Bytes */

/* Copies what fits from the writer's slices. */
static size_t slices_take(end *writer, vow_room room)
{
    size_t taken = 0;

    while (writer->count > 0 && taken < room.size) {
        vow_slice *slice = &writer->slices[0];
        size_t     size = slice->size < room.size - taken ? slice->size : room.size - taken;

        memcpy(room.data + taken, slice->data, size);
        taken += size;
        slice->data += size;
        slice->size -= size;
        if (slice->size > 0)
            break;
        writer->count--;
        memmove(writer->slices, writer->slices + 1, writer->count * sizeof writer->slices[0]);
    }
    return taken;
}

static void end_copy_from(end *reader, end *writer)
{
    vow_room room = reader->stream.events->room(reader->stream.owner);
    size_t   size;

    if (room.size == 0) {
        end_report_closed(reader, vow_status_make(VOW_RESOURCE_EXHAUSTED, "%s: no memory to read into", reader->name));
        return;
    }
    size = slices_take(writer, room);
    if (writer->count == 0)
        vow_scheduler_soon(end_scheduler(writer), &writer->wrote);
    else
        vow_scheduler_soon(end_scheduler(reader), &reader->read);
    reader->stream.events->read(reader->stream.owner, size);
}

static void end_read(vow_task *task)
{
    end *end = VOW_OWNER(task, struct end, read);

    if (!end->stream.events)
        return;
    if (end->is_refused)
        end_report_closed(end, vow_status_make(VOW_UNAVAILABLE,
                                               "%s: nobody listens (was the server opened on this loop?)", end->name));
    else if (!end->other)
        end_report_closed(end, VOW_STATUS_OK);
    else if (end->other->count > 0 && !end->is_paused)
        end_copy_from(end, end->other);
}

static void end_wrote(vow_task *task)
{
    end *end = VOW_OWNER(task, struct end, wrote);

    if (end->is_finishing)
        memory_close(&end->stream);
    else
        end->stream.events->written(end->stream.owner);
}

static bool memory_write(vow_stream *stream, const vow_slice *slices, size_t count)
{
    end *end = (struct end *)stream;

    assert(end->count == 0 && count <= VOW_WRITE_SLICES);
    if (!end->other)
        return false; /* the task that reports the end is on its way */
    memcpy(end->slices, slices, count * sizeof slices[0]);
    end->count = count;
    vow_scheduler_soon(end_scheduler(end), &end->other->read);
    return false;
}

static void memory_adopt(vow_stream *stream)
{
    end *end = (struct end *)stream;

    vow_scheduler_soon(end_scheduler(end), &end->read);
}

static void memory_pause(vow_stream *stream)
{
    ((end *)stream)->is_paused = true;
}

static void memory_resume(vow_stream *stream)
{
    ((end *)stream)->is_paused = false;
    memory_adopt(stream);
}

static void memory_finish(vow_stream *stream)
{
    memory_close(stream); /* nothing is under way, so all has arrived */
}

/* Connecting */

static memory_listener *listener_find(const vow_loop *loop, const char *address)
{
    for (const vow_link *link = loop->memory_listeners.head.next; link != &loop->memory_listeners.head;
         link = link->next) {
        memory_listener *listener = VOW_OWNER(link, memory_listener, link);

        if (strcmp(listener->address, address) == 0)
            return listener;
    }
    return NULL;
}

static void end_refuse(end *end)
{
    end->is_refused = true;
    vow_scheduler_soon(end_scheduler(end), &end->read);
}

static void end_opened(vow_task *task)
{
    end             *end = VOW_OWNER(task, struct end, open);
    memory_listener *listener = listener_find(end->stream.loop, end->name);
    struct end      *other = listener ? end_new(end->stream.loop, end->name) : NULL;

    if (!other) {
        end_refuse(end);
        return;
    }
    end->other = other;
    other->other = end;
    end->holds++;
    listener->listener.accept(listener->listener.owner, &other->stream);
    if (!end->is_closed)
        end->stream.events->opened(end->stream.owner);
    end->holds--;
    end_may_free(end);
}

static vow_code name_check(const char *address, vow_error *error)
{
    size_t size = strlen(address + strlen(SCHEME));

    if (size == 0 || size > NAME_MAX_SIZE)
        return vow_error_set(error, VOW_INVALID_ARGUMENT, "%.120s: a name of memory:// has 1 to %d bytes", address,
                             NAME_MAX_SIZE);
    return VOW_OK;
}

static vow_stream *memory_connect(vow_loop *loop, const char *target, const vow_stream_events *events, void *owner,
                                  vow_error *error)
{
    end *end;

    if (name_check(target, error) != VOW_OK)
        return NULL;
    end = end_new(loop, target);
    if (!end) {
        vow_error_set(error, VOW_RESOURCE_EXHAUSTED, "%s: no memory to connect", target);
        return NULL;
    }
    end->stream.events = events;
    end->stream.owner = owner;
    vow_scheduler_soon(end_scheduler(end), &end->open);
    return &end->stream;
}

static const char *memory_peer(const vow_stream *stream)
{
    return ((const end *)stream)->name;
}

static const char *memory_peer_host(const vow_stream *stream)
{
    (void)stream;
    return "";
}

static void memory_local(const vow_stream *stream, char *text, size_t size)
{
    snprintf(text, size, "%s", memory_peer(stream));
}

static bool memory_is_local(const vow_stream *stream)
{
    (void)stream;
    return true;
}

/* Listening */

static vow_code memory_listen(vow_loop *loop, const char *address, const vow_listener_options *options,
                              vow_accept_fn *accept, void *owner, vow_listener **opened, vow_error *error)
{
    vow_code         code = name_check(address, error);
    memory_listener *listener;

    (void)options;
    if (code != VOW_OK)
        return code;
    if (listener_find(loop, address))
        return vow_error_set(error, VOW_ALREADY_EXISTS, "cannot listen on %s: the name is in use on this loop",
                             address);
    listener = vow_alloc_zeroed(sizeof *listener);
    if (!listener)
        return vow_error_set(error, VOW_RESOURCE_EXHAUSTED, "cannot listen on %s: no memory", address);
    listener->listener =
        (vow_listener){ .transport = &vow_transport_memory, .loop = loop, .accept = accept, .owner = owner };
    strcpy(listener->address, address);
    vow_list_append(&loop->memory_listeners, &listener->link);
    vow_scheduler_hold(vow_scheduler_of(loop));
    *opened = &listener->listener;
    return VOW_OK;
}

static void memory_unlisten(vow_listener *open)
{
    memory_listener *listener = (memory_listener *)open;

    vow_link_remove(&listener->link);
    vow_scheduler_release(vow_scheduler_of(open->loop));
    vow_free(listener);
}

static int memory_port(const vow_listener *listener)
{
    (void)listener;
    return 0;
}

static const char *memory_address(const vow_listener *listener)
{
    return ((const memory_listener *)listener)->address;
}

const vow_transport vow_transport_memory = {
    .scheme = "memory",
    .connect = memory_connect,
    .adopt = memory_adopt,
    .write = memory_write,
    .pause = memory_pause,
    .resume = memory_resume,
    .close = memory_close,
    .finish = memory_finish,
    .peer = memory_peer,
    .peer_host = memory_peer_host,
    .local = memory_local,
    .is_local = memory_is_local,
    .listen = memory_listen,
    .unlisten = memory_unlisten,
    .port = memory_port,
    .address = memory_address,
};
