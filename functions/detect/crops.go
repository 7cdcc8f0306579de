package detect

import (
	"cmp"
	"context"
	"image"
	"math"

	"imageflow.dev/functions"
	"imageflow.dev/internal/imaging"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// The limits of the contract: the number of crops by default, their pixels as a multiple of the pixels of
// the image, and their encoded size.
const (
	defaultCrops  = 20
	maxCropsArea  = 4
	maxCropsBytes = 32 << 20
)

// cropsFootprint returns the memory in bytes that crops take besides the decoded image: a part of it,
// the pixels of crops that are made smaller, and the encoded crops.
func cropsFootprint(r *imageflowv1.DetectionCrops, in functions.Input) int64 {
	width, height := in.Image.Size()
	area := int64(width) * int64(height)
	smaller := int64(0)
	if w, h := r.GetTargetWidth(), r.GetTargetHeight(); w > 0 || h > 0 {
		smaller = maxCropsArea * area
		if w > 0 && h > 0 {
			smaller = min(smaller, int64(maxCount(r))*int64(w)*int64(h))
		}
	}
	channels := int64(3)
	if in.Image.Alpha {
		channels = 4
	}
	return channels*(area+smaller) + min(maxCropsBytes, maxCropsArea*channels*area)
}

// maxCount returns the maximum number of crops.
func maxCount(r *imageflowv1.DetectionCrops) int32 { return cmp.Or(r.GetMaxCount(), defaultCrops) }

// cutter cuts objects out of an image.
type cutter struct {
	settings *imageflowv1.DetectionCrops
	in       functions.Input
	whole    image.Rectangle
	pixels   *imaging.Pixels
	buffer   []byte // of a part
	// area and bytes are those of the crops so far, in pixels of the output and encoded.
	area, bytes int
}

// cutOut returns the crops that a request wants, of the objects of its response. They are in the image
// in which they were detected.
func cutOut(
	ctx context.Context, r *imageflowv1.DetectionRequest, in functions.Input, resp *imageflowv1.DetectionResponse,
) (crops []*imageflowv1.DetectionCrop, err error) {
	if r.GetCrops() == nil {
		return nil, nil
	}
	toImage := func(b *imageflowv1.BoundingBox) *imageflowv1.BoundingBox { return b }
	if a := resp.GetMetadata().GetOriginalFromImage(); a != nil {
		inverse, ok := functions.Inverse(a)
		if !ok {
			return nil, functions.Errorf(functions.Invalid, referenceField, "its map has no inverse, which crops need")
		}
		toImage = inverse
	}
	width, height := in.Image.Size()
	c := &cutter{settings: r.GetCrops(), in: in, whole: image.Rect(0, 0, width, height)}
	for i, d := range resp.GetDetections() {
		if len(crops) == int(maxCount(r.GetCrops())) {
			break
		}
		at := functions.WithMargin(toImage(d.GetBbox()), r.GetCrops().GetMargin()).Intersect(c.whole)
		if at.Empty() || !functions.IsOfClass(d, r.GetCrops().GetClasses()) {
			continue
		}
		crop, err := c.cut(ctx, at)
		if err != nil {
			return nil, err
		}
		crop.Detection = int32(i)
		crops = append(crops, crop)
	}
	return crops, nil
}

// cut cuts a part out of the image. It decodes the image for the first one.
func (c *cutter) cut(ctx context.Context, at image.Rectangle) (*imageflowv1.DetectionCrop, error) {
	if c.pixels == nil {
		var err error
		if c.pixels, err = c.in.Pixels(ctx); err != nil {
			return nil, err
		}
	}
	width, height := c.size(at)
	if c.area += width * height; c.area > maxCropsArea*c.whole.Dx()*c.whole.Dy() {
		return nil, functions.Errorf(functions.Invalid, "crops", "together they have more than %d times the pixels of the image: "+
			"set crops.max_count, or crops.target_width and crops.target_height", maxCropsArea)
	}
	within, encoded := c.in.Stage(ctx, "encode")
	defer encoded()
	part := c.pixels.Part(at, c.buffer)
	c.buffer = part.Pix
	part, err := part.Resized(within, width, height)
	if err != nil {
		return nil, err
	}
	out, err := part.EncodeLike(within, c.in.Image, c.in.Format)
	if err != nil {
		return nil, err
	}
	if c.bytes += len(out.Data); c.bytes > maxCropsBytes {
		return nil, functions.Errorf(functions.Invalid, "crops", "together they have more than %d MiB: "+
			"set crops.max_count, crops.target_width, crops.target_height or encoding.quality", maxCropsBytes>>20)
	}
	return &imageflowv1.DetectionCrop{
		Box: functions.BoxOf(at),
		Image: &imageflowv1.ImageData{
			ContentType: out.Format.MediaType(), SizeBytes: int64(len(out.Data)), Width: int32(out.Width), Height: int32(out.Height),
		},
		Data: out.Data,
	}, nil
}

// size returns the size in pixels of the crop of a region: inside the target, and not larger than the
// region.
func (c *cutter) size(at image.Rectangle) (width, height int) {
	scale := 1.0
	if w := c.settings.GetTargetWidth(); w > 0 {
		scale = min(scale, float64(w)/float64(at.Dx()))
	}
	if h := c.settings.GetTargetHeight(); h > 0 {
		scale = min(scale, float64(h)/float64(at.Dy()))
	}
	side := func(length int) int { return max(1, int(math.Round(float64(length)*scale))) }
	return side(at.Dx()), side(at.Dy())
}
