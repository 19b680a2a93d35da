#include "runtime/transport/address.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define TCP "tcp://"
#define UNIX "unix://"

static vow_code tcp_refuse(const char *text, const char *why, vow_error *error)
{
    return vow_error_set(error, VOW_INVALID_ARGUMENT,
                         "%.120s: %s; write tcp://host:port, with an IPv6 address in brackets: tcp://[::1]:7000", text,
                         why);
}

static bool port_parse(const char *text, char port[6])
{
    size_t size = strspn(text, "0123456789");
    long   number = 0;

    if (size == 0 || size > 5 || text[size])
        return false;
    for (size_t i = 0; i < size; i++)
        number = number * 10 + (text[i] - '0');
    memcpy(port, text, size + 1);
    return number <= 65535;
}

vow_code vow_tcp_address_parse(const char *text, vow_tcp_address *address, vow_error *error)
{
    const char *host = text + strlen(TCP);
    bool        in_brackets = *host == '[';
    const char *end = in_brackets ? strchr(host, ']') : strrchr(host, ':');
    const char *colon = in_brackets && end ? end + 1 : end;
    size_t      size;

    if (!end || *colon != ':')
        return tcp_refuse(text, "there is no port", error);
    host += in_brackets;
    size = (size_t)(end - host);
    if (size >= sizeof address->host)
        return tcp_refuse(text, "the host's name is too long", error);
    if (!in_brackets && memchr(host, ':', size))
        return tcp_refuse(text, "an IPv6 address stands in brackets", error);
    if (!port_parse(colon + 1, address->port))
        return tcp_refuse(text, "the port is no number from 0 to 65535", error);
    memcpy(address->host, host, size);
    address->host[size] = '\0';
    return VOW_OK;
}

const char *vow_unix_address_path(const char *text, vow_error *error)
{
    const char        *path = text + strlen(UNIX);
    struct sockaddr_un address;

    if (*path != '/') {
        vow_error_set(error, VOW_INVALID_ARGUMENT, "%.120s: the path does not begin with a slash; write unix:///path",
                      text);
        return NULL;
    }
    if (strlen(path) >= sizeof address.sun_path) {
        /* libuv 1.44 would cut it, and bind or connect to another path. */
        vow_error_set(error, VOW_INVALID_ARGUMENT, "%.160s: the path has %zu bytes; a Unix socket's has at most %zu",
                      text, strlen(path), sizeof address.sun_path - 1);
        return NULL;
    }
    return path;
}
