#!/usr/bin/env bash
# Changes what a test cluster has of Argo and of its ingress, as the scenarios of Argo need it: the right that
# Argo's controller lacks, its agent's settings, and port 8080. Elsewhere this is the work of the cluster's owner
# (config/README.md). What is not installed stays so.
set -euo pipefail
cd "$(dirname "$0")/../../cluster"
installed() { kubectl get "$@" >/dev/null 2>&1; } # KIND -n NAMESPACE NAME

if installed deployment -n argo workflow-controller; then
	kubectl apply -f argo-controller-role.yaml
	kubectl patch deployment -n argo workflow-controller --patch-file argo-controller.yaml
	kubectl rollout status deployment -n argo workflow-controller --timeout 3m
fi
if installed service -n traefik traefik-internal; then
	kubectl patch service -n traefik traefik-internal --patch-file gateway-8080-traefik.yaml
elif installed service -n kourier-system kourier-internal; then
	kubectl patch service -n kourier-system kourier-internal --patch '{"spec": {"ports": [{"name": "http-8080", "port": 8080, "targetPort": 8081}]}}'
fi
