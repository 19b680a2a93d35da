#include "runtime/transport/lookup.h"

#include "runtime/base/memory.h"
#include "runtime/transport/address.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

/* Hosts */

void vow_hosts_add(vow_hosts *hosts, const char *text)
{
    unsigned family = strchr(text, ':') != NULL;

    if (hosts->count[0] + hosts->count[1] == 0)
        hosts->first = family;
    if (hosts->count[family] < VOW_NAME_ADDRESSES_MAX)
        snprintf(hosts->text[family][hosts->count[family]++], VOW_NUMERIC_MAX, "%s", text);
}

const char *vow_hosts_at(const vow_hosts *hosts, size_t i)
{
    size_t   pairs = hosts->count[0] < hosts->count[1] ? hosts->count[0] : hosts->count[1];
    unsigned longer = hosts->count[1] > hosts->count[0];

    if (i >= VOW_NAME_ADDRESSES_MAX || i >= hosts->count[0] + hosts->count[1])
        return NULL;
    if (i < 2 * pairs)
        return hosts->text[hosts->first ^ (i % 2)][i / 2];
    return hosts->text[longer][i - pairs];
}

/* The system's resolver */

typedef struct system_lookup {
    vow_lookup       lookup; /* first; its `answer` is NULL: nobody waits any more */
    uv_getaddrinfo_t request;
} system_lookup;

static void lookup_free(system_lookup *asked)
{
    vow_loop *loop = asked->lookup.loop;

    vow_free(asked);
    vow_loop_object_gone(loop);
}

static void hosts_read(vow_hosts *hosts, const struct addrinfo *addresses)
{
    char text[VOW_NUMERIC_MAX];

    memset(hosts, 0, sizeof *hosts);
    for (const struct addrinfo *next = addresses; next; next = next->ai_next) {
        if (getnameinfo(next->ai_addr, next->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST) == 0)
            vow_hosts_add(hosts, text);
    }
}

static void lookup_answer(const vow_lookup *lookup, int status, const struct addrinfo *addresses)
{
    vow_hosts hosts;
    char      why[120];

    hosts_read(&hosts, status == 0 ? addresses : NULL);
    snprintf(why, sizeof why, "the name cannot be resolved: %s",
             status == 0 ? "it has no address" : uv_strerror(status));
    lookup->answer(lookup->owner, vow_hosts_at(&hosts, 0) ? &hosts : NULL, why);
}

static void lookup_done(uv_getaddrinfo_t *request, int status, struct addrinfo *addresses)
{
    system_lookup *asked = request->data;
    vow_scheduler *scheduler = vow_scheduler_of(asked->lookup.loop);

    vow_scheduler_enter(scheduler);
    if (asked->lookup.answer)
        lookup_answer(&asked->lookup, status, addresses);
    uv_freeaddrinfo(addresses);
    lookup_free(asked);
    vow_scheduler_leave(scheduler);
}

static vow_lookup *system_lookup_start(vow_loop *loop, const char *host, vow_looked_up_fn *answer,
                                       void *owner, vow_error *error)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    system_lookup        *asked = vow_alloc_zeroed(sizeof *asked);
    int                   failed;

    if (!asked) {
        vow_error_set(error, VOW_RESOURCE_EXHAUSTED, "no memory to resolve the name");
        return NULL;
    }
    asked->lookup = (vow_lookup){ loop, answer, owner };
    asked->request.data = asked;
    vow_loop_object_born(loop);
    failed = uv_getaddrinfo(vow_loop_uv(loop), &asked->request, lookup_done, host, NULL, &hints);
    if (!failed)
        return &asked->lookup;
    lookup_free(asked);
    vow_error_set(error, failed == UV_ENOMEM ? VOW_RESOURCE_EXHAUSTED : VOW_UNAVAILABLE,
                  "the name cannot be resolved: %s", uv_strerror(failed));
    return NULL;
}

/* Both kinds */

bool vow_lookup_is_needed(const vow_loop *loop, const char *host)
{
    return vow_loop_is_simulated(loop) ? vow_simulated_name_is_known(loop, host) : !vow_host_is_numeric(host);
}

vow_lookup *vow_lookup_start(vow_loop *loop, const char *host, vow_looked_up_fn *answer, void *owner,
                             vow_error *error)
{
    vow_lookup *lookup;

    if (!vow_loop_is_simulated(loop))
        return system_lookup_start(loop, host, answer, owner, error);
    lookup = vow_simulated_lookup_start(loop, host, answer, owner);
    if (!lookup)
        vow_error_set(error, VOW_RESOURCE_EXHAUSTED, "no memory to resolve the name");
    return lookup;
}

void vow_lookup_stop(vow_lookup *lookup)
{
    if (vow_loop_is_simulated(lookup->loop)) {
        vow_simulated_lookup_stop(lookup);
        return;
    }
    lookup->answer = NULL;
    uv_cancel(
        (uv_req_t *)&((system_lookup *)lookup)->request); /* what runs already goes on, and answers nobody */
}
