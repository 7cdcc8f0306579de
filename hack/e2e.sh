#!/usr/bin/env bash
# e2e.sh runs scenarios on the cluster of kubectl's context: those that need no system of
# their own, and those that need a cluster. It empties the buckets there. If the console is deployed, a browser uses it.
set -euo pipefail
cd "$(dirname "$0")/.."
scenarios=(
	TestUploadBecomesThreeOutputs
	TestNonImageFails
	TestErrorTable
	TestNineCallsByTheContract
	TestWorkflowBodiesChain
	TestBytesInBytesOut
	TestEventIsAnsweredByTheNext
	TestPipelines
	TestUploadReturnsImage
	TestForgeries
	TestRedactChain_hidesWhatDetectionFinds
	TestFocus
	TestSecondChainNeedsNoCode
	TestRenditions$
	TestOnCluster
)
pattern=$(IFS='|' && echo "${scenarios[*]}")
go -C test test ./scenario -count=1 -v -timeout 30m -races=false -cluster -run "^($pattern)"
if kubectl get -n image-processing service.serving.knative.dev console >/dev/null 2>&1; then
	secret() { kubectl get secret -n image-processing "$1" -o go-template="{{index .data \"$2\" | base64decode}}"; }
	MINIO_ACCESS_KEY=$(secret minio-credentials access-key) MINIO_SECRET_KEY=$(secret minio-credentials secret-key) \
		hack/console-test.sh -console http://console.image-processing.svc.cluster.local -token "$(secret gateway-token token)" \
		-store minio-service.default.svc.cluster.local:9000
fi
