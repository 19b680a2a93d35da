/* The server of gRPC's interoperability tests, on the public interface of gRPC C++. */
#include "flags.hpp"

#include "grpc/testing/test.grpc.pb.h"

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <iostream>
#include <thread>

using namespace grpc::testing;
using grpc::ServerContext;
using grpc::Status;
using grpc::StatusCode;

static void echo_metadata(ServerContext *context)
{
    const auto &received = context->client_metadata();
    auto        initial = received.find("x-grpc-test-echo-initial");
    auto        trailing = received.find("x-grpc-test-echo-trailing-bin");

    if (initial != received.end())
        context->AddInitialMetadata(std::string(initial->first.data(), initial->first.size()),
                                    std::string(initial->second.data(), initial->second.size()));
    if (trailing != received.end())
        context->AddTrailingMetadata(std::string(trailing->first.data(), trailing->first.size()),
                                     std::string(trailing->second.data(), trailing->second.size()));
}

template <class Request> static bool is_as_expected(ServerContext *context, const Request &request)
{
    return !request.has_expect_compressed() ||
           request.expect_compressed().value() == was_compressed(context->c_call());
}

static Status wrong_compression()
{
    return Status(StatusCode::INVALID_ARGUMENT, "compressed or not, it was expected otherwise");
}

/* False: the caller has gone. */
template <class Stream> static bool respond(const StreamingOutputCallRequest &request, Stream *stream)
{
    for (const ResponseParameters &parameters : request.response_parameters()) {
        StreamingOutputCallResponse response;
        grpc::WriteOptions          options;

        if (parameters.interval_us() > 0)
            std::this_thread::sleep_for(std::chrono::microseconds(parameters.interval_us()));
        if (!parameters.compressed().value())
            options.set_no_compression();
        response.mutable_payload()->set_body(std::string(parameters.size(), '\0'));
        if (!stream->Write(response, options))
            return false;
    }
    return true;
}

class service final : public TestService::Service
{
    Status EmptyCall(ServerContext *context, const Empty *, Empty *) override
    {
        echo_metadata(context);
        return Status::OK;
    }

    Status UnaryCall(ServerContext *context, const SimpleRequest *request, SimpleResponse *response) override
    {
        echo_metadata(context);
        if (!is_as_expected(context, *request))
            return wrong_compression();
        if (request->response_status().code() != 0)
            return Status(static_cast<StatusCode>(request->response_status().code()),
                          request->response_status().message());
        context->set_compression_algorithm(request->response_compressed().value() ? GRPC_COMPRESS_GZIP
                                                                                  : GRPC_COMPRESS_NONE);
        response->mutable_payload()->set_body(std::string(request->response_size(), '\0'));
        return Status::OK;
    }

    Status StreamingOutputCall(ServerContext *context, const StreamingOutputCallRequest *request,
                               grpc::ServerWriter<StreamingOutputCallResponse> *writer) override
    {
        for (const ResponseParameters &parameters : request->response_parameters()) {
            if (parameters.compressed().value())
                context->set_compression_algorithm(GRPC_COMPRESS_GZIP);
        }
        respond(*request, writer);
        return Status::OK;
    }

    Status StreamingInputCall(ServerContext *context, grpc::ServerReader<StreamingInputCallRequest> *reader,
                              StreamingInputCallResponse *response) override
    {
        StreamingInputCallRequest request;
        int                       sum = 0;

        while (reader->Read(&request)) {
            if (!is_as_expected(context, request))
                return wrong_compression();
            sum += static_cast<int>(request.payload().body().size());
        }
        response->set_aggregated_payload_size(sum);
        return Status::OK;
    }

    Status FullDuplexCall(
        ServerContext                                                                     *context,
        grpc::ServerReaderWriter<StreamingOutputCallResponse, StreamingOutputCallRequest> *stream) override
    {
        StreamingOutputCallRequest request;

        echo_metadata(context);
        while (stream->Read(&request)) {
            if (request.response_status().code() != 0)
                return Status(static_cast<StatusCode>(request.response_status().code()),
                              request.response_status().message());
            if (!respond(request, stream))
                break;
        }
        return Status::OK;
    }
};

static std::shared_ptr<grpc::ServerCredentials> credentials(const flags &flags)
{
    grpc::SslServerCredentialsOptions options;

    if (!flags.is("use_tls"))
        return grpc::InsecureServerCredentials();
    options.pem_key_cert_pairs.push_back({ flags.file("tls_key_file"), flags.file("tls_cert_file") });
    return grpc::SslServerCredentials(options);
}

int main(int argc, char **argv)
{
    flags               flags(argc, argv);
    service             service;
    grpc::ServerBuilder builder;
    int                 port = 0;

    builder.AddListeningPort("127.0.0.1:" + flags.get("port", "0"), credentials(flags), &port);
    builder.RegisterService(&service);
    std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
    if (!server || port == 0)
        return 1;
    std::cout << "listening on port " << port << std::endl;
    server->Wait();
}
