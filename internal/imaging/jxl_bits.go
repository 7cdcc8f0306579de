package imaging

// jxlReader reads the fields of a JPEG XL codestream (ISO/IEC 18181-1, 9.2), the least significant
// bits first. Beyond the end of the data it reads zeros and sets short.
type jxlReader struct {
	data  []byte
	at    int // the number of bits that were read
	short bool
}

// read returns the next n bits, up to 32.
func (r *jxlReader) read(n int) uint32 {
	v := r.peek(n)
	r.skip(uint64(n))
	return v
}

// peek returns the next n bits, up to 32, without reading them.
func (r *jxlReader) peek(n int) uint32 {
	v := uint64(0)
	for i, at := 0, r.at/8; i < 5 && at+i < len(r.data); i++ {
		v |= uint64(r.data[at+i]) << (8 * i)
	}
	return uint32(v >> (r.at % 8) & (1<<n - 1))
}

func (r *jxlReader) skip(n uint64) {
	if left := 8*len(r.data) - r.at; n > uint64(left) {
		r.short, r.at = true, 8*len(r.data)
		return
	}
	r.at += int(n)
}

func (r *jxlReader) flag() bool { return r.read(1) != 0 }

// field is a distribution of U32: a value and the number of bits that are added to it.
type jxlField struct{ value, bits int }

// choose reads one of four fields.
func (r *jxlReader) choose(a, b, c, d jxlField) int {
	f := [...]jxlField{a, b, c, d}[r.read(2)]
	return f.value + int(r.read(f.bits))
}

// enum reads a value of an enumeration.
func (r *jxlReader) enum() int {
	return r.choose(jxlField{}, jxlField{value: 1}, jxlField{2, 4}, jxlField{18, 6})
}

// long reads a U64.
func (r *jxlReader) long() uint64 {
	switch r.read(2) {
	case 0:
		return 0
	case 1:
		return 1 + uint64(r.read(4))
	case 2:
		return 17 + uint64(r.read(8))
	}
	v := uint64(r.read(12))
	for shift := 12; r.flag(); shift += 8 {
		if shift == 60 {
			return v | uint64(r.read(4))<<shift
		}
		v |= uint64(r.read(8)) << shift
	}
	return v
}

// halves skips n numbers of 16 bits.
func (r *jxlReader) halves(n int) { r.skip(16 * uint64(n)) }

// name skips a name.
func (r *jxlReader) name() {
	n := r.choose(jxlField{}, jxlField{0, 4}, jxlField{16, 5}, jxlField{48, 10})
	r.skip(8 * uint64(n))
}

// extensions skips the extensions of a bundle.
func (r *jxlReader) extensions() {
	total := uint64(0)
	for present := r.long(); present != 0 && !r.short; present &= present - 1 {
		n := r.long()
		if n > 8*uint64(len(r.data)) {
			r.short = true
		}
		total += n
	}
	r.skip(total)
}

// align skips to the next byte.
func (r *jxlReader) align() { r.at = (r.at + 7) / 8 * 8 }
