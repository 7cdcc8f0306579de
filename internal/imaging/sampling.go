package imaging

import "slices"

// sampling is the sampling factors of a JPEG's component.
type sampling struct{ across, down int }

// samplings reads those of up to four components from a frame header, from behind
// their number.
func samplings(components []byte) (all [4]sampling) {
	for i := range all {
		if len(components) < 3*i+3 {
			break
		}
		factors := components[3*i+1]
		all[i] = sampling{int(factors >> 4), int(factors & 15)}
	}
	return all
}

// largest returns the factors of the components that are sampled in full.
func (h *Header) largest() (most sampling) {
	for _, s := range h.sampled {
		most = sampling{max(most.across, s.across), max(most.down, s.down)}
	}
	return most
}

// uneven reports whether libjpeg, when it shrinks the image, leaves a component with
// fewer samples than others, as it does where the factors differ along one side
// only, or by more than 2.
func (h *Header) uneven() bool {
	most := h.largest()
	return slices.ContainsFunc(h.sampled[:], func(s sampling) bool {
		return s != sampling{} && s.lags(s.blockSize(4, most), 4, most)
	})
}

// leastOfUneven is the least reduction that is left to the filter where a component
// lags: libjpeg enlarges it to the size of the others, and that blurs.
const leastOfUneven = 4

// keepsDetail reports whether each component of a JPEG that libjpeg shrinks by 2, 4
// or 8 has least times width × height samples left, or as many as it had.
func (h *Header) keepsDetail(shrink, width, height int, least float64) bool {
	most := h.largest()
	for _, s := range h.sampled {
		if s == (sampling{}) {
			continue
		}
		size := s.blockSize(8/shrink, most)
		needed, lags := least, s.lags(size, 8/shrink, most)
		if lags {
			needed = max(least, leastOfUneven)
		}
		across := float64(h.Width*s.across*size) / float64(8*most.across)
		down := float64(h.Height*s.down*size) / float64(8*most.down)
		if (size < 8 || lags) && (across < needed*float64(width) || down < needed*float64(height)) {
			return false
		}
	}
	return true
}

// lags reports whether blocks of this size have fewer samples, along a side, than
// blocks of the component that is sampled in full.
func (s sampling) lags(size, full int, most sampling) bool {
	return s.across*size < most.across*full || s.down*size < most.down*full
}

// blockSize returns the side of the blocks that libjpeg makes of a component's
// blocks of 8 × 8. It doubles their size as long as both sides of the component
// stay within those of the largest.
func (s sampling) blockSize(size int, most sampling) int {
	across, down := most.across*size, most.down*size
	for size < 8 && across%(s.across*size*2) == 0 && down%(s.down*size*2) == 0 {
		size *= 2
	}
	return size
}
