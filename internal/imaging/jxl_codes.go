package imaging

import (
	"math/bits"
	"slices"
)

// jxlCode is an entropy-coded stream of numbers (ISO/IEC 18181-1, annex C).
type jxlCode struct {
	r *jxlReader
	// clusters are the numbers of the distributions of each context. With copies, the last one
	// is that of distances.
	clusters []byte
	configs  []jxlNumber
	// prefixes or states have the distributions.
	prefixes []jxlPrefix
	states   [][]jxlState
	state    uint32
	// copies: symbols from minSymbol on repeat numbers, at least minLength.
	copies               bool
	minSymbol, minLength uint32
	length               jxlNumber
	// read are the numbers that were read, if they may be copied.
	read      []uint32
	from, run uint32
}

// jxlNumber says how a symbol and bits form a number.
type jxlNumber struct{ split, high, low int }

// maxJXLNumbers limits the numbers in a stream here: bytes of a profile, or an order of parts.
const maxJXLNumbers = 1 << 20

const (
	jxlPrefixBits = 15
	jxlStateBits  = 12
	jxlStateEnd   = 0x130000
)

// readCode reads the distributions of a number of contexts, and begins the stream. It returns nil
// if they are damaged.
func (r *jxlReader) readCode(contexts int, mayCopy bool) *jxlCode {
	c := &jxlCode{r: r, copies: r.flag()}
	if c.copies {
		if !mayCopy {
			return nil
		}
		c.minSymbol = uint32(r.choose(jxlField{value: 224}, jxlField{value: 512}, jxlField{value: 4096}, jxlField{8, 15}))
		c.minLength = uint32(r.choose(jxlField{value: 3}, jxlField{value: 4}, jxlField{5, 2}, jxlField{9, 8}))
		c.length = r.number(8)
		contexts++
	}
	c.clusters = make([]byte, contexts)
	if contexts > 1 && !r.readClusters(c.clusters) {
		return nil
	}
	count, prefix, symbolBits := int(slices.Max(c.clusters))+1, r.flag(), jxlPrefixBits
	if !prefix {
		symbolBits = 5 + int(r.read(2))
	}
	for range count {
		n := r.number(symbolBits)
		if n.high+n.low > n.split {
			return nil
		}
		c.configs = append(c.configs, n)
	}
	ok := false
	if prefix {
		c.prefixes, ok = r.readPrefixes(count)
	} else if c.states, ok = r.readStates(count, symbolBits); ok {
		c.state = r.read(32)
	}
	if !ok || r.short || c.copies && c.length.high+c.length.low > c.length.split {
		return nil
	}
	return c
}

// number reads how symbols of a number of bits form numbers.
func (r *jxlReader) number(symbolBits int) jxlNumber {
	n := jxlNumber{split: int(r.read(bits.Len(uint(symbolBits))))}
	if n.split != symbolBits {
		n.high = int(r.read(bits.Len(uint(n.split))))
		n.low = int(r.read(bits.Len(uint(max(n.split-n.high, 0)))))
	}
	return n
}

// readClusters reads the distribution of each context.
func (r *jxlReader) readClusters(clusters []byte) bool {
	if r.flag() {
		n := int(r.read(2))
		for i := range clusters {
			clusters[i] = byte(r.read(n))
		}
		return !r.short
	}
	toFront := r.flag()
	c := r.readCode(1, len(clusters) > 2)
	if c == nil {
		return false
	}
	for i := range clusters {
		v := c.next(0)
		if v > 255 {
			return false
		}
		clusters[i] = byte(v)
	}
	if toFront {
		order := make([]byte, 256)
		for i := range order {
			order[i] = byte(i)
		}
		for i, at := range clusters {
			v := order[at]
			clusters[i] = v
			copy(order[1:], order[:at])
			order[0] = v
		}
	}
	return c.ended()
}

// next reads a number in a context.
func (c *jxlCode) next(context int) uint32 {
	if c.run == 0 {
		cluster := c.clusters[context]
		symbol := c.symbol(cluster)
		if !c.copies {
			return c.number(c.configs[cluster], symbol)
		}
		if symbol < c.minSymbol {
			v := c.number(c.configs[cluster], symbol)
			c.read = append(c.read, v)
			return v
		}
		c.run = c.number(c.length, symbol-c.minSymbol) + c.minLength
		last := c.clusters[len(c.clusters)-1]
		distance := uint64(c.number(c.configs[last], c.symbol(last))) + 1
		c.from = uint32(len(c.read)) - uint32(min(distance, uint64(len(c.read)), 1<<20))
	}
	v := uint32(0)
	if int(c.from) < len(c.read) {
		v = c.read[c.from]
	}
	c.from++
	c.run--
	c.read = append(c.read, v)
	return v
}

// number reads the bits that follow a symbol.
func (c *jxlCode) number(n jxlNumber, symbol uint32) uint32 {
	split := uint32(1) << n.split
	if symbol < split {
		return symbol
	}
	inSymbol := n.high + n.low
	count := (uint32(n.split-inSymbol) + (symbol-split)>>inSymbol) & 31
	low, high := symbol&(1<<n.low-1), symbol>>n.low&(1<<n.high-1)|1<<n.high
	return (high<<count|c.r.read(int(count)))<<n.low | low
}

// symbol reads a symbol of a distribution.
func (c *jxlCode) symbol(cluster byte) uint32 {
	if c.prefixes != nil {
		return c.prefixes[cluster].next(c.r)
	}
	s := c.states[cluster][c.state&(1<<jxlStateBits-1)]
	c.state = uint32(s.share)*(c.state>>jxlStateBits) + uint32(s.offset)
	if c.state < 1<<16 {
		c.state = c.state<<16 | c.r.read(16)
	}
	return uint32(s.symbol)
}

// ended reports whether the stream ends as it has to.
func (c *jxlCode) ended() bool { return !c.r.short && (c.prefixes != nil || c.state == jxlStateEnd) }

// skipProfile skips an ICC profile.
func (r *jxlReader) skipProfile() bool {
	const contexts, header = 41, 128
	n := r.long()
	if n > maxJXLNumbers {
		return false
	}
	c := r.readCode(contexts, true)
	if c == nil {
		return false
	}
	var last, before byte
	for i := uint64(0); i < n && !r.short; i++ {
		context := 0
		if i > header {
			context = 1 + profileClass(last) + 8*profileClassBefore(before)
		}
		before, last = last, byte(c.next(context))
	}
	return c.ended()
}

// profileClass returns the class of the byte before another one.
func profileClass(b byte) int {
	switch {
	case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z':
		return 0
	case '0' <= b && b <= '9', b == '.', b == ',':
		return 1
	case b <= 1:
		return 2 + int(b)
	case b < 16:
		return 4
	case b == 255:
		return 6
	case b > 240:
		return 5
	}
	return 7
}

// profileClassBefore returns the class of the byte two before another one.
func profileClassBefore(b byte) int {
	switch class := profileClass(b); class {
	case 0, 1:
		return class
	case 2, 3, 4:
		return 2
	case 5, 6:
		return 3
	}
	return 4
}
