package imaging

// #include "blur.h"
import "C"

import (
	"context"
	"math"
	"runtime"
	"unsafe"
)

// Blur filters every colour with a Gaussian of a standard deviation above 0, in
// pixels, to half a step of 255. The picture goes on beyond its edges as in a
// mirror. Alpha stays, and a pixel has as much say as it is opaque. The error is
// the context's.
func (p *Pixels) Blur(ctx context.Context, sigma float64) error {
	var pin runtime.Pinner
	defer pin.Unpin()
	// Two Gaussians one behind the other are one, whose variance is their sum. So
	// a wide one is done by way of a coarser picture, which its half deviates by
	// coarseSigma: at a cost that does not depend on the deviation.
	half := sigma / math.Sqrt2
	step := half / coarseSigma
	whole := size{p.Width, p.Height}
	if step < leastStep {
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
	// coarseSigma, in the coarser picture's pixels, is the least with which what is
	// left out shows nowhere: at most 1 in 3000 of the contrast.
	coarseSigma = 0.9
	// leastStep is how much coarser a picture must be to save work.
	leastStep = 1.5
)

// Sharpen adds to every colour, amount times, how far its pixel's luma by ITU-R
// BT.601 stands out from the luma blurred with a Gaussian of sigma pixels. Alpha
// stays. The error is the context's.
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

// gaussian returns the weights which blur the picture, at one size, and bring it
// to another; sigma is in pixels of its own size.
func (p *Pixels) gaussian(sigma float64, from, to size, pin *runtime.Pinner) C.Grid {
	weigh := func(i, whole int) *C.Weights {
		scale, width := float64(from[i])/float64(to[i]), sigma*float64(from[i])/float64(whole)
		return gaussian.weigh(from[i], to[i], scale, width, mirrored).pinned(pin)
	}
	return C.Grid{columns: weigh(0, p.Width), rows: weigh(1, p.Height)}
}

func (p *Pixels) bytes(pin *runtime.Pinner) *C.Bytes {
	pin.Pin(unsafe.SliceData(p.Pix))
	b := &C.Bytes{pixels: p.memory(), width: C.int(p.Width), bands: C.int(p.Channels)}
	if p.Channels == 4 {
		b.alpha = 1
	}
	return b
}
