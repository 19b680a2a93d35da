#include "schema.h"

#include "options.pb-c.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

/* The number that protobuf-c registered for its options in FileOptions and MessageOptions. */
#define PROTOBUF_C_OPTIONS 1019

const char *vow_full_name(const char *scope, const char *name)
{
    return *scope ? vow_scratch_format("%s.%s", scope, name) : name;
}

/* protoc hands over an option per statement, so there may be several parts; protobuf merges messages by
 * appending them. */
static vow_text options_bytes(const ProtobufCMessage *options)
{
    vow_text bytes = { 0 };

    for (unsigned i = 0; options && i < options->n_unknown_fields; i++) {
        const ProtobufCMessageUnknownField *field = &options->unknown_fields[i];
        size_t                              prefix = 0;

        if (field->tag != PROTOBUF_C_OPTIONS || field->wire_type != PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED)
            continue;
        while (field->data[prefix] >= 0x80)
            prefix++;
        prefix++;
        vow_text_add(&bytes, (const char *)field->data + prefix, field->len - prefix);
    }
    return bytes;
}

static void file_read_options(vow_file *file)
{
    const ProtobufCMessage      *options = file->proto->options ? &file->proto->options->base : NULL;
    vow_text                     bytes = options_bytes(options);
    Vow__Generator__FileOptions *read;

    read = vow__generator__file_options__unpack(&vow_scratch_allocator, bytes.size, (uint8_t *)bytes.data);
    if (!read)
        return;
    file->no_generate = read->no_generate;
    file->use_oneof_field_name = read->use_oneof_field_name;
    file->package.c_package = read->c_package;
}

static const char *message_base(const vow_message_proto *proto)
{
    const ProtobufCMessage         *options = proto->options ? &proto->options->base : NULL;
    vow_text                        bytes = options_bytes(options);
    Vow__Generator__MessageOptions *read;

    read = vow__generator__message_options__unpack(&vow_scratch_allocator, bytes.size, (uint8_t *)bytes.data);
    return read ? read->base_field_name : "base";
}

static size_t message_count(const vow_message_proto *proto)
{
    size_t count = 1;

    for (size_t i = 0; i < proto->n_nested_type; i++)
        count += message_count(proto->nested_type[i]);
    return count;
}

static size_t file_message_count(const vow_file_proto *proto)
{
    size_t count = 0;

    for (size_t i = 0; i < proto->n_message_type; i++)
        count += message_count(proto->message_type[i]);
    return count;
}

/* The recursion is bounded: vow_request_read refuses what nests deep. */
static void schema_add_message(vow_schema *schema, const vow_file *file, const vow_message_proto *proto,
                               const char *scope, vow_path path)
{
    vow_message *message = &schema->messages[schema->message_count++];

    message->proto = proto;
    message->file = file;
    message->full_name = vow_full_name(scope, proto->name);
    message->base = message_base(proto);
    message->path = path;
    for (size_t i = 0; i < proto->n_nested_type; i++)
        schema_add_message(schema, file, proto->nested_type[i], message->full_name,
                           vow_path_add(path, VOW_PATH_MESSAGE_NESTED, i));
}

static void schema_add_file(vow_schema *schema, vow_file_proto *proto)
{
    vow_file *file = &schema->files[schema->file_count++];

    file->proto = proto;
    file->package.name = proto->package ? proto->package : "";
    file->proto3 = proto->syntax && strcmp(proto->syntax, "proto3") == 0;
    file_read_options(file);
    for (size_t i = 0; i < proto->n_message_type; i++)
        schema_add_message(schema, file, proto->message_type[i], file->package.name,
                           vow_path_add((vow_path){ 0 }, VOW_PATH_FILE_MESSAGE, i));
}

static int messages_compare(const void *left, const void *right)
{
    const vow_message *const *a = left;
    const vow_message *const *b = right;

    return strcmp((*a)->full_name, (*b)->full_name);
}

/* Every name is optional in descriptor.proto, and always there in what protoc hands over. */
static bool messages_are_named(vow_message_proto *const *protos, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const vow_message_proto *proto = protos[i];

        if (!proto->name || !messages_are_named(proto->nested_type, proto->n_nested_type))
            return false;
        for (size_t j = 0; j < proto->n_field; j++) {
            if (!proto->field[j]->name)
                return false;
        }
        for (size_t j = 0; j < proto->n_enum_type; j++) {
            if (!proto->enum_type[j]->name)
                return false;
        }
        for (size_t j = 0; j < proto->n_oneof_decl; j++) {
            if (!proto->oneof_decl[j]->name)
                return false;
        }
    }
    return true;
}

static bool services_are_named(vow_service_proto *const *protos, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!protos[i]->name)
            return false;
        for (size_t j = 0; j < protos[i]->n_method; j++) {
            const vow_method_proto *method = protos[i]->method[j];

            if (!method->name || !method->input_type || !method->output_type)
                return false;
        }
    }
    return true;
}

static bool file_is_named(const vow_file_proto *proto)
{
    for (size_t i = 0; i < proto->n_enum_type; i++) {
        if (!proto->enum_type[i]->name)
            return false;
    }
    return proto->name && messages_are_named(proto->message_type, proto->n_message_type) &&
           services_are_named(proto->service, proto->n_service);
}

const char *vow_schema_read(const vow_request *request, vow_schema *schema)
{
    size_t count = 0;

    for (size_t i = 0; i < request->n_proto_file; i++) {
        if (!file_is_named(request->proto_file[i]))
            return "the request is incomplete: something in it has no name";
        count += file_message_count(request->proto_file[i]);
    }
    *schema = (vow_schema){ 0 };
    schema->files = vow_scratch_alloc(request->n_proto_file * sizeof *schema->files);
    schema->messages = vow_scratch_alloc(count * sizeof *schema->messages);
    schema->by_name = vow_scratch_alloc(count * sizeof *schema->by_name);
    for (size_t i = 0; i < request->n_proto_file; i++)
        schema_add_file(schema, request->proto_file[i]);
    for (size_t i = 0; i < count; i++)
        schema->by_name[i] = &schema->messages[i];
    qsort(schema->by_name, count, sizeof *schema->by_name, messages_compare);
    return NULL;
}

const vow_file *vow_schema_file(const vow_schema *schema, const char *name)
{
    for (size_t i = 0; i < schema->file_count; i++) {
        if (strcmp(schema->files[i].proto->name, name) == 0)
            return &schema->files[i];
    }
    return NULL;
}

const vow_message *vow_schema_message(const vow_schema *schema, const char *type)
{
    vow_message         wanted = { .full_name = type + (*type == '.') };
    const vow_message  *key = &wanted;
    const vow_message **found =
        bsearch(&key, schema->by_name, schema->message_count, sizeof *schema->by_name, messages_compare);

    return found ? *found : NULL;
}

const char *vow_schema_reach(const vow_schema *schema, const vow_file *file, bool **reached)
{
    size_t *waiting = vow_scratch_alloc((schema->file_count + 1) * sizeof *waiting);
    size_t  count = 0;

    *reached = vow_scratch_alloc((schema->file_count + 1) * sizeof **reached);
    waiting[count++] = (size_t)(file - schema->files);
    (*reached)[waiting[0]] = true;
    while (count > 0) {
        const vow_file_proto *proto = schema->files[waiting[--count]].proto;

        for (size_t i = 0; i < proto->n_dependency; i++) {
            const vow_file *import = vow_schema_file(schema, proto->dependency[i]);
            size_t          index;

            if (strcmp(proto->dependency[i], VOW_PROTOC_C_OPTIONS) == 0)
                continue;
            if (!import)
                return vow_scratch_format("%s imports %s, which is not in the request", proto->name,
                                          proto->dependency[i]);
            index = (size_t)(import - schema->files);
            if (!(*reached)[index])
                waiting[count++] = index;
            (*reached)[index] = true;
        }
    }
    return NULL;
}

vow_path vow_path_add(vow_path path, int32_t field, size_t index)
{
    int32_t *steps = vow_scratch_alloc((path.count + 2) * sizeof *steps);

    if (path.count > 0)
        memcpy(steps, path.steps, path.count * sizeof *steps);
    steps[path.count] = field;
    steps[path.count + 1] = (int32_t)index;
    return (vow_path){ steps, path.count + 2 };
}

static const Google__Protobuf__SourceCodeInfo__Location *file_location(const vow_file *file, vow_path path)
{
    const Google__Protobuf__SourceCodeInfo *info = file->proto->source_code_info;

    for (size_t i = 0; info && i < info->n_location; i++) {
        if (info->location[i]->n_path == path.count &&
            memcmp(info->location[i]->path, path.steps, path.count * sizeof *path.steps) == 0)
            return info->location[i];
    }
    return NULL;
}

const char *vow_file_place(const vow_file *file, vow_path path)
{
    const Google__Protobuf__SourceCodeInfo__Location *location = file_location(file, path);

    if (!location || location->n_span == 0)
        return file->proto->name;
    return vow_scratch_format("%s:%d", file->proto->name, location->span[0] + 1); /* spans count from 0 */
}

const char *vow_file_comment(const vow_file *file, vow_path path)
{
    const Google__Protobuf__SourceCodeInfo__Location *location = file_location(file, path);

    if (!location)
        return NULL;
    return location->leading_comments ? location->leading_comments : location->trailing_comments;
}
