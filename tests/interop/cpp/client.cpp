/* The client of gRPC's interoperability tests, on the public interface of gRPC C++. */
#include "flags.hpp"

#include "grpc/testing/test.grpc.pb.h"

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <functional>
#include <iostream>
#include <stdexcept>
#include <vector>

using namespace grpc::testing;
using grpc::ClientContext;
using grpc::Status;
using grpc::StatusCode;

static constexpr int large_request = 271828;
static constexpr int large_response = 314159;

static const std::vector<int> request_sizes = { 27182, 8, 1828, 45904 };
static const std::vector<int> response_sizes = { 31415, 9, 2653, 58979 };

static std::shared_ptr<grpc::Channel> open(const flags &flags)
{
    grpc::ChannelArguments                    arguments;
    std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials();

    if (flags.is("use_tls")) {
        credentials = grpc::SslCredentials({ flags.file("ca_file"), "", "" });
        if (!flags.get("server_host_override").empty())
            arguments.SetSslTargetNameOverride(flags.get("server_host_override"));
    }
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL,
                     1); /* a channel of one's own has its own connection */
    return grpc::CreateCustomChannel(flags.get("server_host") + ":" + flags.get("server_port"), credentials,
                                     arguments);
}

/* A call that ends. */
struct context : ClientContext {
    explicit context(std::chrono::milliseconds time = std::chrono::seconds(30))
    {
        set_deadline(std::chrono::system_clock::now() + time);
    }
};

static void expect(bool is_so, const std::string &what)
{
    if (!is_so)
        throw std::runtime_error(what);
}

static void expect(const Status &status, StatusCode code, const std::string &what)
{
    expect(status.error_code() == code,
           what + ": came " + std::to_string(status.error_code()) + " " + status.error_message());
}

static void expect_body(const Payload &payload, int size)
{
    expect(payload.body() == std::string(size, '\0'),
           "a body has " + std::to_string(payload.body().size()) + " bytes");
}

static SimpleRequest large()
{
    SimpleRequest request;

    request.set_response_size(large_response);
    request.mutable_payload()->set_body(std::string(large_request, '\0'));
    return request;
}

static void large_unary(TestService::Stub &stub)
{
    context        context;
    SimpleResponse response;

    expect(stub.UnaryCall(&context, large(), &response), StatusCode::OK, "UnaryCall");
    expect_body(response.payload(), large_response);
}

static void empty_unary(TestService::Stub &stub)
{
    context context;
    Empty   response;

    expect(stub.EmptyCall(&context, Empty(), &response), StatusCode::OK, "EmptyCall");
}

/* Compression */

static void client_compresses(TestService::Stub &stub, bool expected, bool is_sent, StatusCode code)
{
    context        context;
    SimpleRequest  request = large();
    SimpleResponse response;

    request.mutable_expect_compressed()->set_value(expected);
    context.set_compression_algorithm(is_sent ? GRPC_COMPRESS_GZIP : GRPC_COMPRESS_NONE);
    expect(stub.UnaryCall(&context, request, &response), code, "UnaryCall");
    if (code == StatusCode::OK)
        expect_body(response.payload(), large_response);
}

static void client_compressed_unary(TestService::Stub &stub)
{
    client_compresses(stub, true, false, StatusCode::INVALID_ARGUMENT);
    client_compresses(stub, true, true, StatusCode::OK);
    client_compresses(stub, false, false, StatusCode::OK);
}

static void server_compressed_unary(TestService::Stub &stub)
{
    for (bool compressed : { true, false }) {
        context        context;
        SimpleRequest  request = large();
        SimpleResponse response;

        request.mutable_response_compressed()->set_value(compressed);
        expect(stub.UnaryCall(&context, request, &response), StatusCode::OK, "UnaryCall");
        expect(was_compressed(context.c_call()) == compressed, "the response is compressed, or not");
        expect_body(response.payload(), large_response);
    }
}

static void send_part(grpc::ClientWriter<StreamingInputCallRequest> &writer, int size, bool compress)
{
    StreamingInputCallRequest request;
    grpc::WriteOptions        options;

    request.mutable_expect_compressed()->set_value(compress);
    request.mutable_payload()->set_body(std::string(size, '\0'));
    if (!compress)
        options.set_no_compression();
    writer.Write(request, options);
}

static void client_compressed_streaming(TestService::Stub &stub)
{
    StreamingInputCallResponse response;
    StreamingInputCallRequest  probe;
    context                    first;
    context                    second;
    auto                       writer = stub.StreamingInputCall(&first, &response);

    probe.mutable_expect_compressed()->set_value(true);
    probe.mutable_payload()->set_body(std::string(27182, '\0'));
    writer->Write(probe);
    writer->WritesDone();
    expect(writer->Finish(), StatusCode::INVALID_ARGUMENT, "the probe");
    second.set_compression_algorithm(GRPC_COMPRESS_GZIP);
    writer = stub.StreamingInputCall(&second, &response);
    send_part(*writer, 27182, true);
    send_part(*writer, 45904, false);
    writer->WritesDone();
    expect(writer->Finish(), StatusCode::OK, "StreamingInputCall");
    expect(response.aggregated_payload_size() == 73086, "the sum is wrong");
}

static void server_compressed_streaming(TestService::Stub &stub)
{
    context                     context;
    StreamingOutputCallRequest  request;
    StreamingOutputCallResponse response;

    for (bool compressed : { true, false }) {
        ResponseParameters *parameters = request.add_response_parameters();

        parameters->set_size(compressed ? 31415 : 92653);
        parameters->mutable_compressed()->set_value(compressed);
    }
    auto reader = stub.StreamingOutputCall(&context, request);
    for (bool compressed : { true, false }) {
        expect(reader->Read(&response), "responses are missing");
        expect(was_compressed(context.c_call()) == compressed, "a response is compressed, or not");
        expect_body(response.payload(), compressed ? 31415 : 92653);
    }
    expect(!reader->Read(&response), "too many responses");
    expect(reader->Finish(), StatusCode::OK, "StreamingOutputCall");
}

/* Streams */

static void client_streaming(TestService::Stub &stub)
{
    context                    context;
    StreamingInputCallRequest  request;
    StreamingInputCallResponse response;
    auto                       writer = stub.StreamingInputCall(&context, &response);

    for (int size : request_sizes) {
        request.mutable_payload()->set_body(std::string(size, '\0'));
        writer->Write(request);
    }
    writer->WritesDone();
    expect(writer->Finish(), StatusCode::OK, "StreamingInputCall");
    expect(response.aggregated_payload_size() == 74922, "the sum is wrong");
}

static void server_streaming(TestService::Stub &stub)
{
    context                     context;
    StreamingOutputCallRequest  request;
    StreamingOutputCallResponse response;

    for (int size : response_sizes)
        request.add_response_parameters()->set_size(size);
    auto reader = stub.StreamingOutputCall(&context, request);
    for (int size : response_sizes) {
        expect(reader->Read(&response), "responses are missing");
        expect_body(response.payload(), size);
    }
    expect(!reader->Read(&response), "too many responses");
    expect(reader->Finish(), StatusCode::OK, "StreamingOutputCall");
}

static StreamingOutputCallRequest duplex_request(int size, int response_size)
{
    StreamingOutputCallRequest request;

    request.mutable_payload()->set_body(std::string(size, '\0'));
    if (response_size >= 0)
        request.add_response_parameters()->set_size(response_size);
    return request;
}

static void ping_pong(TestService::Stub &stub)
{
    context                     context;
    StreamingOutputCallResponse response;
    auto                        stream = stub.FullDuplexCall(&context);

    for (size_t i = 0; i < request_sizes.size(); i++) {
        stream->Write(duplex_request(request_sizes[i], response_sizes[i]));
        expect(stream->Read(&response), "a response is missing");
        expect_body(response.payload(), response_sizes[i]);
    }
    stream->WritesDone();
    expect(!stream->Read(&response), "too many responses");
    expect(stream->Finish(), StatusCode::OK, "FullDuplexCall");
}

static void empty_stream(TestService::Stub &stub)
{
    context                     context;
    StreamingOutputCallResponse response;
    auto                        stream = stub.FullDuplexCall(&context);

    stream->WritesDone();
    expect(!stream->Read(&response), "a response that nobody asked for");
    expect(stream->Finish(), StatusCode::OK, "FullDuplexCall");
}

/* Metadata and status */

static void send_metadata(ClientContext &context)
{
    context.AddMetadata("x-grpc-test-echo-initial", "test_initial_metadata_value");
    context.AddMetadata("x-grpc-test-echo-trailing-bin", "\xab\xab\xab");
}

static void expect_metadata(ClientContext &context)
{
    auto initial = context.GetServerInitialMetadata().find("x-grpc-test-echo-initial");
    auto trailing = context.GetServerTrailingMetadata().find("x-grpc-test-echo-trailing-bin");

    expect(initial != context.GetServerInitialMetadata().end() &&
               initial->second == "test_initial_metadata_value",
           "the metadata of the beginning");
    expect(trailing != context.GetServerTrailingMetadata().end() && trailing->second == "\xab\xab\xab",
           "the metadata of the end");
}

static void custom_metadata(TestService::Stub &stub)
{
    context                     unary;
    context                     duplex;
    SimpleResponse              reply;
    StreamingOutputCallResponse response;

    send_metadata(unary);
    expect(stub.UnaryCall(&unary, large(), &reply), StatusCode::OK, "UnaryCall");
    expect_metadata(unary);
    send_metadata(duplex);
    auto stream = stub.FullDuplexCall(&duplex);
    stream->Write(duplex_request(large_request, large_response));
    stream->WritesDone();
    expect(stream->Read(&response), "a response is missing");
    expect_body(response.payload(), large_response);
    expect(!stream->Read(&response), "too many responses");
    expect(stream->Finish(), StatusCode::OK, "FullDuplexCall");
    expect_metadata(duplex);
}

static void unary_status(TestService::Stub &stub, const std::string &message)
{
    context        context;
    SimpleRequest  request;
    SimpleResponse response;

    request.mutable_response_status()->set_code(2);
    request.mutable_response_status()->set_message(message);
    Status status = stub.UnaryCall(&context, request, &response);
    expect(status, StatusCode::UNKNOWN, "UnaryCall");
    expect(status.error_message() == message, "the message is another one: " + status.error_message());
}

static void status_code_and_message(TestService::Stub &stub)
{
    const std::string           message = "test status message";
    context                     context;
    StreamingOutputCallRequest  request;
    StreamingOutputCallResponse response;

    unary_status(stub, message);
    request.mutable_response_status()->set_code(2);
    request.mutable_response_status()->set_message(message);
    auto stream = stub.FullDuplexCall(&context);
    stream->Write(request);
    stream->WritesDone();
    expect(!stream->Read(&response), "a response that nobody asked for");
    Status status = stream->Finish();
    expect(status, StatusCode::UNKNOWN, "FullDuplexCall");
    expect(status.error_message() == message, "the message is another one: " + status.error_message());
}

static void special_status_message(TestService::Stub &stub)
{
    unary_status(stub,
                 "\t\ntest with whitespace\r\nand Unicode BMP \xe2\x98\xba and non-BMP \xf0\x9f\x98\x88\t\n");
}

static void unimplemented_method(TestService::Stub &stub)
{
    context context;
    Empty   response;

    expect(stub.UnimplementedCall(&context, Empty(), &response), StatusCode::UNIMPLEMENTED,
           "UnimplementedCall");
}

static void unimplemented_service(UnimplementedService::Stub &stub)
{
    context context;
    Empty   response;

    expect(stub.UnimplementedCall(&context, Empty(), &response), StatusCode::UNIMPLEMENTED,
           "UnimplementedService");
}

/* Calls that end before their end */

static void cancel_after_begin(TestService::Stub &stub)
{
    context                    context;
    StreamingInputCallResponse response;
    auto                       writer = stub.StreamingInputCall(&context, &response);

    context.TryCancel();
    expect(writer->Finish(), StatusCode::CANCELLED, "StreamingInputCall");
}

static void cancel_after_first_response(TestService::Stub &stub)
{
    context                     context;
    StreamingOutputCallResponse response;
    auto                        stream = stub.FullDuplexCall(&context);

    stream->Write(duplex_request(27182, 31415));
    expect(stream->Read(&response), "a response is missing");
    expect_body(response.payload(), 31415);
    context.TryCancel();
    expect(stream->Finish(), StatusCode::CANCELLED, "FullDuplexCall");
}

static void timeout_on_sleeping_server(TestService::Stub &stub)
{
    context context(std::chrono::milliseconds(1));
    auto    stream = stub.FullDuplexCall(&context);

    stream->Write(duplex_request(27182, -1));
    expect(stream->Finish(), StatusCode::DEADLINE_EXCEEDED, "FullDuplexCall");
}

int main(int argc, char **argv)
{
    using run = std::function<void(TestService::Stub &)>;

    flags       flags(argc, argv);
    auto        channel = open(flags);
    auto        stub = TestService::NewStub(channel);
    std::string wanted = flags.get("test_case", "all");
    int         passed = 0;
    int         failed = 0;

    const std::vector<std::pair<std::string, run>> cases = {
        { "empty_unary", empty_unary },
        { "large_unary", large_unary },
        { "client_compressed_unary", client_compressed_unary },
        { "server_compressed_unary", server_compressed_unary },
        { "client_streaming", client_streaming },
        { "client_compressed_streaming", client_compressed_streaming },
        { "server_streaming", server_streaming },
        { "server_compressed_streaming", server_compressed_streaming },
        { "ping_pong", ping_pong },
        { "empty_stream", empty_stream },
        { "custom_metadata", custom_metadata },
        { "status_code_and_message", status_code_and_message },
        { "special_status_message", special_status_message },
        { "unimplemented_method", unimplemented_method },
        { "unimplemented_service",
          [&](TestService::Stub &) { unimplemented_service(*UnimplementedService::NewStub(channel)); } },
        { "cancel_after_begin", cancel_after_begin },
        { "cancel_after_first_response", cancel_after_first_response },
        { "timeout_on_sleeping_server", timeout_on_sleeping_server },
        { "rpc_soak",
          [](TestService::Stub &stub) {
              for (int i = 0; i < 10; i++)
                  large_unary(stub);
          } },
        { "channel_soak",
          [&](TestService::Stub &) {
              for (int i = 0; i < 10; i++)
                  large_unary(*TestService::NewStub(open(flags)));
          } },
    };

    for (const auto &[name, run] : cases) {
        if (wanted != "all" && wanted != name)
            continue;
        try {
            run(*stub);
            passed++;
            std::cout << name << ": passed" << std::endl;
        } catch (const std::exception &error) {
            failed++;
            std::cout << name << ": FAILED: " << error.what() << std::endl;
        }
    }
    std::cout << passed << " cases passed, " << failed << " failed" << std::endl;
    return failed > 0 || passed == 0;
}
