/*
 * vow-interop-server: the server of gRPC's interoperability tests, for gRPC and for vow's own protocol at one
 * port.
 *
 * The idea: a request says what is to be answered: how many bytes, when, compressed or not, with which
 * status. Nothing of a response is kept: all bodies are parts of one block of zeros.
 *
 * Source  gRPC, "Interoperability Test Case Descriptions", Server.
 */
#include "interop/flags.h"

#include "grpc/testing/test.vow.h"

#include <vow/health.h>
#include <vow/reflection.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

/* Of one response. */
#define BODY_MAX (4 << 20)

/* What is left of a drain is cancelled after that. */
#define GRACE_MS 5000

static uint8_t zeros[BODY_MAX];

static struct {
    const char *host;
    int         port;
    bool        use_tls;
    const char *cert_file;
    const char *key_file;
} settings = { .host = "0.0.0.0", .port = 10000 };

/* What all methods have in common */

/* What the caller asks to be sent back: once at the beginning, once at the end. */
static void echo_metadata(vow_call *call)
{
    const vow_metadata *received = vow_call_metadata(call);
    const vow_metadata *initial = vow_metadata_find(received, "x-grpc-test-echo-initial");
    const vow_metadata *trailing = vow_metadata_find(received, "x-grpc-test-echo-trailing-bin");

    if (initial)
        vow_call_send_metadata(call, VOW_METADATA(*initial));
    if (trailing)
        vow_call_send_trailing_metadata(call, VOW_METADATA(*trailing));
}

static bool size_is_allowed(int32_t size)
{
    return size >= 0 && size <= BODY_MAX;
}

static vow_future *bad_size(vow_call *call, int32_t size)
{
    return vow_failure(vow_call_loop(call), VOW_INVALID_ARGUMENT,
                       "a response of %d bytes was asked for; 0 to %d can be had", (int)size, BODY_MAX);
}

static void body_set(Grpc__Testing__Payload *payload, int32_t size)
{
    payload->body.data = zeros;
    payload->body.len = (size_t)size;
}

static bool compression_is_as_expected(const vow_call *call, const Grpc__Testing__BoolValue *expected)
{
    return !expected || expected->value == vow_call_was_compressed(call);
}

static vow_future *compression_is_wrong(vow_call *call)
{
    return vow_failure(vow_call_loop(call), VOW_INVALID_ARGUMENT,
                       "the message came %s, and was expected otherwise",
                       vow_call_was_compressed(call) ? "compressed" : "uncompressed");
}

/* One message for one */

static void empty_call(vow_call *call, const Grpc__Testing__Empty *request, void *arg)
{
    Grpc__Testing__Empty reply = GRPC__TESTING__EMPTY__INIT;

    (void)request;
    (void)arg;
    echo_metadata(call);
    grpc_testing_test_service_empty_call_reply(call, &reply);
}

static void unary_call(vow_call *call, const Grpc__Testing__SimpleRequest *request, void *arg)
{
    Grpc__Testing__SimpleResponse reply = GRPC__TESTING__SIMPLE_RESPONSE__INIT;
    Grpc__Testing__Payload        payload = GRPC__TESTING__PAYLOAD__INIT;

    (void)arg;
    echo_metadata(call);
    if (request->response_status && request->response_status->code != 0) {
        vow_call_fail(call, (vow_code)request->response_status->code, "%s",
                      request->response_status->message);
    } else if (!compression_is_as_expected(call, request->expect_compressed)) {
        vow_call_answer(call, compression_is_wrong(call));
    } else if (!size_is_allowed(request->response_size)) {
        vow_call_answer(call, bad_size(call, request->response_size));
    } else {
        body_set(&payload, request->response_size);
        reply.payload = &payload;
        if (request->response_compressed)
            vow_call_compress(call, request->response_compressed->value);
        grpc_testing_test_service_unary_call_reply(call, &reply);
    }
}

/* Responses that stream */

/* In the memory of its call. */
struct responses {
    vow_call                                        *call;
    const Grpc__Testing__StreamingOutputCallRequest *request;
    size_t                                           next;
    bool                                             has_waited; /* for the next one's interval */
};

/* Gives whether there is room for more. */
static bool response_send(vow_call *call, const Grpc__Testing__ResponseParameters *parameters)
{
    Grpc__Testing__StreamingOutputCallResponse response = GRPC__TESTING__STREAMING_OUTPUT_CALL_RESPONSE__INIT;
    Grpc__Testing__Payload                     payload = GRPC__TESTING__PAYLOAD__INIT;

    body_set(&payload, parameters->size);
    response.payload = &payload;
    if (parameters->compressed)
        vow_call_compress(call, parameters->compressed->value);
    return vow_call_send(call, &response.base);
}

static vow_future *responses_go_on(vow_future *settled, void *arg);

/* Sends as many as there is room for; gives a future that succeeds once all have been. */
static vow_future *responses_send(struct responses *responses)
{
    vow_call *call = responses->call;
    vow_loop *loop = vow_call_loop(call);

    while (responses->next < responses->request->n_response_parameters) {
        const Grpc__Testing__ResponseParameters *next =
            responses->request->response_parameters[responses->next];

        if (!size_is_allowed(next->size))
            return bad_size(call, next->size);
        if (next->interval_us > 0 && !responses->has_waited) {
            responses->has_waited = true;
            return vow_then(vow_sleep(loop, (next->interval_us + 999) / 1000), responses_go_on, responses);
        }
        responses->has_waited = false;
        responses->next++;
        if (!response_send(call, next))
            return vow_then(vow_call_when_room(call), responses_go_on, responses);
    }
    return vow_value(loop, NULL, NULL);
}

static vow_future *responses_go_on(vow_future *settled, void *arg)
{
    (void)settled;
    return responses_send(arg);
}

/* What is compressed at all is announced with the first response. */
static void announce_compression(vow_call *call, const Grpc__Testing__StreamingOutputCallRequest *request)
{
    for (size_t i = 0; i < request->n_response_parameters; i++) {
        const Grpc__Testing__BoolValue *compressed = request->response_parameters[i]->compressed;

        if (compressed && compressed->value) {
            vow_call_compress(call, true);
            vow_call_compress(call, false);
            return;
        }
    }
}

static vow_future *respond(vow_call *call, const Grpc__Testing__StreamingOutputCallRequest *request,
                           struct responses *responses)
{
    const Grpc__Testing__EchoStatus *status = request->response_status;

    if (status && status->code != 0)
        return vow_failure(vow_call_loop(call), (vow_code)status->code, "%s", status->message);
    announce_compression(call, request);
    *responses = (struct responses){ .call = call, .request = request };
    return responses_send(responses);
}

static void streaming_output_call(vow_call *call, const Grpc__Testing__StreamingOutputCallRequest *request,
                                  void *arg)
{
    struct responses *responses = vow_call_alloc(call, sizeof *responses);

    (void)arg;
    if (!responses)
        return; /* the call has been failed */
    echo_metadata(call);
    vow_call_answer(call, respond(call, request, responses));
}

static vow_future *full_duplex_request(vow_call                                        *call,
                                       const Grpc__Testing__StreamingOutputCallRequest *request, void *arg)
{
    return respond(call, request, arg);
}

static void full_duplex_call(vow_call *call, void *arg)
{
    struct responses *responses = vow_call_alloc(call, sizeof *responses);

    (void)arg;
    if (!responses)
        return;
    echo_metadata(call);
    vow_call_answer(
        call, grpc_testing_test_service_full_duplex_call_read_requests(call, full_duplex_request, responses));
}

/* Requests that stream */

struct sum {
    vow_call *call;
    size_t    bytes;
};

static vow_future *sum_add(vow_call *call, const Grpc__Testing__StreamingInputCallRequest *request, void *arg)
{
    struct sum *sum = arg;

    if (!compression_is_as_expected(call, request->expect_compressed))
        return compression_is_wrong(call);
    sum->bytes += request->payload ? request->payload->body.len : 0;
    if (sum->bytes > INT32_MAX)
        return vow_failure(vow_call_loop(call), VOW_OUT_OF_RANGE, "more than %d bytes were sent", INT32_MAX);
    return NULL;
}

static vow_future *sum_reply(vow_future *read, void *arg)
{
    Grpc__Testing__StreamingInputCallResponse reply = GRPC__TESTING__STREAMING_INPUT_CALL_RESPONSE__INIT;
    struct sum                               *sum = arg;

    (void)read;
    reply.aggregated_payload_size = (int32_t)sum->bytes;
    grpc_testing_test_service_streaming_input_call_reply(sum->call, &reply);
    return NULL;
}

static void streaming_input_call(vow_call *call, void *arg)
{
    struct sum *sum = vow_call_alloc(call, sizeof *sum);

    (void)arg;
    if (!sum)
        return;
    sum->call = call;
    echo_metadata(call);
    vow_call_answer(call,
                    vow_then(grpc_testing_test_service_streaming_input_call_read_requests(call, sum_add, sum),
                             sum_reply, sum));
}

/* The program */

static struct {
    vow_loop   *loop;
    vow_server *server;
    vow_health *health;
    uv_signal_t interrupt;
    uv_signal_t terminate;
} program;

static void drained(vow_future *drain, void *arg)
{
    (void)drain;
    (void)arg;
    vow_loop_close(program.loop);
}

static void stop(uv_signal_t *handle, int number)
{
    (void)handle;
    (void)number;
    uv_close((uv_handle_t *)&program.interrupt, NULL);
    uv_close((uv_handle_t *)&program.terminate, NULL);
    vow_done(vow_server_drain(program.server, GRACE_MS), drained, NULL);
}

static vow_code listen_at(vow_server *server, vow_error *error)
{
    char address[300];

    snprintf(address, sizeof address, "tcp://%s:%d", settings.host, settings.port);
    return vow_server_listen(server, address, error);
}

/* What tools expect of a server: whether it serves, and what. */
static bool serve_standard_services(void)
{
    program.health = vow_health_new(program.loop);
    if (!program.health)
        return false;
    vow_health_serve(program.health, program.server);
    vow_reflection_serve(program.server);
    return vow_health_set(program.health, "grpc.testing.TestService", true) == VOW_OK;
}

static void read_settings(int argc, char **argv)
{
    const interop_flag flags[] = {
        { .name = "port", .help = "to listen at; 0: any that is free", .number = &settings.port },
        { .name = "host", .help = "to listen on, 0.0.0.0 by default", .text = &settings.host },
        { .name = "use_tls", .help = "with the two files below", .truth = &settings.use_tls },
        { .name = "tls_cert_file",
          .help = "the certificate, and what signed it",
          .text = &settings.cert_file },
        { .name = "tls_key_file", .help = "its private key", .text = &settings.key_file },
        { .name = NULL },
    };

    interop_flags_read(flags, argc, argv);
}

int main(int argc, char **argv)
{
    static const grpc_testing_test_service_service service = {
        .empty_call = empty_call,
        .unary_call = unary_call,
        .streaming_output_call = streaming_output_call,
        .streaming_input_call = streaming_input_call,
        .full_duplex_call = full_duplex_call,
    };
    const vow_tls_options *tls;
    vow_error              error;

    read_settings(argc, argv);
    tls = VOW_TLS(.certificate_file = settings.cert_file, .key_file = settings.key_file);
    program.loop = vow_loop_attach(uv_default_loop());
    if (!program.loop)
        return 1;
    /* The cases compress zeros, which become a thousandth of their size. */
    program.server = vow_server_open(
        program.loop, VOW_SERVER(.max_inflate_ratio = 2000, .tls = settings.use_tls ? tls : NULL));
    grpc_testing_test_service_serve(program.server, &service, NULL);
    if (!serve_standard_services()) {
        fprintf(stderr, "vow-interop-server: no memory\n");
        return 1;
    }
    if (listen_at(program.server, &error) != VOW_OK) {
        fprintf(stderr, "vow-interop-server: %s\n", error.message);
        return 1;
    }
    uv_signal_init(uv_default_loop(), &program.interrupt);
    uv_signal_init(uv_default_loop(), &program.terminate);
    uv_signal_start(&program.interrupt, stop, SIGINT);
    uv_signal_start(&program.terminate, stop, SIGTERM);
    printf("listening on port %d\n", vow_server_port(program.server));
    fflush(stdout);
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    vow_health_free(program.health);
    return 0;
}
