package main

import (
	"fmt"
	"image"
	"math"

	"imageflow.dev/internal/imaging"
)

// plane is one channel of an image.
type plane struct {
	width, height int
	values        []float64
}

func newPlane(width, height int) plane { return plane{width, height, make([]float64, width*height)} }

// planeOf returns the samples of rows that begin stride bytes apart.
func planeOf(samples []byte, stride, width, height int) plane {
	p := newPlane(width, height)
	for i := range p.values {
		p.values[i] = float64(samples[i/width*stride+i%width])
	}
	return p
}

// flatPlane returns colours of grey.
func flatPlane(width, height int) plane {
	p := newPlane(width, height)
	for i := range p.values {
		p.values[i] = 128
	}
	return p
}

// at returns the value at a point. The values at the edges are repeated beyond them.
func (p plane) at(x, y int) float64 {
	return p.values[min(y, p.height-1)*p.width+min(x, p.width-1)]
}

// means returns the means of boxes of values, as JPEG encoders subsample colours.
func (p plane) means(across, down int) plane {
	out := newPlane((p.width+across-1)/across, (p.height+down-1)/down)
	for i := range out.values {
		x, y := i%out.width*across, i/out.width*down
		for j := range across * down {
			out.values[i] += p.at(x+j%across, y+j/across) / float64(across*down)
		}
	}
	return out
}

// ycc is an image in YCbCr of JFIF (ITU-T T.871).
type ycc struct{ y, cb, cr plane }

// toYCC converts an image without rounding.
func toYCC(m *image.RGBA) ycc {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	y, cb, cr := newPlane(w, h), newPlane(w, h), newPlane(w, h)
	for i := range y.values {
		y.values[i], cb.values[i], cr.values[i] = toSample(float64(m.Pix[4*i]), float64(m.Pix[4*i+1]), float64(m.Pix[4*i+2]))
	}
	return ycc{y, cb, cr}
}

// displayed limits red, green and blue to 0 … 255.
func (m ycc) displayed() ycc {
	limit := func(v float64) float64 { return min(max(v, 0), 255) }
	for i, y := range m.y.values {
		db, dr := m.cb.values[i]-128, m.cr.values[i]-128
		r, g, b := limit(y+1.402*dr), limit(y-(0.114*1.772*db+0.299*1.402*dr)/0.587), limit(y+1.772*db)
		m.y.values[i], m.cb.values[i], m.cr.values[i] = toSample(r, g, b)
	}
	return m
}

// toSample converts a pixel of red, green and blue without rounding.
func toSample(r, g, b float64) (y, cb, cr float64) {
	y = 0.299*r + 0.587*g + 0.114*b
	return y, 128 + (b-y)/1.772, 128 + (r-y)/1.402
}

// fromPlanes returns an image of Y, Cb and Cr, or of grey.
func fromPlanes(planes []imaging.Plane) (m ycc) {
	for i, to := range []*plane{&m.y, &m.cb, &m.cr}[:len(planes)] {
		*to = planeOf(planes[i].Samples, planes[i].Width, planes[i].Width, planes[i].Height)
	}
	if len(planes) == 1 {
		m.cb = flatPlane((m.y.width+1)/2, (m.y.height+1)/2)
		m.cr = m.cb
	}
	return m
}

// subsampled returns the image with colours of half the size, as 4:2:0.
func (m ycc) subsampled() ycc { return ycc{m.y, m.cb.means(2, 2), m.cr.means(2, 2)} }

// fidelity is the PSNR of an image in dB: of red, green and blue, of luma alone, and of the
// subsampled colours alone.
type fidelity struct{ all, luma, colours float64 }

// String returns the numbers in this order.
func (f fidelity) String() string {
	return fmt.Sprintf("%.1f · %.1f · %.1f", f.all, f.luma, f.colours)
}

// fidelityOf compares two images of one size, with colours of the full or of half the size.
func fidelityOf(got, want ycc) fidelity {
	var rgb, luma, colours float64
	step := 1
	if got.cb.width < got.y.width {
		step = 2
	}
	for i := range got.y.values {
		x, y := i%got.y.width/step, i/got.y.width/step
		dy := got.y.values[i] - want.y.values[i]
		db, dr := got.cb.at(x, y)-want.cb.at(x, y), got.cr.at(x, y)-want.cr.at(x, y)
		red, green, blue := dy+1.402*dr, dy-(0.114*1.772*db+0.299*1.402*dr)/0.587, dy+1.772*db
		rgb += red*red + green*green + blue*blue
		luma += dy * dy
	}
	for i := range got.cb.values {
		db, dr := got.cb.values[i]-want.cb.values[i], got.cr.values[i]-want.cr.values[i]
		colours += db*db + dr*dr
	}
	return fidelity{
		psnr(rgb, 3*len(got.y.values)), psnr(luma, len(got.y.values)), psnr(colours, 2*len(got.cb.values)),
	}
}

// psnr is the PSNR in dB of n values of 0 to 255 with this sum of squared errors.
func psnr(squares float64, n int) float64 { return 10 * math.Log10(255*255*float64(n)/squares) }
