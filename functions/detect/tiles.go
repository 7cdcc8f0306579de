package detect

import (
	"cmp"
	"context"
	"image"
	"math"
	"slices"
	"sort"
	"time"

	"imageflow.dev/functions"
	"imageflow.dev/internal/imaging"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

const (
	// maxTiles is the default and the upper limit of the number of tiles.
	maxTiles = 64
	// defaultOverlap is the default of Tiles.overlap.
	defaultOverlap = 0.2
	// maxMerged bounds the quadratic work of merging.
	maxMerged = 10000
	// cutMargin is the distance from the border of a tile, as a part of the tile's side, within which a
	// box counts as cut.
	cutMargin = 1. / 32
	// maxChannels is the maximum size of a decoded pixel in bytes.
	maxChannels = 4
)

// tiles returns the tiles of an image of width × height pixels.
func (m *model) tiles(t *imageflowv1.Tiles, width, height int) ([]image.Rectangle, error) {
	size, overlap, limit := image.Pt(m.width, m.height), defaultOverlap, int(cmp.Or(t.GetMax(), maxTiles))
	if n := int(t.GetSize()); n > 0 {
		size = image.Pt(n, n)
	}
	if t.Overlap != nil {
		overlap = t.GetOverlap()
	}
	count := func(size image.Point) int {
		return countTiles(width, size.X, overlap) * countTiles(height, size.Y, overlap)
	}
	if n := count(size); n > limit {
		fits := sort.Search(max(width, height), func(n int) bool { return count(image.Pt(n, n)) <= limit })
		return nil, functions.Errorf(functions.Invalid, "tiles.size",
			"the image of %d×%d pixels has %d tiles of %d×%d, and at most %d are allowed: it needs a size of %d",
			width, height, n, size.X, size.Y, limit, fits)
	}
	var all []image.Rectangle
	for _, top := range tileStarts(height, size.Y, overlap) {
		for _, left := range tileStarts(width, size.X, overlap) {
			at := image.Rectangle{image.Pt(left, top), image.Pt(left, top).Add(size)}
			all = append(all, at.Intersect(image.Rect(0, 0, width, height)))
		}
	}
	return all, nil
}

// tilesFootprint returns the memory in bytes of the pixels that tiles are cut out of and of a tile, for an
// image of width × height pixels. A tile of the model's size is small.
func tilesFootprint(t *imageflowv1.Tiles, width, height int) int64 {
	size := int(t.GetSize())
	return maxChannels * (int64(width)*int64(height) + int64(min(size, width))*int64(min(size, height)))
}

// countTiles returns the number of tiles of one side of an image, whose length is in pixels.
func countTiles(length, size int, overlap float64) int {
	step := max(1, float64(size)*(1-overlap))
	return 1 + int(math.Ceil(float64(max(0, length-size))/step))
}

// tileStarts returns where the tiles of one side begin.
func tileStarts(length, size int, overlap float64) []int {
	starts := make([]int, countTiles(length, size, overlap))
	for i := range starts {
		starts[i] = i * max(0, length-size) / max(1, len(starts)-1)
	}
	return starts
}

// examine is run for the tiles of an image, if there are any, and for the whole image unless they replace it.
func (m *model) examine(
	ctx context.Context, t *imageflowv1.Tiles, in functions.Input, s *selection, counts func(box) bool,
	metadata *imageflowv1.DetectionMetadata,
) ([]box, error) {
	if t == nil {
		return m.run(ctx, in, s, counts, metadata)
	}
	width, height := in.Image.Size()
	tiles, err := m.tiles(t, width, height)
	if err != nil {
		return nil, err
	}
	if len(tiles) == 1 { // the whole image
		metadata.Tiles++
		return m.run(ctx, in, s, counts, metadata)
	}
	var all sightings
	if !t.GetWithoutWhole() {
		if err := all.add(ctx, m, in, image.Rect(0, 0, width, height), s, metadata); err != nil {
			return nil, err
		}
	}
	decoding, decoded := in.Stage(ctx, "decode")
	pixels, err := in.Image.PixelsInSRGB(decoding)
	decoded()
	if err != nil {
		return nil, err
	}
	err = pixels.EachTile(tiles, func(at image.Rectangle, tile *imaging.Image) error {
		in.Image = tile
		return all.add(ctx, m, in, at, s, metadata)
	})
	if err != nil {
		return nil, err
	}
	start := time.Now()
	merged := slices.DeleteFunc(all.merge(s.suppress), func(b box) bool { return !counts(b) })
	metadata.NmsTimeMs += milliseconds(time.Since(start))
	merged = merged[:min(len(merged), s.limit)]
	return merged, s.masks.join(ctx, merged)
}

// sighting is a box and the area in which it was found, both in pixels of the image.
type sighting struct{ box, area box }

type sightings []sighting

// add runs a model on a tile, whose pixels are the image of the input, adds the boxes, and keeps the most
// confident ones.
func (all *sightings) add(
	ctx context.Context, m *model, in functions.Input, tile image.Rectangle, s *selection,
	metadata *imageflowv1.DetectionMetadata,
) error {
	each := *s
	each.limit = maxMerged
	if s.masks != nil {
		s.masks.tile = tile
	}
	found, err := m.run(ctx, in, &each, func(b box) bool { return !b.isEmpty() }, metadata)
	metadata.Tiles++
	left, top := float32(tile.Min.X), float32(tile.Min.Y)
	area := box{x1: left, y1: top, x2: float32(tile.Max.X), y2: float32(tile.Max.Y)}
	fromTile := func(x, y float32) (float32, float32) { return x + left, y + top }
	for _, b := range found {
		b.x1, b.x2, b.y1, b.y2 = b.x1+left, b.x2+left, b.y1+top, b.y2+top
		b.details = b.details.mapped(fromTile)
		*all = append(*all, sighting{b, area})
	}
	slices.SortStableFunc(*all, func(a, b sighting) int { return cmp.Compare(b.box.confidence, a.box.confidence) })
	*all = (*all)[:min(len(*all), maxMerged)]
	return cmp.Or(err, ctx.Err())
}

// merge returns the boxes of the objects that were seen, sorted by descending confidence.
func (all sightings) merge(by suppression) []box {
	for before := -1; before != len(all); { // a box that grew may meet others
		before = len(all)
		var kept sightings
		for _, b := range all {
			i := slices.IndexFunc(kept, func(k sighting) bool { return k.isSame(b, by) })
			if i < 0 {
				kept = append(kept, b)
				continue
			}
			kept[i] = kept[i].extend(b)
		}
		all = kept
	}
	var boxes []box
	for _, s := range all {
		boxes = append(boxes, s.box)
	}
	return boxes
}

// isSame reports whether two boxes of different areas are of one object: they agree where both areas
// overlap.
func (s sighting) isSame(o sighting, by suppression) bool {
	if s.area == o.area || s.box.class != o.box.class && !by.acrossClasses {
		return false
	}
	common := s.area.intersect(o.area)
	return s.box.intersect(common).iou(o.box.intersect(common)) > by.threshold
}

// extend moves the sides that the border of the area cuts to those of another sighting of the object,
// whose area reaches further, and adds its mask.
func (s sighting) extend(o sighting) sighting {
	s.box.details = s.box.details.withSpans(o.box.details)
	across, down := cutMargin*(s.area.x2-s.area.x1), cutMargin*(s.area.y2-s.area.y1)
	if o.area.x1 < s.area.x1 && s.box.x1 < s.area.x1+across {
		s.box.x1, s.area.x1 = min(s.box.x1, o.box.x1), o.area.x1
	}
	if o.area.y1 < s.area.y1 && s.box.y1 < s.area.y1+down {
		s.box.y1, s.area.y1 = min(s.box.y1, o.box.y1), o.area.y1
	}
	if o.area.x2 > s.area.x2 && s.box.x2 > s.area.x2-across {
		s.box.x2, s.area.x2 = max(s.box.x2, o.box.x2), o.area.x2
	}
	if o.area.y2 > s.area.y2 && s.box.y2 > s.area.y2-down {
		s.box.y2, s.area.y2 = max(s.box.y2, o.box.y2), o.area.y2
	}
	return s
}
