package detect

import (
	"cmp"
	"image"
	"slices"
)

// The limits of the contract for the polygons of an object.
const (
	// minTolerance is the distance in pixels by which a simplified contour may differ from the edge of the
	// mask. It is doubled until the polygons have at most maxPolygonPoints points.
	minTolerance     = 1
	maxPolygonPoints = 500
	// maxPolygons is the number of parts of an object, the largest ones.
	maxPolygons = 20
)

// contour is a closed line along the edges of pixels, from corner to corner, clockwise around a part of the
// mask and counterclockwise around a hole.
type contour []image.Point

// polygons returns the outer contours of the mask, simplified, in pixels of the image. Pixels that only touch at a corner
// are in different polygons. Holes are left out.
func (m *bitmap) polygons() [][]point {
	parts := m.outerContours()
	slices.SortStableFunc(parts, func(a, b contour) int { return cmp.Compare(b.area(), a.area()) })
	parts = parts[:min(len(parts), maxPolygons)]
	for tolerance := float64(minTolerance); ; tolerance *= 2 {
		var polygons [][]point
		points := 0
		for _, c := range parts {
			if simple := c.simplified(tolerance); len(simple) > 2 {
				polygons = append(polygons, simple.in(m.at.Min))
				points += len(simple)
			}
		}
		if points <= maxPolygonPoints {
			return polygons
		}
	}
}

// in returns the points of a contour in an image, in which the corner of its part is at a point.
func (c contour) in(corner image.Point) (all []point) {
	for _, p := range c {
		p = p.Add(corner)
		all = append(all, point{float32(p.X), float32(p.Y)})
	}
	return all
}

// outerContours returns the contours around the parts of the mask.
func (m *bitmap) outerContours() (all []contour) {
	for y := range m.at.Dy() {
		for x := range m.at.Dx() {
			if !m.has(x, y) || m.has(x, y-1) || m.bits[y*m.at.Dx()+x]&traced != 0 {
				continue
			}
			if c := m.trace(image.Pt(x, y)); c.area() > 0 {
				all = append(all, c)
			}
		}
	}
	return all
}

// The directions of a contour, clockwise, and the pixel to the right and to the left ahead of a corner in
// each.
var (
	directions = [4]image.Point{{1, 0}, {0, 1}, {-1, 0}, {0, -1}}
	rightAhead = [4]image.Point{{0, 0}, {-1, 0}, {-1, -1}, {0, -1}}
	leftAhead  = [4]image.Point{{0, -1}, {0, 0}, {-1, 0}, {-1, -1}}
)

// trace returns the contour that begins along the upper edge of a pixel, with the mask on its right.
func (m *bitmap) trace(start image.Point) (c contour) {
	hasAt := func(p image.Point) bool { return m.has(p.X, p.Y) }
	at, direction := start, 0
	for {
		if direction == 0 {
			m.bits[at.Y*m.at.Dx()+at.X] |= traced
		}
		at = at.Add(directions[direction])
		turn := 0
		switch {
		case !hasAt(at.Add(rightAhead[direction])):
			turn = 1
		case hasAt(at.Add(leftAhead[direction])):
			turn = 3
		}
		if turn != 0 {
			c = append(c, at)
		}
		direction = (direction + turn) % 4
		if at == start && direction == 0 {
			return c
		}
	}
}

// area returns the area in a contour in pixels, negative for a hole.
func (c contour) area() int {
	twice := 0
	for i, p := range c {
		q := c[(i+1)%len(c)]
		twice += p.X*q.Y - q.X*p.Y
	}
	return twice / 2
}

// simplified returns the contour with fewer points, no point of it further than the tolerance from the simpler one:
// the algorithm of Ramer, Douglas and Peucker on both halves between the first point and the one furthest from it.
func (c contour) simplified(tolerance float64) contour {
	far := 0
	for i, p := range c {
		if distance(p, c[0]) > distance(c[far], c[0]) {
			far = i
		}
	}
	closed := append(slices.Clone(c), c[0])
	keep := make([]bool, len(closed))
	keep[0], keep[far] = true, true
	pending := [][2]int{{0, far}, {far, len(c)}}
	for len(pending) > 0 {
		first, last := pending[len(pending)-1][0], pending[len(pending)-1][1]
		pending = pending[:len(pending)-1]
		at, most := 0, tolerance*tolerance
		for i := first + 1; i < last; i++ {
			if d := squaredDistance(closed[i], closed[first], closed[last]); d > most {
				at, most = i, d
			}
		}
		if at > 0 {
			keep[at] = true
			pending = append(pending, [2]int{first, at}, [2]int{at, last})
		}
	}
	var simple contour
	for i, p := range c {
		if keep[i] {
			simple = append(simple, p)
		}
	}
	return simple
}

// distance returns the squared distance of two points.
func distance(a, b image.Point) int {
	d := a.Sub(b)
	return d.X*d.X + d.Y*d.Y
}

// squaredDistance returns the squared distance of a point from the line between two others.
func squaredDistance(p, from, to image.Point) float64 {
	line, toPoint := to.Sub(from), p.Sub(from)
	length := float64(line.X*line.X + line.Y*line.Y)
	if length == 0 {
		return float64(toPoint.X*toPoint.X + toPoint.Y*toPoint.Y)
	}
	along := min(max(float64(line.X*toPoint.X+line.Y*toPoint.Y)/length, 0), 1)
	dx, dy := float64(toPoint.X)-along*float64(line.X), float64(toPoint.Y)-along*float64(line.Y)
	return dx*dx + dy*dy
}
