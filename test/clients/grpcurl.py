#!/usr/bin/env python3
"""grpcurl, by reflection."""

import json
import os
import subprocess

from matrix import attempt

ADDRESS = os.environ["RESIZE_URL"].removeprefix("http://")


def grpcurl(*arguments, request=None):
    done = subprocess.run(["grpcurl", "-plaintext", *arguments], input=request, capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return done.stdout


def reflected():
    assert "imageflow.v1.ResizeService" in grpcurl(ADDRESS, "list")
    assert "target_width" in grpcurl(ADDRESS, "describe", "imageflow.v1.ResizeRequest")


def called():
    request = json.dumps({"input_image": {"bucket": os.environ["BUCKET"], "object_key": "none/none.jpg"}, "target_width": 80})
    try:
        grpcurl("-d", "@", ADDRESS, "imageflow.v1.ResizeService/ResizeImage", request=request)
    except RuntimeError as error:
        assert "NotFound" in str(error) and "input_image" in str(error), error
        return "NotFound, with the field"
    raise AssertionError("an image that does not exist was resized")


attempt("grpcurl", "list and describe by reflection", reflected)
attempt("grpcurl", "a call by reflection; the error names the field", called)
