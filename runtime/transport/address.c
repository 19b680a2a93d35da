#include "runtime/transport/address.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define TCP "tcp://"
#define UNIX "unix://"

/* One address */

static bool port_parse(const char *text, size_t size, char port[6])
{
    long number = 0;

    if (size == 0 || size > 5)
        return false;
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        number = number * 10 + (text[i] - '0');
    }
    memcpy(port, text, size);
    port[size] = '\0';
    return number <= 65535;
}

static const char *last_colon(const char *text, size_t size)
{
    while (size > 0 && text[size - 1] != ':')
        size--;
    return size > 0 ? text + size - 1 : NULL;
}

/* Reads "host:port"; gives what is wrong with it, or NULL. */
static const char *part_parse(const char *part, size_t part_size, vow_tcp_address *address)
{
    const char *end = part + part_size;
    bool        in_brackets = part_size > 0 && *part == '[';
    const char *host = part + in_brackets;
    const char *host_end = in_brackets ? memchr(part, ']', part_size) : last_colon(part, part_size);
    const char *colon = in_brackets && host_end ? host_end + 1 : host_end;
    size_t      size;

    if (!host_end || colon == end || *colon != ':')
        return "there is no port";
    size = (size_t)(host_end - host);
    if (size >= sizeof address->host)
        return "the host's name is too long";
    if (!in_brackets && memchr(host, ':', size))
        return "an IPv6 address stands in brackets";
    if (memchr(host, ' ', size))
        return "there is a space in the host's name";
    if (!port_parse(colon + 1, (size_t)(end - colon) - 1, address->port))
        return "the port is no number from 0 to 65535";
    memcpy(address->host, host, size);
    address->host[size] = '\0';
    return NULL;
}

vow_code vow_tcp_address_parse(const char *text, vow_tcp_address *address, vow_error *error)
{
    const char *part = text + strlen(TCP);
    const char *wrong = strchr(part, ',') ? "several addresses are for channels, one is listened on at a time"
                                          : part_parse(part, strlen(part), address);

    if (!wrong)
        return VOW_OK;
    return vow_error_set(
        error, VOW_INVALID_ARGUMENT,
        "%.100s: %s; write tcp://host:port, with an IPv6 address in brackets: tcp://[::1]:7000", text, wrong);
}

void vow_tcp_address_print(const char *host, const char *port, char *text, size_t size)
{
    snprintf(text, size, strchr(host, ':') ? TCP "[%s]:%s" : TCP "%s:%s", host, port);
}

bool vow_host_is_numeric(const char *host)
{
    const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM };
    struct addrinfo      *address;

    if (getaddrinfo(host, NULL, &hints, &address) != 0)
        return false;
    freeaddrinfo(address);
    return true;
}

/* What is wrong with an address that can be listened on, and not be connected to; or NULL. */
static const char *unreachable(const vow_tcp_address *address)
{
    if (!address->host[0])
        return "there is no host";
    if (address->port[strspn(address->port, "0")] == '\0')
        return "port 0 is for listening; vow_server_port says which one the server got";
    return NULL;
}

/* Several */

static vow_code list_refuse(const char *text, size_t place, const char *part, size_t part_size,
                            const char *wrong, vow_error *error)
{
    int shown = part_size < 60 ? (int)part_size : 60;

    return vow_error_set(error, VOW_INVALID_ARGUMENT,
                         "%.60s: address %zu of the list, \"%.*s\": %s; write tcp://host:port,host:port",
                         text, place, shown, part, wrong);
}

static vow_code list_of_one(const char *text, vow_tcp_address addresses[VOW_TARGET_HOSTS_MAX], size_t *count,
                            vow_error *error)
{
    vow_code    code = vow_tcp_address_parse(text, &addresses[0], error);
    const char *wrong = code == VOW_OK ? unreachable(&addresses[0]) : NULL;

    if (wrong)
        return vow_error_set(error, VOW_INVALID_ARGUMENT, "%.100s: %s; write tcp://host:port", text, wrong);
    *count = 1;
    return code;
}

vow_code vow_tcp_list_parse(const char *text, vow_tcp_address addresses[VOW_TARGET_HOSTS_MAX], size_t *count,
                            vow_error *error)
{
    const char *part = text + strlen(TCP);
    size_t      parsed = 0;

    if (!strchr(part, ','))
        return list_of_one(text, addresses, count, error);
    for (bool is_last = false; !is_last; parsed++) {
        size_t      size = strcspn(part, ",");
        const char *wrong;

        if (parsed == VOW_TARGET_HOSTS_MAX)
            return vow_error_set(error, VOW_INVALID_ARGUMENT, "%.100s: a target lists at most %d addresses",
                                 text, VOW_TARGET_HOSTS_MAX);
        wrong = size == 0 ? "it is empty" : part_parse(part, size, &addresses[parsed]);
        if (!wrong)
            wrong = unreachable(&addresses[parsed]);
        if (wrong)
            return list_refuse(text, parsed + 1, part, size, wrong, error);
        is_last = part[size] == '\0';
        part += size + 1;
    }
    *count = parsed;
    return VOW_OK;
}

/* Unix sockets */

const char *vow_unix_address_path(const char *text, vow_error *error)
{
    const char        *path = text + strlen(UNIX);
    struct sockaddr_un address;

    if (*path != '/') {
        vow_error_set(error, VOW_INVALID_ARGUMENT,
                      "%.120s: the path does not begin with a slash; write unix:///path", text);
        return NULL;
    }
    if (strlen(path) >= sizeof address.sun_path) {
        /* libuv 1.44 would cut it, and bind or connect to another path. */
        vow_error_set(error, VOW_INVALID_ARGUMENT,
                      "%.160s: the path has %zu bytes; a Unix socket's has at most %zu", text, strlen(path),
                      sizeof address.sun_path - 1);
        return NULL;
    }
    return path;
}
