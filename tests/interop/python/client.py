"""The client of gRPC's interoperability tests, on the public interface of gRPC Python.

It cannot tell whether a response came compressed, nor send a message of a compressed call as it is: three cases are
left out for that.
"""
import sys
import threading

import grpc
from common import Flags, empty_pb2, messages_pb2, payload, test_pb2_grpc

LARGE_REQUEST = 271828
LARGE_RESPONSE = 314159
REQUEST_SIZES = (27182, 8, 1828, 45904)
RESPONSE_SIZES = (31415, 9, 2653, 58979)
TIMEOUT = 30
METADATA = (
    ("x-grpc-test-echo-initial", "test_initial_metadata_value"),
    ("x-grpc-test-echo-trailing-bin", b"\xab\xab\xab"),
)


def expect(came, wanted, what):
    if came != wanted:
        raise AssertionError(f"{what}: {wanted!r} was expected, and came {came!r}")


def expect_failure(call, code, message=None):
    """The call, which is given as a function, fails so."""
    try:
        call()
    except grpc.RpcError as error:
        expect(error.code(), code, "the status")
        if message is not None:
            expect(error.details(), message, "its message")
        return
    raise AssertionError(f"{code} was expected, and the call succeeded")


def expect_body(response, size):
    expect(response.payload.body, bytes(size), f"a body of {size} bytes")


def large(**more):
    return messages_pb2.SimpleRequest(response_size=LARGE_RESPONSE, payload=payload(LARGE_REQUEST), **more)


def duplex(size, response_size=None):
    sizes = [] if response_size is None else [response_size]
    parameters = [messages_pb2.ResponseParameters(size=size) for size in sizes]
    return messages_pb2.StreamingOutputCallRequest(payload=payload(size), response_parameters=parameters)


def echo_status(message):
    return messages_pb2.EchoStatus(code=2, message=message)


class Paced:
    """Requests that are sent one by one, when the case says so."""

    def __init__(self):
        self.waiting = []
        self.change = threading.Condition()

    def send(self, request):
        with self.change:
            self.waiting.append(request)
            self.change.notify()

    def __iter__(self):
        return self

    def __next__(self):
        with self.change:
            while not self.waiting:
                self.change.wait()
            request = self.waiting.pop(0)
        if request is None:
            raise StopIteration
        return request


class Cases:
    def __init__(self, flags):
        self.flags = flags
        self.channel = self.open()
        self.stub = test_pb2_grpc.TestServiceStub(self.channel)

    def open(self):
        address = self.flags.get("server_host") + ":" + self.flags.get("server_port")
        options = [("grpc.use_local_subchannel_pool", 1)]
        if self.flags.get("use_tls") != "true":
            return grpc.insecure_channel(address, options=options)
        if self.flags.get("server_host_override"):
            options.append(("grpc.ssl_target_name_override", self.flags.get("server_host_override")))
        return grpc.secure_channel(address, grpc.ssl_channel_credentials(self.flags.file("ca_file")), options=options)

    def empty_unary(self):
        self.stub.EmptyCall(empty_pb2.Empty(), timeout=TIMEOUT)

    def large_unary(self):
        expect_body(self.stub.UnaryCall(large(), timeout=TIMEOUT), LARGE_RESPONSE)

    def client_compressed_unary(self):
        yes = messages_pb2.BoolValue(value=True)
        no = messages_pb2.BoolValue(value=False)
        expect_failure(
            lambda: self.stub.UnaryCall(large(expect_compressed=yes), timeout=TIMEOUT),
            grpc.StatusCode.INVALID_ARGUMENT,
        )
        request = large(expect_compressed=yes)
        response = self.stub.UnaryCall(request, timeout=TIMEOUT, compression=grpc.Compression.Gzip)
        expect_body(response, LARGE_RESPONSE)
        expect_body(self.stub.UnaryCall(large(expect_compressed=no), timeout=TIMEOUT), LARGE_RESPONSE)

    def client_streaming(self):
        requests = (messages_pb2.StreamingInputCallRequest(payload=payload(size)) for size in REQUEST_SIZES)
        response = self.stub.StreamingInputCall(requests, timeout=TIMEOUT)
        expect(response.aggregated_payload_size, 74922, "the sum")

    def server_streaming(self):
        parameters = [messages_pb2.ResponseParameters(size=size) for size in RESPONSE_SIZES]
        request = messages_pb2.StreamingOutputCallRequest(response_parameters=parameters)
        responses = list(self.stub.StreamingOutputCall(request, timeout=TIMEOUT))
        expect(len(responses), len(RESPONSE_SIZES), "the count of responses")
        for response, size in zip(responses, RESPONSE_SIZES):
            expect_body(response, size)

    def ping_pong(self):
        requests = Paced()
        responses = self.stub.FullDuplexCall(requests, timeout=TIMEOUT)
        for size, response_size in zip(REQUEST_SIZES, RESPONSE_SIZES):
            requests.send(duplex(size, response_size))
            expect_body(next(responses), response_size)
        requests.send(None)
        expect(list(responses), [], "what follows the last response")

    def empty_stream(self):
        expect(list(self.stub.FullDuplexCall(iter(()), timeout=TIMEOUT)), [], "the responses")

    def custom_metadata(self):
        def check(call):
            expect(dict(call.initial_metadata()).get(METADATA[0][0]), METADATA[0][1], METADATA[0][0])
            expect(dict(call.trailing_metadata()).get(METADATA[1][0]), METADATA[1][1], METADATA[1][0])

        response, call = self.stub.UnaryCall.with_call(large(), timeout=TIMEOUT, metadata=METADATA)
        expect_body(response, LARGE_RESPONSE)
        check(call)
        requests = iter((duplex(LARGE_REQUEST, LARGE_RESPONSE),))
        call = self.stub.FullDuplexCall(requests, timeout=TIMEOUT, metadata=METADATA)
        expect(len(list(call)), 1, "the count of responses")
        check(call)

    def unary_status(self, message):
        request = messages_pb2.SimpleRequest(response_status=echo_status(message))
        expect_failure(lambda: self.stub.UnaryCall(request, timeout=TIMEOUT), grpc.StatusCode.UNKNOWN, message)

    def status_code_and_message(self):
        message = "test status message"
        request = messages_pb2.StreamingOutputCallRequest(response_status=echo_status(message))
        self.unary_status(message)
        expect_failure(
            lambda: list(self.stub.FullDuplexCall(iter((request,)), timeout=TIMEOUT)),
            grpc.StatusCode.UNKNOWN,
            message,
        )

    def special_status_message(self):
        self.unary_status("\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n")

    def unimplemented_method(self):
        expect_failure(
            lambda: self.stub.UnimplementedCall(empty_pb2.Empty(), timeout=TIMEOUT), grpc.StatusCode.UNIMPLEMENTED
        )

    def unimplemented_service(self):
        stub = test_pb2_grpc.UnimplementedServiceStub(self.channel)
        expect_failure(
            lambda: stub.UnimplementedCall(empty_pb2.Empty(), timeout=TIMEOUT), grpc.StatusCode.UNIMPLEMENTED
        )

    def cancel_after_begin(self):
        requests = Paced()
        call = self.stub.StreamingInputCall.future(requests, timeout=TIMEOUT)
        call.cancel()
        requests.send(None)
        expect(call.cancelled(), True, "cancelled")
        expect(call.code(), grpc.StatusCode.CANCELLED, "the status")

    def cancel_after_first_response(self):
        requests = Paced()
        responses = self.stub.FullDuplexCall(requests, timeout=TIMEOUT)
        requests.send(duplex(27182, 31415))
        expect_body(next(responses), 31415)
        responses.cancel()
        requests.send(None)
        expect_failure(lambda: next(responses), grpc.StatusCode.CANCELLED)

    def timeout_on_sleeping_server(self):
        requests = Paced()
        responses = self.stub.FullDuplexCall(requests, timeout=0.001)
        requests.send(duplex(27182))
        expect_failure(lambda: next(responses), grpc.StatusCode.DEADLINE_EXCEEDED)
        requests.send(None)

    def rpc_soak(self):
        for _ in range(10):
            self.large_unary()

    def channel_soak(self):
        for _ in range(10):
            with self.open() as channel:
                stub = test_pb2_grpc.TestServiceStub(channel)
                expect_body(stub.UnaryCall(large(), timeout=TIMEOUT), LARGE_RESPONSE)


CASES = (
    "empty_unary large_unary client_compressed_unary client_streaming server_streaming ping_pong empty_stream "
    "custom_metadata status_code_and_message special_status_message unimplemented_method unimplemented_service "
    "cancel_after_begin cancel_after_first_response timeout_on_sleeping_server rpc_soak channel_soak"
).split()


def main():
    flags = Flags(sys.argv[1:])
    wanted = flags.get("test_case", "all")
    cases = Cases(flags)
    passed = failed = 0
    for name in CASES:
        if wanted not in ("all", name):
            continue
        try:
            getattr(cases, name)()
        except Exception as error:  # whatever it is, the case has failed
            failed += 1
            print(f"{name}: FAILED: {error!r}"[:600], flush=True)
        else:
            passed += 1
            print(f"{name}: passed", flush=True)
    print(f"{passed} cases passed, {failed} failed", flush=True)
    sys.exit(failed > 0 or passed == 0)


main()
