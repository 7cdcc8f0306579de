package resize

import (
	"math"

	"imageflow.dev/functions"
	"imageflow.dev/internal/imaging"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// fitted returns the output's size in pixels for an image, by the rules of the contract: a
// side of 0 follows from the other; with the aspect ratio kept, the image fits inside the
// target; no side grows unless enlarge is set. It returns an Invalid error if a derived side is
// too long.
func fitted(of imaging.Window, wanted size, r *imageflowv1.ResizeRequest) (w, h int, err error) {
	field := ""
	scaleX := float64(wanted.width) / of.Width
	scaleY := float64(wanted.height) / of.Height
	switch {
	case wanted == size{}:
		field, scaleX, scaleY = "angle", 1, 1
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
	w, h = side(of.Width, scaleX), side(of.Height, scaleY)
	if max(w, h) > maxSide {
		return 0, 0, tooLong(field, w, h)
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

// fitOf returns how an image fills the two targets of a request; unspecified if there are not two.
func fitOf(r *imageflowv1.ResizeRequest) imageflowv1.Fit {
	switch {
	case r.GetTargetWidth() == 0 || r.GetTargetHeight() == 0:
		return imageflowv1.Fit_FIT_UNSPECIFIED
	case r.GetFit() != imageflowv1.Fit_FIT_UNSPECIFIED:
		return r.GetFit()
	case r.GetMaintainAspectRatio():
		return imageflowv1.Fit_FIT_CONTAIN
	}
	return imageflowv1.Fit_FIT_FILL
}

// maxSide is the longest side in pixels that every encoder supports.
const maxSide = 16383

// tooLong returns the error of a field for an output with a side above maxSide.
func tooLong(field string, width, height int) error {
	return functions.Errorf(functions.Invalid, field,
		"the output would have %d×%d pixels, but no side may be longer than %d", width, height, maxSide)
}

func side(length, scale float64) int { return max(1, int(math.Round(length*scale))) }

// targets returns the requested sides in pixels; 0 means that a side is not given.
func targets(r *imageflowv1.ResizeRequest) (size, error) {
	ratio := r.GetDpr()
	if ratio == 0 {
		ratio = 1
	}
	times := func(side int32) int {
		if side == 0 {
			return 0
		}
		return max(1, int(math.Round(float64(side)*ratio)))
	}
	wanted := size{times(r.GetTargetWidth()), times(r.GetTargetHeight())}
	if max(wanted.width, wanted.height) > maxSide {
		return wanted, tooLong("dpr", wanted.width, wanted.height)
	}
	return wanted, nil
}
