package detect

import (
	"context"
	"image"
	"math"
	"slices"

	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/inference"
)

// placement is the position of an image in a model's input: pixel (x, y) is at
// (x·scaleX + left, y·scaleY + top).
type placement struct{ scaleX, scaleY, left, top float64 }

// toImage maps a point of the input to the image.
func (p placement) toImage(x, y float32) (float32, float32) {
	return float32((float64(x) - p.left) / p.scaleX), float32((float64(y) - p.top) / p.scaleY)
}

// scaled returns the size in pixels of the scaled image, which is inside the input, or around it for a
// centreCrop.
func (d *description) scaled(width, height int) (int, int) {
	switch d.fit {
	case stretch:
		return d.width, d.height
	case centreCrop: // the longer side is rounded down, as in Resize of torchvision
		scale := math.Max(float64(d.width)/float64(width), float64(d.height)/float64(height))
		side := func(length, limit int) int { return max(limit, int(float64(length)*scale)) }
		return side(width, d.width), side(height, d.height)
	}
	return d.proportional(width, height)
}

// proportional returns the size in pixels of the largest image inside the input with the aspect ratio.
func (d *description) proportional(width, height int) (int, int) {
	scale := math.Min(float64(d.width)/float64(width), float64(d.height)/float64(height))
	round := math.Round
	if d.roundsDown {
		round = math.Floor
	}
	side := func(length, limit int) int { return min(limit, max(1, int(round(float64(length)*scale)))) }
	return side(width, d.width), side(height, d.height)
}

// at returns the description for an input of another size in pixels.
func (d *description) at(width, height int) *description {
	other := *d
	other.width, other.height = width, height
	return &other
}

// fitsImages reports whether the size of the input depends on the image.
func (d *description) fitsImages() bool {
	return d.rectangular && d.fit != centreCrop && (d.fitted || d.fit != stretch)
}

// forImage returns the description for an image of this size: if the size of the input depends on
// it, its sides are the smallest multiples of the stride that have room for the image scaled with its
// aspect ratio, as in Ultralytics' LetterBox(auto=True).
func (d *description) forImage(width, height int) *description {
	if !d.fitsImages() {
		return d
	}
	w, h := d.proportional(width, height)
	up := func(side, limit int) int { return min(limit, (side+d.stride-1)/d.stride*d.stride) }
	return d.at(up(w, d.width), up(h, d.height))
}

// tensor is the input of a model.
type tensor struct {
	numbers []float32
	// size is the size of the input in pixels, and inner the part that is not known to be padding.
	size  image.Point
	inner image.Rectangle
	// colours are the planes of an image that becomes grey.
	colours []float32
}

// input returns the input for an image, the description for the size of the input, and the image's
// position in it. The caller passes the tensor to release after use.
func (d *description) input(ctx context.Context, m *imaging.Image) (*tensor, *description, placement, error) {
	width, height := m.Size()
	d = d.forImage(width, height)
	w, h := d.scaled(width, height)
	left, top := (d.width-w)/2, (d.height-h)/2
	if d.fit == topLeft {
		left, top = 0, 0
	}
	place := placement{
		scaleX: float64(w) / float64(width), scaleY: float64(h) / float64(height), left: float64(left), top: float64(top),
	}
	inner, window := image.Rect(left, top, left+w, top+h), m.Whole()
	if d.fit == centreCrop {
		place.left, place.top = math.RoundToEven(float64(d.width-w)/2), math.RoundToEven(float64(d.height-h)/2)
		inner = image.Rect(0, 0, d.width, d.height)
		x, y := float64(width)/float64(w), float64(height)/float64(h)
		window = imaging.Window{Left: -place.left * x, Top: -place.top * y, Width: float64(d.width) * x, Height: float64(d.height) * y}
	}
	t := d.newTensor()
	d.pad(t, inner)
	if err := m.ScaledWindowTo(ctx, window, inner.Dx(), inner.Dy(), d.quality, d.floats(t, inner)); err != nil {
		d.release(t)
		return nil, nil, placement{}, err
	}
	d.finish(t, inner)
	return t, d, place, nil
}

// newTensor returns a tensor for the size of the input. Images behind the first one of a batch are 0.
func (d *description) newTensor() *tensor {
	t, ok := d.pool.Get().(*tensor)
	if !ok {
		t = &tensor{}
	}
	if size := image.Pt(d.width, d.height); t.size != size {
		n := d.batch * d.channels * d.width * d.height
		t.numbers = slices.Grow(t.numbers[:0], n)[:n]
		clear(t.numbers[n/d.batch:])
		t.size, t.inner = size, image.Rectangle{Max: size}
	}
	return t
}

// release takes back a tensor of input.
func (d *description) release(t *tensor) { d.pool.Put(t) }

// steps returns by how many numbers the channels of a pixel and neighbouring pixels of a row
// are apart.
func (d *description) steps() (channel, pixel int) {
	if d.channelsLast {
		return 1, d.channels
	}
	return d.width * d.height, 1
}

// floats returns the part of a tensor for the image, or its colours if the input is grey.
func (d *description) floats(t *tensor, inner image.Rectangle) imaging.Floats {
	numbers, width, at := t.numbers[:len(t.numbers)/d.batch], d.width, inner.Min.Y*d.width+inner.Min.X
	channel, pixel := d.steps()
	if d.channels == 1 {
		width, at, pixel, channel = inner.Dx(), 0, 1, inner.Dx()*inner.Dy()
		t.colours = slices.Grow(t.colours[:0], 3*channel)[:3*channel]
		numbers = t.colours
	}
	f := imaging.Floats{
		Red: numbers[at*pixel:], Green: numbers[channel+at*pixel:], Blue: numbers[2*channel+at*pixel:],
		Stride: width, Step: pixel, White: d.white,
	}
	if d.bgr && d.channels == 3 {
		f.Red, f.Blue = f.Blue, f.Red
	}
	return f
}

// finish makes an image grey, if the input is, and normalises its values.
func (d *description) finish(t *tensor, inner image.Rectangle) {
	channel, pixel := d.steps()
	if d.channels == 1 {
		n, at := inner.Dx()*inner.Dy(), 0
		for y := inner.Min.Y; y < inner.Max.Y; y++ {
			for x := inner.Min.X; x < inner.Max.X; x++ { // the luma of JPEG and OpenCV
				t.numbers[y*d.width+x] = 0.299*t.colours[at] + 0.587*t.colours[n+at] + 0.114*t.colours[2*n+at]
				at++
			}
		}
	}
	if d.std == [3]float32{} {
		return
	}
	for c := range d.channels {
		for y := inner.Min.Y; y < inner.Max.Y; y++ {
			for x := inner.Min.X; x < inner.Max.X; x++ {
				v := &t.numbers[c*channel+(y*d.width+x)*pixel]
				*v = d.normalised(*v, c)
			}
		}
	}
}

// pad fills a tensor with the padding outside of inner. It does nothing if that part is filled
// already.
func (d *description) pad(t *tensor, inner image.Rectangle) {
	if t.inner == inner {
		return
	}
	t.inner = inner
	channel, pixel := d.steps()
	for c := range d.channels {
		v := d.value(d.padding[c], c)
		fill := func(from, to int) { // pixels
			for i := from; i < to; i++ {
				t.numbers[c*channel+i*pixel] = v
			}
		}
		fill(0, inner.Min.Y*d.width)
		fill(inner.Max.Y*d.width, d.height*d.width)
		for y := inner.Min.Y; y < inner.Max.Y; y++ {
			fill(y*d.width, y*d.width+inner.Min.X)
			fill(y*d.width+inner.Max.X, (y+1)*d.width)
		}
	}
}

// first returns the outputs for the first image of a batch of fixed size.
func (d *description) first(outputs []inference.Tensor) []inference.Tensor {
	if d.batch == 1 {
		return outputs
	}
	all := slices.Clone(outputs)
	for i, out := range all {
		declared := d.outputs[i]
		batched := len(declared) > 0 && declared[0] == int64(d.batch) || len(out.Shape) > 2 // not rows for all images
		if batched && len(out.Shape) > 0 && out.Shape[0] == int64(d.batch) {
			all[i].Shape = append([]int64{1}, out.Shape[1:]...)
			all[i].Data = out.Data[:len(out.Data)/d.batch]
		}
	}
	return all
}
