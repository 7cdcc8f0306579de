package detect

import (
	"cmp"
	"context"
	"image"
	"unsafe"

	"imageflow.dev/functions"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// span is the pixels of a mask in row y of the image from first to end, exclusively.
type span struct{ y, first, end int32 }

// maxSpans bounds the memory of the masks of all tiles of an image.
const maxSpans = 2 << 20

// spansFootprint returns the memory in bytes that the masks of tiles take.
func spansFootprint(r *imageflowv1.DetectionRequest) int64 {
	if len(r.GetMasks()) == 0 || r.GetTiles() == nil {
		return 0
	}
	return maxSpans * int64(unsafe.Sizeof(span{}))
}

// spans returns the pixels in the mask, in an image in which the origin of the mask's coordinates is at a point.
func (m *bitmap) spans(origin image.Point) (all []span) {
	left, top := m.at.Min.X+origin.X, m.at.Min.Y+origin.Y
	for y := range m.at.Dy() {
		for x := 0; x < m.at.Dx(); x++ {
			first := x
			for m.has(x, y) {
				x++
			}
			if first < x {
				all = append(all, span{int32(top + y), int32(left + first), int32(left + x)})
			}
		}
	}
	return all
}

// add adds the pixels that are in the part of the bitmap.
func (m *bitmap) add(all []span) {
	for _, s := range all {
		first, end := max(int(s.first), m.at.Min.X), min(int(s.end), m.at.Max.X)
		if y := int(s.y); y >= m.at.Min.Y && y < m.at.Max.Y {
			row := m.bits[(y-m.at.Min.Y)*m.at.Dx():]
			for x := first; x < end; x++ {
				row[x-m.at.Min.X] |= inMask
			}
		}
	}
}

// inTile returns the mask of an object in the tile that is examined.
func (w *masking) inTile(bits *bitmap) (*details, error) {
	found := bits.spans(w.tile.Min)
	if w.spans += len(found); w.spans > maxSpans {
		return nil, functions.Errorf(functions.Invalid, masksField, "those of all tiles have too many pixels at edges: "+
			"set a higher confidence_threshold, or a larger tiles.size")
	}
	return &details{spans: [][]span{found}}, nil
}

// join replaces the masks that tiles have of each object by their union in its box, as SAHI joins them
// (get_merged_mask in sahi/postprocess/utils.py). A nil masking does nothing.
func (w *masking) join(ctx context.Context, boxes []box) error {
	if w == nil {
		return nil
	}
	w.tile, w.spans = image.Rectangle{}, 0
	var bits bitmap
	for i, b := range boxes {
		bits.at = b.pixels()
		if err := cmp.Or(w.addArea(bits.at), ctx.Err()); err != nil {
			return err
		}
		bits.clear()
		for _, part := range b.details.spans {
			bits.add(part)
		}
		m, err := w.mask(&bits)
		if err != nil {
			return err
		}
		boxes[i].details = &details{mask: m}
	}
	return nil
}
