package imaging_test

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"testing"

	"imageflow.dev/internal/imaging"
)

// TestEncodeLike_keepsTheQualityOfAJPEG compares the quantization tables of the outputs with
// the tables of the expected qualities.
func TestEncodeLike_keepsTheQualityOfAJPEG(t *testing.T) {
	for quality, want := range map[int]int{1: 85, 50: 85, 85: 85, 88: 88, 92: 92, 95: 95, 98: 95, 100: 95} {
		checkDivisors(t, grainyJPEG(t, quality), want)
	}
}

func TestEncodeLike_hasTheDefaultQualityForOtherFormats(t *testing.T) {
	checkDivisors(t, asPNG(t, flat(16, 16, color.NRGBA{1, 2, 3, 255})), 85)
}

// TestEncodeLike_keepsTheSamplingOfAJPEG unless the encoding has options.
func TestEncodeLike_keepsTheSamplingOfAJPEG(t *testing.T) {
	half, full := image.YCbCrSubsampleRatio420, image.YCbCrSubsampleRatio444
	for _, c := range []struct {
		quality int
		chroma  imaging.Chroma
		options imaging.Encoding
		want    image.YCbCrSubsampleRatio
	}{
		{95, imaging.Chroma420, imaging.Encoding{}, half},
		{50, imaging.Chroma444, imaging.Encoding{}, full},
		{95, imaging.Chroma420, imaging.Encoding{Quality: 90}, full},
		{95, imaging.Chroma444, imaging.Encoding{Quality: 80}, half},
	} {
		png := open(t, asPNG(t, flat(16, 16, color.NRGBA{200, 2, 3, 255})))
		png.Encoding = imaging.Encoding{Quality: c.quality, Chroma: c.chroma}
		in, err := png.Convert(t.Context(), imaging.JPEG)
		if err != nil {
			t.Fatal(err)
		}
		m := open(t, in.Data)
		m.Encoding = c.options
		p, err := m.Pixels(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		out, err := p.EncodeLike(t.Context(), m, imaging.JPEG)
		if err != nil {
			t.Fatal(err)
		}
		decoded, err := jpeg.Decode(bytes.NewReader(out.Data))
		if err != nil {
			t.Fatal(err)
		}
		if got := decoded.(*image.YCbCr).SubsampleRatio; got != c.want {
			t.Errorf("%+v: got %v", c, got)
		}
	}
}

// checkDivisors compares the luminance table of the output with the table of a quality.
func checkDivisors(t *testing.T, data []byte, quality int) {
	t.Helper()
	m := open(t, data)
	p, err := m.Pixels(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.EncodeLike(t.Context(), m, imaging.JPEG)
	if err != nil {
		t.Fatal(err)
	}
	divisors := func(data []byte) []byte {
		i := bytes.Index(data, []byte{0xff, 0xdb})
		return data[i+5 : i+5+64]
	}
	if got, want := divisors(out.Data), divisors(grainyJPEG(t, quality)); !bytes.Equal(got, want) {
		t.Errorf("got the divisors %v, want those of quality %d, %v", got, quality, want)
	}
}

// grainyJPEG returns a grey JPEG of a quality.
func grainyJPEG(t *testing.T, quality int) []byte {
	t.Helper()
	m, random := image.NewGray(image.Rect(0, 0, 256, 256)), rand.New(rand.NewPCG(1, 1))
	for i := range m.Pix {
		m.Pix[i] = byte(random.IntN(64) + i%256/2)
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: quality}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
