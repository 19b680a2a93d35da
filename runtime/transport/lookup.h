/*
 * Lookups: which addresses a host's name stands for.
 *
 * The idea: a resolver answers with a list in its order of preference (RFC 6724); vow tries the two families
 * in turn, since often all of one can't be reached, and it is not known which (RFC 8305, section 4). Sockets
 * ask the system's resolver on libuv's pool; a simulated network has names of its own.
 *
 * The rule: the answer never comes inside vow_lookup_start, and not after vow_lookup_stop.
 */
#ifndef VOW_TRANSPORT_LOOKUP_H
#define VOW_TRANSPORT_LOOKUP_H

#include "runtime/transport/transport.h"

/* Of one name, those that are tried; what a resolver gives beyond is left out. */
#define VOW_NAME_ADDRESSES_MAX 8

/* An IPv6 address with a zone, and a NUL: INET6_ADDRSTRLEN, '%', IF_NAMESIZE. */
#define VOW_NUMERIC_MAX 64

/* The addresses of a host, in figures and without brackets: up to VOW_NAME_ADDRESSES_MAX of either family. */
typedef struct vow_hosts {
    char     text[2][VOW_NAME_ADDRESSES_MAX][VOW_NUMERIC_MAX];
    size_t   count[2];
    unsigned first; /* the family that the resolver would try first */
} vow_hosts;

/* Adds what the resolver gave next. */
void vow_hosts_add(vow_hosts *hosts, const char *text);

/* What is to be tried as number `i` of 0 … VOW_NAME_ADDRESSES_MAX - 1, the families in turn. NULL: there is
 * none. */
const char *vow_hosts_at(const vow_hosts *hosts, size_t i);

/* `hosts` is lent; NULL: there are none, and `why` says so ("the name cannot be resolved: …"). */
typedef void vow_looked_up_fn(void *owner, const vow_hosts *hosts, const char *why);

/* What both kinds of lookup begin with. */
typedef struct vow_lookup {
    vow_loop         *loop; /* lent */
    vow_looked_up_fn *answer;
    void             *owner;
} vow_lookup;

/* Is `host` a name that must be looked up? False: an address in figures, or a name that the simulated network
 * was not given, which stands for itself there. */
bool vow_lookup_is_needed(const vow_loop *loop, const char *host);

/* Asks for the addresses of `host`, which is no address in figures. Gives the lookup, which ends by itself
 * once it has answered; or NULL, and fills `error`, when it could not begin. */
vow_lookup *vow_lookup_start(vow_loop *loop, const char *host, vow_looked_up_fn *answer, void *owner,
                             vow_error *error);

/* Nobody waits for the answer any more. Takes the lookup. */
void vow_lookup_stop(vow_lookup *lookup);

/* sim_lookup.c: on a simulated loop. NULL: no memory */

vow_lookup *vow_simulated_lookup_start(vow_loop *loop, const char *host, vow_looked_up_fn *answer,
                                       void *owner);
void        vow_simulated_lookup_stop(vow_lookup *lookup);
bool        vow_simulated_name_is_known(const vow_loop *loop, const char *name);

#endif
