package detect_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"imageflow.dev/internal/testing/onnx"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

const (
	polygons = imageflowv1.MaskFormat_MASK_FORMAT_POLYGON
	rle      = imageflowv1.MaskFormat_MASK_FORMAT_RLE
)

// protoSide is the width and height of the prototypes of the tests, and protoCount their number.
const protoSide, protoCount = 16, 4

// segments is a model of Ultralytics' task segment with one class: boxes, coefficients and prototypes.
type segments struct {
	boxes        [][4]float32 // the corners
	coefficients [][protoCount]float32
	prototypes   onnx.Tensor
}

// randomSegments returns boxes in the upper and in the lower part of an input of 64×64 pixels, with smooth
// prototypes.
func randomSegments(random *rand.Rand) segments {
	s := segments{
		boxes:      [][4]float32{{4.3, 17.2, 58.9, 31.4}, {10.6, 29.7, 40.2, 47.9}},
		prototypes: shaped(1, protoCount, protoSide, protoSide),
	}
	for range s.boxes {
		var c [protoCount]float32
		for k := range c {
			c[k] = random.Float32() - 0.5
		}
		s.coefficients = append(s.coefficients, c)
	}
	for k := range protoCount {
		across, down := 0.3+random.Float64(), 0.3+random.Float64()
		for i := range protoSide * protoSide {
			x, y := float64(i%protoSide), float64(i/protoSide)
			s.prototypes.Data[k*protoSide*protoSide+i] = float32(math.Sin(across*x+float64(k)) + math.Cos(down*y))
		}
	}
	return s
}

func (s segments) model(endToEnd bool) onnx.Model {
	const anchors, kept = 84, 300
	output := shaped(1, 5+protoCount, anchors)
	if endToEnd {
		output = shaped(1, kept, 6+protoCount)
	}
	for i, b := range s.boxes {
		score := 0.9 - 0.01*float32(i)
		row := []float32{(b[0] + b[2]) / 2, (b[1] + b[3]) / 2, b[2] - b[0], b[3] - b[1], score}
		if endToEnd {
			row = append(b[:], score, 0)
		}
		row = append(row, s.coefficients[i][:]...)
		for j, v := range row {
			if endToEnd {
				output.Data[i*len(row)+j] = v
			} else {
				output.Data[j*anchors+i] = v
			}
		}
	}
	settings := map[string]string{
		"names": "{0: 'cat'}", "task": "segment", "end2end": map[bool]string{true: "True", false: "False"}[endToEnd],
	}
	return twin(settings, floats("output0", output), floats("output1", s.prototypes))
}

// probability returns the probability of a point of the input in the mask of a box: of each prototype, the four nearest
// numbers count.
func (s segments) probability(i int, x, y float64) float64 {
	u, v := x*protoSide/side-0.5, y*protoSide/side-0.5
	sum := 0.0
	for k, c := range s.coefficients[i] {
		at := func(column, row float64) float64 {
			column, row = min(max(column, 0), protoSide-1), min(max(row, 0), protoSide-1)
			return float64(s.prototypes.Data[(k*protoSide+int(row))*protoSide+int(column)])
		}
		left, top := math.Floor(u), math.Floor(v)
		p, q := u-left, v-top
		sum += float64(c) * ((1-p)*(1-q)*at(left, top) + p*(1-q)*at(left+1, top) + (1-p)*q*at(left, top+1) + p*q*at(left+1, top+1))
	}
	return 1 / (1 + math.Exp(-sum))
}

// decodeRuns returns the pixels of a mask, row by row, as rleFrString and rleDecode of COCO read it.
func decodeRuns(t *testing.T, r *imageflowv1.RunLengths, width, height int) []bool {
	t.Helper()
	if len(r.GetSize()) != 2 || int(r.GetSize()[0]) != height || int(r.GetSize()[1]) != width {
		t.Fatalf("size %v, want [%d %d]", r.GetSize(), height, width)
	}
	var counts []int
	for text := r.GetCounts(); text != ""; {
		value, bits := 0, 0
		for more := true; more; {
			c := int(text[0]) - 48
			text = text[1:]
			value |= (c & 0x1f) << bits
			more, bits = c&0x20 != 0, bits+5
			if !more && c&0x10 != 0 {
				value |= -1 << bits
			}
		}
		if len(counts) > 2 {
			value += counts[len(counts)-2]
		}
		counts = append(counts, value)
	}
	all, at := make([]bool, width*height), 0
	for i, n := range counts {
		if n < 0 || n == 0 && i > 0 || at+n > len(all) {
			t.Fatalf("run %d of %d has %d pixels", i, len(counts), n)
		}
		for range n {
			all[at%height*width+at/height] = i%2 == 1
			at++
		}
	}
	if at != len(all) {
		t.Fatalf("the runs have %d pixels, want %d", at, len(all))
	}
	return all
}

// isInside reports whether a point is inside polygons, by the rule of even and odd.
func isInside(m *imageflowv1.Mask, x, y float64) bool {
	inside := false
	for _, p := range m.GetPolygons() {
		n := len(p.GetPoints()) / 2
		for i := range n {
			j := (i + 1) % n
			x1, y1 := float64(p.Points[2*i]), float64(p.Points[2*i+1])
			x2, y2 := float64(p.Points[2*j]), float64(p.Points[2*j+1])
			if (y1 > y) != (y2 > y) && x < x1+(y-y1)/(y2-y1)*(x2-x1) {
				inside = !inside
			}
		}
	}
	return inside
}
