// Package invert inverts the colours of images.
package invert

import (
	"context"

	"imageflow.dev/functions"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/processors"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// Processor is the invert processor.
var Processor = functions.New(functions.Definition[*imageflowv1.InvertRequest, *imageflowv1.InvertResponse]{
	Info: processors.Invert, Apply: apply,
})

func apply(ctx context.Context, r *imageflowv1.InvertRequest, in functions.Input) (imaging.Encoded, *imageflowv1.InvertResponse, error) {
	p, err := in.Pixels(ctx)
	if err != nil {
		return imaging.Encoded{}, nil, err
	}
	for i, v := range p.Pix {
		if p.Channels == 3 || i%4 != 3 {
			p.Pix[i] = byte(float32(v) + r.GetStrength()*(255-2*float32(v)))
		}
	}
	out, err := p.Encode(ctx, in.Format)
	return out, &imageflowv1.InvertResponse{Result: &imageflowv1.ProcessingResult{}}, err
}
