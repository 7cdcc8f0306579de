// Package resize makes images smaller or, on request, larger.
package resize

import (
	"context"

	"google.golang.org/protobuf/proto"

	"imageflow.dev/functions"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/processors"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// Processor is the resize processor. Its side-car is the ResizeMetadata.
var Processor = functions.New(functions.Definition[*imageflowv1.ResizeRequest, *imageflowv1.ResizeResponse]{
	Info:      processors.Resize,
	Check:     check,
	Reference: reference,
	Describes: describes,
	Apply:     apply,
	Moves:     func(*imageflowv1.ResizeRequest, []byte) bool { return true },
	Footprint: footprint,
	Output:    largeOutput,
	SideCar:   func(r *imageflowv1.ResizeResponse) proto.Message { return r.GetMetadata() },
	Renditions: &functions.Renditions[*imageflowv1.ResizeRequest, *imageflowv1.ResizeResponse]{
		Field: "renditions",
		Split: split,
		Join:  func(main *imageflowv1.ResizeResponse, others []*imageflowv1.ResizeResponse) { main.Renditions = others },
		Share: share,
	},
	NameImages: func(r *imageflowv1.ResizeResponse, source, output *imageflowv1.ImageData) {
		r.GetMetadata().Source, r.GetMetadata().Output = source, output
	},
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
	p, err := planOf(ctx, r, in)
	if err != nil {
		return imaging.Encoded{}, nil, err
	}
	if made := p.sizes().largest(); area(made) > in.Image.Limits.MaxPixels {
		return imaging.Encoded{}, nil, functions.Errorf(functions.Invalid, p.enlargedBy,
			"the output would have %d×%d pixels, more than MAX_IMAGE_PIXELS=%d", made.X, made.Y, in.Image.Limits.MaxPixels)
	}
	q := qualities[r.GetQuality()]
	out, err := p.run(ctx, in.Image, q.quality, in.Format)
	if err != nil {
		return out, nil, err
	}
	width, height := in.Image.Size()
	w, h := p.canvas.Dx(), p.canvas.Dy()
	metadata := &imageflowv1.ResizeMetadata{
		OriginalWidth: int32(width), OriginalHeight: int32(height),
		OutputWidth: int32(w), OutputHeight: int32(h),
		ScaleFactorX: float64(w) / float64(width), ScaleFactorY: float64(h) / float64(height),
		QualityUsed: q.used, FitUsed: fitOf(r),
	}
	if !p.showsAll() {
		metadata.OriginalFromOutput = p.originalFromOutput()
	}
	if r.GetDescribe() {
		metadata.Appearance, err = describe(ctx, out)
	}
	return out, &imageflowv1.ResizeResponse{Result: &imageflowv1.ProcessingResult{}, Metadata: metadata}, err
}

// planOf returns the plan of a request. It decodes the image for a trim.
func planOf(ctx context.Context, r *imageflowv1.ResizeRequest, in functions.Input) (*plan, error) {
	part, err := trimmed(ctx, r, in)
	if err != nil {
		return nil, err
	}
	p, err := newPlan(in.Image.Header, part, r)
	if err != nil || r.GetGravity() != imageflowv1.Gravity_GRAVITY_OBJECTS {
		return p, err
	}
	_, objects, err := selected(r, in)
	p.focus(objects)
	return p, err
}
