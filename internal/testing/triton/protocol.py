"""Writes the protocol in Triton's own client as a FileDescriptorSet."""

import sys

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from tritonclient.grpc import model_config_pb2, service_pb2

protocol = FileDescriptorSet()
for module in model_config_pb2, service_pb2:
    module.DESCRIPTOR.CopyToProto(protocol.file.add())
sys.stdout.buffer.write(protocol.SerializeToString())
