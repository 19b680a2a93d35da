/*
 * Dialling: from a target to a stream, over however many addresses it stands for.
 *
 * The idea: addresses are tried in order, the next one when the last has failed or has had VOW_DIAL_PAUSE_MS
 * for itself. The first to connect wins, and the others are closed. So an address that swallows what is sent
 * to it costs a quarter of a second, and not the time that the caller gave. A host's name is a step of its
 * own: it is looked up when its turn comes, and its addresses take its place.
 *
 *     tcp://a:1,b:2    a --> [a6, a4], b        b waits while a's addresses are tried
 *
 * A stream that connected may yet prove to be of no use. Until vow_dial_stop the dial knows the addresses
 * that are left, and goes on with them when it is told to.
 *
 * The rule: an event never comes inside a call to the dial, and none after `failed`. The caller bounds the
 * time.
 *
 * Source: RFC 8305, sections 4 and 5.
 */
#ifndef VOW_TRANSPORT_DIAL_H
#define VOW_TRANSPORT_DIAL_H

#include "runtime/transport/transport.h"

/* RFC 8305, section 5: the Connection Attempt Delay. */
#define VOW_DIAL_PAUSE_MS 250

/* Of a text that says why no address could be reached. */
#define VOW_DIAL_CAUSES_MAX 1024

/* Of a host with its port. */
#define VOW_DIAL_AUTHORITY_MAX 300

typedef struct vow_dial vow_dial;

typedef struct vow_dial_events {
    void (*opened)(void *owner, vow_stream *stream);    /* connected; `stream` is given: adopt or close it */
    void (*failed)(void *owner, const vow_status *why); /* no address is left; `why` is lent */
} vow_dial_events;

/* Begins to connect to `target`. Gives the dial (vow_dial_stop), or NULL and fills `error`. */
vow_dial *vow_dial_start(vow_loop *loop, const char *target, const vow_dial_events *events, void *owner,
                         vow_error *error);

/* The stream that was opened is of no use, and is closed: goes on with the addresses that are left. */
void vow_dial_go_on(vow_dial *dial, const vow_status *why);

/* Of the stream that was opened: the host that the target names for it, whatever its address. */
const char *vow_dial_host(const vow_dial *dial);

/* Writes the same with its port, "example.com:7000"; where there is no network, "localhost". */
void vow_dial_authority(const vow_dial *dial, char text[VOW_DIAL_AUTHORITY_MAX]);

/* Writes what became of the addresses so far, with "; " before it; "" where the target is a single one. */
void vow_dial_tell(const vow_dial *dial, char *text, size_t size);

/* Ends what is under way. Takes the dial; NULL: does nothing. */
void vow_dial_stop(vow_dial *dial);

/* Can there be such a target? Fails: VOW_INVALID_ARGUMENT, and says what is wrong. */
vow_code vow_dial_check(const char *target, vow_error *error);

#endif
