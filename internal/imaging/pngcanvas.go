package imaging

import (
	"context"
	"encoding/binary"
	"image"
)

// pngCanvases draws the frames of an animated PNG.
type pngCanvases struct {
	canvas
	file *Image
}

func (c *pngCanvases) close() {}

func (c *pngCanvases) next(ctx context.Context, f frame) ([]byte, error) {
	c.begin(f)
	m, err := Open(c.still(f), Limits{MaxSide: c.file.Limits.MaxSide, MaxPixels: c.file.Limits.MaxPixels})
	if err != nil {
		return nil, err
	}
	m.Encoding = c.file.Encoding // a profile may be kept
	p, err := m.decode(ctx, fullSize)
	if err != nil {
		return nil, err
	}
	for y := range p.Height {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		from, to := p.Pix[y*p.Width*p.Channels:(y+1)*p.Width*p.Channels], c.row(f.at.Min.Y + y)[4*f.at.Min.X:]
		for i := 0; i < len(from); i, to = i+p.Channels, to[4:] {
			pixel := [4]byte{3: 255}
			if copy(pixel[:], from[i:i+p.Channels]); f.over {
				blend(to[:4], pixel[:])
			} else {
				copy(to, pixel[:])
			}
		}
	}
	return c.pix, nil
}

// still returns a frame as a PNG: the header with its size, the chunks before the image data, and its
// image data.
func (c *pngCanvases) still(f frame) []byte {
	data := c.file.data
	out := append([]byte(nil), data[:pngSignature]...)
	for at := int64(pngSignature); ; {
		kind, content, next := pngChunk(data, at)
		switch {
		case next == 0 || kind == "IDAT":
			return append(appendFrameData(out, data, f.begin), pngEnd...)
		case kind == "IHDR":
			out = appendChunk(out, kind, frameHeader(content, f.at))
		case pngKept[kind] && kind != "pHYs":
			out = append(out, data[at:next]...)
		}
		at = next
	}
}

// frameHeader returns the content of an IHDR chunk with the size of a frame.
func frameHeader(ihdr []byte, at image.Rectangle) []byte {
	head := binary.BigEndian.AppendUint32(nil, uint32(at.Dx()))
	return append(binary.BigEndian.AppendUint32(head, uint32(at.Dy())), ihdr[8:]...)
}

// appendFrameData appends the image data of the frame whose chunks begin at an offset.
func appendFrameData(png, data []byte, at int64) []byte {
	const sequence = 4 // bytes before the image data in an fdAT chunk
	for {
		kind, content, next := pngChunk(data, at)
		switch {
		case next == 0 || kind == "fcTL" || kind == "IEND":
			return png
		case kind == "IDAT":
			png = append(png, data[at:next]...)
		case kind == "fdAT" && len(content) > sequence:
			png = appendChunk(png, "IDAT", content[sequence:])
		}
		at = next
	}
}
