/*
 * What vow-load learns of a service by asking the server: from both versions of the protocol, and from
 * servers that answer something else.
 */
#include "calls.vow.h"
#include "tools/vow-load/reflection.h"

#include <vow/grpc/reflection.vow.h>
#include <vow/testing.h>

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* A FileDescriptorProto: named a.proto, and importing b.proto. */
static uint8_t importing[] = "\x0a\x07"
                             "a.proto\x1a\x07"
                             "b.proto";

struct asked {
    vow_loop    *loop;
    vow_server  *server;
    vow_channel *channel;
    load_problem problem;
};

static int open_asked(void **state)
{
    static struct asked              asked;
    static const calls_calls_service service = { NULL };

    memset(&asked, 0, sizeof asked);
    asked.loop = vow_loop_simulated(1);
    asked.server = vow_server_open(asked.loop, NULL);
    asked.channel = vow_channel_open_to(asked.loop, asked.server, NULL);
    calls_calls_serve(asked.server, &service, NULL);
    *state = &asked;
    return 0;
}

static int close_asked(void **state)
{
    struct asked *asked = *state;

    vow_channel_close(asked->channel);
    vow_server_close(asked->server);
    vow_loop_close(asked->loop);
    return 0;
}

/* Serves `method` with `serve`; NULL: it is not served. */
static void serve_with(struct asked *asked, const vow_method *method, vow_serve_fn *serve)
{
    const vow_handler handler = { sizeof handler, method, serve, NULL, NULL };

    vow_server_handle(asked->server, &handler);
}

static load_schema *ask(struct asked *asked, const char *service)
{
    return load_reflection_ask(asked->channel, service, NULL, 1000, &asked->problem);
}

static void assert_knows_calls(struct asked *asked)
{
    load_schema *schema = ask(asked, "calls.Calls");
    load_method  method;

    if (!schema)
        fail_msg("%s", asked->problem.text);
    assert_true(load_schema_find(schema, "calls.Calls/Echo", &method, &asked->problem));
    assert_string_equal(method.request, "calls.Text");
    load_schema_free(schema);
}

static void assert_fails(struct asked *asked, const char *service, const char *text)
{
    assert_null(ask(asked, service));
    assert_string_equal(asked->problem.text, text);
}

static void a_server_tells_what_its_service_looks_like(void **state)
{
    struct asked *asked = *state;

    vow_reflection_serve(asked->server);
    assert_knows_calls(asked);
}

static void one_that_has_only_the_version_before_is_asked_in_that(void **state)
{
    struct asked *asked = *state;

    vow_reflection_serve(asked->server);
    serve_with(asked, &vow__grpc_server_reflection_server_reflection_info_method, NULL);
    assert_knows_calls(asked);
}

static void one_that_has_neither_is_told(void **state)
{
    assert_fails(*state, "calls.Calls",
                 "the server has no reflection; name the schema with --proto or --descriptors");
}

static void a_service_that_is_not_there_is_told_in_the_servers_words(void **state)
{
    struct asked *asked = *state;

    vow_reflection_serve(asked->server);
    assert_fails(asked, "shop.Till", "the server's reflection says: no .proto file of this server has that");
}

/* Servers with ideas of their own */

static vow_future *answer_with_import(vow_call *call, const ProtobufCMessage *question, void *arg)
{
    Vow__Grpc__ServerReflectionResponse response = VOW__GRPC__SERVER_REFLECTION_RESPONSE__INIT;
    Vow__Grpc__FileDescriptorResponse   files = VOW__GRPC__FILE_DESCRIPTOR_RESPONSE__INIT;
    ProtobufCBinaryData                 file = { sizeof importing - 1, importing };

    (void)arg;
    response.message_response_case =
        VOW__GRPC__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE;
    response.file_descriptor_response = &files;
    files.file_descriptor_proto = &file;
    files.n_file_descriptor_proto =
        ((const Vow__Grpc__ServerReflectionRequest *)question)->message_request_case ==
        VOW__GRPC__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL;
    vow_call_send(call, &response.base);
    return NULL;
}

static vow_future *answer_with_commands(vow_call *call, const ProtobufCMessage *question, void *arg)
{
    Vow__Grpc__ServerReflectionResponse response = VOW__GRPC__SERVER_REFLECTION_RESPONSE__INIT;
    Vow__Grpc__ErrorResponse            error = VOW__GRPC__ERROR_RESPONSE__INIT;
    char                                words[] = "\033[2J\nclean\x7f \xc2\xb5";

    (void)question;
    (void)arg;
    response.message_response_case = VOW__GRPC__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE;
    response.error_response = &error;
    error.error_message = words;
    vow_call_send(call, &response.base);
    return NULL;
}

static vow_future *answer_without_end(vow_call *call, const ProtobufCMessage *question, void *arg)
{
    Vow__Grpc__ServerReflectionResponse response = VOW__GRPC__SERVER_REFLECTION_RESPONSE__INIT;
    Vow__Grpc__FileDescriptorResponse   files = VOW__GRPC__FILE_DESCRIPTOR_RESPONSE__INIT;
    ProtobufCBinaryData                 file[LOAD_REFLECTION_FILES_MAX + 1];

    (void)question;
    (void)arg;
    for (size_t i = 0; i < LOAD_REFLECTION_FILES_MAX + 1; i++)
        file[i] = (ProtobufCBinaryData){ sizeof importing - 1, importing };
    response.message_response_case =
        VOW__GRPC__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE;
    response.file_descriptor_response = &files;
    files.file_descriptor_proto = file;
    files.n_file_descriptor_proto = LOAD_REFLECTION_FILES_MAX + 1;
    vow_call_send(call, &response.base);
    return NULL;
}

static void read_over(vow_future *read, void *arg)
{
    (void)read;
    vow_call_end(arg);
}

static void serve_import(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    (void)request;
    (void)handler;
    vow_done(vow_call_read(call, answer_with_import, NULL), read_over, call);
}

static void serve_commands(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    (void)request;
    (void)handler;
    vow_done(vow_call_read(call, answer_with_commands, NULL), read_over, call);
}

static void serve_without_end(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    (void)request;
    (void)handler;
    vow_done(vow_call_read(call, answer_without_end, NULL), read_over, call);
}

static void serve_end(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    (void)request;
    (void)handler;
    vow_call_end(call);
}

static void serve_silence(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    (void)request;
    (void)handler;
    vow_call_answer(call, vow_sleep(vow_call_loop(call), 3600000));
}

static void a_server_that_answers_nonsense_is_told_so(void **state)
{
    static const vow_method *const info = &vow__grpc_server_reflection_server_reflection_info_method;
    struct asked                  *asked = *state;

    serve_with(asked, info, serve_import);
    assert_fails(asked, "a.A", "the server's reflection has no file b.proto");
    serve_with(asked, info, serve_without_end);
    assert_fails(asked, "a.A", "the server's reflection has more than 1000 files, or 67108864 bytes");
    serve_with(asked, info, serve_end);
    assert_fails(asked, "a.A", "the server's reflection ended without an answer");
    serve_with(asked, info, serve_silence);
    assert_null(ask(asked, "a.A"));
    assert_non_null(strstr(asked->problem.text, "DEADLINE_EXCEEDED"));
}

static void a_servers_words_are_no_commands_to_the_terminal(void **state)
{
    serve_with(*state, &vow__grpc_server_reflection_server_reflection_info_method, serve_commands);
    assert_fails(*state, "a.A", "the server's reflection says: ?[2J?clean? \xc2\xb5");
}

#define with_server(test) cmocka_unit_test_setup_teardown(test, open_asked, close_asked)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_server(a_server_tells_what_its_service_looks_like),
        with_server(one_that_has_only_the_version_before_is_asked_in_that),
        with_server(one_that_has_neither_is_told),
        with_server(a_service_that_is_not_there_is_told_in_the_servers_words),
        with_server(a_server_that_answers_nonsense_is_told_so),
        with_server(a_servers_words_are_no_commands_to_the_terminal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
