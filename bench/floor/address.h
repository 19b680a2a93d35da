/* Addresses as the benchmark's programs take them: "tcp://127.0.0.1:7000", IPv4 and no names. */
#ifndef BENCH_FLOOR_ADDRESS_H
#define BENCH_FLOOR_ADDRESS_H

#include <netinet/in.h>

/* Exits with status 2 when `url` is none. */
struct sockaddr_in bench_address_read(const char *url);

#endif
