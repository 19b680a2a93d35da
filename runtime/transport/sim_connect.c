#include "runtime/transport/sim_network.h"

#include <string.h>

#define RESOLVE_MIN_NS 100000u
#define RESOLVE_SPREAD_NS 5000000u

/* The attempt begins */

static uint64_t attempt_ends_ns(vow_cable *cable)
{
    vow_network *network = cable->network;
    uint64_t     resolving = RESOLVE_MIN_NS + vow_random_below(&network->random, RESOLVE_SPREAD_NS);
    uint64_t     refused = vow_random_below(&network->random, 1000);
    uint64_t     hung = vow_random_below(&network->random, 1000);
    uint64_t     ends = vow_network_now_ns(network) + 2 * cable->latency_ns;

    cable->is_refused = refused < network->faults.refused;
    if (!vow_place_is_numeric(&cable->place))
        ends += resolving;
    if (!vow_network_swallows(network, cable->place.name) && (cable->is_refused || hung >= network->faults.hung))
        return ends;
    network->counts.hung++;
    return VOW_NEVER;
}

vow_stream *vow_simulated_connect(vow_loop *loop, const char *target, const vow_stream_events *events,
                                  void *owner, vow_error *error)
{
    vow_place  place;
    vow_cable *cable;
    vow_end   *end;

    if (vow_place_parse(target, &place, error) != VOW_OK)
        return NULL;
    cable = vow_cable_new(vow_network_of(loop), target, &place);
    if (!cable) {
        vow_error_set(error, VOW_RESOURCE_EXHAUSTED, "%.120s: no memory for a connection", target);
        return NULL;
    }
    end = &cable->ends[0];
    end->stream.events = events;
    end->stream.owner = owner;
    end->due_ns = attempt_ends_ns(cable);
    vow_network_note(cable->network, VOW_NETWORK_ATTEMPT, cable, 0);
    vow_end_plan(end);
    return &end->stream;
}

/* It ends, and the server's end is accepted */

static bool name_is_invalid(const char *name)
{
    size_t size = strlen(name);

    return size >= 8 && strcmp(name + size - 8, ".invalid") == 0; /* RFC 6761, section 6.4 */
}

void vow_connecting_step(vow_end *end)
{
    vow_cable   *cable = end->cable;
    vow_network *network = cable->network;
    uint64_t     now = vow_network_now_ns(network);

    if (vow_end_meets_failure(end, now) || vow_later(end->due_ns, cable->silent_until_ns) > now)
        return;
    if (name_is_invalid(cable->place.name)) {
        vow_network_note(network, VOW_NETWORK_FAILED, cable, 0);
        vow_end_fail(end, vow_status_make(VOW_UNAVAILABLE,
                                          "%s: the name cannot be resolved: unknown node or service",
                                          cable->target));
        return;
    }
    if (cable->is_refused || network->is_refusing || !vow_network_listener_at(network, &cable->place)) {
        network->counts.refused++;
        vow_network_note(network, VOW_NETWORK_FAILED, cable, 0);
        vow_end_fail(end, vow_status_make(VOW_UNAVAILABLE, "%s: %s (is the server running?)", cable->target,
                                          strcmp(cable->place.scheme, "unix") == 0 ? "there is no such socket"
                                                                                   : "connection refused"));
        return;
    }
    vow_cable_join(cable);
    end->state = VOW_END_OPEN;
    end->stream.events->opened(end->stream.owner);
}

void vow_accepting_step(vow_end *end)
{
    vow_cable    *cable = end->cable;
    vow_listener *listener;

    if (vow_later(end->due_ns, cable->silent_until_ns) > vow_network_now_ns(cable->network))
        return;
    listener = vow_network_listener_at(cable->network, &cable->place);
    if (!listener) { /* it has closed meanwhile, and what waited to be accepted is reset */
        vow_end_other(end)->reset_ns = vow_network_now_ns(cable->network) + cable->latency_ns;
        vow_end_leave(end);
        return;
    }
    vow_network_note(cable->network, VOW_NETWORK_ACCEPTED, cable, 0);
    end->state = VOW_END_OPEN;
    listener->accept(listener->owner, &end->stream);
}

uint64_t vow_connecting_next_ns(const vow_end *end)
{
    return vow_later(vow_sooner(end->due_ns, end->reset_ns), end->cable->silent_until_ns);
}

uint64_t vow_accepting_next_ns(const vow_end *end)
{
    return vow_later(end->due_ns, end->cable->silent_until_ns);
}
