# localmode.sh is sourced by scripts that send images to local mode. They set $work to a folder that they own.

# start_local ARGUMENT...: starts local mode with its data in $work/data, on free ports, and waits until it serves. It and
# $work end with the script.
start_local() {
	local part ports=()
	for part in s3 gateway resize detect filter bridge broker notify metrics; do
		ports+=("--$part-port" 0)
	done
	bin/imageflow-local --data "$work/data" "${ports[@]}" "$@" >"$work/out" 2>&1 &
	server=$!
	trap 'kill $server; wait $server || true; rm -rf "$work"' EXIT
	until grep -q '^  metrics' "$work/out"; do
		kill -0 $server || { cat "$work/out" >&2 && exit 1; }
		sleep 0.2
	done
}

# url PART prints the URL of a part of local mode.
url() { grep -m1 "^  $1 " "$work/out" | grep -o 'http://[0-9.:]*'; }
