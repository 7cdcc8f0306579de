#!/usr/bin/env bash
# make.sh: makes the files of this folder again, from a photo, with the tools of libheif (heif-enc,
# heif-convert) and libavif (avifenc, avifdec), which Debian has in libheif-examples and libavif-bin,
# and vips of libvips-tools. NAME.png is what the decoder of the same library makes of NAME.
set -euo pipefail
cd "$(dirname "$0")"
rm -f -- *.avif *.heic *.png
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
