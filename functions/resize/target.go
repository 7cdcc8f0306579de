package resize

import (
	"math"

	"imageflow.dev/functions"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// fitted returns the output's size in pixels for an image, by the rules of the contract: a
// side of 0 follows from the other; with the aspect ratio kept, the image fits inside the
// target; no side grows unless enlarge is set. It returns an Invalid error if a derived side is
// too long.
func fitted(of, wanted size, r *imageflowv1.ResizeRequest) (w, h int, err error) {
	field := ""
	scaleX := float64(wanted.width) / float64(of.width)
	scaleY := float64(wanted.height) / float64(of.height)
	switch {
	case wanted == size{}:
		scaleX, scaleY = 1, 1
	case scaleX == 0:
		field, scaleX = "target_height", scaleY
	case scaleY == 0:
		field, scaleY = "target_width", scaleX
	case keepsAspectRatio(r):
		scaleX = math.Min(scaleX, scaleY)
		scaleY = scaleX
	}
	if !r.GetEnlarge() {
		scaleX, scaleY = math.Min(scaleX, 1), math.Min(scaleY, 1)
	}
	w, h = side(of.width, scaleX), side(of.height, scaleY)
	if max(w, h) > maxSide {
		return 0, 0, functions.Errorf(functions.Invalid, field,
			"the output would have %d×%d pixels, but no side may be longer than %d", w, h, maxSide)
	}
	return w, h, nil
}

func keepsAspectRatio(r *imageflowv1.ResizeRequest) bool {
	switch r.GetFit() {
	case imageflowv1.Fit_FIT_CONTAIN, imageflowv1.Fit_FIT_PAD:
		return true
	}
	return r.GetMaintainAspectRatio()
}

// maxSide is the longest side in pixels that every encoder supports.
const maxSide = 16383

func side(length int, scale float64) int {
	return max(1, int(math.Round(float64(length)*scale)))
}
