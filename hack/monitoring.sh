#!/usr/bin/env bash
# monitoring.sh tests the alert rules with promtool, and the queries of the dashboard on
# a real Prometheus that scrapes local mode.
set -euo pipefail
cd "$(dirname "$0")/.."
PROMETHEUS_HOME=$(hack/prometheus.sh)
export PROMETHEUS_HOME
go -C test test -count=1 -v ./scenario -races=false -run TestDashboardShows
go -C test test -count=1 -v -run 'TestRules|TestEveryAlert|TestPodsAreMonitored' ./manifests
