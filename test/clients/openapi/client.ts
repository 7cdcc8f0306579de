import { readFileSync } from 'node:fs';
import createClient from 'openapi-fetch';
import type { paths } from './api';
import { attempt } from './matrix.cjs';

const name = 'openapi-typescript and openapi-fetch';
const client = createClient<paths, 'application/json'>({
  baseUrl: process.env.GATEWAY_URL,
  headers: { Accept: 'application/json' },
});
const image = readFileSync(process.env.IMAGE!);
const input_bytes = image.toString('base64');
const execution_id = 'openapi-typescript/one';

function check(ok: boolean | undefined, answer: unknown): asserts ok {
  if (!ok) throw new Error(JSON.stringify(answer));
}

async function main() {
  await attempt(name, 'resize', async () => {
    const body = { input_bytes, target_width: 320, execution_id, output_image: { bucket: process.env.BUCKET } };
    const { data, error } = await client.POST('/v1/resize', { body });
    check(data?.result?.output_image?.width === 320, error ?? data);
  });
  await attempt(name, 'resize, a form', async () => {
    const { data, error } = await client.POST('/v1/resize', {
      body: { target_width: 320, image: '' }, // the type of a file is string, so the serializer adds it
      bodySerializer: (fields) => {
        const form = new FormData();
        form.set('target_width', String(fields?.target_width));
        form.set('image', new Blob([image]), 'image.jpg');
        return form;
      },
    });
    check(data?.result?.output_data !== '', error ?? data);
  });
  await attempt(name, 'detect', async () => {
    const { data, error } = await client.POST('/v1/detect', { body: { input_bytes, classes: ['0'] } });
    check(data?.metadata?.model_name === 'yolo', error ?? data);
  });
  await attempt(name, 'filter', async () => {
    const body = { input_bytes, filter_type: 'FILTER_TYPE_BLUR', intensity: 1 } as const;
    const { data, error } = await client.POST('/v1/filter', { body });
    check(data?.result?.status === 'PROCESSING_STATUS_COMPLETED', error ?? data);
  });
  await attempt(name, 'executions', async () => {
    const { data, error } = await client.GET('/v1/executions/{execution_id}', { params: { path: { execution_id } } });
    check(data?.steps?.length === 1, error ?? data);
    const listed = await client.GET('/v1/executions', { params: { query: { prefix: 'openapi-typescript/' } } });
    check(Array.isArray(listed.data?.executions), listed);
  });
  await attempt(name, 'models', async () => {
    const { data, error } = await client.GET('/v1/models');
    check(data?.models?.[0]?.name !== undefined, error ?? data);
  });
  await attempt(name, 'an error names the field', async () => {
    const { error, response } = await client.POST('/v1/resize', { body: { input_bytes, target_width: -1 } });
    check(response.status === 400 && error?.message?.includes('target_width'), error);
  });
}

main();
