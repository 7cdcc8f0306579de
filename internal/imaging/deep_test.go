package imaging_test

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"

	"imageflow.dev/internal/imaging"
)

// deepTIFF returns a TIFF of one row.
func deepTIFF[T int8 | int16 | int32 | uint32 | float32 | float64](photometric uint32, samples int, values ...T) []byte {
	le := binary.LittleEndian
	data, err := binary.Append(nil, le, values)
	if err != nil {
		panic(err) // the types have fixed sizes
	}
	format := uint32(3)
	switch any(values[0]).(type) {
	case uint32:
		format = 1
	case int8, int16, int32:
		format = 2
	}
	bits := uint32(8 * len(data) / len(values))
	entries := append(rgbTIFF(uint32(len(values)/samples), 1), entry{339, short, slices.Repeat([]uint32{format}, samples)})
	entries[2].values = slices.Repeat([]uint32{bits}, samples)
	entries[4].values = []uint32{photometric}
	entries[6].values = []uint32{uint32(samples)}
	if samples == 2 || samples == 4 && photometric == 2 {
		entries = append(entries, entry{338, short, []uint32{2}})
	}
	return withPixels(le, entries, data)
}

// TestDeepTIFF_isMappedToEightBits checks the rule: all values of unsigned integers, and floats
// from 0 to 1, are mapped linearly. Floats beyond are clipped, and NaN is 0.
func TestDeepTIFF_isMappedToEightBits(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for name, test := range map[string]struct {
		data []byte
		want []byte
	}{
		"grey of float32": {deepTIFF[float32](1, 1, 0, 0.25, 0.5, 1, 1.5, -3, float32(nan), float32(inf), float32(-inf)),
			[]byte{0, 64, 128, 255, 255, 0, 0, 255, 0}},
		"white is 0":         {deepTIFF[float32](0, 1, 0, 0.25, 1), []byte{255, 191, 0}},
		"grey of float64":    {deepTIFF[float64](1, 1, 0, 0.25, 0.5, 1, 1e300, -1e300, nan), []byte{0, 64, 128, 255, 255, 0, 0}},
		"grey of uint32":     {deepTIFF[uint32](1, 1, 0, 1<<30, 1<<31, 1<<32-1, 1<<24-1), []byte{0, 64, 128, 255, 1}},
		"white is 0, uint32": {deepTIFF[uint32](0, 1, 0, 1<<32-1), []byte{255, 0}},
	} {
		p := pixels(t, test.data)
		for i, want := range test.want {
			if got := p.Pix[3*i]; got != want || p.Pix[3*i+1] != got || p.Pix[3*i+2] != got {
				t.Errorf("%s: pixel %d is %v, want %d", name, i, p.Pix[3*i:3*i+3], want)
			}
		}
	}
}

// TestDeepTIFF_ofSignedSamples: all values are mapped linearly, so 0 is in the middle.
func TestDeepTIFF_ofSignedSamples(t *testing.T) {
	for name, test := range map[string]struct {
		data []byte
		want []byte
	}{
		"grey of int8":  {deepTIFF[int8](1, 1, -128, -64, 0, 64, 127), []byte{0, 64, 128, 192, 255}},
		"grey of int16": {deepTIFF[int16](1, 1, -32768, -16384, 0, 16384, 32767), []byte{0, 64, 128, 191, 255}},
		"grey of int32": {deepTIFF[int32](1, 1, -1<<31, -1<<30, 0, 1<<30, 1<<31-1), []byte{0, 64, 128, 191, 255}},
	} {
		p := pixels(t, test.data)
		for i, want := range test.want {
			if got := p.Pix[3*i]; got != want || p.Pix[3*i+1] != got || p.Pix[3*i+2] != got {
				t.Errorf("%s: pixel %d is %v, want %d", name, i, p.Pix[3*i:3*i+3], want)
			}
		}
	}
	if p := pixels(t, deepTIFF[int16](2, 4, 32767, 0, -32768, 16384)); !slices.Equal(p.Pix, []byte{255, 128, 0, 191}) {
		t.Errorf("rgba of int16: got %v", p.Pix)
	}
}

func TestDeepTIFF_coloursAndAlpha(t *testing.T) {
	for name, test := range map[string]struct {
		data []byte
		want []byte
	}{
		"rgb of float32":   {deepTIFF[float32](2, 3, 1, 0.5, 0), []byte{255, 128, 0}},
		"rgba of float32":  {deepTIFF[float32](2, 4, 1, 0.5, 0, 0.25), []byte{255, 128, 0, 64}},
		"rgba of float64":  {deepTIFF[float64](2, 4, 1, 0.5, 0, 2), []byte{255, 128, 0, 255}},
		"rgb of uint32":    {deepTIFF[uint32](2, 3, 1<<32-1, 1<<31, 0), []byte{255, 128, 0}},
		"greya of float32": {deepTIFF[float32](1, 2, 0.5, 0.5), []byte{128, 128, 128, 128}},
	} {
		if p := pixels(t, test.data); !slices.Equal(p.Pix, test.want) {
			t.Errorf("%s: got %v, want %v", name, p.Pix, test.want)
		}
	}
	inks := pixels(t, deepTIFF[float32](5, 4, 1, 0, 0, 0))
	if want := pixels(t, sampleTIFF(5, 16, false, []byte{255, 0, 0, 0})).Pix[:3]; !slices.Equal(inks.Pix, want) {
		t.Errorf("cyan of float32 is %v, want %v as of 16 bits", inks.Pix, want)
	}
}

// TestDeepTIFF_isResizedAfterItsMapping has values beyond 1, which do not spread.
func TestDeepTIFF_isResizedAfterItsMapping(t *testing.T) {
	values := slices.Repeat([]float32{1, 1, 1, 1, 900, 0, 0, 0}, 8)
	e, err := open(t, deepTIFF(1, 1, values...)).Resize(t.Context(), 8, 1, imaging.Best, imaging.PNG)
	if err != nil {
		t.Fatal(err)
	}
	for i, got := range pixels(t, e.Data).Pix[9:15] { // away from the edges
		if got < 150 || got > 170 { // 5 of 8
			t.Errorf("value %d is %d, want about 159", i, got)
		}
	}
}

func TestDeepTIFF_unsupportedLayoutsAreRejected(t *testing.T) {
	tiff := func(bits int, photometric uint32, samples int, more ...entry) []byte {
		entries := append(rgbTIFF(32, 24), more...)
		entries[2].values = slices.Repeat([]uint32{uint32(bits)}, samples)
		entries[4].values = []uint32{photometric}
		entries[6].values = []uint32{uint32(samples)}
		return withPixels(binary.LittleEndian, entries, make([]byte, 4*4*32*24))
	}
	format := func(v uint32) entry { return entry{339, short, []uint32{v}} }
	associated := entry{338, short, []uint32{1}}
	for want, data := range map[string][]byte{
		"tiff with signed samples multiplied by alpha: alpha must be unassociated":     tiff(8, 2, 4, format(2), associated),
		"tiff with signed samples of 4 bits: supported are 8, 16 and 32":               tiff(4, 2, 3, format(2)),
		"tiff with complex samples: only integers and floats are supported":            tiff(32, 2, 3, format(6)),
		"tiff with floats of 8 bits: supported are 16, 32 and 64":                      tiff(8, 2, 3, format(3)),
		"tiff with 32 bits per sample: supported for grey, RGB and CMYK only":          tiff(32, 8, 3),
		"tiff with 32 bits per sample multiplied by alpha: alpha must be unassociated": tiff(32, 2, 4, associated),
	} {
		checkRejected(t, want, data, want)
	}
}
