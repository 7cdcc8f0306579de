package detect

import (
	"context"
	"image/color"
	"strings"

	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/inference"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// details are what a model finds of an object besides its box, in the same pixels as the box. Like a
// box, they do not change.
type details struct {
	keypoints []keypoint
	rotated   *rotated
	mask      *mask
	// spans are the masks that tiles have of the object, until they are joined. They are always in pixels of the image.
	spans [][]span
}

// pointMap maps a point of one image to another.
type pointMap func(x, y float32) (float32, float32)

// mapped returns the details in another image; nil for nil.
func (d *details) mapped(to pointMap) *details {
	if d == nil {
		return nil
	}
	out := &details{spans: d.spans}
	if d.rotated != nil {
		r := d.rotated.mapped(to)
		out.rotated = &r
	}
	if d.mask != nil {
		out.mask = d.mask.mapped(to)
	}
	for _, k := range d.keypoints {
		k.x, k.y = to(k.x, k.y)
		out.keypoints = append(out.keypoints, k)
	}
	return out
}

// addDetails adds the details of boxes of the input, in pixels of the image that has a place in it. Masks
// are nil for none.
func (d *description) addDetails(
	ctx context.Context, outputs []inference.Tensor, boxes []box, place placement, masks *masking,
) error {
	if err := d.addKeypoints(outputs, boxes); err != nil {
		return err
	}
	for i, b := range boxes {
		boxes[i].details = b.details.mapped(place.toImage)
	}
	if masks == nil {
		return nil
	}
	return d.addMasks(ctx, outputs, boxes, place, masks)
}

// addKeypoints reads the keypoints of boxes, in pixels of the input.
func (d *description) addKeypoints(outputs []inference.Tensor, boxes []box) error {
	if d.keypoints.count == 0 || !d.layout.hasFurther() {
		return nil
	}
	t, err := d.furtherTable(outputs)
	if err != nil {
		return err
	}
	for i, b := range boxes {
		boxes[i].details = &details{keypoints: d.keypoints.read(t, int(b.row))}
	}
	return nil
}

// furtherTable returns the values of each box after its classes.
func (d *description) furtherTable(outputs []inference.Tensor) (table, error) {
	f := &d.layout.format
	from := f.classes.to
	if !f.classes.present {
		from = f.scores.from + len(d.names)
	}
	return f.table(outputs, columns(f.scores.output, from, from+int(d.furtherValues)), anyRows)
}

// hasFurther reports whether the layout has values after the classes of each box.
func (l *layout) hasFurther() bool {
	return len(l.shapes) == 1 && strings.Contains(l.shapes[0], "+X")
}

// withSpans returns the details of an object with the masks of another sighting of it.
func (d *details) withSpans(o *details) *details {
	if d == nil || o == nil || len(o.spans) == 0 {
		return d
	}
	out := *d
	out.spans = append(out.spans, o.spans...)
	return &out
}

// describe adds the details to a detection.
func (d *details) describe(to *imageflowv1.Detection) {
	if d == nil {
		return
	}
	for _, k := range d.keypoints {
		to.Keypoints = append(to.Keypoints, k.message())
	}
	if d.rotated != nil {
		to.RotatedBox = d.rotated.message()
	}
	if d.mask != nil {
		to.Mask = d.mask.message()
	}
}

// draw returns the details in a colour, for an image of width × height pixels.
func (d *details) draw(width, height int, paint color.RGBA) (patches []imaging.Patch) {
	if d == nil {
		return nil
	}
	if d.mask != nil {
		for _, polygon := range d.mask.polygons {
			patches = append(patches, drawPolygon(polygon, width, height, paint)...)
		}
	}
	for _, k := range d.keypoints {
		patches = append(patches, k.draw(width, height, paint)...)
	}
	return patches
}
