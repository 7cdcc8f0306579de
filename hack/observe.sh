#!/usr/bin/env bash
# observe.sh runs a real Jaeger and a real Prometheus on the cluster of kubectl's context, and checks what they get of the
# deployment there. It builds their images and copies them to the nodes by LOAD, as deploy.sh does. It draws the trace of an
# upload in internal/telemetry/trace-cluster.svg.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
engine=(docker build)
docker info >/dev/null 2>&1 || engine=(buildah bud --isolation=chroot --pull=false)

image() { # NAME PROGRAM: builds dev.local/NAME:1, a Debian with this program
	mkdir "$work/$1"
	cp "$2" "$work/$1/$1"
	printf 'FROM debian:bookworm-slim\nCOPY %s /\nUSER 65532:65532\nENTRYPOINT ["/%s"]\n' "$1" "$1" >"$work/$1/Dockerfile"
	"${engine[@]}" --quiet -t "dev.local/$1:1" "$work/$1"
	if [ "${engine[0]}" = docker ]; then
		docker save -o "$work/$1.tar" "dev.local/$1:1"
	else
		buildah push --quiet "dev.local/$1:1" "docker-archive:$work/$1.tar:dev.local/$1:1"
	fi
	rm -r "${work:?}/$1"
}

image jaeger "$(hack/gotool.sh github.com/jaegertracing/jaeger/cmd/jaeger v1.76.0)"
# Debian's Prometheus does not discover pods.
image prometheus "$(hack/gotool.sh github.com/prometheus/prometheus/cmd/prometheus v0.316.0 -tags remove_all_sd,enable_kubernetes_sd)"
if [ -n "${LOAD:-}" ]; then $LOAD "$work/jaeger.tar" "$work/prometheus.tar"; fi
go -C test/podmonitor run . ../../config/monitoring/pods.yaml >"$work/prometheus.yaml"
go -C test test ./scenario -count=1 -v -timeout 30m -races=false -cluster -run TestObserved \
	-prometheus "$work/prometheus.yaml" -waterfall "$PWD/internal/telemetry/trace-cluster.svg"
