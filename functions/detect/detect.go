// Package detect finds objects in pictures with YOLO-like models.
package detect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"imageflow.dev/functions"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/inference"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// What a request means that leaves a setting at 0.
const (
	defaultConfidence    = 0.25
	defaultNMS           = 0.45
	defaultMaxDetections = 300
)

// Processor is the type of the detect processor.
type Processor = functions.Processor[*imageflowv1.DetectionRequest, *imageflowv1.DetectionResponse]

// New returns the detect processor. The models may change at any time. The
// side-car is the whole DetectionResponse.
func New(models *Models) Processor {
	d := &detector{models}
	return Processor{
		Name:      "detect",
		Suffix:    "ai-detection",
		Service:   imageflowv1.AIDetectionService_ServiceDesc.ServiceName,
		Check:     models.check,
		Reference: reference,
		Variant:   models.variant,
		Footprint: footprint,
		Apply:     d.apply,
		SideCar:   func(r *imageflowv1.DetectionResponse) proto.Message { return r },
	}
}

func reference(r *imageflowv1.DetectionRequest) *imageflowv1.ImageData {
	if r.GetResizeMetadataRef().GetObjectKey() == "" {
		return nil
	}
	return r.GetResizeMetadataRef()
}

// footprint leaves out the model's input, which is small.
func footprint(r *imageflowv1.DetectionRequest, h imaging.Header, f imaging.Format) int64 {
	if r.GetDrawBoxes() {
		return h.Footprint(f)
	}
	return max(h.ReadFootprint(), h.ConvertFootprint(f))
}

type detector struct{ models *Models }

// maxChanges is how many replacements of its model a request goes along with.
const maxChanges = 5

// apply detects, then makes the output.
func (d *detector) apply(ctx context.Context, in functions.Input[*imageflowv1.DetectionRequest]) (
	out imaging.Encoded, resp *imageflowv1.DetectionResponse, err error,
) {
	rescale, err := toOriginal(in)
	if err != nil {
		return out, nil, err
	}
	resp = &imageflowv1.DetectionResponse{
		Result: &imageflowv1.ProcessingResult{},
		Metadata: &imageflowv1.DetectionMetadata{
			ConfidenceThreshold: cmp.Or(in.Request.GetConfidenceThreshold(), defaultConfidence),
			NmsThreshold:        cmp.Or(in.Request.GetNmsThreshold(), defaultNMS),
		},
	}
	m, found, err := d.detect(ctx, in, resp.GetMetadata())
	for i := 0; i < maxChanges && errors.Is(err, inference.ErrChanged); i++ { // now it is the one that replaced it
		m, found, err = d.detect(ctx, in, resp.GetMetadata())
	}
	if err != nil {
		return out, nil, d.models.requestError(in.Request, err)
	}
	resp.Metadata.ModelName, resp.Metadata.ModelVersion = m.Info().Name, m.Info().Version
	resp.Metadata.TotalDetections = int32(len(found))
	for _, b := range found {
		resp.Detections = append(resp.Detections, m.detection(rescale(b)))
	}
	out, err = output(ctx, in, m, found)
	return out, resp, err
}

// detect returns the boxes that the request's model finds, and the model.
func (d *detector) detect(ctx context.Context, in functions.Input[*imageflowv1.DetectionRequest], facts *imageflowv1.DetectionMetadata) (*model, []box, error) {
	m, err := d.models.model(ctx, d.models.requested(in.Request))
	if err != nil {
		return nil, nil, err
	}
	found, err := m.detect(ctx, in, facts)
	return m, found, err
}

// detect returns the boxes in the given picture's pixels, most confident first.
func (m *model) detect(ctx context.Context, in functions.Input[*imageflowv1.DetectionRequest], facts *imageflowv1.DetectionMetadata) ([]box, error) {
	decoding, decoded := in.Stage(ctx, "decode")
	input, place, err := m.input(decoding, in.Image)
	decoded()
	if err != nil {
		return nil, err
	}
	defer m.release(input)
	var found []box
	start := time.Now()
	inferring, end := in.Stage(ctx, "infer")
	end = sync.OnceFunc(end)
	defer end() // where nothing is inferred
	err = m.Infer(inferring, inference.Tensor{Shape: m.shape(), Data: input}, func(outputs []inference.Tensor) error {
		end()
		inferred := time.Now()
		facts.InferenceTimeMs = milliseconds(inferred.Sub(start))
		candidates, err := m.decode(outputs[0], facts.GetConfidenceThreshold())
		if err != nil {
			return err
		}
		found = suppress(candidates, facts.GetNmsThreshold(), m.layout.endToEnd, int(cmp.Or(in.Request.GetMaxDetections(), defaultMaxDetections)))
		facts.NmsTimeMs = milliseconds(time.Since(inferred))
		return nil
	})
	width, height := in.Image.Size()
	for i := range found {
		found[i] = found[i].unplace(place).clip(width, height)
	}
	// What lies in the grey around the picture is no detection in it.
	return slices.DeleteFunc(found, func(b box) bool { return !(b.x1 < b.x2 && b.y1 < b.y2) }), err
}

// output draws the boxes, in a picture of the given one's quality, or hands it on.
func output(ctx context.Context, in functions.Input[*imageflowv1.DetectionRequest], m *model, found []box) (imaging.Encoded, error) {
	if !in.Request.GetDrawBoxes() || len(found) == 0 {
		return in.Image.Convert(ctx, in.Format)
	}
	p, err := in.Pixels(ctx)
	if err != nil {
		return imaging.Encoded{}, err
	}
	for i := len(found) - 1; i >= 0; i-- { // the most confident on top
		drawBox(p, found[i], fmt.Sprintf("%s %.2f", m.names[found[i].class], found[i].confidence))
	}
	within, encoded := in.Stage(ctx, "encode")
	defer encoded()
	return p.EncodeLike(within, in.Image, in.Format)
}

func (m *model) detection(b box) *imageflowv1.Detection {
	return &imageflowv1.Detection{
		ClassName: m.names[b.class], ClassId: int32(b.class), Confidence: b.confidence,
		Bbox: &imageflowv1.BoundingBox{X1: b.x1, Y1: b.y1, X2: b.x2, Y2: b.y2},
	}
}

// toOriginal returns what takes a box to the pixels that the response speaks
// of: the original's where a resize side-car is named, else the picture's own.
func toOriginal(in functions.Input[*imageflowv1.DetectionRequest]) (func(box) box, error) {
	if reference(in.Request) == nil {
		return func(b box) box { return b }, nil
	}
	facts := &imageflowv1.ResizeMetadata{}
	err := protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(in.Reference, facts)
	width, height := in.Image.Size()
	switch {
	case err != nil || facts.GetOriginalWidth() < 1 || facts.GetOriginalHeight() < 1:
		return nil, functions.Errorf(functions.Invalid, "resize_metadata_ref", "not the side-car of a resize")
	case int(facts.GetOutputWidth()) != width || int(facts.GetOutputHeight()) != height:
		return nil, functions.Errorf(functions.Invalid, "resize_metadata_ref", "it tells of a picture of %d×%d pixels, this one has %d×%d",
			facts.GetOutputWidth(), facts.GetOutputHeight(), width, height)
	}
	scaleX := float32(facts.GetOriginalWidth()) / float32(width)
	scaleY := float32(facts.GetOriginalHeight()) / float32(height)
	return func(b box) box {
		b.x1, b.x2, b.y1, b.y2 = b.x1*scaleX, b.x2*scaleX, b.y1*scaleY, b.y2*scaleY
		return b.clip(int(facts.GetOriginalWidth()), int(facts.GetOriginalHeight()))
	}, nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
