/*
 * The acceptor: one thread that accepts for loops that share addresses.
 *
 * The idea: an address is bound once; the acceptor takes connections from the kernel and hands their
 * descriptors round the loops that listen on it, in turn. SO_REUSEPORT would spread by a hash of the client's
 * address, unevenly, and drop what waits for a socket that is closed; this does neither.
 *
 *     acceptor thread --descriptor--> vow_loop_post --> member's loop --> vow_socket_accepted
 *
 * A member that closes while descriptors are on their way to it hands them on to the others.
 */
#ifndef VOW_TRANSPORT_ACCEPTOR_H
#define VOW_TRANSPORT_ACCEPTOR_H

#include "runtime/transport/transport.h"

typedef struct vow_member vow_member; /* one loop's part in an address */

/* Gives an acceptor (vow_acceptor_stop) whose thread runs, or NULL. Loops join by loop->acceptor. */
vow_acceptor *vow_acceptor_start(void);

/* Joins the thread. Takes it. Members have left. */
void vow_acceptor_stop(vow_acceptor *acceptor);

/* `take` is called on the loop's thread and is given a descriptor. On the loop's thread, one loop at a time. */
vow_code vow_acceptor_join(vow_acceptor *acceptor, vow_loop *loop, const char *address, unsigned unix_mode,
                           void (*take)(void *owner, int descriptor), void *owner, vow_member **joined,
                           vow_error *error);

/* On the loop's thread. Takes the member. The last one closes the address. */
void vow_acceptor_leave(vow_member *member);

int         vow_member_port(const vow_member *member);
const char *vow_member_address(const vow_member *member);

#endif
