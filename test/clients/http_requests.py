#!/usr/bin/env python3
"""Python's requests and curl at the gateway."""

import os
import subprocess

import requests
from matrix import attempt, image

GATEWAY = os.environ["GATEWAY_URL"]


def upload():
    answer = requests.post(f"{GATEWAY}/v1/resize", files={"image": image()}, data={"target_width": 320}, timeout=30)
    assert answer.status_code == 200, answer.text
    assert answer.content[:2] == b"\xff\xd8", answer.content[:20]


def bad_value():
    answer = requests.post(f"{GATEWAY}/v1/resize", files={"image": image()}, data={"target_width": "x"}, timeout=30)
    assert answer.status_code == 400, answer.status_code
    assert "target_width" in answer.json()["message"], answer.text


def too_large():
    """requests reads the answer only after it has sent the whole body."""
    begin, part = b'{"input_bytes":"', b"A" * 1_000_000
    for send in (begin + part * 200, iter([begin] + [part] * 200)):
        answer = requests.post(f"{GATEWAY}/v1/resize", data=send, headers={"Content-Type": "application/json"}, timeout=30)
        assert answer.status_code == 413, answer.text


def too_large_from_pipe():
    """curl waits a moment for 100 Continue, then sends."""
    command = ["curl", "-sS", "-X", "POST", "-H", "Content-Type: application/json", "-T", "-", "-o", os.devnull]
    command += ["-w", "%{http_code}", f"{GATEWAY}/v1/resize"]
    for _ in range(5):
        done = subprocess.run(command, input=b" " * 200_000_000, capture_output=True, timeout=60)
        assert done.stdout == b"413", done.stdout + done.stderr


attempt("Python requests", "a form with an image", upload)
attempt("Python requests", "a form with a bad value: 400 that names the field", bad_value)
attempt("Python requests", "200 MB, with and without Content-Length: 413", too_large)
attempt("curl", "200 MB from a pipe: 413", too_large_from_pipe)
