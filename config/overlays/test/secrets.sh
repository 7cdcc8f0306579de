#!/usr/bin/env bash
# Creates the secrets of a test cluster with random contents, unless they exist: the
# event signing key, a store user for each role, and the store's credentials and the
# bridge's token, in our namespace and in MinIO's.
set -euo pipefail

ours=image-processing
theirs=default # the namespace of minio.yaml

kubectl get namespace $ours >/dev/null 2>&1 || kubectl create namespace $ours
for policy in "$(dirname "$0")"/../../minio-policies/*.json; do
	role=$(basename "$policy" .json)
	case $role in setup | triton) continue ;; esac
	if ! kubectl get secret -n $ours minio-credentials-$role >/dev/null 2>&1; then
		kubectl create secret generic -n $ours minio-credentials-$role \
			--from-literal=access-key=imageflow-$role --from-literal=secret-key="$(openssl rand -hex 20)"
	fi
done
if ! kubectl get secret -n $ours event-signing-keys >/dev/null 2>&1; then
	kubectl create secret generic -n $ours event-signing-keys --from-literal=keys="$(openssl rand -hex 32)"
fi
if ! kubectl get secret -n $theirs minio-credentials bridge-token >/dev/null 2>&1 ||
	! kubectl get secret -n $ours minio-credentials bridge-token >/dev/null 2>&1; then
	secret=$(openssl rand -hex 20)
	token=$(openssl rand -hex 20)
	for namespace in $ours $theirs; do
		kubectl delete secret -n $namespace minio-credentials bridge-token --ignore-not-found
		kubectl create secret generic -n $namespace minio-credentials \
			--from-literal=access-key=imageflow --from-literal=secret-key="$secret"
		kubectl create secret generic -n $namespace bridge-token \
			--from-literal=token="$token" --from-literal=header="Bearer $token"
	done
	# A running MinIO still uses the old credentials.
	if kubectl get deployment -n $theirs minio >/dev/null 2>&1; then
		kubectl rollout restart -n $theirs deployment/minio
	fi
fi
