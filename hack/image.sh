#!/usr/bin/env bash
# image.sh build     builds the images of IMAGE_TARGETS with ENGINE and prints their sizes
# image.sh archive   writes them as docker archives into IMAGES_DIR
# image.sh names     prints the names of the images
#
# PLATFORM, such as linux/arm64, is the images' platform in place of this machine's. Another architecture's programs run in
# the last stages of the build, so the kernel must know QEMU for it (binfmt_misc, as Debian's qemu-user-static with
# binfmt-support registers it). The names of the images do not have the platform.
#
# ENGINE is docker if its daemon answers, else buildah. The names of the images begin with
# dev.local/, which Knative does not look up in a registry. IMAGE_FLAGS is passed to the
# engine, for example to name the base images.
set -euo pipefail
cd "$(dirname "$0")/.."
TAG=${TAG:-$(git describe --tags --always --dirty)}
IMAGE_TARGETS=${IMAGE_TARGETS:-plain detect}
IMAGES_DIR=${IMAGES_DIR:-.cache/images}
if [ -z "${ENGINE:-}" ]; then
	ENGINE=buildah
	docker info >/dev/null 2>&1 && ENGINE=docker
fi

name() { # TARGET
	if [ "$1" = plain ]; then echo imageflow; else echo "imageflow-$1"; fi
}

build() {
	local command=(docker build) target image revision
	revision=$(git rev-parse HEAD)
	if [ "$ENGINE" = buildah ]; then
		command=(buildah bud --isolation=chroot --network=host --pull=false --layers)
		# Before 1.31, buildah does not set this itself.
		command+=(--build-arg "BUILDPLATFORM=$(buildah info --format '{{.host.os}}/{{.host.arch}}')")
	fi
	for target in $IMAGE_TARGETS; do
		image=dev.local/$(name "$target"):$TAG
		# IMAGE_FLAGS is split into words.
		# shellcheck disable=SC2086
		"${command[@]}" --target "$target" -t "$image" \
			--label org.opencontainers.image.version="$TAG" \
			--label org.opencontainers.image.revision="$revision" --build-arg REVISION="$revision" \
			${PLATFORM:+--platform "$PLATFORM"} ${GOPROXY:+--build-arg "GOPROXY=$GOPROXY"} ${IMAGE_FLAGS:-} .
	done
	for target in $IMAGE_TARGETS; do
		image=dev.local/$(name "$target"):$TAG
		echo "$image $($ENGINE images --format '{{.Size}}' "$image" | sed -n 1p)"
	done
}

archive() {
	mkdir -p "$IMAGES_DIR"
	local target image file
	for target in $IMAGE_TARGETS; do
		image=dev.local/$(name "$target"):$TAG
		file=$IMAGES_DIR/$(name "$target").tar
		rm -f "$file"
		if [ "$ENGINE" = docker ]; then
			docker save -o "$file" "$image"
		else
			buildah push --quiet "$image" "docker-archive:$file:$image"
		fi
		echo "$file"
	done
}

names() {
	for target in $IMAGE_TARGETS; do name "$target"; done
}

"$1"
