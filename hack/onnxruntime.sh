#!/usr/bin/env bash
# onnxruntime.sh FOLDER [amd64|arm64]   installs libonnxruntime.so.1 for this machine, or for that architecture, in FOLDER
# onnxruntime.sh                        prints the version
# It fetches the package by pip or npm, whichever is installed, and checks its SHA-256.
set -euo pipefail

version=1.24.3
# The SHA-256 of the wheels for CPython 3.12 and of the npm package, which has both architectures.
wheel_x86_64=b354afce3333f2859c7e8706d84b6c552beac39233bcd3141ce7ab77b4cabb5d
wheel_aarch64=0a9847b870b6cb462652b547bc98c49e0efb67553410a082fde1918a38707452
npm=aa1bb5fa261ea68de05dd53efbba210cd7adf2d2850f4c3a201054c74cc78040

if [ $# = 0 ]; then
	echo $version
	exit
fi

case ${2:-$(uname -m)} in
amd64 | x86_64) machine=x86_64 ;;
arm64 | aarch64) machine=aarch64 ;;
*)
	echo "ONNX Runtime is not available for ${2:-$(uname -m)}" >&2
	exit 1
	;;
esac
download=$(mktemp -d)
trap 'rm -rf "$download"' EXIT

check() { # SHA256: verifies the only file in the download folder
	echo "$1  $(ls -d "$download"/*)" | sha256sum --check --quiet
}

with_pip() {
	local sum=wheel_$machine
	python3 -m pip download --quiet --no-deps --only-binary :all: --dest "$download" --python-version 3.12 \
		--platform "manylinux_2_28_$machine" onnxruntime==$version
	check "${!sum}"
	python3 -m zipfile -e "$download"/*.whl "$download/wheel"
	library=$download/wheel/onnxruntime/capi/libonnxruntime.so.$version
}

with_npm() {
	local architecture=x64
	[ "$machine" = aarch64 ] && architecture=arm64
	(cd "$download" && npm pack --silent onnxruntime-node@$version >/dev/null)
	check $npm
	tar xzf "$download"/*.tgz -C "$download"
	library=$download/package/bin/napi-v6/linux/$architecture/libonnxruntime.so.1
}

if python3 -m pip --version >/dev/null 2>&1; then
	with_pip
elif command -v npm >/dev/null; then
	with_npm
else
	echo "fetching ONNX Runtime needs pip or npm, such as Debian's package python3-pip" >&2
	exit 1
fi
install -D -m 644 "$library" "$1/libonnxruntime.so.1"
