/*
 * Addresses: what stands behind "tcp://" and "unix://".
 *
 * The idea: parsed once, into buffers of fixed size, with messages that say what a good one looks like.
 */
#ifndef VOW_TRANSPORT_ADDRESS_H
#define VOW_TRANSPORT_ADDRESS_H

#include <vow/status.h>

#define VOW_HOST_MAX 256 /* RFC 1035, section 2.3.4, and a NUL */

typedef struct vow_tcp_address {
    char host[VOW_HOST_MAX]; /* without brackets; "" stands for every address of this machine */
    char port[6];
} vow_tcp_address;

/* "tcp://host:port", "tcp://[::1]:port". Fails: VOW_INVALID_ARGUMENT. */
vow_code vow_tcp_address_parse(const char *text, vow_tcp_address *address, vow_error *error);

/* The path of "unix:///path"; it lies in `text`. NULL: it is no path, or longer than a socket's may be. */
const char *vow_unix_address_path(const char *text, vow_error *error);

#endif
