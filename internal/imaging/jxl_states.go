package imaging

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
