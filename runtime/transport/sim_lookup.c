#include "runtime/transport/lookup.h"
#include "runtime/transport/sim_network.h"

#include "runtime/base/memory.h"

#include <stdio.h>
#include <string.h>

#define LOOKUP_MIN_NS 100000u
#define LOOKUP_SPREAD_NS 5000000u

/* What a test has said of a host. */
typedef struct sim_fact {
    vow_link link;
    char     name[VOW_HOST_MAX];    /* "" where it is of the host itself */
    char     host[VOW_NUMERIC_MAX]; /* in figures */
} sim_fact;

static vow_code facts_add(vow_list *facts, const char *name, const char *host)
{
    sim_fact *fact = vow_alloc_zeroed(sizeof *fact);

    if (!fact)
        return VOW_RESOURCE_EXHAUSTED;
    snprintf(fact->name, sizeof fact->name, "%s", name);
    snprintf(fact->host, sizeof fact->host, "%s", host);
    vow_list_append(facts, &fact->link);
    return VOW_OK;
}

static void facts_forget(vow_list *facts, const char *name)
{
    for (vow_link *link = facts->head.next; link != &facts->head;) {
        sim_fact *fact = VOW_OWNER(link, sim_fact, link);

        link = link->next;
        if (name && strcmp(fact->name, name) != 0)
            continue;
        vow_link_remove(&fact->link);
        vow_free(fact);
    }
}

/* Hosts that answer nobody */

vow_code vow_network_swallow(vow_network *network, const char *host)
{
    return facts_add(&network->swallowed, "", host);
}

void vow_network_forget_swallowed(vow_network *network)
{
    facts_forget(&network->swallowed, NULL);
}

bool vow_network_swallows(const vow_network *network, const char *host)
{
    for (const vow_link *link = network->swallowed.head.next; link != &network->swallowed.head;
         link = link->next) {
        if (strcmp(VOW_OWNER(link, const sim_fact, link)->host, host) == 0)
            return true;
    }
    return false;
}

/* Names */

vow_code vow_network_add_name(vow_network *network, const char *name, const char *host)
{
    return facts_add(&network->names, name, host);
}

void vow_network_forget_name(vow_network *network, const char *name)
{
    facts_forget(&network->names, name);
}

static void names_find(const vow_network *network, const char *name, vow_hosts *hosts)
{
    for (const vow_link *link = network->names.head.next; link != &network->names.head; link = link->next) {
        const sim_fact *fact = VOW_OWNER(link, const sim_fact, link);

        if (strcmp(fact->name, name) == 0)
            vow_hosts_add(hosts, fact->host);
    }
}

bool vow_simulated_name_is_known(const vow_loop *loop, const char *name)
{
    vow_hosts hosts = { .first = 0 };

    names_find(loop->network, name, &hosts);
    return vow_hosts_at(&hosts, 0) != NULL;
}

/* Looking one up */

typedef struct sim_lookup {
    vow_lookup lookup; /* first */
    vow_timer  due;
    char       name[];
} sim_lookup;

void vow_simulated_lookup_stop(vow_lookup *lookup)
{
    sim_lookup *asked = (sim_lookup *)lookup;

    vow_timers_disarm(&vow_scheduler_of(lookup->loop)->timers, &asked->due);
    vow_free(asked);
}

static void lookup_due(vow_timer *timer)
{
    sim_lookup *asked = VOW_OWNER(timer, sim_lookup, due);
    vow_lookup  lookup = asked->lookup;
    vow_hosts   hosts = { .first = 0 };

    names_find(lookup.loop->network, asked->name, &hosts);
    vow_simulated_lookup_stop(&asked->lookup);
    lookup.answer(lookup.owner, vow_hosts_at(&hosts, 0) ? &hosts : NULL,
                  "the name cannot be resolved: unknown node or service");
}

vow_lookup *vow_simulated_lookup_start(vow_loop *loop, const char *host, vow_looked_up_fn *answer,
                                       void *owner)
{
    vow_scheduler *scheduler = vow_scheduler_of(loop);
    size_t         size = strlen(host) + 1;
    sim_lookup    *asked = vow_alloc_zeroed(sizeof *asked + size);

    if (!asked)
        return NULL;
    asked->lookup = (vow_lookup){ loop, answer, owner };
    memcpy(asked->name, host, size);
    vow_timer_init(&asked->due, lookup_due);
    vow_timers_arm(&scheduler->timers, &asked->due,
                   vow_scheduler_now_ns(scheduler) + LOOKUP_MIN_NS +
                       vow_random_below(&loop->network->random, LOOKUP_SPREAD_NS));
    return &asked->lookup;
}
