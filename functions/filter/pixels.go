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
		table[v] = clamp(math.Round(255 * f(float64(v)/255)))
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

func clamp(v float64) byte { return byte(math.Max(0, math.Min(255, v))) }

// clampFixed rounds a number with so many bits behind the point.
func clampFixed(v int64, bits int) byte {
	return byte(max(0, min(255, (v+1<<(bits-1))>>bits)))
}

// sharpen adds to every channel how far its pixel's luma stands out from the
// luma around it.
func sharpen(p *imaging.Pixels, intensity float64, s settings) {
	y := make([]float32, p.Width*p.Height)
	for i := range y {
		y[i] = float32(luma(p.Pix[i*p.Channels:])) / (1 << fraction)
	}
	blurred := gaussian(y, p.Width, p.Height, s["sigma"])
	for i := range y {
		add := float64(y[i]-blurred[i]) * intensity
		pixel := p.Pix[i*p.Channels:]
		for c := range 3 {
			pixel[c] = clamp(math.Round(float64(pixel[c]) + add))
		}
	}
}

// gaussian filters a plane of width × height values; beyond its edges, the
// values at the edges go on. It filters rows, then columns.
func gaussian(plane []float32, width, height int, sigma float64) []float32 {
	kernel := gaussianKernel(sigma)
	rows, out := make([]float32, len(plane)), make([]float32, len(plane))
	reach := len(kernel) / 2
	padded := make([]float32, width+2*reach)
	for y := range height {
		row := plane[y*width : (y+1)*width]
		copy(padded[reach:], row)
		for i := range reach {
			padded[i], padded[reach+width+i] = row[0], row[width-1]
		}
		for x := range width {
			var sum float32
			for k, weight := range kernel {
				sum += weight * padded[x+k]
			}
			rows[y*width+x] = sum
		}
	}
	for y := range height {
		to := out[y*width : (y+1)*width]
		for k, weight := range kernel {
			from := min(height-1, max(0, y+k-reach))
			for x, v := range rows[from*width : (from+1)*width] {
				to[x] += weight * v
			}
		}
	}
	return out
}

// gaussianKernel returns the weights out to three standard deviations; they add
// up to 1.
func gaussianKernel(sigma float64) []float32 {
	reach := int(math.Ceil(3 * sigma))
	kernel := make([]float32, 2*reach+1)
	var sum float64
	for i := range kernel {
		d := float64(i-reach) / sigma
		kernel[i] = float32(math.Exp(-d * d / 2))
		sum += float64(kernel[i])
	}
	for i := range kernel {
		kernel[i] /= float32(sum)
	}
	return kernel
}
