/*
 * The almanac's service: calls that stream, in each way.
 */
#ifndef ALMANAC_H
#define ALMANAC_H

#include <vow/vow.h>

/* Adds the service to `server`. */
void almanac_serve(vow_server *server);

/* Adds one that relays Watch from another almanac. `upstream` is lent as long as the server lives. */
void almanac_serve_relay(vow_server *server, vow_channel *upstream);

#endif
