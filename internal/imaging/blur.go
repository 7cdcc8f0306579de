package imaging

// #include "blur.h"
import "C"

import (
	"context"
	"math"
	"runtime"
	"unsafe"
)

// Blur implements Raster. Results are exact to half a step of 255. Alpha does not change, and
// colours are weighted by it.
func (p *Pixels) Blur(ctx context.Context, sigma float64) error {
	var pin runtime.Pinner
	defer pin.Unpin()
	// Two Gaussians in sequence are one Gaussian with the sum of their variances. So a
	// wide blur goes through a coarser image, in which half of the variance has the
	// standard deviation coarseSigma. The cost does not depend on sigma.
	half := sigma / math.Sqrt2
	step := half / coarseSigma
	whole := size{p.Width, p.Height}
	if step < minStep {
		return stoppable(ctx, func(stop C.Stop) C.int {
			return C.imaging_blur(p.bytes(&pin), p.gaussian(sigma, whole, whole, &pin), nil, stop)
		})
	}
	coarse := size{int(math.Ceil(float64(p.Width) / step)), int(math.Ceil(float64(p.Height) / step))}
	back := p.gaussian(half, coarse, whole, &pin)
	return stoppable(ctx, func(stop C.Stop) C.int {
		return C.imaging_blur(p.bytes(&pin), p.gaussian(half, whole, coarse, &pin), &back, stop)
	})
}

const (
	// coarseSigma, in pixels of the coarser image, is the smallest sigma at which the
	// decimation error stays below 1/3000 of the contrast.
	coarseSigma = 0.9
	// minStep is the smallest reduction of the coarser image that saves work.
	minStep = 1.5
)

// Sharpen implements Raster. Alpha does not change.
func (p *Pixels) Sharpen(ctx context.Context, sigma, amount float64) error {
	var pin runtime.Pinner
	defer pin.Unpin()
	whole := size{p.Width, p.Height}
	return stoppable(ctx, func(stop C.Stop) C.int {
		return C.imaging_sharpen(p.bytes(&pin), p.gaussian(sigma, whole, whole, &pin), C.float(amount), stop)
	})
}

// size is a width and a height.
type size [2]int

// gaussian returns the weights that blur the image and resample it between two sizes. sigma
// is in pixels of the original size.
func (p *Pixels) gaussian(sigma float64, from, to size, pin *runtime.Pinner) C.Weights2D {
	weigh := func(i, whole int) *C.Weights {
		scale, width := float64(from[i])/float64(to[i]), sigma*float64(from[i])/float64(whole)
		return gaussian.computeWeights(from[i], to[i], scale, width, reflect).pinned(pin)
	}
	return C.Weights2D{columns: weigh(0, p.Width), rows: weigh(1, p.Height)}
}

func (p *Pixels) bytes(pin *runtime.Pinner) *C.Bytes {
	pin.Pin(unsafe.SliceData(p.Pix))
	b := &C.Bytes{pixels: p.memory(), width: C.int(p.Width), bands: C.int(p.Channels)}
	if p.Channels == 4 {
		b.alpha = 1
	}
	return b
}
