#!/usr/bin/env bash
# fuzz.sh TIME: fuzzes the image parsers and decoders, TIME each.
set -euo pipefail
cd "$(dirname "$0")/.."
for target in FuzzParseHeader FuzzPixels FuzzResizePlanes FuzzKeep FuzzJXL; do
	go test -tags fuzz ./internal/imaging -run '^$' -fuzz "^$target\$" -fuzztime "$1"
done
