#!/usr/bin/env bash
# trace.sh sends the trace of an upload to a real Jaeger, reads it back from Jaeger, and
# draws it in internal/telemetry/trace.svg. Jaeger is built once.
set -euo pipefail
cd "$(dirname "$0")/.."
jaeger=$(hack/gotool.sh github.com/jaegertracing/jaeger/cmd/jaeger v1.76.0)
go -C test test ./scenario -count=1 -v -races=false -run TestJaegerShowsOneTrace -jaeger "$jaeger" \
	-waterfall "$PWD/internal/telemetry/trace.svg"
