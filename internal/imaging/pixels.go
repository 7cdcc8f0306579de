package imaging

import (
	"cmp"
	"context"
	"image/color"
	"slices"
)

// Pixels is a decoded image in sRGB. Pix has Height × Width × Channels bytes, row by row.
// Channels is 3, or 4 with straight alpha as the last.
type Pixels struct {
	Width, Height, Channels int
	Pix                     []byte
	carried
}

// carried is what an image hands on to the outputs made from it, besides its pixels.
type carried struct {
	density  density
	encoding Encoding
	metadata metadata
}

// carried returns what the image hands on, as stored, before orientation.
func (h *Header) carried() carried {
	c := carried{h.density, h.Encoding, h.metadata.kept(h.Encoding.Keep)}
	c.metadata.icc = h.outputProfile()
	return c
}

// turned returns what an image hands on after it was turned upright.
func (c carried) turned(orientation int) carried {
	c.density = c.density.turned(orientation)
	return c
}

// NewPixels returns a black image with 3 channels, or a transparent one with 4.
func NewPixels(width, height, channels int) *Pixels {
	return &Pixels{Width: width, Height: height, Channels: channels, Pix: make([]byte, width*height*channels)}
}

// Encode encodes the image. If the format has no transparency, it is composited on the
// background of its Encoding, or on white.
// After the context ends, the error is the context's.
func (p *Pixels) Encode(ctx context.Context, f Format) (Encoded, error) {
	if f == Auto {
		return p.smallest(ctx, func(p *Pixels, f Format) (Encoded, error) { return p.Encode(ctx, f) })
	}
	return p.encodeWith(ctx, f, p.encoding.complete(f, codecs[f].quality))
}

// EncodeLike encodes a modified version of m, like Encode. If both are JPEGs, the quality is at least that of m,
// up to 95, unless the Encoding of m has one, and an Encoding without options keeps the sampling of colours, 4:2:0
// or 4:4:4.
func (p *Pixels) EncodeLike(ctx context.Context, m *Image, f Format) (Encoded, error) {
	if f == Auto {
		return p.smallest(ctx, func(p *Pixels, f Format) (Encoded, error) { return p.EncodeLike(ctx, m, f) })
	}
	e := p.encoding
	if f == JPEG && e == (Encoding{}) {
		e.Chroma = m.chroma()
	}
	return p.encodeWith(ctx, f, e.complete(f, m.likeQuality(f)))
}

// chroma returns the sampling of the colours of a JPEG in YCbCr, or ChromaByQuality for others.
func (m *Image) chroma() Chroma {
	for _, c := range []Chroma{Chroma420, Chroma444} {
		if m.Format == JPEG && m.ycc && m.colours == 3 && slices.Equal(m.sampled[:3], outputSamplings(3, c)) {
			return c
		}
	}
	return ChromaByQuality
}

// likeQuality returns the default quality of a modified version of the image in format f.
func (m *Image) likeQuality(f Format) int {
	if f != JPEG {
		return codecs[f].quality
	}
	return min(max(codecs[f].quality, m.quality), 95)
}

func (p *Pixels) encodeWith(ctx context.Context, f Format, e Encoding) (_ Encoded, err error) {
	if p.Channels == 4 && !e.keepsAlpha(f) {
		if p, err = p.flatten(ctx, cmp.Or(e.Background, white)); err != nil {
			return Encoded{}, err
		}
	}
	return e.fit(func(e Encoding) (Encoded, error) {
		data, err := p.encode(ctx, f, e)
		return Encoded{Data: data, Format: f, Width: p.Width, Height: p.Height, Path: General}, err
	})
}

// flatten composites the image on an opaque colour.
func (p *Pixels) flatten(ctx context.Context, on color.RGBA) (*Pixels, error) {
	flat := NewPixels(p.Width, p.Height, 3)
	flat.carried = p.carried
	background := [...]uint32{uint32(on.R), uint32(on.G), uint32(on.B)}
	for y := range p.Height {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		from, to := p.Pix[4*y*p.Width:4*(y+1)*p.Width], flat.Pix[3*y*p.Width:]
		for i, o := 0, 0; i < len(from); i, o = i+4, o+3 {
			a := uint32(from[i+3])
			for c, under := range background {
				to[o+c] = byte((uint32(from[i+c])*a + under*(255-a) + 127) / 255)
			}
		}
	}
	return flat, nil
}

// upright returns the image turned by its EXIF orientation, 1 to 8.
func (p *Pixels) upright(ctx context.Context, orientation int) (*Pixels, error) {
	if orientation == 1 {
		return p, nil
	}
	w, h, n := p.Width, p.Height, p.Channels
	outW, outH := w, h
	if orientation >= 5 {
		outW, outH = h, w
	}
	out := NewPixels(outW, outH, n)
	out.carried = p.carried.turned(orientation)
	start, right, down := turning(outW, outH, outW, orientation)
	for y := range h {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		to := start + y*down
		from := p.Pix[y*w*n : (y+1)*w*n]
		for x := range w {
			copy(out.Pix[to*n:to*n+n], from[x*n:x*n+n])
			to += right
		}
	}
	return out, nil
}

// turning describes how an EXIF orientation, 1 to 8, turns an image to w × h pixels, whose rows
// are stride pixels apart. The stored pixel (0,0) moves to index start. One step right or down
// in the stored image is a step of right or down in the upright one.
func turning(w, h, stride, orientation int) (start, right, down int) {
	across, last := w-1, (h-1)*stride
	steps := [...][3]int{
		1: {0, 1, stride}, 2: {across, -1, stride}, 3: {last + across, -1, -stride}, 4: {last, 1, -stride},
		5: {0, stride, 1}, 6: {across, stride, -1}, 7: {last + across, -stride, -1}, 8: {last, -stride, 1},
	}[orientation]
	return steps[0], steps[1], steps[2]
}
