#!/usr/bin/env bash
# test.sh runs lint, govulncheck and every test that this machine can run, and lists the
# tests that it did not run.
set -euo pipefail
cd "$(dirname "$0")/.."

hack/lint.sh
hack/vulncheck.sh
PROMETHEUS_HOME=$(hack/prometheus.sh) || echo "not run: tests of alerts and dashboard, because Prometheus cannot be fetched"
export PROMETHEUS_HOME

go build -o .cache/testreport ./hack/testreport
{
	go test -json -race -timeout 20m -coverpkg=./functions/...,./internal/... -coverprofile=coverage.out ./...
	# These tests measure memory and CPU time, which the race detector changes, or compare large images
	# with formulas, for which it takes minutes.
	go test -json -run 'TestFootprintHolds|TestBombsCostNothing|TestPlanarFilters_equal|TestPlanarBlur' ./internal/imaging
	# Go's cache of test results ignores files outside the module, such as config/.
	go -C test test -json -race -timeout 20m -count=1 ./...
	go -C test/argo test -json -count=1 ./...
	go -C cmd/kn-imageflow test -json -timeout 10m ./...
	go -C test/kncli test -json ./...
} | .cache/testreport
echo "not run, because they need more than this machine: a cluster (make e2e), Triton's own server (make triton-test), a GPU, a real Jaeger (make trace)"
go tool cover -func=coverage.out | awk '/^total:/ {print "coverage of functions/ and internal/: " $3}'
