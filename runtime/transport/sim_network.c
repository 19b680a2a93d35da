#include "runtime/transport/sim_network.h"

#include "runtime/base/memory.h"
#include "runtime/base/rule.h"
#include "runtime/loop/sim_loop.h"

#include <string.h>

#define FIRST_PORT 49152 /* RFC 6335, section 6: those that nobody registers */
#define PORTS (65536 - FIRST_PORT)

/* Life */

vow_network *vow_network_new(vow_loop *loop, uint64_t seed)
{
    vow_network *network = vow_alloc_zeroed(sizeof *network);

    if (!network)
        return NULL;
    network->loop = loop;
    network->random = seed;
    vow_list_init(&network->cables);
    vow_list_init(&network->listeners);
    vow_list_init(&network->names);
    vow_list_init(&network->swallowed);
    vow_pool_init(&network->rings, VOW_PIPE_BYTES);
    return network;
}

void vow_network_free(vow_network *network)
{
    vow_link *link;

    vow_network_free_listeners(network);
    vow_network_forget_name(network, NULL);
    vow_network_forget_swallowed(network);
    while ((link = vow_list_first(&network->cables)))
        vow_cable_free(VOW_OWNER(link, vow_cable, link));
    vow_pool_done(&network->rings);
    vow_free(network);
}

vow_network *vow_network_of(vow_loop *loop)
{
    return loop->network;
}

/* Chance and record */

uint64_t vow_network_now_ns(const vow_network *network)
{
    return vow_scheduler_now_ns(vow_scheduler_of(network->loop));
}

uint64_t vow_network_random_magnitude(vow_network *network, unsigned bits)
{
    uint64_t top = (uint64_t)1 << vow_random_below(&network->random, bits + 1);

    return 1 + vow_random_below(&network->random, top);
}

unsigned vow_network_new_port(vow_network *network)
{
    return FIRST_PORT + network->last_port++ % PORTS;
}

static void trace_add(vow_network *network, uint64_t word)
{
    uint64_t state = network->trace ^ word;

    network->trace = vow_random_next(&state);
}

void vow_network_note(vow_network *network, vow_network_event event, const vow_cable *cable, uint64_t size)
{
    trace_add(network, vow_network_now_ns(network));
    trace_add(network, (uint64_t)event);
    trace_add(network, cable->number);
    trace_add(network, size);
}

uint64_t vow_network_trace(const vow_network *network)
{
    return network->trace;
}

vow_network_counts vow_network_count(const vow_network *network)
{
    return network->counts;
}

/* What a test does to it */

void vow_network_set_faults(vow_network *network, const vow_network_faults *faults)
{
    VOW_RULE(!faults || faults->size > 0, "faults of a network carry their size: VOW_NETWORK_FAULTS fills it in");
    network->faults = (vow_network_faults){ .size = sizeof network->faults };
    if (faults)
        memcpy(&network->faults, faults,
               faults->size < sizeof network->faults ? faults->size : sizeof network->faults);
}

void vow_network_reset(vow_network *network)
{
    for (vow_link *link = network->cables.head.next; link != &network->cables.head; link = link->next)
        vow_cable_reset(VOW_OWNER(link, vow_cable, link));
}

static void network_silence(vow_network *network, uint64_t until_ns)
{
    for (vow_link *link = network->cables.head.next; link != &network->cables.head; link = link->next)
        vow_cable_silence(VOW_OWNER(link, vow_cable, link), until_ns);
}

void vow_network_cut(vow_network *network)
{
    network->is_cut = true;
    network_silence(network, VOW_NEVER);
}

void vow_network_refuse(vow_network *network)
{
    network->is_refusing = true;
}

void vow_network_heal(vow_network *network)
{
    network->is_cut = false;
    network->is_refusing = false;
    vow_network_forget_swallowed(network);
    network_silence(network, 0);
}
