#!/usr/bin/env node
// S3 clients for Node at local mode's S3 server: aws-sdk-js and minio-js.
const assert = require('node:assert');
const fs = require('node:fs');
const { S3Client, CreateBucketCommand, PutObjectCommand, GetObjectCommand, ListObjectsV2Command, paginateListObjectsV2 } = require('@aws-sdk/client-s3');
const minio = require('minio');
const { attempt } = require('./matrix.cjs');

const { S3_URL: endpoint, BUCKET: Bucket, AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = process.env;
const content = fs.readFileSync(process.env.IMAGE);
const keys = ['plain.jpg', 'with space/ü+é&=.jpg', 'new\nline.jpg'];

const sdk = new S3Client({ endpoint, forcePathStyle: true, region: 'us-east-1', credentials: { accessKeyId, secretAccessKey } });
const { hostname, port } = new URL(endpoint);
const js = new minio.Client({ endPoint: hostname, port: Number(port), useSSL: false, accessKey: accessKeyId, secretKey: secretAccessKey });

async function main() {
  await attempt('aws-sdk-js', 'CreateBucket on an own bucket', async () => {
    await assert.rejects(sdk.send(new CreateBucketCommand({ Bucket })), { name: 'BucketAlreadyOwnedByYou' });
  });
  await attempt('aws-sdk-js', 'put, get and list keys with spaces, signs, a newline', async () => {
    for (const key of keys) {
      await sdk.send(new PutObjectCommand({ Bucket, Key: 'sdk-js/' + key, Body: content }));
      const got = await sdk.send(new GetObjectCommand({ Bucket, Key: 'sdk-js/' + key }));
      assert.deepEqual(Buffer.from(await got.Body.transformToByteArray()), content);
    }
    const found = new Set();
    for await (const page of paginateListObjectsV2({ client: sdk, pageSize: 2 }, { Bucket, Prefix: 'sdk-js/', EncodingType: 'url' })) {
      assert.equal(page.EncodingType, 'url');
      (page.Contents ?? []).forEach((o) => found.add(decodeURIComponent(o.Key.replaceAll('+', ' '))));
    }
    keys.forEach((key) => assert(found.has('sdk-js/' + key), JSON.stringify([...found])));
  });
  await attempt('aws-sdk-js', 'a listing with another region', async () => {
    const other = new S3Client({ endpoint, forcePathStyle: true, region: 'eu-west-3', credentials: { accessKeyId, secretAccessKey } });
    const page = await other.send(new ListObjectsV2Command({ Bucket, Prefix: 'sdk-js/' + keys[0] }));
    assert.equal(page.Contents[0].Key, 'sdk-js/' + keys[0]);
  });
  await attempt('minio-js', 'makeBucket on an own bucket', async () => {
    await assert.rejects(js.makeBucket(Bucket), { code: 'BucketAlreadyOwnedByYou' });
  });
  await attempt('minio-js', 'put, get and list keys with spaces and signs', async () => {
    for (const key of keys.slice(0, 2)) {
      await js.putObject(Bucket, 'minio-js/' + key, content);
      const parts = [];
      for await (const part of await js.getObject(Bucket, 'minio-js/' + key)) parts.push(part);
      assert.deepEqual(Buffer.concat(parts), content);
    }
    const found = new Set();
    for await (const o of js.listObjectsV2(Bucket, 'minio-js/', true)) found.add(o.name);
    keys.slice(0, 2).forEach((key) => assert(found.has('minio-js/' + key), JSON.stringify([...found])));
  });
}

main();
