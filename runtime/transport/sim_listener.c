#include "runtime/transport/sim_network.h"

#include "runtime/base/memory.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct sim_listener {
    vow_listener listener; /* first */
    vow_link     link;     /* in network->listeners */
    vow_place    place;
    char         address[VOW_PEER_MAX];
} sim_listener;

/* Places */

static bool text_begins(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static vow_code place_parse_name(const char *address, const char *scheme, const char *name, vow_place *place,
                                 vow_error *error)
{
    if (*name == '\0' || strlen(name) >= sizeof place->name)
        return vow_error_set(error, VOW_INVALID_ARGUMENT, "%.120s: a name has from 1 to %zu bytes", address,
                             sizeof place->name - 1);
    place->scheme = scheme;
    place->port = 0;
    strcpy(place->name, name);
    return VOW_OK;
}

static vow_code place_parse_tcp(const char *address, vow_place *place, vow_error *error)
{
    vow_tcp_address parsed;
    vow_code        code = vow_tcp_address_parse(address, &parsed, error);
    bool            is_this_machine;

    if (code != VOW_OK)
        return code;
    is_this_machine = strcmp(parsed.host, "localhost") == 0 || strcmp(parsed.host, "::1") == 0;
    place->scheme = "tcp";
    place->port = (unsigned)strtoul(parsed.port, NULL, 10);
    strcpy(place->name, is_this_machine ? "127.0.0.1" : parsed.host);
    return VOW_OK;
}

vow_code vow_place_parse(const char *address, vow_place *place, vow_error *error)
{
    const char *path;

    if (text_begins(address, "tcp://"))
        return place_parse_tcp(address, place, error);
    if (text_begins(address, "memory://"))
        return place_parse_name(address, "memory", address + strlen("memory://"), place, error);
    path = vow_unix_address_path(address, error);
    return path ? place_parse_name(address, "unix", path, place, error) : VOW_INVALID_ARGUMENT;
}

void vow_place_print(const vow_place *place, char *text, size_t size)
{
    if (strcmp(place->scheme, "tcp") != 0)
        snprintf(text, size, "%s://%s", place->scheme, place->name);
    else if (strchr(place->name, ':'))
        snprintf(text, size, "tcp://[%s]:%u", place->name, place->port);
    else
        snprintf(text, size, "tcp://%s:%u", place->name, place->port);
}

bool vow_place_is_numeric(const vow_place *place)
{
    unsigned char number[sizeof(struct in6_addr)];

    return strcmp(place->scheme, "tcp") != 0 || inet_pton(AF_INET, place->name, number) == 1 ||
           inet_pton(AF_INET6, place->name, number) == 1;
}

bool vow_place_is_on_this_machine(const vow_place *place)
{
    return strcmp(place->scheme, "tcp") != 0 || text_begins(place->name, "127.");
}

/* Finding */

static bool place_is_every_host(const vow_place *place)
{
    return strcmp(place->scheme, "tcp") == 0 &&
           (place->name[0] == '\0' || strcmp(place->name, "0.0.0.0") == 0 || strcmp(place->name, "::") == 0);
}

static bool place_serves(const vow_place *place, const char *scheme, const char *name, unsigned port)
{
    if (strcmp(place->scheme, scheme) != 0 || place->port != port)
        return false;
    return place_is_every_host(place) || strcmp(place->name, name) == 0;
}

static sim_listener *listener_find(const vow_network *network, const char *scheme, const char *name,
                                   unsigned port)
{
    for (vow_link *link = network->listeners.head.next; link != &network->listeners.head; link = link->next) {
        sim_listener *listener = VOW_OWNER(link, sim_listener, link);

        if (place_serves(&listener->place, scheme, name, port))
            return listener;
    }
    return NULL;
}

vow_listener *vow_network_listener_at(const vow_network *network, const vow_place *place)
{
    sim_listener *found = listener_find(network, place->scheme, place->name, place->port);

    if (!found && !vow_place_is_numeric(place))
        found = listener_find(network, place->scheme, "127.0.0.1", place->port);
    return found ? &found->listener : NULL;
}

/* Listening */

static bool place_is_busy(const vow_network *network, const vow_place *place)
{
    for (vow_link *link = network->listeners.head.next; link != &network->listeners.head; link = link->next) {
        const vow_place *other = &VOW_OWNER(link, sim_listener, link)->place;

        if (place_serves(other, place->scheme, place->name, place->port) ||
            place_serves(place, other->scheme, other->name, other->port))
            return true;
    }
    return false;
}

vow_code vow_simulated_listen(vow_loop *loop, const char *address, const vow_listener_options *options,
                              vow_accept_fn *accept, void *owner, vow_listener **opened, vow_error *error)
{
    vow_network  *network = loop->network;
    sim_listener *listener;
    vow_place     place;
    vow_code      code = vow_place_parse(address, &place, error);

    (void)options; /* there is no file whose mode could be set */
    if (code != VOW_OK)
        return code;
    if (strcmp(place.scheme, "tcp") == 0 && place.port == 0)
        place.port = vow_network_new_port(network);
    if (place_is_busy(network, &place))
        return vow_error_set(
            error, VOW_ALREADY_EXISTS,
            "cannot listen on %.150s: the address is in use; stop who listens there, or choose another",
            address);
    listener = vow_alloc_zeroed(sizeof *listener);
    if (!listener)
        return vow_error_set(error, VOW_RESOURCE_EXHAUSTED, "cannot listen on %.150s: no memory", address);
    listener->listener = (vow_listener){ &vow_transport_simulated, loop, accept, owner };
    listener->place = place;
    vow_place_print(&place, listener->address, sizeof listener->address);
    vow_list_append(&network->listeners, &listener->link);
    vow_scheduler_hold(vow_scheduler_of(loop));
    *opened = &listener->listener;
    return VOW_OK;
}

void vow_simulated_unlisten(vow_listener *listener)
{
    sim_listener *closing = (sim_listener *)listener;

    vow_link_remove(&closing->link);
    vow_scheduler_release(vow_scheduler_of(listener->loop));
    vow_free(closing);
}

void vow_network_free_listeners(vow_network *network)
{
    vow_link *link;

    while ((link = vow_list_first(&network->listeners)))
        vow_simulated_unlisten(&VOW_OWNER(link, sim_listener, link)->listener);
}

int vow_simulated_port(const vow_listener *listener)
{
    return (int)((const sim_listener *)listener)->place.port;
}

const char *vow_simulated_address(const vow_listener *listener)
{
    return ((const sim_listener *)listener)->address;
}
