package imaging

// #include "paint.h"
// #include <stdlib.h>
import "C"

import (
	"context"
	"image"
	"image/color"
	"runtime"
	"unsafe"
)

// Patch is an opaque rectangle to be painted on an image.
type Patch struct {
	// At is in pixels of the upright image. What lies outside the image is not painted.
	At image.Rectangle
	// Pixels contains At. If it is nil, all pixels have the colour.
	Pixels *image.RGBA
	Colour color.RGBA
}

// Painted returns the image with patches, later ones over earlier ones, in format f. If both
// formats are JPEG and its Encoding has no options, the quality is at least that of the image, up to 95. Then only the blocks
// of the JPEG that a patch touches change, unless its luma has fewer samples than pixels, which
// would blur the patches.
func (m *Image) Painted(ctx context.Context, patches []Patch, f Format) (Encoded, error) {
	if f == JPEG && m.Encoding == (Encoding{}) && m.hasPaintableBlocks() {
		if e, ok, err := m.paintBlocks(ctx, patches); ok {
			return e, err
		}
	}
	p, err := m.Pixels(ctx)
	if err != nil {
		return Encoded{}, err
	}
	p.Paint(patches)
	return p.EncodeLike(ctx, m, f)
}

// hasPaintableBlocks reports whether the image is an upright JPEG whose luma has full resolution.
func (m *Image) hasPaintableBlocks() bool {
	return m.hasPlanes() && m.colours == C.MAX_PLANES && m.sampled[0] == m.maxSampling() && m.Orientation == 1
}

// Paint paints patches, later ones over earlier ones.
func (p *Pixels) Paint(patches []Patch) {
	for _, patch := range patches {
		r := patch.At.Intersect(image.Rect(0, 0, p.Width, p.Height))
		pixels, row, pixel := patch.source(r)
		for y := range r.Dy() {
			to := p.Pix[((r.Min.Y+y)*p.Width+r.Min.X)*p.Channels:]
			for x := range r.Dx() {
				copy(to[x*p.Channels:(x+1)*p.Channels], pixels[y*row+x*pixel:][:4])
			}
		}
	}
}

// source returns the bytes of the patch from the first pixel of r on. Its rows are row bytes
// apart, the pixels pixel bytes.
func (p *Patch) source(r image.Rectangle) (pixels []byte, row, pixel int) {
	if p.Pixels == nil {
		return []byte{p.Colour.R, p.Colour.G, p.Colour.B, 255}, 0, 0
	}
	return p.Pixels.Pix[p.Pixels.PixOffset(r.Min.X, r.Min.Y):], p.Pixels.Stride, 4
}

// paintBlocks paints on the coefficients of a JPEG. It returns false if they cannot be used.
func (m *Image) paintBlocks(ctx context.Context, patches []Patch) (_ Encoded, ok bool, err error) {
	var pin runtime.Pinner
	defer pin.Unpin()
	quality, optimize := C.int(0), C.int(0)
	if m.quality < codecs[JPEG].quality {
		quality = C.int(codecs[JPEG].quality)
	}
	if m.Width*m.Height <= C.MAX_OPTIMIZED_PIXELS {
		optimize = 1
	}
	parts, count := pinnedParts(m.parts, &pin)
	first, patched := m.pinnedPatches(patches, &pin)
	var data *C.uchar
	var size C.ulong
	readable := true
	err = readJPEG(ctx, JPEG, func(stop C.Stop) C.Damage {
		damage := C.imaging_paint(parts, count, first, patched, quality, optimize, stop, &data, &size)
		readable = damage != C.UNREADABLE
		return damage
	})
	if err := m.verify(err); err != nil {
		return Encoded{}, readable, err
	}
	defer C.free(unsafe.Pointer(data))
	file := m.density.stamped(JPEG, unsafe.Slice((*byte)(data), size))
	return Encoded{Data: file, Format: JPEG, Width: m.Width, Height: m.Height, Path: Planar}, true, nil
}

// pinnedPatches returns patches for C and pins their memory.
func (m *Image) pinnedPatches(patches []Patch, pin *runtime.Pinner) (*C.Patch, C.int) {
	var list []C.Patch
	for i := range patches {
		r := patches[i].At.Intersect(image.Rect(0, 0, m.Width, m.Height))
		if r.Empty() {
			continue
		}
		pixels, row, pixel := patches[i].source(r)
		data := unsafe.SliceData(pixels)
		pin.Pin(data)
		list = append(list, C.Patch{
			at:     C.Frame{C.int(r.Min.X), C.int(r.Min.Y), C.int(r.Dx()), C.int(r.Dy())},
			pixels: (*C.uint8_t)(data), row: C.size_t(row), pixel: C.size_t(pixel),
		})
	}
	first := unsafe.SliceData(list)
	pin.Pin(first)
	return first, C.int(len(list))
}
