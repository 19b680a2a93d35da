/*
 * protoc-gen-vow: makes vow's stubs of .proto files.
 *
 * The idea: protoc parses, and hands over on standard input what it has understood; this program
 * answers on standard output with the files to write. For each file it checks that protoc-c can take
 * it (check.h), decides every C name (model.h), and writes the header and the source.
 */
#include "check.h"
#include "header.h"
#include "model.h"
#include "protoc_c.h"
#include "request.h"
#include "schema.h"
#include "source.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "protoc-gen-vow makes stubs for vow, RPC on your own event loop, from .proto files.\n"
    "protoc runs it:\n"
    "\n"
    "    protoc --vow_out=messages:DIR weather.proto\n"
    "        writes weather.vow.h and weather.vow.c, and the messages they need, weather.pb-c.h and\n"
    "        weather.pb-c.c, by running protoc-gen-c from here. That makes proto3's optional fields\n"
    "        work, and leaves protobuf-c's own services out, so that methods may have any name.\n"
    "        messages=PROGRAM runs another program than protoc-gen-c.\n"
    "\n"
    "    protoc --c_out=DIR --vow_out=DIR weather.proto\n"
    "        writes the same four files, the messages by protoc-c itself.\n"
    "\n"
    "protoc looks for it in PATH; --plugin=protoc-gen-vow=FILE names it.\n"
    "\n"
    "    protoc-gen-vow --help       this text\n"
    "    protoc-gen-vow --version    its version\n";

static void response_add(vow_response *response, const char *name, const vow_text *content)
{
    Google__Protobuf__Compiler__CodeGeneratorResponse__File *file = vow_scratch_alloc(sizeof *file);

    google__protobuf__compiler__code_generator_response__file__init(file);
    file->name = vow_scratch_copy(name, strlen(name));
    file->content = content->data;
    response->file[response->n_file++] = file;
}

static const char *file_generate(const vow_schema *schema, const char *name, const vow_parameters *parameters,
                                 vow_response *response)
{
    const vow_file *file = vow_schema_file(schema, name);
    bool            with_services = !parameters->messages;
    vow_symbols     taken = { 0 };
    vow_text        header = { 0 };
    vow_text        source = { 0 };
    vow_model       model;
    const char     *wrong;
    bool           *reached;

    if (!file)
        return vow_scratch_format("%s is not in the request", name);
    wrong = vow_schema_reach(schema, file, &reached);
    if (!wrong)
        wrong = vow_check_file(schema, file, reached, with_services, &taken);
    if (wrong || file->no_generate)
        return wrong;
    wrong = vow_model_build(schema, file, reached, with_services, &taken, &model);
    if (wrong)
        return wrong;

    vow_header_write(&header, &model);
    vow_source_write(&source, &model);
    response_add(response, vow_scratch_format("%s.vow.h", model.stem), &header);
    response_add(response, vow_scratch_format("%s.vow.c", model.stem), &source);
    return NULL;
}

/* For --vow_out before --c_out; the other way round, protoc refuses before this runs. */
static void optional_warn(const vow_schema *schema, const char *name)
{
    const char *place = vow_check_optional(schema, vow_schema_file(schema, name));

    if (place)
        fprintf(stderr,
                "%s: protoc does not run protoc-c on files with optional fields of proto3; "
                "--vow_out=messages:DIR makes their .pb-c files too\n",
                place);
}

static const char *messages_generate(const char *program, vow_request *request, vow_response *response)
{
    vow_response *messages;
    const char   *wrong = vow_protoc_c_run(program, request, &messages);
    size_t        count = response->n_file;

    if (wrong)
        return wrong;
    response->file = memcpy(vow_scratch_alloc((count + messages->n_file) * sizeof *response->file),
                            response->file, count * sizeof *response->file);
    for (size_t i = 0; i < messages->n_file; i++)
        response->file[response->n_file++] = messages->file[i];
    return NULL;
}

static const char *request_answer(vow_request *request, vow_response *response)
{
    vow_parameters parameters = { 0 };
    vow_schema     schema;
    const char    *wrong;

    wrong = vow_parameters_read(request->parameter ? request->parameter : "", &parameters);
    if (!wrong)
        wrong = vow_schema_read(request, &schema);
    if (wrong)
        return wrong;

    response->file = vow_scratch_alloc(2 * request->n_file_to_generate * sizeof *response->file);
    for (size_t i = 0; i < request->n_file_to_generate; i++) {
        wrong = file_generate(&schema, request->file_to_generate[i], &parameters, response);
        if (wrong)
            return wrong;
        if (!parameters.messages)
            optional_warn(&schema, request->file_to_generate[i]);
    }
    return parameters.messages ? messages_generate(parameters.messages, request, response) : NULL;
}

static const char *response_write(const vow_response *response)
{
    size_t   size = google__protobuf__compiler__code_generator_response__get_packed_size(response);
    uint8_t *bytes = vow_scratch_alloc(size);

    google__protobuf__compiler__code_generator_response__pack(response, bytes);
    if (fwrite(bytes, 1, size, stdout) != size || fflush(stdout) != 0)
        return vow_scratch_format("cannot write to standard output: %s", strerror(errno));
    return NULL;
}

/* What is wrong with the files goes to protoc, which prints it; what is wrong between protoc and this program
 * can't. */
static const char *plugin_run(void)
{
    vow_response response = GOOGLE__PROTOBUF__COMPILER__CODE_GENERATOR_RESPONSE__INIT;
    vow_request *request;
    const char  *wrong = vow_request_read(stdin, &request);

    if (wrong)
        return wrong;
    response.has_supported_features = true;
    response.supported_features =
        GOOGLE__PROTOBUF__COMPILER__CODE_GENERATOR_RESPONSE__FEATURE__FEATURE_PROTO3_OPTIONAL;
    wrong = request_answer(request, &response);
    if (wrong) {
        response.error = vow_scratch_copy(wrong, strlen(wrong));
        response.n_file = 0;
    }
    return response_write(&response);
}

int main(int argc, char **argv)
{
    const char *wrong;

    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        fputs(help, stdout);
        return 0;
    }
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        printf("protoc-gen-vow %s\n", VOW_GENERATOR_VERSION);
        return 0;
    }
    if (argc > 1) {
        fprintf(stderr, "protoc-gen-vow: unknown argument \"%s\"; see protoc-gen-vow --help\n", argv[1]);
        return 1;
    }
    if (isatty(STDIN_FILENO)) {
        fputs(help, stderr);
        return 1;
    }

    wrong = plugin_run();
    if (wrong)
        fprintf(stderr, "protoc-gen-vow: %s\n", wrong);
    vow_scratch_free();
    return wrong ? 1 : 0;
}
