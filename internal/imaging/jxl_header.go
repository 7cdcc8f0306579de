package imaging

// jxlImage are the fields of the image header of a codestream (ISO/IEC 18181-1, annex D).
type jxlImage struct {
	width, height           int
	orientation             int
	previewWidth            int // 0 means that there is no preview
	previewHeight           int
	animated, timecodes     bool
	bits                    int
	extra                   []jxlExtra
	xyb, icc, grey          bool
	alpha, multiplied, inks bool
}

// jxlExtra is a channel after the colours.
type jxlExtra struct{ kind, bits, shift int }

// Kinds of extra channels.
const (
	jxlAlpha = 0
	jxlBlack = 4
)

// Colour spaces, and the number of white points and primaries that are given.
const (
	jxlGrey   = 1
	jxlXYB    = 2
	jxlCustom = 2
)

// maxJXLExtra limits the extra channels, each of which takes memory.
const maxJXLExtra = 16

// readImage reads the signature and the image header, up to an ICC profile.
func (r *jxlReader) readImage() (*jxlImage, error) {
	r.skip(16)
	m := &jxlImage{orientation: 1, bits: 8, xyb: true}
	m.width, m.height = r.size()
	more := false
	if !r.flag() { // not all defaults
		if more = r.flag(); more {
			m.readMore(r)
		}
		m.bits = r.depth()
		r.skip(1)
		n := r.choose(jxlField{}, jxlField{value: 1}, jxlField{2, 4}, jxlField{1, 12})
		if n > maxJXLExtra {
			return nil, invalid("jxl with %d extra channels: supported are %d", n, maxJXLExtra)
		}
		for range n {
			m.readExtra(r)
		}
		m.xyb = r.flag()
		m.readColours(r)
		if more && !r.flag() { // tone mapping
			r.halves(2)
			r.skip(1)
			r.halves(1)
		}
		r.extensions()
	}
	r.skipTransform(m.xyb)
	if r.short {
		return nil, truncated(JXL)
	}
	return m, nil
}

// ratios are the fixed ratios of the width to the height.
var jxlRatios = [8][2]int{1: {1, 1}, {12, 10}, {4, 3}, {3, 2}, {16, 9}, {5, 4}, {2, 1}}

// size reads the size of the image.
func (r *jxlReader) size() (width, height int) {
	small := r.flag()
	side := func() int {
		if small {
			return 8 * (int(r.read(5)) + 1)
		}
		return r.choose(jxlField{1, 9}, jxlField{1, 13}, jxlField{1, 18}, jxlField{1, 30})
	}
	height = side()
	if ratio := jxlRatios[r.read(3)]; ratio[1] != 0 {
		return height * ratio[0] / ratio[1], height
	}
	return side(), height
}

// previewSize reads the size of the preview.
func (r *jxlReader) previewSize() (width, height int) {
	inBlocks := r.flag()
	side := func() int {
		if inBlocks {
			return 8 * r.choose(jxlField{value: 16}, jxlField{value: 32}, jxlField{1, 5}, jxlField{33, 9})
		}
		return r.choose(jxlField{1, 6}, jxlField{65, 8}, jxlField{321, 10}, jxlField{1345, 12})
	}
	height = side()
	if ratio := jxlRatios[r.read(3)]; ratio[1] != 0 {
		return height * ratio[0] / ratio[1], height
	}
	return side(), height
}

// readMore reads the orientation, the preview and the animation.
func (m *jxlImage) readMore(r *jxlReader) {
	m.orientation = int(r.read(3)) + 1
	if r.flag() {
		r.size() // the recommended one
	}
	if r.flag() {
		m.previewWidth, m.previewHeight = r.previewSize()
	}
	if m.animated = r.flag(); m.animated {
		r.choose(jxlField{value: 100}, jxlField{value: 1000}, jxlField{1, 10}, jxlField{1, 30})
		r.choose(jxlField{value: 1}, jxlField{value: 1001}, jxlField{1, 8}, jxlField{1, 10})
		r.choose(jxlField{}, jxlField{0, 3}, jxlField{0, 16}, jxlField{0, 32})
		m.timecodes = r.flag()
	}
}

// depth reads the number of bits of a sample.
func (r *jxlReader) depth() int {
	if !r.flag() {
		return r.choose(jxlField{value: 8}, jxlField{value: 10}, jxlField{value: 12}, jxlField{1, 6})
	}
	bits := r.choose(jxlField{value: 32}, jxlField{value: 16}, jxlField{value: 24}, jxlField{1, 6})
	r.skip(4) // of the exponent
	return bits
}

func (m *jxlImage) readExtra(r *jxlReader) {
	e, multiplied := jxlExtra{bits: 8}, false
	if !r.flag() { // not all defaults
		e.kind, e.bits = r.enum(), r.depth()
		e.shift = r.choose(jxlField{}, jxlField{value: 3}, jxlField{value: 4}, jxlField{1, 3})
		r.name()
		switch e.kind {
		case jxlAlpha:
			multiplied = r.flag()
		case 2: // a spot colour
			r.halves(4)
		case 5: // a filter of colours
			r.choose(jxlField{value: 1}, jxlField{0, 2}, jxlField{3, 4}, jxlField{19, 8})
		}
	}
	if e.kind == jxlAlpha && !m.alpha {
		m.alpha, m.multiplied = true, multiplied
	}
	m.inks = m.inks || e.kind == jxlBlack
	m.extra = append(m.extra, e)
}

// readColours reads the encoding of the colours.
func (m *jxlImage) readColours(r *jxlReader) {
	if r.flag() { // all defaults
		return
	}
	m.icc = r.flag()
	space := r.enum()
	m.grey = space == jxlGrey
	if m.icc {
		return
	}
	chromaticity := func() {
		for range 2 {
			r.choose(jxlField{0, 19}, jxlField{524288, 19}, jxlField{1048576, 20}, jxlField{2097152, 21})
		}
	}
	if space != jxlXYB {
		if r.enum() == jxlCustom { // the white point
			chromaticity()
		}
	}
	if space != jxlXYB && space != jxlGrey {
		primaries := r.enum()
		for i := 0; i < 3 && primaries == jxlCustom; i++ {
			chromaticity()
		}
	}
	if space != jxlXYB {
		if r.flag() {
			r.skip(24) // a gamma
		} else {
			r.enum() // the transfer function
		}
	}
	r.enum() // the rendering intent
}

// skipTransform skips the matrices of XYB and the weights of enlargement.
func (r *jxlReader) skipTransform(xyb bool) {
	if r.flag() { // all defaults
		return
	}
	if xyb && !r.flag() {
		r.halves(16)
	}
	weights := r.read(3)
	for i, n := range []int{15, 55, 210} {
		if weights>>i&1 != 0 {
			r.halves(n)
		}
	}
}
