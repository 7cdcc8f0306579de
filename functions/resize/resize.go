// Package resize makes images smaller or, on request, larger.
package resize

import (
	"context"
	"math"

	"google.golang.org/protobuf/proto"

	"imageflow.dev/functions"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/processors"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// Processor is the resize processor. Its side-car is the ResizeMetadata.
var Processor = functions.New(functions.Definition[*imageflowv1.ResizeRequest, *imageflowv1.ResizeResponse]{
	Info:      processors.Resize,
	Apply:     apply,
	Footprint: footprint,
	SideCar:   func(r *imageflowv1.ResizeResponse) proto.Message { return r.GetMetadata() },
})

// qualities maps the contract's qualities; unspecified means good.
var qualities = map[imageflowv1.ResizeQuality]struct {
	used    imageflowv1.ResizeQuality
	quality imaging.Quality
}{
	imageflowv1.ResizeQuality_RESIZE_QUALITY_UNSPECIFIED: {imageflowv1.ResizeQuality_RESIZE_QUALITY_GOOD, imaging.Good},
	imageflowv1.ResizeQuality_RESIZE_QUALITY_FAST:        {imageflowv1.ResizeQuality_RESIZE_QUALITY_FAST, imaging.Fast},
	imageflowv1.ResizeQuality_RESIZE_QUALITY_GOOD:        {imageflowv1.ResizeQuality_RESIZE_QUALITY_GOOD, imaging.Good},
	imageflowv1.ResizeQuality_RESIZE_QUALITY_BEST:        {imageflowv1.ResizeQuality_RESIZE_QUALITY_BEST, imaging.Best},
}

func apply(ctx context.Context, r *imageflowv1.ResizeRequest, in functions.Input) (
	imaging.Encoded, *imageflowv1.ResizeResponse, error,
) {
	width, height := in.Image.Size()
	w, h, err := target(width, height, r)
	if err != nil {
		return imaging.Encoded{}, nil, err
	}
	if limit := in.Image.Limits.MaxPixels; int64(w)*int64(h) > limit {
		return imaging.Encoded{}, nil, functions.Errorf(functions.Invalid, "enlarge",
			"the output would have %d×%d pixels, more than MAX_IMAGE_PIXELS=%d", w, h, limit)
	}
	q := qualities[r.GetQuality()]
	out, err := in.Image.Resize(ctx, w, h, q.quality, in.Format)
	if err != nil {
		return out, nil, err
	}
	return out, &imageflowv1.ResizeResponse{
		Result: &imageflowv1.ProcessingResult{},
		Metadata: &imageflowv1.ResizeMetadata{
			OriginalWidth: int32(width), OriginalHeight: int32(height),
			OutputWidth: int32(w), OutputHeight: int32(h),
			ScaleFactorX: float64(w) / float64(width), ScaleFactorY: float64(h) / float64(height),
			QualityUsed: q.used,
		},
	}, nil
}

func footprint(r *imageflowv1.ResizeRequest, in imaging.Header, f imaging.Format) int64 {
	width, height := in.Size()
	w, h, err := target(width, height, r)
	if err != nil {
		return 0
	}
	return in.ResizeFootprint(w, h, f)
}

// target returns the output's size in pixels for an image of width × height pixels, by
// the rules of the contract: a side of 0 follows from the other; with the aspect ratio
// kept, the image fits inside the target; no side grows unless enlarge is set. It
// returns an Invalid error if a derived side is too long.
func target(width, height int, r *imageflowv1.ResizeRequest) (w, h int, err error) {
	field := ""
	scaleX := float64(r.GetTargetWidth()) / float64(width)
	scaleY := float64(r.GetTargetHeight()) / float64(height)
	switch {
	case scaleX == 0:
		field, scaleX = "target_height", scaleY
	case scaleY == 0:
		field, scaleY = "target_width", scaleX
	case r.GetMaintainAspectRatio():
		scaleX = math.Min(scaleX, scaleY)
		scaleY = scaleX
	}
	if !r.GetEnlarge() {
		scaleX, scaleY = math.Min(scaleX, 1), math.Min(scaleY, 1)
	}
	w, h = side(width, scaleX), side(height, scaleY)
	if max(w, h) > maxSide {
		return 0, 0, functions.Errorf(functions.Invalid, field,
			"the output would have %d×%d pixels, but no side may be longer than %d", w, h, maxSide)
	}
	return w, h, nil
}

// maxSide is the longest side in pixels that every encoder supports.
const maxSide = 16383

func side(length int, scale float64) int {
	return max(1, int(math.Round(float64(length)*scale)))
}
