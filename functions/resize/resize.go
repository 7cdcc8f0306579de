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
	Apply:     apply,
	Moves:     true,
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
	p, err := newPlan(in.Image.Header, r)
	if err != nil {
		return imaging.Encoded{}, nil, err
	}
	if w, h := p.held(); int64(w)*int64(h) > in.Image.Limits.MaxPixels {
		return imaging.Encoded{}, nil, functions.Errorf(functions.Invalid, p.enlargedBy,
			"the output would have %d×%d pixels, more than MAX_IMAGE_PIXELS=%d", w, h, in.Image.Limits.MaxPixels)
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
		QualityUsed:        q.used,
		OriginalFromOutput: p.originalFromOutput(),
	}
	if r.GetDescribe() {
		metadata.Appearance, err = describe(ctx, out)
	}
	return out, &imageflowv1.ResizeResponse{Result: &imageflowv1.ProcessingResult{}, Metadata: metadata}, err
}

// run makes the output.
func (p *plan) run(ctx context.Context, m *imaging.Image, q imaging.Quality, f imaging.Format) (imaging.Encoded, error) {
	m = m.Turned(p.quarters, p.mirrored)
	if m.Moves() {
		return p.runFrames(ctx, m, q, f)
	}
	if by, ok := p.interest(); ok {
		out, window, err := m.ResizeInteresting(ctx, p.part, p.width, p.height, by, q, f)
		p.window = window
		return out, err
	}
	if !p.isPadded() {
		return m.ResizeWindow(ctx, p.window, p.width, p.height, q, f)
	}
	shown, err := m.ScaledWindow(ctx, p.window, p.width, p.height, q)
	if err != nil {
		return imaging.Encoded{}, err
	}
	padded, err := shown.Padded(ctx, p.canvas, f)
	if err != nil {
		return imaging.Encoded{}, err
	}
	return padded.Encode(ctx, f)
}

// runFrames makes an animation. The first frame decides what is interesting in all of them.
func (p *plan) runFrames(
	ctx context.Context, m *imaging.Image, q imaging.Quality, f imaging.Format,
) (imaging.Encoded, error) {
	by, search := p.interest()
	return m.Animate(ctx, f, func(ctx context.Context, frame *imaging.Image) (*imaging.Pixels, error) {
		if search {
			window, err := frame.Interesting(ctx, p.part, p.width, p.height, by, q)
			if err != nil {
				return nil, err
			}
			p.window, search = window, false
		}
		shown, err := frame.ScaledWindow(ctx, p.window, p.width, p.height, q)
		if err != nil || !p.isPadded() {
			return shown, err
		}
		return shown.Padded(ctx, p.canvas, f)
	})
}

func footprint(r *imageflowv1.ResizeRequest, in functions.Input) int64 {
	p, err := newPlan(in.Image.Header, r)
	if err != nil {
		return 0
	}
	h := in.Image.Header.Turned(p.quarters, p.mirrored)
	extra := int64(0)
	if r.GetDescribe() {
		extra = describing * int64(p.canvas.Dx()) * int64(p.canvas.Dy())
	}
	if _, ok := p.interest(); ok {
		return h.InterestingFootprint(p.part, p.width, p.height, in.Format) + extra
	}
	if p.isPadded() {
		return h.PaddedFootprint(p.width, p.height, p.canvas.Dx(), p.canvas.Dy(), in.Format) + extra
	}
	return h.ResizeFootprint(p.width, p.height, in.Format) + extra
}
