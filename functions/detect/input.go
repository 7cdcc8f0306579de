package detect

import (
	"context"
	"fmt"
	"image"
	"math"
	"slices"

	"imageflow.dev/internal/imaging"
)

// fit is how an image is scaled to a model's input.
type fit string

const (
	// letterbox keeps the aspect ratio and centres the image, with grey padding.
	letterbox fit = "letterbox"
	// topLeft keeps the aspect ratio and pads at the right and at the bottom.
	topLeft fit = "top-left"
	// stretch scales width and height independently, without padding.
	stretch fit = "stretch"
)

// grey is the value of the padding, the one that YOLO models are trained with.
const grey = 114

// preprocessing is how an image becomes a model's input.
type preprocessing struct {
	fit fit
	// bgr means that the channels are in the order blue, green, red.
	bgr bool
	// white is the input value of a pixel value of 255.
	white float32
}

// The preprocessing of the projects that train the models.
var (
	defaultPreprocessing = preprocessing{letterbox, false, 1} // of Ultralytics
	yoloxPreprocessing   = preprocessing{topLeft, true, 255}
	rtdetrPreprocessing  = preprocessing{stretch, false, 1}
)

// The names of the parameters that override the preprocessing and the layout.
const (
	layoutKey   = "layout"
	fitKey      = "resize"
	channelsKey = "channel_order"
	rangeKey    = "pixel_range"
)

// preprocess returns the preprocessing of a model: the default of its layout,
// overridden by its parameters.
func preprocess(l layout, parameters map[string]string) (preprocessing, error) {
	p := l.input
	switch f := fit(parameters[fitKey]); f {
	case letterbox, topLeft, stretch:
		p.fit = f
	case "":
	default:
		return p, fmt.Errorf("the parameter %s is %q but must be %s, %s or %s", fitKey, f, letterbox, topLeft, stretch)
	}
	switch order := parameters[channelsKey]; order {
	case "rgb", "bgr":
		p.bgr = order == "bgr"
	case "":
	default:
		return p, fmt.Errorf("the parameter %s is %q but must be rgb or bgr", channelsKey, order)
	}
	switch white := parameters[rangeKey]; white {
	case "1":
		p.white = 1
	case "255":
		p.white = 255
	case "":
	default:
		return p, fmt.Errorf("the parameter %s is %q but must be 1 or 255", rangeKey, white)
	}
	return p, nil
}

// placement is the position of an image in a model's input: pixel (x, y) is at
// (x·scaleX + left, y·scaleY + top).
type placement struct{ scaleX, scaleY, left, top float64 }

// size returns the size of the scaled image in the input, in pixels.
func (f fit) size(width, height, inputWidth, inputHeight int) (int, int) {
	if f == stretch {
		return inputWidth, inputHeight
	}
	scale := math.Min(float64(inputWidth)/float64(width), float64(inputHeight)/float64(height))
	side := func(length, limit int) int { return min(limit, max(1, int(math.Round(float64(length)*scale)))) }
	return side(width, inputWidth), side(height, inputHeight)
}

// tensor is the input of a model, 3×height×width numbers.
type tensor struct {
	numbers []float32
	// inner is the part that is not known to be grey.
	inner image.Rectangle
}

// input returns the input of an image, and the image's position in it. The caller passes the
// tensor to release after use.
func (d *description) input(ctx context.Context, m *imaging.Image) (*tensor, placement, error) {
	width, height := m.Size()
	w, h := d.fit.size(width, height, d.width, d.height)
	left, top := (d.width-w)/2, (d.height-h)/2
	if d.fit == topLeft {
		left, top = 0, 0
	}
	t := d.pool.Get().(*tensor)
	d.pad(t, image.Rect(left, top, left+w, top+h))
	if err := m.ScaledTo(ctx, w, h, d.floats(t.numbers, left, top)); err != nil {
		d.release(t)
		return nil, placement{}, err
	}
	return t, placement{
		scaleX: float64(w) / float64(width), scaleY: float64(h) / float64(height), left: float64(left), top: float64(top),
	}, nil
}

// release takes back a tensor of input.
func (d *description) release(t *tensor) { d.pool.Put(t) }

// floats returns the planes of a tensor from the pixel at (left, top) on.
func (d *description) floats(numbers []float32, left, top int) imaging.Floats {
	n, start := d.width*d.height, top*d.width+left
	f := imaging.Floats{
		Red: numbers[start:n], Green: numbers[n+start : 2*n], Blue: numbers[2*n+start : 3*n],
		Stride: d.width, White: d.white,
	}
	if d.bgr {
		f.Red, f.Blue = f.Blue, f.Red
	}
	return f
}

// pad fills a tensor with grey outside of inner. It does nothing if that part is grey already.
func (d *description) pad(t *tensor, inner image.Rectangle) {
	if t.inner == inner {
		return
	}
	t.inner = inner
	empty := grey * d.white / 255
	for plane := range slices.Chunk(t.numbers, d.width*d.height) {
		fillWith(plane[:inner.Min.Y*d.width], empty)
		fillWith(plane[inner.Max.Y*d.width:], empty)
		for y := inner.Min.Y; y < inner.Max.Y; y++ {
			row := plane[y*d.width : (y+1)*d.width]
			fillWith(row[:inner.Min.X], empty)
			fillWith(row[inner.Max.X:], empty)
		}
	}
}

func fillWith(numbers []float32, v float32) {
	for i := range numbers {
		numbers[i] = v
	}
}
