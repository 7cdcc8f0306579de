#!/usr/bin/env bash
# e2e.sh runs on the cluster of kubectl's context the stories that need no system of
# their own, and those that only a cluster shows. It empties the buckets there.
set -euo pipefail
cd "$(dirname "$0")/.."
stories=(
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
	TestOnCluster
)
pattern=$(IFS='|' && echo "${stories[*]}")
go -C test test ./scenario -count=1 -v -timeout 30m -races=false -cluster -run "^($pattern)"
