package imaging

// #include "blur8.h"
// #include "planes.h"
import "C"

import (
	"context"
	"math"
	"runtime"
	"unsafe"
)

// Blur implements Raster. Results are exact to one step of 255 in each plane.
func (p *planes) Blur(ctx context.Context, sigma float64) error {
	full := p.all[0].sampling // Y has full resolution
	for _, one := range p.all {
		across := sigma * float64(one.across) / float64(full.across)
		down := sigma * float64(one.down) / float64(full.down)
		if err := one.blur(ctx, across, down); err != nil {
			return err
		}
	}
	return nil
}

// wideSigma is the smallest standard deviation at which blurring through a coarser plane
// is faster.
const wideSigma = 3

// blur blurs a plane in place. The standard deviations are in samples.
func (p *plane) blur(ctx context.Context, across, down float64) error {
	if min(across, down) >= wideSigma {
		return p.blurWidely(ctx, across, down)
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	gauss := &C.Gauss2D{columns: gauss8(across, &pin), rows: gauss8(down, &pin)}
	return stoppable(ctx, func(stop C.Stop) C.int {
		return C.imaging_blur8(pinnedPlanes([]plane{*p}, &pin), gauss, stop)
	})
}

// blurWidely is blur through a coarser plane, like Pixels.Blur.
func (p *plane) blurWidely(ctx context.Context, across, down float64) error {
	across, down = across/math.Sqrt2, down/math.Sqrt2
	side := func(length int, sigma float64) int { return int(math.Ceil(float64(length) * coarseSigma / sigma)) }
	coarse := &planes{all: []plane{{width: side(p.width, across), height: side(p.height, down)}}}
	middle := &coarse.allocated().all[0]
	if err := p.blurTo(ctx, middle, across, down); err != nil {
		return err
	}
	across *= float64(middle.width) / float64(p.width)
	down *= float64(middle.height) / float64(p.height)
	return middle.blurTo(ctx, p, across, down)
}

// blurTo writes the blurred plane to one of another size. The standard deviations are in
// samples of p.
func (p *plane) blurTo(ctx context.Context, to *plane, across, down float64) error {
	weigh := func(inputs, outputs int, sigma float64) *weights8 {
		return gaussian.computeWeights(inputs, outputs, float64(inputs)/float64(outputs), sigma, reflect).fixed()
	}
	return p.resampleTo(ctx, to, planeWeights{
		weigh(p.width, to.width, across), weigh(p.height, to.height, down),
	})
}

// gauss8 returns the weights of a Gaussian with a standard deviation of sigma samples.
func gauss8(sigma float64, pin *runtime.Pinner) C.Gauss8 {
	radius := int(gaussian.support * sigma)
	exact := make([]float64, radius+1)
	var sum float64
	for i := range exact {
		exact[i] = float64(gaussian.at(float64(i) / sigma * kernelSteps))
		if i == 0 {
			exact[i] /= 2
		}
		sum += exact[i]
	}
	// The sums from the edge to the middle are rounded, so that the errors of neighbouring
	// weights cancel out.
	values := make([]C.int16_t, radius+1)
	before, exactSum := 0.0, 0.0
	for i := radius; i >= 0; i-- {
		exactSum += exact[i]
		rounded := math.Round(exactSum / sum * C.GAUSS8_SUM)
		values[i] = C.int16_t(rounded - before)
		before = rounded
	}
	first := unsafe.SliceData(values)
	pin.Pin(first)
	return C.Gauss8{radius: C.int(radius), weights: first}
}
