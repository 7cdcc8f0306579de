#!/usr/bin/env bash
# stores-test.sh [SERVER ...] runs the tests of the store layer and TestStore on S3 servers, by default on all: minio, versitygw,
# seaweedfs and garage (needs cargo). It builds what is missing into $CACHE/stores (20 minutes of CPU, once), finds the settings
# that each server needs by `imageflow setup --check`, and prints a table.
set -euo pipefail
cd "$(dirname "$0")/.."
home=$CACHE/stores
mkdir -p "$home"
versitygw=v1.8.0
seaweedfs=v0.0.0-20261109003541-7506e5f91cd6
garage=2.5.0
export MINIO_ACCESS_KEY=GK31c2f218a2e44f485b94239e MINIO_SECRET_KEY=b892c0665f0ada8a4755dae98baa3b133590e11dae3bcc1f9d769d67f16c3835
data=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill $pid; wait; rm -rf "$data"' EXIT

port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# build_SERVER builds the file $1.
build_minio() { ln -sf "$MINIO_BINARY" "$1"; }
build_versitygw() {
	CGO_ENABLED=0 GOBIN=$home go install -ldflags=-s github.com/versity/versitygw/cmd/versitygw@$versitygw
	mv "$home/versitygw" "$1"
}
build_seaweedfs() { # has a replace directive, so it is built as the main module
	local module
	module=$(go mod download -json github.com/seaweedfs/seaweedfs@$seaweedfs | awk -F '"' '$2 == "Dir" {print $4}')
	CGO_ENABLED=0 go -C "$module" build -ldflags='-s -w' -o "$1" ./weed
}
build_garage() {
	CARGO_TARGET_DIR=$data/target CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --locked --debug garage --version $garage \
		--no-default-features --features bundled-libs,sqlite --root "$data"
	mv "$data/bin/garage" "$1"
}

# start_SERVER BINARY DATA ADDRESS replaces this process by the server.
start_minio() {
	MINIO_ROOT_USER=$MINIO_ACCESS_KEY MINIO_ROOT_PASSWORD=$MINIO_SECRET_KEY MINIO_BROWSER=off MINIO_UPDATE=off CI=true \
		MINIO_NOTIFY_WEBHOOK_ENABLE_IMAGEFLOW=on MINIO_NOTIFY_WEBHOOK_ENDPOINT_IMAGEFLOW=http://127.0.0.1:1/ \
		MINIO_NOTIFY_WEBHOOK_QUEUE_DIR_IMAGEFLOW="$2/queue" exec "$1" server "$2/data" --address "$3" --console-address 127.0.0.1:0 --quiet
}
start_versitygw() { ROOT_ACCESS_KEY=$MINIO_ACCESS_KEY ROOT_SECRET_KEY=$MINIO_SECRET_KEY exec "$1" --port "$3" --quiet posix "$2"; }
start_seaweedfs() {
	cat >"$2/s3.json" <<-END
		{"identities": [{"name": "test", "credentials": [{"accessKey": "$MINIO_ACCESS_KEY", "secretKey": "$MINIO_SECRET_KEY"}],
		 "actions": ["Admin", "Read", "Write", "List", "Tagging"]}]}
	END
	exec "$1" server -dir="$2" -ip=127.0.0.1 -ip.bind=127.0.0.1 -master.port="$(port)" -master.port.grpc="$(port)" -volume.port="$(port)" \
		-volume.port.grpc="$(port)" -filer.port="$(port)" -filer.port.grpc="$(port)" -s3 -s3.port="${3#*:}" -s3.port.grpc="$(port)" \
		-s3.config="$2/s3.json" -s3.allowBackslashInKey -s3.autoCreateBucket=false -master.volumeSizeLimitMB=64 -volume.max=50
}
start_garage() {
	cat >"$2/garage.toml" <<-END
		metadata_dir = "$2/meta"
		data_dir = "$2/data"
		db_engine = "sqlite"
		replication_factor = 1
		rpc_bind_addr = "127.0.0.1:$(port)"
		rpc_secret = "$(openssl rand -hex 32)"
		[s3_api]
		s3_region = "us-east-1"
		api_bind_addr = "$3"
	END
	(
		until "$1" -c "$2/garage.toml" key allow --create-bucket "$MINIO_ACCESS_KEY" >/dev/null 2>&1; do sleep 1; done
	) &
	GARAGE_DEFAULT_ACCESS_KEY=$MINIO_ACCESS_KEY GARAGE_DEFAULT_SECRET_KEY=$MINIO_SECRET_KEY \
		exec "$1" -c "$2/garage.toml" server --single-node --default-access-key
}

# find_settings prints the settings that the server at MINIO_ENDPOINT needs, as the server itself shows.
find_settings() {
	local settings=() out setting
	for step in "setup --wait 30s" "setup --check"; do
		until out=$(env "${settings[@]}" bin/imageflow $step 2>&1); do
			setting=$(grep -o 'STORE_[A-Z_]*=false' <<<"$out" | head -n 1) || { echo "$out" >&2; return 1; }
			settings+=("$setting")
		done
	done
	echo "${settings[*]}"
}

# failed prints the names of the failed tests of a log in the format of go test -json, or "all pass".
failed() {
	local names
	names=$(grep -h '"Action":"fail"' "$@" | grep -o '"Test":"[^"]*"' | cut -d '"' -f 4 | sort -u | paste -sd ' ')
	echo "${names:-all pass}"
}

table="| server | settings | tests of the store layer that fail | parts of TestStore that fail |
|---|---|---|---|"
servers=("$@")
[ $# != 0 ] || servers=(minio versitygw seaweedfs garage)
for server in "${servers[@]}"; do
	version=$(declare -p "$server" 2>/dev/null | cut -d '"' -f 2) || version=$(sed -n 's/^version=//p' hack/minio.sh)
	binary=$home/$server-$version
	[ -x "$binary" ] || { echo "building $server $version ..." && "build_$server" "$binary"; }
	mkdir "$data/$server" "$data/$server/data"
	export MINIO_ENDPOINT=127.0.0.1:$(port)
	("start_$server" "$binary" "$data/$server" "$MINIO_ENDPOINT") >"$data/$server.log" 2>&1 &
	pid=$!
	settings=$(find_settings) || { tail -n 20 "$data/$server.log" >&2; exit 1; }
	query=$(tr ' ' '&' <<<"$settings")
	export TEST_STORE="s3://$MINIO_ACCESS_KEY:$MINIO_SECRET_KEY@$MINIO_ENDPOINT?$query"
	echo "$server $version: ${settings:-nothing} needed; testing ..."
	[ $server != minio ] || TEST_STORE+="&metadata"
	go test -json -p 1 -count=1 -timeout 10m ./internal/objects ./internal/execution ./internal/index ./internal/bridge >"$data/layer" || true
	go -C test test -json -count=1 -races=false -timeout 10m -run '^TestStore$' ./scenario >"$data/path" || true
	table+="
| $server $version | ${settings:-none} | $(failed "$data/layer") | $(failed "$data/path") |"
	unset TEST_STORE
	kill $pid
	wait $pid || true
	pid=
done
echo "$table"
