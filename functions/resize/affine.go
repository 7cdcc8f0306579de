package resize

import (
	"image"
	"math"

	"imageflow.dev/internal/imaging"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// turn plans rotate, angle and flip of a part of the upright image.
func (p *plan) turn(h imaging.Header, part image.Rectangle, r *imageflowv1.ResizeRequest) {
	degrees := float64(r.GetRotate()) + r.GetAngle()
	p.mirrored = r.GetFlip() != imageflowv1.Flip_FLIP_UNSPECIFIED
	if r.GetFlip() == imageflowv1.Flip_FLIP_VERTICAL {
		degrees += 180
	}
	quarters := math.Round(degrees / 90)
	p.quarters = ((int(quarters) % 4) + 4) % 4
	p.angle = (degrees - 90*quarters) * math.Pi / 180
	if p.mirrored { // the mirror image of a rotation
		p.angle = -p.angle
	}
	p.turned.width, p.turned.height = h.Turned(p.quarters, p.mirrored).Size()
	_, height := h.Size()
	for range p.quarters {
		part = image.Rect(height-part.Min.Y, part.Min.X, height-part.Max.Y, part.Max.X)
		height = p.turned.width + p.turned.height - height
	}
	if p.mirrored {
		part = image.Rect(p.turned.width-part.Min.X, part.Min.Y, p.turned.width-part.Max.X, part.Max.Y)
	}
	p.part = imaging.Window{
		Left: float64(part.Min.X), Top: float64(part.Min.Y), Width: float64(part.Dx()), Height: float64(part.Dy()),
	}
	p.box = p.part
	if p.angle != 0 {
		sin, cos := math.Sincos(math.Abs(p.angle))
		p.box.Width, p.box.Height = p.part.Width*cos+p.part.Height*sin, p.part.Width*sin+p.part.Height*cos
		p.box.Left += (p.part.Width - p.box.Width) / 2
		p.box.Top += (p.part.Height - p.box.Height) / 2
	}
	p.window = p.box
}

// row is one coordinate of an affine map: factors for x and y, and a constant.
type row [3]float64

// at returns the coordinate for a point.
func (r row) at(x, y float64) float64 { return r[0]*x + r[1]*y + r[2] }

// from returns the coordinate counted from the other end of a side.
func (r row) from(length int) row {
	return row{0 - r[0], 0 - r[1], float64(length) - r[2]} // not -0
}

// turnedFromFitted returns the map from the resized pixels, moved by an offset, to the turned image.
func (p *plan) turnedFromFitted(offset image.Point) (x, y row) {
	scaleX, scaleY := p.window.Width/float64(p.width), p.window.Height/float64(p.height)
	x = row{scaleX, 0, p.window.Left + float64(offset.X)*scaleX}
	y = row{0, scaleY, p.window.Top + float64(offset.Y)*scaleY}
	if p.angle == 0 {
		return x, y
	}
	sin, cos := math.Sincos(p.angle)
	centreX, centreY := p.part.Left+p.part.Width/2, p.part.Top+p.part.Height/2
	dx, dy := x[2]-centreX, y[2]-centreY
	return row{cos * scaleX, sin * scaleY, cos*dx + sin*dy + centreX},
		row{-sin * scaleX, cos * scaleY, cos*dy - sin*dx + centreY}
}

// showsAll reports whether the output shows exactly the upright image.
func (p *plan) showsAll() bool {
	whole := imaging.Window{Width: float64(p.turned.width), Height: float64(p.turned.height)}
	return p.quarters == 0 && !p.mirrored && p.isResize() && p.visible() == whole
}

// originalFromOutput returns the map from points of the output to points of the upright image.
func (p *plan) originalFromOutput() *imageflowv1.AffineMap {
	x, y := p.turnedFromFitted(p.canvas.Min)
	width, height := p.turned.width, p.turned.height
	if p.mirrored {
		x = x.from(width)
	}
	for range p.quarters { // undo a quarter
		x, y = y, x.from(width)
		width, height = height, width
	}
	return &imageflowv1.AffineMap{Xx: x[0], Xy: x[1], X0: x[2], Yx: y[0], Yy: y[1], Y0: y[2]}
}

// rotation describes how a rotated output is made: source, a part of the turned image, is
// resized to width × height pixels, and these are drawn on the shown pixels of the plan.
type rotation struct {
	source        imaging.Window
	width, height int
	to            imaging.Affine
}

func (r rotation) size() image.Point { return image.Pt(r.width, r.height) }

// filterMargin is the number of pixels around those that are drawn which the interpolation sees.
const filterMargin = 3

// rotation returns the rotation of a plan with an angle.
func (p *plan) rotation() rotation {
	// A step along a side of the source has this length in the output.
	scaleX, scaleY := float64(p.width)/p.window.Width, float64(p.height)/p.window.Height
	sin, cos := math.Sincos(p.angle)
	across, down := math.Hypot(scaleX*cos, scaleY*sin), math.Hypot(scaleX*sin, scaleY*cos)
	x, y := p.turnedFromFitted(p.shown.Min)
	w, h := float64(p.shown.Dx()), float64(p.shown.Dy())
	var r rotation
	r.source.Left, r.source.Width = overlap(x, w, h, filterMargin/across, p.part.Left, p.part.Width)
	r.source.Top, r.source.Height = overlap(y, w, h, filterMargin/down, p.part.Top, p.part.Height)
	r.width, r.height = side(r.source.Width, across), side(r.source.Height, down)
	// The inverse of x and y, for pixels of the resized source.
	stepX, stepY := r.source.Width/float64(r.width), r.source.Height/float64(r.height)
	left, top := r.source.Left-x[2], r.source.Top-y[2]
	r.to = imaging.Affine{
		scaleX * cos * stepX, -scaleX * sin * stepY, scaleX * (cos*left - sin*top),
		scaleY * sin * stepX, scaleY * cos * stepY, scaleY * (sin*left + cos*top),
	}
	return r
}

// overlap returns the part of a side that a coordinate of width × height pixels covers, with a
// margin. It has at least one pixel of the margin.
func overlap(r row, width, height, margin, begin, length float64) (from, n float64) {
	at := []float64{r.at(0, 0), r.at(width, 0), r.at(0, height), r.at(width, height)}
	least, most := at[0], at[0]
	for _, v := range at[1:] {
		least, most = min(least, v), max(most, v)
	}
	from = min(max(least-margin, begin), begin+length-min(margin, length))
	return from, max(min(most+margin, begin+length)-from, min(margin, length))
}
