// Package detect finds objects in images with YOLO-like models.
package detect

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

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
		Describes: describes,
		Identity:  models.identity,
		Footprint: footprint,
		Apply:     models.apply,
		SideCar:   func(r *imageflowv1.DetectionResponse) proto.Message { return r },
		Moves:     func(r *imageflowv1.DetectionRequest, _ []byte) bool { return r.GetFrames() > 0 },

		ReadsFrames: func(r *imageflowv1.DetectionRequest) bool { return r.GetFrames() > 0 },
		KeepsPlaces: true,
		NameImages: func(r *imageflowv1.DetectionResponse, source, output *imageflowv1.ImageData) {
			r.GetMetadata().Source, r.GetMetadata().Output = source, output
		},
	})
}

// referenceField is the request's field of the side-car of a resize.
const referenceField = "resize_metadata_ref"

func reference(r *imageflowv1.DetectionRequest, _ processors.Names) (object *imageflowv1.ImageData, field string) {
	if r.GetResizeMetadataRef().GetObjectKey() == "" {
		return nil, ""
	}
	return r.GetResizeMetadataRef(), referenceField
}

// describes returns the output of a resize. Its source is no such image: if it has the same size, it may still be
// turned or another part.
func describes(_ *imageflowv1.DetectionRequest, sideCar []byte) []*imageflowv1.ImageData {
	resized, err := readResize(sideCar)
	if err != nil {
		return nil
	}
	return functions.Named(resized.GetOutput())
}

// bytesPerInputPixel is an estimate of the memory of a run of a small model, per pixel of its input.
const bytesPerInputPixel = 256

// footprint ignores the model's input and tiles, which are small, unless the request sets the size of the
// input.
func footprint(r *imageflowv1.DetectionRequest, in functions.Input) int64 {
	return imageFootprint(r, in) + bytesPerInputPixel*int64(r.GetImageSize())*int64(r.GetImageSize())
}

// imageFootprint is footprint without the model's input.
func imageFootprint(r *imageflowv1.DetectionRequest, in functions.Input) int64 {
	tiled, cropped := r.GetTiles() != nil, r.GetCrops() != nil
	masks := spansFootprint(r)
	if len(r.GetMasks()) > 0 {
		masks += masksFootprint(in.Image.Size())
	}
	if !tiled && !cropped && !r.GetDrawBoxes() {
		return max(in.Image.ReadFootprint(), in.Image.ConvertFootprint(in.Format)) + masks
	}
	bytes := in.Image.Footprint(in.Format) + masks
	if cropped {
		bytes += cropsFootprint(r.GetCrops(), in)
	}
	if tiled { // the pixels may still be there when the output is made
		width, height := in.Image.Size()
		bytes += tilesFootprint(r.GetTiles(), width, height)
	}
	return bytes
}

// maxRetries bounds the retries after the model was replaced during a request.
const maxRetries = 5

// apply detects objects and makes the output.
func (s *Models) apply(ctx context.Context, r *imageflowv1.DetectionRequest, in functions.Input) (
	out imaging.Encoded, resp *imageflowv1.DetectionResponse, err error,
) {
	original, err := newOriginal(r, in)
	if err != nil {
		return out, nil, err
	}
	rescale := original.fromImage
	resp = &imageflowv1.DetectionResponse{
		Result: &imageflowv1.ProcessingResult{},
		Metadata: &imageflowv1.DetectionMetadata{
			ConfidenceThreshold: cmp.Or(r.GetConfidenceThreshold(), defaultConfidence),
			NmsThreshold:        cmp.Or(r.GetNmsThreshold(), defaultNMS),
		},
	}
	original.describe(resp.Metadata, in)
	m, found, err := s.detect(ctx, r, in, rescale, resp.GetMetadata())
	for i := 0; i < maxRetries && errors.Is(err, inference.ErrChanged); i++ {
		m, found, err = s.detect(ctx, r, in, rescale, resp.GetMetadata())
	}
	if err != nil {
		return out, nil, s.requestError(r, err)
	}
	resp.Metadata.ModelName, resp.Metadata.ModelVersion = m.Info().Name, m.Info().Version
	for _, f := range found {
		for _, b := range f.boxes {
			d := m.detection(original.withDetails(b))
			d.Frame = f.number
			resp.Detections = append(resp.Detections, d)
		}
		resp.Classifications = f.classes
	}
	resp.Metadata.TotalDetections = int32(len(resp.GetDetections()))
	if resp.Crops, err = cutOut(ctx, r, in, resp); err == nil {
		out, err = output(ctx, r, in, m, found)
	}
	return out, resp, err
}

// detect returns the model that the request means, and the boxes that it finds.
func (s *Models) detect(
	ctx context.Context, r *imageflowv1.DetectionRequest, in functions.Input, rescale func(box) box,
	metadata *imageflowv1.DetectionMetadata,
) (*model, []frame, error) {
	m, err := s.requestedModel(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	found, err := m.detect(ctx, r, in, rescale, metadata)
	return m, found, err
}

// run runs the model on an image. It returns boxes in pixels of the image that count, sorted by
// descending confidence, and adds its times to the metadata.
func (m *model) run(
	ctx context.Context, in functions.Input, s *selection, counts func(box) bool, metadata *imageflowv1.DetectionMetadata,
) ([]box, error) {
	width, height := in.Image.Size()
	var found []box
	err := m.inferImage(ctx, in, metadata, func(ctx context.Context, outputs []inference.Tensor, as seen) (err error) {
		start := time.Now()
		toImage := func(b box) box { return b.toImageCoords(as.place).clip(width, height) }
		if found, err = as.find(outputs, s, func(b box) bool { return counts(toImage(b)) }); err == nil {
			err = as.addDetails(ctx, outputs, found, as.place, s.masks)
		}
		for i := range found {
			found[i] = toImage(found[i])
		}
		metadata.NmsTimeMs += milliseconds(time.Since(start))
		return err
	})
	return found, err
}

// seen is how the model saw an image: the description for the size of its input, and the place of the image
// in it.
type seen struct {
	*description
	place placement
}

// inferImage runs the model on an image, adds the time of the run to the metadata, and passes the outputs to
// read, which are valid during the call.
func (m *model) inferImage(
	ctx context.Context, in functions.Input, metadata *imageflowv1.DetectionMetadata,
	read func(context.Context, []inference.Tensor, seen) error,
) error {
	decoding, decoded := in.Stage(ctx, "decode")
	input, sized, place, err := m.input(decoding, in.Image)
	decoded()
	if err != nil {
		return err
	}
	defer m.release(input)
	start := time.Now()
	inferring, end := in.Stage(ctx, "infer")
	end = sync.OnceFunc(end)
	defer end() // if the run fails
	return m.Infer(inferring, sized.inputs(input.numbers), func(outputs []inference.Tensor) error {
		end()
		metadata.InferenceTimeMs += milliseconds(time.Since(start))
		return read(inferring, sized.first(outputs), seen{sized, place})
	})
}

// find returns the boxes in the outputs of a run that count, in pixels of the input.
func (d *description) find(outputs []inference.Tensor, s *selection, counts func(box) bool) ([]box, error) {
	candidates, err := d.decode(outputs, s.lowest)
	if err != nil {
		return nil, err
	}
	return s.suppress.nms(s.candidates(candidates), s.limit, counts), nil
}

func (m *model) detection(b box) *imageflowv1.Detection {
	d := &imageflowv1.Detection{
		ClassName: m.names[b.class], ClassId: int32(b.class), Confidence: b.confidence,
		Bbox: &imageflowv1.BoundingBox{X1: b.x1, Y1: b.y1, X2: b.x2, Y2: b.y2},
	}
	b.details.describe(d)
	return d
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
