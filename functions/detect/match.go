package detect

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"imageflow.dev/internal/inference"
)

// selectOutputs returns the outputs that the layout reads, in the order of its shapes, or false if
// the model does not have them.
func (l *layout) selectOutputs(outputs []inference.Tensor, names []string) ([]inference.Tensor, bool) {
	switch {
	case l.shapes == nil: // of parameters, which name the outputs
		return outputs, true
	case len(outputs) < len(l.shapes):
		return nil, false
	}
	if l.outputs == nil {
		return outputs[:len(l.shapes)], len(l.shapes) == 1 || len(outputs) == len(l.shapes)
	}
	var selected []inference.Tensor
	for _, pattern := range l.outputs {
		i := slices.IndexFunc(names, pattern.MatchString)
		if i < 0 || i >= len(outputs) {
			return nil, false
		}
		selected = append(selected, outputs[i])
	}
	masks := slices.Contains(names, "masks")
	return selected, len(outputs) == len(selected) || masks && len(outputs) == len(selected)+1
}

// fits reports whether these outputs look like this layout.
func (l *layout) fits(outputs []inference.Tensor, d *description) bool {
	selected, ok := l.selectOutputs(outputs, d.outputNames)
	if !ok || !l.isFor(d.task) || !l.hasShapes(selected, d) {
		return false
	}
	return l.hasCount == nil || l.hasCount(l.rows(selected), d)
}

// canRead returns the outputs that the layout reads, or false if it cannot read them.
func (l *layout) canRead(outputs []inference.Tensor, d *description) ([]inference.Tensor, bool) {
	selected, ok := l.selectOutputs(outputs, d.outputNames)
	ok = ok && l.hasShapes(selected, d) && (!l.exactCount || l.hasCount(l.rows(selected), d))
	return selected, ok
}

// decode checks the outputs of a run and reads them.
func (d *description) decode(outputs []inference.Tensor, confidence float32) ([]box, error) {
	found, err := d.layout.readAll(outputs, d, confidence)
	if err != nil {
		return nil, err
	}
	for _, b := range found {
		if b.class < 0 || b.class >= len(d.names) {
			return nil, fmt.Errorf("the model's output has class %d, but the model has only %d names of classes", b.class, len(d.names))
		}
	}
	return found, nil
}

// readAll reads the outputs of a run.
func (l *layout) readAll(outputs []inference.Tensor, d *description, confidence float32) ([]box, error) {
	selected, ok := l.canRead(outputs, d)
	if !ok {
		return nil, fmt.Errorf("the model has the %s, which is not of its layout %s", d.listOutputs(outputs), l.name)
	}
	return l.read(selected, d, confidence)
}

func (l *layout) rows(selected []inference.Tensor) int64 {
	shape := selected[l.boxes.output].Shape
	if l.valuesFirst {
		return shape[len(shape)-1]
	}
	return shape[len(shape)-2]
}

// hasShapes reports whether the selected outputs have the shapes of the layout.
func (l *layout) hasShapes(selected []inference.Tensor, d *description) bool {
	sizes := map[string]int64{"C": int64(len(d.names)), "X": d.furtherValues}
	for i, wants := range l.shapes {
		fits := func(want string) bool { return hasShape(selected[i].Shape, want, sizes) }
		if !slices.ContainsFunc(strings.Split(wants, "|"), fits) {
			return false
		}
	}
	return true
}

// hasShape reports whether a shape is like "1,4+C,A". A letter is a size; one that is not in sizes
// is added there, so that it has the same size in all shapes.
func hasShape(shape []int64, want string, sizes map[string]int64) bool {
	dims := strings.Split(want, ",")
	if len(dims) != len(shape) {
		return false
	}
	found := maps.Clone(sizes)
	for i, dim := range dims {
		sum := int64(0)
		for term := range strings.SplitSeq(dim, "+") {
			n, err := strconv.ParseInt(term, 10, 64)
			if size, ok := found[term]; ok {
				n = size
			} else if err != nil {
				n, found[term] = shape[i], shape[i]
			}
			sum += n
		}
		if sum != shape[i] {
			return false
		}
	}
	maps.Copy(sizes, found)
	return true
}
