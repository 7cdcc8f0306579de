#!/usr/bin/env bash
# reproducible.sh commands   builds the commands of the last commit twice, in different folders and the second time without
#                            Go's build cache, as the Dockerfile and, for kn-imageflow, release.sh build them, and compares
#                            their SHA-256
# reproducible.sh image      builds the image plain of the last commit twice without the engine's cache, the second time without
#                            Go's build cache, too, and compares Debian's packages, the Go modules, and the SHA-256 of /imageflow
#                            and of the libraries that the build made. ENGINE, PLATFORM and IMAGE_FLAGS are those of image.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
revision=$(git rev-parse HEAD)

commands() { # FOLDER: prints the SHA-256 of the commands that are built there
	mkdir -p "$1"
	git archive "$revision" | tar x -C "$1"
	local flags="-s -w -X imageflow.dev/cmd/internal/version.revision=$revision"
	(cd "$1" && go build -trimpath -ldflags "$flags" -o "$1/out/" ./cmd/...)
	CGO_ENABLED=0 go -C "$1/cmd/kn-imageflow" build -trimpath -buildvcs=false -ldflags "$flags" -o "$1/out/"
	(cd "$1/out" && sha256sum ./*)
}

image() { # FOLDER [FLAGS]: prints the SPDX document of the image built there, without the digest and the time of its archive
	git clone -q --shared . "$1"
	git -C "$1" checkout -q "$revision"
	(
		cd "$1"
		export TAG=reproducible IMAGE_TARGETS=plain IMAGES_DIR=$1 IMAGE_FLAGS="--no-cache ${IMAGE_FLAGS:-} ${2-}"
		hack/image.sh build >"$1.log" 2>&1 || { tail -n 40 "$1.log" && exit 1; }
		hack/image.sh archive
		go run ./hack/release imageflow.tar
	) >&2
	local digest
	digest=$(sha256sum <"$1/imageflow.tar" | cut -c -64)
	sed "/\"created\": /d; s/$digest/DIGEST/" "$1/imageflow.spdx.json"
	rm -r "$1"
}

case "${1-}" in
commands)
	commands "$work/first" >"$work/first.txt"
	GOCACHE=$work/cache commands "$work/second/in/another/folder" >"$work/second.txt"
	cat "$work/first.txt"
	;;
image)
	image "$work/first" >"$work/first.txt"
	image "$work/second" "--build-arg GOFLAGS=-a" >"$work/second.txt"
	echo "packages, modules and files: $(grep -c '"SPDXID": "SPDXRef-[dgf]' "$work/first.txt")"
	;;
*)
	echo "usage: reproducible.sh commands|image" >&2
	exit 2
	;;
esac
diff -U 9 "$work/first.txt" "$work/second.txt" || {
	echo "the second build differs" >&2
	exit 1
}
