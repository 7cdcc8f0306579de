package filter

import (
	"cmp"
	"context"
	"image"
	"image/color"
	"image/draw"
	"math"

	"imageflow.dev/functions"
	"imageflow.dev/internal/imaging"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// hiddenCells is the maximum number of cells along the longer side of a region that PIXELATE and
// BLUR show. TestRedaction_cannotBeUndone measures what they give away.
const hiddenCells = 4

// redactions are the filters that hide the regions of a redaction: each returns the pixels that
// hide a rectangle of the image.
var redactions = map[imageflowv1.FilterType]func(*redaction, image.Rectangle) (*image.NRGBA, error){
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
	return nil
}

// redaction hides the regions of one image.
type redaction struct {
	ctx     context.Context
	request *imageflowv1.FilterRequest
	whole   image.Rectangle
	regions []image.Rectangle
	pixels  *imaging.Pixels // decoded for a mosaic
}

// redact hides the regions of a request and adds them to the metadata.
func redact(
	ctx context.Context, r *imageflowv1.FilterRequest, in functions.Input, metadata *imageflowv1.FilterMetadata,
) (imaging.Encoded, error) {
	all, err := regions(r, in)
	if err != nil {
		return imaging.Encoded{}, err
	}
	if len(all) == 0 {
		if r.GetRedaction().GetOnNone() == imageflowv1.OnNone_ON_NONE_FAIL {
			return imaging.Encoded{}, functions.Errorf(functions.Invalid, "redaction.on_none", "no region to hide in the image")
		}
		if !r.GetRedaction().GetInvert() && !in.Image.Animated {
			return in.Image.Convert(ctx, in.Format) // with all frames
		}
	}
	metadata.Redacted = describe(all)
	width, height := in.Image.Size()
	hide := &redaction{ctx: ctx, request: r, whole: image.Rect(0, 0, width, height), regions: all}
	if r.GetFilterType() != imageflowv1.FilterType_FILTER_TYPE_FILL {
		if hide.pixels, err = in.Pixels(ctx); err != nil {
			return imaging.Encoded{}, err
		}
	}
	patches, err := hide.patches()
	if err != nil {
		return imaging.Encoded{}, err
	}
	within, encoded := in.Stage(ctx, "encode")
	defer encoded()
	return in.Image.PaintedFrom(within, hide.pixels, patches, in.Format)
}

// fill returns the pixels that hide a rectangle: all of one colour.
func (h *redaction) fill(at image.Rectangle) (*image.NRGBA, error) {
	paint := cmp.Or(functions.Colour(h.request.GetRedaction().GetColor()), color.RGBA{A: 255})
	m := image.NewNRGBA(at)
	draw.Draw(m, at, image.NewUniform(paint), image.Point{}, draw.Src)
	return m, nil
}

// mosaic returns the pixels that hide a rectangle: the mean colours of cells.
func (h *redaction) mosaic(at image.Rectangle) (*image.NRGBA, error) {
	smooth := h.request.GetFilterType() == imageflowv1.FilterType_FILTER_TYPE_BLUR
	return h.pixels.Mosaic(h.ctx, at, hiddenCells, smooth)
}

// patches returns a patch for each region, or one for all of the image outside the regions. If
// regions are larger than the image in sum, they share a patch, which bounds the memory.
func (h *redaction) patches() ([]imaging.Patch, error) {
	if h.request.GetRedaction().GetInvert() {
		return h.outside()
	}
	area := 0
	for _, at := range h.regions {
		area += at.Dx() * at.Dy()
	}
	var shared *image.NRGBA
	if area > h.whole.Dx()*h.whole.Dy() {
		shared = image.NewNRGBA(h.whole)
	}
	var all []imaging.Patch
	for _, at := range h.regions {
		m, err := redactions[h.request.GetFilterType()](h, at)
		if err != nil {
			return nil, err
		}
		to := shared
		if to == nil {
			to = image.NewNRGBA(at)
			all = append(all, imaging.Patch{At: at, Pixels: to})
		}
		h.eachRow(at, func(y, first, end int) {
			copy(to.Pix[to.PixOffset(first, y):], m.Pix[m.PixOffset(first, y):m.PixOffset(end, y)])
		})
	}
	if shared != nil {
		all = []imaging.Patch{{At: h.whole, Pixels: shared}}
	}
	return all, h.ctx.Err()
}

// outside returns the patch that hides everything but the regions.
func (h *redaction) outside() ([]imaging.Patch, error) {
	m, err := redactions[h.request.GetFilterType()](h, h.whole)
	if err != nil {
		return nil, err
	}
	for _, at := range h.regions {
		h.eachRow(at, func(y, first, end int) { clear(m.Pix[m.PixOffset(first, y):m.PixOffset(end, y)]) })
	}
	return []imaging.Patch{{At: h.whole, Pixels: m}}, h.ctx.Err()
}

// eachRow calls visit with the pixels from first to end, exclusively, that the shape of a region
// touches in each row.
func (h *redaction) eachRow(at image.Rectangle, visit func(y, first, end int)) {
	isEllipse := h.request.GetRedaction().GetShape() == imageflowv1.RedactionShape_REDACTION_SHAPE_ELLIPSE
	width, height := float64(at.Dx()), float64(at.Dy())
	for y := at.Min.Y; y < at.Max.Y && h.ctx.Err() == nil; y++ {
		first, end := at.Min.X, at.Max.X
		if isEllipse {
			// v is the distance of the row's nearest edge from the centre, over the half axis.
			row := float64(y - at.Min.Y)
			v := max(0, 1-2*(row+1)/height, 2*row/height-1)
			outside := width / 2 * (1 - math.Sqrt(1-v*v))
			first, end = first+int(outside), end-int(outside)
		}
		visit(y, first, end)
	}
}

// redactionFootprint returns the memory in bytes of the patches of a redaction, beside that of
// the image: at most twice the size of the image in RGBA.
func redactionFootprint(r *imageflowv1.FilterRequest, in functions.Input) int64 {
	if r.GetRedaction() == nil {
		return 0
	}
	width, height := in.Image.Size()
	return 2 * 4 * int64(width) * int64(height)
}
