#!/usr/bin/env python3
"""The CloudEvents SDK for Python: events to a step and to the broker, and the answers of a step."""

import json
import os
import uuid
from urllib.parse import quote

import boto3
import requests
from cloudevents.core.bindings import http
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from matrix import attempt, image

STEP = os.environ["RESIZE_URL"] + "/?target_width=150"
BUCKET = os.environ["BUCKET"]
KEY = 'cloudevents-python/日本語 "100%" é.jpg'
CREATED = "com.amazonaws.s3.ObjectCreated:Put"


def created(key=KEY, data=None, **extensions):
    """Returns the event that reports a new object."""
    record = {"s3": {"bucket": {"name": BUCKET}, "object": {"key": quote(key)}}}
    attributes = {"id": str(uuid.uuid4()), "source": "/clients/python", "type": CREATED, "specversion": "1.0", "subject": key}
    attributes |= {"datacontenttype": "application/json"} | extensions
    return CloudEvent(attributes=attributes, data=record if data is None else data)


def post(message, url=STEP):
    return requests.post(url, data=message.body, headers=message.headers, timeout=60)


def answer(response):
    """Returns the event in the answer of a step, and checks it."""
    assert response.status_code == 200, response.text
    event = http.from_binary_event(http.HTTPMessage(headers=dict(response.headers), body=response.content))
    assert event.get_type() == "dev.imageflow.resize.completed.v1", event.get_type()
    assert event.get_subject() == KEY.removesuffix(".jpg"), event.get_subject()
    assert event.get_extension("partitionkey") == event.get_subject(), event.get_extension("partitionkey")
    assert all(" " < c <= "~" for name in ("Ce-Subject", "Ce-Partitionkey", "Ce-Origin") for c in response.headers[name])
    assert event.get_data()["metadata"]["output_width"] == 150, event.get_data()
    return event


def put():
    s3 = boto3.client("s3", endpoint_url=os.environ["S3_URL"])
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=image(), ContentType="image/jpeg")


def binary():
    answer(post(http.to_binary_event(created())))


def structured():
    answer(post(http.to_structured_event(created())))


def base64_data():
    record = created().get_data()
    answer(post(http.to_structured_event(created(data=json.dumps(record).encode(), datacontenttype="application/octet-stream"))))


def next_step():
    response = post(http.to_binary_event(created()))
    first = answer(response)
    # The step has signed the data as text, so they are sent as they came.
    message = http.HTTPMessage(headers=http.to_binary_event(first).headers, body=response.content)
    second = post(message, os.environ["FILTER_URL"] + "/?filter_type=FILTER_TYPE_BLUR")
    assert second.status_code == 200, second.text
    assert second.headers["Ce-Causationid"] == first.get_id(), second.headers


def batch():
    event = json.loads(JSONFormat().write(created()))
    response = requests.post(STEP, json=[event], headers={"Content-Type": "application/cloudevents-batch+json"}, timeout=60)
    assert response.status_code == 415, f"{response.status_code} {response.text}"
    assert response.headers["Accept"] == "application/cloudevents+json", response.headers


def invalid():
    message = http.to_binary_event(created())
    headers = message.headers | {"ce-subject": "%C0%A0"}
    response = post(http.HTTPMessage(headers=headers, body=message.body))
    assert response.status_code == 400, f"{response.status_code} {response.text}"


def broker():
    for event in (http.to_binary_event(created()), http.to_structured_event(created())):
        response = post(event, os.environ["BROKER_URL"] + "/image-processing/default")
        assert response.status_code == 202, f"{response.status_code} {response.text}"


CLIENT = "CloudEvents for Python"
attempt(CLIENT, "an object with a key that is not ASCII", put)
attempt(CLIENT, "a binary event to a step; its answer, attributes decoded", binary)
attempt(CLIENT, "a structured event to a step", structured)
attempt(CLIENT, "a structured event with data_base64", base64_data)
attempt(CLIENT, "the answer of a step as the event of the next", next_step)
attempt(CLIENT, "a batch: 415 with what is accepted", batch)
attempt(CLIENT, "an overlong encoding in ce-subject: 400", invalid)
attempt(CLIENT, "binary and structured events to the broker", broker)
