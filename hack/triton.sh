#!/usr/bin/env bash
# triton.sh runs the tests of inference on Triton's own server, and compares proto/inference
# with the protocol of Triton's client. pip fetches the server once.
set -euo pipefail
cd "$(dirname "$0")/.."
pytriton=0.7.0
tritonclient=2.73.0
onnxruntime=$(hack/onnxruntime.sh)
home=$CACHE/triton-$pytriton-$onnxruntime

fetch() {
	echo "fetching Triton's server (160 MB, once) ..."
	rm -rf "$home"
	python3 -m venv "$home/venv"
	"$home/venv/bin/pip" install --quiet --disable-pip-version-check \
		nvidia-pytriton==$pytriton tritonclient==$tritonclient onnxruntime=="$onnxruntime"
	local version server
	version=$("$home/venv/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
	server=packages/pytriton/tritonserver
	ln -s "venv/lib/python$version/site-packages" "$home/packages"
	ln -s $server/bin/tritonserver "$home/tritonserver"
	# The server finds the stub of its Python backend only beside the backend.
	mkdir -p "$home/backends/python"
	ln -s -t "$home/backends/python" ../../$server/backends/python/{libtriton_python.so,triton_python_backend_utils.py} \
		"../../$server/python_backend_stubs/$version/triton_python_backend_stub"
	touch "$home/stamp"
}

buf() { go tool -modfile=hack/tools/go.mod buf "$@"; }

[ -f "$home/stamp" ] || fetch
mkdir -p .cache
PYTHONPATH='' "$home/venv/bin/python" internal/testing/triton/protocol.py >.cache/triton.binpb
buf build --path proto/inference -o .cache/inference.binpb
buf breaking .cache/triton.binpb --against .cache/inference.binpb --config '{"version":"v2","breaking":{"use":
	["WIRE","FIELD_NO_DELETE","FIELD_SAME_NAME","FIELD_SAME_TYPE","PACKAGE_MESSAGE_NO_DELETE","PACKAGE_SERVICE_NO_DELETE","RPC_NO_DELETE"]}}'
echo "protocol: proto/inference agrees with Triton's client"
TRITON_HOME=$home go test -count 1 -run 'Triton|Backends' -bench Backends -benchtime 200x \
	./internal/inference ./functions/detect ./cmd/internal/role
