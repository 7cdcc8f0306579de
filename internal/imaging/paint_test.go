package imaging_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"imageflow.dev/internal/imaging"
)

// randomPatches returns patches of one colour, patches with stripes, and half transparent ones that
// are repeated. Some exceed the image.
func randomPatches(random *rand.Rand, width, height int) []imaging.Patch {
	patches := make([]imaging.Patch, 6)
	for i := range patches {
		x, y := random.IntN(width+10)-10, random.IntN(height+10)-10
		at := image.Rect(x, y, x+1+random.IntN(width/3), y+1+random.IntN(height/3))
		c := color.RGBA{uint8(random.IntN(256)), uint8(random.IntN(256)), uint8(random.IntN(256)), 255}
		patches[i] = imaging.Patch{At: at, Colour: c}
		if i%2 == 1 {
			patches[i].Pixels = image.NewNRGBA(at.Inset(-3))
			draw.Draw(patches[i].Pixels, at, image.NewUniform(c), image.Point{}, draw.Src)
			for y := at.Min.Y; y < at.Max.Y; y += 7 {
				draw.Draw(patches[i].Pixels, image.Rect(at.Min.X, y, at.Max.X, y+2), image.Black, image.Point{}, draw.Src)
			}
		}
		if i%3 == 2 {
			patches[i].Pixels = image.NewNRGBA(image.Rect(x+2, y+3, x+13, y+12))
			c.A = 128
			draw.Draw(patches[i].Pixels, image.Rect(x+4, y+3, x+13, y+9), image.NewUniform(color.NRGBA(c)), image.Point{}, draw.Src)
		}
	}
	return patches
}

// commonSamplings are sampling factors of Y, Cb and Cr.
var commonSamplings = map[string][3][2]int{
	"4:4:4": {{1, 1}, {1, 1}, {1, 1}}, "4:2:0": {{2, 2}, {1, 1}, {1, 1}}, "4:2:2": {{2, 1}, {1, 1}, {1, 1}},
	"4:4:0": {{1, 2}, {1, 1}, {1, 1}}, "4:1:1": {{4, 1}, {1, 1}, {1, 1}}, "subsampled luma": {{1, 1}, {2, 1}, {2, 1}},
}

func softly(c, x, y int, width, height float64) uint8 {
	u, v := float64(x)/width, float64(y)/height
	return uint8([3]float64{60 + 130*u*v, 100 + 60*u, 100 + 60*v}[c])
}

// TestPainted_changesOnlyTouchedBlocks: a JPEG of good quality keeps all pixels outside the
// blocks that patches touch. Decoders mix the colours of neighbours.
func TestPainted_changesOnlyTouchedBlocks(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for _, name := range slices.Sorted(maps.Keys(commonSamplings)) {
		if name == "subsampled luma" {
			continue // is painted by pixels
		}
		factors := commonSamplings[name]
		width, height := 150+random.IntN(40), 120+random.IntN(40)
		data := sampledJPEG(t, width, height, factors, softly)
		patches := randomPatches(random, width, height)
		out, err := open(t, data).Painted(t.Context(), patches, imaging.JPEG)
		if err != nil {
			t.Fatal(err)
		}
		before, after := pixels(t, data), pixels(t, out.Data)
		for i := range before.Pix {
			at := image.Pt(i/3%width, i/3/width)
			if before.Pix[i] != after.Pix[i] && !touched(at, patches, factors) {
				t.Fatalf("%s: the pixel at %v changed from %d to %d", name, at, before.Pix[i], after.Pix[i])
			}
		}
	}
}

// touched reports whether a patch may change the pixel: both lie in the same blocks or beside
// them.
func touched(at image.Point, patches []imaging.Patch, factors [3][2]int) bool {
	across, down := max(factors[0][0], factors[1][0]), max(factors[0][1], factors[1][1])
	for _, p := range patches {
		r := p.At
		r.Min.X, r.Min.Y = r.Min.X/(8*across)*(8*across)-across, r.Min.Y/(8*down)*(8*down)-down
		r.Max.X = (r.Max.X+8*across-1)/(8*across)*(8*across) + across
		r.Max.Y = (r.Max.Y+8*down-1)/(8*down)*(8*down) + down
		if at.In(r) {
			return true
		}
	}
	return false
}

// TestPainted_looksLikePixels compares with painting on pixels: the loss by encoding is not
// larger, except that colours keep the sampling of the image. Random patches show that more
// than boxes.
func TestPainted_looksLikePixels(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 6))
	files := map[string][]byte{"photo": photo(t, "northern_cardinal_bird.jpg")}
	for _, name := range slices.Sorted(maps.Keys(commonSamplings)) {
		factors := commonSamplings[name]
		files[name] = sampledJPEG(t, 150+random.IntN(40), 120+random.IntN(40), factors, softly)
	}
	for _, quality := range []int{30, 70, 84, 85, 89, 100} {
		var b bytes.Buffer
		if err := jpeg.Encode(&b, detailed(301, 203), &jpeg.Options{Quality: quality}); err != nil {
			t.Fatal(err)
		}
		files[fmt.Sprint("quality ", quality)] = b.Bytes()
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		data := files[name]
		m, want := open(t, data), pixels(t, data)
		patches := randomPatches(random, m.Width, m.Height)
		if err := want.Paint(t.Context(), patches); err != nil {
			t.Fatal(err)
		}
		general, err := want.EncodeLike(t.Context(), m, imaging.JPEG)
		if err != nil {
			t.Fatal(err)
		}
		out, err := m.Painted(t.Context(), patches, imaging.JPEG)
		if err != nil {
			t.Fatal(err)
		}
		want = lumaOf(want)
		db, reference := likeness(lumaOf(pixels(t, out.Data)), want), likeness(lumaOf(pixels(t, general.Data)), want)
		t.Logf("%s: %.1f dB in %d bytes, by pixels %.1f dB in %d", name, db, len(out.Data), reference, len(general.Data))
		if minimum := min(reference-1, 35); db < minimum {
			t.Errorf("%s: %.1f dB, want %.1f", name, db, minimum)
		}
	}
}

// lumaOf returns the luma of each pixel in all channels.
func lumaOf(p *imaging.Pixels) *imaging.Pixels {
	g := imaging.NewPixels(p.Width, p.Height, 3)
	for i := 0; i < len(p.Pix); i += 3 {
		v := color.GrayModel.Convert(color.RGBA{p.Pix[i], p.Pix[i+1], p.Pix[i+2], 255}).(color.Gray).Y
		g.Pix[i], g.Pix[i+1], g.Pix[i+2] = v, v, v
	}
	return g
}

// TestPainted_hasItsColours checks the middle of a patch, which is far from all edges, in JPEGs
// that are painted in different ways and in other formats.
func TestPainted_hasItsColours(t *testing.T) {
	data := asJPEG(t, detailed(200, 160))
	for name, data := range map[string][]byte{
		"JPEG": data, "turned JPEG": withOrientation(data, 6),
		"PNG": asPNG(t, detailed(200, 160)), "transparent PNG": asPNG(t, noisy(200, 160)),
	} {
		m := open(t, data)
		for _, f := range []imaging.Format{imaging.JPEG, imaging.PNG} {
			want := color.RGBA{250, 120, 30, 255}
			out, err := m.Painted(t.Context(), []imaging.Patch{
				{At: image.Rect(90, 20, 300, 300), Colour: color.RGBA{0, 0, 0, 255}},
				{At: image.Rect(40, 40, 120, 120), Colour: want},
			}, f)
			if err != nil {
				t.Fatal(err)
			}
			p := pixels(t, out.Data)
			got := p.Pix[(80*p.Width+80)*p.Channels:]
			for c, v := range []byte{want.R, want.G, want.B} {
				if d := int(got[c]) - int(v); out.Format != f || d < -3 || d > 3 {
					t.Errorf("%s to %s: got %v in %s, want %v", name, f, got[:3], out.Format, want)
				}
			}
		}
	}
}
