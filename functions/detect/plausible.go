package detect

import (
	"math"
	"slices"

	"imageflow.dev/internal/inference"
)

const (
	// trialConfidence is the confidence from which a trial looks at boxes. Trained models
	// give nearly every box a higher one.
	trialConfidence = 1e-6
	// minTrialSide is the longer side in pixels of the smallest sane box of a layout in
	// pixels. A logarithm or a fraction that is taken for pixels is below it.
	minTrialSide = 4.5
	// minTrialBoxes is the number of boxes from which a trial may refuse a model, and
	// minSane the share of sane boxes that it must have then.
	minTrialBoxes, minSane = 10, 0.1
	// minLead is by how much the share of one layout must exceed the shares of all others to
	// choose between them.
	minLead = 0.5
)

// trial is the output of a trial run, read in one layout.
type trial struct {
	layout layout
	boxes  int
	sane   float64 // the share of sane boxes
}

// isImplausible reports whether the output certainly has another layout.
func (t trial) isImplausible() bool { return t.boxes >= minTrialBoxes && t.sane < minSane }

// try reads the outputs of a trial run. A wrong layout gives boxes outside the input or
// smaller than a cell, confidences above 1, or classes that are no integers.
func (l layout) try(outputs []inference.Tensor, d *description) trial {
	t, out := trial{layout: l}, outputs[0]
	if six := out.Shape[2] == 6; six && l.classColumn != integers(out.Data, 5, 6) && !isZero(out.Data) {
		t.boxes = int(out.Shape[1])
		return t
	}
	boxes := l.read(outputs, d, trialConfidence)
	t.boxes = len(boxes)
	if t.boxes == 0 && !l.neverEmpty {
		t.sane = minLead // nothing speaks for or against it
	}
	minSide := float32(minTrialSide)
	if l.input == rtdetrPreprocessing { // boxes in fractions
		minSide = 0
	}
	for _, b := range boxes {
		if b.isSane(d.width, d.height, minSide) {
			t.sane += 1 / float64(len(boxes))
		}
	}
	return t
}

// isSane reports whether a box may be one of an input of this size. It is false for NaN.
func (b box) isSane(width, height int, minSide float32) bool {
	w, h := float32(width), float32(height)
	inside := func(v, limit float32) bool { return v > -limit && v < 2*limit }
	return b.confidence <= 1.001 && inside(b.x1, w) && inside(b.x2, w) && inside(b.y1, h) && inside(b.y2, h) &&
		b.x1 <= b.x2 && b.y1 <= b.y2 && max(b.x2-b.x1, b.y2-b.y1) > minSide
}

// best returns the trial whose layout is clearly the most plausible one.
func best(trials []trial) (trial, bool) {
	at := func(t trial) float64 { return t.sane }
	slices.SortStableFunc(trials, func(a, b trial) int { return int(math.Copysign(1, at(b)-at(a))) })
	return trials[0], len(trials) == 1 || at(trials[0]) >= at(trials[1])+minLead
}

// integers reports whether a column of rows of numbers has only integers.
func integers(data []float32, column, width int) bool {
	for i := column; i < len(data); i += width {
		if v := float64(data[i]); v != math.Trunc(v) {
			return false
		}
	}
	return true
}

func isZero(data []float32) bool {
	return !slices.ContainsFunc(data, func(v float32) bool { return v != 0 })
}
