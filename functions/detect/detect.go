// Package detect finds objects in images with YOLO-like models.
package detect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"imageflow.dev/functions"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/inference"
	"imageflow.dev/internal/processors"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// The values of settings that are 0 in a request.
const (
	defaultConfidence    = 0.25
	defaultNMS           = 0.45
	defaultMaxDetections = 300
)

// New returns the detect processor. The models may change at any time. The
// side-car is the whole DetectionResponse.
func New(models *Models) functions.Processor {
	return functions.New(functions.Definition[*imageflowv1.DetectionRequest, *imageflowv1.DetectionResponse]{
		Info:      processors.Detect,
		Check:     models.check,
		Reference: reference,
		Variant:   models.variant,
		Footprint: footprint,
		Apply:     models.apply,
		SideCar:   func(r *imageflowv1.DetectionResponse) proto.Message { return r },
	})
}

func reference(r *imageflowv1.DetectionRequest) *imageflowv1.ImageData {
	if r.GetResizeMetadataRef().GetObjectKey() == "" {
		return nil
	}
	return r.GetResizeMetadataRef()
}

// footprint ignores the model's input, which is small.
func footprint(r *imageflowv1.DetectionRequest, h imaging.Header, f imaging.Format) int64 {
	if r.GetDrawBoxes() {
		return h.Footprint(f)
	}
	return max(h.ReadFootprint(), h.ConvertFootprint(f))
}

// maxRetries bounds the retries after the model was replaced during a request.
const maxRetries = 5

// apply detects objects and makes the output.
func (s *Models) apply(ctx context.Context, r *imageflowv1.DetectionRequest, in functions.Input) (
	out imaging.Encoded, resp *imageflowv1.DetectionResponse, err error,
) {
	rescale, err := toOriginal(r, in)
	if err != nil {
		return out, nil, err
	}
	resp = &imageflowv1.DetectionResponse{
		Result: &imageflowv1.ProcessingResult{},
		Metadata: &imageflowv1.DetectionMetadata{
			ConfidenceThreshold: cmp.Or(r.GetConfidenceThreshold(), defaultConfidence),
			NmsThreshold:        cmp.Or(r.GetNmsThreshold(), defaultNMS),
		},
	}
	m, found, err := s.detect(ctx, r, in, resp.GetMetadata())
	for i := 0; i < maxRetries && errors.Is(err, inference.ErrChanged); i++ {
		m, found, err = s.detect(ctx, r, in, resp.GetMetadata())
	}
	if err != nil {
		return out, nil, s.requestError(r, err)
	}
	resp.Metadata.ModelName, resp.Metadata.ModelVersion = m.Info().Name, m.Info().Version
	resp.Metadata.TotalDetections = int32(len(found))
	for _, b := range found {
		resp.Detections = append(resp.Detections, m.detection(rescale(b)))
	}
	out, err = output(ctx, r, in, m, found)
	return out, resp, err
}

// detect returns the model that the request means, and the boxes that it finds.
func (s *Models) detect(
	ctx context.Context, r *imageflowv1.DetectionRequest, in functions.Input, metadata *imageflowv1.DetectionMetadata,
) (*model, []box, error) {
	m, err := s.model(ctx, s.requested(r))
	if err != nil {
		return nil, nil, err
	}
	found, err := m.detect(ctx, r, in, metadata)
	return m, found, err
}

// detect returns boxes in pixels of the image, sorted by descending confidence. It
// notes its times in the metadata.
func (m *model) detect(
	ctx context.Context, r *imageflowv1.DetectionRequest, in functions.Input, metadata *imageflowv1.DetectionMetadata,
) ([]box, error) {
	decoding, decoded := in.Stage(ctx, "decode")
	input, place, err := m.input(decoding, in.Image)
	decoded()
	if err != nil {
		return nil, err
	}
	defer m.release(input)
	width, height := in.Image.Size()
	toImage := func(b box) box { return b.toImageCoords(place).clip(width, height) }
	var found []box
	start := time.Now()
	inferring, end := in.Stage(ctx, "infer")
	end = sync.OnceFunc(end)
	defer end() // if the run fails
	err = m.Infer(inferring, inference.Tensor{Shape: m.shape(), Data: input.numbers}, func(outputs []inference.Tensor) error {
		end()
		inferred := time.Now()
		metadata.InferenceTimeMs = milliseconds(inferred.Sub(start))
		candidates, err := m.decode(outputs[0], metadata.GetConfidenceThreshold())
		if err != nil {
			return err
		}
		limit := int(cmp.Or(r.GetMaxDetections(), defaultMaxDetections))
		// Boxes in the padding around the image do not count.
		found = nms(candidates, metadata.GetNmsThreshold(), m.layout.endToEnd, limit, func(b box) bool { return !toImage(b).isEmpty() })
		metadata.NmsTimeMs = milliseconds(time.Since(inferred))
		return nil
	})
	for i := range found {
		found[i] = toImage(found[i])
	}
	return found, err
}

// output draws the boxes, at the quality of the input image. Without boxes to
// draw, it only converts the image to the requested format.
func output(
	ctx context.Context, r *imageflowv1.DetectionRequest, in functions.Input, m *model, found []box,
) (imaging.Encoded, error) {
	if !r.GetDrawBoxes() || len(found) == 0 {
		return in.Image.Convert(ctx, in.Format)
	}
	width, height := in.Image.Size()
	var patches []imaging.Patch
	for i := len(found) - 1; i >= 0; i-- { // the most confident on top
		label := fmt.Sprintf("%s %.2f", m.names[found[i].class], found[i].confidence)
		patches = append(patches, drawBox(width, height, found[i], label)...)
	}
	within, encoded := in.Stage(ctx, "encode")
	defer encoded()
	return in.Image.Painted(within, patches, in.Format)
}

func (m *model) detection(b box) *imageflowv1.Detection {
	return &imageflowv1.Detection{
		ClassName: m.names[b.class], ClassId: int32(b.class), Confidence: b.confidence,
		Bbox: &imageflowv1.BoundingBox{X1: b.x1, Y1: b.y1, X2: b.x2, Y2: b.y2},
	}
}

// toOriginal returns the mapping of boxes from this image to the response: to the
// original image if the request refers to a resize side-car, or to this image.
func toOriginal(r *imageflowv1.DetectionRequest, in functions.Input) (func(box) box, error) {
	if reference(r) == nil {
		return func(b box) box { return b }, nil
	}
	resized := &imageflowv1.ResizeMetadata{}
	err := protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(in.Reference, resized)
	width, height := in.Image.Size()
	switch {
	case err != nil || resized.GetOriginalWidth() < 1 || resized.GetOriginalHeight() < 1:
		return nil, functions.Errorf(functions.Invalid, "resize_metadata_ref", "not the side-car of a resize")
	case int(resized.GetOutputWidth()) != width || int(resized.GetOutputHeight()) != height:
		return nil, functions.Errorf(functions.Invalid, "resize_metadata_ref",
			"it describes an image of %d×%d pixels, this one has %d×%d",
			resized.GetOutputWidth(), resized.GetOutputHeight(), width, height)
	}
	scaleX := float32(resized.GetOriginalWidth()) / float32(width)
	scaleY := float32(resized.GetOriginalHeight()) / float32(height)
	return func(b box) box {
		b.x1, b.x2, b.y1, b.y2 = b.x1*scaleX, b.x2*scaleX, b.y1*scaleY, b.y2*scaleY
		return b.clip(int(resized.GetOriginalWidth()), int(resized.GetOriginalHeight()))
	}, nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
