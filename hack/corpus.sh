#!/usr/bin/env bash
# corpus.sh FOLDER...: sends every image file below the folders through resize, detect and
# filter, and compares the answers with Pillow and libvips.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# != 0 ] || { echo 'usage: make corpus DIR="FOLDER ..."' >&2; exit 2; }
home=$CACHE/corpus-1
if [ ! -f "$home/stamp" ]; then
	echo "fetching Pillow and pyvips for Python (once) ..."
	rm -rf "$home"
	python3 -m venv "$home"
	"$home/bin/pip" install --quiet --disable-pip-version-check numpy==2.2.6 pillow==12.0.0 pyvips==3.0.0
	"$home/bin/python" -c 'import numpy, pyvips, PIL'
	touch "$home/stamp"
fi
bin/corpus -python "$home/bin/python" "$@"
