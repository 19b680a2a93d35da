/*
 * Transports: what moves bytes. TCP, Unix sockets, memory, the simulated network.
 *
 * The idea: a stream is a pair of byte pipes with one write under way at most. Who owns it keeps its
 * output together and hands over slices of it; the stream takes what goes at once, and borrows the
 * rest until it says so. Reading goes straight into room that the owner names, so that nothing is
 * copied on the way.
 *
 * The rule: `closed` is a stream's last event, and comes unless the owner closed it. After
 * vow_stream_close there are no more events and the slices it borrowed are the owner's again. An
 * event never comes inside a call to the stream.
 */
#ifndef VOW_TRANSPORT_TRANSPORT_H
#define VOW_TRANSPORT_TRANSPORT_H

#include "runtime/base/status.h"
#include "runtime/loop/loop.h"

typedef struct vow_stream    vow_stream;
typedef struct vow_listener  vow_listener;
typedef struct vow_transport vow_transport;

typedef struct vow_slice {
    const uint8_t *data;
    size_t         size;
} vow_slice;

typedef struct vow_room {
    uint8_t *data;
    size_t   size;
} vow_room;

/* libuv allocates for more; see uv_write. */
#define VOW_WRITE_SLICES 4

/* One connection is read for at most this much in one iteration of the loop, so that it cannot
 * starve the others: libuv by itself would read 32 times before anything is flushed. */
#define VOW_READ_BUDGET ((size_t)256 << 10)

/* What the owner of a stream implements. All of it runs inside vow_scheduler_enter/leave. */
typedef struct vow_stream_events {
    void (*opened)(void *owner);                       /* the connection is there; not for accepted streams */
    vow_room (*room)(void *owner);                     /* where the next bytes go; size 0: no memory, closes */
    void (*read)(void *owner, size_t size);            /* `size` bytes lie in the room given last */
    void (*written)(void *owner);                      /* the slices that were borrowed have left */
    void (*closed)(void *owner, const vow_status *why); /* gone; `why` is lent. OK: the peer ended it in order */
} vow_stream_events;

/* Connects to one address ("tcp://127.0.0.1:7000", "unix:///path", "memory://name"); reading starts once it is
 * adopted. dial.h does so for names and lists. The caller bounds the time: vow_stream_close ends an attempt, too.
 * Gives the stream, or NULL and fills `error` when it could not even begin. */
vow_stream *vow_stream_connect(vow_loop *loop, const char *target, const vow_stream_events *events, void *owner,
                               vow_error *error);

/* Sets the owner of a stream that is open, and starts reading: one that was accepted has none before; one that has an
 * owner is handed on. */
void vow_stream_adopt(vow_stream *stream, const vow_stream_events *events, void *owner);

/* Gives back bytes that were read: who adopts the stream before this turn is over reads them first.
 * Fails: no memory. */
vow_code vow_stream_unread(vow_stream *stream, const void *data, size_t size);

/* Writes `count` slices (1 … VOW_WRITE_SLICES, none empty). True: all have left. False: they are lent until
 * `written`, before which nothing else may be written. A failure comes as `closed`. */
bool vow_stream_write(vow_stream *stream, const vow_slice *slices, size_t count);

/* Writes as much as leaves at once, and lends nothing; no write may be under way. Gives the bytes that have left: 0 may
 * mean a failure too, which the next vow_stream_write meets. */
size_t vow_stream_try_write(vow_stream *stream, const vow_slice *slices, size_t count);

/* Stops and starts reading: how a reader makes the peer wait. A stream reads from the start. */
void vow_stream_pause(vow_stream *stream);
void vow_stream_resume(vow_stream *stream);

/* Ends the stream now, what is under way included. Takes it. */
void vow_stream_close(vow_stream *stream);

/* As vow_stream_close, but in good order: what was written last arrives even when the peer is still sending.
 * Ends our side, then discards what comes for a moment (1 s, 1 MiB) before it closes. No write is under way. */
void vow_stream_finish(vow_stream *stream);

/* "tcp://10.0.0.7:52144"; lives as long as the stream; "" before it is open. */
const char *vow_stream_peer(const vow_stream *stream);

/* Our own end, as the peer sees it, into `text`: "tcp://10.0.0.1:7000". Of an open stream. */
void vow_stream_local(const vow_stream *stream, char *text, size_t size);

/* What either of them takes, at most. */
#define VOW_ENDPOINT_MAX 192

/* Is the peer on this machine? Such peers are exempt from limits per address. */
bool vow_stream_is_local(const vow_stream *stream);

/* "10.0.0.7": what limits per peer count; lives as long as the stream. */
const char *vow_stream_peer_host(const vow_stream *stream);

typedef struct vow_listener_options {
    unsigned unix_mode; /* of a Unix socket's file; 0: 0600 */
} vow_listener_options;

/* `stream` is given: adopt or close it. */
typedef void vow_accept_fn(void *owner, vow_stream *stream);

/* Listens on `address`; an open listener keeps the loop alive. Running out of file descriptors makes it pause and
 * go on, not end.
 * Fails: VOW_ALREADY_EXISTS, VOW_PERMISSION_DENIED, VOW_INVALID_ARGUMENT, VOW_RESOURCE_EXHAUSTED, with what to do. */
vow_code vow_listener_open(vow_loop *loop, const char *address, const vow_listener_options *options,
                           vow_accept_fn *accept, void *owner, vow_listener **opened, vow_error *error);
void     vow_listener_close(vow_listener *listener); /* takes it; removes the file of a Unix socket */

/* The port of a tcp:// listener; else 0. */
int vow_listener_port(const vow_listener *listener);

/* "tcp://127.0.0.1:7000", with the port that the system chose. */
const char *vow_listener_address(const vow_listener *listener);

/* What a transport implements; the functions above dispatch to it */

struct vow_stream {
    const vow_transport     *transport;
    vow_loop                *loop;   /* lent */
    const vow_stream_events *events; /* NULL: accepted and not adopted */
    void                    *owner;
    struct vow_unread       *unread; /* NULL: nothing was given back */
};

/* For a transport that ends a stream by itself. */
void vow_stream_drop_unread(vow_stream *stream);

struct vow_listener {
    const vow_transport *transport;
    vow_loop            *loop;
    vow_accept_fn       *accept;
    void                *owner;
};

struct vow_transport {
    const char *scheme; /* "tcp" */
    vow_stream *(*connect)(vow_loop *loop, const char *target, const vow_stream_events *events, void *owner,
                           vow_error *error);
    void (*adopt)(vow_stream *stream);
    bool (*write)(vow_stream *stream, const vow_slice *slices, size_t count);
    size_t (*try_write)(vow_stream *stream, const vow_slice *slices, size_t count); /* NULL: writes nothing */
    void (*pause)(vow_stream *stream);
    void (*resume)(vow_stream *stream);
    void (*close)(vow_stream *stream);
    void (*finish)(vow_stream *stream);
    const char *(*peer)(const vow_stream *stream);
    const char *(*peer_host)(const vow_stream *stream);
    void (*local)(const vow_stream *stream, char *text, size_t size);
    bool (*is_local)(const vow_stream *stream);
    vow_code (*listen)(vow_loop *loop, const char *address, const vow_listener_options *options, vow_accept_fn *accept,
                       void *owner, vow_listener **opened, vow_error *error);
    void (*unlisten)(vow_listener *listener);
    int (*port)(const vow_listener *listener);
    const char *(*address)(const vow_listener *listener);
};

#endif
