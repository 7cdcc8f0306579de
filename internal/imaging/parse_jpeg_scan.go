package imaging

// scan parses a scan header (T.81, B.2.3).
func (r *jpegReader) scan(segment []byte) error {
	h := r.header
	if h.Width == 0 {
		return invalid("corrupt jpeg: no frame before the scan")
	}
	if r.scans++; r.scans > maxScans {
		return invalid("jpeg with more than %d scans", maxScans)
	}
	if len(segment) < 1 || len(segment) < 4+2*int(segment[0]) {
		return invalid("corrupt jpeg: short scan header")
	}
	if r.scans == 1 {
		h.ycc = r.isYCC()
	}
	n := int(segment[0])
	if n < h.colours { // more scans follow: the decoder holds all coefficients
		h.held = 2 * h.colours
	}
	begun, complete := r.coefficients(segment[1+2*n:])
	for i := range n {
		for c := range r.components {
			if r.components[c].id == segment[1+2*i] {
				r.scanned += r.components[c].blocks
				r.components[c].begun |= begun
				r.components[c].complete |= complete
			}
		}
	}
	if r.scanned > maxPasses*r.blocks+freeBlocks {
		return invalid("jpeg with scans that cover the image more than %d times", maxPasses)
	}
	return nil
}

// isYCC reports whether the components are grey or YCbCr, by the rules of libjpeg.
func (r *jpegReader) isYCC() bool {
	switch {
	case len(r.components) != 3:
		return len(r.components) == 1
	case r.hasJFIF:
		return true
	case r.adobe != nil:
		return r.adobe[11] != 0
	}
	return r.components[0].id != 'R' || r.components[1].id != 'G' || r.components[2].id != 'B'
}

// coefficients returns the coefficients that a scan begins and those that it completes, one
// bit each.
func (r *jpegReader) coefficients(spectrum []byte) (begun, complete uint64) {
	if !r.progressive {
		return allCoefficients, allCoefficients
	}
	first, last := min(spectrum[0], 63), min(spectrum[1], 63)
	if first > last {
		return 0, 0
	}
	begun = uint64(allCoefficients) << first & (uint64(allCoefficients) >> (63 - last))
	if spectrum[2]&15 == 0 {
		complete = begun
	}
	return begun, complete
}
