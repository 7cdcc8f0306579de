package imaging

// premultiply multiplies the colours by alpha, so that filters which mix
// neighbouring pixels give transparent ones no say.
func (p *Pixels) premultiply() {
	for i := 0; i < len(p.Pix); i += 4 {
		a := uint32(p.Pix[i+3])
		for c := i; c < i+3; c++ {
			p.Pix[c] = byte((uint32(p.Pix[c])*a + 127) / 255)
		}
	}
}

// unpremultiply undoes premultiply, up to rounding.
func (p *Pixels) unpremultiply() {
	for i := 0; i < len(p.Pix); i += 4 {
		a := uint32(p.Pix[i+3])
		if a == 0 || a == 255 {
			continue
		}
		for c := i; c < i+3; c++ {
			p.Pix[c] = byte(min(255, (uint32(p.Pix[c])*255+a/2)/a))
		}
	}
}

// mixing runs a filter that mixes neighbouring pixels.
func (p *Pixels) mixing(filter func(*Pixels) (*Pixels, error)) (*Pixels, error) {
	if p.Opaque() {
		return filter(p)
	}
	p.premultiply()
	out, err := filter(p)
	if err == nil {
		out.unpremultiply()
	}
	return out, err
}

// upright returns the picture as EXIF's orientation means it to be shown.
func (p *Pixels) upright(orientation int) *Pixels {
	if orientation == 1 {
		return p
	}
	w, h, n := p.Width, p.Height, p.Channels
	outW, outH := w, h
	if orientation >= 5 {
		outW, outH = h, w
	}
	out := NewPixels(outW, outH, n)
	// Stored pixel (0,0) goes to start; a step right or down in the stored
	// picture moves by right or down in the shown one.
	start, right, down := [...]func() (int, int, int){
		2: func() (int, int, int) { return outW - 1, -1, outW },
		3: func() (int, int, int) { return outW*outH - 1, -1, -outW },
		4: func() (int, int, int) { return outW * (outH - 1), 1, -outW },
		5: func() (int, int, int) { return 0, outW, 1 },
		6: func() (int, int, int) { return outW - 1, outW, -1 },
		7: func() (int, int, int) { return outW*outH - 1, -outW, -1 },
		8: func() (int, int, int) { return outW * (outH - 1), -outW, 1 },
	}[orientation]()
	for y := range h {
		to := start + y*down
		from := p.Pix[y*w*n : (y+1)*w*n]
		for x := range w {
			copy(out.Pix[to*n:to*n+n], from[x*n:x*n+n])
			to += right
		}
	}
	return out
}
