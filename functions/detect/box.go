package detect

import (
	"cmp"
	"slices"
)

// box is a detection. The corners are in pixels; x1 <= x2 and y1 <= y2.
type box struct {
	x1, y1, x2, y2 float32
	confidence     float32
	// row is the row of the output that the box was read from.
	row   int32
	class int
	// details is what the model found besides the box; nil for nothing.
	details *details
}

// fromCxCyWH returns the box with this centre and size.
func fromCxCyWH(cx, cy, w, h float32) box {
	return box{x1: cx - w/2, y1: cy - h/2, x2: cx + w/2, y2: cy + h/2}
}

// toImageCoords maps a box from the model's input to the image.
func (b box) toImageCoords(p placement) box {
	b.x1, b.y1 = p.toImage(b.x1, b.y1)
	b.x2, b.y2 = p.toImage(b.x2, b.y2)
	return b
}

// clip cuts off the parts of a box outside the image.
func (b box) clip(width, height int) box {
	w, h := float32(width), float32(height)
	b.x1, b.x2 = min(max(b.x1, 0), w), min(max(b.x2, 0), w)
	b.y1, b.y2 = min(max(b.y1, 0), h), min(max(b.y2, 0), h)
	return b
}

// intersect returns the part of a box in another one. It may be empty.
func (b box) intersect(o box) box {
	b.x1, b.x2 = max(b.x1, o.x1), min(b.x2, o.x2)
	b.y1, b.y2 = max(b.y1, o.y1), min(b.y2, o.y2)
	return b
}

// isEmpty reports whether a box has no area. It is true for NaN.
func (b box) isEmpty() bool { return !(b.x1 < b.x2 && b.y1 < b.y2) }

func (b box) area() float32 { return (b.x2 - b.x1) * (b.y2 - b.y1) }

// iou returns the intersection over union of two boxes.
func (b box) iou(o box) float32 {
	w := min(b.x2, o.x2) - max(b.x1, o.x1)
	h := min(b.y2, o.y2) - max(b.y1, o.y1)
	if w <= 0 || h <= 0 {
		return 0
	}
	return w * h / (b.area() + o.area() - w*h)
}

// overlap returns the IoU of two boxes, or of the turned ones in them.
func (b box) overlap(o box) float32 {
	if b.details != nil && o.details != nil && b.details.rotated != nil && o.details.rotated != nil {
		return b.details.rotated.iou(*o.details.rotated)
	}
	return b.iou(o)
}

// maxCandidates bounds the quadratic work of nms.
const maxCandidates = 30000

// suppression is how boxes suppress others.
type suppression struct {
	// threshold is the IoU above which the box with the lower confidence is dropped.
	threshold float32
	// acrossClasses means that boxes also suppress those of other classes.
	acrossClasses bool
	// none means that the model includes non-maximum suppression.
	none bool
}

// nms is non-maximum suppression. It sorts boxes by descending confidence, drops every box that a kept
// box suppresses, and returns at most limit boxes that count. Other boxes suppress, but are not
// returned.
func (s suppression) nms(boxes []box, limit int, counts func(box) bool) []box {
	slices.SortStableFunc(boxes, func(a, b box) int { return cmp.Compare(b.confidence, a.confidence) })
	boxes = boxes[:min(len(boxes), maxCandidates)]
	var kept, counted []box
	for _, b := range boxes {
		if len(counted) == limit {
			break
		}
		overlaps := func(k box) bool { return (k.class == b.class || s.acrossClasses) && k.overlap(b) > s.threshold }
		if !s.none && slices.ContainsFunc(kept, overlaps) {
			continue
		}
		kept = append(kept, b)
		if counts(b) {
			counted = append(counted, b)
		}
	}
	return counted
}
