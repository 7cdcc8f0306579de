#!/usr/bin/env python3
"""Python's requests at the gateway."""

import os

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


attempt("Python requests", "a form with an image", upload)
attempt("Python requests", "a form with a bad value: 400 that names the field", bad_value)
attempt("Python requests", "200 MB, with and without Content-Length: 413", too_large)
