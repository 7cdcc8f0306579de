package imaging

// Pixels is a decoded picture: Height×Width×Channels bytes in rows, sRGB,
// Channels 3, or 4 with straight alpha last.
type Pixels struct {
	Width, Height, Channels int
	Pix                     []byte
}

// NewPixels returns a black picture, transparent where it has four channels.
func NewPixels(width, height, channels int) *Pixels {
	return &Pixels{width, height, channels, make([]byte, width*height*channels)}
}

// Encode writes the picture. Where the format has no transparency, it is laid
// on white.
func (p *Pixels) Encode(f Format) (Encoded, error) { return p.encodeAt(f, codecs[f].quality) }

// EncodeLike writes what was changed of a picture, as Encode does; but a JPEG made
// of a JPEG has no less quality than that, up to 95.
func (p *Pixels) EncodeLike(m *Image, f Format) (Encoded, error) {
	quality := codecs[f].quality
	if f == JPEG {
		quality = min(max(quality, m.quality), 95)
	}
	return p.encodeAt(f, quality)
}

func (p *Pixels) encodeAt(f Format, quality int) (Encoded, error) {
	if p.Channels == 4 && !f.alpha() {
		p = p.flatten()
	}
	data, err := p.encode(f, quality)
	return Encoded{data, f, p.Width, p.Height}, err
}

// flatten lays the picture on white.
func (p *Pixels) flatten() *Pixels {
	flat := NewPixels(p.Width, p.Height, 3)
	for i, o := 0, 0; i < len(p.Pix); i, o = i+4, o+3 {
		a := uint32(p.Pix[i+3])
		for c := range 3 {
			flat.Pix[o+c] = byte((uint32(p.Pix[i+c])*a + 255*(255-a) + 127) / 255)
		}
	}
	return flat
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
