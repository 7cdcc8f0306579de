package imaging

import (
	"bytes"
	"fmt"
	"image/jpeg"
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
			"grey": {{1, 1}}, "4:2:0": outputSamplings(3, Chroma420), "4:4:4": outputSamplings(3, Chroma444),
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

// checkEncoded encodes planes, and compares them with the decoded ones at the highest quality.
func checkEncoded(t *testing.T, p *planes, quality int) {
	t.Helper()
	e, err := p.encode(t.Context(), Encoding{Quality: quality})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := jpeg.Decode(bytes.NewReader(e.Data)); err != nil {
		t.Fatal(err)
	}
	m, err := Open(e.Data, Limits{MaxSide: 2000, MaxPixels: 1e6})
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := m.readPlanes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range p.all {
		for at, v := range c.samples {
			if off := int(decoded.all[i].samples[at]) - int(v); quality == 100 && (off < -4 || off > 4) {
				t.Fatalf("sample %d of plane %d is off by %d", at, i, off)
			}
		}
	}
}
