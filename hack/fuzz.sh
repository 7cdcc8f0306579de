#!/usr/bin/env bash
# fuzz.sh TIME: fuzzes every target of internal/imaging, TIME each. A new input is not minimized for
# long, because the decoders in C take longer than the fuzzer finds them interesting.
set -euo pipefail
cd "$(dirname "$0")/.."
for target in $(go test -tags fuzz ./internal/imaging -list '^Fuzz' | grep '^Fuzz'); do
	go test -tags fuzz ./internal/imaging -run '^$' -fuzz "^$target\$" -fuzztime "$1" -fuzzminimizetime 1s
done
