#!/usr/bin/env bash
# minio.sh FILE: builds the MinIO that tests run against, unless FILE already has the wanted version.
set -euo pipefail
version=v0.0.0-20260212201848-7aac2a2c5b7c
if ! go version -m "$1" 2>/dev/null | grep -q "github.com/minio/minio.*$version"; then
	echo "building MinIO for the tests (about ten minutes, once) ..."
	GOBIN=$(dirname "$1") go install github.com/minio/minio@$version
fi
