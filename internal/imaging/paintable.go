package imaging

import (
	"bytes"
	"context"
	"image"
	"image/color"
)

// Painter replaces the pixels of row y from first to end, exclusively.
type Painter func(y, first, end int)

// Paintable is a decoded image, upright, of which pixels can be replaced: Pixels, or the planes of a JPEG.
// In planes with subsampled colours, a sample of colour is replaced as a whole if one of its pixels is, so
// that nothing of the pixel remains in it.
type Paintable interface {
	// Mosaic returns the painter of a region's mosaic: cells of one colour each, at most the given number along the
	// longer side. If smooth is true, colours change linearly between the centres of cells. Only pixels of the region are
	// painted. After the context ends, the error is the context's.
	Mosaic(ctx context.Context, region image.Rectangle, cells int, smooth bool) (Painter, error)
	// Solid returns the painter of an opaque colour.
	Solid(c color.RGBA) Painter
	// EncodeLike encodes the image as Pixels.EncodeLike does.
	EncodeLike(ctx context.Context, m *Image, f Format) (Encoded, error)
}

// Paintable decodes the image at full size, upright, for an output in format f. solid is the colour for Solid.
// A JPEG that becomes a JPEG stays in planes, and without options in its Encoding keeps its sampling factors.
// Grey that gets another colour becomes Pixels.
func (m *Image) Paintable(ctx context.Context, f Format, solid color.RGBA) (Paintable, error) {
	isGrey := solid.R == solid.G && solid.G == solid.B
	if f != JPEG || !m.hasUprightPlanes() || !m.keepsSamplings() || m.colours == 1 && !isGrey {
		return m.Pixels(ctx)
	}
	return m.uprightPlanes(ctx)
}

// keepsSamplings reports whether a JPEG made of the planes has their sampling factors.
func (m *Image) keepsSamplings() bool {
	return m.hasOutputSamplings() || m.Encoding == (Encoding{}) && m.hasHalfSamplings()
}

// hasHalfSamplings reports whether the luma of a JPEG has full resolution, and its colours the full one or half
// of it on each side.
func (m *Image) hasHalfSamplings() bool {
	full := m.maxSampling()
	for _, s := range m.sampled[:m.colours] {
		if s.across*2 != full.across && s.across != full.across || s.down*2 != full.down && s.down != full.down {
			return false
		}
	}
	return full.across <= 2 && full.down <= 2 && m.sampled[0] == full
}

// Solid implements Paintable.
func (p *Pixels) Solid(c color.RGBA) Painter {
	row := bytes.Repeat([]byte{c.R, c.G, c.B, 255}[:p.Channels], p.Width)
	return func(y, first, end int) { copy(p.Pix[(y*p.Width+first)*p.Channels:], row[:(end-first)*p.Channels]) }
}

// Solid implements Paintable.
func (p *planes) Solid(c color.RGBA) Painter {
	y, cb, cr := color.RGBToYCbCr(c.R, c.G, c.B)
	rows := [...][]byte{bytes.Repeat([]byte{y}, p.width), bytes.Repeat([]byte{cb}, p.width), bytes.Repeat([]byte{cr}, p.width)}
	return func(y, first, end int) {
		for i := range p.all {
			copy(p.touched(i, y, first, end), rows[i])
		}
	}
}

// touched returns the samples of plane i that cover pixels of row y from first to end, exclusively.
func (p *planes) touched(i, y, first, end int) []byte {
	c, step := &p.all[i], p.step(i)
	row := c.samples[y/step.Y*c.width:][:c.width]
	return row[first/step.X : ceilDiv(end, step.X)]
}

// step returns how many pixels a sample of plane i covers on each side.
func (p *planes) step(i int) image.Point {
	full := p.all[0].sampling // Y has full resolution
	return image.Pt(full.across/p.all[i].across, full.down/p.all[i].down)
}

// EncodeLike implements Paintable. f is JPEG.
func (p *planes) EncodeLike(ctx context.Context, m *Image, _ Format) (Encoded, error) {
	return p.encoding.complete(JPEG, m.likeQuality(JPEG)).fit(func(e Encoding) (Encoded, error) { return p.encode(ctx, e) })
}
