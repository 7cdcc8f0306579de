package functions

import (
	"math"
	"slices"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// Inverse returns the inverse of a map, for boxes: the box around the corners of a mapped box, so
// that no part of it is lost. ok is false if the map has no inverse.
func Inverse(a *imageflowv1.AffineMap) (of func(*imageflowv1.BoundingBox) *imageflowv1.BoundingBox, ok bool) {
	inverse, ok := inversePoint(a)
	if !ok {
		return nil, false
	}
	return func(b *imageflowv1.BoundingBox) *imageflowv1.BoundingBox {
		var xs, ys []float32
		for _, x := range []float32{b.GetX1(), b.GetX2()} {
			for _, y := range []float32{b.GetY1(), b.GetY2()} {
				toX, toY := inverse(x, y)
				xs, ys = append(xs, toX), append(ys, toY)
			}
		}
		return &imageflowv1.BoundingBox{X1: slices.Min(xs), Y1: slices.Min(ys), X2: slices.Max(xs), Y2: slices.Max(ys)}
	}, true
}

// inversePoint returns the inverse of a map, for points.
func inversePoint(a *imageflowv1.AffineMap) (of func(x, y float32) (toX, toY float32), ok bool) {
	det := a.GetXx()*a.GetYy() - a.GetXy()*a.GetYx()
	if det == 0 || math.IsNaN(det) || math.IsInf(det, 0) {
		return nil, false
	}
	return func(x, y float32) (toX, toY float32) {
		dx, dy := float64(x)-a.GetX0(), float64(y)-a.GetY0()
		return float32((a.GetYy()*dx - a.GetXy()*dy) / det), float32((a.GetXx()*dy - a.GetYx()*dx) / det)
	}, true
}

func isIdentity(a *imageflowv1.AffineMap) bool {
	return a.GetXx() == 1 && a.GetXy() == 0 && a.GetX0() == 0 && a.GetYx() == 0 && a.GetYy() == 1 && a.GetY0() == 0
}
