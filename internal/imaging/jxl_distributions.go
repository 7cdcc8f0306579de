package imaging

import "math/bits"

// jxlPrefix is a prefix code: the number of codes of each length, and their symbols in order.
type jxlPrefix struct {
	counts  [jxlPrefixBits + 1]int
	symbols []uint32
}

func (p *jxlPrefix) next(r *jxlReader) uint32 {
	if len(p.symbols) == 1 {
		return p.symbols[0]
	}
	code, first, index := 0, 0, 0
	for length := 1; length <= jxlPrefixBits; length++ {
		code |= int(r.read(1))
		n := p.counts[length]
		if code-first < n {
			return p.symbols[index+code-first]
		}
		index += n
		first = (first + n) << 1
		code <<= 1
	}
	r.short = true // only beyond the end
	return 0
}

// newJXLPrefix returns the code whose symbols have codes of these lengths; 0 means none.
func newJXLPrefix(lengths []int) jxlPrefix {
	var p jxlPrefix
	for length := 1; length <= jxlPrefixBits; length++ {
		for symbol, l := range lengths {
			if l == length {
				p.counts[length]++
				p.symbols = append(p.symbols, uint32(symbol))
			}
		}
	}
	return p
}

// readPrefixes reads prefix codes.
func (r *jxlReader) readPrefixes(count int) ([]jxlPrefix, bool) {
	sizes := make([]int, count)
	for i := range sizes {
		if sizes[i] = r.variable(4) + 1; sizes[i] > 1<<jxlPrefixBits {
			return nil, false
		}
	}
	all := make([]jxlPrefix, count)
	for i, size := range sizes {
		ok := true
		if all[i].symbols = []uint32{0}; size > 1 {
			all[i], ok = r.readPrefix(size)
		}
		if !ok || r.short {
			return nil, false
		}
	}
	return all, true
}

// variable reads a number of a variable count of bits, whose count takes n bits.
func (r *jxlReader) variable(n int) int {
	if !r.flag() {
		return 0
	}
	count := int(r.read(n))
	return 1<<count + int(r.read(count))
}

// readPrefix reads the prefix code of an alphabet.
func (r *jxlReader) readPrefix(size int) (jxlPrefix, bool) {
	skipped := int(r.read(2))
	if skipped == 1 {
		return r.readSimplePrefix(size)
	}
	order := [...]int{1, 2, 3, 4, 0, 5, 17, 6, 16, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	fixed := [16][2]int{
		{2, 0}, {2, 4}, {2, 3}, {3, 2}, {2, 0}, {2, 4}, {2, 3}, {4, 1},
		{2, 0}, {2, 4}, {2, 3}, {3, 2}, {2, 0}, {2, 4}, {2, 3}, {4, 5},
	}
	lengths, space, codes := make([]int, len(order)), 32, 0
	for _, symbol := range order[skipped:] {
		if space <= 0 {
			break
		}
		code := fixed[r.peek(4)]
		r.skip(uint64(code[0]))
		if lengths[symbol] = code[1]; code[1] != 0 {
			space -= 32 >> code[1]
			codes++
		}
	}
	if codes != 1 && space != 0 {
		return jxlPrefix{}, false
	}
	return r.readLengths(size, newJXLPrefix(lengths))
}

// readSimplePrefix reads the prefix code of up to four symbols.
func (r *jxlReader) readSimplePrefix(size int) (jxlPrefix, bool) {
	var p jxlPrefix
	n := int(r.read(2)) + 1
	for range n {
		symbol := r.read(bits.Len(uint(size - 1)))
		for _, other := range p.symbols {
			if other == symbol {
				return p, false
			}
		}
		if int(symbol) >= size {
			return p, false
		}
		p.symbols = append(p.symbols, symbol)
	}
	sort := func(from int) {
		s := p.symbols
		for i := from; i < len(s); i++ {
			for j := i + 1; j < len(s); j++ {
				if s[i] > s[j] {
					s[i], s[j] = s[j], s[i]
				}
			}
		}
	}
	switch {
	case n == 2:
		sort(0)
		p.counts[1] = 2
	case n == 3:
		p.counts[1], p.counts[2] = 1, 2
	case n == 4 && r.flag():
		sort(2)
		p.counts[1], p.counts[2], p.counts[3] = 1, 1, 2
	case n == 4:
		sort(0)
		p.counts[2] = 4
	}
	return p, true
}

// readLengths reads the lengths of the codes of an alphabet, which are coded themselves.
func (r *jxlReader) readLengths(size int, coded jxlPrefix) (jxlPrefix, bool) {
	const again, zeros, whole = 16, 17, 1 << jxlPrefixBits
	lengths := make([]int, 0, size)
	space, previous, repeated, repeat := whole, 8, 0, 0
	for len(lengths) < size && space > 0 && !r.short {
		code := int(coded.next(r))
		if code < again {
			repeat = 0
			lengths = append(lengths, code)
			if code != 0 {
				previous = code
				space -= whole >> code
			}
			continue
		}
		length := 0
		if code == again {
			length = previous
		}
		if repeated != length {
			repeat, repeated = 0, length
		}
		old := repeat
		if repeat > 0 {
			repeat = (repeat - 2) << (code - 14)
		}
		repeat += int(r.read(code-14)) + 3
		if len(lengths)+repeat-old > size {
			return jxlPrefix{}, false
		}
		for range repeat - old {
			lengths = append(lengths, length)
		}
		if length != 0 {
			space -= (repeat - old) * (whole >> length)
		}
	}
	return newJXLPrefix(lengths), space == 0
}
