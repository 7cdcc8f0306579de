package dataset

import (
	"errors"
	"math"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// runLengths is a mask in the compressed run-length encoding of COCO. Size is height and width.
type runLengths struct {
	Size   [2]int `json:"size"`
	Counts string `json:"counts"`
}

var (
	errPolygon = errors.New("a polygon is no list of points in pixels")
	errRuns    = errors.New("the run lengths of a mask do not fit its size")
)

// addMask adds the polygons of a mask or of a rotated box, and the run lengths if they are of the image.
func (b *box) addMask(d *imageflowv1.Detection, i *annotated) error {
	polygons := [][]float32{}
	for _, p := range d.GetMask().GetPolygons() {
		polygons = append(polygons, p.GetPoints())
	}
	if corners := d.GetRotatedBox().GetCorners(); len(corners) > 0 {
		polygons = append(polygons, corners)
	}
	for _, points := range polygons {
		if len(points) < 6 || len(points)%2 != 0 {
			return errPolygon
		}
		clipped := make([]float64, len(points))
		for k, v := range points {
			if !(math.Abs(float64(v)) <= math.MaxFloat32) { // also true for NaN
				return errPolygon
			}
			clipped[k] = min(max(float64(v), 0), float64([]int{i.width, i.height}[k%2]))
		}
		b.polygons = append(b.polygons, clipped)
	}
	size := d.GetMask().GetRle().GetSize()
	if len(size) != 2 || int(size[0]) != i.height || int(size[1]) != i.width || i.isOriginal {
		return nil
	}
	b.runs = &runLengths{[2]int{i.height, i.width}, d.GetMask().GetRle().GetCounts()}
	if _, ok := b.runs.area(); !ok {
		return errRuns
	}
	return nil
}

// area returns the number of pixels in the mask, and false if the runs do not have as many as the image.
// The counts are those of rleToString in common/maskApi.c of github.com/cocodataset/cocoapi.
func (r *runLengths) area() (inMask int, ok bool) {
	var counts [2]int // the last ones, of even and odd index
	total, text := 0, r.Counts
	for i := 0; text != ""; i++ {
		value, bits, more := 0, 0, true
		for ; more; bits += 5 {
			if text == "" || text[0] < 48 || text[0] > 48+0x3f || bits > 40 {
				return 0, false
			}
			group := int(text[0]) - 48
			text = text[1:]
			value |= group & 0x1f << bits
			if more = group&0x20 != 0; !more && group&0x10 != 0 {
				value |= -1 << (bits + 5)
			}
		}
		if i > 2 {
			value += counts[i%2]
		}
		if value < 0 || value > r.Size[0]*r.Size[1]-total {
			return 0, false
		}
		counts[i%2] = value
		total += value
		inMask += value * (i % 2)
	}
	return inMask, total == r.Size[0]*r.Size[1]
}

// polygonArea returns the area of a polygon.
func polygonArea(points []float64) float64 {
	twice, n := 0.0, len(points)
	for k := 0; k < n; k += 2 {
		next := (k + 2) % n
		twice += points[k]*points[next+1] - points[next]*points[k+1]
	}
	return math.Abs(twice) / 2
}
