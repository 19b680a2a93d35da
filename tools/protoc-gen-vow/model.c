#include "model.h"

#include "text.h"

#include <string.h>

/* What a stub's functions and objects end in, after their common part. */
static const char *const unary_ends[] = { "", "_method", "_result", "_reply", "_serve", NULL };
static const char *const stream_ends[] = {
    "",
    "_method",
    "_result",
    "_reply",
    "_serve",
    "_send_request",
    "_send_reply",
    "_request",
    "_request_fn",
    "_reply_fn",
    "_read_requests",
    "_read_replies",
    "_deliver_request",
    "_deliver_reply",
    NULL,
};
static const char *const service_ends[] = { "_service", "_serve", NULL };
static const char *const message_ends[] = { "_of", NULL };

const char *vow_message_type(const vow_message *message)
{
    return vow_name_type(&message->file->package, message->full_name);
}

const char *vow_message_descriptor(const vow_message *message)
{
    return vow_scratch_format("%s__descriptor", vow_name_prefix(&message->file->package, message->full_name));
}

static bool names_are_free(const vow_symbols *taken, const char *begin, const char *const *ends)
{
    for (; *ends; ends++) {
        if (vow_symbols_owner(taken, vow_scratch_format("%s%s", begin, *ends)))
            return false;
    }
    return true;
}

/* Claims every name that starts with `begin`, or with as many underscores after it as it takes. */
static const char *names_claim(vow_symbols *taken, const char *begin, const char *const *ends,
                               const char *owner)
{
    while (!names_are_free(taken, begin, ends))
        begin = vow_scratch_format("%s_", begin);
    for (; *ends; ends++)
        vow_symbols_claim(taken, vow_scratch_format("%s%s", begin, *ends), owner);
    return begin;
}

/* The member's name, as unique within the struct as the function's is within the file. A dot keeps it apart
 * from what is not a member. */
static const char *member_claim(vow_symbols *taken, const char *service, const char *name, const char *owner)
{
    static const char *const ends[] = { "", NULL };
    const char              *scope = vow_scratch_format("%s_service.", service);
    const char              *claimed;

    claimed = names_claim(taken, vow_scratch_format("%s%s", scope, vow_name_member(name)), ends, owner);
    return claimed + strlen(scope);
}

/* A type as the method's own file would write it. */
static const char *type_shown(const vow_file *file, const vow_message *message)
{
    size_t size = strlen(file->package.name);

    if (size > 0 && message->file->package.name[0] &&
        strcmp(message->file->package.name, file->package.name) == 0)
        return message->full_name + size + 1;
    return message->full_name;
}

static const char *method_rpc(const vow_file *file, const vow_model_method *method)
{
    return vow_scratch_format(
        "rpc %s(%s%s) returns (%s%s)", method->proto->name, method->proto->client_streaming ? "stream " : "",
        type_shown(file, method->request), method->proto->server_streaming ? "stream " : "",
        type_shown(file, method->reply));
}

static bool method_is_idempotent(const vow_method_proto *proto)
{
    return proto->options && proto->options->has_idempotency_level &&
           proto->options->idempotency_level !=
               GOOGLE__PROTOBUF__METHOD_OPTIONS__IDEMPOTENCY_LEVEL__IDEMPOTENCY_UNKNOWN;
}

static const char *model_find_type(const vow_model *model, const char *type, vow_path path,
                                   const vow_message **found)
{
    *found = vow_schema_message(model->schema, type);
    return *found ? NULL
                  : vow_scratch_format("%s: the type %s is not in the request",
                                       vow_file_place(model->file, path), type);
}

static const char *model_build_method(const vow_model *model, const vow_model_service *service,
                                      const vow_method_proto *proto, vow_path path, vow_symbols *taken,
                                      vow_model_method *method)
{
    const char *lower = vow_name_lower(proto->name);
    const char *owner = vow_scratch_format("rpc %s of %s", proto->name, service->full_name);
    const char *wrong;

    method->proto = proto;
    wrong = model_find_type(model, proto->input_type, path, &method->request);
    if (!wrong)
        wrong = model_find_type(model, proto->output_type, path, &method->reply);
    if (wrong)
        return wrong;

    method->client_streams = proto->client_streaming;
    method->server_streams = proto->server_streaming;
    method->idempotent = method_is_idempotent(proto);
    method->path = vow_scratch_format("%s/%s", service->full_name, proto->name);
    method->rpc = method_rpc(model->file, method);
    method->comment = vow_file_comment(model->file, path);
    method->function =
        names_claim(taken, vow_scratch_format("%s_%s", service->function, lower),
                    method->client_streams || method->server_streams ? stream_ends : unary_ends, owner);
    method->member = member_claim(taken, service->function, lower, owner);
    return NULL;
}

static const char *model_build_service(vow_model *model, size_t index, vow_symbols *taken)
{
    const vow_service_proto *proto = model->file->proto->service[index];
    vow_model_service       *service = &model->services[index];
    vow_path                 path = vow_path_add((vow_path){ 0 }, VOW_PATH_FILE_SERVICE, index);

    service->full_name = vow_full_name(model->file->package.name, proto->name);
    service->function = names_claim(taken, vow_name_function(&model->file->package, service->full_name),
                                    service_ends, vow_scratch_format("service %s", service->full_name));
    service->comment = vow_file_comment(model->file, path);
    service->method_count = proto->n_method;
    service->methods = vow_scratch_alloc(proto->n_method * sizeof *service->methods);
    for (size_t i = 0; i < proto->n_method; i++) {
        const char *wrong =
            model_build_method(model, service, proto->method[i],
                               vow_path_add(path, VOW_PATH_SERVICE_METHOD, i), taken, &service->methods[i]);

        if (wrong)
            return wrong;
    }
    model->method_count += service->method_count;
    return NULL;
}

/* A map's entries are messages only to protobuf itself. */
static bool message_is_map_entry(const vow_message *message)
{
    return message->proto->options && message->proto->options->map_entry;
}

static void model_build_messages(vow_model *model, vow_symbols *taken)
{
    const vow_schema *schema = model->schema;

    model->messages = vow_scratch_alloc(schema->message_count * sizeof *model->messages);
    for (size_t i = 0; i < schema->message_count; i++) {
        const vow_message *message = &schema->messages[i];

        if (message->file != model->file || message_is_map_entry(message))
            continue;
        model->messages[model->message_count++] = (vow_model_message){
            .type = vow_message_type(message),
            .descriptor = vow_message_descriptor(message),
            .function = names_claim(taken, vow_name_function(&message->file->package, message->full_name),
                                    message_ends, vow_scratch_format("message %s", message->full_name)),
        };
    }
}

static void model_add_cpp_word(vow_model *model, const char *word)
{
    const char **longer;

    if (!vow_name_breaks_cpp(word))
        return;
    for (size_t i = 0; i < model->cpp_word_count; i++) {
        if (strcmp(model->cpp_words[i], word) == 0)
            return;
    }
    longer = vow_scratch_alloc((model->cpp_word_count + 1) * sizeof *longer);
    if (model->cpp_word_count > 0)
        memcpy(longer, model->cpp_words, model->cpp_word_count * sizeof *longer);
    longer[model->cpp_word_count++] = word;
    model->cpp_words = longer;
}

/* The headers of all imports are included by the file's own. */
static void model_find_cpp_words(vow_model *model, bool with_services)
{
    const vow_schema *schema = model->schema;

    for (size_t i = 0; i < schema->file_count; i++) {
        const vow_file_proto *proto = schema->files[i].proto;

        for (size_t j = 0; with_services && model->reached[i] && j < proto->n_service; j++) {
            for (size_t k = 0; k < proto->service[j]->n_method; k++)
                model_add_cpp_word(model, vow_name_lower(proto->service[j]->method[k]->name));
        }
    }
    for (size_t i = 0; i < schema->message_count; i++) {
        const vow_message *message = &schema->messages[i];

        for (size_t j = 0; model->reached[message->file - schema->files] && j < message->proto->n_field; j++)
            model_add_cpp_word(model, vow_name_field(message->proto->field[j]->name));
    }
}

const char *vow_model_build(const vow_schema *schema, const vow_file *file, const bool *reached,
                            bool with_services, vow_symbols *taken, vow_model *model)
{
    const vow_file_proto *proto = file->proto;

    *model = (vow_model){ .schema = schema, .file = file, .reached = reached };
    model->stem = vow_name_file_stem(proto->name);
    model->service_count = proto->n_service;
    model->services = vow_scratch_alloc(proto->n_service * sizeof *model->services);
    for (size_t i = 0; i < proto->n_service; i++) {
        const char *wrong = model_build_service(model, i, taken);

        if (wrong)
            return wrong;
    }
    model_build_messages(model, taken);
    model_find_cpp_words(model, with_services);
    return NULL;
}
