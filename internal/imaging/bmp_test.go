package imaging_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"math/bits"
	"testing"

	"golang.org/x/image/bmp"

	"imageflow.dev/internal/imaging"
)

// bmpKind is a kind of BMP. height is negative if the first row is the top one.
type bmpKind struct {
	header, width, height, bits int
	compression                 uint32
	masks                       []uint32
	colours                     int // in the palette
}

// bmpColour is the colour at an index of a palette.
func bmpColour(i int) color.NRGBA {
	return color.NRGBA{uint8(7 * i), uint8(255 - i), uint8(31 * i), 255}
}

// headers returns all that precedes the pixels.
func (k bmpKind) headers() []byte {
	le := binary.LittleEndian
	info := make([]byte, k.header)
	le.PutUint32(info, uint32(k.header))
	if k.header == 12 {
		le.PutUint16(info[4:], uint16(k.width))
		le.PutUint16(info[6:], uint16(k.height))
		le.PutUint16(info[8:], 1)
		le.PutUint16(info[10:], uint16(k.bits))
	} else {
		long := make([]byte, max(k.header, 124))
		for at, v := range map[int]uint32{
			0: uint32(k.header), 4: uint32(k.width), 8: uint32(k.height), 12: 1 | uint32(k.bits)<<16,
			16: k.compression, 24: 2835, 28: 2835, 32: uint32(k.colours),
		} {
			le.PutUint32(long[at:], v)
		}
		copy(info, long)
	}
	if k.header < 52 {
		info = append(info, make([]byte, 4*len(k.masks))...)
	}
	for i, mask := range k.masks {
		le.PutUint32(info[40+4*i:], mask)
	}
	for i := range k.colours {
		c := bmpColour(i)
		info = append(info, c.B, c.G, c.R)
		if k.header > 12 {
			info = append(info, 0)
		}
	}
	file := append([]byte("BM"), make([]byte, 12)...)
	le.PutUint32(file[10:], uint32(14+len(info)))
	return append(file, info...)
}

// value is the value of the bits of a pixel.
func (k bmpKind) value(x, y int) uint32 {
	return uint32(uint64(2654435761*(x+31*y+1)) >> 4 & (1<<k.bits - 1))
}

// file returns the file without compression.
func (k bmpKind) file() []byte {
	out, height := k.headers(), max(k.height, -k.height)
	stride := (k.width*k.bits + 31) / 32 * 4
	for i := range height {
		y, row := height-1-i, make([]byte, stride+4)
		if k.height < 0 {
			y = i
		}
		for x := range k.width {
			v, bit := k.value(x, y), x*k.bits
			if k.bits < 8 {
				row[bit/8] |= byte(v << (8 - k.bits - bit%8))
				continue
			}
			for b := range k.bits / 8 {
				row[bit/8+b] = byte(v >> (8 * b))
			}
		}
		out = append(out, row[:stride]...)
	}
	return out
}

// colour is the right colour of a pixel.
func (k bmpKind) colour(x, y int) color.NRGBA {
	v := k.value(x, y)
	masks := k.masks
	switch {
	case k.bits <= 8:
		return bmpColour(int(v))
	case masks == nil && k.bits == 16:
		masks = []uint32{0x7c00, 0x3e0, 0x1f}
	case masks == nil:
		masks = []uint32{0xff0000, 0xff00, 0xff}
	}
	c := [4]uint8{3: 255}
	for i, mask := range masks {
		if n := bits.OnesCount32(mask); n > 0 {
			last := float64(uint64(1)<<n - 1)
			c[i] = uint8(float64(v&mask>>bits.TrailingZeros32(mask))/last*255 + 0.5)
		}
	}
	return color.NRGBA{c[0], c[1], c[2], c[3]}
}

var bmpKinds = map[string]bmpKind{
	"1 bit":                      {40, 37, 9, 1, 0, nil, 2},
	"2 bits":                     {40, 37, 9, 2, 0, nil, 4},
	"4 bits":                     {40, 37, 9, 4, 0, nil, 16},
	"8 bits":                     {40, 37, 9, 8, 0, nil, 256},
	"8 bits, top down":           {40, 37, -9, 8, 0, nil, 256},
	"8 bits, OS/2":               {12, 37, 9, 8, 0, nil, 256},
	"4 bits, short OS/2 2":       {16, 37, 9, 4, 0, nil, 16},
	"4 bits, OS/2 2":             {64, 37, 9, 4, 0, nil, 16},
	"16 bits":                    {40, 37, 9, 16, 0, nil, 0},
	"16 bits, 565":               {40, 37, 9, 16, 3, []uint32{0xf800, 0x7e0, 0x1f}, 0},
	"16 bits, 4444":              {124, 37, -9, 16, 3, []uint32{0xf00, 0xf0, 0xf, 0xf000}, 0},
	"16 bits, without red":       {56, 37, 9, 16, 3, []uint32{0, 0x7e0, 0x1f, 0}, 0},
	"24 bits":                    {40, 37, 9, 24, 0, nil, 0},
	"24 bits, with colours":      {40, 37, 9, 24, 0, nil, 20},
	"24 bits, OS/2":              {12, 37, 9, 24, 0, nil, 0},
	"32 bits":                    {40, 37, 9, 32, 0, nil, 0},
	"32 bits, V2, 11 11 10":      {52, 37, 9, 32, 3, []uint32{0xffe00000, 0x1ffc00, 0x3ff}, 0},
	"32 bits, V3 with alpha":     {56, 37, 9, 32, 3, []uint32{0xff, 0xff00, 0xff0000, 0xff000000}, 0},
	"32 bits, V4":                {108, 37, 9, 32, 3, []uint32{0xff00, 0xff0000, 0xff000000, 0}, 0},
	"32 bits, V5, 10 bits":       {124, 37, -9, 32, 3, []uint32{0x3ff00000, 0xffc00, 0x3ff, 0xc0000000}, 0},
	"32 bits, alpha after V1":    {40, 37, 9, 32, 6, []uint32{0xff0000, 0xff00, 0xff, 0xff000000}, 0},
	"32 bits, 16 of them in red": {56, 37, 9, 32, 3, []uint32{0xffff0000, 0xff00, 0xff, 0}, 0},
}

func TestBMP_allKinds(t *testing.T) {
	for name, kind := range bmpKinds {
		p := pixels(t, kind.file())
		if p.Width != kind.width || p.Height != max(kind.height, -kind.height) {
			t.Errorf("%s: %d×%d pixels", name, p.Width, p.Height)
			continue
		}
		for i := range p.Width * p.Height {
			want := kind.colour(i%p.Width, i/p.Width)
			got := color.NRGBA{p.Pix[i*p.Channels], p.Pix[i*p.Channels+1], p.Pix[i*p.Channels+2], 255}
			if p.Channels == 4 {
				got.A = p.Pix[4*i+3]
			}
			if got != want {
				t.Errorf("%s: pixel %d is %v, want %v", name, i, got, want)
				break
			}
		}
	}
}

// TestBMP_isResizedLikePNG compares the whole path with that of another format.
func TestBMP_isResizedLikePNG(t *testing.T) {
	var opaque bytes.Buffer
	if err := bmp.Encode(&opaque, detailed(300, 200)); err != nil {
		t.Fatal(err)
	}
	for name, files := range map[string][2][]byte{
		"opaque": {opaque.Bytes(), asPNG(t, detailed(300, 200))},
		"alpha":  {alphaBMP(noisy(300, 200)), asPNG(t, noisy(300, 200))},
	} {
		for _, width := range []int{7, 100, 450} {
			var got [2]*imaging.Pixels
			for i, data := range files {
				e, err := open(t, data).Resize(t.Context(), width, width/2, imaging.Good, imaging.PNG)
				if err != nil {
					t.Fatal(err)
				}
				got[i] = pixels(t, e.Data)
			}
			if !bytes.Equal(got[0].Pix, got[1].Pix) {
				t.Errorf("%s: %d pixels wide, BMP and PNG differ", name, width)
			}
		}
	}
}

// TestBMP_pixelsFollowThePalette uses an offset inside of the palette.
func TestBMP_pixelsFollowThePalette(t *testing.T) {
	data := bmpKinds["8 bits"].file()
	want := pixels(t, data)
	binary.LittleEndian.PutUint32(data[10:], 60)
	m := open(t, data)
	if got := pixels(t, data); len(m.Repaired) == 0 || !bytes.Equal(got.Pix, want.Pix) {
		t.Errorf("repaired %v; the pixels differ: %v", m.Repaired, !bytes.Equal(got.Pix, want.Pix))
	}
}

// alphaBMP returns a BMP of 32 bits with alpha.
func alphaBMP(m *image.NRGBA) []byte {
	k := bmpKind{56, m.Rect.Dx(), -m.Rect.Dy(), 32, 3, []uint32{0xff, 0xff00, 0xff0000, 0xff000000}, 0}
	return append(k.headers(), m.Pix...)
}

func TestBMP_becomesPNGWithItsDensity(t *testing.T) {
	m := open(t, bmpKinds["24 bits"].file())
	if f := m.Format.Output(); f != imaging.PNG {
		t.Fatalf("the output is %s, want png", f)
	}
	e, err := m.Convert(t.Context(), imaging.PNG)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(e.Data, []byte("pHYs\x00\x00\x0b\x13\x00\x00\x0b\x13\x01")) { // 2835 per metre
		t.Error("the density is lost")
	}
}

func TestBMP_stopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, data := range map[string][]byte{
		"24 bits": bmpKinds["24 bits"].file(), "codes": append(rleKind(8).headers(), "\x00\x01"...),
	} {
		if _, err := open(t, data).Pixels(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := open(t, data).Resize(ctx, 3, 3, imaging.Best, imaging.PNG); !errors.Is(err, context.Canceled) {
			t.Errorf("%s, resized: %v", name, err)
		}
	}
}
