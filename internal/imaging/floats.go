package imaging

// #include "planes.h"
import "C"

import (
	"context"
	"runtime"
)

// Floats are planes of numbers, the input of models. Each starts with the number of the top
// left pixel. Rows are Stride pixels apart, and pixels Step numbers; 0 means 1.
type Floats struct {
	Red, Green, Blue []float32
	Stride, Step     int
	// White is the number for a pixel value of 255. That for 0 is 0.
	White float32
}

// ScaledTo writes the image upright, stretched to exactly width × height pixels, to planes of
// floats. Transparent pixels are composited on white. Numbers between the pixels of the planes
// stay as they are.
func (m *Image) ScaledTo(ctx context.Context, width, height int, q Quality, to Floats) error {
	return m.ScaledWindowTo(ctx, m.Whole(), width, height, q, to)
}

// ScaledWindowTo is ScaledTo for a window of the upright image.
func (m *Image) ScaledWindowTo(ctx context.Context, window Window, width, height int, q Quality, to Floats) error {
	m = m.inSRGB()
	if v := m.view(window, width, height); m.Format == JPEG && m.isPlanar(v, q, Chroma444) {
		return m.planesTo(ctx, v, width, height, q, to)
	}
	p, err := m.ScaledWindow(ctx, window, width, height, q)
	if err == nil && p.Channels == 4 {
		p, err = p.flatten(ctx, white)
	}
	if err != nil {
		return err
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	C.imaging_rgb_to_floats(p.memory(), C.int(width), C.int(height), to.pinned(width, height, 1, &pin))
	return nil
}

// planesTo writes a view of an image that isPlanar, which becomes width × height pixels upright.
func (m *Image) planesTo(ctx context.Context, v view, width, height int, q Quality, to Floats) error {
	var pin runtime.Pinner
	defer pin.Unpin()
	out := m.outputPlanes(v, Chroma444)
	scale := m.planarScale(v, out, q)
	source := m.planeSource(scale, m.planesAt(scale), &pin)
	targets := pinnedTargets(m.planarWeights(v, scale, out, q), out.all, &pin)
	numbers := to.pinned(width, height, m.Orientation, &pin)
	return m.verify(readJPEG(ctx, JPEG, func(stop C.Stop) C.Damage {
		return C.imaging_resample_to_floats(source, targets, numbers, stop)
	}))
}

// pinned returns the planes for C and pins their memory, for a source that an EXIF orientation
// turns to width × height pixels. It panics unless the planes have room for them.
func (f Floats) pinned(width, height, orientation int, pin *runtime.Pinner) *C.FloatPlanes {
	start, right, down := turning(width, height, f.Stride, orientation)
	step := max(1, f.Step)
	first := func(plane []float32) *C.float {
		pin.Pin(&plane[((height-1)*f.Stride+width-1)*step])
		return (*C.float)(&plane[start*step])
	}
	c := &C.FloatPlanes{
		red: first(f.Red), green: first(f.Green), blue: first(f.Blue),
		right: C.ptrdiff_t(right * step), down: C.ptrdiff_t(down * step), white: C.float(f.White),
	}
	pin.Pin(c)
	return c
}
