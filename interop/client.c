/*
 * vow-interop-client: gRPC's interoperability tests against a server, over gRPC or over vow's own protocol.
 *
 * Ends with 0 when all that was asked for has passed, with 1 when something has failed, and with 2 when the
 * flags make no sense.
 *
 * Source  gRPC, "Interoperability Test Case Descriptions", Client.
 */
#include "interop/flags.h"
#include "interop/run.h"

#include <stdio.h>
#include <string.h>
#include <uv.h>

static const struct {
    const char   *name;
    interop_case *run;
    bool          needs_grpc; /* the native protocol does not compress */
} cases[] = {
    { "empty_unary", interop_empty_unary, false },
    { "large_unary", interop_case_large_unary, false },
    { "client_compressed_unary", interop_client_compressed_unary, true },
    { "server_compressed_unary", interop_server_compressed_unary, true },
    { "client_streaming", interop_client_streaming, false },
    { "client_compressed_streaming", interop_client_compressed_streaming, true },
    { "server_streaming", interop_server_streaming, false },
    { "server_compressed_streaming", interop_server_compressed_streaming, true },
    { "ping_pong", interop_ping_pong, false },
    { "empty_stream", interop_empty_stream, false },
    { "custom_metadata", interop_custom_metadata, false },
    { "status_code_and_message", interop_status_code_and_message, false },
    { "special_status_message", interop_special_status_message, false },
    { "unimplemented_method", interop_unimplemented_method, false },
    { "unimplemented_service", interop_unimplemented_service, false },
    { "cancel_after_begin", interop_cancel_after_begin, false },
    { "cancel_after_first_response", interop_cancel_after_first_response, false },
    { "timeout_on_sleeping_server", interop_timeout_on_sleeping_server, false },
    { "rpc_soak", interop_rpc_soak, false },
    { "channel_soak", interop_channel_soak, false },
};

static interop_settings settings = {
    .host = "localhost",
    .port = 10000,
    .test_case = "all",
    .protocol = "grpc",
    .soak_iterations = 10,
    .soak_latency_ms = 1000,
    .soak_timeout_s = 60,
};

static void read_settings(int argc, char **argv)
{
    const interop_flag flags[] = {
        { .name = "server_host", .help = "localhost by default", .text = &settings.host },
        { .name = "server_port", .help = "10000 by default", .number = &settings.port },
        { .name = "server_host_override",
          .help = "the name in the certificate",
          .text = &settings.host_override },
        { .name = "test_case",
          .help = "a case, or several with commas; all by default",
          .text = &settings.test_case },
        { .name = "use_tls",
          .help = "with what the system trusts, or --ca_file",
          .truth = &settings.use_tls },
        { .name = "ca_file",
          .help = "who may have signed the server's certificate",
          .text = &settings.ca_file },
        { .name = "protocol", .help = "grpc, or native", .text = &settings.protocol },
        { .name = "soak_iterations", .help = "calls of a soak; 10", .number = &settings.soak_iterations },
        { .name = "soak_max_failures",
          .help = "that are let pass; 0",
          .number = &settings.soak_max_failures },
        { .name = "soak_per_iteration_max_acceptable_latency_ms",
          .help = "what a call may take; 1000",
          .number = &settings.soak_latency_ms },
        { .name = "soak_overall_timeout_seconds", .help = "for all; 60", .number = &settings.soak_timeout_s },
        { .name = NULL },
    };

    interop_flags_read(flags, argc, argv);
}

/* "a,b" has "a" and "b"; "all" has every one. */
static bool case_is_wanted(const char *name)
{
    const char *list = settings.test_case;
    size_t      size = strlen(name);

    if (strcmp(list, "all") == 0)
        return true;
    while (list) {
        if (strncmp(list, name, size) == 0 && (list[size] == '\0' || list[size] == ','))
            return true;
        list = strchr(list, ',');
        list = list ? list + 1 : NULL;
    }
    return false;
}

static bool case_run(interop_run *run, size_t index)
{
    bool passed;

    run->why[0] = '\0';
    run->channel = interop_open(run);
    passed = cases[index].run(run);
    vow_channel_close(run->channel);
    printf("%s: %s%s\n", cases[index].name, passed ? "passed" : "FAILED: ", passed ? "" : run->why);
    fflush(stdout);
    return passed;
}

int main(int argc, char **argv)
{
    interop_run run = { .settings = &settings };
    bool        is_native;
    int         passed = 0;
    int         failed = 0;

    read_settings(argc, argv);
    is_native = strcmp(settings.protocol, "native") == 0;
    if (!is_native && strcmp(settings.protocol, "grpc") != 0) {
        fprintf(stderr, "vow-interop-client: --protocol is grpc or native\n");
        return 2;
    }
    run.loop = vow_loop_attach(uv_default_loop());
    if (!run.loop)
        return 1;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (!case_is_wanted(cases[i].name))
            continue;
        if (cases[i].needs_grpc && is_native) {
            printf("%s: left out, the native protocol does not compress\n", cases[i].name);
            continue;
        }
        if (case_run(&run, i))
            passed++;
        else
            failed++;
    }
    vow_loop_close(run.loop);
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    uv_loop_close(uv_default_loop());
    printf("%d cases passed, %d failed\n", passed, failed);
    if (passed + failed == 0)
        fprintf(stderr, "vow-interop-client: no case is called %s; see docs/grpc.md\n", settings.test_case);
    return passed + failed == 0 ? 2 : failed > 0;
}
