package imaging

// #include "resample.h"
import "C"

import "math"

// kernel is a filter kernel, the weight of an input by its distance. The unit of distance is
// one output when the filter shrinks and one input when it enlarges. The weight is 0 beyond
// support.
type kernel struct {
	support float64
	// values are the weights at multiples of 1/kernelSteps. Linear interpolation between
	// them is exact to 1e-6, and faster than the formulas.
	values []float32
}

const kernelSteps = 1024

func newKernel(support float64, at func(distance float64) float64) kernel {
	k := kernel{support, make([]float32, int(support*kernelSteps)+2)}
	for i := range k.values {
		k.values[i] = float32(at(float64(i) / kernelSteps))
	}
	return k
}

// at returns the weight at a distance of this many steps.
func (k *kernel) at(steps float64) float32 {
	steps = math.Abs(steps)
	i := int(steps)
	v := k.values[i : i+2]
	return v[0] + float32(steps-float64(i))*(v[1]-v[0])
}

var (
	// linear interpolates between two inputs.
	linear = newKernel(1, func(d float64) float64 { return max(0, 1-d) })
	// catmullRom is a cubic. It keeps edges sharp and has a third fewer weights than lanczos3.
	catmullRom = newKernel(2, func(d float64) float64 {
		if d < 1 {
			return (1.5*d-2.5)*d*d + 1
		}
		return ((-0.5*d+2.5)*d-4)*d + 2
	})
	lanczos3 = newKernel(3, func(d float64) float64 {
		if d == 0 {
			return 1
		}
		d *= math.Pi
		s := math.Sin(d / 3)
		return 3 * s * s * (3 - 4*s*s) / (d * d) // sin 3a is 3 sin a − 4 sin³ a
	})
)

// gaussian has a standard deviation of 1.
var gaussian = newKernel(4, func(d float64) float64 { return math.Exp(-d * d / 2) })

// weights are the Weights of resample.h.
type weights struct {
	count  int
	first  []int32
	values []float32
	cut    bool
}

// edge maps an index beyond the n inputs, 0 to n-1, to the index of an input, or to -1 if there is none.
type edge func(i, n int) int

// clamp repeats the input at the edge.
func clamp(i, n int) int { return min(max(i, 0), n-1) }

// omit leaves out what is beyond the edge, so that the other weights are larger.
func omit(int, int) int { return -1 }

// reflect mirrors the inputs at the edge.
func reflect(i, n int) int {
	i = ((i % (2 * n)) + 2*n) % (2 * n)
	return min(i, 2*n-1-i)
}

// computeWeights returns the weights of the n inputs for each output. An output is scale
// inputs wide, and width is the unit of the kernel in inputs.
func (k kernel) computeWeights(n, outputs int, scale, width float64, beyond edge) *weights {
	return k.computeWeightsFrom(0, n, outputs, scale, width, beyond)
}

// computeWeightsFrom is computeWeights for outputs of which the first begins at begin, in inputs.
func (k kernel) computeWeightsFrom(begin float64, n, outputs int, scale, width float64, beyond edge) *weights {
	support, step := k.support*width, kernelSteps/width
	count := min(n, int(2*support)+1)
	w := &weights{count: count, first: make([]int32, outputs), values: make([]float32, outputs*count)}
	for i := range outputs {
		centre := begin + (float64(i)+0.5)*scale - 0.5
		low := int(math.Ceil(centre - support))
		high := min(int(math.Floor(centre+support)), low+int(2*support))
		first := min(max(low, 0), n-count)
		w.first[i] = int32(first)
		values := w.values[i*count:][:count]
		sum, steps := float32(0), (float64(low)-centre)*step
		for at := low; at <= high; at++ {
			weight, input := k.at(steps), at
			if uint(at) >= uint(n) {
				input = beyond(at, n)
			}
			if input >= 0 {
				values[input-first] += weight
				sum += weight
			}
			steps += step
		}
		normal := 1 / sum
		for j := range values {
			values[j] *= normal
		}
	}
	return w
}

// openCV makes them the weights of INTER_LINEAR.
func (w *weights) openCV() *weights {
	const one = 1 << C.CUT_WEIGHT_BITS
	for i, v := range w.values {
		w.values[i] = float32(math.RoundToEven(float64(v)*one) / one)
	}
	w.cut = true
	return w
}

// after returns the weights of the n inputs of before, whose outputs are the inputs of w.
func (w *weights) after(before *weights, n int) *weights {
	all := &weights{first: make([]int32, len(w.first))}
	for i, first := range w.first {
		all.first[i] = before.first[first]
		all.count = max(all.count, int(before.first[int(first)+w.count-1]-all.first[i])+before.count)
	}
	all.values = make([]float32, len(w.first)*all.count)
	for i := range w.first {
		all.first[i] = min(all.first[i], int32(n-all.count))
		for j, v := range w.values[i*w.count:][:w.count] {
			middle := int(w.first[i]) + j
			into := all.values[i*all.count+int(before.first[middle]-all.first[i]):]
			for k, u := range before.values[middle*before.count:][:before.count] {
				into[k] += v * u
			}
		}
	}
	return all
}

// maxReduction limits the number of weights per output. Above it, boxes of pixels are
// averaged first, which costs less than 1 % of the contrast of the finest details.
const maxReduction = 8

// resize returns the side of the averaged boxes, in pixels, and the weights of the outputs for one
// axis. The outputs begin at pixel begin and cover length pixels; both are counted before the
// decoder divides the side of the image by shrink, which leaves decoded pixels.
func (k kernel) resize(begin, length float64, decoded, shrink, outputs int, beyond edge) (box int, w *weights) {
	scale := length / float64(shrink) / float64(outputs)
	box = max(1, int(scale/maxReduction))
	scale /= float64(box)
	begin /= float64(shrink * box)
	w = k.computeWeightsFrom(begin, (decoded+box-1)/box, outputs, scale, math.Max(1, scale), beyond)
	return box, w
}
