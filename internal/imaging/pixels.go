package imaging

import "context"

// Pixels is a decoded picture: Height×Width×Channels bytes in rows, sRGB,
// Channels 3, or 4 with straight alpha last.
type Pixels struct {
	Width, Height, Channels int
	Pix                     []byte
	// density is that of the image which it was decoded from.
	density density
}

// NewPixels returns a black picture, transparent where it has four channels.
func NewPixels(width, height, channels int) *Pixels {
	return &Pixels{Width: width, Height: height, Channels: channels, Pix: make([]byte, width*height*channels)}
}

// Encode writes the picture. Where the format has no transparency, it is laid
// on white. The error is the context's where that has ended.
func (p *Pixels) Encode(ctx context.Context, f Format) (Encoded, error) {
	return p.encodeAt(ctx, f, codecs[f].quality)
}

// EncodeLike writes what was changed of a picture, as Encode does; but a JPEG made
// of a JPEG has no less quality than that, up to 95.
func (p *Pixels) EncodeLike(ctx context.Context, m *Image, f Format) (Encoded, error) {
	quality := codecs[f].quality
	if f == JPEG {
		quality = min(max(quality, m.quality), 95)
	}
	return p.encodeAt(ctx, f, quality)
}

func (p *Pixels) encodeAt(ctx context.Context, f Format, quality int) (_ Encoded, err error) {
	if p.Channels == 4 && !f.alpha() {
		if p, err = p.flatten(ctx); err != nil {
			return Encoded{}, err
		}
	}
	data, err := p.encode(ctx, f, quality)
	return Encoded{data, f, p.Width, p.Height}, err
}

// flatten lays the picture on white.
func (p *Pixels) flatten(ctx context.Context) (*Pixels, error) {
	flat := NewPixels(p.Width, p.Height, 3)
	flat.density = p.density
	for y := range p.Height {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		from, to := p.Pix[4*y*p.Width:4*(y+1)*p.Width], flat.Pix[3*y*p.Width:]
		for i, o := 0, 0; i < len(from); i, o = i+4, o+3 {
			a := uint32(from[i+3])
			for c := range 3 {
				to[o+c] = byte((uint32(from[i+c])*a + 255*(255-a) + 127) / 255)
			}
		}
	}
	return flat, nil
}

// upright returns the picture as EXIF's orientation means it to be shown.
func (p *Pixels) upright(ctx context.Context, orientation int) (*Pixels, error) {
	if orientation == 1 {
		return p, nil
	}
	w, h, n := p.Width, p.Height, p.Channels
	outW, outH := w, h
	if orientation >= 5 {
		outW, outH = h, w
	}
	out := NewPixels(outW, outH, n)
	out.density = p.density.turned(orientation)
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
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		to := start + y*down
		from := p.Pix[y*w*n : (y+1)*w*n]
		for x := range w {
			copy(out.Pix[to*n:to*n+n], from[x*n:x*n+n])
			to += right
		}
	}
	return out, nil
}
