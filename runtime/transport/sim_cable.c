#include "runtime/transport/sim_network.h"

#include "runtime/base/memory.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define NS_PER_US 1000u
#define NS_PER_MS 1000000u
#define NS_PER_S 1000000000u

/* What a cable is like when the test does not say: from a good local network to a middling one. */
#define LATENCY_MIN_NS 50000u
#define LATENCY_SPREAD_NS 450000u
#define JITTER_SPREAD_NS 200000u
#define SPEED_MIN ((uint64_t)10 << 20)
#define SPEED_DOUBLINGS 7u
#define SPEED_SLOW ((uint64_t)16 << 10)

/* When faults strike: within 1 MiB, or within some 16 s. */
#define STRIKE_BYTES_BITS 20u
#define STRIKE_MS_BITS 14u
#define STALL_MS_BITS 11u

static void strike_fire(vow_timer *timer);

/* Life */

static bool network_draws(vow_network *network, unsigned of_thousand, uint64_t *count)
{
    /* Drawn in any case: a fault that is switched on leaves all else that is drawn as it was. */
    bool drawn = vow_random_below(&network->random, 1000) < of_thousand;

    *count += drawn;
    return drawn;
}

static void cable_draw_line(vow_cable *cable)
{
    vow_network              *network = cable->network;
    const vow_network_faults *faults = &network->faults;
    uint64_t latency = LATENCY_MIN_NS + vow_random_below(&network->random, LATENCY_SPREAD_NS);
    uint64_t jitter = vow_random_below(&network->random, JITTER_SPREAD_NS);
    uint64_t speed = SPEED_MIN << vow_random_below(&network->random, SPEED_DOUBLINGS);

    cable->latency_ns = faults->latency_us ? faults->latency_us * NS_PER_US : latency;
    cable->jitter_ns = faults->latency_us ? faults->jitter_us * NS_PER_US : jitter;
    cable->bytes_per_second = faults->bytes_per_second ? faults->bytes_per_second : speed;
    if (network_draws(network, faults->slow, &network->counts.slow))
        cable->bytes_per_second = SPEED_SLOW;
    cable->is_one_byte = network_draws(network, faults->one_byte, &network->counts.one_byte);
}

static void end_init(vow_end *end, vow_cable *cable, vow_end_state state)
{
    end->stream = (vow_stream){ .transport = &vow_transport_simulated, .loop = cable->network->loop };
    end->cable = cable;
    end->state = state;
    end->due_ns = VOW_NEVER;
    end->reset_ns = VOW_NEVER;
    end->send_ns = VOW_NEVER;
    vow_timer_init(&end->next, vow_end_fire);
    vow_pipe_init(&end->out, &cable->network->rings);
}

vow_cable *vow_cable_new(vow_network *network, const char *target, const vow_place *place)
{
    size_t     target_size = strlen(target) + 1;
    vow_cable *cable = vow_alloc_zeroed(sizeof *cable + target_size);

    if (!cable)
        return NULL;
    cable->network = network;
    cable->number = ++network->counts.attempts;
    cable->place = *place;
    cable->silent_until_ns = network->is_cut ? VOW_NEVER : 0;
    memcpy(cable->target, target, target_size);
    end_init(&cable->ends[0], cable, VOW_END_CONNECTING);
    end_init(&cable->ends[1], cable, VOW_END_UNBORN);
    for (unsigned kind = 0; kind < VOW_STRIKES; kind++) {
        cable->strikes[kind].cable = cable;
        cable->strikes[kind].after_bytes = VOW_NEVER;
        vow_timer_init(&cable->strikes[kind].timer, strike_fire);
    }
    cable_draw_line(cable);
    vow_list_append(&network->cables, &cable->link);
    return cable;
}

static void cable_stop_strikes(vow_cable *cable)
{
    for (unsigned kind = 0; kind < VOW_STRIKES; kind++) {
        vow_timers_disarm(&vow_scheduler_of(cable->network->loop)->timers, &cable->strikes[kind].timer);
        cable->strikes[kind].after_bytes = VOW_NEVER;
    }
}

void vow_cable_free(vow_cable *cable)
{
    vow_timers *timers = &vow_scheduler_of(cable->network->loop)->timers;

    cable_stop_strikes(cable);
    for (unsigned side = 0; side < 2; side++) {
        vow_timers_disarm(timers, &cable->ends[side].next);
        vow_pipe_done(&cable->ends[side].out);
    }
    vow_link_remove(&cable->link);
    vow_free(cable);
}

static bool end_is_nobodys(const vow_end *end)
{
    return end->state == VOW_END_GONE || end->state == VOW_END_UNBORN;
}

void vow_cable_release(vow_cable *cable)
{
    assert(cable->holds > 0);
    if (--cable->holds == 0 && end_is_nobodys(&cable->ends[0]) && end_is_nobodys(&cable->ends[1]))
        vow_cable_free(cable);
}

/* Carrying */

uint64_t vow_cable_arrival_ns(vow_cable *cable, vow_end *from, size_t size)
{
    uint64_t *random = &cable->network->random;
    uint64_t  leaves = vow_network_now_ns(cable->network);

    if (leaves < from->sender_busy_until_ns)
        leaves = from->sender_busy_until_ns;
    leaves += size * NS_PER_S / cable->bytes_per_second;
    from->sender_busy_until_ns = leaves;
    return leaves + cable->latency_ns + vow_random_below(random, cable->jitter_ns + 1);
}

/* Faults */

static void cable_plan(vow_cable *cable)
{
    vow_end_plan(&cable->ends[0]);
    vow_end_plan(&cable->ends[1]);
}

void vow_cable_reset(vow_cable *cable)
{
    uint64_t now = vow_network_now_ns(cable->network);

    cable->network->counts.resets++;
    vow_network_note(cable->network, VOW_NETWORK_STRUCK, cable, VOW_STRIKE_RESET);
    cable_stop_strikes(cable);
    for (unsigned side = 0; side < 2; side++) {
        if (cable->ends[side].reset_ns > now)
            cable->ends[side].reset_ns = now;
    }
    cable_plan(cable);
}

void vow_cable_silence(vow_cable *cable, uint64_t until_ns)
{
    cable->silent_until_ns = until_ns;
    cable_plan(cable);
}

static void cable_enter_black_hole(vow_cable *cable)
{
    cable->network->counts.black_holes++;
    vow_network_note(cable->network, VOW_NETWORK_STRUCK, cable, VOW_STRIKE_BLACK_HOLE);
    vow_cable_silence(cable, VOW_NEVER);
}

static void cable_stall(vow_cable *cable)
{
    uint64_t ms = vow_network_random_magnitude(cable->network, STALL_MS_BITS);
    uint64_t until = vow_network_now_ns(cable->network) + ms * NS_PER_MS;

    cable->network->counts.stalls++;
    vow_network_note(cable->network, VOW_NETWORK_STRUCK, cable, VOW_STRIKE_STALL);
    if (until > cable->silent_until_ns)
        vow_cable_silence(cable, until);
}

static void (*const strike_runs[VOW_STRIKES])(vow_cable *cable) = {
    [VOW_STRIKE_RESET] = vow_cable_reset,
    [VOW_STRIKE_BLACK_HOLE] = cable_enter_black_hole,
    [VOW_STRIKE_STALL] = cable_stall,
};

static void strike_run(vow_strike *strike)
{
    strike->after_bytes = VOW_NEVER;
    strike_runs[strike - strike->cable->strikes](strike->cable);
}

static void strike_fire(vow_timer *timer)
{
    strike_run(VOW_OWNER(timer, vow_strike, timer));
}

/* Some faults come with traffic, in the middle of a message; others find an idle connection. */
static void strike_ready(vow_strike *strike, unsigned of_thousand)
{
    vow_network *network = strike->cable->network;
    uint64_t     draw = vow_random_below(&network->random, 1000);
    bool         by_bytes = vow_random_below(&network->random, 2) == 0;
    uint64_t     bytes = vow_network_random_magnitude(network, STRIKE_BYTES_BITS);
    uint64_t     ms = vow_network_random_magnitude(network, STRIKE_MS_BITS);

    if (draw >= of_thousand)
        return;
    if (by_bytes)
        strike->after_bytes = bytes;
    else
        vow_timers_arm(&vow_scheduler_of(network->loop)->timers, &strike->timer,
                       vow_network_now_ns(network) + ms * NS_PER_MS);
}

uint64_t vow_cable_bytes_to_strike(const vow_cable *cable)
{
    uint64_t first = VOW_NEVER;

    for (unsigned kind = 0; kind < VOW_STRIKES; kind++) {
        uint64_t after = cable->strikes[kind].after_bytes;

        if (after < first)
            first = after;
    }
    return first == VOW_NEVER ? VOW_NEVER : first - cable->carried;
}

bool vow_cable_carried(vow_cable *cable, size_t size)
{
    bool struck = false;

    cable->carried += size;
    cable->network->counts.segments++;
    cable->network->counts.bytes += size;
    for (unsigned kind = 0; kind < VOW_STRIKES; kind++) {
        vow_strike *strike = &cable->strikes[kind];

        if (strike->after_bytes > cable->carried)
            continue;
        strike_run(strike);
        struck = true;
    }
    return struck;
}

/* Joining */

/* Clients of a server on this machine are on it as well; all others come from one host. */
static void cable_name_ends(vow_cable *cable)
{
    vow_place peers[2] = { cable->place, cable->place }; /* whom the client sees, whom the server sees */

    if (strcmp(cable->place.scheme, "tcp") == 0) {
        if (!vow_place_is_numeric(&cable->place))
            strcpy(peers[0].name, "127.0.0.1");
        strcpy(peers[1].name, vow_place_is_on_this_machine(&peers[0]) ? "127.0.0.1" : "10.0.0.1");
        peers[1].port = vow_network_new_port(cable->network);
    }
    for (unsigned side = 0; side < 2; side++) {
        vow_end *end = &cable->ends[side];

        vow_place_print(&peers[side], end->peer, sizeof end->peer);
        if (strcmp(cable->place.scheme, "tcp") == 0)
            snprintf(end->peer_host, sizeof end->peer_host, "%s", peers[side].name);
    }
}

void vow_cable_join(vow_cable *cable)
{
    const vow_network_faults *faults = &cable->network->faults;
    vow_end                  *server = &cable->ends[1];

    cable->network->counts.connections++;
    vow_network_note(cable->network, VOW_NETWORK_OPENED, cable, 0);
    cable_name_ends(cable);
    strike_ready(&cable->strikes[VOW_STRIKE_RESET], faults->reset);
    strike_ready(&cable->strikes[VOW_STRIKE_BLACK_HOLE], faults->black_hole);
    strike_ready(&cable->strikes[VOW_STRIKE_STALL], faults->stall);
    server->state = VOW_END_ACCEPTING;
    server->due_ns = vow_network_now_ns(cable->network) + cable->latency_ns;
    vow_end_plan(server);
}
