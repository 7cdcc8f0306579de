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
	token=$(kubectl get secret -n image-processing gateway-token -o go-template='{{.data.token | base64decode}}')
	hack/console-test.sh -console http://console.image-processing.svc.cluster.local -token "$token"
fi
