package detect

import (
	"math"
	"slices"

	"imageflow.dev/internal/inference"
)

func readEndToEnd(outputs []inference.Tensor, _ *description, confidence float32) []box {
	out := outputs[0]
	var found []box
	for row := range slices.Chunk(out.Data, 6) {
		if row[4] >= confidence && row[4] > 0 { // unused rows are zero
			found = append(found, box{row[0], row[1], row[2], row[3], row[4], int(row[5])})
		}
	}
	return found
}

func readV8(outputs []inference.Tensor, d *description, confidence float32) []box {
	out := outputs[0]
	n := int(out.Shape[2])
	best := slices.Clone(out.Data[4*n : 5*n])
	class := make([]int, n)
	for c := 1; c < len(d.names); c++ {
		for a, v := range out.Data[(4+c)*n : (5+c)*n] {
			if v > best[a] {
				best[a], class[a] = v, c
			}
		}
	}
	var found []box
	for a, v := range best {
		if v >= confidence {
			found = append(found, fromCxCyWH(out.Data[a], out.Data[n+a], out.Data[2*n+a], out.Data[3*n+a], v, class[a]))
		}
	}
	return found
}

func readV5(outputs []inference.Tensor, d *description, confidence float32) []box {
	out := outputs[0]
	var found []box
	for row := range slices.Chunk(out.Data, 5+len(d.names)) {
		if v, class, ok := confident(row, confidence); ok {
			found = append(found, fromCxCyWH(row[0], row[1], row[2], row[3], v, class))
		}
	}
	return found
}

// readYOLOX reads the rows in the order of the grid cells: by increasing stride,
// and row by row.
func readYOLOX(outputs []inference.Tensor, d *description, confidence float32) []box {
	out := outputs[0]
	var found []box
	rest, width := out.Data, 5+len(d.names)
	for _, stride := range strides {
		for y := range d.height / stride {
			for x := range d.width / stride {
				if len(rest) == 0 { // the model has no cells of this stride
					return found
				}
				row, s := rest[:width], float32(stride)
				rest = rest[width:]
				if v, class, ok := confident(row, confidence); ok {
					w, h := exp(row[2])*s, exp(row[3])*s
					found = append(found, fromCxCyWH((row[0]+float32(x))*s, (row[1]+float32(y))*s, w, h, v, class))
				}
			}
		}
	}
	return found
}

func exp(v float32) float32 { return float32(math.Exp(float64(v))) }

func readRTDETR(outputs []inference.Tensor, d *description, confidence float32) []box {
	out := outputs[0]
	var found []box
	w, h := float32(d.width), float32(d.height)
	for row := range slices.Chunk(out.Data, 4+len(d.names)) {
		if class := largest(row[4:]); row[4+class] >= confidence {
			found = append(found, fromCxCyWH(row[0]*w, row[1]*h, row[2]*w, row[3]*h, row[4+class], class))
		}
	}
	return found
}

func readRTDETRTopK(outputs []inference.Tensor, d *description, confidence float32) []box {
	out := outputs[0]
	var found []box
	w, h := float32(d.width), float32(d.height)
	for row := range slices.Chunk(out.Data, 6) {
		if row[4] >= confidence {
			found = append(found, fromCxCyWH(row[0]*w, row[1]*h, row[2]*w, row[3]*h, row[4], int(row[5])))
		}
	}
	return found
}

// confident returns the confidence and the class of a row with an objectness before
// the classes, and whether the confidence reaches the threshold.
func confident(row []float32, threshold float32) (float32, int, bool) {
	if row[4] < threshold {
		return 0, 0, false
	}
	class := largest(row[5:])
	v := row[4] * row[5+class]
	return v, class, v >= threshold
}

// largest returns the index of the largest number, of equal ones the first.
func largest(numbers []float32) int {
	at := 0
	for i, v := range numbers {
		if v > numbers[at] {
			at = i
		}
	}
	return at
}
