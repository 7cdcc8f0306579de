package detect

import (
	"math"

	"imageflow.dev/internal/inference"
)

// format is how the outputs of a model encode detections, one in each row.
type format struct {
	boxes part
	// scores has a column for each class, or one if classes is present.
	scores part
	// objectness is a factor of the scores.
	objectness part
	// classes has the index of the class.
	classes part
	// angles has the angle by which a box is turned around its centre, in radians.
	angles part
	// count is the number of rows that are in use.
	count part
	// batch is the index of the image; rows of images other than the first are skipped.
	batch part

	form boxForm
	// fractions means that boxes are in fractions of the input, not in pixels.
	fractions bool
	// valuesFirst means that the dimension of the rows is the last one.
	valuesFirst bool
	// sigmoid means that scores and objectness are logits.
	sigmoid bool
	// softmax means that the probabilities of classes of the image are logits.
	softmax bool
}

// part is the columns from, from+1, …, to-1 of an output; to 0 means up to the last, and from -1 the last
// one. Its zero value is absent.
type part struct {
	present  bool
	output   int
	from, to int
}

// columns returns a part of an output.
func columns(output, from, to int) part { return part{true, output, from, to} }

// boxForm is the meaning of the four numbers of a box.
type boxForm string

// The forms; empty means xyxy.
const (
	xyxy   boxForm = "xyxy"   // the corners
	yxyx   boxForm = "yxyx"   // the corners
	xywh   boxForm = "xywh"   // a corner and the size
	cxcywh boxForm = "cxcywh" // the centre and the size
	// gridded is cxcywh with the centre relative to the row's cell and the size as
	// logarithms, in units of the cell's stride.
	gridded boxForm = "gridded"
)

// read returns the candidates at or above the confidence. Their boxes are in pixels of the
// model's input.
func (f *format) read(outputs []inference.Tensor, d *description, confidence float32) ([]box, error) {
	t, err := f.tables(outputs)
	if err != nil {
		return nil, err
	}
	scores, class := t.best(len(d.names), confidence, f.activation())
	toBox := f.toBox(d)
	var found []box
	for row := range t.used {
		if scores[row] < confidence || t.batch.width > 0 && t.batch.at(row, 0) != 0 {
			continue
		}
		b := toBox(row, t.boxes.at(row, 0), t.boxes.at(row, 1), t.boxes.at(row, 2), t.boxes.at(row, 3))
		if t.angles.width > 0 {
			b = b.turned(t.angles.at(row, 0))
		}
		b.confidence, b.class, b.row = scores[row], class[row], int32(row)
		found = append(found, b)
	}
	return found, nil
}

// activation returns the function that makes probabilities.
func (f *format) activation() func(float32) float32 {
	if f.sigmoid {
		return sigmoid
	}
	return func(v float32) float32 { return v }
}

// toBox returns the function that converts the four numbers of a box.
func (f *format) toBox(d *description) func(row int, a, b, c, e float32) box {
	w, h := float32(1), float32(1)
	if f.fractions {
		w, h = float32(d.width), float32(d.height)
	}
	return func(row int, a, b, c, e float32) box {
		switch f.form {
		case gridded:
			x, y, s := d.cell(row)
			return fromCxCyWH((a+x)*s, (b+y)*s, exp(c)*s, exp(e)*s)
		case cxcywh:
			return fromCxCyWH(a*w, b*h, c*w, e*h)
		case xywh:
			return box{x1: a * w, y1: b * h, x2: (a + c) * w, y2: (b + e) * h}
		case yxyx:
			return box{x1: b * w, y1: a * h, x2: e * w, y2: c * h}
		}
		return box{x1: a * w, y1: b * h, x2: c * w, y2: e * h}
	}
}

// cell returns the grid cell of a row, and the size of the cell in pixels. Rows are ordered by
// increasing stride, and row by row of the grid.
func (d *description) cell(row int) (x, y, stride float32) {
	for _, s := range strides {
		across, down := d.width/s, d.height/s
		if row < across*down {
			return float32(row % across), float32(row / across), float32(s)
		}
		row -= across * down
	}
	return 0, 0, 0
}

func exp(v float32) float32 { return float32(math.Exp(float64(v))) }

func sigmoid(v float32) float32 { return 1 / (1 + exp(-v)) }
