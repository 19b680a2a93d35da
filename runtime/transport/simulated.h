/*
 * The simulated network: what lies between two ends on a simulated loop.
 *
 * The idea: one transport stands behind every scheme. A connection takes time, cuts what is written into
 * segments of random size, and meets the faults that a test asks for. Time, cuts and faults all follow from
 * the loop's seed, so that a run that failed can be had again.
 *
 * Hosts are names only: a listener on "tcp://10.0.0.2:7000" is found under exactly that host and port.
 * "localhost", "[::1]" and names nobody listens on stand for 127.0.0.1, and 0.0.0.0 for every host. A name can be
 * given addresses.
 */
#ifndef VOW_TRANSPORT_SIMULATED_H
#define VOW_TRANSPORT_SIMULATED_H

#include "runtime/transport/transport.h"

#include <vow/testing.h>

extern const vow_transport vow_transport_simulated;

typedef struct vow_network_counts {
    uint64_t attempts;    /* connections that were tried */
    uint64_t connections; /* that came about */
    uint64_t segments;    /* pieces in which bytes arrived */
    uint64_t bytes;       /* that arrived */
    uint64_t refused;     /* also for want of a listener */
    uint64_t hung;
    uint64_t resets; /* by the network, not by an end that closed too early */
    uint64_t black_holes;
    uint64_t stalls;
    uint64_t slow;
    uint64_t one_byte;
} vow_network_counts;

vow_network_counts vow_network_count(const vow_network *network);

/* A hash of all that happened so far: when, what, on which connection, how many bytes. */
uint64_t vow_network_trace(const vow_network *network);

/* Gives `name` one more address, `host` in figures, as a resolver would: a channel looks such a name up, and tries
 * all that it finds. Fails: no memory. */
vow_code vow_network_add_name(vow_network *network, const char *name, const char *host);

/* Forgets the addresses of `name`; NULL: of all names. */
void vow_network_forget_name(vow_network *network, const char *name);

/* Attempts to connect to `host` never end from now on, until vow_network_heal. Fails: no memory. */
vow_code vow_network_swallow(vow_network *network, const char *host);

#endif
