#include "tools/vow-load/schema.h"

#include <google/protobuf/compiler/importer.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/descriptor_database.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/type_resolver.h>
#include <google/protobuf/util/type_resolver_util.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace pb = google::protobuf;

namespace {

/* The one by which libprotobuf knows its own types, such as Duration, which have a JSON of their own. */
const char   type_prefix[] = "type.googleapis.com";
const size_t set_size_max = 64u << 20;

/* The first mistake is what counts: others follow from it. */
class FirstError : public pb::compiler::MultiFileErrorCollector, public pb::DescriptorPool::ErrorCollector {
public:
    void AddError(const std::string &file, int line, int column, const std::string &text) override
    {
        if (text_.empty())
            text_ = line < 0 ? file + ": " + text
                             : file + ":" + std::to_string(line + 1) + ":" + std::to_string(column + 1) + ": " + text;
    }
    void AddError(const std::string &file, const std::string &element, const pb::Message *, ErrorLocation,
                  const std::string &text) override
    {
        if (text_.empty())
            text_ = file + ": " + element + ": " + text;
    }
    const std::string &text() const
    {
        return text_;
    }

private:
    std::string text_;
};

} // namespace

struct load_schema {
    /* In the order in which they depend on each other. */
    FirstError                                              errors;
    pb::compiler::DiskSourceTree                            tree;
    std::unique_ptr<pb::compiler::SourceTreeDescriptorDatabase> sources;
    pb::SimpleDescriptorDatabase                            added;
    std::set<std::string>                                   names, imports;
    std::string                                             missing;
    std::unique_ptr<pb::DescriptorPool>                     pool;
    std::unique_ptr<pb::util::TypeResolver>                 resolver;
    std::vector<std::string>                                files; /* that the user named */
};

namespace {

void open_pool(load_schema *schema, pb::DescriptorDatabase *database, pb::DescriptorPool::ErrorCollector *errors)
{
    schema->pool = std::make_unique<pb::DescriptorPool>(database, errors);
    schema->resolver.reset(pb::util::NewTypeResolverForDescriptorPool(type_prefix, schema->pool.get()));
}

/* Where `symbol` is unknown, what went wrong on the way to it. */
bool fail(load_schema *schema, load_problem *problem, const std::string &text)
{
    const std::string &error = schema->errors.text();

    return load_problem_set(problem, "%s%s%s", text.c_str(), error.empty() ? "" : ": ", error.c_str());
}

std::string names_of_services(load_schema *schema)
{
    std::string              names;
    std::vector<std::string> files = schema->files;

    for (const std::string &file : files) {
        const pb::FileDescriptor *found = schema->pool->FindFileByName(file);

        for (int i = 0; found && i < found->service_count(); i++)
            names += (names.empty() ? "" : ", ") + found->service(i)->full_name();
    }
    return names;
}

std::string names_of_methods(const pb::ServiceDescriptor *service)
{
    std::string names;

    for (int i = 0; i < service->method_count(); i++)
        names += (i ? ", " : "") + service->method(i)->name();
    return names;
}

std::string names_of_fields(const pb::Descriptor *type)
{
    std::string names;

    for (int i = 0; i < type->field_count(); i++)
        names += (i ? ", " : "") + type->field(i)->json_name();
    return names;
}

/* The message at a path such as "items[2].address", or "map[0].value", below `type`; null: it leads to none. */
const pb::Descriptor *type_at(const pb::Descriptor *type, const std::string &path)
{
    std::string name;

    for (size_t i = 0; type && !path.empty() && i <= path.size(); i++) {
        if (i < path.size() && path[i] != '.' && path[i] != '[') {
            name += path[i];
            continue;
        }
        while (i < path.size() && path[i] != '.') /* an index or a key */
            i++;
        const pb::FieldDescriptor *field = type->FindFieldByName(name);
        if (!field)
            field = type->FindFieldByCamelcaseName(name);
        type = field ? field->message_type() : nullptr;
        name.clear();
    }
    return type;
}

/* libprotobuf says "(path.to) name: Cannot find field." or "name: Cannot find field.". */
bool split_unknown_field(const std::string &text, std::string *path, std::string *name)
{
    const std::string what = ": Cannot find field.";
    size_t            end = text.rfind(what), begin = 0;

    if (end == std::string::npos || end + what.size() != text.size())
        return false;
    if (text[0] == '(') {
        begin = text.find(") ");
        if (begin == std::string::npos)
            return false;
        *path = text.substr(1, begin - 1);
        begin += 2;
    }
    *name = text.substr(begin, end - begin);
    return true;
}

} // namespace

load_schema *load_schema_new(void)
{
    load_schema *schema = new load_schema;

    open_pool(schema, &schema->added, &schema->errors);
    return schema;
}

void load_schema_free(load_schema *schema)
{
    delete schema;
}

load_schema *load_schema_of_proto(const char *file, const char *const *folders, load_problem *problem)
{
    std::unique_ptr<load_schema> schema(new load_schema);
    std::string                  name, path = file, shadow;
    size_t                       slash = path.rfind('/');

    for (; *folders; folders++)
        schema->tree.MapPath("", *folders);
    /* The file's own folder, for those who name none, and where protobuf's own files are. */
    schema->tree.MapPath("", slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash));
    schema->tree.MapPath("", "/usr/local/include");
    schema->tree.MapPath("", "/usr/include");
    schema->sources = std::make_unique<pb::compiler::SourceTreeDescriptorDatabase>(&schema->tree);
    schema->sources->RecordErrorsTo(&schema->errors);
    open_pool(schema.get(), schema->sources.get(), schema->sources->GetValidationErrorCollector());
    if (schema->tree.DiskFileToVirtualFile(path, &name, &shadow) != pb::compiler::DiskSourceTree::SUCCESS) {
        load_problem_set(problem, "cannot read %s: %s", file, strerror(errno ? errno : ENOENT));
        return nullptr;
    }
    schema->files.push_back(name);
    if (!schema->pool->FindFileByName(name)) {
        fail(schema.get(), problem, std::string("cannot use ") + file);
        return nullptr;
    }
    return schema.release();
}

load_schema *load_schema_of_set(const char *file, load_problem *problem)
{
    std::unique_ptr<load_schema, decltype(&load_schema_free)> schema(load_schema_new(), load_schema_free);
    pb::FileDescriptorSet                                     set;
    load_buffer                                               data = { nullptr, 0, 0 };
    bool parsed = load_buffer_read(&data, file, set_size_max, problem);

    if (parsed && (data.size == 0 || !set.ParseFromArray(data.data, static_cast<int>(data.size))))
        parsed = load_problem_set(problem, "%s is no FileDescriptorSet; protoc --descriptor_set_out makes one", file);
    load_buffer_free(&data);
    for (int i = 0; parsed && i < set.file_size(); i++) {
        std::string packed = set.file(i).SerializeAsString();

        parsed = load_schema_add(schema.get(), packed.data(), packed.size(), problem);
    }
    if (const char *missing = parsed ? load_schema_missing(schema.get()) : nullptr)
        parsed = load_problem_set(problem, "%s lacks %s; protoc --include_imports puts it in", file, missing);
    return parsed ? schema.release() : nullptr;
}

bool load_schema_add(load_schema *schema, const void *data, size_t size, load_problem *problem)
{
    pb::FileDescriptorProto file;

    if (size > set_size_max || !file.ParseFromArray(data, static_cast<int>(size)))
        return load_problem_set(problem, "a file of the schema is no FileDescriptorProto");
    if (!schema->names.insert(file.name()).second)
        return true;
    for (const std::string &import : file.dependency())
        schema->imports.insert(import);
    schema->files.push_back(file.name());
    if (!schema->added.Add(file))
        return load_problem_set(problem, "the schema's file %s declares what another one does", file.name().c_str());
    return true;
}

const char *load_schema_missing(load_schema *schema)
{
    for (const std::string &import : schema->imports) {
        if (!schema->names.count(import)) {
            schema->missing = import;
            return schema->missing.c_str();
        }
    }
    return nullptr;
}

bool load_schema_find(load_schema *schema, const char *method, load_method *found, load_problem *problem)
{
    const char  *slash = strrchr(method, '/');
    std::string  service_name = slash ? std::string(method, static_cast<size_t>(slash - method)) : method;
    std::string  method_name = slash ? slash + 1 : "";

    const pb::ServiceDescriptor *service = schema->pool->FindServiceByName(service_name);
    if (!service) {
        std::string names = names_of_services(schema);

        return fail(schema, problem,
                    "there is no service " + service_name + (names.empty() ? "" : "; there is: " + names));
    }
    const pb::MethodDescriptor *descriptor = service->FindMethodByName(method_name);
    if (!descriptor)
        return load_problem_set(problem, "%s has no method %s; it has: %s", service_name.c_str(), method_name.c_str(),
                                names_of_methods(service).c_str());
    found->schema = schema;
    found->request = descriptor->input_type()->full_name().c_str();
    found->reply = descriptor->output_type()->full_name().c_str();
    found->client_streams = descriptor->client_streaming();
    found->server_streams = descriptor->server_streaming();
    return true;
}

bool load_method_encode(const load_method *method, const char *json, load_buffer *message, char *field,
                        size_t field_size, load_problem *problem)
{
    std::string      packed, path, name;
    pb::util::Status status = pb::util::JsonToBinaryString(
        method->schema->resolver.get(), std::string(type_prefix) + "/" + method->request, json, &packed);

    field[0] = '\0';
    if (status.ok()) {
        load_buffer_clear(message);
        load_buffer_add(message, packed.data(), packed.size());
        return true;
    }
    std::string text(status.message().data(), status.message().size());
    if (!split_unknown_field(text, &path, &name))
        return load_problem_set(problem, "%s", text.c_str());

    const pb::Descriptor *type = type_at(method->schema->pool->FindMessageTypeByName(method->request), path);
    snprintf(field, field_size, "%s", name.c_str());
    if (!type)
        return load_problem_set(problem, "there is no field \"%s\" in %s", name.c_str(), path.c_str());
    return load_problem_set(problem, "%s has no field \"%s\"; it has: %s", type->full_name().c_str(), name.c_str(),
                            type->field_count() ? names_of_fields(type).c_str() : "none");
}
