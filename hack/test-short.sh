#!/usr/bin/env bash
# test-short.sh runs the tests of the root module that need no MinIO and take little
# time, without the race detector.
set -euo pipefail
cd "$(dirname "$0")/.."
go vet ./...
# Some tests wait for time-outs: more packages and tests than cores run at once.
go test -short -vet=off -p 4 -parallel 8 -timeout 5m ./...
echo "not run: tests that are slow or need MinIO or built commands (make test), lint (make lint)"
