package imaging_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"testing"

	"imageflow.dev/internal/imaging"
)

// TestQualityOfJPEGIsKept writes JPEGs of many qualities and what comes of each:
// it divides by what its quality says.
func TestQualityOfJPEGIsKept(t *testing.T) {
	m, random := image.NewGray(image.Rect(0, 0, 256, 256)), rand.New(rand.NewPCG(1, 1))
	for i := range m.Pix {
		m.Pix[i] = byte(random.IntN(64) + i%256/2)
	}
	at := func(quality int) []byte {
		var b bytes.Buffer
		if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: quality}); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	divisors := func(data []byte) string { // of brightness
		i := bytes.Index(data, []byte{0xff, 0xdb})
		return fmt.Sprint(data[i+5 : i+5+64])
	}
	for quality, want := range map[int]int{1: 85, 50: 85, 85: 85, 88: 88, 92: 92, 95: 95, 98: 95, 100: 95} {
		picture := open(t, at(quality))
		p, err := picture.Pixels(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		out, err := p.EncodeLike(t.Context(), picture, imaging.JPEG)
		if err != nil {
			t.Fatal(err)
		}
		if got := divisors(out.Data); got != divisors(at(want)) {
			t.Errorf("quality %d: the divisors are %s, want those of %d", quality, got, want)
		}
	}
	// A picture of another format has the usual one.
	picture := open(t, asPNG(t, flat(16, 16, color.NRGBA{1, 2, 3, 255})))
	p, err := picture.Pixels(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.EncodeLike(t.Context(), picture, imaging.JPEG)
	if err != nil {
		t.Fatal(err)
	}
	if got := divisors(out.Data); got != divisors(at(85)) {
		t.Errorf("of a PNG: the divisors are %s, want those of 85", got)
	}
}
