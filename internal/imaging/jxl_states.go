package imaging

// jxlState is what a value of the lower bits of the state of an ANS decoder stands for.
type jxlState struct{ symbol, share, offset uint16 }

// readStates reads distributions of symbols of a number of bits, and returns their states.
func (r *jxlReader) readStates(count, symbolBits int) ([][]jxlState, bool) {
	all := make([][]jxlState, count)
	for i := range all {
		shares, ok := r.readShares()
		if !ok || r.short {
			return nil, false
		}
		for len(shares) > 1 && shares[len(shares)-1] == 0 {
			shares = shares[:len(shares)-1]
		}
		if len(shares) > 1<<symbolBits {
			return nil, false
		}
		all[i] = statesOf(shares, symbolBits)
	}
	return all, true
}

// readShares reads the shares of the symbols, whose sum is 1 << jxlStateBits.
func (r *jxlReader) readShares() ([]int, bool) {
	const whole = 1 << jxlStateBits
	if r.flag() {
		two := r.flag()
		first, second := r.variable(3), 0
		if !two {
			shares := make([]int, first+1)
			shares[first] = whole
			return shares, true
		}
		second = r.variable(3)
		shares := make([]int, max(first, second)+1)
		shares[first] = int(r.read(jxlStateBits))
		shares[second] = whole - shares[first]
		return shares, first != second
	}
	if r.flag() {
		shares := make([]int, r.variable(3)+1)
		for i := range shares {
			shares[i] = whole / len(shares)
			if i < whole%len(shares) {
				shares[i]++
			}
		}
		return shares, true
	}
	return r.readLogarithms()
}

// logarithms are the prefix code of logarithms of shares, by its last 4 bits: length and value.
// The value 13 repeats the share before.
var logarithms = [16][2]int{
	{3, 10}, {}, {3, 7}, {4, 3}, {3, 6}, {3, 8}, {3, 9}, {4, 5},
	{3, 10}, {4, 4}, {3, 7}, {4, 1}, {3, 6}, {3, 8}, {3, 9}, {4, 2},
}

// logarithm reads the logarithm of a share.
func (r *jxlReader) logarithm() int {
	next := r.peek(7)
	code := logarithms[next&15]
	if next&15 == 1 {
		code = [8][2]int{{7, 12}, {5, 0}, {6, 11}, {5, 0}, {7, 13}, {5, 0}, {6, 11}, {5, 0}}[next>>4]
	}
	r.skip(uint64(code[0]))
	return code[1]
}

// readLogarithms reads shares by their logarithms. The largest one is the rest.
func (r *jxlReader) readLogarithms() ([]int, bool) {
	const repeats = jxlStateBits + 1
	log := 0
	for log < 3 && r.flag() {
		log++
	}
	precision := int(r.read(log)) | 1<<log
	if precision--; precision > repeats {
		return nil, false
	}
	shares := make([]int, r.variable(3)+3)
	logs, same := make([]int, len(shares)), make([]int, len(shares))
	largest := -1
	for i := 0; i < len(shares); i++ {
		if logs[i] = r.logarithm(); logs[i] == repeats {
			n := r.variable(3)
			same[i] = n + 4
			i += n + 3
		} else if largest < 0 || logs[i] > logs[largest] {
			largest = i
		}
	}
	if largest < 0 {
		return nil, false
	}
	return shares, r.sumShares(shares, logs, same, largest, precision)
}

// sumShares reads the bits of shares after their logarithms, with this precision. same are the
// numbers of shares that repeat the one before.
func (r *jxlReader) sumShares(shares, logs, same []int, largest, precision int) bool {
	total, run, repeated := 0, 0, 0
	for i, log := range logs {
		if same[i] > 0 {
			if run, repeated = same[i], 0; i > 0 {
				repeated = shares[i-1]
			}
		}
		switch {
		case run > 0:
			shares[i] = repeated
			run--
		case i == largest || log == 0:
		case log == 1:
			shares[i] = 1
		default:
			n := max(0, min(log-1, precision-(jxlStateBits-log+1)>>1))
			shares[i] = 1<<(log-1) + int(r.read(n))<<(log-1-n)
		}
		total += shares[i]
	}
	shares[largest] = 1<<jxlStateBits - total
	return shares[largest] > 0
}

// statesOf returns the states of a distribution by the alias method (ISO/IEC 18181-1, C.2.6): each
// of the buckets of equal size has a symbol of its own and a part of another one.
func statesOf(shares []int, symbolBits int) []jxlState {
	states := make([]jxlState, 1<<jxlStateBits)
	buckets, size := 1<<symbolBits, 1<<(jxlStateBits-symbolBits)
	for symbol, share := range shares {
		if share == 1<<jxlStateBits {
			for i := range states {
				states[i] = jxlState{uint16(symbol), uint16(share), uint16(i)}
			}
			return states
		}
	}
	cuts, others, offsets := aliases(shares, buckets, size)
	share := func(symbol int) uint16 {
		if symbol < len(shares) {
			return uint16(shares[symbol])
		}
		return 0
	}
	for i := range states {
		bucket, at := i/size, i%size
		states[i] = jxlState{uint16(bucket), share(bucket), uint16(at)}
		if at >= cuts[bucket] {
			other := others[bucket]
			states[i] = jxlState{uint16(other), share(other), uint16(offsets[bucket] + at)}
		}
	}
	return states
}

// aliases returns, for each bucket, where the part of the other symbol begins, that symbol, and
// the offset of its values.
func aliases(shares []int, buckets, size int) (cuts, others, offsets []int) {
	cuts, others, offsets = make([]int, buckets), make([]int, buckets), make([]int, buckets)
	var under, over []int
	for i := range buckets {
		if i < len(shares) {
			cuts[i] = shares[i]
		}
		switch {
		case cuts[i] > size:
			over = append(over, i)
		case cuts[i] < size:
			under = append(under, i)
		}
	}
	for len(over) > 0 && len(under) > 0 {
		o, u := over[len(over)-1], under[len(under)-1]
		over, under = over[:len(over)-1], under[:len(under)-1]
		cuts[o] -= size - cuts[u]
		others[u], offsets[u] = o, cuts[o]
		if cuts[o] < size {
			under = append(under, o)
		} else if cuts[o] > size {
			over = append(over, o)
		}
	}
	for i := range buckets {
		if cuts[i] == size {
			others[i], offsets[i], cuts[i] = i, 0, 0
		} else {
			offsets[i] -= cuts[i]
		}
	}
	return cuts, others, offsets
}
