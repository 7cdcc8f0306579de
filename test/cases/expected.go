package main

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"net/http"
	"path"
	"strings"
)

// expectation is the right answer for files of a kind.
type expectation struct {
	pattern string // of path.Match
	verdict verdict
	// says is a part of the error for a refused file.
	says string
	// like names another file with the same image, or is the constant filtered.
	like string
	// opaque means that no pixel is transparent.
	opaque bool
	// stripes are the colours of vertical stripes of equal width, from left to right.
	stripes []color.NRGBA
}

// filtered means that a filter which changes nothing gives the same image.
const filtered = "the filter"

type verdict string

const (
	taken    verdict = "taken"
	repaired verdict = "taken, said to be repaired"
	refused  verdict = "refused"
	later    verdict = "later" // not supported yet, by plan
	unknown  verdict = "no expectation"
)

// expectations are tried in this order; the first that matches counts.
var expectations = []expectation{
	{pattern: "*.py", verdict: later},
	{pattern: "cmyk_profile.jpg", verdict: taken, stripes: []color.NRGBA{
		{0, 255, 255, 255}, {255, 0, 255, 255}, {255, 255, 0, 255}, {0, 0, 255, 255}, {142, 207, 242, 255}, {0, 0, 0, 255},
	}},
	{pattern: "cmyk*", verdict: taken, opaque: true},
	{pattern: "rgb-lut-profile*", verdict: taken, opaque: true},
	{pattern: "tiff-lab*", verdict: taken, like: filtered},
	{pattern: "tiff-ycbcr*", verdict: taken, like: "tiff-good.tif", opaque: true},
	{pattern: "tiff-extra-sample*", verdict: taken, opaque: true},
	{pattern: "tiff_rgb_extra*", verdict: taken, opaque: true},
	{pattern: "jpeg*half_scan*", verdict: refused, says: "truncated"},
	{pattern: "jpeg*truncated*", verdict: refused, says: "truncated"},
	{pattern: "jpeg*before_marker*", verdict: repaired},
	{pattern: "jpeg-junk-between*", verdict: repaired, like: "jpeg-good.jpg"},
	{pattern: "jpeg-no-eoi*", verdict: repaired, like: "jpeg-good.jpg"},
	{pattern: "jpeg-leading-newline.jpg", verdict: later},
	{pattern: "gif-*no-trailer*", verdict: repaired, like: "gif-good.gif"},
	{pattern: "gif-junk-before*", verdict: repaired, like: "gif-good.gif"},
	{pattern: "png-idat-bad-crc.png", verdict: refused},
	{pattern: "png-*-bad-crc.png", verdict: repaired, like: "png-good.png"},
	{pattern: "png-no-iend*", verdict: repaired, like: "png-good.png"},
	{pattern: "png-two-profiles*", verdict: repaired},
	{pattern: "png-cut*", verdict: refused},
	{pattern: "tiff-no-strip-byte*", verdict: repaired, like: "tiff-good.tif"},
	{pattern: "tiff-strip-byte-count-too-large*", verdict: repaired, like: "tiff-good.tif"},
	{pattern: "tiff-private-tag-outside*", verdict: repaired, like: "tiff-good.tif"},
	{pattern: "tiff-big*", verdict: taken, like: "tiff-good.tif"},
	{pattern: "tiff-float*", verdict: taken, opaque: true},
	{pattern: "tiff-uint32*", verdict: taken, like: "tiff-good.tif"},
	{pattern: "tiff-12bit*", verdict: taken, opaque: true},
	{pattern: "tiff-rgb-two-extra*", verdict: taken},
	{pattern: "tiff-cmyk-two-spots*", verdict: taken, opaque: true},
	{pattern: "webp-riff-size*", verdict: refused},
	{pattern: "*.avif", verdict: taken, opaque: true}, {pattern: "*.heic", verdict: taken, opaque: true},
	{pattern: "*.jxl", verdict: taken, opaque: true},
	{pattern: "*.bmp", verdict: taken},
	{pattern: "*.ico", verdict: refused, says: "ICO"}, {pattern: "*.jp2", verdict: refused, says: "JPEG 2000"},
	{pattern: "*.svg", verdict: refused, says: "SVG"}, {pattern: "*.ppm", verdict: refused, says: "PPM"},
	{pattern: "*.tga", verdict: refused}, {pattern: "*.qoi", verdict: refused, says: "QOI"},
	{pattern: "*animated*", verdict: taken}, {pattern: "f-apng*", verdict: taken}, // the first frame
	{pattern: "copyright*", verdict: taken},
	{pattern: "jpeg-good.jpg", verdict: taken}, {pattern: "png-good.png", verdict: taken, opaque: true},
	{pattern: "gif-good.gif", verdict: taken}, {pattern: "tiff-good.tif", verdict: taken, opaque: true},
	{pattern: "jpeg-*.jpg", verdict: taken, opaque: true},
	{pattern: "png-*.png", verdict: taken},
	{pattern: "gif-trailing-junk.gif", verdict: taken, like: "gif-good.gif"},
	{pattern: "tiff-*.tif", verdict: taken},
	{pattern: "*-good.*", verdict: taken},
}

func expectationOf(name string) expectation {
	for _, e := range expectations {
		if ok, _ := path.Match(e.pattern, name); ok {
			return e
		}
	}
	return expectation{verdict: unknown}
}

// String is one line.
func (e expectation) String() string {
	text := string(e.verdict)
	for what, is := range map[string]bool{"opaque": e.opaque, "these colours": e.stripes != nil} {
		if is {
			text += ", " + what
		}
	}
	if e.says != "" {
		text += fmt.Sprintf(", with %q", e.says)
	}
	if e.like != "" {
		text += ", as " + e.like
	}
	return text
}

// judge compares an answer with the expectation, and with the answer for the file that it is like.
func (e expectation) judge(got, like answer) string {
	switch {
	case e.verdict == unknown:
		return "?"
	case e.verdict == later:
		return "later"
	case e.verdict == refused &&
		(got.status != http.StatusBadRequest || !strings.Contains(strings.ToLower(got.message), strings.ToLower(e.says))):
		return "FAIL"
	case e.verdict == refused:
		return "ok"
	case got.image == nil, e.verdict == repaired && got.repaired == "":
		return "FAIL"
	case e.opaque && opacity(got.image) != "opaque":
		return "FAIL: transparent"
	}
	if e.like != "" {
		if db := psnr(got.image, like.image); db < 20 {
			return fmt.Sprintf("FAIL: %.1f dB", db)
		}
	}
	for i, want := range e.stripes {
		if is := stripe(got.image, i, len(e.stripes)); apart(is, want) > 8 {
			return fmt.Sprintf("FAIL: stripe %d is %v", i, is)
		}
	}
	return "ok"
}

// stripe returns the colour in the middle of a stripe.
func stripe(m image.Image, i, of int) color.NRGBA {
	b := m.Bounds()
	return color.NRGBAModel.Convert(m.At(b.Min.X+(2*i+1)*b.Dx()/(2*of), b.Min.Y+b.Dy()/2)).(color.NRGBA)
}

// apart returns the largest difference between two colours in any channel.
func apart(a, b color.NRGBA) float64 {
	d := func(a, b uint8) float64 { return math.Abs(float64(a) - float64(b)) }
	return max(d(a.R, b.R), d(a.G, b.G), d(a.B, b.B), d(a.A, b.A))
}

// psnr returns the PSNR in dB, sampled at the pixels of the smaller image.
func psnr(a, b image.Image) float64 {
	if a == nil || b == nil {
		return 0
	}
	const n = 24
	sum := 0.0
	for y := range n {
		for x := range n {
			p, q := at(a, x, y, n), at(b, x, y, n)
			for _, d := range []float64{float64(p.R) - float64(q.R), float64(p.G) - float64(q.G), float64(p.B) - float64(q.B)} {
				sum += d * d
			}
		}
	}
	return 10 * math.Log10(255*255/max(sum/(3*n*n), 1e-9))
}

func at(m image.Image, x, y, n int) color.NRGBA {
	b := m.Bounds()
	return color.NRGBAModel.Convert(m.At(b.Min.X+x*b.Dx()/n, b.Min.Y+y*b.Dy()/n)).(color.NRGBA)
}
