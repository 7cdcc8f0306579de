package imaging

// #cgo pkg-config: dav1d
// #include "av1.h"
import "C"

import (
	"context"
	"errors"
	"image"
	"runtime"
	"unsafe"
)

// av1Image describes an AVIF for dav1d, before orientation.
type av1Image struct {
	colours av1Frames
	alpha   *av1Frames // nil if there is none
	shown   image.Rectangle
	// rgb is the 3 × 4 matrix that turns the stored Y, Cb and Cr, and 1, into R, G and B of 0 to
	// 255.
	rgb [12]float32
	// scale and offset turn the stored alpha into 0 to 255.
	scale, offset float32
	multiplied    bool
}

// av1Frames is an image of one frame, or of a grid of frames of equal size.
type av1Frames struct {
	frames  [][]byte
	columns int
	// frame is the size of a frame, and whole that of the image.
	frame, whole  image.Point
	depth, chroma int
}

// av1Of returns the description of an image coded as AV1 with its alpha channel, which may be
// nil. It returns nil for images that it cannot describe: those coded as HEVC, with a profile other
// than of RGB or a matrix that is not supported here, and grids of odd tiles.
func av1Of(m, alpha *heifImage, h *Header) *av1Image {
	rgb, ok := m.matrix()
	if m.tiles[0].kind != "av01" || h.profile > 0 && h.icc == nil || !ok || !m.isEven() {
		return nil
	}
	a := &av1Image{colours: m.frames(), shown: m.shown, rgb: rgb, multiplied: h.multiplied}
	if alpha != nil {
		p, t := alpha.frames(), alpha.tiles[0]
		a.alpha = &p
		low, span := lumaRange(t.depth, t.nclx.full)
		a.scale, a.offset = float32(255/span), float32(-255*low/span)
		if !alpha.isEven() {
			return nil
		}
	}
	return a
}

// held returns the memory that dav1d and the canvas of a grid hold, in bytes per pixel: the planes
// twice, since film grain is added to a copy and tiles are copied to the canvas, and one more for
// the decoder's state of each block.
func (a *av1Image) held() int {
	held := 2*a.colours.size() + 1
	if a.alpha != nil {
		held += a.alpha.size()
	}
	return held
}

// size returns the size of the planes in bytes per pixel.
func (p *av1Frames) size() int {
	size := [...]int{1, 2, 2, 3}[p.chroma] // 4:2:0 has 1.5
	if p.depth > 8 {
		size *= 2
	}
	return size
}

// isEven reports whether the colours of the tiles of a grid fill whole samples.
func (m *heifImage) isEven() bool {
	t := m.tiles[0]
	return m.grid == nil || t.chroma == 0 || t.chroma == 3 || t.width%2 == 0 && (t.chroma == 2 || t.height%2 == 0)
}

func (m *heifImage) frames() av1Frames {
	t := m.tiles[0]
	p := av1Frames{
		columns: ceilDiv(m.width, t.width), frame: image.Pt(t.width, t.height), whole: image.Pt(m.width, m.height),
		depth: t.depth, chroma: t.chroma,
	}
	for _, t := range m.tiles {
		p.frames = append(p.frames, joined(t.data))
	}
	return p
}

// lumaRange returns the value of black and the difference of white to it (ITU-T H.273, 8.3).
func lumaRange(depth int, full bool) (low, span float64) {
	if full {
		return 0, float64(int(1)<<depth - 1)
	}
	return float64(int(16) << (depth - 8)), float64(int(219) << (depth - 8))
}

// lumaShares are the parts of red and blue in luma, by matrix coefficients of ITU-T H.273. Those
// that are unspecified, 2, are taken as BT.601.
var lumaShares = map[int][2]float64{
	1: {0.2126, 0.0722}, 2: {0.299, 0.114}, 4: {0.30, 0.11}, 5: {0.299, 0.114}, 6: {0.299, 0.114},
	7: {0.212, 0.087}, 9: {0.2627, 0.0593},
}

// The matrix coefficients that are not made of shares of luma.
const (
	matrixIdentity = 0
	matrixYCgCo    = 8
)

// matrix returns the matrix to RGB, from the box colr or else the coded data, and whether it is
// supported.
func (m *heifImage) matrix() (rgb [12]float32, ok bool) {
	t, colours := m.tiles[0], m.nclx()
	kind, full := colours.matrix, colours.full
	low, span := lumaRange(t.depth, full)
	middle, reach := float64(int(1)<<(t.depth-1)), span
	if !full {
		reach = float64(int(224) << (t.depth - 8))
	}
	shares, ok := lumaShares[kind]
	red, blue := shares[0], shares[1]
	green := 1 - red - blue
	steps := [3][2]float64{{0, 2 - 2*red}, {-(2 - 2*blue) * blue / green, -(2 - 2*red) * red / green}, {2 - 2*blue, 0}}
	switch {
	case t.chroma == 0:
		ok, steps = true, [3][2]float64{}
	case kind == matrixYCgCo:
		ok, steps = true, [3][2]float64{{-1, 1}, {1, 0}, {-1, -1}}
	case kind == matrixIdentity: // the planes are green, blue and red
		scale, offset := float32(255/span), float32(-255*low/span)
		return [12]float32{0, 0, scale, offset, scale, 0, 0, offset, 0, scale, 0, offset}, t.chroma == 3
	}
	for i, s := range steps {
		y, u, v := 255/span, 255*s[0]/reach, 255*s[1]/reach
		copy(rgb[4*i:], []float32{float32(y), float32(u), float32(v), float32(-y*low - (u+v)*middle)})
	}
	return rgb, ok
}

// decodeAV1 decodes an image that has av1, like decode.
func (m *Image) decodeAV1(ctx context.Context, d decoding) (*Pixels, error) {
	var pin runtime.Pinner
	defer pin.Unpin()
	in := m.av1.pinned(&pin)
	p, columns, rows := m.output(d, m.Width, m.Height, &pin)
	err := stoppable(ctx, func(stop C.Stop) C.int {
		return C.imaging_decode_av1(in, C.Box{C.int(d.across), C.int(d.down)}, columns, rows, stop, p.memory())
	})
	if errors.Is(err, errFailed) {
		return nil, invalid("corrupt %s: it cannot be decoded", m.Format)
	}
	return m.toSRGB(ctx, p, m.verify(err))
}

// pinned returns the description for C and pins its memory.
func (a *av1Image) pinned(pin *runtime.Pinner) *C.Av1Image {
	c := &C.Av1Image{
		colours: a.colours.pinned(pin), scale: C.float(a.scale), offset: C.float(a.offset),
		shown: C.Frame{C.int(a.shown.Min.X), C.int(a.shown.Min.Y), C.int(a.shown.Dx()), C.int(a.shown.Dy())},
	}
	for i, v := range a.rgb {
		c.rgb[i] = C.float(v)
	}
	if a.alpha != nil {
		c.alpha = a.alpha.pinned(pin)
	}
	if a.multiplied {
		c.multiplied = 1
	}
	pin.Pin(c)
	return c
}

func (p *av1Frames) pinned(pin *runtime.Pinner) C.Av1Frames {
	frames, count := pinnedParts(p.frames, pin)
	return C.Av1Frames{
		frames: (*C.Part)(unsafe.Pointer(frames)), count: count, columns: C.int(p.columns),
		frame_width: C.int(p.frame.X), frame_height: C.int(p.frame.Y),
		width: C.int(p.whole.X), height: C.int(p.whole.Y), depth: C.int(p.depth), chroma: C.int(p.chroma),
	}
}
