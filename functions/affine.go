package functions

import (
	"math"
	"slices"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// Inverse returns the inverse of a map, for boxes: the box around the corners of a mapped box, so
// that no part of it is lost. ok is false if the map has no inverse.
func Inverse(a *imageflowv1.AffineMap) (of func(*imageflowv1.BoundingBox) *imageflowv1.BoundingBox, ok bool) {
	det := a.GetXx()*a.GetYy() - a.GetXy()*a.GetYx()
	if det == 0 || math.IsNaN(det) || math.IsInf(det, 0) {
		return nil, false
	}
	return func(b *imageflowv1.BoundingBox) *imageflowv1.BoundingBox {
		var xs, ys []float32
		for _, x := range []float32{b.GetX1(), b.GetX2()} {
			for _, y := range []float32{b.GetY1(), b.GetY2()} {
				dx, dy := float64(x)-a.GetX0(), float64(y)-a.GetY0()
				xs = append(xs, float32((a.GetYy()*dx-a.GetXy()*dy)/det))
				ys = append(ys, float32((a.GetXx()*dy-a.GetYx()*dx)/det))
			}
		}
		return &imageflowv1.BoundingBox{X1: slices.Min(xs), Y1: slices.Min(ys), X2: slices.Max(xs), Y2: slices.Max(ys)}
	}, true
}

func isIdentity(a *imageflowv1.AffineMap) bool {
	return a.GetXx() == 1 && a.GetXy() == 0 && a.GetX0() == 0 && a.GetYx() == 0 && a.GetYy() == 1 && a.GetY0() == 0
}
