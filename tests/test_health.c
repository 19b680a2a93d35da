/* The standard services: what they tell, on which protocol they are asked. */
#include "tests/support/kinds.h"
#include "tests/support/world.h"

#include <vow/grpc/file.pb-c.h>
#include <vow/grpc/health.vow.h>
#include <vow/grpc/reflection.vow.h>
#include <vow/health.h>
#include <vow/reflection.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

typedef Vow__Grpc__HealthCheckResponse__ServingStatus serving_status;

#define SERVING VOW__GRPC__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
#define NOT_SERVING VOW__GRPC__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING
#define UNKNOWN_SERVICE VOW__GRPC__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN

typedef struct well {
    world      *world;
    vow_health *health;
} well;

static well *well_new(world_kind kind)
{
    static well well;

    well.world = world_new(kind);
    well.health = vow_health_new(well.world->loop);
    assert_non_null(well.health);
    vow_health_serve(well.health, well.world->server);
    vow_reflection_serve(well.world->server);
    return &well;
}

static int open_simulated(void **state)
{
    *state = well_new(WORLD_SIMULATED);
    return 0;
}
static int open_tcp(void **state)
{
    *state = well_new(WORLD_TCP);
    return 0;
}
static int open_grpc(void **state)
{
    *state = well_new(WORLD_GRPC);
    return 0;
}

static int close_well(void **state)
{
    well *well = *state;

    vow_health_free(well->health);
    world_free(well->world);
    return 0;
}

/* Health */

static vow_future *ask(well *well, const char *service)
{
    Vow__Grpc__HealthCheckRequest request = VOW__GRPC__HEALTH_CHECK_REQUEST__INIT;

    request.service = (char *)(uintptr_t)service;
    return vow__grpc_health_check(well->world->channel, &request, NULL);
}

static serving_status checked(well *well, const char *service)
{
    vow_future    *reply = ask(well, service);
    serving_status status;

    assert_int_equal(vow_wait(reply), VOW_OK);
    status = vow__grpc_health_check_result(reply)->status;
    vow_drop(reply);
    return status;
}

static void a_server_serves_until_it_says_otherwise(void **state)
{
    well *well = *state;

    assert_int_equal(checked(well, ""), SERVING);
    assert_int_equal(vow_health_set(well->health, "", false), VOW_OK);
    assert_int_equal(checked(well, ""), NOT_SERVING);
    assert_int_equal(vow_health_set(well->health, "", true), VOW_OK);
    assert_int_equal(checked(well, ""), SERVING);
}

static void a_service_that_nobody_spoke_of_is_not_found(void **state)
{
    well *well = *state;

    assert_string_equal(world_error(well->world, ask(well, "shop.Cart")),
                        "NOT_FOUND: nothing is known of the service \"shop.Cart\"");
    assert_int_equal(vow_health_set(well->health, "shop.Cart", true), VOW_OK);
    assert_int_equal(checked(well, "shop.Cart"), SERVING);
}

static void all_services_are_listed(void **state)
{
    well                                *well = *state;
    Vow__Grpc__HealthListRequest         request = VOW__GRPC__HEALTH_LIST_REQUEST__INIT;
    const Vow__Grpc__HealthListResponse *list;
    vow_future                          *reply;

    assert_int_equal(vow_health_set(well->health, "shop.Cart", false), VOW_OK);
    reply = vow__grpc_health_list(well->world->channel, &request, NULL);
    assert_int_equal(vow_wait(reply), VOW_OK);
    list = vow__grpc_health_list_result(reply);
    assert_int_equal(list->n_statuses, 2);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(list->statuses[i]->value->status,
                         strcmp(list->statuses[i]->key, "shop.Cart") == 0 ? NOT_SERVING : SERVING);
    vow_drop(reply);
}

static vow_call *watch(well *well, const char *service)
{
    Vow__Grpc__HealthCheckRequest request = VOW__GRPC__HEALTH_CHECK_REQUEST__INIT;
    vow_call *call = vow_call_start(well->world->channel, &vow__grpc_health_watch_method, NULL);

    request.service = (char *)(uintptr_t)service;
    vow_call_send(call, &request.base);
    return call;
}

static serving_status next(vow_call *call)
{
    vow_future    *message = vow_call_next(call);
    serving_status status;

    assert_int_equal(vow_wait(message), VOW_OK);
    assert_non_null(vow_future_value(message));
    status = ((const Vow__Grpc__HealthCheckResponse *)vow_future_value(message))->status;
    vow_drop(message);
    return status;
}

static void a_watcher_is_told_of_each_change(void **state)
{
    well     *well = *state;
    vow_call *call = watch(well, "shop.Cart");

    assert_int_equal(next(call), UNKNOWN_SERVICE);
    vow_health_set(well->health, "shop.Cart", true);
    assert_int_equal(next(call), SERVING);
    vow_health_set(well->health, "shop.Cart", true); /* no change */
    vow_health_set(well->health, "", false);         /* another's */
    vow_health_set(well->health, "shop.Cart", false);
    assert_int_equal(next(call), NOT_SERVING);
    vow_call_drop(call);
    assert_int_equal(checked(well, "shop.Cart"), NOT_SERVING);
}

static void a_server_that_drains_tells_its_watchers(void **state)
{
    well       *well = *state;
    vow_call   *call = watch(well, "");
    vow_future *drain;

    assert_int_equal(next(call), SERVING);
    drain = vow_server_drain(well->world->server, 1000);
    assert_int_equal(next(call), NOT_SERVING);
    vow_call_drop(call);
    assert_int_equal(world_settle(well->world, drain), VOW_OK);
}

static void services_are_bounded_and_so_are_their_names(void **state)
{
    well *well = *state;
    char  name[VOW_HEALTH_NAME_MAX + 2];

    memset(name, 'a', sizeof name);
    name[sizeof name - 1] = '\0';
    assert_int_equal(vow_health_set(well->health, name, true), VOW_INVALID_ARGUMENT);
    name[sizeof name - 2] = '\0';
    assert_int_equal(vow_health_set(well->health, name, true), VOW_OK);
    for (int i = 2; i < VOW_HEALTH_SERVICES_MAX; i++) {
        snprintf(name, sizeof name, "service%d", i);
        assert_int_equal(vow_health_set(well->health, name, true), VOW_OK);
    }
    assert_int_equal(vow_health_set(well->health, "one.Too.Many", true), VOW_RESOURCE_EXHAUSTED);
    assert_int_equal(vow_health_set(well->health, "service2", false), VOW_OK);
}

static void a_watch_ends_with_what_it_watches(void **state)
{
    well       *well = *state;
    vow_call   *call = watch(well, "");
    vow_future *message;

    assert_int_equal(next(call), SERVING);
    message = vow_call_next(call);
    vow_health_free(well->health);
    well->health = NULL;
    assert_string_equal(world_error(well->world, message),
                        "UNAVAILABLE: the server tells of its health no more");
    vow_call_drop(call);
}

/* Reflection */

typedef Vow__Grpc__ServerReflectionRequest  question;
typedef Vow__Grpc__ServerReflectionResponse answer;

static const vow_method alpha = {
    .size = sizeof alpha,
    .name = "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    .request = &vow__grpc__server_reflection_request__descriptor,
    .reply = &vow__grpc__server_reflection_response__descriptor,
    .client_streams = true,
    .server_streams = true,
};

/* The answer to one question, on a call of its own. */
static vow_future *reflect(well *well, const vow_method *method, const question *question)
{
    vow_call   *call = vow_call_start(well->world->channel, method, NULL);
    vow_future *message;

    vow_call_send(call, &question->base);
    message = vow_call_next(call);
    vow_call_end(call);
    assert_int_equal(vow_wait(message), VOW_OK);
    vow_call_drop(call);
    return message;
}

static const answer *answer_of(const vow_future *message)
{
    return vow_future_value(message);
}

static bool lists(const answer *answer, const char *name)
{
    for (size_t i = 0; i < answer->list_services_response->n_service; i++) {
        if (strcmp(answer->list_services_response->service[i]->name, name) == 0)
            return true;
    }
    return false;
}

static void services_are_listed_by_both_versions(void **state)
{
    well             *well = *state;
    question          ask = VOW__GRPC__SERVER_REFLECTION_REQUEST__INIT;
    const vow_method *methods[] = { &vow__grpc_server_reflection_server_reflection_info_method, &alpha };

    ask.message_request_case = VOW__GRPC__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES;
    ask.list_services = (char *)"";
    for (size_t i = 0; i < 2; i++) {
        vow_future *message = reflect(well, methods[i], &ask);

        assert_int_equal(answer_of(message)->message_response_case,
                         VOW__GRPC__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_LIST_SERVICES_RESPONSE);
        assert_true(lists(answer_of(message), "calls.Calls"));
        assert_true(lists(answer_of(message), "grpc.health.v1.Health"));
        assert_true(lists(answer_of(message), "grpc.reflection.v1.ServerReflection"));
        vow_drop(message);
    }
}

static void assert_file(well *well, const question *question, const char *name)
{
    vow_future *message = reflect(well, &vow__grpc_server_reflection_server_reflection_info_method, question);
    const answer    *answer = answer_of(message);
    Vow__Grpc__File *file;

    assert_int_equal(answer->message_response_case,
                     VOW__GRPC__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE);
    assert_int_equal(answer->file_descriptor_response->n_file_descriptor_proto, 1);
    file = vow__grpc__file__unpack(NULL, answer->file_descriptor_response->file_descriptor_proto[0].len,
                                   answer->file_descriptor_response->file_descriptor_proto[0].data);
    assert_string_equal(file->name, name);
    vow__grpc__file__free_unpacked(file, NULL);
    vow_drop(message);
}

static void the_file_of_a_symbol_is_found(void **state)
{
    static const char *const symbols[] = { "calls.Calls", "calls.Calls.Echo", "calls.Text",
                                           "calls.Text.text" };
    well                    *well = *state;
    question                 ask = VOW__GRPC__SERVER_REFLECTION_REQUEST__INIT;

    ask.message_request_case = VOW__GRPC__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL;
    for (size_t i = 0; i < sizeof symbols / sizeof symbols[0]; i++) {
        ask.file_containing_symbol = (char *)(uintptr_t)symbols[i];
        assert_file(well, &ask, "calls.proto");
    }
    ask.message_request_case = VOW__GRPC__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME;
    ask.file_by_filename = (char *)"calls.proto";
    assert_file(well, &ask, "calls.proto");
}

static void what_is_not_there_is_said_and_the_stream_goes_on(void **state)
{
    well     *well = *state;
    question  ask = VOW__GRPC__SERVER_REFLECTION_REQUEST__INIT;
    vow_call *call = vow_call_start(well->world->channel,
                                    &vow__grpc_server_reflection_server_reflection_info_method, NULL);

    ask.message_request_case = VOW__GRPC__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL;
    ask.file_containing_symbol = (char *)"calls.Tex";
    for (int i = 0; i < 2; i++) {
        vow_future *message;

        vow_call_send(call, &ask.base);
        message = vow_call_next(call);
        assert_int_equal(vow_wait(message), VOW_OK);
        assert_int_equal(answer_of(message)->error_response->error_code, VOW_NOT_FOUND);
        assert_string_equal(answer_of(message)->error_response->error_message,
                            "no .proto file of this server has that");
        assert_string_equal(answer_of(message)->original_request->file_containing_symbol, "calls.Tex");
        vow_drop(message);
    }
    vow_call_drop(call);
}

#define ON(world, test)                                                                                      \
    {                                                                                                        \
#test " (" #world ")", test, open_##world, close_well, NULL                                          \
    }
#define ON_EACH(test) ON(simulated, test), ON(tcp, test), ON(grpc, test)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EACH(a_server_serves_until_it_says_otherwise),
        ON_EACH(a_service_that_nobody_spoke_of_is_not_found),
        ON_EACH(all_services_are_listed),
        ON_EACH(a_watcher_is_told_of_each_change),
        ON_EACH(a_server_that_drains_tells_its_watchers),
        ON_EACH(services_are_bounded_and_so_are_their_names),
        ON_EACH(a_watch_ends_with_what_it_watches),
        ON_EACH(services_are_listed_by_both_versions),
        ON_EACH(the_file_of_a_symbol_is_found),
        ON_EACH(what_is_not_there_is_said_and_the_stream_goes_on),
    };

    return kinds_run_tests("health and reflection", tests);
}
