#!/usr/bin/env bash
# A client in TypeScript with the types that openapi-typescript generates from /openapi.json.
set -euo pipefail
folder=$(cd "$(dirname "$0")" && pwd)
cd "$TMPDIR"
curl -sSf -o openapi.json "$GATEWAY_URL/openapi.json"
openapi-typescript openapi.json -o api.d.ts >&2
cp "$folder/openapi/client.ts" "$folder/matrix.cjs" .
echo '{"type": "module"}' >package.json
ln -s "$NODE_PATH" node_modules
tsc --strict --allowJs --skipLibCheck --target es2022 --module esnext --moduleResolution bundler --types node --outDir out client.ts >&2
node out/client.js
