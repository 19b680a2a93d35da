/*
 * The inside of a stream on a socket; connect.c brings it into being, socket_stream.c does the rest.
 *
 *     FRESH -> OPEN -> FINISHING -> CLOSED
 *
 * A stream is freed when it is CLOSED and nothing of libuv's points at it any more (`pins`).
 */
#ifndef VOW_TRANSPORT_SOCKET_STREAM_H
#define VOW_TRANSPORT_SOCKET_STREAM_H

#include "runtime/transport/socket.h"

#include <uv.h>

typedef enum vow_socket_state {
    VOW_SOCKET_FRESH, /* connecting, or just accepted */
    VOW_SOCKET_OPEN,
    VOW_SOCKET_FINISHING, /* our side has ended; what the peer still sends is thrown away */
    VOW_SOCKET_CLOSED
} vow_socket_state;

typedef struct vow_connector vow_connector; /* what is needed until the socket is connected; see connect.c */

typedef struct vow_socket {
    vow_stream       stream; /* first; what each read and write looks at follows, and shares lines of the cache */
    vow_socket_state state;
    unsigned         pins;
    bool             is_paused;
    bool             is_reading;
    bool             is_resting; /* until the loop's next iteration */
    bool             is_local;
    bool             is_unix;
    int              error;      /* of a write that failed at once; libuv's */
    size_t           read_bytes; /* in a row, each read filling its room */
    vow_task         broken;     /* reports that write */
    union {
        uv_handle_t any;
        uv_stream_t stream;
        uv_tcp_t    tcp;
        uv_pipe_t   pipe;
    } handle;
    uv_write_t      write;
    uv_shutdown_t   shutdown;
    size_t          lingered_bytes; /* discarded since it was finished */
    vow_timer       linger;     /* bounds FINISHING */
    char            peer[128];
    char            host[64];
    char           *target;    /* of a stream that connects: for messages */
    vow_connector  *connector; /* NULL: connected */
} vow_socket;

vow_socket *vow_socket_new(vow_loop *loop, const vow_transport *transport);

/* Forgets one of libuv's pointers to the socket, and frees it if that was the last and it is closed. */
void vow_socket_unpin(vow_socket *socket);

/* Takes a connected descriptor. False: it could not, and has closed it. */
bool vow_socket_take(vow_socket *socket, int descriptor);
void vow_socket_start_reading(vow_socket *socket);

/* Reports the end to the owner, and closes. `why` is given. */
void vow_socket_fail(vow_socket *socket, vow_status why);

/* connect.c */

vow_stream *vow_socket_connect_tcp(vow_loop *loop, const char *target, const vow_stream_events *events, void *owner,
                                   vow_error *error);
vow_stream *vow_socket_connect_unix(vow_loop *loop, const char *target, const vow_stream_events *events, void *owner,
                                    vow_error *error);

/* Ends what is under way; `pins` keep the socket until libuv is done with it. */
void vow_connector_end(vow_socket *socket);
void vow_connector_free(vow_socket *socket);

#endif
