/* Cases in which messages stream. */
#include "interop/run.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const vow_call_options bounded = { .size = sizeof bounded, .timeout_ms = INTEROP_TIMEOUT_MS };

static const int32_t request_sizes[] = { 27182, 8, 1828, 45904 };
static const int32_t response_sizes[] = { 31415, 9, 2653, 58979 };

/* Reading */

/* The next response has a body of `size` zeros. */
static bool response_is(interop_run *run, vow_call *call, int32_t size)
{
    vow_future                                       *next = vow_call_next(call);
    const Grpc__Testing__StreamingOutputCallResponse *response;
    bool is_right = interop_expect(run, next, VOW_OK, "a response");

    response = grpc_testing_test_service_streaming_output_call_result(next);
    if (is_right && !response)
        is_right = interop_fail(run, "the responses ended before all had come");
    is_right = is_right && interop_expect_body(run, response->payload, (size_t)size);
    vow_drop(next);
    return is_right;
}

/* No more responses come, and the call ends well. */
static bool responses_end(interop_run *run, vow_call *call)
{
    vow_future *next = vow_call_next(call);
    bool        is_right = interop_expect(run, next, VOW_OK, "the end of the responses");

    if (is_right && vow_future_value(next))
        is_right = interop_fail(run, "more responses came than were asked for");
    vow_drop(next);
    return is_right;
}

static bool ends_with(interop_run *run, vow_call *call, vow_code code)
{
    vow_future *closed = vow_call_when_closed(call);
    bool        is_right = interop_expect(run, closed, code, "the call");

    vow_drop(closed);
    return is_right;
}

/* Requests that stream */

static void send_sum_part(vow_call *call, int32_t size, const Grpc__Testing__BoolValue *expect)
{
    Grpc__Testing__StreamingInputCallRequest request = GRPC__TESTING__STREAMING_INPUT_CALL_REQUEST__INIT;
    Grpc__Testing__Payload                   payload = interop_payload((size_t)size);

    request.payload = &payload;
    request.expect_compressed = (Grpc__Testing__BoolValue *)(uintptr_t)expect;
    grpc_testing_test_service_streaming_input_call_send_request(call, &request);
}

static bool sum_is(interop_run *run, vow_call *call, int32_t sum)
{
    vow_future                                      *reply = vow_call_next(call);
    const Grpc__Testing__StreamingInputCallResponse *response;
    bool is_right = interop_expect(run, reply, VOW_OK, "StreamingInputCall");

    response = grpc_testing_test_service_streaming_input_call_result(reply);
    if (is_right && response->aggregated_payload_size != sum)
        is_right = interop_fail(run, "%d bytes were sent, and the server counts %d", (int)sum,
                                (int)response->aggregated_payload_size);
    vow_drop(reply);
    return is_right;
}

bool interop_client_streaming(interop_run *run)
{
    vow_call *call = grpc_testing_test_service_streaming_input_call(run->channel, &bounded);
    bool      is_right;

    for (size_t i = 0; i < COUNT(request_sizes); i++)
        send_sum_part(call, request_sizes[i], NULL);
    vow_call_end(call);
    is_right = sum_is(run, call, 74922);
    vow_call_drop(call);
    return is_right;
}

bool interop_client_compressed_streaming(interop_run *run)
{
    const vow_call_options   compressed = { .size = sizeof compressed,
                                            .timeout_ms = INTEROP_TIMEOUT_MS,
                                            .compress = true };
    Grpc__Testing__BoolValue expect = GRPC__TESTING__BOOL_VALUE__INIT;
    vow_call                *call = grpc_testing_test_service_streaming_input_call(run->channel, &bounded);
    bool                     is_right;

    /* A server that does not look is found out first. */
    expect.value = true;
    send_sum_part(call, 27182, &expect);
    vow_call_end(call);
    is_right = ends_with(run, call, VOW_INVALID_ARGUMENT);
    vow_call_drop(call);
    if (!is_right)
        return false;
    call = grpc_testing_test_service_streaming_input_call(run->channel, &compressed);
    send_sum_part(call, 27182, &expect);
    expect.value = false;
    vow_call_compress(call, false);
    send_sum_part(call, 45904, &expect);
    vow_call_end(call);
    is_right = sum_is(run, call, 73086);
    vow_call_drop(call);
    return is_right;
}

/* Responses that stream */

bool interop_server_streaming(interop_run *run)
{
    Grpc__Testing__StreamingOutputCallRequest request = GRPC__TESTING__STREAMING_OUTPUT_CALL_REQUEST__INIT;
    Grpc__Testing__ResponseParameters         parameters[COUNT(response_sizes)];
    Grpc__Testing__ResponseParameters        *list[COUNT(response_sizes)];
    vow_call                                 *call;
    bool                                      is_right = true;

    for (size_t i = 0; i < COUNT(response_sizes); i++) {
        grpc__testing__response_parameters__init(&parameters[i]);
        parameters[i].size = response_sizes[i];
        list[i] = &parameters[i];
    }
    request.response_parameters = list;
    request.n_response_parameters = COUNT(list);
    call = grpc_testing_test_service_streaming_output_call(run->channel, &request, &bounded);
    for (size_t i = 0; i < COUNT(response_sizes) && is_right; i++)
        is_right = response_is(run, call, response_sizes[i]);
    is_right = is_right && responses_end(run, call);
    vow_call_drop(call);
    return is_right;
}

bool interop_server_compressed_streaming(interop_run *run)
{
    Grpc__Testing__StreamingOutputCallRequest request = GRPC__TESTING__STREAMING_OUTPUT_CALL_REQUEST__INIT;
    Grpc__Testing__ResponseParameters         first = GRPC__TESTING__RESPONSE_PARAMETERS__INIT;
    Grpc__Testing__ResponseParameters         second = GRPC__TESTING__RESPONSE_PARAMETERS__INIT;
    Grpc__Testing__ResponseParameters        *list[] = { &first, &second };
    Grpc__Testing__BoolValue                  yes = GRPC__TESTING__BOOL_VALUE__INIT;
    Grpc__Testing__BoolValue                  no = GRPC__TESTING__BOOL_VALUE__INIT;
    vow_call                                 *call;
    bool                                      is_right;

    yes.value = true;
    first.size = 31415;
    first.compressed = &yes;
    second.size = 92653;
    second.compressed = &no;
    request.response_parameters = list;
    request.n_response_parameters = COUNT(list);
    call = grpc_testing_test_service_streaming_output_call(run->channel, &request, &bounded);
    is_right = response_is(run, call, 31415) && interop_expect_compressed(run, call, true) &&
               response_is(run, call, 92653) && interop_expect_compressed(run, call, false) &&
               responses_end(run, call);
    vow_call_drop(call);
    return is_right;
}

/* Both */

/* A negative `response_size`: no response is asked for. */
static void send_request(vow_call *call, int32_t size, int32_t response_size)
{
    Grpc__Testing__StreamingOutputCallRequest request = GRPC__TESTING__STREAMING_OUTPUT_CALL_REQUEST__INIT;
    Grpc__Testing__ResponseParameters         parameters = GRPC__TESTING__RESPONSE_PARAMETERS__INIT;
    Grpc__Testing__ResponseParameters        *list[] = { &parameters };
    Grpc__Testing__Payload                    payload = interop_payload((size_t)size);

    request.payload = &payload;
    parameters.size = response_size;
    request.response_parameters = list;
    request.n_response_parameters = response_size >= 0;
    grpc_testing_test_service_full_duplex_call_send_request(call, &request);
}

bool interop_ping_pong(interop_run *run)
{
    vow_call *call = grpc_testing_test_service_full_duplex_call(run->channel, &bounded);
    bool      is_right = true;

    for (size_t i = 0; i < COUNT(request_sizes) && is_right; i++) {
        send_request(call, request_sizes[i], response_sizes[i]);
        is_right = response_is(run, call, response_sizes[i]);
    }
    vow_call_end(call);
    is_right = is_right && responses_end(run, call);
    vow_call_drop(call);
    return is_right;
}

bool interop_empty_stream(interop_run *run)
{
    vow_call *call = grpc_testing_test_service_full_duplex_call(run->channel, &bounded);
    bool      is_right;

    vow_call_end(call);
    is_right = responses_end(run, call);
    vow_call_drop(call);
    return is_right;
}

bool interop_stream_metadata(interop_run *run)
{
    const vow_call_options options = {
        .size = sizeof options,
        .timeout_ms = INTEROP_TIMEOUT_MS,
        .metadata = interop_metadata,
    };
    vow_call *call = grpc_testing_test_service_full_duplex_call(run->channel, &options);
    bool      is_right;

    send_request(call, INTEROP_LARGE_REQUEST, INTEROP_LARGE_RESPONSE);
    vow_call_end(call);
    is_right = response_is(run, call, INTEROP_LARGE_RESPONSE) && responses_end(run, call) &&
               interop_expect_metadata(run, call);
    vow_call_drop(call);
    return is_right;
}

bool interop_stream_status(interop_run *run, int code, const char *message)
{
    Grpc__Testing__StreamingOutputCallRequest request = GRPC__TESTING__STREAMING_OUTPUT_CALL_REQUEST__INIT;
    Grpc__Testing__EchoStatus                 status = GRPC__TESTING__ECHO_STATUS__INIT;
    vow_call   *call = grpc_testing_test_service_full_duplex_call(run->channel, &bounded);
    vow_future *closed = vow_call_when_closed(call);
    bool        is_right;

    status.code = code;
    status.message = (char *)(uintptr_t)message;
    request.response_status = &status;
    grpc_testing_test_service_full_duplex_call_send_request(call, &request);
    vow_call_end(call);
    is_right = interop_expect_message(run, closed, (vow_code)code, message);
    vow_drop(closed);
    vow_call_drop(call);
    return is_right;
}

/* Ending calls before their end */

/* Cancelling settles the reading first, which says how the call ended. */
static bool cancel(interop_run *run, vow_call *call, vow_future *reading)
{
    vow_future *closed = vow_call_when_closed(call);
    bool        is_right;

    vow_call_drop(call);
    is_right = interop_expect(run, closed, VOW_CANCELLED, "the cancelled call") &&
               interop_expect(run, reading, VOW_CANCELLED, "what was read of the cancelled call");
    vow_drop(closed);
    vow_drop(reading);
    return is_right;
}

bool interop_cancel_after_begin(interop_run *run)
{
    vow_call   *call = grpc_testing_test_service_streaming_input_call(run->channel, &bounded);
    vow_future *reply = vow_call_next(call);
    vow_future *ready = vow_channel_ready(run->channel);
    bool        is_right = interop_expect(run, ready, VOW_OK, "connecting");

    vow_drop(ready);
    return cancel(run, call, reply) && is_right;
}

bool interop_cancel_after_first_response(interop_run *run)
{
    vow_call *call = grpc_testing_test_service_full_duplex_call(run->channel, &bounded);
    bool      is_right;

    send_request(call, 27182, 31415);
    is_right = response_is(run, call, 31415);
    return cancel(run, call, vow_call_next(call)) && is_right;
}

bool interop_timeout_on_sleeping_server(interop_run *run)
{
    const vow_call_options short_time = { .size = sizeof short_time, .timeout_ms = 1 };
    vow_call              *call = grpc_testing_test_service_full_duplex_call(run->channel, &short_time);
    bool                   is_right;

    send_request(call, 27182, -1);
    is_right = ends_with(run, call, VOW_DEADLINE_EXCEEDED);
    vow_call_drop(call);
    return is_right;
}
