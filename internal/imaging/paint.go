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

// Patch is a rectangle to be painted on an image.
type Patch struct {
	// At is in pixels of the upright image. What lies outside the image is not painted.
	At image.Rectangle
	// Pixels is repeated in all directions and so covers At. It is composited in sRGB. If it is
	// nil, all pixels have the opaque colour.
	Pixels *image.NRGBA
	Colour color.RGBA
}

// Painted returns the image with patches, later ones over earlier ones, in format f. If both
// formats are JPEG and its Encoding has no options, the quality is at least that of the image, up to 95. Then only the blocks
// of the JPEG that a patch changes are encoded again, unless its luma has fewer samples than pixels, which
// would blur the patches. All frames of an animation are painted.
func (m *Image) Painted(ctx context.Context, patches []Patch, f Format) (Encoded, error) {
	if f == JPEG && m.Encoding == (Encoding{}) && m.hasPaintableBlocks() {
		if e, ok, err := m.paintBlocks(ctx, patches); ok {
			return e, err
		}
	}
	if m.Moves(f) {
		return m.Animate(ctx, f, func(ctx context.Context, frame *Image) (*Pixels, error) {
			p, err := frame.Pixels(ctx)
			if err != nil {
				return nil, err
			}
			return p, p.Paint(ctx, patches)
		})
	}
	p, err := m.Pixels(ctx)
	if err != nil {
		return Encoded{}, err
	}
	if err := p.Paint(ctx, patches); err != nil {
		return Encoded{}, err
	}
	return p.EncodeLike(ctx, m, f)
}

// hasPaintableBlocks reports whether the image is an upright JPEG whose luma has full resolution.
func (m *Image) hasPaintableBlocks() bool {
	return m.hasPlanes() && m.colours == C.MAX_PLANES && m.sampled[0] == m.maxSampling() && m.Orientation == 1
}

// Paint paints patches, later ones over earlier ones. After the context ends, the error is the
// context's.
func (p *Pixels) Paint(ctx context.Context, patches []Patch) error {
	for _, patch := range patches {
		r := patch.At.Intersect(image.Rect(0, 0, p.Width, p.Height))
		from := patch.source(r)
		for y := range r.Dy() {
			if err := ctx.Err(); err != nil {
				return err
			}
			to := p.Pix[((r.Min.Y+y)*p.Width+r.Min.X)*p.Channels:]
			row := from.pixels[(from.first.Y+y)%from.size.Y*from.row:]
			for x := range r.Dx() {
				blend(to[x*p.Channels:(x+1)*p.Channels], row[(from.first.X+x)%from.size.X*from.pixel:][:4])
			}
		}
	}
	return nil
}

// blend composites a pixel with alpha on one of 3 or 4 channels: the operator "over" of Porter
// and Duff, with straight alpha.
func blend(to, over []byte) {
	a := uint32(over[3])
	switch a {
	case 0:
		return
	case 255:
		copy(to, over)
		return
	}
	under := 255 * (255 - a)
	if len(to) == 4 {
		under = uint32(to[3]) * (255 - a)
		to[3] = byte((255*a + under + 127) / 255)
	}
	all := 255*a + under
	for c, v := range over[:3] {
		to[c] = byte((uint32(v)*255*a + uint32(to[c])*under + all/2) / all)
	}
}

// source are the pixels of a patch from a point on: the pixel at (x, y) is at first + (x, y),
// modulo size, in pixels.
type source struct {
	pixels      []byte
	first, size image.Point
	row, pixel  int // the distances between rows and between pixels in bytes
}

// source returns the pixels of the patch from the top left corner of r on.
func (p *Patch) source(r image.Rectangle) source {
	if p.Pixels == nil {
		return source{pixels: []byte{p.Colour.R, p.Colour.G, p.Colour.B, 255}, size: image.Pt(1, 1)}
	}
	own := p.Pixels.Rect
	first := r.Min.Mod(own).Sub(own.Min)
	return source{pixels: p.Pixels.Pix, first: first, size: own.Size(), row: p.Pixels.Stride, pixel: 4}
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
		from := patches[i].source(r)
		data := unsafe.SliceData(from.pixels)
		pin.Pin(data)
		list = append(list, C.Patch{
			at:     C.Frame{C.int(r.Min.X), C.int(r.Min.Y), C.int(r.Dx()), C.int(r.Dy())},
			source: C.Frame{C.int(from.first.X), C.int(from.first.Y), C.int(from.size.X), C.int(from.size.Y)},
			pixels: (*C.uint8_t)(data), row: C.size_t(from.row), pixel: C.size_t(from.pixel),
		})
	}
	first := unsafe.SliceData(list)
	pin.Pin(first)
	return first, C.int(len(list))
}
