#!/usr/bin/env bash
# models-test.sh PHOTOGRAPHS: exports models, and compares what local mode and the references find with them in images.
set -euo pipefail
cd "$(dirname "$0")/.."
. hack/ultralytics.sh
. hack/localmode.sh
home=$CACHE/models-test-1
ultralytics_install "$home" onnx==1.17.0 onnxruntime==1.24.3 onnxslim==0.1.98 scipy==1.15.3

# Exports take most of the time; the same scripts make the same ones.
exports=$home/exports/$(cat test/models/{exports,families,networks,rows}.py | sha256sum | cut -c1-16)
if [ ! -f "$exports/stamp" ]; then
	ultralytics_python "$home" test/models/exports.py "$exports" "$1" | grep ^exporting
	touch "$exports/stamp"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/models"
cp -r functions/detect/model/repository/. "$work/models"
MODEL_REPOSITORY_POLL=200ms start_local --models "$work/models"
"$home/venv/bin/python" test/models/compare.py "$exports" "$work/models" "$(url gateway)"
