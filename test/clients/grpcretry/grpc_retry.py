"""Python's grpcio with and without the service config of the gateway: see ../grpc_retry.sh."""

import collections
import concurrent.futures
import os

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from matrix import attempt, image

# The fields of ResizeRequest that these calls use.
FILE = descriptor_pb2.FileDescriptorProto(name="call.proto", package="imageflow.v1", syntax="proto3")
REQUEST = FILE.message_type.add(name="ResizeRequest")
REQUEST.field.add(name="target_width", number=2, type=5, label=1)
REQUEST.field.add(name="input_bytes", number=7, type=12, label=1)
FILES = descriptor_pool.DescriptorPool()
FILES.Add(FILE)
Request = message_factory.GetMessageClass(FILES.FindMessageTypeByName("imageflow.v1.ResizeRequest"))

CALLERS = 20
TARGET = os.environ["RESIZE_URL"].removeprefix("http://")
with open(os.environ["SERVICE_CONFIG"], encoding="utf-8") as config:
    SERVICE_CONFIG = config.read()


def resize(options):
    """Makes the calls at the same time and returns how many had which status."""
    with grpc.insecure_channel(TARGET, options=options) as channel:
        call = channel.unary_unary(
            "/imageflow.v1.ResizeService/ResizeImage", request_serializer=Request.SerializeToString, response_deserializer=bytes
        )

        def one(number):
            try:
                call(Request(input_bytes=image(), target_width=300 + number), timeout=120)
            except grpc.RpcError as error:
                return error.code().name
            return "done"

        with concurrent.futures.ThreadPoolExecutor(CALLERS) as threads:
            return dict(collections.Counter(threads.map(one, range(CALLERS))))


def with_config():
    outcomes = resize([("grpc.service_config", SERVICE_CONFIG)])
    assert outcomes == {"done": CALLERS}, outcomes


def without_config():
    outcomes = resize([])
    assert set(outcomes) == {"done", "RESOURCE_EXHAUSTED"}, outcomes
    return f"({outcomes['done']} done)"


attempt("Python grpcio", "20 calls at the same time, without a service config: some are refused", without_config)
attempt("Python grpcio", "20 calls at the same time, with /service-config.json", with_config)
