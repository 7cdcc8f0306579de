package filter

import (
	"context"
	"math"
	"slices"

	"imageflow.dev/internal/imaging"
)

// brightness adds the intensity to every channel.
func brightness(ctx context.Context, p *imaging.Pixels, intensity float64, _ settings) error {
	return curve(ctx, p, func(v float64) float64 { return v + intensity })
}

// contrast increases the distance of every channel from the pivot.
func contrast(ctx context.Context, p *imaging.Pixels, intensity float64, s settings) error {
	pivot := s["pivot"]
	return curve(ctx, p, func(v float64) float64 { return pivot + (v-pivot)*(1+intensity) })
}

// curve applies f, on values in [0, 1], to every channel except alpha.
func curve(ctx context.Context, p *imaging.Pixels, f func(float64) float64) error {
	var table [256]byte
	for v := range table {
		table[v] = clamp(255 * f(float64(v)/255))
	}
	return eachRow(ctx, p, func(row []byte) {
		for i := 0; i < len(row); i += p.Channels {
			row[i], row[i+1], row[i+2] = table[row[i]], table[row[i+1]], table[row[i+2]]
		}
	})
}

// eachRow calls change with every row, until the context ends. Its error is the context's.
func eachRow(ctx context.Context, p *imaging.Pixels, change func(row []byte)) error {
	for row := range slices.Chunk(p.Pix, p.Width*p.Channels) {
		if err := ctx.Err(); err != nil {
			return err
		}
		change(row)
	}
	return nil
}

// fraction is the number of fractional bits of the fixed-point arithmetic below.
const fraction = 16

// saturation moves every pixel away from its grey, or towards it.
func saturation(ctx context.Context, p *imaging.Pixels, intensity float64, _ settings) error {
	factor := int64(math.Round((1 + intensity) * (1 << fraction)))
	return eachRow(ctx, p, func(row []byte) {
		for i := 0; i < len(row); i += p.Channels {
			y := luma(row[i:])
			for c := i; c < i+3; c++ {
				// y has fraction bits, so the product has twice as many.
				v := y<<fraction + (int64(row[c])<<fraction-y)*factor
				row[c] = clampFixed(v, 2*fraction)
			}
		}
	})
}

// luma returns a pixel's luma by ITU-R BT.601 in [0, 255], with fraction fractional bits.
func luma(pixel []byte) int64 {
	const r, g, b = 19595, 38470, 7471 // 0.299, 0.587, 0.114; they add up to 1
	return r*int64(pixel[0]) + g*int64(pixel[1]) + b*int64(pixel[2])
}

// clamp limits v to [0, 255] and rounds it.
func clamp(v float64) byte { return byte(max(0, min(255, v)) + 0.5) }

// clampFixed rounds a fixed-point number with the given number of fractional bits.
func clampFixed(v int64, bits int) byte {
	return byte(max(0, min(255, (v+1<<(bits-1))>>bits)))
}

// blur applies a Gaussian to every channel.
func blur(ctx context.Context, p *imaging.Pixels, _ float64, s settings) error {
	return p.Blur(ctx, s["sigma"])
}

// sharpen is unsharp masking of the luma.
func sharpen(ctx context.Context, p *imaging.Pixels, intensity float64, s settings) error {
	return p.Sharpen(ctx, s["sigma"], intensity)
}
