package imaging

// #include "blur8.h"
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

// blur blurs a plane in place. The standard deviations are in samples.
func (p *plane) blur(ctx context.Context, across, down float64) error {
	var pin runtime.Pinner
	defer pin.Unpin()
	gauss := &C.Gauss2D{columns: gauss8(across, &pin), rows: gauss8(down, &pin)}
	return stoppable(ctx, func(stop C.Stop) C.int {
		return C.imaging_blur8(pinnedPlanes([]plane{*p}, &pin), gauss, stop)
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
