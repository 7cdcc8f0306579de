#!/usr/bin/env bash
# setup.sh FOLDER [models|browser|clients] installs the missing requirements of the build: a C compiler, libvips, libdeflate,
# libtiff, libwebp, dav1d, libaom and libjxl from Debian's packages, and the library of ONNX Runtime into FOLDER.
# With "models" it installs npm, pip and venv, too, which fetch and convert the detectors for photographs.
# With "browser" it installs Chromium and npm for the tests of the console. With "clients" it installs npm, venv and rclone.
set -euo pipefail
hack=$(dirname "$0")
folder=$1

packages=()
command -v cc >/dev/null || packages+=(gcc libc6-dev)
pkg-config --exists vips libdeflate libtiff-4 libwebp libwebpdemux libwebpmux dav1d aom libjxl 2>/dev/null ||
	packages+=(libvips-dev libdeflate-dev libtiff-dev libwebp-dev libdav1d-dev libaom-dev libjxl-dev pkg-config)
if [ ! -f "$folder/libonnxruntime.so.1" ] && ! python3 -m pip --version >/dev/null 2>&1 && ! command -v npm >/dev/null; then
	packages+=(python3-pip) # fetches ONNX Runtime
fi
if [ "${2-}" = models ] || [ "${2-}" = clients ]; then
	command -v npm >/dev/null || packages+=(npm)
	python3 -c 'import ensurepip, pip' 2>/dev/null || packages+=(python3-venv python3-pip)
fi
if [ "${2-}" = browser ]; then
	command -v chromium >/dev/null || packages+=(chromium fonts-dejavu-core)
	command -v npm >/dev/null || packages+=(npm)
fi

if [ "${2-}" = clients ]; then
	command -v rclone >/dev/null || packages+=(rclone)
fi

if [ ${#packages[@]} != 0 ]; then
	install="apt-get install -y --no-install-recommends ${packages[*]}"
	command -v apt-get >/dev/null || {
		echo "missing: the equivalents of Debian's packages ${packages[*]} (libvips 8.14 or newer). Install them, then run this again" >&2
		exit 1
	}
	if [ "$(id -u)" = 0 ]; then
		sudo=
	elif sudo -n true 2>/dev/null; then
		sudo="sudo -n"
	else
		echo "installing ${packages[*]} needs root. Run:  sudo apt-get update && sudo $install" >&2
		exit 1
	fi
	echo "installing ${packages[*]} ..."
	log=$(mktemp)
	{ $sudo apt-get update -q && $sudo env DEBIAN_FRONTEND=noninteractive $install; } >"$log" 2>&1 || {
		tail -n 20 "$log" >&2
		exit 1
	}
	rm "$log"
fi

if [ ! -f "$folder/libonnxruntime.so.1" ]; then
	echo "fetching ONNX Runtime $("$hack/onnxruntime.sh") (once) ..."
	"$hack/onnxruntime.sh" "$folder"
fi
