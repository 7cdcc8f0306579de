#!/usr/bin/env bash
# exporttest.sh IMAGES: detects objects in images in local mode, exports them, and reads the datasets with
# pycocotools and Ultralytics. PyTorch, which the latter needs, comes from Debian's packages; they are unpacked,
# not installed.
set -euo pipefail
cd "$(dirname "$0")/.."
home=$CACHE/exporttest-1
debian=$home/debian

if [ ! -f "$home/stamp" ]; then
	[ "$(python3 -c 'import sys; print(*sys.version_info[:2])')" = "3 11" ] ||
		{ echo "export-test needs Python 3.11, the one that Debian's python3-torch is built for" >&2; exit 1; }
	echo "fetching pycocotools, Ultralytics and PyTorch (once, 1 GB unpacked) ..."
	rm -rf "$home"
	mkdir -p "$debian" "$home/packages"
	python3 -m venv "$home/venv"
	pip=("$home/venv/bin/pip" install --quiet --disable-pip-version-check)
	"${pip[@]}" numpy==1.26.4 pycocotools==2.0.11 opencv-python-headless==4.11.0.86 pillow==12.0.0 matplotlib==3.10.0 \
		pyyaml requests psutil typing-extensions
	"${pip[@]}" --no-deps ultralytics==8.4.190
	(
		cd "$home/packages"
		names=$(apt-get install --simulate --no-install-recommends python3-torch | awk '/^Inst/ {print $2}')
		apt-get download --quiet ${names:-python3-torch} python3-torchvision >/dev/null 2>&1
		for package in *.deb; do dpkg-deb --extract "$package" "$debian"; done
	)
	rm -rf "$home/packages"
	touch "$home/stamp"
fi

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
bin/exporttest -images "$1" -out "$out"
lib=$debian/usr/lib
machine=$(uname -m)-linux-gnu
cat >"$home/venv/lib/python3.11/site-packages/debian.pth" <<<"$lib/python3/dist-packages" # after the packages of pip
LD_LIBRARY_PATH=$lib/$machine:$lib/$machine/blas:$lib/$machine/lapack:$lib:$debian/lib/$machine \
	YOLO_CONFIG_DIR=$home YOLO_OFFLINE=true "$home/venv/bin/python" test/exporttest/readers.py "$out"
