#!/usr/bin/env bash
# corpus.sh FOLDER...: sends every image file below the folders through resize, detect and
# filter, and compares the answers with Pillow and libvips.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# != 0 ] || { echo 'usage: make corpus DIR="FOLDER ..."' >&2; exit 2; }
home=$CACHE/corpus-2
if [ ! -f "$home/stamp" ]; then
	echo "fetching Pillow, its plugins and pyvips for Python (once) ..."
	rm -rf "$home"
	python3 -m venv "$home"
	"$home/bin/pip" install --quiet --disable-pip-version-check numpy==2.2.6 pillow==12.0.0 pyvips==3.0.0 \
		pillow-heif==1.8.1 pillow-jxl-plugin==1.3.8
	"$home/bin/python" -c 'import numpy, pyvips, PIL'
	"$home/bin/python" -c 'import pillow_heif, pillow_jxl'
	touch "$home/stamp"
fi
bin/corpus -python "$home/bin/python" "$@"
