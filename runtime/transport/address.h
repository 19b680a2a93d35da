/*
 * Addresses: what stands behind "tcp://" and "unix://".
 *
 * The idea: parsed once, into buffers of fixed size, with messages that say what a good one looks like.
 */
#ifndef VOW_TRANSPORT_ADDRESS_H
#define VOW_TRANSPORT_ADDRESS_H

#include <vow/status.h>

#include <stdbool.h>
#include <stddef.h>

#define VOW_HOST_MAX 256 /* RFC 1035, section 2.3.4, and a NUL */

/* The addresses that a target may list. */
#define VOW_TARGET_HOSTS_MAX 16

typedef struct vow_tcp_address {
    char host[VOW_HOST_MAX]; /* without brackets; "" stands for every address of this machine */
    char port[6];
} vow_tcp_address;

/* "tcp://host:port", "tcp://[::1]:port". Fails: VOW_INVALID_ARGUMENT. */
vow_code vow_tcp_address_parse(const char *text, vow_tcp_address *address, vow_error *error);

/* "tcp://host:port,host:port,…": 1 to VOW_TARGET_HOSTS_MAX of them. Fails: VOW_INVALID_ARGUMENT, naming the
 * part. */
vow_code vow_tcp_list_parse(const char *text, vow_tcp_address addresses[VOW_TARGET_HOSTS_MAX], size_t *count,
                            vow_error *error);

/* Writes "tcp://host:port", with brackets around an IPv6 address. */
void vow_tcp_address_print(const char *host, const char *port, char *text, size_t size);

/* Room for what vow_tcp_address_print writes. */
#define VOW_TCP_TEXT_MAX (VOW_HOST_MAX + 16)

/* Is the host an address in figures, which nobody need be asked for? */
bool vow_host_is_numeric(const char *host);

/* The path of "unix:///path"; it lies in `text`. NULL: it is no path, or longer than a socket's may be. */
const char *vow_unix_address_path(const char *text, vow_error *error);

#endif
