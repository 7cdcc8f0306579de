package imaging

// #include "transform.h"
import "C"

import (
	"context"
	"errors"
	"fmt"
	"unsafe"
)

// Affine maps a point (x, y) in pixels to (a[0]·x + a[1]·y + a[2], a[3]·x + a[4]·y + a[5]). The first
// pixel of an image reaches from (0, 0) to (1, 1).
type Affine [6]float64

// Transformed returns an image of width × height pixels with alpha, on which the image is drawn with
// its points at those of the map. It is transparent beside the image. The pixels are interpolated by
// cubics, so the map should not shrink the image.
func (p *Pixels) Transformed(ctx context.Context, a Affine, width, height int) (*Pixels, error) {
	if err := Start(); err != nil {
		return nil, err
	}
	out := NewPixels(width, height, 4)
	out.carried = p.carried
	err := stoppable(ctx, func(stop C.Stop) C.int {
		return C.imaging_transform(p.memory(), C.int(p.Width), C.int(p.Height), C.int(p.Channels),
			(*C.double)(unsafe.SliceData(a[:])), out.memory(), C.int(width), C.int(height), stop)
	})
	if errors.Is(err, errFailed) {
		return nil, fmt.Errorf("libvips cannot transform %d×%d to %d×%d pixels", p.Width, p.Height, width, height)
	}
	return out, err
}

// TransformedFootprint returns the maximum memory in bytes of a resize to this many pixels of which
// Transformed then makes others.
func (h Header) TransformedFootprint(resized, pixels int64, f Format) int64 {
	drawn := h
	drawn.Alpha = true
	return h.footprint(resized, f, converting) + drawn.footprint(pixels, f, 0)
}
