package filter

import (
	"context"
	"image"
	"math"

	"imageflow.dev/functions"
	"imageflow.dev/internal/imaging"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// coverage is which pixels of a region the mask of an object covers, row by row.
type coverage struct {
	at   image.Rectangle
	bits []byte
}

// The bits of a pixel.
const (
	inMask = 1 << iota
	widened
	covered
)

// newCoverage returns the coverage of an empty mask.
func newCoverage(at image.Rectangle) *coverage {
	return &coverage{at, make([]byte, at.Dx()*at.Dy())}
}

// maskCoverage returns the pixels of a part of the image that are in the mask of an object, in its margin, which on
// each side is the margin of the box, or at most a distance from that. With grow it is a pixel more on each side,
// because contours are simplified.
func maskCoverage(
	ctx context.Context, o functions.Object, at image.Rectangle, margin float64, distance int, grow bool,
) (*coverage, error) {
	c := newCoverage(at)
	for _, p := range o.Polygons {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		c.fill(p.GetPoints())
	}
	side := func(length int) int {
		n := distance + int(math.Ceil(margin*float64(length)/(1+2*margin)))
		if grow {
			n++
		}
		return n
	}
	return c, c.grow(ctx, side(o.Whole.Dx()), side(o.Whole.Dy()))
}

// set sets the bits of the pixels of row y from first to end, exclusively: inMask or 0.
func (c *coverage) set(y, first, end int, bits byte) {
	row := c.bits[(y-c.at.Min.Y)*c.at.Dx():]
	for x := first - c.at.Min.X; x < end-c.at.Min.X; x++ {
		row[x] = bits
	}
}

// grow covers the mask and the pixels that are at most these distances from it.
func (c *coverage) grow(ctx context.Context, across, down int) error {
	for y := range c.at.Dy() {
		c.widen(y, across)
	}
	if err := c.heighten(ctx, down, false); err != nil {
		return err
	}
	return c.heighten(ctx, down, true)
}

// fill adds the pixels whose centres are in a polygon, by the rule of even and odd: an edge switches, in
// each of its rows, the pixels to its right.
func (c *coverage) fill(points []float32) {
	bounds := boundsOf(points).Intersect(c.at)
	width := bounds.Dx()
	if bounds.Empty() {
		return
	}
	switches := make([]bool, width*bounds.Dy())
	for k := 0; k < len(points); k += 2 {
		next := (k + 2) % len(points)
		x1, y1, x2, y2 := float64(points[k]), float64(points[k+1]), float64(points[next]), float64(points[next+1])
		if y1 > y2 {
			x1, y1, x2, y2 = x2, y2, x1, y1
		}
		first, end := max(bounds.Min.Y, firstCentre(y1)), min(bounds.Max.Y, firstCentre(y2))
		for y := first; y < end; y++ {
			x := firstCentre(x1+(float64(y)+0.5-y1)*(x2-x1)/(y2-y1)) - bounds.Min.X
			if x < width {
				at := (y-bounds.Min.Y)*width + max(0, x)
				switches[at] = !switches[at]
			}
		}
	}
	for y := range bounds.Dy() {
		inside := false
		to := c.bits[(bounds.Min.Y+y-c.at.Min.Y)*c.at.Dx()+bounds.Min.X-c.at.Min.X:]
		for x, switched := range switches[y*width : (y+1)*width] {
			if inside = inside != switched; inside {
				to[x] |= inMask
			}
		}
	}
}

// firstCentre returns the first pixel whose centre is at v or beyond.
func firstCentre(v float64) int { return int(math.Ceil(v - 0.5)) }

// boundsOf returns the pixels that a polygon touches.
func boundsOf(points []float32) (r image.Rectangle) {
	b := &imageflowv1.BoundingBox{X1: points[0], Y1: points[1], X2: points[0], Y2: points[1]}
	for k := 0; k < len(points); k += 2 {
		b.X1, b.X2 = min(b.X1, points[k]), max(b.X2, points[k])
		b.Y1, b.Y2 = min(b.Y1, points[k+1]), max(b.Y2, points[k+1])
	}
	return functions.WithMargin(b, 0)
}

// widen sets the bit widened of the pixels that are at most a distance from one in the mask in their row.
func (c *coverage) widen(y, distance int) {
	row := c.bits[y*c.at.Dx() : (y+1)*c.at.Dx()]
	last := -distance - 1
	for x := range row {
		if row[x]&inMask != 0 {
			last = x
		}
		if x-last <= distance {
			row[x] |= widened
		}
	}
	next := len(row) + distance
	for x := len(row) - 1; x >= 0; x-- {
		if row[x]&inMask != 0 {
			next = x
		}
		if next-x <= distance {
			row[x] |= widened
		}
	}
}

// heighten sets the bit covered of the pixels that are at most a distance from a widened one in their
// column. The order of rows is downwards, or upwards.
func (c *coverage) heighten(ctx context.Context, distance int, upwards bool) error {
	width, height := c.at.Dx(), c.at.Dy()
	left := make([]int, width) // how many rows each column still covers
	for i := range height {
		if err := ctx.Err(); err != nil {
			return err
		}
		y := i
		if upwards {
			y = height - 1 - i
		}
		row := c.bits[y*width : (y+1)*width]
		for x := range row {
			if row[x]&widened != 0 {
				left[x] = distance + 1
			}
			if left[x] > 0 {
				row[x] |= covered
				left[x]--
			}
		}
	}
	return nil
}

// eachRow calls paint with the covered pixels, until the context ends.
func (c *coverage) eachRow(ctx context.Context, paint imaging.Painter) error {
	width := c.at.Dx()
	for y := range c.at.Dy() {
		if err := ctx.Err(); err != nil {
			return err
		}
		row := c.bits[y*width : (y+1)*width]
		for x := 0; x < width; x++ {
			if row[x]&covered == 0 {
				continue
			}
			first := x
			for x < width && row[x]&covered != 0 {
				x++
			}
			paint(c.at.Min.Y+y, c.at.Min.X+first, c.at.Min.X+x)
		}
	}
	return nil
}
