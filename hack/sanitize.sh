#!/usr/bin/env bash
# sanitize.sh TIME builds internal/imaging with AddressSanitizer and UndefinedBehaviorSanitizer,
# runs its tests of hostile, damaged and odd files, and fuzzes the resize of planes for TIME.
set -euo pipefail
cd "$(dirname "$0")/../internal/imaging"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export CGO_CFLAGS="-g -O1 -fsanitize=undefined -fno-sanitize-recover=undefined" CGO_LDFLAGS=-fsanitize=undefined

for program in resample8 filters floats; do
	gcc -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined "testdata/$program.c" -o "$folder/$program" -lm
	"$folder/$program"
done

# Leaks are not detected, because libvips and GLib free nothing at exit. The quarantine is small,
# because the tests would count its freed memory as growth.
export ASAN_OPTIONS=detect_leaks=0:quarantine_size_mb=8
go test -asan -tags fuzz -c -fuzz . -o "$folder/imaging.test" .
"$folder/imaging.test" -test.short -test.timeout 30m -test.run 'Hostile|Bombs|Damage|Corrupt|Half|Odd|Quirks|Planes|Planar|Raster|ScaledTo|Resize|Rows|BMP|TIFF'
"$folder/imaging.test" -test.run '^$' -test.fuzz '^FuzzResizePlanes$' -test.fuzztime "$1" -test.fuzzcachedir "$folder/cache"
