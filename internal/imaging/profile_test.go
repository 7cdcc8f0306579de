package imaging_test

import (
	"bytes"
	"encoding/binary"
	"image/color"
	"math"
	"slices"
	"testing"

	"imageflow.dev/internal/imaging"
)

// TestProfiles_ofOtherDecoders compares the colours of BMPs and TIFFs with those of a PNG.
func TestProfiles_ofOtherDecoders(t *testing.T) {
	linear := profile("RGB ", 1)
	k := bmpKind{124, 9, -9, 24, 0, nil, 0}
	bmp := append(k.headers(), bytes.Repeat([]byte{30, 120, 200}, 9*9)...)
	for y := range 9 { // the padding
		bmp = slices.Insert(bmp, 14+124+28*y+27, 0)
	}
	binary.LittleEndian.PutUint32(bmp[14+112:], uint32(len(bmp)-14))
	binary.LittleEndian.PutUint32(bmp[14+116:], uint32(len(linear)))
	copy(bmp[14+56:], "DEBM")
	icc := entry{tag: 34675, kind: undefined}
	for _, b := range linear {
		icc.values = append(icc.values, uint32(b))
	}
	o := oddTIFF{9, 9, 12, 3, false, false, false, 0}
	plain := pixels(t, o.file())
	tiff, err := plain.Encode(t.Context(), imaging.PNG)
	if err != nil {
		t.Fatal(err)
	}
	flat := asPNG(t, flat(9, 9, color.NRGBA{200, 120, 30, 255}))
	for name, test := range map[string]struct{ data, png []byte }{
		"bmp":  {append(bmp, linear...), withChunk(flat, "iCCP", deflated(linear))},
		"tiff": {o.file(icc), withChunk(tiff.Data, "iCCP", deflated(linear))},
	} {
		got, want := pixels(t, test.data), pixels(t, test.png)
		for i, v := range want.Pix {
			if math.Abs(float64(v)-float64(got.Pix[i])) > 1 {
				t.Errorf("%s: value %d is %d, want %d", name, i, got.Pix[i], v)
				break
			}
		}
	}
}
