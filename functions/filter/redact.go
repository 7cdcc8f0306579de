package filter

import (
	"cmp"
	"context"
	"image"
	"image/color"
	"math"

	"imageflow.dev/functions"
	"imageflow.dev/internal/imaging"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// hiddenCells is the maximum number of cells along the longer side of a region that PIXELATE and
// BLUR show. TestRedaction_cannotBeUndone measures what they give away.
const hiddenCells = 4

// maxCovered is the maximum area of all regions, compared with the area of the image. It bounds the time.
const maxCovered = 32

// redactions are the filters that hide the regions of a redaction.
var redactions = map[imageflowv1.FilterType]func(*redaction, context.Context, image.Rectangle) (imaging.Painter, error){
	imageflowv1.FilterType_FILTER_TYPE_PIXELATE: (*redaction).mosaic,
	imageflowv1.FilterType_FILTER_TYPE_BLUR:     (*redaction).mosaic,
	imageflowv1.FilterType_FILTER_TYPE_FILL:     (*redaction).fill,
}

// checkRedaction rejects a redaction without a filter that hides, the reverse, and one that keeps
// metadata in which the image may be repeated.
func checkRedaction(r *imageflowv1.FilterRequest) error {
	_, hides := redactions[r.GetFilterType()]
	needed := hides && r.GetFilterType() != imageflowv1.FilterType_FILTER_TYPE_BLUR
	given := r.GetRedaction() != nil
	switch {
	case needed && !given:
		return functions.Errorf(functions.Invalid, "redaction", "%s needs it", r.GetFilterType())
	case !given:
		return nil
	case !hides:
		return functions.Errorf(functions.Invalid, "redaction", "%s has none; leave it out", r.GetFilterType())
	case r.GetIntensity() != 0:
		return functions.Errorf(functions.Invalid, "intensity", "a redaction has none; leave it out")
	case r.GetRedaction().GetColor() != "" && r.GetFilterType() != imageflowv1.FilterType_FILTER_TYPE_FILL:
		return functions.Errorf(functions.Invalid, "redaction.color", "%s has none; leave it out", r.GetFilterType())
	case r.GetEncoding().GetKeep() == imageflowv1.Keep_KEEP_ALL:
		return functions.Errorf(functions.Invalid, "encoding.keep", "metadata may contain the image before its redaction: "+
			"use KEEP_COPYRIGHT or none")
	}
	return functions.CheckSelection(r, r.GetRedaction(), redactionField)
}

// redactionField is the request's field of the redaction.
const redactionField = "redaction"

// redaction hides regions of an image in its pixels, or in the planes of a JPEG, which is encoded again as a
// whole: its samples of colour at the edge of a region also contain hidden pixels.
type redaction struct {
	request *imageflowv1.FilterRequest
	image   imaging.Paintable
	whole   image.Rectangle
	// spread is how far hidden pixels have coloured others in the decoder. Those are hidden, too.
	spread int
}

// redact hides the regions of a request and adds them to the metadata.
func redact(
	ctx context.Context, r *imageflowv1.FilterRequest, in functions.Input, metadata *imageflowv1.FilterMetadata,
) (imaging.Encoded, error) {
	hidden, err := newRegions(r, in)
	if err != nil {
		return imaging.Encoded{}, err
	}
	animated := in.Image.Moves(in.Format)
	all := hidden.inFrames(in.Image.Number(), in.Image.SelectedFrames())
	if len(all) == 0 {
		if r.GetRedaction().GetOnNone() == imageflowv1.OnNone_ON_NONE_FAIL {
			return imaging.Encoded{}, functions.Errorf(functions.Invalid, "redaction.on_none", "no region to hide in the image")
		}
		if !r.GetRedaction().GetInvert() && (animated || !in.Image.Animated && in.Image.Frames <= 1) {
			return in.Image.Convert(ctx, in.Format) // with all frames
		}
	}
	for _, o := range all {
		metadata.Redacted = append(metadata.Redacted, functions.BoxOf(o.At))
	}
	if animated {
		return in.Image.Animate(ctx, in.Format, func(ctx context.Context, frame *imaging.Image) (*imaging.Pixels, error) {
			p, err := frame.Pixels(ctx)
			if err != nil {
				return nil, err
			}
			return p, hide(ctx, r, p, frame, hidden.inFrame(frame.Number()))
		})
	}
	decoding, decoded := in.Stage(ctx, "decode")
	p, err := in.Image.Paintable(decoding, in.Format, fillColour(r))
	decoded()
	if err != nil {
		return imaging.Encoded{}, err
	}
	if err := hide(ctx, r, p, in.Image, all); err != nil {
		return imaging.Encoded{}, err
	}
	within, encoded := in.Stage(ctx, "encode")
	defer encoded()
	return p.EncodeLike(within, in.Image, in.Format)
}

// hide hides the regions of a request in a decoded image.
func hide(
	ctx context.Context, r *imageflowv1.FilterRequest, p imaging.Paintable, m *imaging.Image, regions []functions.Object,
) error {
	h := &redaction{request: r, image: p, whole: image.Rectangle{Max: image.Pt(m.Size())}}
	if _, decoded := p.(*imaging.Pixels); decoded {
		h.spread = m.ColourSpread()
	}
	return h.regions(ctx, regions)
}

// fillColour returns the colour of FILL.
func fillColour(r *imageflowv1.FilterRequest) color.RGBA {
	return cmp.Or(functions.Colour(r.GetRedaction().GetColor()), color.RGBA{A: 255})
}

// fill returns the painter of one colour.
func (h *redaction) fill(context.Context, image.Rectangle) (imaging.Painter, error) {
	return h.image.Solid(fillColour(h.request)), nil
}

// mosaic returns the painter of the mean colours of cells.
func (h *redaction) mosaic(ctx context.Context, at image.Rectangle) (imaging.Painter, error) {
	return h.image.Mosaic(ctx, at, hiddenCells, h.request.GetFilterType() == imageflowv1.FilterType_FILTER_TYPE_BLUR)
}

// regions hides the regions, or everything else.
func (h *redaction) regions(ctx context.Context, all []functions.Object) error {
	area := 0
	for _, o := range all {
		area += o.At.Dx() * o.At.Dy()
	}
	if area > maxCovered*h.whole.Dx()*h.whole.Dy() {
		return functions.Errorf(functions.Invalid, "redaction", "%d regions have more than %d times the area of the image",
			len(all), maxCovered)
	}
	if h.request.GetRedaction().GetInvert() {
		return h.others(ctx, all)
	}
	for _, o := range all {
		if err := h.object(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

// object hides a region.
func (h *redaction) object(ctx context.Context, o functions.Object) error {
	paint, err := redactions[h.request.GetFilterType()](h, ctx, h.grown(o, h.spread))
	if err != nil {
		return err
	}
	return h.eachRow(ctx, o, h.spread, paint)
}

// grown returns the pixels that are at most a distance from a region.
func (h *redaction) grown(o functions.Object, distance int) image.Rectangle {
	return o.At.Inset(-distance).Intersect(h.whole)
}

// others hides everything but the regions.
func (h *redaction) others(ctx context.Context, all []functions.Object) error {
	paint, err := redactions[h.request.GetFilterType()](h, ctx, h.whole)
	if err != nil {
		return err
	}
	hidden := newCoverage(h.whole)
	for y := range h.whole.Dy() {
		hidden.set(y, 0, h.whole.Dx(), inMask)
	}
	for _, o := range all {
		err := h.eachRow(ctx, o, 0, func(y, first, end int) { hidden.set(y, first, end, 0) })
		if err != nil {
			return err
		}
	}
	if err := hidden.grow(ctx, h.spread, h.spread); err != nil {
		return err
	}
	return hidden.eachRow(ctx, paint)
}

// eachRow calls paint with the pixels that the shape of a region touches in each row, and those that are at most a
// distance from them on each side. A given box has no mask.
func (h *redaction) eachRow(ctx context.Context, o functions.Object, distance int, paint imaging.Painter) error {
	r, at := h.request.GetRedaction(), h.grown(o, distance)
	if r.GetShape() == imageflowv1.RedactionShape_REDACTION_SHAPE_MASK && !o.IsGiven {
		c, err := maskCoverage(ctx, o, at, r.GetMargin(), distance, !r.GetInvert())
		if err != nil {
			return err
		}
		return c.eachRow(ctx, paint)
	}
	isEllipse := r.GetShape() == imageflowv1.RedactionShape_REDACTION_SHAPE_ELLIPSE
	for y := at.Min.Y; y < at.Max.Y; y++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		first, end := o.At.Min.X, o.At.Max.X
		if isEllipse { // the widest row within the distance contains the others
			middle := (o.Whole.Min.Y + o.Whole.Max.Y) / 2
			widest := min(max(middle, y-distance, o.At.Min.Y), y+distance, o.At.Max.Y-1)
			first, end = ellipseRow(o, widest)
		}
		if first < end {
			paint(y, max(first-distance, at.Min.X), min(end+distance, at.Max.X))
		}
	}
	return nil
}

// ellipseRow returns the pixels that an ellipse touches in a row. It fills the whole region, also if the image cuts
// the region off.
func ellipseRow(o functions.Object, y int) (first, end int) {
	width, height := float64(o.Whole.Dx()), float64(o.Whole.Dy())
	// v is the distance of the row's nearest edge from the centre, over the half axis.
	row := float64(y - o.Whole.Min.Y)
	v := max(0, 1-2*(row+1)/height, 2*row/height-1)
	outside := int(width / 2 * (1 - math.Sqrt(1-v*v)))
	return max(o.At.Min.X, o.Whole.Min.X+outside), min(o.At.Max.X, o.Whole.Max.X-outside)
}

// redactionFootprint returns the memory in bytes that a redaction takes besides the image.
func redactionFootprint(r *imageflowv1.FilterRequest, in functions.Input) int64 {
	width, height := in.Image.Size()
	area, memory := int64(width)*int64(height), int64(0)
	if r.GetRedaction().GetShape() == imageflowv1.RedactionShape_REDACTION_SHAPE_MASK {
		memory += 2 * area // the coverage of an object, and a polygon of it
	}
	if !r.GetRedaction().GetInvert() {
		return memory
	}
	memory += area
	if in.Image.Moves(in.Format) {
		memory *= 2 // of a frame, and of the one before
	}
	return memory
}
