package detect

import (
	"math"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/encoding/protojson"

	"imageflow.dev/functions"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// original is the image that boxes are reported in: the original image if the request refers to a
// resize side-car; otherwise the image itself, which is nil.
type original struct {
	width, height int
	affine        *imageflowv1.AffineMap // from the image
	object        *imageflowv1.ImageData // nil if the side-car does not name it
}

// readResize reads the side-car of a resize.
func readResize(data []byte) (*imageflowv1.ResizeMetadata, error) {
	resized := &imageflowv1.ResizeMetadata{}
	return resized, protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(data, resized)
}

func newOriginal(r *imageflowv1.DetectionRequest, in functions.Input) (*original, error) {
	if r.GetResizeMetadataRef().GetObjectKey() == "" {
		return nil, nil
	}
	resized, err := readResize(in.Reference)
	width, height := in.Image.Size()
	o := &original{
		int(resized.GetOriginalWidth()), int(resized.GetOriginalHeight()), resized.GetOriginalFromOutput(), resized.GetSource(),
	}
	switch {
	case err != nil || o.width < 1 || o.height < 1:
		return nil, functions.Errorf(functions.Invalid, referenceField, "not the side-car of a resize")
	case int(resized.GetOutputWidth()) != width || int(resized.GetOutputHeight()) != height:
		return nil, functions.Errorf(functions.Invalid, referenceField,
			"it describes an image of %d×%d pixels, this one has %d×%d",
			resized.GetOutputWidth(), resized.GetOutputHeight(), width, height)
	case o.affine == nil:
		o.affine = &imageflowv1.AffineMap{
			Xx: float64(o.width) / float64(width), Yy: float64(o.height) / float64(height),
		}
	case !isFinite(o.affine):
		return nil, functions.Errorf(functions.Invalid, referenceField, "its original_from_output is not a map")
	}
	if o.object != nil && protovalidate.Validate(o.object) != nil {
		return nil, functions.Errorf(functions.Invalid, referenceField, "its source is not the name of an object")
	}
	return o, nil
}

// fromImage maps a box of the image to the original.
func (o *original) fromImage(b box) box {
	if o == nil {
		return b
	}
	return b.mapped(o.affine).clip(o.width, o.height)
}

// withDetails is fromImage with the details of the box, which are not clipped.
func (o *original) withDetails(b box) box {
	if o == nil {
		return b
	}
	inOriginal := o.fromImage(b)
	inOriginal.details = b.details.mapped(func(x, y float32) (float32, float32) { return mapPoint(o.affine, x, y) })
	if d := inOriginal.details; d != nil && d.rotated != nil { // the box around it in the original is smaller than the mapped box
		inOriginal = d.rotated.bounds(inOriginal).clip(o.width, o.height)
	}
	return inOriginal
}

// describe adds the sizes and the map to the metadata.
func (o *original) describe(m *imageflowv1.DetectionMetadata, in functions.Input) {
	width, height := in.Image.Size()
	m.ImageWidth, m.ImageHeight = int32(width), int32(height)
	if o != nil {
		m.OriginalFromImage, m.OriginalWidth, m.OriginalHeight = o.affine, int32(o.width), int32(o.height)
		m.Original = o.object
	}
}

// mapped returns the box around the map's image of a box.
func (b box) mapped(a *imageflowv1.AffineMap) box {
	out := b
	for i, x := range []float32{b.x1, b.x2} {
		for j, y := range []float32{b.y1, b.y2} {
			toX, toY := mapPoint(a, x, y)
			if i+j == 0 {
				out.x1, out.y1, out.x2, out.y2 = toX, toY, toX, toY
			}
			out.x1, out.x2 = min(out.x1, toX), max(out.x2, toX)
			out.y1, out.y2 = min(out.y1, toY), max(out.y2, toY)
		}
	}
	return out
}

func mapPoint(a *imageflowv1.AffineMap, x, y float32) (toX, toY float32) {
	return float32(a.GetXx()*float64(x) + a.GetXy()*float64(y) + a.GetX0()),
		float32(a.GetYx()*float64(x) + a.GetYy()*float64(y) + a.GetY0())
}

func isFinite(a *imageflowv1.AffineMap) bool {
	for _, v := range []float64{a.GetXx(), a.GetXy(), a.GetX0(), a.GetYx(), a.GetYy(), a.GetY0()} {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return false
		}
	}
	return true
}
