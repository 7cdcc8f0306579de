package resize

import (
	"image"
	"math"

	"imageflow.dev/functions"
	"imageflow.dev/internal/imaging"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// sizes are the sizes, in pixels, of the images that run makes; zero for an image that it does not
// make.
type sizes struct {
	// The most interesting part is searched in searched.
	searched image.Point
	// An image of rotated pixels is made of a source.
	searchedSource, source image.Point
	shown, canvas          image.Point
	// bordered reports whether the canvas has a border around the shown part.
	bordered bool
}

// sizes returns the sizes of a plan.
func (p *plan) sizes() sizes {
	s := sizes{shown: p.shown.Size(), canvas: p.canvas.Size(), bordered: p.canvas != p.shown}
	if p.angle != 0 {
		s.source = p.rotation().size()
	}
	if _, ok := p.interest(); ok {
		all := p.covering()
		s.searched = all.canvas.Size()
		if p.angle != 0 {
			s.searchedSource = all.rotation().size()
		}
	}
	return s
}

// sizesOfParts returns maximum sizes for all parts of the plan's part. By the rules of the
// contract, only two targets enlarge a part.
func (p *plan) sizesOfParts(r *imageflowv1.ResizeRequest, wanted size) sizes {
	box := image.Pt(int(math.Ceil(p.box.Width)), int(math.Ceil(p.box.Height)))
	s := sizes{shown: box, bordered: r.GetFit() == imageflowv1.Fit_FIT_PAD || r.GetExtend() != nil}
	if wanted.width > 0 {
		s.shown.X = wanted.width
	}
	if wanted.height > 0 {
		s.shown.Y = wanted.height
	}
	by := r.GetExtend()
	s.canvas = s.shown.Add(image.Pt(int(by.GetLeft()+by.GetRight()), int(by.GetTop()+by.GetBottom())))
	if p.angle != 0 {
		s.source = rotated(s.shown)
	}
	if _, ok := interests[p.gravity]; ok {
		s.searched = box
		if p.angle != 0 {
			s.searchedSource = rotated(box)
		}
	}
	return s
}

// rotated returns the maximum size of the source of rotated pixels.
func rotated(s image.Point) image.Point {
	diagonal := int(math.Hypot(float64(s.X), float64(s.Y))) + 2*filterMargin + 1
	return image.Pt(diagonal, diagonal)
}

// largest returns the size with the most pixels.
func (s sizes) largest() image.Point {
	most := s.canvas
	for _, other := range []image.Point{s.shown, s.source, s.searched, s.searchedSource} {
		if area(other) > area(most) {
			most = other
		}
	}
	return most
}

func area(of image.Point) int64 { return int64(of.X) * int64(of.Y) }

// footprint returns the maximum memory of apply in bytes.
func footprint(r *imageflowv1.ResizeRequest, in functions.Input) int64 {
	part, err := cropped(r, in)
	if err != nil {
		return 0
	}
	p, err := newPlan(in.Image.Header, part, r)
	if err != nil {
		return 0
	}
	h := in.Image.Turned(p.quarters, p.mirrored).Header
	s, memory := p.sizes(), int64(0)
	if r.GetTrim() != nil {
		wanted, _ := targets(r) // newPlan has checked them
		s, memory = p.sizesOfParts(r, wanted), in.Image.TrimFootprint()
	}
	if r.GetDescribe() {
		memory += describing * area(s.canvas)
	}
	if s.searched != (image.Point{}) {
		memory += pixelsFootprint(h, s.searchedSource, s.searched, in.Format)
	}
	return memory + outputFootprint(h, s, in.Format)
}

// largeOutput returns the field of the request that makes the output take more memory than the image, and
// the largest size that is made; "" means that the image takes more.
func largeOutput(r *imageflowv1.ResizeRequest, in functions.Input) (field string, size image.Point) {
	part, err := cropped(r, in)
	if err != nil {
		return "", size
	}
	p, err := newPlan(in.Image.Header, part, r)
	if err != nil {
		return "", size
	}
	size = p.sizes().largest()
	width, height := in.Image.Size()
	switch {
	case area(size) > area(image.Pt(width, height)):
		return p.enlargedBy, size
	case footprint(r, in) < 2*in.Image.ReadFootprint():
		return "", size
	case r.GetTargetWidth() > 0:
		return "target_width", size
	case r.GetTargetHeight() > 0:
		return "target_height", size
	}
	return "", size
}

// outputFootprint returns the maximum memory of making the output, in bytes.
func outputFootprint(h imaging.Header, s sizes, f imaging.Format) int64 {
	if !s.bordered {
		return pixelsFootprint(h, s.source, s.shown, f)
	}
	if s.source != (image.Point{}) {
		return h.TransformedFootprint(area(s.source), area(s.shown)+area(s.canvas), f)
	}
	return h.PaddedFootprint(s.shown.X, s.shown.Y, s.canvas.X, s.canvas.Y, f)
}

// pixelsFootprint is outputFootprint for an output without a border.
func pixelsFootprint(h imaging.Header, source, shown image.Point, f imaging.Format) int64 {
	if source != (image.Point{}) {
		return h.TransformedFootprint(area(source), area(shown), f)
	}
	return h.ResizeFootprint(shown.X, shown.Y, f)
}
