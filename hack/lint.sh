#!/usr/bin/env bash
# lint.sh [PACKAGE...]: lints the packages, or every package of the repository.
set -euo pipefail
cd "$(dirname "$0")/.."
go tool -modfile=hack/tools/go.mod golangci-lint run "${@:-./...}"
