package imaging

import (
	"context"
	"image"
)

// Part returns a copy of a part of the image, in a buffer that is replaced if it is too small.
func (p *Pixels) Part(at image.Rectangle, buffer []byte) *Pixels {
	length := at.Dx() * p.Channels
	if n := length * at.Dy(); cap(buffer) < n {
		buffer = make([]byte, n)
	}
	out := &Pixels{at.Dx(), at.Dy(), p.Channels, buffer[:length*at.Dy()], p.carried}
	for y := range at.Dy() {
		copy(out.Pix[y*length:][:length], p.Pix[((at.Min.Y+y)*p.Width+at.Min.X)*p.Channels:])
	}
	return out
}

// Resized returns the image resized to exactly width × height pixels with Lanczos3, or the image
// itself if it has that size.
func (p *Pixels) Resized(ctx context.Context, width, height int) (*Pixels, error) {
	if p.Width == width && p.Height == height {
		return p, nil
	}
	d := decoding{shrink: 1}
	d.across, d.columns = lanczos3.resize(0, float64(p.Width), p.Width, 1, width, clamp)
	d.down, d.rows = lanczos3.resize(0, float64(p.Height), p.Height, 1, height, clamp)
	length := p.Width * p.Channels
	out := &Pixels{Channels: p.Channels, carried: p.carried}
	return out, out.resampleRows(ctx, d, p.Width, p.Height, func(y int, to []byte) { copy(to, p.Pix[y*length:]) })
}
