package resize

import (
	"imageflow.dev/internal/imaging"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// Target is the size of the output for an image of width × height pixels.
func Target(width, height int, r *imageflowv1.ResizeRequest) (w, h int, err error) {
	box := imaging.Window{Width: float64(width), Height: float64(height)}
	return fitted(box, size{int(r.GetTargetWidth()), int(r.GetTargetHeight())}, r)
}

// KeepMost is keepMost with spans as their begin, end and weight.
func KeepMost(spans [][3]float64, length, side float64) float64 {
	var all []span
	for _, s := range spans {
		all = append(all, span{s[0], s[1], s[2]})
	}
	return keepMost(all, length, side)
}
