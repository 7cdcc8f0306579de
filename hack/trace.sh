#!/usr/bin/env bash
# trace.sh sends the trace of an upload to a real Jaeger, reads it back from Jaeger, and
# draws it in internal/telemetry/trace.svg. Jaeger is built once.
set -euo pipefail
cd "$(dirname "$0")/.."
version=v1.76.0
jaeger=$CACHE/bin/jaeger-$version

# Jaeger is built as a tool of an empty module, since go install refuses modules
# that replace others.
if [ ! -x "$jaeger" ]; then
	echo "building Jaeger (about 20 minutes, once) ..."
	folder=$(mktemp -d)
	trap 'rm -rf "$folder"' EXIT
	(
		cd "$folder"
		go mod init jaeger
		go get -tool github.com/jaegertracing/jaeger/cmd/jaeger@$version
		go build -o "$jaeger" github.com/jaegertracing/jaeger/cmd/jaeger
	)
fi
go -C test test ./scenario -count=1 -v -races=false -run TestJaegerShowsOneTrace -jaeger "$jaeger" \
	-waterfall "$PWD/internal/telemetry/trace.svg"
