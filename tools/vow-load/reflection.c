#include "tools/vow-load/reflection.h"

#include <vow/grpc/reflection.vow.h>

#include <string.h>

#define REQUEST_SYMBOL VOW__GRPC__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL
#define REQUEST_FILE VOW__GRPC__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME
#define ANSWER_FILES VOW__GRPC__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE
#define ANSWER_ERROR VOW__GRPC__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE

/* One question after the other, on one stream. */
typedef struct asking {
    vow_call     *call;
    load_schema  *schema;
    load_problem *problem;
    size_t        files, bytes; /* so far */
    vow_code      code;         /* of the last answer that did not come */
} asking;

static bool asking_take_files(asking *asking, const Vow__Grpc__FileDescriptorResponse *files)
{
    for (size_t i = 0; i < files->n_file_descriptor_proto; i++) {
        const ProtobufCBinaryData *file = &files->file_descriptor_proto[i];

        asking->bytes += file->len;
        if (++asking->files > LOAD_REFLECTION_FILES_MAX || asking->bytes > LOAD_REFLECTION_BYTES_MAX)
            return load_problem_set(asking->problem,
                                    "the server's reflection has more than %d files, or %zu bytes",
                                    LOAD_REFLECTION_FILES_MAX, LOAD_REFLECTION_BYTES_MAX);
        if (!load_schema_add(asking->schema, file->data, file->len, asking->problem))
            return false;
    }
    return true;
}

static bool asking_take(asking *asking, const Vow__Grpc__ServerReflectionResponse *answer)
{
    if (!answer)
        return load_problem_set(asking->problem, "the server's reflection ended without an answer");
    if (answer->message_response_case == ANSWER_FILES)
        return asking_take_files(asking, answer->file_descriptor_response);
    if (answer->message_response_case == ANSWER_ERROR)
        return load_problem_set(asking->problem, "the server's reflection says: %s",
                                answer->error_response->error_message);
    return load_problem_set(asking->problem,
                            "the server's reflection answered something else than it was asked");
}

/* Sends a question and waits for its answer. */
static bool asking_ask(asking *asking, const Vow__Grpc__ServerReflectionRequest *request)
{
    vow_future *next;
    bool        is_good;

    vow_call_send(asking->call, &request->base);
    next = vow_call_next(asking->call);
    asking->code = vow_wait(next);
    if (asking->code == VOW_OK)
        is_good = asking_take(asking, vow_future_value(next));
    else
        is_good = load_problem_set(asking->problem, "%s", vow_future_error(next));
    vow_drop(next);
    return is_good;
}

/* The file of the service, then whatever is imported and has not come along. */
static bool asking_run(asking *asking, const char *service)
{
    Vow__Grpc__ServerReflectionRequest request = VOW__GRPC__SERVER_REFLECTION_REQUEST__INIT;
    const char                        *missing;
    size_t                             before;

    request.message_request_case = REQUEST_SYMBOL;
    request.file_containing_symbol = (char *)(uintptr_t)service;
    if (!asking_ask(asking, &request))
        return false;
    while ((missing = load_schema_missing(asking->schema))) {
        before = asking->files;
        request.message_request_case = REQUEST_FILE;
        request.file_by_filename = (char *)(uintptr_t)missing;
        if (!asking_ask(asking, &request))
            return false;
        if (asking->files == before)
            return load_problem_set(asking->problem, "the server's reflection has no file %s", missing);
    }
    return true;
}

static bool asking_try(asking *asking, vow_channel *channel, const vow_method *method, const char *service,
                       const vow_call_options *options)
{
    bool is_good;

    asking->call = vow_call_start(channel, method, options);
    is_good = asking_run(asking, service);
    vow_call_drop(asking->call);
    return is_good;
}

load_schema *load_reflection_ask(vow_channel *channel, const char *service, const vow_metadata *metadata,
                                 int64_t timeout_ms, load_problem *problem)
{
    const vow_call_options *options = VOW_CALL(.metadata = metadata, .timeout_ms = timeout_ms);
    vow_method              older = vow__grpc_server_reflection_server_reflection_info_method;
    asking                  asking = { .problem = problem, .schema = load_schema_new() };
    bool                    is_good;

    older.name = "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
    is_good = asking_try(&asking, channel, &vow__grpc_server_reflection_server_reflection_info_method,
                         service, options);
    if (!is_good && asking.code == VOW_UNIMPLEMENTED)
        is_good = asking_try(&asking, channel, &older, service, options);
    if (is_good)
        return asking.schema;
    if (asking.code == VOW_UNIMPLEMENTED)
        load_problem_set(problem,
                         "the server has no reflection; name the schema with --proto or --descriptors");
    load_schema_free(asking.schema);
    return NULL;
}
