#include "interop/run.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The largest body that a case sends or gets. */
#define BODY_MAX INTEROP_LARGE_RESPONSE

static uint8_t zeros[BODY_MAX];

const vow_metadata interop_metadata[] = {
    { "x-grpc-test-echo-initial", "test_initial_metadata_value", 0 },
    { "x-grpc-test-echo-trailing-bin", "\xab\xab\xab", 3 },
    { NULL, NULL, 0 },
};

vow_channel *interop_open(const interop_run *run)
{
    const interop_settings *settings = run->settings;
    const vow_tls_options  *tls =
        settings->use_tls ? VOW_TLS(.ca_file = settings->ca_file, .server_name = settings->host_override) : NULL;
    bool        is_grpc = strcmp(settings->protocol, "grpc") == 0;
    const char *scheme = is_grpc ? "grpc" : "tcp";
    char        target[300];

    if (settings->use_tls)
        scheme = is_grpc ? "grpcs" : "tls";
    snprintf(target, sizeof target, "%s://%s:%d", scheme, settings->host, settings->port);
    /* The cases compress zeros, which become a thousandth of their size. */
    return vow_channel_open(run->loop, target, VOW_CHANNEL(.max_inflate_ratio = 2000, .tls = tls));
}

bool interop_fail(interop_run *run, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(run->why, sizeof run->why, format, arguments);
    va_end(arguments);
    return false;
}

bool interop_expect(interop_run *run, vow_future *future, vow_code code, const char *what)
{
    if (vow_wait(future) == code)
        return true;
    return interop_fail(run, "%s: %s was expected, and came %s", what, vow_code_name(code),
                        vow_future_error(future));
}

bool interop_expect_message(interop_run *run, vow_future *future, vow_code code, const char *message)
{
    if (!interop_expect(run, future, code, "the call"))
        return false;
    if (strcmp(vow_future_message(future), message) == 0)
        return true;
    return interop_fail(run, "the status came with another message than was asked for: %s",
                        vow_future_error(future));
}

bool interop_expect_body(interop_run *run, const Grpc__Testing__Payload *payload, size_t size)
{
    size_t came = payload ? payload->body.len : 0;

    if (came != size)
        return interop_fail(run, "a body of %zu bytes was expected, and %zu came", size, came);
    if (size > BODY_MAX || memcmp(payload->body.data, zeros, size) != 0)
        return interop_fail(run, "a body of %zu bytes has others than zeros", size);
    return true;
}

bool interop_expect_compressed(interop_run *run, const vow_call *call, bool expected)
{
    if (vow_call_was_compressed(call) == expected)
        return true;
    return interop_fail(run, "a response was expected %s, and came otherwise",
                        expected ? "compressed" : "uncompressed");
}

static bool metadata_is_there(const vow_metadata *list, const vow_metadata *wanted)
{
    size_t              size = wanted->value_size ? wanted->value_size : strlen(wanted->value);
    const vow_metadata *found = vow_metadata_find(list, wanted->name);
    size_t found_size = found && found->value_size ? found->value_size : found ? strlen(found->value) : 0;

    return found && found_size == size && memcmp(found->value, wanted->value, size) == 0;
}

bool interop_expect_metadata(interop_run *run, const vow_call *call)
{
    if (!metadata_is_there(vow_call_metadata(call), &interop_metadata[0]))
        return interop_fail(run, "%s did not come back at the beginning", interop_metadata[0].name);
    if (!metadata_is_there(vow_call_trailing_metadata(call), &interop_metadata[1]))
        return interop_fail(run, "%s did not come back at the end", interop_metadata[1].name);
    return true;
}

Grpc__Testing__Payload interop_payload(size_t size)
{
    Grpc__Testing__Payload payload = GRPC__TESTING__PAYLOAD__INIT;

    payload.body.data = zeros;
    payload.body.len = size < BODY_MAX ? size : BODY_MAX;
    return payload;
}

bool interop_large_unary(interop_run *run, vow_channel *channel, const vow_call_options *options)
{
    Grpc__Testing__SimpleRequest         request = GRPC__TESTING__SIMPLE_REQUEST__INIT;
    Grpc__Testing__Payload               payload = interop_payload(INTEROP_LARGE_REQUEST);
    const Grpc__Testing__SimpleResponse *response;
    vow_future                          *reply;
    bool                                 is_right;

    request.payload = &payload;
    request.response_size = INTEROP_LARGE_RESPONSE;
    reply = grpc_testing_test_service_unary_call(channel, &request, options);
    is_right = interop_expect(run, reply, VOW_OK, "UnaryCall");
    response = grpc_testing_test_service_unary_call_result(reply);
    is_right = is_right && interop_expect_body(run, response->payload, INTEROP_LARGE_RESPONSE);
    vow_drop(reply);
    return is_right;
}
