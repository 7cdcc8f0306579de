package console

import (
	"fmt"
	"strings"
)

// box is a rectangle of a drawing. X and Y are its upper left corner.
type box struct{ X, Y, W, H int }

func (b box) middle() int { return b.Y + b.H/2 }

// arrow leads from a box to another, given by their indices. Points are the ends of its curves: from the right side of a box
// to the left side of a box in the next layer, for each pair of layers. The arrow that closes a loop goes from left to right.
type arrow struct {
	From, To int
	Points   []point
}

type point struct{ X, Y int }

// Path returns the curve of an arrow for the attribute d of a path.
func (a arrow) Path() string {
	var b strings.Builder
	for i := 0; i+1 < len(a.Points); i += 2 {
		from, to := a.Points[i], a.Points[i+1]
		bend := max(from.X, to.X) - layerGap/2
		if from.X == to.X { // a loop
			bend = from.X + layerGap/2
		}
		command := "L"
		if i == 0 {
			command = "M"
		}
		fmt.Fprintf(&b, "%s%d,%d C%d,%d %d,%d %d,%d ", command, from.X, from.Y, bend, from.Y, bend, to.Y, to.X, to.Y)
	}
	return strings.TrimSpace(b.String())
}

// Head returns the triangle at the end of an arrow, for the attribute d of a path.
func (a arrow) Head() string {
	before, end := a.Points[len(a.Points)-2], a.Points[len(a.Points)-1]
	back := -7
	if before.X >= end.X {
		back = 7
	}
	return fmt.Sprintf("M%d,%d l%d,-4 v8 z", end.X, end.Y, back)
}
