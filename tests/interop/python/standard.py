"""What tools ask of every server: whether it serves, and what. Messages are written as bytes: there are three small
ones, and no stubs for them in Debian."""
import sys

import grpc
from common import Flags

SERVICE = b"grpc.testing.TestService"


def as_it_is(message):
    return message


def expect(is_so, what):
    if not is_so:
        raise AssertionError(what)


def health(channel):
    check = channel.unary_unary("/grpc.health.v1.Health/Check", as_it_is, as_it_is)

    for service in b"", SERVICE:
        request = b"\x0a" + bytes([len(service)]) + service  # service
        expect(check(request, timeout=30) == b"\x08\x01", f"{service} does not serve")  # status: SERVING


def reflection(channel, version):
    method = f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"
    info = channel.stream_stream(method, as_it_is, as_it_is)

    (services,) = info(iter([b"\x3a\x01*"]), timeout=30)  # list_services
    expect(SERVICE in services and b"grpc.health.v1.Health" in services, "services are missing")
    symbol = b"\x22" + bytes([len(SERVICE)]) + SERVICE  # file_containing_symbol
    (files,) = info(iter([symbol]), timeout=30)
    expect(b"FullDuplexCall" in files, "the service is not described")


def main():
    flags = Flags(sys.argv[1:])
    channel = grpc.insecure_channel(flags.get("server_host") + ":" + flags.get("server_port"))
    passed = 0
    for name, case in (
        ("health", lambda: health(channel)),
        ("reflection v1", lambda: reflection(channel, "v1")),
        ("reflection v1alpha", lambda: reflection(channel, "v1alpha")),
    ):
        case()
        passed += 1
        print(f"{name}: passed", flush=True)
    print(f"{passed} cases passed, 0 failed", flush=True)


main()
