/*
 * The weather station's service: what server.c offers to the world, and simulated.c tests.
 */
#ifndef STATION_H
#define STATION_H

#include <vow/vow.h>

struct station {
    size_t readings; /* that are being taken now */
};

/* Adds the service to `server`. `station` is lent as long as the server lives. */
void station_serve(struct station *station, vow_server *server);

#endif
