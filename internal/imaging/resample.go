package imaging

import "math"

// kernel is the shape of a filter: the weight of an input at a distance, in
// outputs where it shrinks and in inputs where it enlarges; 0 beyond reach.
type kernel struct {
	reach float64
	at    func(distance float64) float64
}

var (
	// catmullRom keeps edges sharp with a third less to add up.
	catmullRom = kernel{2, func(d float64) float64 {
		if d = math.Abs(d); d < 1 {
			return (1.5*d-2.5)*d*d + 1
		}
		return ((-0.5*d+2.5)*d-4)*d + 2
	}}
	lanczos3 = kernel{3, func(d float64) float64 {
		if d == 0 {
			return 1
		}
		d *= math.Pi
		s := math.Sin(d / 3)
		return 3 * s * s * (3 - 4*s*s) / (d * d) // sin 3a is 3 sin a − 4 sin³ a
	}}
)

// gaussian has a standard deviation of 1.
var gaussian = kernel{4, func(d float64) float64 { return math.Exp(-d * d / 2) }}

// weights are those of resample.h.
type weights struct {
	count int
	first []int32
	of    []float32
}

// edge says which of n inputs, 0 to n-1, stands for one beyond the edges.
type edge func(i, n int) int

// goesOn repeats the input at the edge.
func goesOn(i, n int) int { return min(max(i, 0), n-1) }

// mirrored sees the inputs from behind.
func mirrored(i, n int) int {
	i = ((i % (2 * n)) + 2*n) % (2 * n)
	return min(i, 2*n-1-i)
}

// weigh returns what each of so many outputs is made of. An output is scale
// inputs wide, of which there are n, and the kernel's unit is width inputs.
func (k kernel) weigh(n, outputs int, scale, width float64, beyond edge) *weights {
	reach := k.reach * width
	count := min(n, int(2*reach)+1)
	w := &weights{count, make([]int32, outputs), make([]float32, outputs*count)}
	for i := range outputs {
		centre := (float64(i)+0.5)*scale - 0.5
		low := int(math.Ceil(centre - reach))
		high := min(int(math.Floor(centre+reach)), low+int(2*reach))
		first := min(max(low, 0), n-count)
		w.first[i] = int32(first)
		of := w.of[i*count:][:count]
		var sum float32
		for at := low; at <= high; at++ {
			weight := float32(k.at((float64(at) - centre) / width))
			of[beyond(at, n)-first] += weight
			sum += weight
		}
		for j := range of {
			of[j] /= sum
		}
	}
	return w
}

// largestReduction bounds the weights of an output. What shrinks more is made of
// means of pixels, which costs less than 1 % of the contrast of the finest
// details.
const largestReduction = 8

// resize returns how many pixels of a side of length, which the decoder shrinks,
// are first made one, and the weights of what it becomes. Of a length that the
// decoder does not divide, it loses the rest.
func (k kernel) resize(length, shrink, outputs int) (box int, w *weights) {
	decoded := length / shrink
	scale := float64(length) / float64(shrink) / float64(outputs)
	box = max(1, int(scale/largestReduction))
	scale /= float64(box)
	w = k.weigh((decoded+box-1)/box, outputs, scale, math.Max(1, scale), goesOn)
	return box, w
}
