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
# A Job cannot be changed, and one that waits for an image of another tag would stay for ever.
kubectl delete job -n image-processing minio-setup --ignore-not-found
hack/manifests.sh | kubectl apply -f -
bin/imageflow doctor --wait 5m
