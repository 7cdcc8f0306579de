package imaging

// #include "vips.h"
import "C"

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"math"
)

// Interest is a method to find the most interesting part of an image.
type Interest int

// The interests, as in vips_smartcrop.
const (
	// Attention centres the part on the strongest edges, colours of skin, and saturated colours.
	Attention Interest = C.ATTENTION
	// Entropy cuts off sides with little information.
	Entropy Interest = C.ENTROPY
)

// Covering returns the size in pixels of a window at the smallest scale at which it covers
// width × height pixels. It has one of these sides.
func (w Window) Covering(width, height int) (across, down int) {
	scale := max(float64(width)/w.Width, float64(height)/w.Height)
	return max(width, int(math.Round(w.Width*scale))), max(height, int(math.Round(w.Height*scale)))
}

// ResizeInteresting is Resize for the most interesting part of a window that becomes width × height
// pixels at the scale of Covering. It also returns this part. It decodes the image once and holds
// the whole window at that scale.
func (m *Image) ResizeInteresting(
	ctx context.Context, in Window, width, height int, by Interest, q Quality, f Format,
) (Encoded, Window, error) {
	w, h := in.Covering(width, height)
	place := func(at image.Point) Window {
		x, y := in.Width/float64(w), in.Height/float64(h)
		return Window{in.Left + float64(at.X)*x, in.Top + float64(at.Y)*y, float64(width) * x, float64(height) * y}
	}
	if e, v := m.encodingTo(f), m.view(in, w, h); f == m.Format && !e.Lossless && m.isPlanar(v, q, e.Chroma) {
		out, at, err := m.resizeInterestingPlanes(ctx, v, width, height, by, q, e)
		if !errors.Is(err, errFailed) {
			return out, place(at), err
		}
	}
	p, err := m.ScaledWindow(ctx, in, w, h, q)
	if err != nil {
		return Encoded{}, in, err
	}
	at, err := p.Interesting(ctx, width, height, by)
	if err != nil {
		return Encoded{}, in, err
	}
	out, err := p.Part(image.Rectangle{at, at.Add(image.Pt(width, height))}, nil).Encode(ctx, f)
	return out, place(at), err
}

// resizeInterestingPlanes is ResizeInteresting for a view of an image that isPlanar. It returns
// where the part begins in the view.
func (m *Image) resizeInterestingPlanes(
	ctx context.Context, v view, width, height int, by Interest, q Quality, e Encoding,
) (Encoded, image.Point, error) {
	p, err := m.scaledPlanes(ctx, v, q, e.Chroma)
	if err != nil {
		return Encoded{}, image.Point{}, err
	}
	at, err := p.interesting(width, height, by)
	if err != nil {
		return Encoded{}, at, err
	}
	full := maxSampling(p.samplings())
	at.X, at.Y = at.X/full.across*full.across, at.Y/full.down*full.down // where samples of all planes begin
	out, err := m.encodePlanes(ctx, p.part(at, width, height), e)
	return out, at, err
}

// maxInterestSide is the longest side in pixels of the small image in which interest is searched.
// Attention has a resolution of a 32nd of a side.
const maxInterestSide = 128

// interestSize returns the size of that image.
func interestSize(width, height int) (w, h int) {
	longest := max(width, height)
	small := min(longest, maxInterestSide)
	return max(1, width*small/longest), max(1, height*small/longest)
}

// Interesting returns where the most interesting part of width × height pixels begins.
func (p *Pixels) Interesting(ctx context.Context, width, height int, by Interest) (_ image.Point, err error) {
	if p.Channels == 4 {
		if p, err = p.flatten(ctx, white); err != nil {
			return image.Point{}, err
		}
	}
	w, h := interestSize(p.Width, p.Height)
	small := NewPixels(w, h, 3)
	for c := range 3 {
		boxMeans(p.Pix[c:], p.Width, p.Height, 3, small.Pix[c:], w, h, 3)
	}
	return small.smartcrop(p.Width, p.Height, width, height, by)
}

// interesting returns where the most interesting part of width × height pixels begins.
func (p *planes) interesting(width, height int, by Interest) (image.Point, error) {
	w, h := interestSize(p.width, p.height)
	small := NewPixels(w, h, 3)
	means := [][]byte{make([]byte, w*h), nil, nil}
	for i, c := range p.all {
		means[i] = make([]byte, w*h)
		boxMeans(c.samples, c.width, c.height, 1, means[i], w, h, 1)
	}
	for i, y := range means[0] {
		r, g, b := y, y, y
		if len(p.all) == 3 {
			r, g, b = color.YCbCrToRGB(y, means[1][i], means[2][i])
		}
		copy(small.Pix[3*i:], []byte{r, g, b})
	}
	return small.smartcrop(p.width, p.height, width, height, by)
}

// boxMeans writes the means of boxes of samples, which are step bytes apart, to w × h numbers, which
// are toStep bytes apart.
func boxMeans(samples []byte, width, height, step int, to []byte, w, h, toStep int) {
	for y := range h {
		top, bottom := y*height/h, max(y*height/h+1, (y+1)*height/h)
		for x := range w {
			left, right := x*width/w, max(x*width/w+1, (x+1)*width/w)
			sum := 0
			for row := top; row < bottom; row++ {
				for at := (row*width + left) * step; at < (row*width+right)*step; at += step {
					sum += int(samples[at])
				}
			}
			to[(y*w+x)*toStep] = byte(sum / ((bottom - top) * (right - left)))
		}
	}
}

// smartcrop returns where a part of partWidth × partHeight pixels begins in an image of
// width × height pixels, of which p is a small version.
func (p *Pixels) smartcrop(width, height, partWidth, partHeight int, by Interest) (image.Point, error) {
	if err := Start(); err != nil {
		return image.Point{}, err
	}
	w, h := max(1, partWidth*p.Width/width), max(1, partHeight*p.Height/height)
	var left, top C.int
	if C.imaging_smartcrop(p.memory(), C.int(p.Width), C.int(p.Height), C.Interest(by), C.int(w), C.int(h), &left, &top) != 0 {
		return image.Point{}, fmt.Errorf("libvips cannot find %d×%d of %d×%d pixels", w, h, p.Width, p.Height)
	}
	// All the room of the small image is all of the image's.
	return image.Pt(int(left)*(width-partWidth)/max(1, p.Width-w), int(top)*(height-partHeight)/max(1, p.Height-h)), nil
}

// part returns width × height pixels of the planes from a point where samples of all planes begin.
func (p *planes) part(at image.Point, width, height int) *planes {
	out := newPlanes(width, height, p.samplings()...)
	out.carried = p.carried
	full := maxSampling(p.samplings())
	for i, c := range out.all {
		from := p.all[i]
		left, top := at.X*c.across/full.across, at.Y*c.down/full.down
		for y := range c.height {
			copy(c.samples[y*c.width:][:c.width], from.samples[(top+y)*from.width+left:])
		}
	}
	return out
}
