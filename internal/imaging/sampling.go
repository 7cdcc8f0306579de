package imaging

import "slices"

// sampling is the pair of sampling factors of a JPEG component, 1 to 4 each.
type sampling struct{ across, down int }

// parseSamplings reads the sampling factors of up to four components. components is the
// part of a frame header after the number of components.
func parseSamplings(components []byte) (all [4]sampling) {
	for i := range all {
		if len(components) < 3*i+3 {
			break
		}
		factors := components[3*i+1]
		all[i] = sampling{int(factors >> 4), int(factors & 15)}
	}
	return all
}

// maxSampling returns the largest factors of all components, which have full resolution.
func (h *Header) maxSampling() sampling { return maxSampling(h.sampled[:]) }

func maxSampling(all []sampling) (full sampling) {
	for _, s := range all {
		full = sampling{max(full.across, s.across), max(full.down, s.down)}
	}
	return full
}

// unevenSampling reports whether libjpeg, when it shrinks the image, returns a component
// with fewer samples than the others. This happens if the factors differ along one side
// only, or by more than 2.
func (h *Header) unevenSampling() bool {
	full := h.maxSampling()
	return slices.ContainsFunc(h.sampled[:], func(s sampling) bool {
		return s != sampling{} && s.isSubsampled(s.blockSize(4, full), 4, full)
	})
}

// minSubsampledReduction is the minimum reduction that is left to the filter if a component
// is subsampled. libjpeg enlarges such a component to the size of the others, which blurs
// it.
const minSubsampledReduction = 4

// keepsDetail reports whether a JPEG that libjpeg shrinks by 2, 4 or 8 still has enough
// samples for a view. Each component needs reduction times as many samples in its window
// along each side, or all the samples that it has.
func (h *Header) keepsDetail(shrink int, v view, reduction float64) bool {
	full := h.maxSampling()
	partAcross, partDown := h.part(v)
	for _, s := range h.sampled {
		if s == (sampling{}) {
			continue
		}
		size := s.blockSize(8/shrink, full)
		needed, subsampled := reduction, s.isSubsampled(size, 8/shrink, full)
		if subsampled {
			needed = max(reduction, minSubsampledReduction)
		}
		across := partAcross * float64(h.Width*s.across*size) / float64(8*full.across)
		down := partDown * float64(h.Height*s.down*size) / float64(8*full.down)
		if (size < 8 || subsampled) && (across < needed*float64(v.width) || down < needed*float64(v.height)) {
			return false
		}
	}
	return true
}

// isSubsampled reports whether the component, in blocks of size, has fewer samples along a
// side than a component of full resolution in blocks of fullSize.
func (s sampling) isSubsampled(size, fullSize int, full sampling) bool {
	return s.across*size < full.across*fullSize || s.down*size < full.down*fullSize
}

// blockSize returns the side of the blocks that libjpeg makes of the 8 × 8 blocks of a
// component, if a component of full resolution gets blocks of size. libjpeg doubles the
// size while both sides of the component stay within those of full resolution.
func (s sampling) blockSize(size int, full sampling) int {
	across, down := full.across*size, full.down*size
	for size < 8 && across%(s.across*size*2) == 0 && down%(s.down*size*2) == 0 {
		size *= 2
	}
	return size
}
