package imaging

// bitReader reads fields of bits, the most significant first. Beyond the end of the data it reads
// zeros and sets short.
type bitReader struct {
	data  []byte
	at    int // the number of bits that were read
	short bool
}

// read returns the next n bits, up to 64.
func (b *bitReader) read(n int) uint64 {
	if n < 0 || n > 8*len(b.data)-b.at {
		b.short = true
		return 0
	}
	v := uint64(0)
	for ; n > 0; b.at++ {
		n--
		v = v<<1 | uint64(b.data[b.at/8]>>(7-b.at%8)&1)
	}
	return v
}

func (b *bitReader) flag() bool { return b.read(1) != 0 }

// golomb returns the next Exp-Golomb code (ITU-T H.264, 9.1).
func (b *bitReader) golomb() uint64 {
	zeros := 0
	for !b.short && !b.flag() {
		zeros++
	}
	if zeros > 32 {
		b.short = true
	}
	return 1<<min(zeros, 32) - 1 + b.read(min(zeros, 32))
}

// rest returns the bytes after those that were read from.
func (b *bitReader) rest() []byte { return b.data[(b.at+7)/8:] }
