package imaging

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"testing"
)

// TestEncode_rowsThatCodesWereNotMadeFor encodes planes that are flat in the rows of MCUs for
// which Huffman codes are made, and noise or extremes elsewhere, so that most symbols occur only
// there. The standard library decodes the JPEGs.
func TestEncode_rowsThatCodesWereNotMadeFor(t *testing.T) {
	const width, height = 96, 1024
	random := rand.New(rand.NewPCG(3, 4))
	for name, sample := range map[string]func() byte{
		"noise":    func() byte { return byte(random.IntN(256)) },
		"extremes": func() byte { return byte(255 * random.IntN(2)) },
		"dots":     func() byte { return byte(128 + 127*(random.IntN(200)/199)) },
		"flat":     func() byte { return 128 },
	} {
		for colours, factors := range map[string][]sampling{
			"grey": {{1, 1}}, "4:2:0": outputSamplings(3, 85), "4:4:4": outputSamplings(3, 95),
		} {
			p := newPlanes(width, height, factors...)
			for _, c := range p.all {
				rows := 8 * c.down // of an MCU
				for i := range c.samples {
					if c.samples[i] = 128; i/c.width/rows%8 != 0 {
						c.samples[i] = sample()
					}
				}
			}
			for _, quality := range []int{1, 50, 85, 100} {
				t.Run(fmt.Sprint(name, " ", colours, " ", quality), func(t *testing.T) { checkEncoded(t, p, quality) })
			}
		}
	}
}

// checkEncoded encodes planes and checks that the decoded ones are as close as the quality allows.
func checkEncoded(t *testing.T, p *planes, quality int) {
	t.Helper()
	e, err := p.encode(t.Context(), quality)
	if err != nil {
		t.Fatal(err)
	}
	m, err := jpeg.Decode(bytes.NewReader(e.Data))
	if err != nil {
		t.Fatal(err)
	}
	most := 0.0
	for i, c := range p.all {
		for at, v := range c.samples {
			most = max(most, math.Abs(float64(decoded(m, i, at%c.width, at/c.width))-float64(v)))
		}
	}
	if quality == 100 && most > 4 {
		t.Errorf("a sample is off by %g", most)
	}
}

// decoded returns a sample of a plane.
func decoded(m image.Image, plane, x, y int) byte {
	switch m := m.(type) {
	case *image.Gray:
		return m.GrayAt(x, y).Y
	case *image.YCbCr:
		return [][]byte{m.Y[y*m.YStride+x:], m.Cb[min(y*m.CStride+x, len(m.Cb)-1):], m.Cr[min(y*m.CStride+x, len(m.Cr)-1):]}[plane][0]
	}
	return 0
}
