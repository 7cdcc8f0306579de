#!/usr/bin/env bash
# bench.sh [CHECKOUT] runs the benchmarks of the packages, compares resizes with vips_thumbnail
# and imagor, and measures the whole chain on the local store and on MinIO, single
# calls, and the cost of telemetry. With another checkout, it only compares the resizes of both.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ $# != 0 ]; then
	exec go -C test/bench run -mod=mod . -base "$1"
fi
go test -run '^$' -bench . -benchmem ./functions/... ./internal/...
go -C test/bench run -mod=mod .
scenario() { go -C test test -run '^$' ./scenario -races=false "$@"; }
scenario -bench Chain -benchtime 50x
scenario -bench 'Overhead|Throughput' -benchtime 300x
scenario -bench Telemetry -benchtime 200x
