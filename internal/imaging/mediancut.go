package imaging

import "slices"

// colourBox is a set of colours.
type colourBox struct {
	colours []countedColour
	mean    [4]float32
	// spread is the sum of the squared distances from the mean on the axis with the largest one.
	spread float32
	axis   int
}

func newColourBox(colours []countedColour) colourBox {
	var sum countedColour
	for _, c := range colours {
		sum.add(c.pixels, c.mean)
	}
	b := colourBox{colours: colours, mean: sum.mean}
	var spread [4]float32
	for _, c := range colours {
		for i, v := range c.mean {
			spread[i] += c.pixels * (v - b.mean[i]) * (v - b.mean[i])
		}
	}
	for i, s := range spread {
		if s > b.spread {
			b.spread, b.axis = s, i
		}
	}
	return b
}

// split reorders the colours to those below the mean on the axis, and the others.
func (b colourBox) split() (below, others colourBox) {
	n := 0
	for i, c := range b.colours {
		if c.mean[b.axis] < b.mean[b.axis] {
			b.colours[i], b.colours[n] = b.colours[n], c
			n++
		}
	}
	return newColourBox(b.colours[:n]), newColourBox(b.colours[n:])
}

// medianCut returns the means of at most n sets of colours. It divides the set that is spread
// most, again and again.
func medianCut(colours []countedColour, n int) (means [][4]float32) {
	boxes := []colourBox{newColourBox(slices.Clone(colours))}
	for len(boxes) < n {
		widest := &boxes[0]
		for i := range boxes {
			if boxes[i].spread > widest.spread {
				widest = &boxes[i]
			}
		}
		if widest.spread == 0 {
			break
		}
		below, others := widest.split()
		if len(below.colours) == 0 || len(others.colours) == 0 { // what is left of the spread is rounding
			widest.spread = 0
			continue
		}
		*widest = below
		boxes = append(boxes, others)
	}
	for _, b := range boxes {
		means = append(means, b.mean)
	}
	return means
}
