#!/usr/bin/env bash
# e2e.sh runs scenarios on the cluster of kubectl's context: those that need no system of
# their own, and those that need a cluster. It empties the buckets there.
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
