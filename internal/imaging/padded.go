package imaging

import (
	"cmp"
	"context"
	"image"
)

// Padded returns the part canvas of the image, which contains all of it, for an output in format
// f. Pixels beside the image are transparent. If the format has no transparency, or the Encoding a
// background, they have its colour, which is white by default.
func (p *Pixels) Padded(ctx context.Context, canvas image.Rectangle, f Format) (_ *Pixels, err error) {
	channels, background := 3, cmp.Or(p.encoding.Background, white)
	if p.encoding.keepsAlpha(f) {
		channels = 4
	} else if p.Channels == 4 {
		if p, err = p.flatten(ctx, background); err != nil {
			return nil, err
		}
	}
	out := NewPixels(canvas.Dx(), canvas.Dy(), channels)
	out.carried = p.carried
	for i := 0; channels == 3 && i < len(out.Pix); i += 3 {
		out.Pix[i], out.Pix[i+1], out.Pix[i+2] = background.R, background.G, background.B
	}
	for y := range p.Height {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		to := out.Pix[((y-canvas.Min.Y)*out.Width-canvas.Min.X)*channels:]
		from := p.Pix[y*p.Width*p.Channels:][:p.Width*p.Channels]
		if channels == p.Channels {
			copy(to, from)
			continue
		}
		for x := range p.Width {
			copy(to[4*x:], from[3*x:3*x+3])
			to[4*x+3] = 255
		}
	}
	return out, nil
}

// ResizePadded is ResizeWindow for an output of which canvas is the frame: the window becomes
// width × height pixels from (0, 0) on, which canvas contains. Pixels beside them are those of
// Pixels.Padded. A JPEG that becomes a JPEG stays in planes; a WebP would need alpha beside the image.
func (m *Image) ResizePadded(
	ctx context.Context, window Window, width, height int, canvas image.Rectangle, q Quality, f Format,
) (Encoded, error) {
	e, background := m.encodingTo(f), cmp.Or(m.Encoding.Background, white)
	isGrey := background.R == background.G && background.G == background.B
	if f == JPEG && m.hasPlanes() && (m.colours > 1 || isGrey) {
		b := bordered{outputSamplings(m.colours, e.Chroma), canvas.Size(), image.Rect(0, 0, width, height).Sub(canvas.Min)}
		whole := b.whole()
		v := m.view(window.grown(width, height, whole.Sub(b.image.Min)), whole.Dx(), whole.Dy())
		if m.isPlanar(v, q, e.Chroma) {
			p, err := m.scaledPlanes(ctx, v, q, e.Chroma)
			if err != nil {
				return Encoded{}, err
			}
			return m.encodePlanes(ctx, b.planes(p, background), e)
		}
	}
	p, err := m.ScaledWindow(ctx, window, width, height, q)
	if err == nil {
		p, err = p.Padded(ctx, canvas, f)
	}
	if err != nil {
		return Encoded{}, err
	}
	return p.Encode(ctx, f)
}

// PaddedFootprint returns the maximum memory in bytes of a resize to width × height pixels that
// Padded then places on a canvas.
func (h Header) PaddedFootprint(width, height, canvasWidth, canvasHeight int, f Format) int64 {
	canvas := h
	canvas.Alpha = canvas.Alpha || f.alpha()
	return h.ResizeFootprint(width, height, f) + canvas.footprint(int64(canvasWidth)*int64(canvasHeight), f, 0)
}
