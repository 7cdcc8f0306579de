#!/usr/bin/env bash
# test-short.sh runs the fast tests of the root module that need no MinIO, without the
# race detector.
set -euo pipefail
cd "$(dirname "$0")/.."
go vet ./...
# Parallel tests mostly wait for time-outs, so more of them than cores run at once.
go test -short -vet=off -parallel 8 -timeout 5m ./...
echo "not run: tests that are slow or need MinIO or built commands (make test), lint (make lint)"
