#!/usr/bin/env bash
# func.sh builds the command func of its last three releases from its Go modules (once, some minutes of CPU each) and runs the
# tests of the function with them. FUNC_RELEASES names the versions of the module knative.dev/func; v0.48 is Knative 1.21.
set -euo pipefail
cd "$(dirname "$0")/.."
releases=${FUNC_RELEASES:-v0.48.4 v0.49.2 v0.50.1}
folder=$CACHE/func
work=$(mktemp -d)
trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT

build() { # VERSION: go install refuses modules that replace others
	local source
	source=$(cd "$work" && go mod download -json "knative.dev/func@$1" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
	cp -r "$source" "$work/$1"
	chmod -R u+w "$work/$1"
	[ "$1" != v0.50.1 ] || served "$work/$1"
	(cd "$work/$1" && go build -mod=mod -ldflags "-s -w" -o "$folder/func-$1" ./cmd/func)
	rm -rf "${work:?}/$1"
}

served() { # FOLDER: v0.50.1 requires two module versions that module proxies may not serve
	(cd "$1" && go mod edit -replace github.com/awslabs/amazon-ecr-credential-helper/ecr-login=github.com/awslabs/amazon-ecr-credential-helper/ecr-login@v0.12.0)
	sed -i 's/, ecr.WithContext(ctx)//; s/ctx, cancel := context.WithTimeout(context.Background(), defaultECR/_, cancel := context.WithTimeout(context.Background(), defaultECR/' \
		"$1/pkg/k8s/keychains.go"
	# Where func's operator is not installed, this is what SyncFunctionCR does.
	cat >"$1/pkg/operator/sync.go" <<-'GO'
		package operator

		import "context"

		type RegistryCredentials struct{ Username, Password, Server string }

		type SyncConfig struct {
			FunctionName, Namespace, RepoURL, RepoBranch, RepoPath string
			RegistryCredentials                                    *RegistryCredentials
		}

		func SyncFunctionCR(context.Context, SyncConfig) error { return nil }
	GO
}

mkdir -p "$folder"
commands=()
for version in $releases; do
	[ -x "$folder/func-$version" ] || {
		echo "building func $version (once, some minutes) ..."
		build "$version"
	}
	commands+=("$folder/func-$version")
done
go -C test test ./function -count=1 -v -timeout 20m -run TestFunc_ -local "$PWD/bin/imageflow-local" -func "${commands[*]}"
