#!/usr/bin/env bash
# prometheus.sh prints the folder of prometheus and promtool. On the first run it fetches
# Debian's package and unpacks it without installing it, so that no service starts.
set -euo pipefail
home=${CACHE:-$HOME/.cache/imageflow}/prometheus
if [ ! -x "$home/usr/bin/promtool" ]; then
	echo "fetching Prometheus (19 MB, once) ..." >&2
	rm -rf "$home"
	mkdir -p "$home"
	cd "$home"
	apt-get download -q prometheus >&2 || {
		echo "Prometheus cannot be fetched; try apt-get update" >&2
		exit 1
	}
	dpkg -x prometheus_*.deb .
	rm prometheus_*.deb
fi
echo "$home/usr/bin"
