package detect

import (
	"math"

	"google.golang.org/protobuf/encoding/protojson"

	"imageflow.dev/functions"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// toOriginal returns the mapping of boxes from this image to the response: to the
// original image if the request refers to a resize side-car, or to this image.
func toOriginal(r *imageflowv1.DetectionRequest, in functions.Input) (func(box) box, error) {
	if reference(r) == nil {
		return func(b box) box { return b }, nil
	}
	resized := &imageflowv1.ResizeMetadata{}
	err := protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(in.Reference, resized)
	width, height := in.Image.Size()
	switch {
	case err != nil || resized.GetOriginalWidth() < 1 || resized.GetOriginalHeight() < 1:
		return nil, functions.Errorf(functions.Invalid, referenceField, "not the side-car of a resize")
	case int(resized.GetOutputWidth()) != width || int(resized.GetOutputHeight()) != height:
		return nil, functions.Errorf(functions.Invalid, referenceField,
			"it describes an image of %d×%d pixels, this one has %d×%d",
			resized.GetOutputWidth(), resized.GetOutputHeight(), width, height)
	}
	original := func(b box) box { return b.clip(int(resized.GetOriginalWidth()), int(resized.GetOriginalHeight())) }
	if affine := resized.GetOriginalFromOutput(); affine != nil {
		if !isFinite(affine) {
			return nil, functions.Errorf(functions.Invalid, referenceField, "its original_from_output is not a map")
		}
		return func(b box) box { return original(b.mapped(affine)) }, nil
	}
	scaleX := float32(resized.GetOriginalWidth()) / float32(width)
	scaleY := float32(resized.GetOriginalHeight()) / float32(height)
	return func(b box) box {
		b.x1, b.x2, b.y1, b.y2 = b.x1*scaleX, b.x2*scaleX, b.y1*scaleY, b.y2*scaleY
		return original(b)
	}, nil
}

// mapped returns the box around the map's image of a box.
func (b box) mapped(a *imageflowv1.AffineMap) box {
	out := b
	for i, x := range []float32{b.x1, b.x2} {
		for j, y := range []float32{b.y1, b.y2} {
			toX := float32(a.GetXx()*float64(x) + a.GetXy()*float64(y) + a.GetX0())
			toY := float32(a.GetYx()*float64(x) + a.GetYy()*float64(y) + a.GetY0())
			if i+j == 0 {
				out.x1, out.y1, out.x2, out.y2 = toX, toY, toX, toY
			}
			out.x1, out.x2 = min(out.x1, toX), max(out.x2, toX)
			out.y1, out.y2 = min(out.y1, toY), max(out.y2, toY)
		}
	}
	return out
}

func isFinite(a *imageflowv1.AffineMap) bool {
	for _, v := range []float64{a.GetXx(), a.GetXy(), a.GetX0(), a.GetYx(), a.GetYy(), a.GetY0()} {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return false
		}
	}
	return true
}
