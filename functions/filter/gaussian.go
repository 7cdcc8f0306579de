package filter

import (
	"math"

	"imageflow.dev/internal/imaging"
)

// blur filters every colour with a Gaussian. A pixel has as much say as it is
// opaque.
func blur(p *imaging.Pixels, _ float64, s settings) {
	opacity := func(int) float32 { return 1 }
	var opacities []float32
	if p.Channels == 4 {
		opacity = func(i int) float32 { return float32(p.Pix[4*i+3]) / 255 }
		opacities = blurred(p, s["sigma"], opacity)
	}
	for c := range 3 {
		colour := blurred(p, s["sigma"], func(i int) float32 { return opacity(i) * float32(p.Pix[i*p.Channels+c]) })
		for i, v := range colour {
			switch {
			case opacities == nil:
				p.Pix[3*i+c] = clamp(float64(v))
			case opacities[i] > leastOpacity:
				p.Pix[4*i+c] = clamp(float64(v / opacities[i]))
			}
		}
	}
}

// leastOpacity is where colours around a pixel cannot be told any more.
const leastOpacity = 1e-4

// blurred returns the plane of a value of every pixel, filtered with a Gaussian.
func blurred(p *imaging.Pixels, sigma float64, value func(pixel int) float32) []float32 {
	plane := make([]float32, p.Width*p.Height)
	for i := range plane {
		plane[i] = value(i)
	}
	return gaussian(plane, p.Width, p.Height, sigma)
}

// gaussian filters a plane of width × height values, which goes on beyond its
// edges as in a mirror. The plane is used up.
func gaussian(plane []float32, width, height int, sigma float64) []float32 {
	other := make([]float32, len(plane))
	for range 2 {
		for _, p := range passes(sigma) {
			p.down(other, plane, width)
			plane, other = other, plane
		}
		transpose(other, plane, width)
		plane, other, width, height = other, plane, height, width
	}
	return plane
}

// pass filters the columns of a plane.
type pass interface {
	down(to, from []float32, width int)
}

// passes returns what makes a Gaussian one behind the other: its own weights
// where they are few, else four boxes, whose time does not depend on the
// deviation and which are off by 3 of 255 at most.
func passes(sigma float64) []pass {
	if sigma <= 3 {
		return []pass{newKernel(sigma)}
	}
	b := newBox(sigma * sigma / 4)
	return []pass{b, b, b, b}
}

// rows returns a function that returns a row of a plane, which is mirrored
// above and below.
func rows(plane []float32, width int) func(y int) []float32 {
	height := len(plane) / width
	return func(y int) []float32 {
		if y %= 2 * height; y < 0 {
			y += 2 * height
		}
		y = min(y, 2*height-1-y)
		return plane[y*width : (y+1)*width]
	}
}

// kernel has the weights of the middle and of each distance from it.
type kernel []float32

// newKernel returns a Gaussian out to four standard deviations.
func newKernel(sigma float64) kernel {
	k := make(kernel, 1+int(math.Ceil(4*sigma)))
	var sum float64
	for d := range k {
		weight := math.Exp(-float64(d*d) / (2 * sigma * sigma))
		k[d] = float32(weight)
		sum += weight
		if d > 0 {
			sum += weight
		}
	}
	for d := range k {
		k[d] /= float32(sum)
	}
	return k
}

func (k kernel) down(to, from []float32, width int) {
	row := rows(from, width)
	for y := range len(from) / width {
		out := to[y*width : (y+1)*width]
		for x, v := range row(y) {
			out[x] = k[0] * v
		}
		for d := 1; d < len(k); d++ {
			weight, above, below := k[d], row(y - d)[:len(out)], row(y + d)[:len(out)]
			for x := range out {
				out[x] += weight * (above[x] + below[x])
			}
		}
	}
}

// box is a mean of the values up to a reach away, with a part of the two next
// ones, so that any variance can be had.
type box struct {
	reach        int
	inner, outer float32 // weights, which add up to 1
}

// newBox returns the box of a variance.
func newBox(variance float64) box {
	r := math.Floor((math.Sqrt(12*variance+1) - 1) / 2)
	// The variance is (2 Σ d² + 2 part (r+1)²) / (2r + 1 + 2 part), d from 1 to r.
	part := (variance*(2*r+1) - r*(r+1)*(2*r+1)/3) / (2 * ((r+1)*(r+1) - variance))
	weight := 1 / (2*r + 1 + 2*part)
	return box{int(r), float32(weight), float32(weight * part)}
}

func (b box) down(to, from []float32, width int) {
	row := rows(from, width)
	sum := make([]float32, width) // of the values in reach
	for y := -b.reach; y <= b.reach; y++ {
		for x, v := range row(y) {
			sum[x] += v
		}
	}
	for y := range len(from) / width {
		before, first, after := row(y - b.reach - 1)[:width], row(y - b.reach)[:width], row(y + b.reach + 1)[:width]
		out := to[y*width : (y+1)*width]
		for x, s := range sum {
			out[x] = s*b.inner + (before[x]+after[x])*b.outer
			sum[x] = s + (after[x] - first[x])
		}
	}
}

// transpose makes columns of the rows of a plane.
func transpose(to, from []float32, width int) {
	height := len(from) / width
	const tile = 16 // values of a cache line
	for y0 := 0; y0 < height; y0 += tile {
		for x := range width {
			for y := y0; y < min(y0+tile, height); y++ {
				to[x*height+y] = from[y*width+x]
			}
		}
	}
}
