/*
 * The standard health service.
 *
 * The idea: a list of services, each with the watches of it. A watch is a stream that is written whenever
 * what it has told last is not true any more; a watcher that reads slowly misses what was true in between,
 * and nothing else.
 */
#include "runtime/service/memory.h"

#include <vow/grpc/health.vow.h>
#include <vow/health.h>

#include <stdio.h>
#include <string.h>

typedef Vow__Grpc__HealthCheckResponse__ServingStatus serving_status;

#define SERVING VOW__GRPC__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
#define NOT_SERVING VOW__GRPC__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING
#define UNKNOWN_SERVICE VOW__GRPC__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN
#define NOT_TOLD ((serving_status)-1)

typedef struct health_service {
    struct health_service *next;
    serving_status         status;
    char                   name[VOW_HEALTH_NAME_MAX + 1];
} health_service;

/* A call of Watch, in its memory. */
typedef struct health_watch {
    struct health_watch *next;
    vow_health          *health; /* NULL: it has been freed */
    vow_call            *call;
    vow_promise         *changed; /* NULL: nothing waits for a change */
    serving_status       told;
    char                 name[VOW_HEALTH_NAME_MAX + 1];
} health_watch;

struct vow_health {
    vow_loop       *loop;
    health_service *services;
    size_t          count;
    health_watch   *watches;
};

/* Services */

static health_service *health_find(const vow_health *health, const char *name)
{
    for (health_service *service = health->services; service; service = service->next) {
        if (strcmp(service->name, name) == 0)
            return service;
    }
    return NULL;
}

static health_service *health_add(vow_health *health, const char *name)
{
    health_service *service = vow_service_alloc(sizeof *service);

    if (!service)
        return NULL;
    strcpy(service->name, name);
    service->next = health->services;
    health->services = service;
    health->count++;
    return service;
}

static void watch_wake(health_watch *watch)
{
    vow_promise *changed = watch->changed;

    watch->changed = NULL;
    vow_resolve(changed, NULL, NULL);
}

vow_code vow_health_set(vow_health *health, const char *name, bool serves)
{
    health_service *service;

    if (strlen(name) > VOW_HEALTH_NAME_MAX)
        return VOW_INVALID_ARGUMENT;
    service = health_find(health, name);
    if (!service && health->count < VOW_HEALTH_SERVICES_MAX)
        service = health_add(health, name);
    if (!service)
        return VOW_RESOURCE_EXHAUSTED;
    service->status = serves ? SERVING : NOT_SERVING;
    for (health_watch *watch = health->watches; watch; watch = watch->next) {
        if (watch->changed && strcmp(watch->name, name) == 0)
            watch_wake(watch);
    }
    return VOW_OK;
}

/* A server that drains serves nobody new, whatever the program says. */
static serving_status service_status(const health_service *service, const vow_call *call)
{
    if (!service)
        return UNKNOWN_SERVICE;
    return vow_call_draining(call) ? NOT_SERVING : service->status;
}

/* Check and List */

static void serve_check(vow_call *call, const Vow__Grpc__HealthCheckRequest *request, void *arg)
{
    Vow__Grpc__HealthCheckResponse answer = VOW__GRPC__HEALTH_CHECK_RESPONSE__INIT;
    const health_service          *service = health_find(arg, request->service);

    if (!service) {
        vow_call_fail(call, VOW_NOT_FOUND, "nothing is known of the service \"%.*s\"", VOW_HEALTH_NAME_MAX,
                      request->service);
        return;
    }
    answer.status = service_status(service, call);
    vow__grpc_health_check_reply(call, &answer);
}

typedef struct list_entry {
    Vow__Grpc__HealthListResponse__StatusesEntry entry;
    Vow__Grpc__HealthCheckResponse               answer;
} list_entry;

static void serve_list(vow_call *call, const Vow__Grpc__HealthListRequest *request, void *arg)
{
    const vow_health             *health = arg;
    Vow__Grpc__HealthListResponse answer = VOW__GRPC__HEALTH_LIST_RESPONSE__INIT;
    list_entry                   *entries = vow_call_alloc(call, (health->count + 1) * sizeof *entries);
    Vow__Grpc__HealthListResponse__StatusesEntry **list =
        entries ? vow_call_alloc(call, (health->count + 1) * sizeof *list) : NULL;

    (void)request;
    if (!list)
        return;
    for (health_service *service = health->services; service; service = service->next) {
        list_entry *at = &entries[answer.n_statuses];

        vow__grpc__health_list_response__statuses_entry__init(&at->entry);
        vow__grpc__health_check_response__init(&at->answer);
        at->answer.status = service_status(service, call);
        at->entry.key = service->name;
        at->entry.value = &at->answer;
        list[answer.n_statuses++] = &at->entry;
    }
    answer.statuses = list;
    vow__grpc_health_list_reply(call, &answer);
}

/* Watch */

static void watch_done(void *object)
{
    health_watch *watch = object;

    if (!watch->health)
        return;
    for (health_watch **at = &watch->health->watches; *at; at = &(*at)->next) {
        if (*at == watch) {
            *at = watch->next;
            return;
        }
    }
}

static void watch_cancelled(void *arg)
{
    watch_wake(arg);
}

/* Tells what is true now, or waits until that changes. */
static vow_future *watch_write(vow_call *call, void *arg)
{
    health_watch                  *watch = arg;
    Vow__Grpc__HealthCheckResponse answer = VOW__GRPC__HEALTH_CHECK_RESPONSE__INIT;
    vow_future                    *change;

    if (!watch->health)
        return vow_failure(vow_call_loop(call), VOW_UNAVAILABLE, "the server tells of its health no more");
    answer.status = service_status(health_find(watch->health, watch->name), call);
    if (answer.status != watch->told) {
        watch->told = answer.status;
        vow__grpc_health_watch_send_reply(call, &answer);
        return NULL;
    }
    change = vow_promise_new(vow_call_loop(call), &watch->changed);
    vow_promise_on_cancel(watch->changed, watch_cancelled, watch);
    return change;
}

static void watch_draining(vow_future *settled, void *arg)
{
    health_watch *watch = arg;

    (void)settled;
    if (watch->changed)
        watch_wake(watch);
}

static void serve_watch(vow_call *call, const Vow__Grpc__HealthCheckRequest *request, void *arg)
{
    vow_health   *health = arg;
    health_watch *watch;

    if (strlen(request->service) > VOW_HEALTH_NAME_MAX) {
        vow_call_fail(call, VOW_INVALID_ARGUMENT, "a service's name has at most %d bytes",
                      VOW_HEALTH_NAME_MAX);
        return;
    }
    watch = vow_call_alloc(call, sizeof *watch);
    if (!watch)
        return;
    *watch = (health_watch){ .next = health->watches, .health = health, .call = call, .told = NOT_TOLD };
    strcpy(watch->name, request->service);
    if (!vow_call_attach(call, watch, watch_done))
        return;
    health->watches = watch;
    vow_done(vow_call_when_draining(call), watch_draining, watch);
    vow_call_answer(call, vow_call_write(call, watch_write, watch));
}

/* Life */

vow_health *vow_health_new(vow_loop *loop)
{
    vow_health *health = vow_service_alloc(sizeof *health);

    if (!health)
        return NULL;
    health->loop = loop;
    if (vow_health_set(health, "", true) == VOW_OK)
        return health;
    vow_service_free(health);
    return NULL;
}

void vow_health_free(vow_health *health)
{
    if (!health)
        return;
    while (health->services) {
        health_service *service = health->services;

        health->services = service->next;
        vow_service_free(service);
    }
    while (health->watches) {
        health_watch *watch = health->watches;

        health->watches = watch->next;
        watch->health = NULL;
        if (watch->changed)
            watch_wake(watch);
    }
    vow_service_free(health);
}

void vow_health_serve(vow_health *health, vow_server *server)
{
    static const vow__grpc_health_service service = {
        .check = serve_check,
        .list = serve_list,
        .watch = serve_watch,
    };

    vow__grpc_health_serve(server, &service, health);
}
