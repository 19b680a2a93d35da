/*
 * The standard reflection service.
 *
 * The idea: the handlers of a server point to the packed .proto files behind their methods. A question is
 * answered by looking through those, each time anew: tools ask seldom, and nothing has to be kept in step.
 *
 * Both versions of the service have the same messages, so one function serves both.
 */
#include "runtime/service/memory.h"

#include <vow/grpc/file.pb-c.h>
#include <vow/grpc/reflection.vow.h>
#include <vow/reflection.h>

#include <stdio.h>
#include <string.h>

/* A name that is asked for, and what is looked at on the way to it. */
#define SYMBOL_MAX 512

#define SERVICES_MAX 1000

/* A question on its way through the files of a server. */
typedef struct search {
    const Vow__Grpc__ServerReflectionRequest *request;
    ProtobufCBinaryData                       found; /* the packed file; data NULL: none yet */
    Vow__Grpc__FileSet                       *owner; /* of `found`, to be freed */
    const vow_file_set                       *last;  /* that was looked through: services share theirs */
} search;

/* Names: does what is declared in `scope` have the full name `wanted`? */

static bool name_is(const char *scope, const char *name, const char *wanted)
{
    size_t size = strlen(scope);

    if (!name)
        return false;
    if (size == 0)
        return strcmp(name, wanted) == 0;
    return strncmp(scope, wanted, size) == 0 && wanted[size] == '.' && strcmp(name, wanted + size + 1) == 0;
}

static bool any_named(const char *scope, size_t count, Vow__Grpc__Named *const *named, const char *wanted)
{
    for (size_t i = 0; i < count; i++) {
        if (name_is(scope, named[i]->name, wanted))
            return true;
    }
    return false;
}

static bool any_extension(const char *scope, size_t count, Vow__Grpc__Extension *const *extensions,
                          const char *wanted)
{
    for (size_t i = 0; i < count; i++) {
        if (name_is(scope, extensions[i]->name, wanted))
            return true;
    }
    return false;
}

static bool scope_enter(char inner[SYMBOL_MAX], const char *scope, const char *name)
{
    int size = snprintf(inner, SYMBOL_MAX, "%s%s%s", scope, *scope ? "." : "", name ? name : "");

    return size > 0 && size < SYMBOL_MAX;
}

/* Nested types are as deep as the program's own .proto files. */
static bool type_declares(const char *scope, const Vow__Grpc__Type *type, const char *wanted)
{
    char inner[SYMBOL_MAX];

    if (name_is(scope, type->name, wanted))
        return true;
    if (!scope_enter(inner, scope, type->name))
        return false;
    if (any_named(inner, type->n_field, type->field, wanted) ||
        any_named(inner, type->n_enum_type, type->enum_type, wanted) ||
        any_named(inner, type->n_oneof_decl, type->oneof_decl, wanted) ||
        any_extension(inner, type->n_extension, type->extension, wanted))
        return true;
    for (size_t i = 0; i < type->n_nested_type; i++) {
        if (type_declares(inner, type->nested_type[i], wanted))
            return true;
    }
    return false;
}

static bool service_declares(const char *scope, const Vow__Grpc__Service *service, const char *wanted)
{
    char inner[SYMBOL_MAX];

    return name_is(scope, service->name, wanted) ||
           (scope_enter(inner, scope, service->name) &&
            any_named(inner, service->n_method, service->method, wanted));
}

static bool file_declares(const Vow__Grpc__File *file, const char *wanted)
{
    const char *scope = file->package ? file->package : "";

    for (size_t i = 0; i < file->n_message_type; i++) {
        if (type_declares(scope, file->message_type[i], wanted))
            return true;
    }
    for (size_t i = 0; i < file->n_service; i++) {
        if (service_declares(scope, file->service[i], wanted))
            return true;
    }
    return any_named(scope, file->n_enum_type, file->enum_type, wanted) ||
           any_extension(scope, file->n_extension, file->extension, wanted);
}

static bool extension_is_of(const Vow__Grpc__Extension *extension, const char *type)
{
    return extension->extendee && strcmp(extension->extendee + (extension->extendee[0] == '.'), type) == 0;
}

typedef void see_extension_fn(const Vow__Grpc__Extension *extension, void *arg);

/* Those that types declare, and types in these, count as well as the file's own. */
static void types_each_extension(size_t count, Vow__Grpc__Type *const *types, see_extension_fn *see, void *arg)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < types[i]->n_extension; j++)
            see(types[i]->extension[j], arg);
        types_each_extension(types[i]->n_nested_type, types[i]->nested_type, see, arg);
    }
}

static void file_each_extension(const Vow__Grpc__File *file, see_extension_fn *see, void *arg)
{
    for (size_t i = 0; i < file->n_extension; i++)
        see(file->extension[i], arg);
    types_each_extension(file->n_message_type, file->message_type, see, arg);
}

typedef struct extension_search {
    const Vow__Grpc__ExtensionRequest *wanted;
    bool                               is_there;
} extension_search;

static void extension_compare(const Vow__Grpc__Extension *extension, void *arg)
{
    extension_search *search = arg;

    search->is_there |= extension->number == search->wanted->extension_number &&
                        extension_is_of(extension, search->wanted->containing_type);
}

static bool file_extends(const Vow__Grpc__File *file, const Vow__Grpc__ExtensionRequest *wanted)
{
    extension_search search = { wanted, false };

    file_each_extension(file, extension_compare, &search);
    return search.is_there;
}

/* Searching */

static bool file_is_wanted(const Vow__Grpc__File *file, const Vow__Grpc__ServerReflectionRequest *request)
{
    switch (request->message_request_case) {
    case VOW__GRPC__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME:
        return file->name && strcmp(file->name, request->file_by_filename) == 0;
    case VOW__GRPC__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL:
        return file_declares(file, request->file_containing_symbol);
    case VOW__GRPC__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_EXTENSION:
        return file_extends(file, request->file_containing_extension);
    default:
        return false;
    }
}

static bool packed_is_wanted(const ProtobufCBinaryData                *packed,
                             const Vow__Grpc__ServerReflectionRequest *request)
{
    Vow__Grpc__File *file = vow__grpc__file__unpack(NULL, packed->len, packed->data);
    bool             is_wanted = file && file_is_wanted(file, request);

    vow__grpc__file__free_unpacked(file, NULL);
    return is_wanted;
}

static void search_handler(const vow_handler *handler, void *arg)
{
    search             *search = arg;
    const vow_file_set *files = handler->method ? handler->method->files : NULL;
    Vow__Grpc__FileSet *set;

    if (search->found.data || !files || files == search->last)
        return;
    search->last = files;
    set = vow__grpc__file_set__unpack(NULL, files->data_size, files->data);
    for (size_t i = 0; set && i < set->n_file && !search->found.data; i++) {
        if (packed_is_wanted(&set->file[i], search->request))
            search->found = set->file[i];
    }
    if (search->found.data)
        search->owner = set;
    else
        vow__grpc__file_set__free_unpacked(set, NULL);
}

/* Answering */

typedef Vow__Grpc__ServerReflectionRequest  reflection_request;
typedef Vow__Grpc__ServerReflectionResponse reflection_response;

static void send_error(vow_call *call, reflection_response *response, vow_code code, const char *text)
{
    Vow__Grpc__ErrorResponse error = VOW__GRPC__ERROR_RESPONSE__INIT;

    error.error_code = code;
    error.error_message = (char *)(uintptr_t)text;
    response->message_response_case = VOW__GRPC__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE;
    response->error_response = &error;
    vow_call_send(call, &response->base);
}

static void send_file(vow_call *call, vow_server *server, reflection_response *response)
{
    Vow__Grpc__FileDescriptorResponse files = VOW__GRPC__FILE_DESCRIPTOR_RESPONSE__INIT;
    search                            search = { .request = response->original_request };

    vow_server_each_handler(server, search_handler, &search);
    if (!search.found.data) {
        send_error(call, response, VOW_NOT_FOUND, "no .proto file of this server has that");
        return;
    }
    files.n_file_descriptor_proto = 1;
    files.file_descriptor_proto = &search.found;
    response->message_response_case =
        VOW__GRPC__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE;
    response->file_descriptor_response = &files;
    vow_call_send(call, &response->base);
    vow__grpc__file_set__free_unpacked(search.owner, NULL);
}

typedef struct service_list {
    Vow__Grpc__ServiceResponse  services[SERVICES_MAX];
    Vow__Grpc__ServiceResponse *pointers[SERVICES_MAX];
    char                        names[SERVICES_MAX][SYMBOL_MAX];
    size_t                      count;
} service_list;

static bool list_has(const service_list *list, const char *name, size_t size)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strncmp(list->names[i], name, size) == 0 && list->names[i][size] == '\0')
            return true;
    }
    return false;
}

static void list_handler(const vow_handler *handler, void *arg)
{
    service_list *list = arg;
    const char   *name = handler->method ? handler->method->name : "";
    const char   *slash = strrchr(name, '/');
    size_t        size = slash ? (size_t)(slash - name) : 0;
    size_t        at = list->count;

    if (size == 0 || size >= SYMBOL_MAX || at == SERVICES_MAX || list_has(list, name, size))
        return;
    memcpy(list->names[at], name, size);
    vow__grpc__service_response__init(&list->services[at]);
    list->services[at].name = list->names[at];
    list->pointers[at] = &list->services[at];
    list->count++;
}

static void send_services(vow_call *call, vow_server *server, reflection_response *response)
{
    Vow__Grpc__ListServiceResponse answer = VOW__GRPC__LIST_SERVICE_RESPONSE__INIT;
    service_list                  *list = vow_service_alloc(sizeof *list);

    if (!list) {
        send_error(call, response, VOW_RESOURCE_EXHAUSTED, "no memory for the list of services");
        return;
    }
    vow_server_each_handler(server, list_handler, list);
    for (size_t i = 0; i < list->count; i++)
        list->pointers[i] = &list->services[i];
    answer.n_service = list->count;
    answer.service = list->pointers;
    response->message_response_case =
        VOW__GRPC__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_LIST_SERVICES_RESPONSE;
    response->list_services_response = &answer;
    vow_call_send(call, &response->base);
    vow_service_free(list);
}

/* Numbers of the extensions of one type, in all files. */
typedef struct extension_list {
    const char         *type;
    int32_t             numbers[SERVICES_MAX];
    size_t              count;
    bool                is_known; /* some file declares the type */
    const vow_file_set *last;
} extension_list;

static void extension_add(const Vow__Grpc__Extension *extension, void *arg)
{
    extension_list *list = arg;

    if (!extension_is_of(extension, list->type))
        return;
    for (size_t i = 0; i < list->count; i++) {
        if (list->numbers[i] == extension->number)
            return; /* from a file that several services share */
    }
    if (list->count < SERVICES_MAX)
        list->numbers[list->count++] = extension->number;
}

static void extension_handler(const vow_handler *handler, void *arg)
{
    extension_list     *list = arg;
    const vow_file_set *files = handler->method ? handler->method->files : NULL;
    Vow__Grpc__FileSet *set;

    if (!files || files == list->last)
        return;
    list->last = files;
    set = vow__grpc__file_set__unpack(NULL, files->data_size, files->data);
    for (size_t i = 0; set && i < set->n_file; i++) {
        Vow__Grpc__File *file = vow__grpc__file__unpack(NULL, set->file[i].len, set->file[i].data);

        if (file) {
            list->is_known |= file_declares(file, list->type);
            file_each_extension(file, extension_add, list);
        }
        vow__grpc__file__free_unpacked(file, NULL);
    }
    vow__grpc__file_set__free_unpacked(set, NULL);
}

static void send_extensions(vow_call *call, vow_server *server, reflection_response *response)
{
    Vow__Grpc__ExtensionNumberResponse answer = VOW__GRPC__EXTENSION_NUMBER_RESPONSE__INIT;
    extension_list list = { .type = response->original_request->all_extension_numbers_of_type };

    vow_server_each_handler(server, extension_handler, &list);
    if (!list.is_known) {
        send_error(call, response, VOW_NOT_FOUND, "no .proto file of this server declares that type");
        return;
    }
    answer.base_type_name = response->original_request->all_extension_numbers_of_type;
    answer.n_extension_number = list.count;
    answer.extension_number = list.numbers;
    response->message_response_case =
        VOW__GRPC__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ALL_EXTENSION_NUMBERS_RESPONSE;
    response->all_extension_numbers_response = &answer;
    vow_call_send(call, &response->base);
}

static vow_future *answer_question(vow_call *call, const reflection_request *request, void *arg)
{
    vow_server         *server = arg;
    reflection_response response = VOW__GRPC__SERVER_REFLECTION_RESPONSE__INIT;

    response.valid_host = request->host;
    response.original_request = (reflection_request *)(uintptr_t)request;
    switch (request->message_request_case) {
    case VOW__GRPC__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES:
        send_services(call, server, &response);
        break;
    case VOW__GRPC__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME:
    case VOW__GRPC__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL:
    case VOW__GRPC__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_EXTENSION:
        send_file(call, server, &response);
        break;
    case VOW__GRPC__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_ALL_EXTENSION_NUMBERS_OF_TYPE:
        send_extensions(call, server, &response);
        break;
    default:
        send_error(call, &response, VOW_INVALID_ARGUMENT, "the request asks nothing that is known here");
    }
    return vow_call_when_room(call); /* a tool that asks and does not read is asked to wait */
}

static void serve_info(vow_call *call, void *arg)
{
    vow_call_answer(
        call, vow__grpc_server_reflection_server_reflection_info_read_requests(call, answer_question, arg));
}

/* The older version has the same messages, and no .proto file here. */
static const vow_method alpha_method = {
    .size = sizeof alpha_method,
    .name = "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    .request = &vow__grpc__server_reflection_request__descriptor,
    .reply = &vow__grpc__server_reflection_response__descriptor,
    .client_streams = true,
    .server_streams = true,
};

static void serve_alpha(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    (void)request;
    serve_info(call, handler->arg);
}

void vow_reflection_serve(vow_server *server)
{
    static const vow__grpc_server_reflection_service service = { .server_reflection_info = serve_info };

    vow_handler alpha = { .size = sizeof alpha, .method = &alpha_method, .serve = serve_alpha };

    alpha.arg = server;
    vow__grpc_server_reflection_serve(server, &service, server);
    vow_server_handle(server, &alpha);
}
