package imaging

// #include "adjust.h"
import "C"

import (
	"context"
	"runtime"
)

func (a Adjustment) forC() *C.Adjustment {
	return &C.Adjustment{own: C.float(a.Own), luma: C.float(a.Luma), offset: C.float(255 * a.Offset)}
}

// Adjust implements Raster. Alpha does not change.
func (p *Pixels) Adjust(ctx context.Context, a Adjustment) error {
	var pin runtime.Pinner
	defer pin.Unpin()
	return stoppable(ctx, func(stop C.Stop) C.int {
		return C.imaging_adjust_pixels(p.bytes(&pin), C.int(p.Height), a.forC(), stop)
	})
}

// Adjust implements Raster.
func (p *planes) Adjust(ctx context.Context, a Adjustment) error {
	return p.adjust(ctx, a.forC())
}

// Sharpen implements Raster. Results are exact to one step of 255.
func (p *planes) Sharpen(ctx context.Context, sigma, amount float64) error {
	var pin runtime.Pinner
	defer pin.Unpin()
	blur := &C.Gauss2D{columns: gauss8(sigma, &pin), rows: gauss8(sigma, &pin)}
	pin.Pin(blur)
	return p.adjust(ctx, &C.Adjustment{own: 1, sharpen: C.float(amount), blur: blur})
}

func (p *planes) adjust(ctx context.Context, a *C.Adjustment) error {
	var pin runtime.Pinner
	defer pin.Unpin()
	return stoppable(ctx, func(stop C.Stop) C.int {
		return C.imaging_adjust(pinnedPlanes(p.all, &pin), C.int(len(p.all)), a, stop)
	})
}
