package detect

import (
	"fmt"

	"imageflow.dev/internal/inference"
)

// table is a part of an output as rows of numbers. Its zero value is absent.
type table struct {
	data               []float32
	rows, width        int
	rowStep, valueStep int
}

func (t table) at(row, column int) float32 { return t.data[row*t.rowStep+column*t.valueStep] }

// tables are the parts of a format in the outputs of a run.
type tables struct {
	boxes, scores, objectness, classes, angles, batch table
	// used is the number of rows in use.
	used int
}

// tables finds the parts of a format. All of them have as many rows as the boxes.
func (f *format) tables(outputs []inference.Tensor) (t tables, err error) {
	if t.boxes, err = f.table(outputs, f.boxes, anyRows); err != nil {
		return t, fmt.Errorf("%s: %w", boxesKey, err)
	}
	if t.boxes.width != 4 {
		return t, fmt.Errorf("%s: there are %d columns instead of 4", boxesKey, t.boxes.width)
	}
	t.used = t.boxes.rows
	for _, p := range []struct {
		name string
		part
		table *table
	}{
		{scoresKey, f.scores, &t.scores}, {objectnessKey, f.objectness, &t.objectness}, {classesKey, f.classes, &t.classes},
		{"angles", f.angles, &t.angles}, {"batch", f.batch, &t.batch},
	} {
		if *p.table, err = f.table(outputs, p.part, t.boxes.rows); err != nil {
			return t, fmt.Errorf("%s: %w", p.name, err)
		}
	}
	if f.count.present {
		count := outputs[f.count.output].Data
		if len(count) == 0 || !(count[0] >= 0) {
			return t, fmt.Errorf("%s: the number of boxes is %v", countKey, count)
		}
		t.used = int(min(count[0], float32(t.used)))
	}
	return t, nil
}

// anyRows means a table with any number of rows.
const anyRows = -1

// table returns a part of the outputs with this number of rows, or anyRows.
func (f *format) table(outputs []inference.Tensor, p part, rows int) (table, error) {
	if !p.present {
		return table{}, nil
	}
	out := outputs[p.output]
	t := table{data: out.Data, rows: len(out.Data), width: 1, rowStep: 1, valueStep: 1}
	if n := len(out.Shape); n > 1 && len(out.Data) != rows { // otherwise it is one column
		t.rows, t.width = int(out.Shape[n-2]), int(out.Shape[n-1])
		t.rowStep = t.width
		if f.valuesFirst {
			t.rows, t.width = t.width, t.rows
			t.rowStep, t.valueStep = 1, t.rows
		}
	}
	to := p.to
	if to == 0 {
		to = t.width
	}
	if p.from < 0 {
		p.from += t.width
	}
	if t.rows*t.width != len(out.Data) || rows >= 0 && t.rows != rows || p.from >= to || to > t.width {
		return table{}, fmt.Errorf("the output %v does not have the columns %d to %d for each box", out.Shape, p.from, to-1)
	}
	t.data, t.width = t.data[min(len(t.data), p.from*t.valueStep):], to-p.from
	return t, nil
}

// best returns the score and the class of each row. It skips classes of rows whose objectness is
// below the confidence; their score is 0.
func (t *tables) best(classes int, confidence float32, activate func(float32) float32) ([]float32, []int) {
	scores, class := make([]float32, t.boxes.rows), make([]int, t.boxes.rows)
	width := min(classes, t.scores.width)
	if t.scores.valueStep > 1 && t.classes.width == 0 {
		t.scores.largestOfColumns(width, scores, class)
	}
	for row := range scores {
		objectness := float32(1)
		if t.objectness.width > 0 {
			objectness = activate(t.objectness.at(row, 0))
		}
		switch {
		case objectness < confidence:
			scores[row] = 0
			continue
		case t.classes.width > 0:
			scores[row], class[row] = t.scores.at(row, 0), int(t.classes.at(row, 0))
		case t.scores.valueStep == 1:
			values := t.scores.data[row*t.scores.rowStep:][:width]
			class[row] = largest(values)
			scores[row] = values[class[row]]
		}
		scores[row] = objectness * activate(scores[row])
	}
	return scores, class
}

// largestOfColumns finds the largest number of each row, of equal ones the first. It reads column
// by column, which are contiguous.
func (t table) largestOfColumns(width int, values []float32, at []int) {
	copy(values, t.data)
	for c := 1; c < width; c++ {
		for row, v := range t.data[c*t.valueStep:][:len(values)] {
			if v > values[row] {
				values[row], at[row] = v, c
			}
		}
	}
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
