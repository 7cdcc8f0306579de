package imaging

// #include "resample8.h"
import "C"

import (
	"math"
	"runtime"
	"unsafe"
)

// weights8 are the Weights8 of resample8.h.
type weights8 struct {
	count  int
	first  []int32
	values []int16
}

// fixed returns the weights in fixed point. The running sum of the weights of an output is
// rounded, not each weight, so that the sum of them is exact. Weights that become 0 at the
// start or end of all outputs are left out.
func (w *weights) fixed() *weights8 {
	fixed := &weights8{w.count, w.first, make([]int16, len(w.values))}
	for at := 0; at < len(w.values); at += w.count {
		values := w.values[at:][:w.count]
		sum, before := 1.0, 1<<C.WEIGHT_BITS // from 1 on, since int rounds negative numbers up
		for j, v := range values {
			sum += float64(v)
			rounded := int(sum*(1<<C.WEIGHT_BITS) + 0.5)
			fixed.values[at+j] = int16(rounded - before)
			before = rounded
		}
	}
	return fixed.trimmed()
}

// trimmed returns the weights without the zeros at the start and end that all outputs have.
func (w *weights8) trimmed() *weights8 {
	t := &weights8{1, make([]int32, len(w.first)), nil}
	next := int32(math.MaxInt32)
	for i := len(w.first) - 1; i >= 0; i-- {
		low, high := w.nonzero(i)
		low = min(low, next) // first never decreases
		t.first[i], t.count, next = low, max(t.count, int(high-low)+1), low
	}
	t.values = make([]int16, len(w.first)*t.count)
	for i, first := range w.first {
		t.first[i] = min(t.first[i], first+int32(w.count-t.count))
		copy(t.values[i*t.count:][:t.count], w.values[i*w.count+int(t.first[i]-first):])
	}
	return t
}

// nonzero returns the first and the last input of output i whose weights are not 0.
func (w *weights8) nonzero(i int) (first, last int32) {
	values := w.values[i*w.count:][:w.count]
	low, high := 0, w.count-1
	for values[low] == 0 {
		low++
	}
	for values[high] == 0 {
		high--
	}
	return w.first[i] + int32(low), w.first[i] + int32(high)
}

// pinned returns the weights for C and pins their memory.
func (w *weights8) pinned(pin *runtime.Pinner) *C.Weights8 {
	first, values := unsafe.SliceData(w.first), unsafe.SliceData(w.values)
	c := &C.Weights8{
		outputs: C.int(len(w.first)), count: C.int(w.count),
		first: (*C.int32_t)(first), weights: (*C.int16_t)(values),
	}
	pin.Pin(first)
	pin.Pin(values)
	pin.Pin(c)
	return c
}
