#!/usr/bin/env python3
"""A client that openapi-python-client generates from /openapi.json."""

import base64
import io
import os
import subprocess
import sys

import requests
from matrix import attempt, image
from openapi_spec_validator import validate

GATEWAY = os.environ["GATEWAY_URL"]
CLIENT = "openapi-python-client"
EXECUTION = "openapi-python/one"
FOLDER = os.environ["TMPDIR"]


def generate():
    description = requests.get(f"{GATEWAY}/openapi.json", timeout=30)
    validate(description.json())
    file = os.path.join(FOLDER, "openapi.json")
    with open(file, "wb") as written:
        written.write(description.content)
    config = os.path.join(FOLDER, "config.yaml")
    with open(config, "w") as written:
        written.write("content_type_overrides: {image/*: application/octet-stream}\n")  # it knows no other binary type
    command = ["openapi-python-client", "generate", "--path", file, "--output-path", f"{FOLDER}/generated", "--meta", "none"]
    done = subprocess.run([*command, "--config", config, "--fail-on-warning"], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    sys.path.insert(0, FOLDER)


if not attempt(CLIENT, "the description is valid, and a client is generated without warnings", generate):
    sys.exit(0)

from generated import Client  # noqa: E402
from generated.api.ai_detection_service import ai_detection_service_detect_objects  # noqa: E402
from generated.api.execution_service import execution_service_get_execution, execution_service_list_executions  # noqa: E402
from generated.api.filter_service import filter_service_apply_filter  # noqa: E402
from generated.api.model_service import model_service_get_model, model_service_list_models  # noqa: E402
from generated.api.resize_service import resize_service_resize_image  # noqa: E402
from generated.models import (  # noqa: E402
    DetectionForm,
    Encoding,
    FilterRequest,
    FilterType,
    ImageData,
    ProcessingStatus,
    ResizeForm,
    ResizeRequest,
    Status,
)
from generated.types import File  # noqa: E402

client = Client(GATEWAY, headers={"Accept": "application/json"})  # without it, forms are answered with the image
encoded = base64.b64encode(image()).decode()


def file():
    return File(io.BytesIO(image()), "image.jpg", "image/jpeg")


def resize():
    body = ResizeRequest(
        input_bytes=encoded, target_width=320, execution_id=EXECUTION, output_image=ImageData(bucket=os.environ["BUCKET"])
    )
    answer = resize_service_resize_image.sync(client=client, body=body)
    assert answer.result.output_image.width == 320, answer
    assert answer.result.output_image.object_key == f"{EXECUTION}_resize.jpg", answer


def form():
    body = ResizeForm(image=file(), target_width=320, enlarge=True, encoding=Encoding(quality=70))
    answer = resize_service_resize_image.sync(client=client, body=body)
    assert base64.b64decode(answer.result.output_data)[:2] == b"\xff\xd8", answer


def form_without_accept():
    try:
        resize_service_resize_image.sync(client=Client(GATEWAY), body=ResizeForm(image=file(), target_width=320))
    except UnicodeDecodeError:
        return "the answer is the image"
    raise AssertionError("the answer is JSON")


def detect():
    answer = ai_detection_service_detect_objects.sync(client=client, body=DetectionForm(image=file(), classes=["0", "1"]))
    assert answer.metadata.model_name == "yolo", answer


def apply_filter():
    body = FilterRequest(input_bytes=encoded, filter_type=FilterType.FILTER_TYPE_BLUR, intensity=1.0)
    answer = filter_service_apply_filter.sync(client=client, body=body)
    assert answer.result.status is ProcessingStatus.PROCESSING_STATUS_COMPLETED, answer


def executions():
    answer = execution_service_get_execution.sync(EXECUTION, client=client)
    assert [step.name for step in answer.steps] == ["resize"], answer
    listed = execution_service_list_executions.sync(client=client, prefix="openapi-python/")
    assert isinstance(listed.executions, list), listed


def models():
    names = [model.name for model in model_service_list_models.sync(client=client).models]
    assert model_service_get_model.sync(names[0], client=client).model.name == names[0]


def error():
    answer = resize_service_resize_image.sync_detailed(client=client, body=ResizeRequest(input_bytes=encoded, target_width=-1))
    assert answer.status_code == 400 and isinstance(answer.parsed, Status), answer
    violation = answer.parsed.details[0].additional_properties["field_violations"][0]
    assert violation["field"] == "target_width", answer


attempt(CLIENT, "resize", resize)
attempt(CLIENT, "resize, a form", form)
attempt(CLIENT, "resize, a form without Accept: application/json", form_without_accept)
attempt(CLIENT, "detect, a form", detect)
attempt(CLIENT, "filter", apply_filter)
attempt(CLIENT, "executions", executions)
attempt(CLIENT, "models", models)
attempt(CLIENT, "an error names the field", error)
