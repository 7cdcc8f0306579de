#!/usr/bin/env bash
# release.sh writes the folder RELEASE_DIR and an archive of it, for machines without a registry: the image archives, what each
# contains (SPDX) and how it was built (SLSA), kn-imageflow for Linux and macOS, install.yaml with the manifests of OVERLAY,
# and SHA256SUMS. With PLATFORM (see image.sh), its name ends in the architecture of the images.
set -euo pipefail
cd "$(dirname "$0")/.."
name=imageflow-$TAG${PLATFORM:+-${PLATFORM##*/}}
folder=${RELEASE_DIR:-.cache/release}/$name
case "${IMAGE_FLAGS:-}" in
*_IMAGE=*@sha256:*) ;;
*) echo "note: IMAGE_FLAGS names no base image by digest (see Dockerfile), so the provenance has none" >&2 ;;
esac
rm -rf "$folder"
mkdir -p "$folder"
hack/manifests.sh >"$folder/install.yaml"
IMAGES_DIR=$folder hack/image.sh archive
go run ./hack/release -flags "${IMAGE_FLAGS:-}" "$folder"/*.tar
chmod 644 "$folder"/*
for platform in linux/amd64 linux/arm64 darwin/amd64 darwin/arm64; do
	GOOS=${platform%/*} GOARCH=${platform#*/} CGO_ENABLED=0 go -C cmd/kn-imageflow build -trimpath -buildvcs=false \
		-ldflags "-s -w -X imageflow.dev/cmd/internal/version.revision=$(git rev-parse HEAD)" -o "$(realpath "$folder")/kn-imageflow-${platform/\//-}"
done
(cd "$folder" && sha256sum -- * >../SHA256SUMS && mv ../SHA256SUMS .)
# The order, owners and times of the entries are fixed, so that equal contents make an equal archive.
tar -C "$folder/.." --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$(git log -1 --format=%ct)" -cf "$folder.tar" "$name"
echo "$folder.tar"
