#!/usr/bin/env bash
# crash.sh IMAGES KILLS: sends IMAGES through a real MinIO while every part is killed
# KILLS times, and checks that nothing is lost, then or in other accidents.
set -euo pipefail
cd "$(dirname "$0")/.."
stories=(
	TestNothingIsLostOverKills
	TestLocalModeLosesNothing
	TestSweeperFindsUnannouncedUploads
	TestPoisonIsKeptAndReplayed
	TestHostileKeysDelayNobody
	TestSweeperSkipsHostileKeys
)
pattern=$(IFS='|' && echo "${stories[*]}")
go -C test test ./scenario -count=1 -v -timeout 30m -races=false -crash.images "$1" -crash.kills "$2" -run "^($pattern)\$"
