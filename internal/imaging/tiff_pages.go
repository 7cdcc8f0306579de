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

// page returns the offset of the directory of a page.
func (f tiffForm) page(data []byte, number int) (int64, error) {
	at := f.first(data)
	for range number {
		entries, first, err := f.length(data, at)
		if err != nil {
			return 0, err
		}
		at = f.next(data, first+f.entry*entries)
	}
	return at, nil
}

// begin parses the directory of a page, and of the first one the number of pages. The decoder finds this
// directory first, and no other one.
func (t *tiffFixes) begin(page int) ([]directoryEntry, error) {
	at, err := t.form.page(t.data, page)
	if err != nil {
		return nil, truncated(TIFF)
	}
	entries, next, err := t.form.directory(t.data, at)
	if err != nil {
		return nil, truncated(TIFF)
	}
	if t.at = at; next != 0 {
		t.replace(t.entry(len(entries)), make([]byte, t.form.field))
	}
	if page == 0 {
		t.header.Frames, t.header.Animated = t.form.pages(t.data, next), next != 0
		return entries, nil
	}
	for _, e := range entries {
		if at < t.form.header || !e.isInline() && t.form.offset(e.value) < t.form.header {
			return nil, invalid("corrupt tiff: page %d overlaps the header", page)
		}
	}
	start := make([]byte, t.form.field)
	if t.form.field == 8 {
		t.form.PutUint64(start, uint64(at))
	} else {
		t.form.PutUint32(start, uint32(at))
	}
	t.replace(t.form.header-t.form.field, start)
	return entries, nil
}

// page returns a page of a TIFF as an image of its own.
func (m *Image) page(number int) (*Image, error) {
	switch {
	case number > 0 && m.Frames == 0:
		return nil, &SelectionError{"page", "the pages of the tiff cannot be counted: they end in a fault, or do not end"}
	case number > 0 && number >= m.Frames:
		return nil, m.noSuchPage(m.Frames)
	}
	h := Header{Format: TIFF, number: number, isPage: true}
	err := h.parse(m.data, m.Limits, func(data []byte, h *Header) error { return parseTIFFPage(data, h, number) })
	h.Frames, h.Animated, h.Encoding = m.Frames, m.Animated, m.Encoding
	return &Image{Header: h, Limits: m.Limits, data: m.data}, err
}
