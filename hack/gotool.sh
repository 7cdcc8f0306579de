#!/usr/bin/env bash
# gotool.sh PACKAGE VERSION [FLAG...] prints the path of a command that go build with these flags made of its module, in CACHE. It is
# built as a tool of an empty module, since go install refuses modules that replace others.
set -euo pipefail
package=$1 version=$2
built=${CACHE:-$HOME/.cache/imageflow}/bin/$(basename "$package")-$version
if [ ! -x "$built" ]; then
	echo "building $package $version (up to 20 minutes, once) ..." >&2
	folder=$(mktemp -d)
	trap 'rm -rf "$folder"' EXIT
	cd "$folder"
	go mod init tool >&2
	go get -tool "$package@$version" >&2
	go build "${@:3}" -o "$built" "$package" >&2
fi
echo "$built"
