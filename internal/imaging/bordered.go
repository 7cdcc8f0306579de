package imaging

import (
	"image"
	"image/color"
)

// grown returns the window that shows other pixels than width × height ones from (0, 0) on. It may
// reach beyond the image, whose edges it then repeats.
func (w Window) grown(width, height int, to image.Rectangle) Window {
	x, y := w.Width/float64(width), w.Height/float64(height)
	return Window{
		w.Left + float64(to.Min.X)*x, w.Top + float64(to.Min.Y)*y, float64(to.Dx()) * x, float64(to.Dy()) * y,
	}
}

// bordered describes an output of planes with an image in it, in pixels.
type bordered struct {
	sampled []sampling
	size    image.Point
	image   image.Rectangle
}

// whole returns the smallest rectangle around the image at whose corners samples of all planes
// begin, or the output ends.
func (b bordered) whole() image.Rectangle {
	full, at := maxSampling(b.sampled), b.image
	return image.Rect(
		at.Min.X/full.across*full.across, at.Min.Y/full.down*full.down,
		min(b.size.X, ceilDiv(at.Max.X, full.across)*full.across), min(b.size.Y, ceilDiv(at.Max.Y, full.down)*full.down),
	)
}

// planes returns the planes of the output. p shows the rectangle whole. Samples that cover pixels of the
// image and of the border are blended.
func (b bordered) planes(p *planes, border color.RGBA) *planes {
	out, full, whole := newPlanes(b.size.X, b.size.Y, b.sampled...), maxSampling(b.sampled), b.whole()
	out.carried = p.carried
	y, cb, cr := color.RGBToYCbCr(border.R, border.G, border.B)
	for i, c := range out.all {
		value := [...]uint8{y, cb, cr}[i]
		for at := range c.samples {
			c.samples[at] = value
		}
		stepX, stepY := full.across/c.across, full.down/c.down
		across := coverage(whole.Min.X, stepX, p.all[i].width, b.image.Min.X, b.image.Max.X, b.size.X)
		down := coverage(whole.Min.Y, stepY, p.all[i].height, b.image.Min.Y, b.image.Max.Y, b.size.Y)
		for row, share := range down {
			from := p.all[i].samples[row*p.all[i].width:][:len(across)]
			to := c.samples[(whole.Min.Y/stepY+row)*c.width+whole.Min.X/stepX:]
			for x, v := range from {
				to[x] = uint8(float32(value) + (float32(v)-float32(value))*share*across[x] + 0.5)
			}
		}
	}
	return out
}

// coverage returns the shares of n samples that pixels from begin to end cover. The samples have step
// pixels each from first on, except for those beyond the length of the output.
func coverage(first, step, n, begin, end, length int) []float32 {
	shares := make([]float32, n)
	for i := range shares {
		from := first + i*step
		to := min(from+step, length)
		shares[i] = float32(max(0, min(to, end)-max(from, begin))) / float32(to-from)
	}
	return shares
}
