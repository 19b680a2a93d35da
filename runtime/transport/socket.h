/*
 * tcp:// and unix://: streams and listeners on sockets.
 *
 *     socket_stream.c  a connected socket on libuv: reading within a budget, writing, ending
 *     connect.c        from one address to a connected socket
 *     lookup.c         the addresses of a name
 *     bind.c           from an address to a listening descriptor
 *     listener.c       accepting on a loop, alone or as one of an acceptor's members
 */
#ifndef VOW_TRANSPORT_SOCKET_H
#define VOW_TRANSPORT_SOCKET_H

#include "runtime/transport/transport.h"

#include <sys/socket.h>
#include <sys/types.h>

extern const vow_transport vow_transport_tcp;
extern const vow_transport vow_transport_unix;

/* bind.c */

typedef struct vow_bound {
    int  descriptor; /* non-blocking, listening */
    int  port;       /* 0: a Unix socket */
    char address[192];
    char path[108]; /* of a Unix socket; "" for tcp */
    dev_t device;   /* of its file */
    ino_t file;
} vow_bound;

/* Binds and listens. A name is resolved on the spot: a server does so when it starts. */
vow_code vow_bind(const char *address, unsigned unix_mode, vow_bound *bound, vow_error *error);

/* Closes the descriptor and removes a Unix socket's file, unless another has taken its place. */
void vow_unbind(vow_bound *bound);

/* socket_stream.c */

/* A stream on a connected descriptor, which it takes. NULL: no memory, and it is closed. */
vow_stream *vow_socket_accepted(vow_loop *loop, int descriptor);

/* listener.c */

vow_code    vow_socket_listen(vow_loop *loop, const char *address, const vow_listener_options *options,
                              vow_accept_fn *accept, void *owner, vow_listener **opened, vow_error *error);
void        vow_socket_unlisten(vow_listener *listener);
int         vow_socket_port(const vow_listener *listener);
const char *vow_socket_address(const vow_listener *listener);

/* How often one wake-up accepts, before others have their turn. */
#define VOW_ACCEPTS_MAX 64

/* How long accepting pauses when descriptors or memory have run out. */
#define VOW_ACCEPT_PAUSE_MS 100

/* Is there nothing wrong with the listener, only with this moment? */
bool vow_accept_ran_out(int error_number);

#endif
