package resize

import (
	"image"
	"math"

	"imageflow.dev/functions"
	"imageflow.dev/internal/imaging"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// plan describes how an output is made of an image.
type plan struct {
	// The upright image is turned clockwise by quarters and then mirrored if asked for. It then
	// has this size in pixels.
	quarters int
	mirrored bool
	turned   size
	// part is the part of the turned image that remains after the crop.
	part imaging.Window
	// window is the part of it that becomes width × height pixels. With a gravity in interests,
	// its place is only known after run.
	window        imaging.Window
	width, height int
	gravity       imageflowv1.Gravity
	// canvas is the output in coordinates of these pixels. It contains them.
	canvas image.Rectangle
	// enlargedBy names the request's field that allows more pixels than the image has.
	enlargedBy string
}

// size is a width and a height in pixels.
type size struct{ width, height int }

// newPlan returns the plan of a valid request. Its errors are Invalid.
func newPlan(h imaging.Header, r *imageflowv1.ResizeRequest) (*plan, error) {
	p := &plan{gravity: r.GetGravity(), enlargedBy: "enlarge"}
	p.quarters, p.mirrored = int(r.GetRotate())/90, r.GetFlip() != imageflowv1.Flip_FLIP_UNSPECIFIED
	if r.GetFlip() == imageflowv1.Flip_FLIP_VERTICAL {
		p.quarters = (p.quarters + 2) % 4
	}
	p.turned.width, p.turned.height = h.Turned(p.quarters, p.mirrored).Size()
	part, err := crop(p.turned, r.GetCrop())
	if err != nil {
		return nil, err
	}
	wanted, err := targets(r)
	if err != nil {
		return nil, err
	}
	p.part = imaging.Window{
		Left: float64(part.Min.X), Top: float64(part.Min.Y), Width: float64(part.Dx()), Height: float64(part.Dy()),
	}
	p.window = p.part
	switch r.GetFit() {
	case imageflowv1.Fit_FIT_COVER:
		p.cover(wanted, r)
		return p, nil
	case imageflowv1.Fit_FIT_PAD:
		p.enlargedBy = "target_width"
	}
	p.width, p.height, err = fitted(size{part.Dx(), part.Dy()}, wanted, r)
	p.canvas = image.Rect(0, 0, p.width, p.height)
	if r.GetFit() == imageflowv1.Fit_FIT_PAD {
		x, y := place(p.gravity)
		left, top := int(x*float64(wanted.width-p.width)), int(y*float64(wanted.height-p.height))
		p.canvas = image.Rect(-left, -top, wanted.width-left, wanted.height-top)
	}
	return p, err
}

// crop returns the part of an image that a request crops it to, which is all of it for nil.
func crop(of size, c *imageflowv1.Crop) (image.Rectangle, error) {
	all := image.Rect(0, 0, of.width, of.height)
	if c == nil {
		return all, nil
	}
	unitX, unitY := 1.0, 1.0
	if c.GetFractions() {
		unitX, unitY = float64(of.width), float64(of.height)
	}
	left, width := edges(c.GetLeft()*unitX, c.GetWidth()*unitX, of.width)
	top, height := edges(c.GetTop()*unitY, c.GetHeight()*unitY, of.height)
	part := image.Rect(left, top, left+width, top+height)
	if !part.In(all) {
		return all, functions.Errorf(functions.Invalid, "crop",
			"it reaches beyond the image, which has %d×%d pixels", of.width, of.height)
	}
	return part, nil
}

// edges rounds the edges of a crop along a side with this number of pixels.
func edges(begin, length float64, pixels int) (first, n int) {
	beyond := float64(pixels) + 1 // an int has room for it
	first = int(math.Round(min(begin, beyond)))
	end := int(math.Round(min(begin+length, beyond)))
	if end == first { // less than a pixel
		first = int(min(begin, beyond))
		end = first + 1
	}
	return first, end - first
}

// targets returns the requested sides in pixels; 0 means that a side is not given.
func targets(r *imageflowv1.ResizeRequest) (size, error) {
	ratio := r.GetDpr()
	if ratio == 0 {
		ratio = 1
	}
	times := func(side int32) int {
		if side == 0 {
			return 0
		}
		return max(1, int(math.Round(float64(side)*ratio)))
	}
	wanted := size{times(r.GetTargetWidth()), times(r.GetTargetHeight())}
	if max(wanted.width, wanted.height) > maxSide {
		return wanted, functions.Errorf(functions.Invalid, "dpr",
			"the output would have %d×%d pixels, but no side may be longer than %d", wanted.width, wanted.height, maxSide)
	}
	return wanted, nil
}

// cover plans FIT_COVER.
func (p *plan) cover(wanted size, r *imageflowv1.ResizeRequest) {
	width, height := p.part.Width, p.part.Height
	p.width, p.height = wanted.width, wanted.height
	scale := max(float64(p.width)/width, float64(p.height)/height)
	if scale > 1 && !r.GetEnlarge() {
		p.width, p.height = side(p.width, 1/scale), side(p.height, 1/scale)
		scale = max(float64(p.width)/width, float64(p.height)/height)
	}
	p.canvas = image.Rect(0, 0, p.width, p.height)
	p.window.Width, p.window.Height = min(width, float64(p.width)/scale), min(height, float64(p.height)/scale)
	x, y := place(p.gravity)
	left, top := (width-p.window.Width)*x, (height-p.window.Height)*y
	if f := r.GetFocalPoint(); f != nil {
		left, top = f.GetX()*width-p.window.Width/2, f.GetY()*height-p.window.Height/2
	}
	p.move(p.part.Left+left, p.part.Top+top)
}

// move moves the window close to a place. It moves by whole pixels of the output, so that an image
// that is only cropped keeps its pixels.
func (p *plan) move(left, top float64) {
	offset := func(begin, room, scale float64) float64 {
		return min(max(0, math.Round(begin*scale)/scale), room)
	}
	w := &p.window
	w.Left = p.part.Left + offset(left-p.part.Left, p.part.Width-w.Width, float64(p.width)/w.Width)
	w.Top = p.part.Top + offset(top-p.part.Top, p.part.Height-w.Height, float64(p.height)/w.Height)
}

// interests are the gravities that depend on pixels.
var interests = map[imageflowv1.Gravity]imaging.Interest{
	imageflowv1.Gravity_GRAVITY_ATTENTION: imaging.Attention,
	imageflowv1.Gravity_GRAVITY_ENTROPY:   imaging.Entropy,
}

// interest returns the interest on which the place of the window depends, if there is one.
func (p *plan) interest() (imaging.Interest, bool) {
	interest, ok := interests[p.gravity]
	return interest, ok && p.window != p.part
}

// held returns the size of the largest image that run makes.
func (p *plan) held() (width, height int) {
	if _, ok := p.interest(); ok {
		return p.part.Covering(p.width, p.height)
	}
	return p.canvas.Dx(), p.canvas.Dy()
}

// place returns a gravity as fractions of the room beside an image.
func place(g imageflowv1.Gravity) (x, y float64) {
	places := [...][2]float64{
		imageflowv1.Gravity_GRAVITY_UNSPECIFIED:  {0.5, 0.5},
		imageflowv1.Gravity_GRAVITY_CENTER:       {0.5, 0.5},
		imageflowv1.Gravity_GRAVITY_TOP:          {0.5, 0},
		imageflowv1.Gravity_GRAVITY_BOTTOM:       {0.5, 1},
		imageflowv1.Gravity_GRAVITY_LEFT:         {0, 0.5},
		imageflowv1.Gravity_GRAVITY_RIGHT:        {1, 0.5},
		imageflowv1.Gravity_GRAVITY_TOP_LEFT:     {0, 0},
		imageflowv1.Gravity_GRAVITY_TOP_RIGHT:    {1, 0},
		imageflowv1.Gravity_GRAVITY_BOTTOM_LEFT:  {0, 1},
		imageflowv1.Gravity_GRAVITY_BOTTOM_RIGHT: {1, 1},
		imageflowv1.Gravity_GRAVITY_ATTENTION:    {}, // until run
		imageflowv1.Gravity_GRAVITY_ENTROPY:      {},
	}
	return places[g][0], places[g][1]
}

// isPadded reports whether the output has pixels around the image.
func (p *plan) isPadded() bool { return p.canvas != image.Rect(0, 0, p.width, p.height) }

// originalFromOutput returns the map from points of the output to points of the upright image. It
// is nil if the output shows the whole upright image.
func (p *plan) originalFromOutput() *imageflowv1.AffineMap {
	whole := imaging.Window{Width: float64(p.turned.width), Height: float64(p.turned.height)}
	if p.quarters == 0 && !p.mirrored && !p.isPadded() && p.window == whole {
		return nil
	}
	// Each row of the map is one coordinate: factors for x and y, and a constant.
	scaleX, scaleY := p.window.Width/float64(p.width), p.window.Height/float64(p.height)
	x := [3]float64{scaleX, 0, p.window.Left + float64(p.canvas.Min.X)*scaleX}
	y := [3]float64{0, scaleY, p.window.Top + float64(p.canvas.Min.Y)*scaleY}
	if p.mirrored {
		x = from(p.turned.width, x)
	}
	width, height := p.turned.width, p.turned.height
	for range p.quarters { // undo a quarter
		x, y = y, from(width, x)
		width, height = height, width
	}
	return &imageflowv1.AffineMap{Xx: x[0], Xy: x[1], X0: x[2], Yx: y[0], Yy: y[1], Y0: y[2]}
}

// from returns the coordinate counted from the other end of a side.
func from(length int, row [3]float64) [3]float64 {
	return [3]float64{0 - row[0], 0 - row[1], float64(length) - row[2]} // not -0
}
