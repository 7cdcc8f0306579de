#!/usr/bin/env bash
# soak.sh REQUESTS ROTATIONS: checks that memory stays bounded over REQUESTS mixed requests
# and that ROTATIONS parallel outputs are equal.
set -euo pipefail
cd "$(dirname "$0")/.."
go -C test test ./scenario -count=1 -v -races=false -timeout 2h -run TestSoak -soak "$1"
GODEBUG=gccheckmark=0 GOGC=10 go test ./internal/imaging -count=1 -v -timeout 30m -run TestConcurrentOutputsAreTheSame -images "$2"
