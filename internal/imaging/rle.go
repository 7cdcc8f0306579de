package imaging

import "context"

// runs expands the run-length codes of a BMP (Windows GDI, "Bitmap Compression"). Rows are coded
// from the bottom up; files from the top down are not in the specification, but other decoders read
// them. Pixels that no code covers have index 0.
type runs struct {
	bmp  *bmpData
	data []byte
	// indices are the indices of all rows, from the top down; nil to check the codes only.
	indices []byte
	x, row  int // row 0 is the first one of the file
	// outside: codes beyond the end of a row, or after the last row, were left out.
	outside bool
}

// next expands one code. It reports false after the last one, and fails if the data ends before
// all rows are complete.
func (r *runs) next() (bool, error) {
	if len(r.data) < 2 {
		if r.row >= r.bmp.height || r.row == r.bmp.height-1 && r.x == r.bmp.width {
			return false, nil
		}
		return false, truncated(BMP)
	}
	count, code := int(r.data[0]), r.data[1]
	r.data = r.data[2:]
	switch {
	case count > 0:
		r.fill(count, code)
	case code == 0:
		r.x, r.row = 0, r.row+1
	case code == 1:
		return false, nil
	case code == 2:
		return true, r.move()
	default:
		return true, r.copy(int(code))
	}
	return true, nil
}

// move skips pixels, to the right and up.
func (r *runs) move() error {
	if len(r.data) < 2 {
		return truncated(BMP)
	}
	r.x, r.row = r.x+int(r.data[0]), r.row+int(r.data[1])
	r.data = r.data[2:]
	return nil
}

// fill sets count pixels to one index, or alternately to the two indices of a code of 4 bits.
func (r *runs) fill(count int, code byte) {
	even, odd := code, code
	if r.bmp.bits == 4 {
		even, odd = code>>4, code&15
	}
	to := r.pixels(count)
	for i := range to {
		to[i] = even
		if i%2 == 1 {
			to[i] = odd
		}
	}
}

// copy sets count pixels to the indices in the data, which are padded to 16 bits.
func (r *runs) copy(count int) error {
	size := (count*r.bmp.bits + 7) / 8
	if size > len(r.data) {
		return truncated(BMP)
	}
	to := r.pixels(count)
	for i := range to {
		if to[i] = r.data[i*r.bmp.bits/8]; r.bmp.bits == 4 {
			to[i] = to[i] >> (4 - i%2*4) & 15
		}
	}
	r.data = r.data[min(size+size%2, len(r.data)):]
	return nil
}

// pixels moves by count pixels and returns those of them that are in the image, if there are
// indices.
func (r *runs) pixels(count int) []byte {
	width := r.bmp.width
	from, to := min(r.x, width), min(r.x+count, width)
	r.outside = r.outside || r.x+count > width || r.row >= r.bmp.height
	r.x = to
	if r.indices == nil || r.row >= r.bmp.height {
		return nil
	}
	start := r.row * width
	if !r.bmp.topDown {
		start = (r.bmp.height - 1 - r.row) * width
	}
	return r.indices[start+from : start+to]
}

// checkRuns checks that the codes are complete.
func (b *bmpData) checkRuns(h *Header) error {
	r := runs{bmp: b, data: b.pixels}
	for more := true; more; {
		var err error
		if more, err = r.next(); err != nil {
			return err
		}
	}
	if r.outside {
		h.repair("pixels outside the image were left out")
	}
	return nil
}

// expand returns the BMP without run-length codes, with 8 bits per pixel.
func (b *bmpData) expand(ctx context.Context) (*bmpData, error) {
	out := *b
	out.rle, out.bits, out.stride, out.topDown = false, 8, b.width, true
	out.pixels = make([]byte, b.width*b.height)
	r := runs{bmp: b, data: b.pixels, indices: out.pixels}
	for n, more := 0, true; more; n++ {
		if n%(1<<16) == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		var err error
		if more, err = r.next(); err != nil {
			return nil, err
		}
	}
	return &out, nil
}
