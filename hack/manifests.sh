#!/usr/bin/env bash
# manifests.sh prints the manifests of OVERLAY in one YAML document stream, with TAG in the names of images that are local to a
# cluster.
set -euo pipefail
cd "$(dirname "$0")/.."
kubectl kustomize "$OVERLAY" | sed -E "s#(dev.local/imageflow[a-z-]*):dev\$#\1:$TAG#"
