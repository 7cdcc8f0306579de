package filter

import (
	"math"

	"imageflow.dev/internal/imaging"
)

// brightness adds the intensity to every channel.
func brightness(p *imaging.Pixels, intensity float64, _ settings) {
	curve(p, func(v float64) float64 { return v + intensity })
}

// contrast spreads the channels around the pivot.
func contrast(p *imaging.Pixels, intensity float64, s settings) {
	pivot := s["pivot"]
	curve(p, func(v float64) float64 { return pivot + (v-pivot)*(1+intensity) })
}

// curve sends every channel but alpha, in [0, 1], through f.
func curve(p *imaging.Pixels, f func(float64) float64) {
	var table [256]byte
	for v := range table {
		table[v] = clamp(255 * f(float64(v)/255))
	}
	for i := 0; i < len(p.Pix); i += p.Channels {
		p.Pix[i], p.Pix[i+1], p.Pix[i+2] = table[p.Pix[i]], table[p.Pix[i+1]], table[p.Pix[i+2]]
	}
}

// fraction is the number of bits behind the point of the integer arithmetic
// below.
const fraction = 16

// saturation moves every pixel away from its own grey, or towards it.
func saturation(p *imaging.Pixels, intensity float64, _ settings) {
	factor := int64(math.Round((1 + intensity) * (1 << fraction)))
	for i := 0; i < len(p.Pix); i += p.Channels {
		y := luma(p.Pix[i:])
		for c := i; c < i+3; c++ {
			// y has fraction bits, so the product has twice as many.
			v := y<<fraction + (int64(p.Pix[c])<<fraction-y)*factor
			p.Pix[c] = clampFixed(v, 2*fraction)
		}
	}
}

// luma returns a pixel's luma by ITU-R BT.601 in [0, 255], with fraction bits.
func luma(pixel []byte) int64 {
	const r, g, b = 19595, 38470, 7471 // 0.299, 0.587, 0.114; they add up to 1
	return r*int64(pixel[0]) + g*int64(pixel[1]) + b*int64(pixel[2])
}

// clamp rounds to a byte.
func clamp(v float64) byte { return byte(max(0, min(255, v)) + 0.5) }

// clampFixed rounds a number with so many bits behind the point.
func clampFixed(v int64, bits int) byte {
	return byte(max(0, min(255, (v+1<<(bits-1))>>bits)))
}

// blur filters every colour with a Gaussian.
func blur(p *imaging.Pixels, _ float64, s settings) { p.Blur(s["sigma"]) }

// sharpen is unsharp masking of the luma.
func sharpen(p *imaging.Pixels, intensity float64, s settings) { p.Sharpen(s["sigma"], intensity) }
