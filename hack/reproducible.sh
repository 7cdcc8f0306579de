#!/usr/bin/env bash
# reproducible.sh builds the commands of the last commit twice, in different folders and the second time without Go's build
# cache, as the Dockerfile builds them, and compares their SHA-256.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
revision=$(git rev-parse HEAD)

build() { # FOLDER
	mkdir -p "$1"
	git archive "$revision" | tar x -C "$1"
	(cd "$1" && go build -trimpath -ldflags "-s -w -X imageflow.dev/cmd/internal/version.revision=$revision" -o "$1/out/" ./cmd/...)
	(cd "$1/out" && sha256sum ./*)
}

build "$work/first" >"$work/first.sums"
GOCACHE=$work/cache build "$work/second/in/another/folder" >"$work/second.sums"
cat "$work/first.sums"
diff "$work/first.sums" "$work/second.sums" || {
	echo "the second build differs" >&2
	exit 1
}
