#!/usr/bin/env bash
# make.sh: makes the files of this folder again, from a photo, with the tools of libheif (heif-enc,
# heif-convert) and libavif (avifenc, avifdec), which Debian has in libheif-examples and libavif-bin,
# and vips of libvips-tools. NAME.png is what the decoder of the same library makes of NAME.
set -euo pipefail
cd "$(dirname "$0")"
rm -f -- *.avif *.heic *.png colours/*
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

vips crop ../../../../test/images/sample.jpg "$work/rgb.v" 600 520 128 96
vips copy "$work/rgb.v" "$work/rgb.png[strip]"
vips crop "$work/rgb.png" "$work/small.png[strip]" 10 20 64 48
vips extract_band "$work/rgb.png" "$work/alpha.v" 1
vips bandjoin "$work/rgb.v $work/alpha.v" "$work/rgba.v"
vips crop "$work/rgba.v" "$work/rgba.png[strip]" 10 20 64 48
vips linear "$work/rgba.png" "$work/deep.v" 257 0
vips cast "$work/deep.v" "$work/deep16.v" ushort
vips copy "$work/deep16.v" "$work/deep.png[strip]" --interpretation rgb16
vips icc_export "$work/small.png" "$work/p3.png" --output-profile p3

avif() { # NAME SOURCE OPTION ...: an AVIF and its decoded pixels
	avifenc -s 6 "${@:3}" "$work/$2.png" "$1.avif" >/dev/null
	avifdec -d 8 "$1.avif" "$1.avif.png" >/dev/null
}
heif() { # NAME SOURCE OPTION ...: a HEIC or an AVIF of libheif and its decoded pixels
	heif-enc "${@:3}" "$work/$2.png" -o "$1" >/dev/null
	heif-convert "$1" "$1.png" >/dev/null
}

avif 420 small -y 420
avif 422 small -y 422
avif 444 small -y 444
avif grey small -y 400
avif lossless small -l
avif limited-bt709 small -y 444 -r limited --cicp 1/13/1
avif 10 small -y 420 -d 10
avif 12 small -y 444 -d 12
avif alpha rgba -y 420
avif alpha-10 rgba -y 444 -d 10
avif multiplied rgba -y 444 -p
avif grid rgb -y 420 -g 2x1
avif rav1e small -y 420 -c rav1e
avif svt rgb -y 420 -c svt
avif p3 p3 -y 444
printf 'MM\0*\0\0\0\10\0\2\1\17\0\2\0\0\0\6\0\0\0\46\202\230\0\2\0\0\0\15\0\0\0\54\0\0\0\0Maker\0(c) 2026 Ann\0' >"$work/exif"
cat >"$work/xmp" <<-'END'
	<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
	<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:source>a camera</dc:source><dc:rights><rdf:Alt>
	<rdf:li xml:lang="x-default">© Ann</rdf:li></rdf:Alt></dc:rights></rdf:Description></rdf:RDF></x:xmpmeta>
END
avif metadata small -y 420 --exif "$work/exif" --xmp "$work/xmp"
avifenc -s 6 -y 444 "$work/small.png" "$work/small.png" frames.avif >/dev/null
avifdec -d 8 frames.avif frames.avif.png >/dev/null
heif libheif.avif small -q 80
heif p3.heic p3 -q 80
heif 8.heic small -q 80
heif 444.heic small -q 80 -p chroma=444
heif lossless.heic small -L -p chroma=444 --matrix_coefficients=0
heif alpha.heic rgba -q 80 -t 32
heif 10.heic deep --no-alpha -q 80 -b 10
heif alpha-12.heic deep -q 80 -b 12

# avifdec ignores the boxes that turn and crop an image, and libheif drops alpha with them. With
# limited range and BT.709, avifdec 0.11 is at 42 dB from the source, heif-convert at 48, and this
# package at 52.
for angle in 0 1 2 3; do
	avifenc -s 6 -l --irot $angle "$work/small.png" "turned-$angle.avif" >/dev/null
	avifenc -s 6 -l --irot $angle --imir 1 "$work/small.png" "turned-$angle-mirrored.avif" >/dev/null
done
avifenc -s 6 -l --imir 0 "$work/small.png" upside-down.avif >/dev/null
avifenc -s 6 -l --crop 4,6,40,30 "$work/small.png" cropped.avif >/dev/null
for name in turned-*.avif upside-down.avif cropped.avif limited-bt709.avif; do
	heif-convert "$name" "$name.png" >/dev/null
done

# colours/NAME-PRIMARIES-TRANSFER.* have colours by code points, and NAME.png their values without
# conversion. HDR is made of values up to 0.7, about 600 cd/m² in PQ.
mkdir -p colours
vips linear "$work/deep16.v" "$work/dark.v" "0.7 0.7 0.7 1" 0
vips extract_band "$work/dark.v" "$work/dark3.v" 0 --n 3
vips cast "$work/dark3.v" "$work/cast.v" ushort
vips copy "$work/cast.v" "$work/dark16.v" --interpretation rgb16
vips pngsave "$work/dark16.v" "$work/hdr.png" --profile p3
coded() { # SOURCE DEPTH RANGE PRIMARIES/TRANSFER/MATRIX
	local name=colours/$2-$3-${4//\//-}.avif
	avifenc -s 6 -l -d "$2" -y 444 -r "$3" --cicp "$4" --ignore-icc "$work/$1.png" "$name" >/dev/null
	avifdec -d 16 "$name" "$name.png" >/dev/null
}
for colours in 12/13/0 12/13/1 12/13/8 9/14/9 1/1/1 4/4/6 11/17/6 6/6/6 9/8/9; do
	coded small 8 full $colours
done
coded small 8 limited 12/13/1
coded small 10 full 1/8/6
coded hdr 10 full 9/16/9
coded hdr 10 limited 9/18/9
coded hdr 12 full 12/16/0

# heif-enc codes with the matrix 6 and writes no box of code points, so they replace the begin of an ICC profile.
hevc() { # SOURCE DEPTH PRIMARIES TRANSFER MATRIX
	local name=colours/$2-full-$3-$4-$5.heic
	heif-enc -q 95 -b "$2" -p chroma=444 "$work/$1.png" -o "$name" >/dev/null
	heif-convert "$name" "$name.png" >/dev/null
	LC_ALL=C sed -i "s/colrprof......./colrnclx$(printf '\\x00\\x%02x' "$3" "$4" "$5")\\x80/" "$name"
}
hevc p3 8 12 13 6
hevc hdr 10 9 16 6
