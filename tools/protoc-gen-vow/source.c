#include "source.h"

#include "scratch.h"

#include <string.h>

/* Indexes into a list that loses one of its entries. */
static void indexes_without(int32_t **indexes, size_t *count, size_t lost)
{
    int32_t *kept = vow_scratch_alloc((*count + 1) * sizeof *kept);
    size_t   kept_count = 0;

    for (size_t i = 0; i < *count; i++) {
        if ((size_t)(*indexes)[i] != lost)
            kept[kept_count++] = (*indexes)[i] - ((size_t)(*indexes)[i] > lost);
    }
    *indexes = kept;
    *count = kept_count;
}

static void file_lose_import(vow_file_proto *file, size_t lost)
{
    char **kept = vow_scratch_alloc(file->n_dependency * sizeof *kept);

    memcpy(kept, file->dependency, lost * sizeof *kept);
    memcpy(kept + lost, file->dependency + lost + 1, (file->n_dependency - lost - 1) * sizeof *kept);
    file->dependency = kept;
    file->n_dependency--;
    indexes_without(&file->public_dependency, &file->n_public_dependency, lost);
    indexes_without(&file->weak_dependency, &file->n_weak_dependency, lost);
}

/* A copy without comments and line numbers, which are three quarters of the size, and without protoc-c's
 * options; those that are set stay as fields that nobody knows. */
static vow_file_proto file_reduce(const vow_file_proto *file)
{
    vow_file_proto copy = *file;

    copy.source_code_info = NULL;
    for (size_t i = 0; i < file->n_dependency; i++) {
        if (strcmp(file->dependency[i], VOW_PROTOC_C_OPTIONS) == 0) {
            file_lose_import(&copy, i);
            break; /* protoc refuses to import a file twice */
        }
    }
    return copy;
}

/* The file and all its imports as a FileDescriptorSet, imports first, as protoc orders them. */
static vow_text files_pack(const vow_model *model)
{
    const vow_schema                   *schema = model->schema;
    Google__Protobuf__FileDescriptorSet set = GOOGLE__PROTOBUF__FILE_DESCRIPTOR_SET__INIT;
    vow_file_proto                     *copies = vow_scratch_alloc(schema->file_count * sizeof *copies);
    vow_text                            packed = { 0 };

    set.file = vow_scratch_alloc(schema->file_count * sizeof *set.file);
    for (size_t i = 0; i < schema->file_count; i++) {
        if (!model->reached[i])
            continue;
        copies[i] = file_reduce(schema->files[i].proto);
        set.file[set.n_file++] = &copies[i];
    }
    packed.size = google__protobuf__file_descriptor_set__get_packed_size(&set);
    packed.data = vow_scratch_alloc(packed.size);
    google__protobuf__file_descriptor_set__pack(&set, (uint8_t *)packed.data);
    return packed;
}

/* No name that is made from the .proto file begins with vow_ and another letter. */
static void files_write(vow_text *text, const vow_model *model)
{
    vow_text packed = files_pack(model);

    vow_text_print(text, "static const uint8_t vow_files_data[] = {");
    for (size_t i = 0; i < packed.size; i++)
        vow_text_print(text, "%s%u,", i % 20 == 0 ? "\n    " : " ", (unsigned)(uint8_t)packed.data[i]);
    vow_text_print(text,
                   "\n"
                   "};\n"
                   "\n"
                   "/* %s and what it imports. */\n"
                   "static const vow_file_set vow_files = {\n"
                   "    .size = sizeof(vow_file_set),\n"
                   "    .data = vow_files_data,\n"
                   "    .data_size = sizeof vow_files_data,\n"
                   "};\n"
                   "\n",
                   model->file->proto->name);
}

/* How the handler of the service is called. */
static const char *method_serve(const vow_model_method *method)
{
    if (method->client_streams)
        return vow_scratch_format("    (void)request;\n    service->%s(call, handler->arg);\n",
                                  method->member);
    return vow_scratch_format("    service->%s(call, (const %s *)request, handler->arg);\n", method->member,
                              vow_message_type(method->request));
}

/* Reads messages of one side as what they are: a function pointer may be kept as any other, and is called as
 * what it was. */
static void method_write_read(vow_text *text, const vow_model_method *method, const char *one,
                              const char *many, const vow_message *message)
{
    const vow_text_value values[] = {
        { "stub", method->function },
        { "one", one },
        { "many", many },
        { "Message", vow_message_type(message) },
        { NULL, NULL },
    };

    vow_text_fill(text,
                  "static vow_future *$stub$_deliver_$one$(vow_call *call, const ProtobufCMessage *message,\n"
                  "        vow_any_fn *on_message, void *arg)\n"
                  "{\n"
                  "    return (($stub$_$one$_fn *)on_message)(call, (const $Message$ *)message, arg);\n"
                  "}\n"
                  "\n"
                  "vow_future *$stub$_read_$many$(vow_call *call, $stub$_$one$_fn *on_$one$, void *arg)\n"
                  "{\n"
                  "    return vow_call_read_as(call, $stub$_deliver_$one$, (vow_any_fn *)on_$one$, arg);\n"
                  "}\n"
                  "\n",
                  values);
}

static void method_write(vow_text *text, const vow_model_service *service, const vow_model_method *method)
{
    const vow_text_value values[] = {
        { "stub", method->function },
        { "path", method->path },
        { "request", vow_message_descriptor(method->request) },
        { "reply", vow_message_descriptor(method->reply) },
        { "client_streams", method->client_streams ? "    .client_streams = true,\n" : "" },
        { "server_streams", method->server_streams ? "    .server_streams = true,\n" : "" },
        { "idempotent", method->idempotent ? "    .idempotent = true,\n" : "" },
        { "service", service->function },
        { "serve", method_serve(method) },
        { NULL, NULL },
    };

    vow_text_fill(text,
                  "const vow_method $stub$_method = {\n"
                  "    .size = sizeof(vow_method),\n"
                  "    .name = \"$path$\",\n"
                  "    .request = &$request$,\n"
                  "    .reply = &$reply$,\n"
                  "$client_streams$$server_streams$$idempotent$"
                  "    .files = &vow_files,\n"
                  "};\n"
                  "\n"
                  "static void $stub$_serve(vow_call *call, const ProtobufCMessage *request,\n"
                  "        const vow_handler *handler)\n"
                  "{\n"
                  "    const $service$_service *service = (const $service$_service *)handler->service;\n"
                  "\n"
                  "$serve$"
                  "}\n"
                  "\n",
                  values);
    if (method->client_streams)
        method_write_read(text, method, "request", "requests", method->request);
    if (method->server_streams)
        method_write_read(text, method, "reply", "replies", method->reply);
}

static void service_write_serve(vow_text *text, const vow_model_service *service)
{
    const vow_text_value values[] = { { "service", service->function }, { NULL, NULL } };

    vow_text_fill(text,
                  "void $service$_serve(vow_server *server, const $service$_service *service, void *arg)\n"
                  "{\n"
                  "    vow_handler handler = { .size = sizeof handler, .service = service, .arg = arg };\n"
                  "\n",
                  values);
    for (size_t i = 0; i < service->method_count; i++) {
        const vow_text_value method[] = {
            { "stub", service->methods[i].function },
            { "member", service->methods[i].member },
            { NULL, NULL },
        };

        vow_text_fill(text,
                      "    handler.method = &$stub$_method;\n"
                      "    handler.serve = service->$member$ ? $stub$_serve : NULL;\n"
                      "    vow_server_handle(server, &handler);\n",
                      method);
    }
    vow_text_print(text, "}\n\n");
}

static void service_write(vow_text *text, const vow_model_service *service)
{
    for (size_t i = 0; i < service->method_count; i++)
        method_write(text, service, &service->methods[i]);
    if (service->method_count > 0)
        service_write_serve(text, service);
}

void vow_source_write(vow_text *text, const vow_model *model)
{
    vow_text_print(text,
                   "/* Made by protoc-gen-vow from %s. What is changed here is lost. */\n"
                   "#include \"%s.vow.h\"\n"
                   "\n",
                   model->file->proto->name, model->stem);
    if (model->method_count > 0)
        files_write(text, model);
    for (size_t i = 0; i < model->service_count; i++)
        service_write(text, &model->services[i]);
    text->data[--text->size] = '\0'; /* the empty line at the end */
}
