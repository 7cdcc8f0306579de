#!/usr/bin/env bash
# lint.sh [PACKAGE...]: lints the packages of the root module, or every package of every
# module.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
lint() { # FOLDER PACKAGE...
	go -C "$1" tool -modfile="$root/hack/tools/go.mod" golangci-lint run --config "$root/.golangci.yml" \
		--allow-parallel-runners "${@:2}"
}

if [ $# != 0 ]; then
	lint . "$@"
	exit
fi
failed=0
modules=$(git ls-files '*go.mod' | grep -v /testdata/ | xargs dirname)
for module in $modules; do # some have many dependencies
	if ! go -C $module list -deps ./... >/dev/null 2>&1; then
		echo "not linted: $module, because its dependencies cannot be downloaded"
		continue
	fi
	lint $module ./... || failed=1
done
exit $failed
