# ultralytics.sh is sourced by scripts that need Ultralytics. PyTorch, which it needs, comes from Debian's packages; they
# are unpacked, not installed.

ultralytics_install() { # HOME PACKAGE...: makes HOME/venv with Ultralytics and these packages of pip, once
	local home=$1 pip=("$1/venv/bin/pip" install --quiet --disable-pip-version-check)
	[ ! -f "$home/stamp" ] || return 0
	[ "$(python3 -c 'import sys; print(*sys.version_info[:2])')" = "3 11" ] ||
		{ echo "this needs Python 3.11, the one that Debian's python3-torch is built for" >&2; exit 1; }
	echo "fetching Ultralytics, PyTorch, ${*:2} (once, 1 GB unpacked) ..."
	rm -rf "$home"
	mkdir -p "$home/debian" "$home/packages"
	python3 -m venv "$home/venv"
	"${pip[@]}" numpy==1.26.4 opencv-python-headless==4.11.0.86 pillow==12.0.0 matplotlib==3.10.0 \
		pyyaml requests psutil typing-extensions "${@:2}"
	"${pip[@]}" --no-deps ultralytics==8.4.190
	(
		cd "$home/packages"
		names=$(apt-get install --simulate --no-install-recommends python3-torch | awk '/^Inst/ {print $2}')
		apt-get download --quiet ${names:-python3-torch} python3-torchvision >/dev/null 2>&1
		for package in *.deb; do dpkg-deb --extract "$package" ../debian; done
	)
	rm -rf "$home/packages"
	echo "$home/debian/usr/lib/python3/dist-packages" >"$home/venv/lib/python3.11/site-packages/debian.pth" # after pip's
	touch "$home/stamp"
}

ultralytics_python() { # HOME ARGUMENT...: runs HOME/venv's Python
	local lib=$1/debian/usr/lib machine
	machine=$(uname -m)-linux-gnu
	LD_LIBRARY_PATH=$lib/$machine:$lib/$machine/blas:$lib/$machine/lapack:$lib:$1/debian/lib/$machine \
		YOLO_CONFIG_DIR=$1 YOLO_OFFLINE=true "$1/venv/bin/python" "${@:2}"
}
