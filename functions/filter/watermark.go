package filter

import (
	"context"
	"errors"
	"image"
	"math"

	"imageflow.dev/functions"
	"imageflow.dev/internal/imaging"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// markField is the request's field of the object with the mark.
const markField = "watermark.image.object_key"

// markObject returns the object with the mark, nil for none.
func markObject(r *imageflowv1.FilterRequest) *imageflowv1.ImageData {
	if r.GetWatermark().GetImage().GetObjectKey() == "" {
		return nil
	}
	return r.GetWatermark().GetImage()
}

// checkMark rejects a watermark without its filter, the filter without a watermark, and a
// gravity that depends on the content of the image.
func checkMark(r *imageflowv1.FilterRequest) error {
	given, needed := r.GetWatermark() != nil, r.GetFilterType() == imageflowv1.FilterType_FILTER_TYPE_WATERMARK
	switch {
	case needed && !given:
		return functions.Errorf(functions.Invalid, "watermark", "%s needs it", r.GetFilterType())
	case given && !needed:
		return functions.Errorf(functions.Invalid, "watermark", "%s has none; leave it out", r.GetFilterType())
	}
	if _, _, ok := functions.Place(r.GetWatermark().GetGravity()); !ok {
		return functions.Errorf(functions.Invalid, "watermark.gravity", "%s is not a place of a watermark",
			r.GetWatermark().GetGravity())
	}
	return nil
}

// mark is the image of a watermark and the place where it is drawn.
type mark struct {
	image *imaging.Image
	at    image.Rectangle // in pixels of the image below
	cell  image.Point     // the size of the mark with the space up to the next one
	tile  bool
	field string // of the request, for errors
}

// newMark reads the header of a request's mark.
func newMark(r *imageflowv1.FilterRequest, in functions.Input) (*mark, error) {
	w := r.GetWatermark()
	m, data := &mark{tile: w.GetTile(), field: markField}, in.Reference
	if markObject(r) == nil {
		m.field, data = "watermark.image_bytes", w.GetImageBytes()
	}
	var err error
	if m.image, err = imaging.Open(data, in.Image.Limits); err != nil {
		return nil, m.inputError(err)
	}
	width, height := in.Image.Size()
	return m, m.place(w, image.Rect(0, 0, width, height))
}

// inputError returns an error of imaging about the mark as one of its field.
func (m *mark) inputError(err error) error {
	var input *imaging.InputError
	if errors.As(err, &input) {
		return functions.Errorf(functions.Invalid, m.field, "%s", input.Reason)
	}
	return err
}

// place sets the place of the mark in an image, and its cell.
func (m *mark) place(w *imageflowv1.Watermark, whole image.Rectangle) error {
	space, margin := whole, int(w.GetMargin())
	if !m.tile {
		space = whole.Inset(margin)
	}
	if space.Empty() {
		return functions.Errorf(functions.Invalid, "watermark.margin", "%d pixels leave no space in an image of %d×%d pixels",
			margin, whole.Dx(), whole.Dy())
	}
	width, height := m.image.Size()
	scale := 1.0
	if w.GetScale() > 0 {
		scale = w.GetScale() * float64(whole.Dx()) / float64(width)
	}
	scale = min(scale, float64(space.Dx())/float64(width), float64(space.Dy())/float64(height))
	side := func(length int) int { return max(1, int(math.Round(scale*float64(length)))) }
	size := image.Pt(side(width), side(height))
	free := space.Size().Sub(size)
	left, above, _ := functions.Place(w.GetGravity())
	corner := space.Min.Add(image.Pt(int(left*float64(free.X)), int(above*float64(free.Y))))
	m.at, m.cell = image.Rectangle{corner, corner.Add(size)}, size
	if m.tile { // a larger cell would only have space beyond the image
		m.cell = image.Pt(min(size.X+margin, whole.Dx()), min(size.Y+margin, whole.Dy()))
	}
	return nil
}

// markFootprint returns the maximum memory in bytes of a request's mark: of its resize, and
// of its cell of RGBA. It is 0 without a mark.
func markFootprint(r *imageflowv1.FilterRequest, in functions.Input) int64 {
	if r.GetWatermark() == nil {
		return 0
	}
	m, err := newMark(r, in)
	if err != nil {
		return 0
	}
	return m.image.ResizeFootprint(m.at.Dx(), m.at.Dy(), imaging.PNG) + 4*int64(m.cell.X)*int64(m.cell.Y)
}

// watermark draws the mark of a request. It adds the place of the mark to the settings.
func watermark(ctx context.Context, r *imageflowv1.FilterRequest, in functions.Input, s settings) (imaging.Encoded, error) {
	m, err := newMark(r, in)
	if err != nil {
		return imaging.Encoded{}, err
	}
	s["left"], s["top"] = float64(m.at.Min.X), float64(m.at.Min.Y)
	s["width"], s["height"] = float64(m.at.Dx()), float64(m.at.Dy())
	within, decoded := in.Stage(ctx, "decode")
	pixels, err := m.image.ScaledWindow(within, m.image.Whole(), m.at.Dx(), m.at.Dy(), imaging.Good)
	decoded()
	if err != nil {
		return imaging.Encoded{}, m.inputError(err)
	}
	patch, err := m.patch(ctx, pixels, float64(r.GetIntensity()))
	if err != nil {
		return imaging.Encoded{}, err
	}
	within, encoded := in.Stage(ctx, "encode")
	defer encoded()
	return in.Image.Painted(within, []imaging.Patch{patch}, in.Format)
}

// patch returns the patch to paint: the pixels of the mark in a transparent cell, with alpha
// multiplied by the opacity.
func (m *mark) patch(ctx context.Context, p *imaging.Pixels, opacity float64) (imaging.Patch, error) {
	var alphas [256]uint8
	for a := range alphas {
		alphas[a] = uint8(math.Round(opacity * float64(a)))
	}
	cell := image.NewNRGBA(image.Rectangle{m.at.Min, m.at.Min.Add(m.cell)})
	for y := range p.Height {
		if err := ctx.Err(); err != nil {
			return imaging.Patch{}, err
		}
		row := p.Pix[y*p.Width*p.Channels:][:p.Width*p.Channels]
		to := cell.Pix[y*cell.Stride:]
		for i := 0; i < len(row); i, to = i+p.Channels, to[4:] {
			to[3] = 255
			copy(to[:4], row[i:i+p.Channels])
			to[3] = alphas[to[3]]
		}
	}
	if m.tile {
		return imaging.Patch{At: everywhere, Pixels: cell}, nil
	}
	return imaging.Patch{At: m.at, Pixels: cell}, nil
}

// everywhere contains every image.
var everywhere = image.Rect(0, 0, math.MaxInt32, math.MaxInt32)
