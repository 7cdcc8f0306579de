#!/usr/bin/env bash
# exporttest.sh IMAGES: detects objects in images in local mode, exports them, and reads the datasets with
# pycocotools and Ultralytics.
set -euo pipefail
cd "$(dirname "$0")/.."
. hack/ultralytics.sh
home=$CACHE/exporttest-2
ultralytics_install "$home" pycocotools==2.0.11

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
bin/exporttest -images "$1" -out "$out"
ultralytics_python "$home" test/exporttest/readers.py "$out"
