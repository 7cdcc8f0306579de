#!/usr/bin/env bash
# deploy.sh deploys OVERLAY with the images of TAG to the cluster of kubectl's context.
# LOAD is a command that copies image archives to the nodes of a cluster without a
# registry.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ -n "${LOAD:-}" ]; then
	archives=()
	for name in $(hack/image.sh names); do archives+=("${IMAGES_DIR:-.cache/images}/$name.tar"); done
	$LOAD "${archives[@]}"
fi
kubectl patch configmap -n knative-serving config-features --patch-file config/cluster/config-features.yaml
for script in "$OVERLAY"/*.sh; do # what an overlay needs before its manifests
	if [ -x "$script" ]; then "$script"; fi
done
images=() # those of TAG in place of the overlay's
for image in $(kubectl kustomize "$OVERLAY" | grep -oE 'dev\.local/imageflow[a-z-]*:dev$' | sort -u); do
	images+=(--image "${image%:dev}=${image%:dev}:$TAG")
done
# The fields that tests and people have changed with kubectl become the overlay's again.
bin/kn-imageflow install "$OVERLAY" ${images[@]+"${images[@]}"} --force-conflicts
# Dead letters of an earlier deployment are no fault of this one.
bin/kn-imageflow doctor --wait 5m --skip dead-letters
