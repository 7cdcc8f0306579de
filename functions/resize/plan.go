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
	// has the size turned in pixels, and part is the part of it that crop and trim leave.
	quarters int
	mirrored bool
	turned   size
	part     imaging.Window
	// The part is then rotated clockwise around its centre by angle, in radians from -π/4 to π/4.
	// box is the rectangle around it.
	angle float64
	box   imaging.Window
	// window is the part of the box that becomes width × height pixels. With a gravity in
	// interests, its place is only known after run, and with GRAVITY_OBJECTS after focus.
	window        imaging.Window
	width, height int
	gravity       imageflowv1.Gravity
	// shown is the part of these pixels that the output shows. canvas is the output in
	// coordinates of these pixels. It contains shown.
	shown, canvas image.Rectangle
	// enlargedBy names the request's field by which the output can have more pixels than the image.
	enlargedBy string
}

// size is a width and a height in pixels.
type size struct{ width, height int }

// newPlan returns the plan of a valid request for a part of the upright image. Its errors are
// Invalid.
func newPlan(h imaging.Header, part image.Rectangle, r *imageflowv1.ResizeRequest) (*plan, error) {
	p := &plan{gravity: r.GetGravity(), enlargedBy: "enlarge"}
	p.turn(h, part, r)
	if p.angle != 0 && !r.GetEnlarge() {
		p.enlargedBy = "angle"
	}
	wanted, err := targets(r)
	if err != nil {
		return nil, err
	}
	if r.GetFit() == imageflowv1.Fit_FIT_COVER {
		p.cover(wanted, r)
	} else if p.width, p.height, err = fitted(p.box, wanted, r); err != nil {
		return nil, err
	}
	if p.shown, err = crop(size{p.width, p.height}, r.GetCropAfter(), "crop_after"); err != nil {
		return nil, err
	}
	return p, p.surround(wanted, r)
}

// surround sets the canvas of FIT_PAD and extend.
func (p *plan) surround(wanted size, r *imageflowv1.ResizeRequest) error {
	p.canvas = p.shown
	if r.GetFit() == imageflowv1.Fit_FIT_PAD {
		p.enlargedBy = "target_width"
		x, y, _ := functions.Place(p.gravity)
		left, top := int(x*float64(wanted.width-p.shown.Dx())), int(y*float64(wanted.height-p.shown.Dy()))
		corner := p.shown.Min.Sub(image.Pt(left, top))
		p.canvas = image.Rectangle{corner, corner.Add(image.Pt(wanted.width, wanted.height))}
	}
	by := r.GetExtend()
	if by == nil {
		return nil
	}
	p.enlargedBy = "extend"
	p.canvas.Min = p.canvas.Min.Sub(image.Pt(int(by.GetLeft()), int(by.GetTop())))
	p.canvas.Max = p.canvas.Max.Add(image.Pt(int(by.GetRight()), int(by.GetBottom())))
	if max(p.canvas.Dx(), p.canvas.Dy()) > maxSide {
		return tooLong("extend", p.canvas.Dx(), p.canvas.Dy())
	}
	return nil
}

// cover plans FIT_COVER.
func (p *plan) cover(wanted size, r *imageflowv1.ResizeRequest) {
	width, height := p.box.Width, p.box.Height
	p.width, p.height = wanted.width, wanted.height
	scale := max(float64(p.width)/width, float64(p.height)/height)
	if scale > 1 && !r.GetEnlarge() {
		p.width, p.height = side(float64(p.width), 1/scale), side(float64(p.height), 1/scale)
		scale = max(float64(p.width)/width, float64(p.height)/height)
	}
	p.window.Width, p.window.Height = min(width, float64(p.width)/scale), min(height, float64(p.height)/scale)
	x, y, ok := functions.Place(p.gravity)
	if !ok { // until its place is known
		x, y = 0.5, 0.5
	}
	left, top := (width-p.window.Width)*x, (height-p.window.Height)*y
	if f := r.GetFocalPoint(); f != nil {
		left, top = f.GetX()*width-p.window.Width/2, f.GetY()*height-p.window.Height/2
	}
	p.move(p.box.Left+left, p.box.Top+top)
}

// move moves the window close to a place. It moves by whole pixels of the output, so that an image
// that is only cropped keeps its pixels.
func (p *plan) move(left, top float64) {
	offset := func(begin, room, scale float64) float64 {
		return min(max(0, math.Round(begin*scale)/scale), room)
	}
	w := &p.window
	w.Left = p.box.Left + offset(left-p.box.Left, p.box.Width-w.Width, float64(p.width)/w.Width)
	w.Top = p.box.Top + offset(top-p.box.Top, p.box.Height-w.Height, float64(p.height)/w.Height)
}

// interests are the gravities that depend on pixels.
var interests = map[imageflowv1.Gravity]imaging.Interest{
	imageflowv1.Gravity_GRAVITY_ATTENTION: imaging.Attention,
	imageflowv1.Gravity_GRAVITY_ENTROPY:   imaging.Entropy,
}

// interest returns the interest on which the place of the window depends, if there is one.
func (p *plan) interest() (imaging.Interest, bool) {
	interest, ok := interests[p.gravity]
	return interest, ok && p.window != p.box
}

// isResize reports whether the output is a resized window of the turned image.
func (p *plan) isResize() bool { return p.angle == 0 && p.canvas == p.shown }

// isWhole reports whether the output has all resized pixels.
func (p *plan) isWhole() bool { return p.shown == image.Rect(0, 0, p.width, p.height) }

// visible returns the part of the window that the output shows.
func (p *plan) visible() imaging.Window {
	if p.isWhole() {
		return p.window
	}
	x, y := p.window.Width/float64(p.width), p.window.Height/float64(p.height)
	return imaging.Window{
		Left: p.window.Left + float64(p.shown.Min.X)*x, Top: p.window.Top + float64(p.shown.Min.Y)*y,
		Width: float64(p.shown.Dx()) * x, Height: float64(p.shown.Dy()) * y,
	}
}

// covering returns the plan for the whole box at the scale of the window.
func (p *plan) covering() *plan {
	all := *p
	all.window = p.box
	all.width, all.height = p.box.Covering(p.width, p.height)
	all.shown = image.Rect(0, 0, all.width, all.height)
	all.canvas = all.shown
	return &all
}
