#!/usr/bin/env node
// The CloudEvents SDK for JavaScript: events to a step, and the answers of a step.
const assert = require("node:assert");
const fs = require("node:fs");
const { S3Client, PutObjectCommand } = require("@aws-sdk/client-s3");
const { CloudEvent, HTTP } = require("cloudevents");

const step = process.env.RESIZE_URL + "/?target_width=150";
const bucket = process.env.BUCKET;
const key = 'cloudevents-js/日本語 "100%" é.jpg';
const execution = key.replace(/\.jpg$/, "");

// created returns the event that reports a new object.
function created(more = {}) {
  const record = { s3: { bucket: { name: bucket }, object: { key: encodeURIComponent(key) } } };
  const type = "com.amazonaws.s3.ObjectCreated:Put";
  return new CloudEvent({ source: "/clients/js", type, datacontenttype: "application/json", data: record, ...more });
}

const post = (message, url = step) => fetch(url, { method: "POST", headers: message.headers, body: message.body });

// answer returns the event in the answer of a step, and checks it.
async function answer(response) {
  const body = await response.text();
  assert.equal(response.status, 200, body);
  const event = HTTP.toEvent({ headers: Object.fromEntries(response.headers), body });
  event.validate();
  assert.equal(event.type, "dev.imageflow.resize.completed.v1");
  // The SDK neither encodes nor decodes headers (3.1.3.2 of the HTTP binding).
  assert.equal(decodeURIComponent(event.subject), execution);
  assert.equal(decodeURIComponent(event.partitionkey), execution);
  assert.equal(event.data.metadata.output_width, 150);
  return event;
}

const operations = {
  "an object with a key that is not ASCII": async () => {
    const client = new S3Client({ endpoint: process.env.S3_URL, forcePathStyle: true, region: "us-east-1" });
    const Body = fs.readFileSync(process.env.IMAGE);
    await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body, ContentType: "image/jpeg" }));
  },
  "a binary event to a step, and its answer": async () => {
    await answer(await post(HTTP.binary(created({ subject: "ascii.jpg" }))));
    return "(the SDK does not decode ce-subject: decodeURIComponent does)";
  },
  "a binary event with a subject encoded by the caller": async () => {
    await answer(await post(HTTP.binary(created({ subject: encodeURIComponent(key) }))));
  },
  "a structured event with a subject that is not ASCII": async () => {
    await answer(await post(HTTP.structured(created({ subject: key }))));
  },
  "a structured event with data_base64": async () => {
    const record = JSON.stringify(created().data);
    const data_base64 = Buffer.from(record).toString("base64");
    await answer(await post(HTTP.structured(created({ data: undefined, data_base64 }))));
  },
  "a structured event with white space before data_base64": async () => {
    const { data, ...event } = JSON.parse(created().toString());
    const { specversion, datacontenttype, ...rest } = event;
    const data_base64 = Buffer.from(JSON.stringify(data)).toString("base64");
    const body = JSON.stringify({ specversion, data_base64, ...rest, datacontenttype }, null, 2);
    await answer(await post({ headers: { "content-type": "application/cloudevents+json; charset=utf-8" }, body }));
  },
  "the answer of a step as the event of the next": async () => {
    const response = await post(HTTP.binary(created()));
    const body = await response.clone().text(); // the step has signed the data as text
    const first = await answer(response);
    const message = { headers: HTTP.binary(first).headers, body };
    const second = await post(message, process.env.FILTER_URL + "/?filter_type=FILTER_TYPE_BLUR");
    assert.equal(second.status, 200, await second.text());
    assert.equal(second.headers.get("ce-causationid"), first.id);
  },
  "a batch: 415 with what is accepted": async () => {
    const headers = { "content-type": "application/cloudevents-batch+json" };
    const response = await post({ headers, body: JSON.stringify([created(), created()]) });
    assert.equal(response.status, 415);
    assert.equal(response.headers.get("accept"), "application/cloudevents+json");
  },
  "an event without a source: 400": async () => {
    const { "ce-source": _, ...headers } = HTTP.binary(created()).headers;
    const response = await post({ headers, body: JSON.stringify(created().data) });
    assert.equal(response.status, 400);
    assert.match((await response.json()).message, /source/);
  },
};

(async () => {
  for (const [operation, run] of Object.entries(operations)) {
    let outcome;
    try {
      const note = await run();
      outcome = note ? `ok ${note}` : "ok";
    } catch (error) {
      outcome = String(error.message).replace(/\s+/g, " ").slice(0, 300);
    }
    console.log(["CloudEvents for JavaScript", operation, outcome].join("\t"));
  }
})();
