#!/usr/bin/env bash
# backfill.sh IMAGES: runs a backfill of IMAGES small images that is killed and resumed on a
# real MinIO, and measures live uploads in local mode beside a backfill.
set -euo pipefail
cd "$(dirname "$0")/.."
go -C test test ./scenario -count=1 -v -timeout 8h -races=false -backfill.images "$1" \
	-run '^TestBackfillOverKills$' -bench '^BenchmarkLiveBesideBackfill$' -benchtime 1x
