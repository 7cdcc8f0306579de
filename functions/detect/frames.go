package detect

import (
	"context"
	"fmt"
	"slices"

	"imageflow.dev/functions"
	"imageflow.dev/internal/imaging"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// frame has the boxes that were found in one frame, in pixels of the image and sorted by descending
// confidence.
type frame struct {
	number int32 // in the file, from 0; 0 for a request without frames
	boxes  []box
	// classes are the most probable classes of the whole frame, of a model that classifies.
	classes []*imageflowv1.Classification
}

// maxInAllFrames is the contract's limit of the detections in all frames.
const maxInAllFrames = 10_000

// detect returns the boxes in each frame that the request selects, at least one. It sets the times,
// the tiles and the frames of the metadata.
func (m *model) detect(
	ctx context.Context, r *imageflowv1.DetectionRequest, in functions.Input, rescale func(box) box,
	metadata *imageflowv1.DetectionMetadata,
) (all []frame, err error) {
	if m.classifies() {
		classes, err := m.classify(ctx, r, in, metadata)
		return []frame{{classes: classes}}, err
	}
	selected, err := m.newSelection(r, in.Image)
	if err != nil {
		return nil, err
	}
	// Boxes in the padding around the image, or around the original in it, do not count.
	counts := func(b box) bool { return !b.isEmpty() && !rescale(b).isEmpty() && selected.includes(b) }
	metadata.InferenceTimeMs, metadata.NmsTimeMs, metadata.Tiles, metadata.ClassNames = 0, 0, 0, selected.classNames(m.names)
	every, total := max(1, int(r.GetFrames())), 0
	err = in.Image.EachFrame(ctx, func(i int, image *imaging.Image) error {
		if i%every != 0 {
			return nil
		}
		one := in
		one.Image = image
		boxes, err := m.examine(ctx, r.GetTiles(), one, selected, counts, metadata)
		if total += len(boxes); total > maxInAllFrames {
			return functions.Errorf(functions.Invalid, "max_detections", "more than %d detections in all frames: "+
				"set a lower max_detections, a higher confidence_threshold or higher frames", maxInAllFrames)
		}
		all = append(all, frame{number: int32(image.Number()), boxes: boxes})
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case r.GetFrames() == 0:
		all[0].number = 0
	default:
		metadata.Frames = &imageflowv1.ExaminedFrames{
			Examined: int32(len(all)), First: all[0].number, Every: int32(every), Total: int32(in.Image.AnimationFrames()),
		}
	}
	return all, nil
}

// output draws the boxes, at the quality of the input image. Without boxes to
// draw, it only converts the image to the requested format.
func output(
	ctx context.Context, r *imageflowv1.DetectionRequest, in functions.Input, m *model, found []frame,
) (imaging.Encoded, error) {
	moves := in.Image.Moves(in.Format)
	if !moves {
		found = found[:1]
	}
	if !r.GetDrawBoxes() || !slices.ContainsFunc(found, func(f frame) bool { return len(f.boxes) > 0 }) {
		return in.Image.Convert(ctx, in.Format)
	}
	within, encoded := in.Stage(ctx, "encode")
	defer encoded()
	if !moves {
		return in.Image.Painted(within, m.draw(in.Image, found[0].boxes), in.Format)
	}
	return in.Image.Animate(within, in.Format, func(ctx context.Context, image *imaging.Image) (*imaging.Pixels, error) {
		p, err := image.Pixels(ctx)
		if err != nil {
			return nil, err
		}
		shown := found[(image.Number()-int(found[0].number))/int(r.GetFrames())]
		return p, p.Paint(ctx, m.draw(image, shown.boxes))
	})
}

// draw returns the boxes with their labels and details, for an image.
func (m *model) draw(image *imaging.Image, boxes []box) (patches []imaging.Patch) {
	width, height := image.Size()
	for _, b := range slices.Backward(boxes) { // the most confident on top
		label := fmt.Sprintf("%s %.2f", m.names[b.class], b.confidence)
		patches = append(patches, b.details.draw(width, height, colour(b.class))...)
		patches = append(patches, drawBox(width, height, b, label)...)
	}
	return patches
}
