package imaging

import (
	"context"
	"image"
	"image/color"
)

// Trim returns the part of the upright image that remains inside within after the rows and columns
// at its edges that have only one colour are removed. The colour is that of the top left pixel of
// within if it is nil. Values, which are multiplied by alpha, may differ from it by tolerance. If all
// pixels have this colour, Trim returns within.
//
// vips_find_trim filters with a median first, which removes lines and points, so it is not used.
func (m *Image) Trim(ctx context.Context, within image.Rectangle, colour color.Color, tolerance int) (image.Rectangle, error) {
	if m.share != nil {
		return m.share.trim(ctx, m, within, colour, tolerance)
	}
	plain := &Image{Header: m.Header, Limits: m.Limits, data: m.data}
	plain.Encoding = Encoding{} // sRGB with alpha
	p, err := plain.Pixels(ctx)
	if err != nil {
		return within, err
	}
	if colour == nil {
		colour = p.at(within.Min)
	}
	b := border{p, premultiplied(colour), tolerance}
	return b.trimmed(ctx, within)
}

// TrimFootprint returns the maximum memory in bytes that Trim leaves to the garbage collector or uses.
func (h Header) TrimFootprint() int64 {
	pixels := h.pixels() * int64(h.channels())
	if h.Orientation != 1 {
		pixels *= 2
	}
	return h.ReadFootprint() + pixels
}

// at returns the colour of a pixel.
func (p *Pixels) at(point image.Point) color.NRGBA {
	c := color.NRGBA{A: 255}
	pixel := p.Pix[(point.Y*p.Width+point.X)*p.Channels:][:p.Channels]
	if c.R, c.G, c.B = pixel[0], pixel[1], pixel[2]; p.Channels == 4 {
		c.A = pixel[3]
	}
	return c
}

// premultiplied returns the red, green, blue and alpha of a colour, in [0, 255].
func premultiplied(c color.Color) [4]int {
	n := color.RGBAModel.Convert(c).(color.RGBA)
	return [4]int{int(n.R), int(n.G), int(n.B), int(n.A)}
}

// border is a colour with a tolerance.
type border struct {
	*Pixels
	colour    [4]int
	tolerance int
}

// has reports whether a pixel has the colour.
func (b border) has(x, y int) bool {
	pixel := b.Pix[(y*b.Width+x)*b.Channels:][:b.Channels]
	alpha := 255
	if b.Channels == 4 {
		alpha = int(pixel[3])
	}
	off := abs(alpha - b.colour[3])
	for i, v := range pixel[:3] {
		off = max(off, abs((int(v)*alpha+127)/255-b.colour[i]))
	}
	return off <= b.tolerance
}

func abs(v int) int { return max(v, -v) }

// trimmed returns the part without the rows and columns of the colour.
func (b border) trimmed(ctx context.Context, part image.Rectangle) (image.Rectangle, error) {
	inner := image.Rectangle{part.Max, part.Min}
	for y := part.Min.Y; y < part.Max.Y; y++ {
		if err := ctx.Err(); err != nil {
			return part, err
		}
		left := part.Min.X
		for left < part.Max.X && b.has(left, y) {
			left++
		}
		if left == part.Max.X {
			continue
		}
		right := part.Max.X
		for right > max(left+1, inner.Max.X) && b.has(right-1, y) {
			right--
		}
		inner.Min = image.Pt(min(inner.Min.X, left), min(inner.Min.Y, y))
		inner.Max = image.Pt(max(inner.Max.X, right), y+1)
	}
	if inner.Empty() {
		return part, nil
	}
	return inner, nil
}
