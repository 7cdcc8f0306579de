package imaging

import (
	"image"
	"math/bits"
)

// jxlFrame are the fields of a frame header (ISO/IEC 18181-1, annex F).
type jxlFrame struct {
	kind                   int
	modular, ycc           bool
	flags                  uint64
	upsampling, groupShift int
	shiftAcross, shiftDown int // of subsampled colours
	passes, level          int
	size, origin           image.Point
	partial                bool
	mode                   int // of blending
	duration               int
	last                   bool
	saved                  int
}

// Kinds of frames.
const (
	jxlRegular     = 0
	jxlCoarse      = 1 // an eighth of another frame
	jxlReference   = 2
	jxlProgressive = 3
)

// jxlUsesCoarse is the flag of frames whose coarse part is another frame.
const jxlUsesCoarse = 32

// Modes of blending.
const (
	jxlReplace  = 0
	jxlBlend    = 2
	jxlWeighted = 3
	jxlMultiply = 4
)

// shown reports whether the frame completes an image.
func (f *jxlFrame) shown() bool { return f.last || f.isRegular() && f.duration > 0 }

func (f *jxlFrame) isRegular() bool { return f.kind == jxlRegular || f.kind == jxlProgressive }

// readFrame reads the header of a frame. whole is the size of the image, or of the preview.
func (r *jxlReader) readFrame(m *jxlImage, whole image.Point) *jxlFrame {
	f := &jxlFrame{upsampling: 1, groupShift: 1, passes: 1, size: whole, last: true}
	if r.flag() { // all defaults
		return f
	}
	f.kind, f.modular, f.flags = int(r.read(2)), r.flag(), r.long()
	f.ycc = !m.xyb && r.flag()
	f.readResolution(r, m)
	if f.modular {
		f.groupShift = int(r.read(2))
	} else if m.xyb {
		r.skip(6)
	}
	if f.kind != jxlReference {
		f.readPasses(r)
	}
	if f.kind == jxlCoarse {
		f.level = int(r.read(2)) + 1
	} else if r.flag() {
		f.readPlace(r, whole)
	}
	f.readBlending(r, m)
	f.readSaving(r)
	r.name()
	r.skipFilters(f.modular)
	r.extensions()
	return f
}

// readResolution reads the resolution of the colours and of the frame.
func (f *jxlFrame) readResolution(r *jxlReader, m *jxlImage) {
	if f.flags&jxlUsesCoarse != 0 {
		return
	}
	for i := 0; i < 3 && f.ycc; i++ {
		mode := r.read(2)
		f.shiftAcross = max(f.shiftAcross, [...]int{0, 1, 1, 0}[mode])
		f.shiftDown = max(f.shiftDown, [...]int{0, 1, 0, 1}[mode])
	}
	f.upsampling = 1 << r.read(2)
	r.skip(2 * uint64(len(m.extra)))
}

// readPasses reads the number of passes and their resolutions.
func (f *jxlFrame) readPasses(r *jxlReader) {
	f.passes = r.choose(jxlField{value: 1}, jxlField{value: 2}, jxlField{value: 3}, jxlField{4, 3})
	if f.passes == 1 {
		return
	}
	n := r.choose(jxlField{}, jxlField{value: 1}, jxlField{value: 2}, jxlField{3, 1})
	r.skip(2 * uint64(f.passes-1+n))
	for range n {
		r.choose(jxlField{}, jxlField{value: 1}, jxlField{value: 2}, jxlField{0, 3})
	}
}

// readPlace reads the place of a frame that does not fill the image.
func (f *jxlFrame) readPlace(r *jxlReader, whole image.Point) {
	number := func() int {
		return r.choose(jxlField{0, 8}, jxlField{256, 11}, jxlField{2304, 14}, jxlField{18688, 30})
	}
	if f.isRegular() {
		signed := func(n int) int { return n>>1 ^ -(n & 1) }
		f.origin.X, f.origin.Y = signed(number()), signed(number())
	}
	f.size.X, f.size.Y = number(), number()
	f.partial = f.isRegular() && !image.Rectangle{Max: whole}.In(image.Rectangle{f.origin, f.origin.Add(f.size)})
}

// readBlending reads how the frame and its extra channels change the image before it, and how
// long the image is shown.
func (f *jxlFrame) readBlending(r *jxlReader, m *jxlImage) {
	if f.last = false; !f.isRegular() {
		return
	}
	for i := range 1 + len(m.extra) {
		mode := r.choose(jxlField{}, jxlField{value: 1}, jxlField{value: 2}, jxlField{3, 2})
		byAlpha := len(m.extra) > 0 && (mode == jxlBlend || mode == jxlWeighted)
		if byAlpha {
			r.choose(jxlField{}, jxlField{value: 1}, jxlField{value: 2}, jxlField{3, 3})
		}
		if byAlpha || mode == jxlMultiply {
			r.skip(1)
		}
		if mode != jxlReplace || f.partial {
			r.skip(2)
		}
		if i == 0 {
			f.mode = mode
		}
	}
	if m.animated {
		f.duration = r.choose(jxlField{}, jxlField{value: 1}, jxlField{0, 8}, jxlField{0, 32})
		if m.timecodes {
			r.skip(32)
		}
	}
	f.last = r.flag()
}

// readSaving reads where the frame is saved for others.
func (f *jxlFrame) readSaving(r *jxlReader) {
	f.last = f.last && f.kind == jxlRegular
	if f.kind != jxlCoarse && !f.last {
		f.saved = int(r.read(2))
	}
	saves := !f.last && f.isRegular() && (f.duration == 0 || f.saved != 0)
	if saves && f.mode == jxlReplace && !f.partial || f.kind == jxlReference {
		r.skip(1)
	}
}

// skipFilters skips the parameters of the filters that follow decoding.
func (r *jxlReader) skipFilters(modular bool) {
	if r.flag() { // all defaults
		return
	}
	if gaborish := r.flag(); gaborish && r.flag() { // with weights of its own
		r.halves(6)
	}
	if r.read(2) > 0 {
		if !modular && r.flag() {
			r.halves(8)
		}
		if r.flag() {
			r.halves(5)
		}
		if r.flag() {
			if !modular {
				r.halves(1)
			}
			r.halves(3)
		}
		if modular {
			r.halves(1)
		}
	}
	r.extensions()
}

// coded returns the size of the coded samples.
func (f *jxlFrame) coded() image.Point {
	scale := f.upsampling << (3 * f.level)
	return image.Pt(ceilDiv(f.size.X, scale), ceilDiv(f.size.Y, scale))
}

// sections returns the number of parts of the frame's data.
func (f *jxlFrame) sections() int {
	size, group := f.coded(), 128<<f.groupShift
	groups := ceilDiv(size.X, group) * ceilDiv(size.Y, group)
	if groups == 1 && f.passes == 1 {
		return 1
	}
	blocks := func(side, shift int) int { return ceilDiv(side, 8<<shift) << shift }
	coarse := ceilDiv(blocks(size.X, f.shiftAcross), group) * ceilDiv(blocks(size.Y, f.shiftDown), group)
	return 2 + coarse + groups*f.passes
}

// skipSections reads the table of contents of a frame and skips its data. It fails if the data is
// damaged.
func (r *jxlReader) skipSections(f *jxlFrame) bool {
	const shortest = 12 // bits of an entry
	n := f.sections()
	if r.flag() {
		if n > (8*len(r.data)-r.at)/shortest {
			r.short = true
			return false
		}
		if !r.skipPermutation(n) {
			return false
		}
	}
	r.align()
	total := uint64(0)
	for i := 0; i < n && !r.short; i++ {
		total += uint64(r.choose(jxlField{0, 10}, jxlField{1024, 14}, jxlField{17408, 22}, jxlField{4211712, 30}))
	}
	r.align()
	r.skip(8 * total)
	return !r.short
}

// skipPermutation skips the order of n parts.
func (r *jxlReader) skipPermutation(n int) bool {
	const contexts = 8
	c := r.readCode(contexts, true)
	if c == nil {
		return false
	}
	context := func(v uint32) int { return min(bits.Len32(v), contexts-1) }
	end, last := c.next(context(uint32(n))), uint32(0)
	for i := uint32(0); i < end && int(end) <= n; i++ {
		last = c.next(context(last))
	}
	return int(end) <= n && c.ended()
}
