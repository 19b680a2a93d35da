/* Cases in which one message answers one. */
#include "interop/run.h"

#include <string.h>

bool interop_empty_unary(interop_run *run)
{
    Grpc__Testing__Empty request = GRPC__TESTING__EMPTY__INIT;
    vow_future          *reply = grpc_testing_test_service_empty_call(run->channel, &request, NULL);
    bool                 is_right = interop_expect(run, reply, VOW_OK, "EmptyCall");

    vow_drop(reply);
    return is_right;
}

bool interop_case_large_unary(interop_run *run)
{
    return interop_large_unary(run, run->channel, NULL);
}

/* Compression */

/* One UnaryCall that asks for a large response. Gives its reply, waited for. */
static vow_future *compressed_call(interop_run *run, Grpc__Testing__SimpleRequest *request, bool compress)
{
    Grpc__Testing__Payload payload = interop_payload(INTEROP_LARGE_REQUEST);
    vow_future            *reply;

    request->payload = &payload;
    request->response_size = INTEROP_LARGE_RESPONSE;
    reply = grpc_testing_test_service_unary_call(run->channel, request, VOW_CALL(.compress = compress));
    vow_wait(reply);
    return reply;
}

/* The server takes a message `is_sent` compressed for one that is `expected` so, and ends the call with
 * `code`. */
static bool client_compresses(interop_run *run, bool expected, bool is_sent, vow_code code)
{
    Grpc__Testing__SimpleRequest         request = GRPC__TESTING__SIMPLE_REQUEST__INIT;
    Grpc__Testing__BoolValue             expect = GRPC__TESTING__BOOL_VALUE__INIT;
    const Grpc__Testing__SimpleResponse *response;
    vow_future                          *reply;
    bool                                 is_right;

    expect.value = expected;
    request.expect_compressed = &expect;
    reply = compressed_call(run, &request, is_sent);
    response = grpc_testing_test_service_unary_call_result(reply);
    is_right =
        interop_expect(run, reply, code, is_sent ? "a compressed request" : "an uncompressed request") &&
        (!response || interop_expect_body(run, response->payload, INTEROP_LARGE_RESPONSE));
    vow_drop(reply);
    return is_right;
}

bool interop_client_compressed_unary(interop_run *run)
{
    return client_compresses(run, true, false, VOW_INVALID_ARGUMENT) &&
           client_compresses(run, true, true, VOW_OK) && client_compresses(run, false, false, VOW_OK);
}

static bool server_compresses(interop_run *run, bool compressed)
{
    Grpc__Testing__SimpleRequest         request = GRPC__TESTING__SIMPLE_REQUEST__INIT;
    Grpc__Testing__BoolValue             asked = GRPC__TESTING__BOOL_VALUE__INIT;
    const Grpc__Testing__SimpleResponse *response;
    vow_future                          *reply;
    bool                                 is_right;

    asked.value = compressed;
    request.response_compressed = &asked;
    reply = compressed_call(run, &request, false);
    response = grpc_testing_test_service_unary_call_result(reply);
    is_right = interop_expect(run, reply, VOW_OK, "UnaryCall") &&
               interop_expect_compressed(run, vow_future_call(reply), compressed) &&
               interop_expect_body(run, response->payload, INTEROP_LARGE_RESPONSE);
    vow_drop(reply);
    return is_right;
}

bool interop_server_compressed_unary(interop_run *run)
{
    return server_compresses(run, true) && server_compresses(run, false);
}

/* Metadata */

bool interop_custom_metadata(interop_run *run)
{
    Grpc__Testing__SimpleRequest request = GRPC__TESTING__SIMPLE_REQUEST__INIT;
    Grpc__Testing__Payload       payload = interop_payload(INTEROP_LARGE_REQUEST);
    vow_future                  *reply;
    bool                         is_right;

    request.payload = &payload;
    request.response_size = INTEROP_LARGE_RESPONSE;
    reply =
        grpc_testing_test_service_unary_call(run->channel, &request, VOW_CALL(.metadata = interop_metadata));
    is_right = interop_expect(run, reply, VOW_OK, "UnaryCall") &&
               interop_expect_metadata(run, vow_future_call(reply));
    vow_drop(reply);
    return is_right && interop_stream_metadata(run);
}

/* Status */

static bool unary_status(interop_run *run, vow_code code, char *message)
{
    Grpc__Testing__SimpleRequest request = GRPC__TESTING__SIMPLE_REQUEST__INIT;
    Grpc__Testing__EchoStatus    status = GRPC__TESTING__ECHO_STATUS__INIT;
    vow_future                  *reply;
    bool                         is_right;

    status.code = (int32_t)code;
    status.message = message;
    request.response_status = &status;
    reply = grpc_testing_test_service_unary_call(run->channel, &request, NULL);
    is_right = interop_expect_message(run, reply, code, message);
    vow_drop(reply);
    return is_right;
}

bool interop_status_code_and_message(interop_run *run)
{
    char message[] = "test status message";

    return unary_status(run, VOW_UNKNOWN, message) && interop_stream_status(run, VOW_UNKNOWN, message);
}

bool interop_special_status_message(interop_run *run)
{
    /* Whitespace that a header could not hold, and characters of three bytes and of four. */
    char message[] =
        "\t\ntest with whitespace\r\nand Unicode BMP \xe2\x98\xba and non-BMP \xf0\x9f\x98\x88\t\n";

    return unary_status(run, VOW_UNKNOWN, message);
}

bool interop_unimplemented_method(interop_run *run)
{
    Grpc__Testing__Empty request = GRPC__TESTING__EMPTY__INIT;
    vow_future          *reply = grpc_testing_test_service_unimplemented_call(run->channel, &request, NULL);
    bool                 is_right = interop_expect(run, reply, VOW_UNIMPLEMENTED, "UnimplementedCall");

    vow_drop(reply);
    return is_right;
}

bool interop_unimplemented_service(interop_run *run)
{
    Grpc__Testing__Empty request = GRPC__TESTING__EMPTY__INIT;
    vow_future *reply = grpc_testing_unimplemented_service_unimplemented_call(run->channel, &request, NULL);
    bool        is_right = interop_expect(run, reply, VOW_UNIMPLEMENTED, "UnimplementedService");

    vow_drop(reply);
    return is_right;
}
