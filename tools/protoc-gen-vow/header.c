#include "header.h"

#include "comments.h"

/* How a call begins: with its request, or before its messages. */
static const char unary_stub[] =
    "VOW_MUST_USE\n"
    "static inline vow_future *$stub$(vow_channel *channel, const $Request$ *request,\n"
    "        const vow_call_options *options)\n"
    "{\n"
    "    return vow_call_unary(channel, &$stub$_method, &request->$request_base$, options);\n"
    "}\n"
    "\n";

static const char server_stream_stub[] =
    "VOW_MUST_USE\n"
    "static inline vow_call *$stub$(vow_channel *channel, const $Request$ *request,\n"
    "        const vow_call_options *options)\n"
    "{\n"
    "    vow_call *call = vow_call_start(channel, &$stub$_method, options);\n"
    "\n"
    "    vow_call_send(call, &request->$request_base$);\n"
    "    vow_call_end(call);\n"
    "    return call;\n"
    "}\n"
    "\n";

static const char client_stream_stub[] =
    "VOW_MUST_USE\n"
    "static inline vow_call *$stub$(vow_channel *channel, const vow_call_options *options)\n"
    "{\n"
    "    return vow_call_start(channel, &$stub$_method, options);\n"
    "}\n"
    "\n"
    "static inline bool $stub$_send_request(vow_call *call, const $Request$ *request)\n"
    "{\n"
    "    return vow_call_send(call, &request->$request_base$);\n"
    "}\n"
    "\n";

/* What a handler reads, and what a caller does. */
static const char requests_stub[] =
    "/* What vow_call_next gave in a handler; NULL: the last has come, or it failed. */\n"
    "static inline const $Request$ *$stub$_request(const vow_future *next)\n"
    "{\n"
    "    return (const $Request$ *)vow_future_value(next);\n"
    "}\n"
    "\n"
    "typedef vow_future *$stub$_request_fn(vow_call *call, const $Request$ *request, void *arg);\n"
    "\n"
    "/* As vow_call_read, in a handler. */\n"
    "VOW_MUST_USE\n"
    "vow_future *$stub$_read_requests(vow_call *call, $stub$_request_fn *on_request, void *arg);\n"
    "\n";

static const char replies_stub[] =
    "typedef vow_future *$stub$_reply_fn(vow_call *call, const $Reply$ *reply, void *arg);\n"
    "\n"
    "/* As vow_call_read, for a caller. */\n"
    "VOW_MUST_USE\n"
    "vow_future *$stub$_read_replies(vow_call *call, $stub$_reply_fn *on_reply, void *arg);\n"
    "\n";

static const char result_stub[] = "static inline const $Reply$ *$stub$_result(const vow_future *reply)\n"
                                  "{\n"
                                  "    return (const $Reply$ *)vow_future_value(reply);\n"
                                  "}\n"
                                  "\n";

static const char reply_stub[] = "static inline void $stub$_reply(vow_call *call, const $Reply$ *reply)\n"
                                 "{\n"
                                 "    vow_call_reply(call, &reply->$reply_base$);\n"
                                 "}\n"
                                 "\n";

static const char send_reply_stub[] =
    "static inline bool $stub$_send_reply(vow_call *call, const $Reply$ *reply)\n"
    "{\n"
    "    return vow_call_send(call, &reply->$reply_base$);\n"
    "}\n"
    "\n";

static const char *method_begin_stub(const vow_model_method *method)
{
    if (method->client_streams)
        return client_stream_stub;
    return method->server_streams ? server_stream_stub : unary_stub;
}

static void method_write(vow_text *text, const vow_model_method *method)
{
    const vow_text_value values[] = {
        { "stub", method->function },
        { "Request", vow_message_type(method->request) },
        { "Reply", vow_message_type(method->reply) },
        { "request_base", method->request->base },
        { "reply_base", method->reply->base },
        { NULL, NULL },
    };

    vow_comment_write(text, method->comment, method->rpc);
    vow_text_fill(text, method_begin_stub(method), values);
    if (method->client_streams)
        vow_text_fill(text, requests_stub, values);
    vow_text_fill(text, result_stub, values);
    if (method->server_streams)
        vow_text_fill(text, replies_stub, values);
    vow_text_fill(text, method->server_streams ? send_reply_stub : reply_stub, values);
}

static void service_write_struct(vow_text *text, const vow_model_service *service)
{
    const vow_text_value values[] = { { "service", service->function }, { NULL, NULL } };

    vow_comment_write(text, service->comment,
                      "One member per method; a NULL member answers VOW_UNIMPLEMENTED.");
    vow_text_fill(text, "typedef struct $service$_service {\n", values);
    for (size_t i = 0; i < service->method_count; i++) {
        const vow_model_method *method = &service->methods[i];

        if (method->client_streams)
            vow_text_print(text, "    void (*%s)(vow_call *call, void *arg);\n", method->member);
        else
            vow_text_print(text, "    void (*%s)(vow_call *call, const %s *request, void *arg);\n",
                           method->member, vow_message_type(method->request));
    }
    vow_text_fill(text,
                  "} $service$_service;\n"
                  "\n"
                  "/* Adds the handlers of `service`, which get `arg`. Both must outlive the server. */\n"
                  "void $service$_serve(vow_server *server, const $service$_service *service, void *arg);\n"
                  "\n",
                  values);
}

static void service_write(vow_text *text, const vow_model_service *service)
{
    for (size_t i = 0; i < service->method_count; i++)
        vow_text_print(text, "extern const vow_method %s_method;\n", service->methods[i].function);
    vow_text_print(text, "%s", service->method_count > 0 ? "\n" : "");
    for (size_t i = 0; i < service->method_count; i++)
        method_write(text, &service->methods[i]);
    if (service->method_count > 0)
        service_write_struct(text, service);
    else
        vow_text_print(text, "/* There is nothing to serve of %s. */\n\n", service->full_name);
}

static void messages_write(vow_text *text, const vow_model *model)
{
    if (model->message_count > 0)
        vow_text_print(text, "/* What arrives as a ProtobufCMessage, as what it is. */\n");
    for (size_t i = 0; i < model->message_count; i++) {
        const vow_text_value values[] = {
            { "message", model->messages[i].function },
            { "Message", model->messages[i].type },
            { "descriptor", model->messages[i].descriptor },
            { NULL, NULL },
        };

        vow_text_fill(text,
                      "static inline const $Message$ *$message$_of(const ProtobufCMessage *message)\n"
                      "{\n"
                      "    assert(message->descriptor == &$descriptor$);\n"
                      "    return (const $Message$ *)message;\n"
                      "}\n"
                      "\n",
                      values);
    }
}

/* protoc-c puts an underscore after most keywords of C++ in its structs, and forgets the rest. */
static void include_write(vow_text *text, const vow_model *model)
{
    if (model->cpp_word_count > 0) {
        vow_text_print(text,
                       "\n"
                       "/* Members that protoc-c names after keywords of C++ end in an underscore there. */\n"
                       "#ifdef __cplusplus\n");
        for (size_t i = 0; i < model->cpp_word_count; i++)
            vow_text_print(text, "#define %s %s_\n", model->cpp_words[i], model->cpp_words[i]);
        vow_text_print(text, "#endif\n");
    }
    vow_text_print(text, "#include \"%s.pb-c.h\"\n", model->stem);
    if (model->cpp_word_count > 0) {
        vow_text_print(text, "#ifdef __cplusplus\n");
        for (size_t i = 0; i < model->cpp_word_count; i++)
            vow_text_print(text, "#undef %s\n", model->cpp_words[i]);
        vow_text_print(text, "#endif\n");
    }
}

void vow_header_write(vow_text *text, const vow_model *model)
{
    const vow_text_value values[] = {
        { "file", model->file->proto->name },
        { "guard", vow_name_file_identifier(model->file->proto->name) },
        { NULL, NULL },
    };

    vow_text_fill(text,
                  "/* Made by protoc-gen-vow from $file$. What is changed here is lost. */\n"
                  "#ifndef VOW_$guard$__INCLUDED\n"
                  "#define VOW_$guard$__INCLUDED\n"
                  "\n"
                  "#include <vow/vow.h>\n",
                  values);
    include_write(text, model);
    vow_text_print(text, "\n"
                         "#include <assert.h>\n"
                         "\n"
                         "PROTOBUF_C__BEGIN_DECLS\n"
                         "\n");
    messages_write(text, model);
    for (size_t i = 0; i < model->service_count; i++)
        service_write(text, &model->services[i]);
    vow_text_print(text, "PROTOBUF_C__END_DECLS\n"
                         "\n"
                         "#endif\n");
}
