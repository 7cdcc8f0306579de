package detect

import (
	"context"
	"fmt"
	"math"

	"imageflow.dev/internal/imaging"
)

// fit is how a picture is brought to the size of a model's input.
type fit string

const (
	// letterbox scales both sides alike; the picture is in the middle of grey.
	letterbox fit = "letterbox"
	// topLeft does too; the picture is in the top left corner.
	topLeft fit = "top-left"
	// stretch scales each side to the input's.
	stretch fit = "stretch"
)

// grey fills what a picture does not cover, as detectors are trained with.
const grey = 114

// preprocessing is how a picture becomes a model's input.
type preprocessing struct {
	fit fit
	// bgr tells that blue comes first.
	bgr bool
	// white is the number of a byte of 255.
	white float32
}

var usual = preprocessing{letterbox, false, 1}

// The parameters of a model that say how it takes pictures.
const (
	layoutKey   = "layout"
	fitKey      = "resize"
	channelsKey = "channel_order"
	rangeKey    = "pixel_range"
)

// preprocess returns how a model takes pictures: as its layout has it, but for what
// its parameters say.
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

// placement says where a picture lies in an input: the shown pixel (x, y) is at
// (x·scaleX + left, y·scaleY + top).
type placement struct{ scaleX, scaleY, left, top float64 }

// size returns the size at which a picture goes into an input.
func (f fit) size(width, height, inputWidth, inputHeight int) (int, int) {
	if f == stretch {
		return inputWidth, inputHeight
	}
	scale := math.Min(float64(inputWidth)/float64(width), float64(inputHeight)/float64(height))
	side := func(length, most int) int { return min(most, max(1, int(math.Round(float64(length)*scale)))) }
	return side(width, inputWidth), side(height, inputHeight)
}

// input returns the picture as the model takes it, 3×height×width, and where the
// picture lies in it. It goes back by release.
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

func (d *description) release(tensor []float32) { d.pool.Put(tensor) } //nolint:staticcheck // the header is small beside its pixels

// fill writes the picture at (left, top) into a tensor, and grey around it.
func (d *description) fill(tensor []float32, p *imaging.Pixels, left, top int) {
	n := d.width * d.height
	planes := [3][]float32{tensor[:n], tensor[n : 2*n], tensor[2*n : 3*n]}
	if d.bgr {
		planes[0], planes[2] = planes[2], planes[0]
	}
	empty := d.numbers[grey]
	for _, plane := range planes {
		set(plane[:top*d.width], empty)
		set(plane[(top+p.Height)*d.width:], empty)
	}
	for y := range p.Height {
		from, to := (top+y)*d.width, (top+y+1)*d.width
		line := p.Pix[3*y*p.Width : 3*(y+1)*p.Width]
		for _, plane := range planes {
			set(plane[from:from+left], empty)
			set(plane[from+left+p.Width:to], empty)
		}
		red, green, blue := planes[0][from+left:to], planes[1][from+left:to], planes[2][from+left:to]
		for x := range p.Width {
			pixel := line[3*x : 3*x+3 : 3*x+3]
			red[x], green[x], blue[x] = d.numbers[pixel[0]], d.numbers[pixel[1]], d.numbers[pixel[2]]
		}
	}
}

func set(numbers []float32, v float32) {
	for i := range numbers {
		numbers[i] = v
	}
}

// numbered returns the number of each byte.
func (p preprocessing) numbered() (table [256]float32) {
	for v := range table {
		table[v] = float32(v) * p.white / 255
	}
	return table
}
