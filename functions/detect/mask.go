package detect

import (
	"cmp"
	"context"
	"fmt"
	"image"
	"math"

	"imageflow.dev/functions"
	"imageflow.dev/internal/inference"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// The limits of the contract: the pixels in the boxes of all masks as a multiple of those of the image, the
// points of their polygons, and the bytes of their run lengths.
const (
	maxMasksArea  = 32
	maxMaskPoints = 200_000
	maxRunBytes   = 8 << 20
)

// masksField is the request's field of the masks.
const masksField = "masks"

// masking is which masks a request wants, and how much of its limits is used.
type masking struct {
	polygons, runs, drawn bool
	width, height         int // of the image in pixels
	// tile is the part of the image that is examined, whose masks will be joined; empty for the whole image at once.
	tile                       image.Rectangle
	area, points, bytes, spans int
}

// newMasking returns the masks that a request wants of the model; nil means none.
func (m *model) newMasking(r *imageflowv1.DetectionRequest, width, height int) (*masking, error) {
	if len(r.GetMasks()) == 0 {
		return nil, nil
	}
	if !m.hasMasks() {
		return nil, functions.Errorf(functions.Invalid, masksField, "the model %q finds none: leave it out, or use a model of the "+
			"task %s", m.Info().Name, segmentTask)
	}
	wanted := &masking{width: width, height: height, drawn: r.GetDrawBoxes()}
	for _, format := range r.GetMasks() {
		wanted.polygons = wanted.polygons || format == imageflowv1.MaskFormat_MASK_FORMAT_POLYGON
		wanted.runs = wanted.runs || format == imageflowv1.MaskFormat_MASK_FORMAT_RLE
	}
	return wanted, nil
}

// masksFootprint returns the memory in bytes that masks take besides the image of width × height pixels: the
// bitmap of one, and the others in their formats.
func masksFootprint(width, height int) int64 {
	const bytesPerPoint = 32
	return int64(width)*int64(height) + maxMaskPoints*bytesPerPoint + 2*maxRunBytes
}

// mask is the mask of an object in the formats that were requested.
type mask struct {
	polygons [][]point
	runs     *imageflowv1.RunLengths // of the given image
	// isReturned means that the response has the polygons. Otherwise they are only drawn.
	isReturned bool
}

// prototypes are the masks, as logits, whose weighted sums are the masks of objects. They cover the input
// of the model: count × height × width numbers.
type prototypes struct {
	data                 []float32
	count, height, width int
}

// prototypesOf returns the prototypes in the outputs of a run.
func (d *description) prototypesOf(outputs []inference.Tensor) (p prototypes, err error) {
	dims, data := outputs[1].Shape, outputs[1].Data
	isImage := len(dims) == 4 && dims[0] == 1 && len(data) > 0 && dims[1]*dims[2]*dims[3] == int64(len(data))
	if !isImage || dims[1] != d.furtherValues {
		return p, fmt.Errorf("the model has prototypes of masks of %v, which are not [1, %d, height, width]", dims, d.furtherValues)
	}
	return prototypes{data: data, count: int(dims[1]), height: int(dims[2]), width: int(dims[3])}, nil
}

// hasMasks reports whether the model finds masks.
func (d *description) hasMasks() bool {
	return d.furtherValues > 0 && d.keypoints.count == 0 && d.layout.hasFurther()
}

// addMasks adds the masks to boxes of the input, in which the image is at a place.
func (d *description) addMasks(
	ctx context.Context, outputs []inference.Tensor, boxes []box, place placement, wanted *masking,
) error {
	coefficients, err := d.furtherTable(outputs)
	if err != nil {
		return err
	}
	p, err := d.prototypesOf(outputs)
	if err != nil {
		return err
	}
	grid := maskGrid{
		scaleX: place.scaleX * float64(p.width) / float64(d.width), left: place.left * float64(p.width) / float64(d.width),
		scaleY: place.scaleY * float64(p.height) / float64(d.height), top: place.top * float64(p.height) / float64(d.height),
	}
	var bits bitmap
	for i, b := range boxes {
		bits.at = b.toImageCoords(place).clip(wanted.examined()).pixels()
		if err := cmp.Or(wanted.addArea(bits.at), ctx.Err()); err != nil {
			return err
		}
		p.rasterize(&bits, grid, coefficients, int(b.row))
		if boxes[i].details, err = wanted.details(&bits); err != nil {
			return err
		}
	}
	return nil
}

// examined returns the size of the tile that is examined, or of the image.
func (w *masking) examined() (width, height int) {
	if !w.tile.Empty() {
		return w.tile.Dx(), w.tile.Dy()
	}
	return w.width, w.height
}

// addArea counts the pixels of a box.
func (w *masking) addArea(at image.Rectangle) error {
	if w.area += at.Dx() * at.Dy(); w.area <= maxMasksArea*w.width*w.height {
		return nil
	}
	advice := "set a lower max_detections, or a higher confidence_threshold"
	if !w.tile.Empty() { // max_detections applies to the merged boxes
		advice = "set a higher confidence_threshold"
	}
	return functions.Errorf(functions.Invalid, masksField, "the boxes together have more than %d times the pixels of the image: %s",
		maxMasksArea, advice)
}

// details returns the details of an object with this mask.
func (w *masking) details(bits *bitmap) (*details, error) {
	if !w.tile.Empty() {
		return w.inTile(bits)
	}
	m, err := w.mask(bits)
	return &details{mask: m}, err
}

// mask returns a bitmap in the requested formats.
func (w *masking) mask(bits *bitmap) (*mask, error) {
	m := &mask{isReturned: w.polygons}
	if w.polygons || w.drawn {
		m.polygons = bits.polygons()
		for _, p := range m.polygons {
			w.points += len(p)
		}
	}
	if w.runs {
		m.runs = bits.runLengths(w.width, w.height)
		w.bytes += len(m.runs.Counts)
	}
	if w.points > maxMaskPoints || w.bytes > maxRunBytes {
		return nil, functions.Errorf(functions.Invalid, masksField, "together they have more than %d points or %d MiB of run "+
			"lengths: set a lower max_detections, or a higher confidence_threshold", maxMaskPoints, maxRunBytes>>20)
	}
	return m, nil
}

// mapped returns the mask with its polygons in another image.
func (m *mask) mapped(to pointMap) *mask {
	out := *m
	out.polygons = nil
	for _, polygon := range m.polygons {
		moved := make([]point, len(polygon))
		for i, p := range polygon {
			moved[i].x, moved[i].y = to(p.x, p.y)
		}
		out.polygons = append(out.polygons, moved)
	}
	return &out
}

func (m *mask) message() *imageflowv1.Mask {
	out := &imageflowv1.Mask{Rle: m.runs}
	if !m.isReturned {
		return out
	}
	for _, polygon := range m.polygons {
		p := &imageflowv1.Polygon{}
		for _, at := range polygon {
			p.Points = append(p.Points, at.x, at.y)
		}
		out.Polygons = append(out.Polygons, p)
	}
	return out
}

// pixels returns the pixels whose upper left corner is in the box: crop_mask in ultralytics/utils/ops.py.
func (b box) pixels() image.Rectangle {
	up := func(v float32) int { return int(math.Ceil(float64(v))) }
	return image.Rect(up(b.x1), up(b.y1), up(b.x2), up(b.y2))
}

// maskGrid is the position of an image in the prototypes: a point (x, y) is at (x·scaleX + left, y·scaleY + top).
type maskGrid struct{ scaleX, scaleY, left, top float64 }

// rasterize sets the pixels of a bitmap where the mask of a row is more probable than not: the logits are
// interpolated bilinearly, and positive. It is process_mask_native in ultralytics/utils/ops.py.
func (p prototypes) rasterize(m *bitmap, g maskGrid, coefficients table, row int) {
	m.clear()
	if m.at.Empty() {
		return
	}
	columns := interpolation(m.at.Min.X, m.at.Max.X, g.scaleX, g.left, p.width)
	rows := interpolation(m.at.Min.Y, m.at.Max.Y, g.scaleY, g.top, p.height)
	part := image.Rect(columns[0].first, rows[0].first, columns[len(columns)-1].second+1, rows[len(rows)-1].second+1)
	logits := p.combine(part, coefficients, row)
	line := make([]float32, part.Dx())
	for y, v := range rows {
		above, below := logits[(v.first-part.Min.Y)*part.Dx():], logits[(v.second-part.Min.Y)*part.Dx():]
		for x := range line {
			line[x] = above[x] + v.weight*(below[x]-above[x])
		}
		to := m.bits[y*m.at.Dx():]
		for x, c := range columns {
			a, b := line[c.first-part.Min.X], line[c.second-part.Min.X]
			if a+c.weight*(b-a) > 0 {
				to[x] = inMask
			}
		}
	}
}

// combine returns the logits of a row in a part of the prototypes.
func (p prototypes) combine(part image.Rectangle, coefficients table, row int) []float32 {
	logits := make([]float32, part.Dx()*part.Dy())
	for k := range p.count {
		weight := coefficients.at(row, k)
		for y := range part.Dy() {
			from := p.data[(k*p.height+part.Min.Y+y)*p.width+part.Min.X:][:part.Dx()]
			to := logits[y*part.Dx():]
			for x, v := range from {
				to[x] += weight * v
			}
		}
	}
	return logits
}

// neighbours are the two numbers that a number is interpolated from, and the weight of the second one.
type neighbours struct {
	first, second int
	weight        float32
}

// interpolation returns the neighbours of the centres of pixels from first to end, at scale and offset, among
// n numbers, whose centres are at 0.5, 1.5 and so on.
func interpolation(first, end int, scale, offset float64, n int) []neighbours {
	all := make([]neighbours, 0, end-first)
	for i := first; i < end; i++ {
		at := min(max((float64(i)+0.5)*scale+offset-0.5, 0), float64(n-1))
		below := math.Floor(at)
		all = append(all, neighbours{int(below), min(int(below)+1, n-1), float32(at - below)})
	}
	return all
}
