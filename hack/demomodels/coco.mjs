// coco.mjs MODEL WASM FILE...: prints what npm's coco-ssd finds in images, one JSON list of
// [x1, y1, x2, y2, score, class] for each. The names of the files end in _WIDTHxHEIGHT.rgb, and the
// files have the pixels. WASM is the folder of the binaries of TensorFlow.js.
import fs from 'node:fs';
import tf from '@tensorflow/tfjs-core';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import coco from '@tensorflow-models/coco-ssd';

const [model, wasm, ...files] = process.argv.slice(2);
globalThis.fetch = async (url) => new Response(fs.readFileSync(new URL(url)));
setWasmPaths(wasm + '/');
await tf.setBackend('wasm');
const detector = await coco.load({ modelUrl: 'file://' + model + '/model.json' });
for (const file of files) {
  const [width, height] = file.match(/_(\d+)x(\d+)\.rgb$/).slice(1).map(Number);
  const pixels = tf.tensor(new Uint8Array(fs.readFileSync(file)), [height, width, 3], 'int32');
  const found = await detector.detect(pixels, 100);
  console.log(JSON.stringify(found.map(({ bbox: [x, y, w, h], score, class: name }) => [x, y, x + w, y + h, score, name])));
  pixels.dispose();
}
