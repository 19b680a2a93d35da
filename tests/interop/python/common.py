"""What both Python programs need: flags, and the messages, which protoc has made in the folder INTEROP_GENERATED."""
import os
import sys

import grpc

# The messages are in the package grpc.testing, and gRPC's own package is called grpc: it looks there as well.
sys.path.insert(0, os.environ["INTEROP_GENERATED"])
grpc.__path__.append(os.path.join(os.environ["INTEROP_GENERATED"], "grpc"))

from grpc.testing import empty_pb2, messages_pb2, test_pb2_grpc  # noqa: E402

__all__ = ["Flags", "empty_pb2", "messages_pb2", "payload", "test_pb2_grpc"]


class Flags:
    """--name=value"""

    def __init__(self, arguments):
        self.values = {}
        for argument in arguments:
            name, _, value = argument.removeprefix("--").partition("=")
            self.values[name] = value or "true"

    def get(self, name, otherwise=""):
        return self.values.get(name, otherwise)

    def file(self, name):
        with open(self.get(name), "rb") as stream:
            return stream.read()


def payload(size):
    return messages_pb2.Payload(body=bytes(size))
