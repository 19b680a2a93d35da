#include "runtime/transport/dial.h"

#include "runtime/base/memory.h"
#include "runtime/transport/address.h"
#include "runtime/transport/lookup.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define TCP "tcp://"

/* Where there is no network there is no other. */
#define LOCAL_HOST "localhost"

/* One address, or a name that will be replaced by its addresses. */
typedef struct candidate {
    vow_link    link; /* in one of the dial's lists; unlisted: it won */
    vow_dial   *dial;
    size_t      rank; /* where it stands among all */
    bool        is_name;
    vow_lookup *lookup;  /* of a name that is being tried */
    vow_stream *stream;  /* of an address that is being tried */
    vow_status  failure; /* of one that failed */
    const char *host;    /* that the target names; behind the text */
    char        text[];  /* "tcp://10.0.0.1:7000" */
} candidate;

struct vow_dial {
    vow_loop              *loop; /* lent */
    const vow_dial_events *events;
    void                  *owner;
    vow_list               waiting; /* by rank */
    vow_list               trying;
    vow_list               failed;
    candidate             *reached; /* its stream was given to the owner */
    vow_task               step;    /* tries the next, or gives up */
    vow_timer              pause;   /* the same, once the last one has had its time */
    char                   target[];
};

_Static_assert(VOW_DIAL_AUTHORITY_MAX >= VOW_TCP_TEXT_MAX, "an authority is an address without its scheme");

static vow_scheduler *dial_scheduler(const vow_dial *dial)
{
    return vow_scheduler_of(dial->loop);
}

static bool text_begins(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Candidates */

static candidate *candidate_new(vow_dial *dial, size_t rank, const char *text, const char *host)
{
    size_t     size = strlen(text) + 1;
    size_t     host_size = strlen(host) + 1;
    candidate *made = vow_alloc_zeroed(sizeof *made + size + host_size);

    if (!made)
        return NULL;
    vow_link_init(&made->link);
    made->dial = dial;
    made->rank = rank;
    memcpy(made->text, text, size);
    made->host = memcpy(made->text + size, host, host_size);
    return made;
}

/* Stands in line, behind those of a lower rank. */
static void candidate_wait(candidate *waiting)
{
    vow_list *list = &waiting->dial->waiting;
    vow_link *next = list->head.next;

    while (next != &list->head && VOW_OWNER(next, candidate, link)->rank < waiting->rank)
        next = next->next;
    vow_link_remove(&waiting->link);
    waiting->link.next = next;
    waiting->link.previous = next->previous;
    next->previous->next = &waiting->link;
    next->previous = &waiting->link;
}

/* Ends what it has under way. */
static void candidate_rest(candidate *resting)
{
    if (resting->stream)
        vow_stream_close(resting->stream);
    if (resting->lookup)
        vow_lookup_stop(resting->lookup);
    resting->stream = NULL;
    resting->lookup = NULL;
}

static void candidate_free(candidate *freed)
{
    candidate_rest(freed);
    vow_link_remove(&freed->link);
    vow_status_done(&freed->failure);
    vow_free(freed);
}

/* The next one need not wait. `why` is given. */
static void candidate_fail(candidate *failing, vow_status why)
{
    vow_dial *dial = failing->dial;

    failing->failure = why;
    vow_link_remove(&failing->link);
    vow_list_append(&dial->failed, &failing->link);
    vow_scheduler_soon(dial_scheduler(dial), &dial->step);
}

/* Names */

static const char *candidate_port(const candidate *name)
{
    return strrchr(name->text, ':') + 1;
}

/* Puts the addresses in the name's place; gives how many there was memory for. */
static size_t candidate_replace(const candidate *name, const vow_hosts *hosts)
{
    char        text[VOW_TCP_TEXT_MAX];
    const char *host;
    size_t      count = 0;

    for (size_t i = 0; (host = vow_hosts_at(hosts, i)); i++) {
        candidate *made;

        vow_tcp_address_print(host, candidate_port(name), text, sizeof text);
        made = candidate_new(name->dial, name->rank + i, text, name->host);
        if (!made)
            continue; /* the others may do */
        candidate_wait(made);
        count++;
    }
    return count;
}

static void candidate_looked_up(void *owner, const vow_hosts *hosts, const char *why)
{
    candidate *name = owner;
    vow_dial  *dial = name->dial;

    name->lookup = NULL;
    if (!hosts) {
        candidate_fail(name, vow_status_make(VOW_UNAVAILABLE, "%s: %s", name->text, why));
    } else if (candidate_replace(name, hosts) == 0) {
        candidate_fail(name, vow_status_no_memory());
    } else {
        candidate_free(name);
        vow_scheduler_soon(dial_scheduler(dial), &dial->step);
    }
}

static void candidate_look_up(candidate *name)
{
    vow_tcp_address address;
    vow_error       error;
    vow_code        code = vow_tcp_address_parse(name->text, &address, &error);

    assert(code == VOW_OK); /* it was printed from one */
    (void)code;
    name->lookup = vow_lookup_start(name->dial->loop, address.host, candidate_looked_up, name, &error);
    if (!name->lookup)
        candidate_fail(name, vow_status_make(error.code, "%s: %s", name->text, error.message));
}

/* Addresses */

/* All rest that are under way, and wait for another time. */
static void dial_rest(vow_dial *dial)
{
    vow_link *link;

    vow_task_cancel(&dial->step);
    vow_timers_disarm(&dial_scheduler(dial)->timers, &dial->pause);
    while ((link = vow_list_first(&dial->trying))) {
        candidate *loser = VOW_OWNER(link, candidate, link);

        candidate_rest(loser);
        candidate_wait(loser);
    }
}

static void candidate_opened(void *owner)
{
    candidate  *winner = owner;
    vow_dial   *dial = winner->dial;
    vow_stream *stream = winner->stream;

    winner->stream = NULL;
    vow_link_remove(&winner->link);
    dial->reached = winner;
    dial_rest(dial);
    dial->events->opened(dial->owner, stream);
}

static vow_room candidate_room(void *owner)
{
    (void)owner;
    return (vow_room){ NULL, 0 }; /* nothing is read before the stream has been adopted */
}

static void candidate_read(void *owner, size_t size)
{
    (void)owner;
    (void)size;
}

static void candidate_written(void *owner)
{
    (void)owner;
}

static void candidate_closed(void *owner, const vow_status *why)
{
    candidate *closed = owner;

    closed->stream = NULL;
    candidate_fail(
        closed, why->code == VOW_OK
                    ? vow_status_make(VOW_UNAVAILABLE, "%s: the server closed the connection", closed->text)
                    : vow_status_share(why));
}

static const vow_stream_events candidate_events = {
    .opened = candidate_opened,
    .room = candidate_room,
    .read = candidate_read,
    .written = candidate_written,
    .closed = candidate_closed,
};

static void candidate_connect(candidate *trying)
{
    vow_error error;

    trying->stream = vow_stream_connect(trying->dial->loop, trying->text, &candidate_events, trying, &error);
    if (!trying->stream)
        candidate_fail(trying, vow_status_of_error(&error));
}

/* One after the other */

static void dial_give_up(vow_dial *dial);

static void dial_next(vow_dial *dial)
{
    vow_scheduler *scheduler = dial_scheduler(dial);
    vow_link      *link = vow_list_shift(&dial->waiting);
    candidate     *next;

    vow_timers_disarm(&scheduler->timers, &dial->pause);
    if (!link) {
        if (vow_list_empty(&dial->trying))
            dial_give_up(dial);
        return;
    }
    next = VOW_OWNER(link, candidate, link);
    vow_list_append(&dial->trying, link);
    vow_timers_arm(&scheduler->timers, &dial->pause, vow_scheduler_after_ms(scheduler, VOW_DIAL_PAUSE_MS));
    if (next->is_name)
        candidate_look_up(next);
    else
        candidate_connect(next);
}

static void dial_step(vow_task *task)
{
    dial_next(VOW_OWNER(task, vow_dial, step));
}

static void dial_pause_over(vow_timer *timer)
{
    dial_next(VOW_OWNER(timer, vow_dial, pause));
}

const char *vow_dial_host(const vow_dial *dial)
{
    return dial->reached->host;
}

void vow_dial_authority(const vow_dial *dial, char text[VOW_DIAL_AUTHORITY_MAX])
{
    const candidate *reached = dial->reached;

    if (!text_begins(reached->text, TCP)) {
        strcpy(text, LOCAL_HOST);
        return;
    }
    vow_tcp_address_print(reached->host, candidate_port(reached), text, VOW_DIAL_AUTHORITY_MAX);
    memmove(text, text + strlen(TCP), strlen(text + strlen(TCP)) + 1);
}

void vow_dial_go_on(vow_dial *dial, const vow_status *why)
{
    candidate *useless = dial->reached;

    dial->reached = NULL;
    candidate_fail(useless, vow_status_share(why));
}

/* Telling */

static const char *without_scheme(const char *url)
{
    size_t size = strcspn(url, ":");

    return text_begins(url + size, "://") ? url + size + strlen("://") : url;
}

/* What is said of an address, without the address. What TLS and the protocols say begins with the target as
 * the program wrote it: grpcs://name:7, where the dial has tcp://name:7. */
static const char *candidate_cause(const candidate *one)
{
    const char *message = vow_status_message(&one->failure);
    const char *target = without_scheme(one->dial->target);
    const char *bare = without_scheme(message);

    if (one->failure.code == VOW_OK)
        return "no answer yet";
    if (text_begins(message, one->text) && text_begins(message + strlen(one->text), ": "))
        return message + strlen(one->text) + 2;
    if (text_begins(bare, target) && text_begins(bare + strlen(target), ": "))
        return bare + strlen(target) + 2;
    return message;
}

/* Is it the first in the list of which this is said? Counts those of which it is. */
static bool candidate_speaks(const vow_list *list, const candidate *speaker, size_t *count)
{
    bool is_first = true;

    *count = 0;
    for (const vow_link *link = list->head.next; link != &list->head; link = link->next) {
        const candidate *other = VOW_OWNER(link, const candidate, link);

        if (strcmp(candidate_cause(other), candidate_cause(speaker)) != 0)
            continue;
        is_first &= *count > 0 || other == speaker;
        ++*count;
    }
    return is_first;
}

/* Appends "; 10.0.0.1:7000 and 2 more: connection refused" for each cause. */
static void list_tell(const vow_list *list, char *text, size_t size)
{
    for (const vow_link *link = list->head.next; link != &list->head; link = link->next) {
        const candidate *one = VOW_OWNER(link, const candidate, link);
        const char      *address = text_begins(one->text, TCP) ? one->text + strlen(TCP) : one->text;
        size_t           used = strlen(text);
        size_t           count;
        char             others[32] = "";

        if (!candidate_speaks(list, one, &count))
            continue;
        if (count > 1)
            snprintf(others, sizeof others, " and %zu more", count - 1);
        snprintf(text + used, size - used, "; %s%s: %s", address, others, candidate_cause(one));
    }
}

static bool dial_is_of_one(const vow_dial *dial)
{
    const vow_list *lists[] = { &dial->waiting, &dial->trying, &dial->failed };
    size_t          count = dial->reached != NULL;
    const vow_link *only = dial->reached ? &dial->reached->link : NULL;

    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        for (const vow_link *link = lists[i]->head.next; link != &lists[i]->head; link = link->next) {
            only = link;
            count++;
        }
    }
    return count == 1 && strcmp(VOW_OWNER(only, const candidate, link)->text, dial->target) == 0;
}

void vow_dial_tell(const vow_dial *dial, char *text, size_t size)
{
    text[0] = '\0';
    if (dial_is_of_one(dial))
        return;
    list_tell(&dial->failed, text, size);
    list_tell(&dial->trying, text, size);
}

/* The code that all have in common; else it is that nothing can be reached. */
static vow_code dial_code(const vow_dial *dial)
{
    vow_code code = VOW_OWNER(vow_list_first(&dial->failed), candidate, link)->failure.code;

    for (const vow_link *link = dial->failed.head.next; link != &dial->failed.head; link = link->next) {
        if (VOW_OWNER(link, const candidate, link)->failure.code != code)
            return VOW_UNAVAILABLE;
    }
    return code;
}

/* The owner may stop the dial while it is told. */
static void dial_give_up(vow_dial *dial)
{
    char       causes[VOW_DIAL_CAUSES_MAX];
    vow_status why;

    vow_dial_tell(dial, causes, sizeof causes);
    if (causes[0])
        why = vow_status_make(dial_code(dial), "%s: no address can be reached: %s", dial->target, causes + 2);
    else
        why = vow_status_share(&VOW_OWNER(vow_list_first(&dial->failed), candidate, link)->failure);
    dial->events->failed(dial->owner, &why);
    vow_status_done(&why);
}

/* Life */

vow_code vow_dial_check(const char *target, vow_error *error)
{
    vow_tcp_address addresses[VOW_TARGET_HOSTS_MAX];
    size_t          count;

    return text_begins(target, TCP) ? vow_tcp_list_parse(target, addresses, &count, error) : VOW_OK;
}

/* False: no memory. */
static bool dial_add(vow_dial *dial, size_t rank, const char *text, const char *host, bool is_name)
{
    candidate *added = candidate_new(dial, rank, text, host);

    if (!added)
        return false;
    added->is_name = is_name;
    candidate_wait(added);
    return true;
}

/* The list of a tcp:// target; what else there is has one address. */
static vow_code dial_read_target(vow_dial *dial, vow_error *error)
{
    vow_tcp_address addresses[VOW_TARGET_HOSTS_MAX];
    size_t          count = 1;
    bool            is_tcp = text_begins(dial->target, TCP);
    bool            has_memory = true;

    if (is_tcp && vow_tcp_list_parse(dial->target, addresses, &count, error) != VOW_OK)
        return VOW_INVALID_ARGUMENT;
    if (!is_tcp)
        has_memory = dial_add(dial, 0, dial->target, LOCAL_HOST, false);
    for (size_t i = 0; is_tcp && has_memory && i < count; i++) {
        char text[VOW_TCP_TEXT_MAX];

        vow_tcp_address_print(addresses[i].host, addresses[i].port, text, sizeof text);
        has_memory = dial_add(dial, i * VOW_NAME_ADDRESSES_MAX, text, addresses[i].host,
                              vow_lookup_is_needed(dial->loop, addresses[i].host));
    }
    if (!has_memory)
        return vow_error_set(error, VOW_RESOURCE_EXHAUSTED, "%.160s: no memory to connect", dial->target);
    return VOW_OK;
}

vow_dial *vow_dial_start(vow_loop *loop, const char *target, const vow_dial_events *events, void *owner,
                         vow_error *error)
{
    size_t    size = strlen(target) + 1;
    vow_dial *dial = vow_alloc_zeroed(sizeof *dial + size);

    if (!dial) {
        vow_error_set(error, VOW_RESOURCE_EXHAUSTED, "%.160s: no memory to connect", target);
        return NULL;
    }
    dial->loop = loop;
    dial->events = events;
    dial->owner = owner;
    memcpy(dial->target, target, size);
    vow_list_init(&dial->waiting);
    vow_list_init(&dial->trying);
    vow_list_init(&dial->failed);
    vow_task_init(&dial->step, dial_step);
    vow_timer_init(&dial->pause, dial_pause_over);
    if (dial_read_target(dial, error) != VOW_OK) {
        vow_dial_stop(dial);
        return NULL;
    }
    vow_scheduler_soon(vow_scheduler_of(loop), &dial->step);
    return dial;
}

void vow_dial_stop(vow_dial *dial)
{
    vow_link *link;

    if (!dial)
        return;
    dial_rest(dial);
    vow_list_splice(&dial->waiting, &dial->failed);
    if (dial->reached)
        vow_list_append(&dial->waiting, &dial->reached->link);
    while ((link = vow_list_first(&dial->waiting)))
        candidate_free(VOW_OWNER(link, candidate, link));
    vow_free(dial);
}
