#!/usr/bin/env bash
# heldout.sh scores the demo model on 300 held-out images, by the service's own code
# and by a Python reference.
set -euo pipefail
cd "$(dirname "$0")/.."
model=functions/detect/model
images=.cache/heldout
onnxruntime=$(hack/onnxruntime.sh)
home=$CACHE/heldout-$onnxruntime

if [ ! -f "$home/stamp" ]; then
	echo "fetching onnxruntime for Python (once) ..."
	rm -rf "$home"
	python3 -m venv "$home"
	"$home/bin/pip" install --quiet --disable-pip-version-check onnxruntime=="$onnxruntime" numpy==2.2.6 pillow==12.0.0
	touch "$home/stamp"
fi
if [ ! -f $images/heldout.json ] || [ -n "$(find $model -maxdepth 1 -name '*.py' -newer $images/heldout.json)" ]; then
	echo "rendering the held-out images ..."
	"$home/bin/python" $model/evaluate.py --render $images
fi
"$home/bin/python" $model/evaluate.py --images $images/heldout.json --out $images/reference.json >/dev/null
go test ./functions/detect -count=1 -v -run '^TestDemoModel_scoresOnHeldOutImages$' -heldout "$PWD/$images"
