package imaging

import (
	"context"
	"encoding/binary"
	"math/bits"
)

// decodeBMP decodes a BMP, like decode.
func (m *Image) decodeBMP(ctx context.Context, d decoding) (*Pixels, error) {
	b := m.bmp
	if b.rle {
		var err error
		if b, err = b.expand(ctx); err != nil {
			return nil, err
		}
	}
	p, err := m.decodeRows(ctx, d, b.reader())
	return m.toSRGB(ctx, p, err)
}

// row returns row y, counted from the top.
func (b *bmpData) row(y int) []byte {
	if !b.topDown {
		y = b.height - 1 - y
	}
	return b.pixels[y*b.stride:]
}

// reader returns a function that converts row y to RGB, or RGBA if there is a mask of alpha.
func (b *bmpData) reader() rowReader {
	switch {
	case b.palette != nil:
		return b.readIndices
	case b.bits == 24:
		return b.readBGR
	}
	return b.maskReader()
}

func (b *bmpData) readIndices(y int, out []byte) {
	row, mask := b.row(y), byte(1<<b.bits-1)
	for x := range b.width {
		bit := x * b.bits
		i := int(row[bit/8] >> (8 - b.bits - bit%8) & mask)
		copy(out[3*x:3*x+3], b.palette[3*i:])
	}
}

func (b *bmpData) readBGR(y int, out []byte) {
	row := b.row(y)[:3*b.width]
	out = out[:len(row)]
	for i := 0; i+2 < len(row); i += 3 {
		out[i], out[i+1], out[i+2] = row[i+2], row[i+1], row[i]
	}
}

// maskReader returns the reader of pixels with masks. It scales the values of a channel to 8
// bits and rounds them. A channel without a mask is 0.
func (b *bmpData) maskReader() rowReader {
	channels := 3
	if b.masks[3] != 0 {
		channels = 4
	}
	var fields [4]field
	for c := range channels {
		fields[c] = newField(b.masks[c])
	}
	size := b.bits / 8
	return func(y int, out []byte) {
		row := b.row(y)
		for x := range b.width {
			v := uint32(0)
			if size == 2 {
				v = uint32(binary.LittleEndian.Uint16(row[2*x:]))
			} else {
				v = binary.LittleEndian.Uint32(row[4*x:])
			}
			for c := range channels {
				out[channels*x+c] = fields[c].value(v)
			}
		}
	}
}

// field is a channel in a pixel: bits of a mask, of which the first maxFieldBits count.
type field struct {
	mask  uint32
	shift int
	// scaled has the value of 8 bits for each value of the field.
	scaled []byte
}

const maxFieldBits = 16

func newField(mask uint32) field {
	length := bits.OnesCount32(mask)
	n := min(length, maxFieldBits)
	f := field{mask, bits.TrailingZeros32(mask) % 32, make([]byte, 1<<n)}
	f.shift += length - n
	for i, last := 1, len(f.scaled)-1; i <= last; i++ {
		f.scaled[i] = byte((i*255 + last/2) / last)
	}
	return f
}

func (f *field) value(pixel uint32) byte { return f.scaled[pixel&f.mask>>f.shift] }
