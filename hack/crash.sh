#!/usr/bin/env bash
# crash.sh IMAGES KILLS: sends IMAGES through a real MinIO while every part is killed
# KILLS times, and checks that nothing is lost in this and other accidents.
set -euo pipefail
cd "$(dirname "$0")/.."
scenarios=(
	TestNothingIsLostOverKills
	TestPipelineTriggerLosesNothingOverKills
	TestLocalModeLosesNothing
	TestSweeperFindsUnannouncedUploads
	TestBranchesLoseNothingOverKills
	TestSizesLoseNothingOverKills
	TestPoisonIsKeptAndReplayed
	TestHostileKeysDelayNobody
	TestSweeperSkipsHostileKeys
)
pattern=$(IFS='|' && echo "${scenarios[*]}")
go -C test test ./scenario -count=1 -v -timeout 60m -races=false -crash.images "$1" -crash.kills "$2" -run "^($pattern)\$"
