#!/usr/bin/env bash
# proto.sh generate   generates the Go code, the contract in one file and its OpenAPI description
# proto.sh check      lints the contract, checks that it is compatible with the published
#                     version, and fails if the generated code is stale
set -euo pipefail
cd "$(dirname "$0")/.."
served=internal/gateway # has the files that the gateway serves
buf() { go tool -modfile=hack/tools/go.mod buf "$@"; }

# The imported .proto files are copied from Go modules.
imports() {
	local folder=.cache/proto validate google
	[ -f $folder/google/api/http.proto ] && return
	validate=$(where github.com/bufbuild/protovalidate@v1.2.2)
	google=$(where github.com/grpc-ecosystem/grpc-gateway@v1.16.0)
	install -D -m 644 -t $folder/buf/validate "$validate/proto/protovalidate/buf/validate/validate.proto"
	install -D -m 644 -t $folder/google/api "$google"/third_party/googleapis/google/api/{annotations,http}.proto
}

where() {
	(cd / && go mod download -json "$1" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
}

# render generates all files into .cache/generated.
render() {
	rm -rf .cache/generated
	mkdir -p .cache/generated
	buf generate -o .cache/generated
}

# generate replaces the files only when all are made: building the tools takes minutes, and a build beside it needs the old ones.
generate() {
	local old
	render
	cp -r .cache/generated/. .
	for old in proto/imageflow/v1/*.go proto/inference/*.go; do
		[ -f ".cache/generated/$old" ] || rm "$old"
	done
}

check() {
	buf format --diff --exit-code proto
	buf lint
	buf build --path proto/imageflow -o .cache/contract.binpb
	buf breaking .cache/contract.binpb --against test/contract/imageflow.proto --config buf.yaml
	render
	if ! diff -r --exclude='*.proto' --exclude=openapi.yaml .cache/generated/proto proto ||
		! diff --from-file=$served .cache/generated/$served/*; then
		echo "the generated code is stale: run make proto" >&2
		exit 1
	fi
	echo "contract: lint, compatibility and generated code are correct"
}

imports
case $1 in
generate) generate ;;
check) check ;;
esac
