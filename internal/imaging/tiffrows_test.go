package imaging_test

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/x448/float16"

	"imageflow.dev/internal/imaging"
)

// oddTIFF describes a TIFF of width × height pixels with integers of any number of bits.
type oddTIFF struct {
	width, height, bits, samples int
	planar, deflate, whiteIsZero bool
	tile                         int // the side of tiles; 0 for strips of 5 rows
}

// value is the value of a sample.
func (o oddTIFF) value(x, y, s int) int {
	return (x*37 + y*91 + s*50 + x*y) % (1 << o.bits)
}

// pack returns the rows of a strip or tile from (left, top), of one sample, or of all if it is -1.
func (o oddTIFF) pack(left, top, width, height, sample int) []byte {
	var out []byte
	for y := top; y < top+height; y++ {
		row := make([]byte, 0, width*o.samples)
		bit := 0
		put := func(v int) {
			for b := o.bits - 1; b >= 0; b-- {
				if bit%8 == 0 {
					row = append(row, 0)
				}
				row[len(row)-1] |= byte(v >> b & 1 << (7 - bit%8))
				bit++
			}
		}
		for x := left; x < left+width; x++ {
			for s := range o.samples {
				if sample < 0 || s == sample {
					put(o.value(min(x, o.width-1), min(y, o.height-1), s))
				}
			}
		}
		out = append(out, row...)
	}
	return out
}

// pieces returns the contents of all strips or tiles.
func (o oddTIFF) pieces() [][]byte {
	planes := []int{-1}
	if o.planar {
		planes = []int{0, 1, 2, 3}[:o.samples]
	}
	wide, high := o.tile, o.tile
	if o.tile == 0 {
		wide, high = o.width, 5
	}
	var pieces [][]byte
	for _, plane := range planes {
		for y := 0; y < o.height; y += high {
			for x := 0; x < o.width; x += wide {
				rows := high
				if o.tile == 0 {
					rows = min(high, o.height-y)
				}
				piece := o.pack(x, y, wide, rows, plane)
				if o.deflate {
					var b bytes.Buffer
					z := zlib.NewWriter(&b)
					_, _ = z.Write(piece)
					_ = z.Close()
					piece = b.Bytes()
				}
				pieces = append(pieces, piece)
			}
		}
	}
	return pieces
}

func (o oddTIFF) file(more ...entry) []byte {
	entries := rgbTIFF(uint32(o.width), uint32(o.height))
	entries[2].values = slices.Repeat([]uint32{uint32(o.bits)}, o.samples)
	if o.deflate {
		entries[3].values = []uint32{8}
	}
	if o.samples < 3 {
		entries[4].values = []uint32{1}
	}
	if o.whiteIsZero {
		entries[4].values = []uint32{0}
	}
	entries[6].values, entries[7].values = []uint32{uint32(o.samples)}, []uint32{5}
	if o.planar {
		entries = append(entries, entry{284, short, []uint32{2}})
	}
	if o.tile > 0 {
		side := []uint32{uint32(o.tile)}
		entries = append(append(entries[:5:5], entries[6]), append(entries[9:], entry{322, short, side}, entry{323, short, side})...)
		entries = append(entries, entry{tag: 324, kind: long}, entry{tag: 325, kind: long})
	}
	return withPieces(append(entries, more...), o.pieces())
}

// withPieces writes a TIFF with these strips or tiles.
func withPieces(entries []entry, pieces [][]byte) []byte {
	for range 2 { // the first round determines the size of the directory
		at := len(asTIFF(binary.LittleEndian, entries...))
		var offsets, sizes []uint32
		for _, p := range pieces {
			offsets, sizes = append(offsets, uint32(at)), append(sizes, uint32(len(p)))
			at += len(p)
		}
		for i, e := range entries {
			switch e.tag {
			case 273, 324:
				entries[i].values = offsets
			case 279, 325:
				entries[i].values = sizes
			}
		}
	}
	return append(asTIFF(binary.LittleEndian, entries...), bytes.Join(pieces, nil)...)
}

// expected returns the pixels of the file.
func (o oddTIFF) expected() []byte {
	channels := 3
	if o.samples%2 == 0 {
		channels = 4
	}
	last := float64(int(1)<<o.bits - 1)
	out := make([]byte, 0, o.width*o.height*channels)
	for i := range o.width * o.height {
		v := func(s int) byte { return byte(math.Floor(float64(o.value(i%o.width, i/o.width, s))/last*255 + 0.5)) }
		switch g := v(0); {
		case o.samples >= 3:
			out = append(out, v(0), v(1), v(2))
		case o.whiteIsZero:
			out = append(out, 255-g, 255-g, 255-g)
		default:
			out = append(out, g, g, g)
		}
		if channels == 4 {
			out = append(out, v(o.samples-1))
		}
	}
	return out
}

func oddTIFFs() map[string]oddTIFF {
	return map[string]oddTIFF{
		"12 bits":                     {37, 23, 12, 1, false, false, false, 0},
		"12 bits, white is 0":         {37, 23, 12, 1, false, true, true, 0},
		"10 bits of RGB":              {37, 23, 10, 3, false, true, false, 0},
		"14 bits of RGBA":             {37, 23, 14, 4, false, false, false, 0},
		"3 bits with alpha":           {37, 23, 3, 2, false, true, false, 0},
		"12 bits in tiles":            {37, 23, 12, 3, false, true, false, 16},
		"12 bits in planes":           {37, 23, 12, 3, true, true, false, 0},
		"8 bits in planes and tiles":  {37, 23, 8, 3, true, false, false, 16},
		"8 bits, deflated planes":     {37, 23, 8, 4, true, true, false, 16},
		"grey and alpha in planes":    {37, 23, 8, 2, true, false, false, 0},
		"12 bits in a tile of 64×64":  {37, 23, 12, 1, false, true, false, 64},
		"one pixel of 12 bits":        {1, 1, 12, 1, false, false, false, 0},
		"a row of planes of 1 bit":    {37, 1, 1, 4, true, true, false, 16},
		"a column of 9 bits in tiles": {1, 23, 9, 3, true, true, false, 16},
	}
}

func TestOddTIFF_allLayouts(t *testing.T) {
	for name, o := range oddTIFFs() {
		var more []entry
		if o.samples%2 == 0 {
			more = []entry{{338, short, []uint32{2}}}
		}
		m := open(t, o.file(more...))
		p, err := m.Pixels(t.Context())
		if err != nil || !bytes.Equal(p.Pix, o.expected()) {
			t.Errorf("%s: %v, or its pixels differ", name, err)
			continue
		}
		want, err := p.Encode(t.Context(), imaging.PNG)
		if err != nil {
			t.Fatal(err)
		}
		for _, side := range []int{1, 9, 60} {
			got, err := m.Resize(t.Context(), side, side, imaging.Good, imaging.PNG)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			same, err := open(t, want.Data).Resize(t.Context(), side, side, imaging.Good, imaging.PNG)
			if err != nil || !bytes.Equal(pixels(t, got.Data).Pix, pixels(t, same.Data).Pix) {
				t.Errorf("%s, resized to %d: the PNG of its pixels gives others, %v", name, side, err)
			}
		}
	}
}

func TestOddTIFF_associatedAlphaIsDivided(t *testing.T) {
	o := oddTIFF{1, 1, 12, 4, false, false, false, 0} // values 0, 50, 100, 150
	if p := pixels(t, o.file(entry{338, short, []uint32{1}})); !slices.Equal(p.Pix, []byte{0, 85, 170, 9}) {
		t.Errorf("got %v", p.Pix)
	}
}

func TestOddTIFF_halfFloats(t *testing.T) {
	le, nan := binary.LittleEndian, float32(math.NaN())
	var data []byte
	values := []float32{0, 0.25, 0.5, 1, 2, -1, nan, float32(math.Inf(1)), 6e-8, 0.00006}
	for _, v := range values {
		data = le.AppendUint16(data, uint16(float16.Fromfloat32(v)))
	}
	entries := append(rgbTIFF(uint32(len(values)), 1), entry{339, short, []uint32{3}})
	entries[2].values, entries[4].values, entries[6].values = []uint32{16}, []uint32{1}, []uint32{1}
	p := pixels(t, withPixels(le, entries, data))
	for i, want := range []byte{0, 64, 128, 255, 255, 0, 0, 255, 0, 0} {
		if p.Pix[3*i] != want {
			t.Errorf("%v is %d, want %d", values[i], p.Pix[3*i], want)
		}
	}
}

// subsampledTIFF returns a TIFF in YCbCr of one colour. Each piece of data has the luma of several
// pixels and one Cb and Cr.
func subsampledTIFF(across, down uint32, more ...entry) []byte {
	entries := append(rgbTIFF(32, 24), more...)
	entries[4].values, entries[7].values = []uint32{6}, []uint32{8}
	entries = append(entries, entry{530, short, []uint32{across, down}})
	piece := append(bytes.Repeat([]byte{98}, int(across*down)), 117, 103)
	strip := bytes.Repeat(piece, int(32/across*8/down))
	return withPieces(entries, [][]byte{strip, strip, strip})
}

func TestOddTIFF_subsampledYCbCr(t *testing.T) {
	video := entry{532, rational, []uint32{16, 1, 235, 1, 128, 1, 240, 1, 128, 1, 240, 1}}
	for _, s := range [][2]uint32{{2, 2}, {2, 1}, {4, 2}, {1, 2}, {4, 4}} {
		checkSamples(t, subsampledTIFF(s[0], s[1]), []byte{63, 120, 79}, false, 0)
		checkSamples(t, subsampledTIFF(s[0], s[1], video), []byte{56, 120, 73}, false, 0)
	}
}

func TestOddTIFF_damageIsRejected(t *testing.T) {
	o := oddTIFFs()["12 bits in tiles"]
	whole := o.file()
	tiled := append(rgbTIFF(9, 9), entry{322, long, []uint32{4096}}, entry{323, long, []uint32{4096}})
	tiled[2].values = []uint32{16, 16, 10}
	tiled[5].tag, tiled[8].tag = 324, 325
	hugeTiles := withPieces(tiled, [][]byte{make([]byte, 99)})
	for name, data := range map[string][]byte{
		"a damaged tile": append(bytes.Clone(whole[:len(whole)-40]), bytes.Repeat([]byte{0xff}, 40)...),
		"a cut tile":     whole[:len(whole)-9],
		"huge tiles":     hugeTiles,
	} {
		m, err := imaging.Open(data, roomy)
		if err == nil {
			_, err = m.Pixels(t.Context())
		}
		if !isInputError(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := open(t, whole).Pixels(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
