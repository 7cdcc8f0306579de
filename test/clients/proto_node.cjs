#!/usr/bin/env node
// Node's gRPC clients with the file at /proto, and by reflection.
const fs = require('node:fs');
const path = require('node:path');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');
const { GrpcReflection } = require('grpc-js-reflection-client');
const { attempt } = require('./matrix.cjs');

const name = 'Node @grpc/grpc-js';
const address = process.env.RESIZE_URL.replace('http://', '');
const credentials = grpc.credentials.createInsecure();
const image = fs.readFileSync(process.env.IMAGE);
const file = path.join(process.env.TMPDIR, 'imageflow.proto');

// unary calls a method and returns its answer.
function unary(client, method, request) {
  return new Promise((resolve, reject) => client[method](request, (error, answer) => (error ? reject(error) : resolve(answer))));
}

// stream sends requests and returns the answers.
function stream(client, requests) {
  return new Promise((resolve, reject) => {
    const answers = [];
    const call = client.resizeImageStream();
    call.on('data', (answer) => answers.push(answer));
    call.on('error', reject);
    call.on('end', () => resolve(answers));
    requests.forEach((request) => call.write(request));
    call.end();
  });
}

function equal(got, want) {
  if (got !== want) throw new Error(`got ${got}, want ${want}`);
}

async function main() {
  let client;
  await attempt(name, 'proto-loader reads the file at /proto', async () => {
    fs.writeFileSync(file, await (await fetch(process.env.GATEWAY_URL + '/proto')).text());
    const { imageflow } = grpc.loadPackageDefinition(loader.loadSync(file, { keepCase: true }));
    client = new imageflow.v1.ResizeService(address, credentials);
  });
  await attempt(name, 'a unary call', async () => {
    const answer = await unary(client, 'resizeImage', { input_bytes: image, target_width: 320 });
    equal(answer.result.output_image.width, 320);
  });
  await attempt(name, 'a bidirectional stream', async () => {
    const answers = await stream(client, [320, 160].map((target_width) => ({ input_bytes: image, target_width })));
    equal(answers.map((answer) => answer.result.output_image.width).join(), '320,160');
  });
  await attempt('grpc-js-reflection-client', 'a unary call by reflection', async () => {
    const descriptor = await new GrpcReflection(address, credentials).getDescriptorBySymbol('imageflow.v1.ResizeService');
    const { imageflow } = descriptor.getPackageObject({ keepCase: true });
    const reflected = new imageflow.v1.ResizeService(address, credentials);
    const answer = await unary(reflected, 'resizeImage', { input_bytes: image, target_width: 320 });
    equal(answer.result.output_image.width, 320);
  });
}

main();
