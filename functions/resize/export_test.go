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
