#!/usr/bin/env bash
# peers.sh: prints which formats ImageFlow, imagor and sharp read and write, by trying them.
# Needs Node and npm, and for the files a libvips that writes HEIC, JPEG XL and JPEG 2000.
set -euo pipefail
cd "$(dirname "$0")/.."
home=$CACHE/peers-1
if [ ! -f "$home/stamp" ]; then
	echo "fetching sharp, and Pillow and pyvips for Python (once) ..." >&2
	rm -rf "$home"
	python3 -m venv "$home"
	"$home/bin/pip" install --quiet --disable-pip-version-check numpy==2.2.6 pillow==12.0.0 pyvips==3.0.0
	npm install --silent --prefix "$home" sharp@0.35.5
	touch "$home/stamp"
fi
files=$(mktemp -d)
trap 'rm -rf "$files"' EXIT
"$home/bin/python" test/bench/peers/files.py test/images/sample.jpg "$files"
cp internal/imaging/testdata/heif/10.* "$files"
go -C test/bench run -mod=mod ./peers "$files" "$home"
