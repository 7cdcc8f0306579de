package imaging

// length returns the number of entries of a directory and the offset of the first one.
func (f tiffForm) length(data []byte, at int64) (n, first int64, err error) {
	if at+f.counter > int64(len(data)) {
		return 0, 0, errDirectory
	}
	n = int64(f.Uint16(data[at:]))
	if f.counter == 8 {
		n = f.offset(data[at : at+8])
	}
	first = at + f.counter
	if n > maxEntries || first+f.entry*n > int64(len(data)) {
		return 0, 0, errDirectory
	}
	return n, first, nil
}

// next returns the offset of the next directory, which follows the last entry, or 0 if there is
// none.
func (f tiffForm) next(data []byte, at int64) int64 {
	if at+f.field > int64(len(data)) {
		return 0
	}
	return f.offset(data[at : at+f.field])
}

// maxPages is the maximum number of pages that are counted. A chain of directories may be a cycle.
const maxPages = 1 << 14

// pages returns the number of pages of a TIFF from the offset of the second one, or 0 if the chain
// is broken or longer than maxPages.
func (f tiffForm) pages(data []byte, next int64) int {
	n := 1
	for ; next != 0; n++ {
		entries, first, err := f.length(data, next)
		if err != nil || n == maxPages {
			return 0
		}
		next = f.next(data, first+f.entry*entries)
	}
	return n
}
