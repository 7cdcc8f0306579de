package imaging

// readFormat parses what inflate needs of the content of an IHDR chunk.
func (r *pngReader) readFormat(ihdr []byte, samples int) {
	depth, kind := int(ihdr[8]), ihdr[9]
	r.simple = pngData{depth: depth, samples: samples, bands: samples}
	r.indexed = kind == 3
	r.odd = depth != 8
	if kind == 0 || kind == 3 {
		r.odd = depth != 1 && depth != 2 && depth != 4 && depth != 8
	}
	r.odd = r.odd || kind > 6 || kind == 1 || kind == 5 || ihdr[10] != 0 || ihdr[11] != 0 || ihdr[12] != 0
}

// readPalette parses a PLTE chunk. Indices beyond its end are black.
func (r *pngReader) readPalette(content []byte) {
	if !r.indexed || r.odd {
		return
	}
	size := 3 << r.simple.depth
	if r.seen["PLTE"] > 1 || r.seen["IDAT"] > 0 || len(content)%3 != 0 || len(content) == 0 || len(content) > size {
		r.odd = true
		return
	}
	r.simple.bands = 3
	r.simple.palette = make([]byte, size)
	copy(r.simple.palette, content)
}

// readTransparency parses a tRNS chunk. It adds its alpha values to the palette.
func (r *pngReader) readTransparency(content []byte) {
	colours := r.simple.palette
	late := r.seen["tRNS"] > 1 || r.seen["IDAT"] > 0
	if r.odd || colours == nil || late || len(content) == 0 || 3*len(content) > len(colours) {
		r.odd = true
		return
	}
	r.simple.bands, r.simple.palette = 4, nil
	for i := range len(colours) / 3 {
		alpha := byte(255)
		if i < len(content) {
			alpha = content[i]
		}
		r.simple.palette = append(append(r.simple.palette, colours[3*i:3*i+3]...), alpha)
	}
}

// chooseDecoder chooses inflate for images of up to maxAtOnce pixels that need no conversion
// of colours.
func (r *pngReader) chooseDecoder() {
	h := r.header
	if r.odd || h.profile != 0 || r.indexed && r.simple.palette == nil || h.pixels() < 1 || h.pixels() > maxAtOnce {
		return
	}
	simple := r.simple
	h.png = &simple
	h.held = int((r.raw + r.compressed + h.pixels() - 1) / h.pixels())
}
