#!/usr/bin/env python3
"""Python code that protoc (grpcio-tools) generates from the file at /proto."""

import os
import subprocess
import sys

import grpc
import requests
from matrix import attempt, image

CLIENT = "protoc and Python grpcio"
FOLDER = os.environ["TMPDIR"]
ADDRESS = os.environ["RESIZE_URL"].removeprefix("http://")


def generate():
    with open(os.path.join(FOLDER, "imageflow.proto"), "wb") as file:
        file.write(requests.get(os.environ["GATEWAY_URL"] + "/proto", timeout=30).content)
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{FOLDER}", f"--python_out={FOLDER}", f"--grpc_python_out={FOLDER}"]
    done = subprocess.run([*command, "imageflow.proto"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    sys.path.insert(0, FOLDER)


if not attempt(CLIENT, "protoc takes the file at /proto", generate):
    sys.exit(0)

import imageflow_pb2 as pb  # noqa: E402
import imageflow_pb2_grpc as stubs  # noqa: E402

service = stubs.ResizeServiceStub(grpc.insecure_channel(ADDRESS))


def unary():
    answer = service.ResizeImage(pb.ResizeRequest(input_bytes=image(), target_width=320), timeout=60)
    assert answer.result.output_image.width == 320, answer


def stream():
    requested = [pb.ResizeRequest(input_bytes=image(), target_width=width) for width in (320, 160)]
    widths = [answer.result.output_image.width for answer in service.ResizeImageStream(iter(requested), timeout=60)]
    assert widths == [320, 160], widths


def grpcurl():
    command = ["grpcurl", "-plaintext", "-import-path", FOLDER, "-proto", "imageflow.proto", ADDRESS]
    done = subprocess.run([*command, "imageflow.v1.ResizeService/Health"], capture_output=True, text=True, timeout=60)
    assert "SERVING" in done.stdout, done.stderr


attempt(CLIENT, "a unary call", unary)
attempt(CLIENT, "a bidirectional stream", stream)
attempt("grpcurl", "a call with the file at /proto", grpcurl)
