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
	// classes is the highest index of a class plus 1.
	classes int
}

// isImplausible reports whether the output certainly has another layout.
func (t trial) isImplausible() bool { return t.boxes >= minTrialBoxes && t.sane < minSane }

// try reads the outputs of a trial run. A wrong layout gives boxes outside the input, of the
// whole input or smaller than a cell, confidences above 1, or classes that are no integers.
func (l *layout) try(outputs []inference.Tensor, d *description) trial {
	t := trial{layout: *l}
	if l.task == classifyTask {
		return t // its values are checked when the layout is chosen
	}
	selected, _ := l.selectOutputs(outputs, d.outputNames)
	parts, err := l.tables(selected)
	if err != nil || l.hasWrongClasses(selected, parts) {
		t.boxes = max(parts.boxes.rows, minTrialBoxes)
		return t
	}
	boxes, _ := l.read(selected, d, trialConfidence)
	t.boxes = len(boxes)
	if t.boxes == 0 && !l.neverEmpty {
		t.sane = minLead // nothing speaks for or against it
	}
	minSide := float32(minTrialSide)
	if l.fractions {
		minSide = 0
	}
	for _, b := range boxes {
		t.classes = max(t.classes, b.class+1)
		if b.isSane(d.width, d.height, minSide) {
			t.sane += 1 / float64(len(boxes))
		}
	}
	return t
}

// hasWrongClasses reports whether the column of classes has fractions, or a column with
// probabilities in its place has none.
func (l *layout) hasWrongClasses(selected []inference.Tensor, parts tables) bool {
	if parts.classes.width > 0 {
		return !parts.classes.isIntegers()
	}
	out := selected[0]
	last := table{data: out.Data[min(5, len(out.Data)):], rows: len(out.Data) / 6, width: 1, rowStep: 6}
	return len(selected) == 1 && out.Shape[len(out.Shape)-1] == 6 && last.isIntegers() && !isZero(out.Data)
}

// isSane reports whether a box may be one of an input of this size. It is false for NaN.
func (b box) isSane(width, height int, minSide float32) bool {
	w, h := float32(width), float32(height)
	inside := func(v, limit float32) bool { return v > -limit && v < 2*limit }
	whole := b.x1 <= 0 && b.y1 <= 0 && b.x2 >= w && b.y2 >= h
	return !whole && b.confidence <= 1.001 && inside(b.x1, w) && inside(b.x2, w) && inside(b.y1, h) && inside(b.y2, h) &&
		b.x1 <= b.x2 && b.y1 <= b.y2 && max(b.x2-b.x1, b.y2-b.y1) > minSide
}

// best returns the trial whose layout is clearly the most plausible one.
func best(trials []trial) (trial, bool) {
	at := func(t trial) float64 { return t.sane }
	slices.SortStableFunc(trials, func(a, b trial) int { return int(math.Copysign(1, at(b)-at(a))) })
	return trials[0], len(trials) == 1 || at(trials[0]) >= at(trials[1])+minLead
}

// isIntegers reports whether the first column has only integers.
func (t table) isIntegers() bool {
	for row := range t.rows {
		if v := float64(t.at(row, 0)); v != math.Trunc(v) {
			return false
		}
	}
	return true
}

func isZero(data []float32) bool {
	return !slices.ContainsFunc(data, func(v float32) bool { return v != 0 })
}
