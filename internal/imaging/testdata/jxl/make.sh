#!/usr/bin/env bash
# make.sh: makes the files of this folder again, from a photo, with cjxl and djxl of
# Debian's libjxl-tools, vips of libvips-tools and exiftool of libimage-exiftool-perl. NAME.png is what
# djxl makes of NAME.
set -euo pipefail
cd "$(dirname "$0")"
rm -f -- *.jxl *.png
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

vips crop ../../../../test/images/sample.jpg "$work/rgb.v" 600 520 128 96
vips crop ../../../../test/images/sample.jpg "$work/large.png[strip]" 300 260 600 280
vips copy "$work/rgb.v" "$work/rgb.png[strip]"
vips crop "$work/rgb.png" "$work/small.png[strip]" 10 20 61 47
vips extract_band "$work/rgb.png" "$work/alpha.v" 1
vips bandjoin "$work/rgb.v $work/alpha.v" "$work/rgba.v"
vips crop "$work/rgba.v" "$work/rgba.png[strip]" 10 20 64 48
vips linear "$work/small.png" "$work/deep.v" 257 0
vips cast "$work/deep.v" "$work/deep16.v" ushort
vips copy "$work/deep16.v" "$work/deep.png[strip]" --interpretation rgb16
vips linear "$work/small.png" "$work/float.pfm" 0.00392156862 0
sed -i "2{/^#/d}" "$work/float.pfm" # cjxl does not read comments
vips icc_export "$work/small.png" "$work/p3.png" --output-profile p3
vips colourspace "$work/small.png" "$work/grey.png" b-w
vips copy "$work/grey.png" "$work/grey.pgm"
vips copy "$work/small.png" "$work/small.jpg[strip,Q=90]"
cp "$work/small.jpg" "$work/metadata.jpg"
exiftool -q -overwrite_original -Artist="Ann Author" -XMP-dc:Rights="© Ann" "$work/metadata.jpg"
vips copy "$work/p3.png" "$work/p3.jpg[Q=90]"
vips text "$work/text.v" "many letters are repeated in this text as patches of an image" --width 600 --dpi 100
vips copy "$work/text.v" "$work/text.png[strip]"
{ # three frames of 2×2 pixels in red, green and blue
	printf 'GIF89a\2\0\2\0\x81\0\0\xff\0\0\0\xff\0\0\0\xff\0\0\0!\xff\x0bNETSCAPE2.0\3\1\0\0\0'
	for codes in '\x84Q' '\x8cS' '\x94U'; do
		printf '!\xf9\4\0\x0a\0\0\0,\0\0\0\0\2\0\2\0\0\2\2'"$codes"'\0'
	done
	printf ';'
} >"$work/frames.gif"

jxl() { # NAME SOURCE OPTION ...: a JPEG XL and its decoded pixels
	cjxl --quiet "${@:3}" "$work/$2" "$1.jxl" 2>/dev/null
	djxl --quiet --bits_per_sample="${bits:-0}" "$1.jxl" "$1.jxl.png" 2>/dev/null
}

jxl lossy small.png -d 1
jxl lossless small.png -d 0
jxl lossy-modular small.png -d 1 -m 1
jxl grey grey.png -d 1
jxl grey-lossless grey.png -d 0
jxl grey-linear grey.pgm -d 0 -x color_space=Gra_D65_Rel_Lin
jxl alpha rgba.png -d 1
jxl alpha-lossless rgba.png -d 0
jxl 16 deep.png -d 1
jxl 16-lossless deep.png -d 0
bits=16 jxl float float.pfm -d 1 -x color_space=RGB_D65_SRG_Rel_SRG
jxl p3 p3.png -d 1
jxl p3-lossless p3.png -d 0
jxl p3-jpeg p3.jpg -j 1
jxl jpeg small.jpg -j 1
jxl metadata metadata.jpg -j 1 # in boxes that are compressed
jxl progressive large.png -d 3 -p --progressive_dc=1
jxl squeezed large.png -d 4 -m 1
jxl centre large.png -d 4 --group_order=1
jxl patches text.png -d 1
jxl noise small.png -d 2 --photon_noise=ISO3200
jxl quarter large.png -d 25 # at half the size
jxl boxes small.png -d 2 --container=1
jxl frames frames.gif -d 0
djxl --quiet frames.jxl "$work/frames.png" 2>/dev/null
jxl small-groups large.png -d 5 -m 1 -g 0

for orientation in 1 2 3 4 5 6 7 8; do
	{
		printf '\xff\xd8\xff\xe1\0\x22Exif\0\0II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0'"\\$orientation"'\0\0\0\0\0\0\0'
		tail -c +3 "$work/small.jpg"
	} >"$work/turned.jpg"
	jxl "turned-$orientation" turned.jpg -j 1
done
