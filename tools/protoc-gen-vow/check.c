#include "check.h"

#include "model.h"
#include "scratch.h"

#include <string.h>

#define LEAVE_SERVICES_OUT                                                                                   \
    "rename it, or let protoc-gen-vow make the .pb-c files, without protoc-c's own services: "               \
    "--vow_out=messages:DIR"

typedef struct file_checker {
    const vow_schema *schema;
    const vow_file   *file;
    bool              with_services;
    vow_symbols      *taken;
    const char       *wrong; /* the first complaint; NULL: none yet */
} file_checker;

static void checker_complain(file_checker *checker, const char *place, const char *text)
{
    if (!checker->wrong)
        checker->wrong = vow_scratch_format("%s: %s", place, text);
}

/* `advice` is what to do when the name has an owner; NULL: nothing is wrong with that. */
static void checker_claim(file_checker *checker, vow_path path, const char *name, const char *owner,
                          const char *advice)
{
    const char *other = vow_symbols_owner(checker->taken, name);

    vow_symbols_claim(checker->taken, name, owner);
    if (other && advice)
        checker_complain(
            checker, vow_file_place(checker->file, path),
            vow_scratch_format("protoc-c gives %s the name %s, which %s has already, so that its "
                               "output does not compile: %s",
                               owner, name, other, advice));
}

static bool field_is_floating(const vow_field_proto *field)
{
    return field->type == GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_DOUBLE ||
           field->type == GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_FLOAT;
}

static bool field_has_presence_member(const vow_file *file, const vow_field_proto *field)
{
    return !file->proto3 && !field->has_oneof_index &&
           field->label == GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_OPTIONAL &&
           field->type != GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_STRING &&
           field->type != GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_MESSAGE;
}

/* protoc-c prints a default value as printf does, and these are not numbers in C. */
static bool field_default_is_not_c(const vow_field_proto *field)
{
    return field_is_floating(field) && field->default_value && strpbrk(field->default_value, "in") != NULL;
}

static const char *field_fault(const vow_file *file, const vow_field_proto *field)
{
    if (field->type == GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_GROUP)
        return "is a group, on which protoc-c crashes: use a nested message and a field of its type";
    if (vow_name_breaks_c(vow_name_field(field->name)))
        return "has a name that is a keyword in C, which protoc-c does not change: rename it";
    if (field_default_is_not_c(field))
        return "has a default that protoc-c cannot write in C: drop the default";
    if (file->use_oneof_field_name && !field->has_oneof_index)
        return "is in no oneof, on which protoc-c crashes with (pb_c_file).use_oneof_field_name: drop the "
               "option";
    return NULL;
}

static void member_claim(file_checker *checker, const vow_message *message, vow_path path, const char *name,
                         const char *owner)
{
    checker_claim(checker, path, vow_scratch_format("%s.%s", vow_message_type(message), name), owner,
                  "rename it; (pb_c_msg).base_field_name renames the ProtobufCMessage");
}

static void field_check(file_checker *checker, const vow_message *message, size_t index)
{
    const vow_field_proto *field = message->proto->field[index];
    vow_path               path = vow_path_add(message->path, VOW_PATH_MESSAGE_FIELD, index);
    const char            *name = vow_name_field(field->name);
    const char            *owner = vow_scratch_format("field %s of %s", field->name, message->full_name);
    const char            *fault = field_fault(message->file, field);

    if (fault)
        checker_complain(checker, vow_file_place(message->file, path),
                         vow_scratch_format("%s %s", owner, fault));
    member_claim(checker, message, path, name, owner);
    if (field->label == GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_REPEATED)
        member_claim(checker, message, path, vow_scratch_format("n_%s", name), owner);
    if (field_has_presence_member(message->file, field))
        member_claim(checker, message, path, vow_scratch_format("has_%s", name), owner);
}

const char *vow_check_optional(const vow_schema *schema, const vow_file *file)
{
    for (size_t i = 0; i < schema->message_count; i++) {
        const vow_message *message = &schema->messages[i];

        for (size_t j = 0; message->file == file && j < message->proto->n_field; j++) {
            if (message->proto->field[j]->proto3_optional)
                return vow_file_place(file, vow_path_add(message->path, VOW_PATH_MESSAGE_FIELD, j));
        }
    }
    return NULL;
}

static void type_claim(file_checker *checker, const vow_file *file, vow_path path, const char *kind,
                       const char *full_name)
{
    const char *advice = file == checker->file ? "rename one of them" : NULL;
    const char *owner = vow_scratch_format("%s %s", kind, full_name);
    const char *type = vow_name_type(&file->package, full_name);

    if (advice && !vow_name_is_identifier(type))
        checker_complain(checker, vow_file_place(file, path),
                         vow_scratch_format("protoc-c names the C type of %s \"%s\", which is no name in C: "
                                            "rename it",
                                            owner, type));
    checker_claim(checker, path, type, owner, advice);
    checker_claim(checker, path,
                  vow_scratch_format("%s__descriptor", vow_name_prefix(&file->package, full_name)), owner,
                  advice);
}

static void message_claim(file_checker *checker, const vow_message *message)
{
    const vow_file *file = message->file;

    type_claim(checker, file, message->path, "message", message->full_name);
    for (size_t i = 0; i < message->proto->n_enum_type; i++)
        type_claim(checker, file, vow_path_add(message->path, VOW_PATH_MESSAGE_ENUM, i), "enum",
                   vow_full_name(message->full_name, message->proto->enum_type[i]->name));
    for (size_t i = 0; i < message->proto->n_oneof_decl; i++) {
        const char *name = vow_full_name(message->full_name, message->proto->oneof_decl[i]->name);

        checker_claim(checker, vow_path_add(message->path, VOW_PATH_MESSAGE_ONEOF, i),
                      vow_scratch_format("%sCase", vow_name_type(&file->package, name)),
                      vow_scratch_format("oneof %s", name),
                      file == checker->file ? "rename one of them" : NULL);
    }
}

static void message_check(file_checker *checker, const vow_message *message)
{
    member_claim(checker, message, message->path, message->base,
                 vow_scratch_format("the ProtobufCMessage in %s", message->full_name));
    for (size_t i = 0; i < message->proto->n_field; i++)
        field_check(checker, message, i);
    for (size_t i = 0; i < message->proto->n_oneof_decl; i++) {
        const char *name = message->proto->oneof_decl[i]->name;

        member_claim(checker, message, vow_path_add(message->path, VOW_PATH_MESSAGE_ONEOF, i),
                     vow_scratch_format("%s_case", vow_name_lower(name)),
                     vow_scratch_format("oneof %s of %s", name, message->full_name));
    }
}

static void method_claim(file_checker *checker, const vow_file *file, const char *service, vow_path path,
                         const vow_method_proto *method, const char *advice)
{
    const char *lower = vow_name_lower(method->name);
    const char *owner = vow_scratch_format("rpc %s of %s", method->name, service);
    const char *prefix = vow_name_prefix(&file->package, service);

    if (advice && (vow_name_breaks_c(lower) || vow_name_is_operator(lower)))
        checker_complain(checker, vow_file_place(file, path),
                         vow_scratch_format("protoc-c names a member `%s` after %s, which C or C++ does not "
                                            "allow: %s",
                                            lower, owner, advice));
    checker_claim(checker, path, vow_scratch_format("%s__%s", prefix, lower), owner, advice);
    checker_claim(checker, path,
                  vow_scratch_format("%s_Service.%s", vow_name_type(&file->package, service), lower), owner,
                  advice);
}

/* The names are claimed also where protoc-c does not make them: vow's own must not depend on that. */
static void service_claim(file_checker *checker, const vow_file *file, size_t index)
{
    const vow_service_proto *proto = file->proto->service[index];
    const char              *service = vow_full_name(file->package.name, proto->name);
    const char              *owner = vow_scratch_format("service %s", service);
    const char              *type = vow_name_type(&file->package, service);
    const char              *prefix = vow_name_prefix(&file->package, service);
    const char              *advice = NULL;
    vow_path                 path = vow_path_add((vow_path){ 0 }, VOW_PATH_FILE_SERVICE, index);

    if (checker->with_services && file == checker->file)
        advice = LEAVE_SERVICES_OUT;
    checker_claim(checker, path, vow_scratch_format("%s_Service", type), owner, advice);
    checker_claim(checker, path, vow_scratch_format("%s_Service.base", type), owner, advice);
    checker_claim(checker, path, vow_scratch_format("%s__descriptor", prefix), owner, advice);
    checker_claim(checker, path, vow_scratch_format("%s__init", prefix), owner, advice);
    for (size_t i = 0; i < proto->n_method; i++)
        method_claim(checker, file, service, vow_path_add(path, VOW_PATH_SERVICE_METHOD, i), proto->method[i],
                     advice);
}

/* What a name must not have that stands in `#include "name"` and in a comment. */
static const char *file_name_fault(const char *name)
{
    for (; *name; name++) {
        if ((unsigned char)*name < ' ' || strchr("\"\\*?", *name))
            return "the name of the file has a character that cannot stand in an #include: rename it";
    }
    return NULL;
}

static void checker_claim_files(file_checker *checker, const bool *reached)
{
    const vow_schema *schema = checker->schema;

    for (size_t i = 0; i < schema->message_count; i++) {
        if (reached[schema->messages[i].file - schema->files])
            message_claim(checker, &schema->messages[i]);
    }
    for (size_t i = 0; i < schema->file_count; i++) {
        const vow_file *file = &schema->files[i];

        for (size_t j = 0; reached[i] && j < file->proto->n_enum_type; j++)
            type_claim(checker, file, vow_path_add((vow_path){ 0 }, VOW_PATH_FILE_ENUM, j), "enum",
                       vow_full_name(file->package.name, file->proto->enum_type[j]->name));
        for (size_t j = 0; reached[i] && j < file->proto->n_service; j++)
            service_claim(checker, file, j);
    }
}

const char *vow_check_file(const vow_schema *schema, const vow_file *file, const bool *reached,
                           bool with_services, vow_symbols *taken)
{
    file_checker checker = { schema, file, with_services, taken, NULL };
    const char  *fault = file_name_fault(file->proto->name);

    if (fault)
        return fault;
    if (file->no_generate && file->proto->n_service > 0)
        return vow_scratch_format("%s: has services, and (pb_c_file).no_generate keeps protoc-c from making "
                                  "the messages they need: drop the option",
                                  file->proto->name);
    checker_claim_files(&checker, reached);
    for (size_t i = 0; i < schema->message_count; i++) {
        if (schema->messages[i].file == file)
            message_check(&checker, &schema->messages[i]);
    }
    return checker.wrong;
}
