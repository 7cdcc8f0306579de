#!/usr/bin/env bash
# demo-models-test.sh FOLDER compares the models of demo-models.sh in FOLDER, and those of two more packages, run by local
# mode, with the packages that they come from, run by their own code on the same images, and sends photographs through
# the chain that redacts faces.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$1
home=$CACHE/demo-models-test-2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
. hack/packages.sh
. hack/localmode.sh

prepare() {
	echo "fetching the code of the packages, and photographs (300 MB, once) ..." >&2
	rm -rf "$home"
	python3 -m venv "$home/venv"
	"$home/venv/bin/pip" install --quiet --disable-pip-version-check \
		numpy==2.2.6 pillow==12.0.0 opencv-python-headless==4.12.0.88 pycocotools==2.0.11 onnxruntime==1.23.2
	wheel ddddocr 1.6.1 c7c70f4ae2d0335440ae8b272eea48c9f6888ecef46785fe2311f0c97a133935
	wheel nudenet 3.4.2 5937dbd84e5d8e5de038f08ffea5a1bb50a08475776bf2b4795914ce0eaf0331
	"$home/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps "$work"/{ddddocr,nudenet}/*.whl
	npm install --silent --no-audit --no-fund --prefix "$home" @tensorflow-models/coco-ssd@2.2.3 \
		@tensorflow/tfjs-core@4.22.0 @tensorflow/tfjs-converter@4.22.0 @tensorflow/tfjs-backend-wasm@4.22.0 \
		@tensorflow/tfjs-backend-cpu@4.22.0
	mkdir "$home/pictures"
	npm_package face-api @vladmandic/face-api@1.7.15 0d77fffeef362ef9c0939cf6c567f3a2e8e177f114fa257a3270cbd2e509b031
	cp "$work"/face-api/package/demo/*.jpg "$home/pictures"
	wheel scikit-learn 1.9.1 e5d7b18a5b9dca241a74695f3275fa4c895a9dadc72b3d8df5fa9d1083c9b83e
	cp "$work"/scikit-learn/sklearn/datasets/images/*.jpg "$home/pictures"
	fetch face_recognition 5e5efdd1686aa566af0d3cc1313b131e4b197657a8ffd03669e6d3fad92705ec \
		python3 -m pip download --no-deps --no-binary :all: face_recognition==1.3.0
	tar xzf "$work"/face_recognition/*.tar.gz -C "$work/face_recognition" --strip-components 1
	cp "$work"/face_recognition/tests/test_images/*.jpg "$home/pictures"
	cp "$folder"/photographs/* "$home/pictures"
	touch "$home/stamp"
}

# add_model NAME FILE [PARAMETER=VALUE...]: adds a model once for each interpolation, as NAME-INTERPOLATION.
add_model() {
	local interpolation parameter
	for interpolation in antialiased bilinear bilinear_asymmetric; do
		mkdir -p "$work/models/$1-$interpolation/1"
		cp "$2" "$work/models/$1-$interpolation/1/model.onnx"
		for parameter in "${@:3}" "interpolation=$interpolation"; do
			printf 'parameters { key: "%s" value { string_value: "%s" } }\n' "${parameter%%=*}" "${parameter#*=}"
		done >"$work/models/$1-$interpolation/config.pbtxt"
	done
}

[ -f "$home/stamp" ] || prepare
mkdir "$work/models"
cp -r "$folder/models/." "$work/models"
add_model faces "$folder/models/faces/1/model.onnx"
add_model coco "$folder/models/coco/1/model.onnx"
add_model ddddocr "$home"/venv/lib/*/site-packages/ddddocr/common_det.onnx "names=['target']" layout=yolox
add_model nudenet "$home"/venv/lib/*/site-packages/nudenet/320n.onnx \
	resize=top-left padding=0 rectangular=false channel_order=bgr # cv2.COLOR_RGBA2BGR turns BGR into RGB, swapRB back
DEFAULT_MODEL=faces start_local --models "$work/models" --eventing eventing,eventing/examples
cp hack/demomodels/{coco.mjs,reference.py,score.py} "$home"
cd "$home"
venv/bin/python score.py "$folder" "$home/pictures" "$(url gateway)" "$(url objects)" "$work/data"
