package detect

import (
	"fmt"
	"slices"
	"strconv"

	"imageflow.dev/internal/inference"
)

// layout is one way in which models write their detections.
type layout struct {
	name string
	// endToEnd tells that the model suppresses overlaps by itself.
	endToEnd bool
	// fits tells whether an output of this shape may be of this layout.
	fits func(shape []int64, classes, side int) bool
	// read returns the candidates at or above the confidence, boxes in pixels
	// of the model's input.
	read func(out inference.Tensor, classes int, confidence float32) []box
}

// layouts are the layouts that are understood. A, N are anchors and detections,
// C classes.
var layouts = []layout{
	{name: "end-to-end", endToEnd: true, fits: fitsEndToEnd, read: readEndToEnd}, // [1, N, 6]: x1 y1 x2 y2 confidence class
	{name: "v8", fits: fitsV8, read: readV8},                                     // [1, 4+C, A]: cx cy w h, a confidence for each class
	{name: "v5", fits: fitsV5, read: readV5},                                     // [1, A, 5+C]: cx cy w h, objectness, a confidence for each class
}

// maxEndToEnd is far above what end-to-end models keep, and below the anchors of
// the others.
const maxEndToEnd = 1000

func fitsEndToEnd(shape []int64, _, _ int) bool { return shape[2] == 6 && shape[1] <= maxEndToEnd }

func fitsV8(shape []int64, classes, _ int) bool { return shape[1] == int64(4+classes) }

// fitsV5 tells the layout by its three anchors a cell: others of its width, such
// as YOLOX with one, mean something else by their numbers.
func fitsV5(shape []int64, classes, side int) bool {
	cells := func(stride int) int64 { return int64(side/stride) * int64(side/stride) }
	anchors := 3 * (cells(8) + cells(16) + cells(32))
	return shape[2] == int64(5+classes) && (shape[1] == anchors || shape[1] == anchors+3*cells(64))
}

// chooseLayout finds the one layout that a model's output of this shape fits.
// Where more than one does, metadata end2end tells.
func chooseLayout(shape []int64, metadata map[string]string, classes, side int) (layout, error) {
	if len(shape) != 3 {
		return layout{}, fmt.Errorf("its output is %v but must have three dimensions", shape)
	}
	fitting := slices.DeleteFunc(slices.Clone(layouts), func(l layout) bool { return !l.fits(shape, classes, side) })
	if endToEnd, err := strconv.ParseBool(metadata["end2end"]); err == nil && len(fitting) > 1 {
		fitting = slices.DeleteFunc(fitting, func(l layout) bool { return l.endToEnd != endToEnd })
	}
	switch len(fitting) {
	case 0:
		return layout{}, fmt.Errorf("its output %v is of no known layout for %d classes, as metadata names has, and an input's side of %d pixels", shape, classes, side)
	case 1:
		return fitting[0], nil
	}
	return layout{}, fmt.Errorf("its output %v fits both layouts %s and %s: metadata end2end, True or False, must tell", shape, fitting[0].name, fitting[1].name)
}

// decode checks what a run really gave and reads it.
func (l layout) decode(out inference.Tensor, classes, side int, confidence float32) ([]box, error) {
	if len(out.Shape) != 3 || out.Shape[0] != 1 || !l.fits(out.Shape, classes, side) {
		return nil, fmt.Errorf("the model gave %v, which is not of its layout %s", out.Shape, l.name)
	}
	found := l.read(out, classes, confidence)
	for _, b := range found {
		if b.class < 0 || b.class >= classes {
			return nil, fmt.Errorf("the model gave class %d, but metadata names has %d classes", b.class, classes)
		}
	}
	return found, nil
}

func readEndToEnd(out inference.Tensor, _ int, confidence float32) []box {
	var found []box
	for row := range slices.Chunk(out.Data, 6) {
		if row[4] >= confidence && row[4] > 0 { // unused rows are zero
			found = append(found, box{row[0], row[1], row[2], row[3], row[4], int(row[5])})
		}
	}
	return found
}

func readV8(out inference.Tensor, classes int, confidence float32) []box {
	n := int(out.Shape[2])
	best := slices.Clone(out.Data[4*n : 5*n])
	class := make([]int, n)
	for c := 1; c < classes; c++ {
		for a, v := range out.Data[(4+c)*n : (5+c)*n] {
			if v > best[a] {
				best[a], class[a] = v, c
			}
		}
	}
	var found []box
	for a, v := range best {
		if v >= confidence {
			found = append(found, centred(out.Data[a], out.Data[n+a], out.Data[2*n+a], out.Data[3*n+a], v, class[a]))
		}
	}
	return found
}

func readV5(out inference.Tensor, classes int, confidence float32) []box {
	var found []box
	for row := range slices.Chunk(out.Data, 5+classes) {
		if row[4] < confidence {
			continue
		}
		class := 0
		for c, v := range row[5:] {
			if v > row[5+class] {
				class = c
			}
		}
		if v := row[4] * row[5+class]; v >= confidence {
			found = append(found, centred(row[0], row[1], row[2], row[3], v, class))
		}
	}
	return found
}
