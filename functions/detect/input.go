package detect

import (
	"context"
	"fmt"
	"math"

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

// input returns the input tensor of an image, 3×height×width, and the image's
// position in it. The caller passes the tensor to release after use.
func (d *description) input(ctx context.Context, m *imaging.Image) ([]float32, placement, error) {
	width, height := m.Size()
	w, h := d.fit.size(width, height, d.width, d.height)
	p, err := m.Scaled(ctx, w, h)
	if err != nil {
		return nil, placement{}, err
	}
	left, top := (d.width-w)/2, (d.height-h)/2
	if d.fit == topLeft {
		left, top = 0, 0
	}
	tensor := d.pool.Get().([]float32)
	d.fill(tensor, p, left, top)
	return tensor, placement{
		scaleX: float64(w) / float64(width), scaleY: float64(h) / float64(height), left: float64(left), top: float64(top),
	}, nil
}

// release takes back a tensor of input.
func (d *description) release(tensor []float32) {
	d.pool.Put(tensor) //nolint:staticcheck // allocating a slice header is cheap compared with filling the tensor
}

// fill writes the image at (left, top) into a tensor, and grey around it.
func (d *description) fill(tensor []float32, p *imaging.Pixels, left, top int) {
	n := d.width * d.height
	planes := [3][]float32{tensor[:n], tensor[n : 2*n], tensor[2*n : 3*n]}
	if d.bgr {
		planes[0], planes[2] = planes[2], planes[0]
	}
	empty := d.values[grey]
	for _, plane := range planes {
		fillWith(plane[:top*d.width], empty)
		fillWith(plane[(top+p.Height)*d.width:], empty)
	}
	for y := range p.Height {
		from, to := (top+y)*d.width, (top+y+1)*d.width
		line := p.Pix[3*y*p.Width : 3*(y+1)*p.Width]
		for _, plane := range planes {
			fillWith(plane[from:from+left], empty)
			fillWith(plane[from+left+p.Width:to], empty)
		}
		red, green, blue := planes[0][from+left:to], planes[1][from+left:to], planes[2][from+left:to]
		for x := range p.Width {
			pixel := line[3*x : 3*x+3 : 3*x+3]
			red[x], green[x], blue[x] = d.values[pixel[0]], d.values[pixel[1]], d.values[pixel[2]]
		}
	}
}

func fillWith(tensor []float32, v float32) {
	for i := range tensor {
		tensor[i] = v
	}
}

// inputValues returns the input value of each pixel value.
func (p preprocessing) inputValues() (table [256]float32) {
	for v := range table {
		table[v] = float32(v) * p.white / 255
	}
	return table
}
