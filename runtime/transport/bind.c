/*
 * From an address to a listening descriptor.
 */
#include "runtime/transport/address.h"
#include "runtime/transport/socket.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 1024

static vow_code bind_refuse(const char *address, int error_number, vow_error *error)
{
    switch (error_number) {
    case EADDRINUSE:
        return vow_error_set(
            error, VOW_ALREADY_EXISTS,
            "cannot listen on %.150s: the address is in use; stop who listens there, or choose "
            "another",
            address);
    case EACCES:
    case EPERM:
        return vow_error_set(
            error, VOW_PERMISSION_DENIED,
            "cannot listen on %.150s: permission denied; choose a port above 1023, or a path where "
            "you may write",
            address);
    case EMFILE:
    case ENFILE:
        return vow_error_set(error, VOW_RESOURCE_EXHAUSTED,
                             "cannot listen on %.150s: out of file descriptors (see ulimit -n)", address);
    default:
        return vow_error_set(error, VOW_INVALID_ARGUMENT, "cannot listen on %.150s: %s", address,
                             strerror(error_number));
    }
}

/* Gives a descriptor, or a negative errno. */
static int bind_and_listen(const struct sockaddr *address, socklen_t size)
{
    int descriptor = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int one = 1;
    int error;

    if (descriptor < 0)
        return -errno;
    if (address->sa_family != AF_UNIX)
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(descriptor, address, size) == 0 && listen(descriptor, BACKLOG) == 0)
        return descriptor;
    error = errno;
    close(descriptor);
    return -error;
}

/* TCP */

static int bound_port(int descriptor)
{
    struct sockaddr_storage address;
    socklen_t               size = sizeof address;

    if (getsockname(descriptor, (struct sockaddr *)&address, &size) != 0)
        return 0;
    if (address.ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)(const void *)&address)->sin6_port);
    return ntohs(((const struct sockaddr_in *)(const void *)&address)->sin_port);
}

static int bind_first_that_can(const struct addrinfo *addresses)
{
    int descriptor = -EADDRNOTAVAIL;

    for (const struct addrinfo *next = addresses; next && descriptor < 0; next = next->ai_next)
        descriptor = bind_and_listen(next->ai_addr, next->ai_addrlen);
    return descriptor;
}

static vow_code bind_tcp(const char *text, vow_bound *bound, vow_error *error)
{
    const struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM };
    vow_tcp_address       address;
    struct addrinfo      *addresses;
    vow_code              code = vow_tcp_address_parse(text, &address, error);
    int                   failed;

    if (code != VOW_OK)
        return code;
    failed = getaddrinfo(address.host[0] ? address.host : NULL, address.port, &hints, &addresses);
    if (failed)
        return vow_error_set(error, VOW_INVALID_ARGUMENT,
                             "cannot listen on %.150s: the host cannot be resolved: %s", text,
                             gai_strerror(failed));
    bound->descriptor = bind_first_that_can(addresses);
    freeaddrinfo(addresses);
    if (bound->descriptor < 0)
        return bind_refuse(text, -bound->descriptor, error);
    bound->port = bound_port(bound->descriptor);
    bound->path[0] = '\0';
    snprintf(bound->address, sizeof bound->address,
             strchr(address.host, ':') ? "tcp://[%.150s]:%d" : "tcp://%.150s:%d", address.host, bound->port);
    return VOW_OK;
}

/* Unix */

/* Does nobody listen on the socket that the file stands for? */
static bool socket_is_stale(const struct sockaddr_un *address)
{
    struct stat file;
    int         descriptor;
    bool        refused;

    if (lstat(address->sun_path, &file) != 0 || !S_ISSOCK(file.st_mode))
        return false;
    descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return false;
    refused =
        connect(descriptor, (const struct sockaddr *)address, sizeof *address) != 0 && errno == ECONNREFUSED;
    close(descriptor);
    return refused;
}

/* The mask keeps others out from the first moment; chmod then lets in whom the mode allows. */
static int bind_with_mode(const struct sockaddr_un *address, unsigned mode)
{
    mode_t mask = umask(0177);
    int    descriptor = bind_and_listen((const struct sockaddr *)address, sizeof *address);

    umask(mask);
    if (descriptor >= 0 && chmod(address->sun_path, mode ? mode : 0600) != 0) {
        int error = errno;

        close(descriptor);
        unlink(address->sun_path);
        return -error;
    }
    return descriptor;
}

static vow_code bind_unix(const char *text, unsigned mode, vow_bound *bound, vow_error *error)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    const char        *path = vow_unix_address_path(text, error);
    struct stat        file;

    if (!path)
        return VOW_INVALID_ARGUMENT;
    strcpy(address.sun_path, path);
    bound->descriptor = bind_with_mode(&address, mode);
    if (bound->descriptor == -EADDRINUSE && socket_is_stale(&address) && unlink(path) == 0)
        bound->descriptor = bind_with_mode(&address, mode);
    if (bound->descriptor == -EADDRINUSE && lstat(path, &file) == 0 && !S_ISSOCK(file.st_mode))
        return vow_error_set(
            error, VOW_ALREADY_EXISTS,
            "cannot listen on %.150s: there is a file that is no socket; choose another path", text);
    if (bound->descriptor < 0)
        return bind_refuse(text, -bound->descriptor, error);
    if (lstat(path, &file) == 0) {
        bound->device = file.st_dev;
        bound->file = file.st_ino;
    }
    bound->port = 0;
    strcpy(bound->path, path);
    snprintf(bound->address, sizeof bound->address, "unix://%s", path);
    return VOW_OK;
}

/* Both */

vow_code vow_bind(const char *address, unsigned unix_mode, vow_bound *bound, vow_error *error)
{
    if (strncmp(address, "unix:", 5) == 0)
        return bind_unix(address, unix_mode, bound, error);
    return bind_tcp(address, bound, error);
}

/* Is the file still the one that was bound, and does nobody listen there? A successor may have replaced it.
 * The number alone does not say so, since it is given again; nor does the silence, since a successor binds
 * before it listens. */
static bool path_is_ours(const vow_bound *bound)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct stat        file;

    strcpy(address.sun_path, bound->path);
    return lstat(bound->path, &file) == 0 && file.st_dev == bound->device && file.st_ino == bound->file &&
           socket_is_stale(&address);
}

void vow_unbind(vow_bound *bound)
{
    close(bound->descriptor);
    bound->descriptor = -1;
    if (bound->path[0] && path_is_ours(bound))
        unlink(bound->path);
}
