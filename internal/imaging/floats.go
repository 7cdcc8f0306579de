package imaging

// #include "floats.h"
import "C"

import (
	"context"
	"runtime"
	"unsafe"
)

// Floats are planes of numbers, the input of models. Each starts with the number of the top
// left pixel. Rows are Stride numbers apart.
type Floats struct {
	Red, Green, Blue []float32
	Stride           int
	// White is the number for a pixel value of 255. That for 0 is 0.
	White float32
}

// ScaledTo writes the image upright, stretched to exactly width × height pixels, to planes of
// floats. Transparent pixels are composited on white. It has the fidelity of Fast, which is
// enough for input of models. Numbers between the pixels of the planes stay as they are.
func (m *Image) ScaledTo(ctx context.Context, width, height int, to Floats) error {
	p, err := m.scaled(ctx, width, height, Fast)
	if err == nil && p.Channels == 4 {
		p, err = p.flatten(ctx)
	}
	if err != nil {
		return err
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	C.imaging_rgb_to_floats(p.memory(), C.int(width), C.int(height), to.pinned(width, height, &pin))
	return nil
}

// pinned returns the planes for C and pins their memory. It panics unless they have room for
// width × height pixels.
func (f Floats) pinned(width, height int, pin *runtime.Pinner) *C.FloatPlanes {
	first := func(plane []float32) *C.float {
		pin.Pin(&plane[(height-1)*f.Stride+width-1])
		return (*C.float)(unsafe.SliceData(plane))
	}
	c := &C.FloatPlanes{
		red: first(f.Red), green: first(f.Green), blue: first(f.Blue), stride: C.size_t(f.Stride), white: C.float(f.White),
	}
	pin.Pin(c)
	return c
}
