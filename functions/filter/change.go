package filter

import (
	"context"

	"imageflow.dev/internal/imaging"
)

// brightness adds the intensity to every channel.
func brightness(ctx context.Context, r imaging.Raster, intensity float64, _ settings) error {
	return r.Adjust(ctx, imaging.Adjustment{Own: 1, Offset: intensity})
}

// contrast increases the distance of every channel from the pivot.
func contrast(ctx context.Context, r imaging.Raster, intensity float64, s settings) error {
	return r.Adjust(ctx, imaging.Adjustment{Own: 1 + intensity, Offset: -intensity * s["pivot"]})
}

// saturation moves every pixel away from its grey, or towards it.
func saturation(ctx context.Context, r imaging.Raster, intensity float64, _ settings) error {
	return r.Adjust(ctx, imaging.Adjustment{Own: 1 + intensity, Luma: -intensity})
}

// blur applies a Gaussian to every channel.
func blur(ctx context.Context, r imaging.Raster, _ float64, s settings) error {
	return r.Blur(ctx, s["sigma"])
}

// sharpen is unsharp masking of the luma.
func sharpen(ctx context.Context, r imaging.Raster, intensity float64, s settings) error {
	return r.Sharpen(ctx, s["sigma"], intensity)
}
