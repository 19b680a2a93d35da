"""The server of gRPC's interoperability tests, on the public interface of gRPC Python.

It cannot tell whether a request came compressed: the interface does not say.
"""
import sys
import time
from concurrent import futures

import grpc
from common import Flags, empty_pb2, messages_pb2, payload, test_pb2_grpc


def echo_metadata(context):
    for name, value in context.invocation_metadata():
        if name == "x-grpc-test-echo-initial":
            context.send_initial_metadata(((name, value),))
        if name == "x-grpc-test-echo-trailing-bin":
            context.set_trailing_metadata(((name, value),))


def end_with(context, status):
    code = next(code for code in grpc.StatusCode if code.value[0] == status.code)
    context.abort(code, status.message)


def responses(context, request):
    """A response for each of the request's parameters."""
    for parameters in request.response_parameters:
        if parameters.interval_us > 0:
            time.sleep(parameters.interval_us / 1e6)
        if not parameters.compressed.value:
            context.disable_next_message_compression()
        yield messages_pb2.StreamingOutputCallResponse(payload=payload(parameters.size))


class Service(test_pb2_grpc.TestServiceServicer):
    def EmptyCall(self, request, context):
        echo_metadata(context)
        return empty_pb2.Empty()

    def UnaryCall(self, request, context):
        if request.response_compressed.value:
            context.set_compression(grpc.Compression.Gzip)
        echo_metadata(context)
        if request.response_status.code:
            end_with(context, request.response_status)
        return messages_pb2.SimpleResponse(payload=payload(request.response_size))

    def StreamingOutputCall(self, request, context):
        if any(parameters.compressed.value for parameters in request.response_parameters):
            context.set_compression(grpc.Compression.Gzip)
        yield from responses(context, request)

    def StreamingInputCall(self, requests, context):
        total = sum(len(request.payload.body) for request in requests)
        return messages_pb2.StreamingInputCallResponse(aggregated_payload_size=total)

    def FullDuplexCall(self, requests, context):
        echo_metadata(context)
        for request in requests:
            if request.response_status.code:
                end_with(context, request.response_status)
            yield from responses(context, request)


def main():
    flags = Flags(sys.argv[1:])
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=10))
    test_pb2_grpc.add_TestServiceServicer_to_server(Service(), server)
    address = "127.0.0.1:" + flags.get("port", "0")
    if flags.get("use_tls") == "true":
        pair = (flags.file("tls_key_file"), flags.file("tls_cert_file"))
        port = server.add_secure_port(address, grpc.ssl_server_credentials([pair]))
    else:
        port = server.add_insecure_port(address)
    server.start()
    print("listening on port", port, flush=True)
    server.wait_for_termination()


main()
