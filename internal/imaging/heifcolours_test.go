package imaging_test

import (
	"bytes"
	"fmt"
	"image/png"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"imageflow.dev/internal/imaging"
)

// toSRGBLight are the matrices from linear RGB to linear sRGB, by the code points of primaries. They
// were computed with numpy from the chromaticities in H.273, with whites adapted by Bradford.
var toSRGBLight = map[int][9]float64{
	1:  {1, 0, 0, 0, 1, 0, 0, 0, 1},
	4:  {1.4862, -0.4036, -0.0826, -0.0251, 0.954, 0.0711, -0.0272, -0.0441, 1.0713},
	6:  {0.9395, 0.0502, 0.0103, 0.0178, 0.9658, 0.0164, -0.0016, -0.0044, 1.006},
	9:  {1.6605, -0.5876, -0.0728, -0.1246, 1.1329, -0.0083, -0.0182, -0.1006, 1.1187},
	11: {1.1575, -0.155, -0.0026, -0.0415, 1.0456, -0.0041, -0.0181, -0.0786, 1.0966},
	12: {1.2249, -0.2249, 0, -0.0421, 1.0421, 0, -0.0196, -0.0786, 1.0983},
}

// codedLight returns the light of a value by the formulas of H.273, and above half of the reference
// white of HDR, 203 cd/m², by the curve that the README states.
func codedLight(transfer int, v float64) float64 {
	switch transfer {
	case 4:
		return math.Pow(v, 2.2)
	case 8:
		return v
	case 16:
		p := math.Pow(v, 1/78.84375)
		return compressed(10000 * math.Pow(max(p-0.8359375, 0)/(18.8515625-18.6875*p), 1/0.1593017578125) / 203)
	case 17:
		return min(1, math.Pow(v, 2.6)*52.37/48)
	case 18:
		scene := v * v / 3
		if v > 0.5 {
			scene = (math.Exp((v-0.55991073)/0.17883277) + 0.28466892) / 12
		}
		return compressed(1000 * math.Pow(scene, 1.2) / 203)
	}
	if v <= 0.04045 {
		return v / 12.92
	}
	return math.Pow((v+0.055)/1.055, 2.4)
}

func compressed(light float64) float64 {
	if light <= 0.5 {
		return light
	}
	x, end := 2*light-1, 2*1000./203-1
	return min(1, 0.5+0.5*x*(1+x/end/end)/(1+x))
}

func srgbValue(light float64) float64 {
	light = min(max(light, 0), 1)
	if light <= 0.0031308 {
		return 255 * 12.92 * light
	}
	return 255 * (1.055*math.Pow(light, 1/2.4) - 0.055)
}

// TestHEIF_coloursByCodePoints compares files of avifenc and heif-enc with the values of their own
// decoders, converted by formulas.
func TestHEIF_coloursByCodePoints(t *testing.T) {
	references, err := filepath.Glob(filepath.Join(here, "testdata", "heif", "colours", "*.png"))
	if err != nil || len(references) == 0 {
		t.Fatal("no references", err)
	}
	for _, reference := range references {
		name := strings.TrimSuffix(filepath.Base(reference), ".png")
		t.Run(name, func(t *testing.T) {
			withDecoder(t, name)
			var depth, primaries, transfer int
			parts := strings.NewReplacer("-", " ", "full", "", "limited", "").Replace(name)
			if _, err := fmt.Sscan(parts, &depth, &primaries, &transfer); err != nil {
				t.Fatal(err)
			}
			got := pixels(t, heifFile(t, "colours/"+name))
			off := distanceTo(t, got, codedColours(t, name, primaries, transfer))
			t.Log(off)
			if off > 2 {
				t.Errorf("the mean difference is %.2f, want at most 2", off)
			}
		})
	}
}

// codedColours returns the values in sRGB, 0 to 255, of the pixels of a reference.
func codedColours(t *testing.T, name string, primaries, transfer int) []float64 {
	t.Helper()
	stored, err := png.Decode(bytes.NewReader(heifFile(t, "colours/"+name+".png")))
	if err != nil {
		t.Fatal(err)
	}
	var want []float64
	m := toSRGBLight[primaries]
	for y := range stored.Bounds().Dy() {
		for x := range stored.Bounds().Dx() {
			r, g, b, _ := stored.At(x, y).RGBA()
			var light [3]float64
			for c, v := range []uint32{r, g, b} {
				light[c] = codedLight(transfer, float64(v)/0xffff)
			}
			for c := range 3 {
				want = append(want, srgbValue(m[3*c]*light[0]+m[3*c+1]*light[1]+m[3*c+2]*light[2]))
			}
		}
	}
	return want
}

// distanceTo returns the mean distance of the samples to values of 0 to 255.
func distanceTo(t *testing.T, p *imaging.Pixels, want []float64) float64 {
	t.Helper()
	if len(p.Pix) != len(want) {
		t.Fatalf("got %d samples, want %d", len(p.Pix), len(want))
	}
	sum := 0.0
	for i, v := range p.Pix {
		sum += math.Abs(float64(v) - want[i])
	}
	return sum / float64(len(want))
}

// TestHEIF_codePointsAreKept: an output keeps the values, with an ICC profile made of the code
// points. Values of Display P3 do not change by a conversion to it.
func TestHEIF_codePointsAreKept(t *testing.T) {
	for _, name := range []string{"8-full-12-13-0.avif", "8-full-12-13-6.heic"} {
		withDecoder(t, name)
		want := storedValues(t, heifFile(t, "colours/"+name+".png"))
		for _, profile := range []imaging.Profile{imaging.KeepProfile, imaging.DisplayP3} {
			m := open(t, heifFile(t, "colours/"+name))
			m.Encoding.Profile = profile
			out, err := m.Convert(t.Context(), imaging.PNG)
			if err != nil {
				t.Fatal(err)
			}
			if off := meanDistance(storedValues(t, out.Data), want); off > 0.5 || !bytes.Contains(out.Data, []byte("iCCP")) {
				t.Errorf("%s with profile %d: the values are %.2f away, or there is no ICC profile", name, profile, off)
			}
		}
	}
}

// storedValues decodes an image of RGB without conversion of its colours.
func storedValues(t *testing.T, data []byte) *imaging.Pixels {
	t.Helper()
	m := open(t, data)
	m.Encoding.Profile = imaging.KeepProfile
	p, err := m.Pixels(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p
}
