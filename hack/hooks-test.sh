#!/usr/bin/env bash
# hooks-test.sh sends the webhooks of an upload in local mode to a receiver that verifies them with
# Standard Webhooks' own package for Python.
set -euo pipefail
cd "$(dirname "$0")/.."
version=1.1.0
home=$CACHE/hooks-test-$version
if [ ! -f "$home/stamp" ]; then
	rm -rf "$home"
	python3 -m venv "$home"
	"$home/bin/pip" install --quiet --disable-pip-version-check standardwebhooks==$version
	touch "$home/stamp"
fi
out=$(mktemp -d)
secret=whsec_$(openssl rand -base64 32)
coproc receiver { exec "$home/bin/python" test/hooks/receiver.py "$secret" 5; }
receiver_pid=$!
exec {lines}<&"${receiver[0]}"
read -r port <&$lines
old=whsec_$(openssl rand -base64 32) # of a rotation: each message has two signatures
ports=()
for part in s3 gateway resize detect filter bridge broker notify metrics; do
	ports+=("--$part-port" 0)
done
HOOK_URLS="shop=http://127.0.0.1:$port/shop progress=http://127.0.0.1:$port/progress" \
	HOOK_SECRETS="shop=$secret progress=$old,$secret" \
	bin/imageflow-local --data "$out" --image test/images/sample.jpg "${ports[@]}" \
	--eventing eventing,eventing/examples/webhooks >"$out/log" 2>&1 &
local_pid=$!
trap 'kill $local_pid $receiver_pid 2>/dev/null || true; wait; rm -rf "$out"' EXIT
cat <&$lines
wait $receiver_pid || { cat "$out/log"; exit 1; }
echo "5 messages verified by standardwebhooks $version for Python"
