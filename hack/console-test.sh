#!/usr/bin/env bash
# console-test.sh [FLAG...]: uses the pages of the console in a real Chromium, as people do, and checks them with axe-core.
# The flags are those of `go test`.
set -euo pipefail
cd "$(dirname "$0")/.."
version=4.14.1
axe=$CACHE/axe-core-$version/node_modules/axe-core/axe.min.js
[ -f "$axe" ] || npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$CACHE/axe-core-$version" axe-core@$version
AXE=$axe go -C test test ./console -count=1 -timeout 20m -v "$@"
