package imaging

import "math"

// kernel is the shape of a filter: the weight of a pixel at a distance, which
// is 0 beyond reach. Distances are in the pixels of the coarser picture.
type kernel struct {
	reach float64
	at    func(distance float64) float64
}

var (
	triangle = kernel{1, func(d float64) float64 { return 1 - math.Abs(d) }}
	lanczos3 = kernel{3, func(d float64) float64 {
		if d == 0 {
			return 1
		}
		d *= math.Pi
		return 3 * math.Sin(d) * math.Sin(d/3) / (d * d)
	}}
)

// taps are the weights, which add up to 1, of a row of pixels.
type taps struct {
	first   int
	weights []float32
}

// taps returns what each of so many output pixels is made of. Beyond the edges,
// the pixels at the edges go on.
func (k kernel) taps(from, to int) []taps {
	scale := float64(from) / float64(to)
	widen := math.Max(1, scale)
	all := make([]taps, to)
	for i := range all {
		centre := (float64(i)+0.5)*scale - 0.5
		low, high := int(math.Ceil(centre-k.reach*widen)), int(math.Floor(centre+k.reach*widen))
		first, last := max(0, low), min(from-1, high)
		weights := make([]float32, last-first+1)
		var sum float32
		for at := low; at <= high; at++ {
			weight := float32(k.at((float64(at) - centre) / widen))
			weights[min(max(at, first), last)-first] += weight
			sum += weight
		}
		for j := range weights {
			weights[j] /= sum
		}
		all[i] = taps{first, weights}
	}
	return all
}

// resample returns the picture at another size. It does what bimg cannot: bimg
// enlarges half a pixel off and cannot shrink one side alone, and libvips' sums
// in fixed point darken what shrinks a lot.
func (p *Pixels) resample(width, height int, k kernel) *Pixels {
	out := NewPixels(width, height, p.Channels)
	columns, n := k.taps(p.Width, width), p.Channels
	row := make([]float32, p.Width*n)
	for y, t := range k.taps(p.Height, height) {
		clear(row)
		for i, weight := range t.weights {
			for x, v := range p.Pix[(t.first+i)*len(row):][:len(row)] {
				row[x] += weight * float32(v)
			}
		}
		to := out.Pix[y*width*n:]
		for x, t := range columns {
			for c := range n {
				var sum float32
				for i, weight := range t.weights {
					sum += weight * row[(t.first+i)*n+c]
				}
				to[x*n+c] = byte(max(0, min(255, sum+0.5)))
			}
		}
	}
	return out
}
