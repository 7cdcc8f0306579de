#!/usr/bin/env bash
# lint.sh [PACKAGE...]: lints the packages of the root module, or every package of the
# root and of test/. The modules test/argo and test/bench, whose dependencies differ,
# are left out.
set -euo pipefail
cd "$(dirname "$0")/.."
lint() { # FOLDER PACKAGE...
	go -C "$1" tool -modfile="$PWD/hack/tools/go.mod" golangci-lint run --allow-parallel-runners "${@:2}"
}

if [ $# != 0 ]; then
	lint . "$@"
	exit
fi
failed=0
lint . ./... || failed=1
lint test ./... || failed=1
exit $failed
