package console

import (
	"cmp"
	"slices"
)

// The sizes of a drawing, in px.
const (
	drawingMargin = 8
	layerGap      = 70 // between a layer and the next, with room for the figures of an arrow
	boxGap        = 22 // between boxes of a layer
	bendHeight    = 14 // of the place where a long arrow passes a layer
)

// layOut gives each box a place, in layers from left to right, and each arrow its points. It returns the size of the drawing.
// A box is in the layer after the last one from which an arrow leads to it. Long arrows pass the layers between. Equal
// drawings have equal layouts.
func layOut(boxes []box, arrows []arrow) (width, height int) {
	g := &graphLayout{boxes: slices.Clone(boxes), own: len(boxes)}
	for i, a := range arrows {
		if a.From != a.To {
			g.ways = append(g.ways, way{arrow: i, boxes: []int{a.From, a.To}})
		}
	}
	g.turnLoops()
	g.findLayers()
	g.bend()
	g.sortLayers()
	width, height = g.place()
	copy(boxes, g.boxes)
	g.connect(arrows)
	return width, height
}

// graphLayout is a layout that is being made.
type graphLayout struct {
	boxes  []box // the own ones, and after them the bends
	own    int
	layer  []int // of each box
	layers [][]int
	ways   []way
}

// way is the way of an arrow through boxes of neighbouring layers, from left to right.
type way struct {
	arrow    int
	boxes    []int
	isTurned bool
}

// turnLoops turns the ways that close loops around.
func (g *graphLayout) turnLoops() {
	const open, done = 1, 2
	state := make([]int, g.own)
	var visit func(n int)
	visit = func(n int) {
		state[n] = open
		for i := range g.ways {
			w := &g.ways[i]
			if w.boxes[0] != n || w.isTurned {
				continue
			}
			switch next := w.boxes[1]; state[next] {
			case open:
				w.boxes[0], w.boxes[1], w.isTurned = next, n, true
			case done:
			default:
				visit(next)
			}
		}
		state[n] = done
	}
	for n := range g.own {
		if state[n] == 0 {
			visit(n)
		}
	}
}

func (g *graphLayout) findLayers() {
	g.layer = make([]int, g.own)
	for range g.own { // the longest way has fewer arrows
		for _, w := range g.ways {
			g.layer[w.boxes[1]] = max(g.layer[w.boxes[1]], g.layer[w.boxes[0]]+1)
		}
	}
}

// bend adds a box to each layer that a way passes.
func (g *graphLayout) bend() {
	for i := range g.ways {
		w := &g.ways[i]
		first, last := w.boxes[0], w.boxes[1]
		w.boxes = []int{first}
		for layer := g.layer[first] + 1; layer < g.layer[last]; layer++ {
			w.boxes = append(w.boxes, len(g.boxes))
			g.boxes = append(g.boxes, box{H: bendHeight})
			g.layer = append(g.layer, layer)
		}
		w.boxes = append(w.boxes, last)
	}
	for n, layer := range g.layer {
		for len(g.layers) <= layer {
			g.layers = append(g.layers, nil)
		}
		g.layers[layer] = append(g.layers[layer], n)
	}
}

// neighbours returns the boxes to the left (-1) or the right (1) of a box along its ways.
func (g *graphLayout) neighbours(n, side int) (all []int) {
	for _, w := range g.ways {
		at := slices.Index(w.boxes, n)
		if at >= 0 && at+side >= 0 && at+side < len(w.boxes) {
			all = append(all, w.boxes[at+side])
		}
	}
	return all
}

// mean returns the mean of a value of boxes, or else.
func mean(boxes []int, value func(n int) int, otherwise int) int {
	if len(boxes) == 0 {
		return otherwise
	}
	sum := 0
	for _, n := range boxes {
		sum += value(n)
	}
	return sum / len(boxes)
}

// rounds is how often the order and the places of boxes are improved from each side.
const rounds = 4

// sortLayers orders the boxes of each layer by the mean place of their neighbours, so that few arrows cross.
func (g *graphLayout) sortLayers() {
	const scale = 1000 // of places, since means are whole numbers
	rank := make([]int, len(g.boxes))
	number := func(layer []int) {
		for i, n := range layer {
			rank[n] = i * scale
		}
	}
	for _, layer := range g.layers {
		number(layer)
	}
	for range rounds {
		g.sweep(func(layer []int, side int) {
			want := map[int]int{}
			for _, n := range layer {
				want[n] = mean(g.neighbours(n, side), func(m int) int { return rank[m] }, rank[n])
			}
			slices.SortStableFunc(layer, func(a, b int) int { return cmp.Compare(want[a], want[b]) })
			number(layer)
		})
	}
}

// sweep visits the layers from left to right with their neighbours to the left, and then back.
func (g *graphLayout) sweep(visit func(layer []int, side int)) {
	for i := range g.layers {
		visit(g.layers[i], -1)
	}
	for i := range g.layers {
		visit(g.layers[len(g.layers)-1-i], 1)
	}
}

// place gives all boxes their places and returns the size of the drawing.
func (g *graphLayout) place() (width, height int) {
	x := drawingMargin
	for _, layer := range g.layers {
		widest := 0
		for _, n := range layer {
			widest = max(widest, g.boxes[n].W)
		}
		for _, n := range layer {
			if g.boxes[n].X = x; n >= g.own {
				g.boxes[n].W = widest
			}
		}
		x += widest + layerGap
	}
	for range rounds {
		g.sweep(g.stack)
	}
	g.sweep(func(layer []int, side int) { // the last word has the left side
		if side < 0 {
			g.stack(layer, side)
		}
	})
	top := 0
	for _, b := range g.boxes {
		top = min(top, b.Y)
	}
	for i := range g.boxes {
		g.boxes[i].Y += drawingMargin - top
		height = max(height, g.boxes[i].Y+g.boxes[i].H+drawingMargin)
	}
	return x - layerGap + drawingMargin, height
}

// stack places the boxes of a layer below each other, as near as possible to the means of their neighbours.
func (g *graphLayout) stack(layer []int, side int) {
	next, off := 0, 0
	for i, n := range layer {
		b := &g.boxes[n]
		want := mean(g.neighbours(n, side), func(m int) int { return g.boxes[m].middle() }, b.middle()) - b.H/2
		if b.Y = want; i > 0 {
			b.Y = max(want, next)
		}
		off += b.Y - want
		next = b.Y + b.H + boxGap
	}
	for _, n := range layer {
		g.boxes[n].Y -= off / len(layer)
	}
}

// connect gives the arrows their points. The ends at one side of a box are spread over it in the order of the other ends.
func (g *graphLayout) connect(arrows []arrow) {
	for _, w := range g.ways {
		var points []point
		for i := range len(w.boxes) - 1 {
			from, to := w.boxes[i], w.boxes[i+1]
			points = append(points, point{g.boxes[from].X + g.boxes[from].W, g.port(from, w, 1)},
				point{g.boxes[to].X, g.port(to, w, -1)})
		}
		if w.isTurned {
			slices.Reverse(points)
		}
		arrows[w.arrow].Points = points
	}
	for i, a := range arrows {
		if b := g.boxes[a.From]; a.From == a.To {
			arrows[i].Points = []point{{b.X + b.W, b.Y + b.H/3}, {b.X + b.W, b.Y + 2*b.H/3}}
		}
	}
}

// port returns the height at which a way ends at a side of a box.
func (g *graphLayout) port(n int, own way, side int) int {
	b := g.boxes[n]
	if n >= g.own {
		return b.middle()
	}
	above, all := 0, 0
	other := func(w way, at int) int { return g.boxes[w.boxes[at+side]].middle() }
	ownEnd := other(own, slices.Index(own.boxes, n))
	for _, w := range g.ways {
		at := slices.Index(w.boxes, n)
		if at < 0 || at+side < 0 || at+side >= len(w.boxes) {
			continue
		}
		all++
		if end := other(w, at); end < ownEnd || end == ownEnd && w.arrow < own.arrow {
			above++
		}
	}
	return b.Y + b.H*(above+1)/(all+1)
}
