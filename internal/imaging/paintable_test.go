package imaging

import (
	"bytes"
	"image"
	"image/color"
	"math/rand/v2"
	"testing"
)

// paintedSamplings are those of JPEGs that are painted in planes.
var paintedSamplings = map[string][]sampling{
	"4:2:0": {{2, 2}, {1, 1}, {1, 1}}, "4:2:2": {{2, 1}, {1, 1}, {1, 1}}, "4:4:0": {{1, 2}, {1, 1}, {1, 1}},
	"4:4:4": {{1, 1}, {1, 1}, {1, 1}}, "grey": {{1, 1}},
}

// noisePlanes returns planes of noise.
func noisePlanes(random *rand.Rand, width, height int, s []sampling) *planes {
	p := newPlanes(width, height, s...)
	for _, c := range p.all {
		for i := range c.samples {
			c.samples[i] = byte(random.UintN(256))
		}
	}
	return p
}

// region returns a rectangle inside an image, also of one pixel.
func region(random *rand.Rand, width, height int) image.Rectangle {
	x, y := random.IntN(width), random.IntN(height)
	return image.Rect(x, y, x+1+random.IntN(width-x), y+1+random.IntN(height-y))
}

// eachTouched calls do with the samples of plane i that cover pixels of a rectangle, row by row.
func (p *planes) eachTouched(i int, at image.Rectangle, do func(samples []byte)) {
	step := p.step(i)
	for y := at.Min.Y / step.Y; y*step.Y < at.Max.Y; y++ {
		row := p.all[i].samples[y*p.all[i].width:]
		do(row[at.Min.X/step.X : ceilDiv(at.Max.X, step.X)])
	}
}

// Planes that differ only in samples of hidden pixels become equal, and no other sample changes.
func TestPaintable_leavesNoSample(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for name, s := range paintedSamplings {
		for range 200 {
			width, height := 1+random.IntN(40), 1+random.IntN(40)
			a := noisePlanes(random, width, height, s)
			b, at := a.clone(), region(random, width, height)
			for i := range b.all {
				b.eachTouched(i, at, func(samples []byte) {
					for x := range samples {
						samples[x] ^= byte(1 + random.UintN(255))
					}
				})
			}
			in := a.clone()
			for _, p := range []*planes{a, b} {
				paint := p.Solid(color.RGBA{10, 20, 30, 255})
				for y := at.Min.Y; y < at.Max.Y; y++ {
					paint(y, at.Min.X, at.Max.X)
				}
			}
			for i := range a.all {
				if !bytes.Equal(a.all[i].samples, b.all[i].samples) {
					t.Fatalf("%s, %d×%d: plane %d shows what was in %v", name, width, height, i, at)
				}
				a.eachTouched(i, at, func(samples []byte) { clear(samples) })
				in.eachTouched(i, at, func(samples []byte) { clear(samples) })
				if !bytes.Equal(a.all[i].samples, in.all[i].samples) {
					t.Fatalf("%s, %d×%d: plane %d changed beside %v", name, width, height, i, at)
				}
			}
		}
	}
}

// A mosaic of planes is a function of at most 16 cells of colours in steps: planes whose samples are permuted
// inside the cells become equal, and no other sample changes.
func TestPaintable_mosaicKeepsMeansOnly(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for name, s := range paintedSamplings {
		for i := range 100 {
			cell, smooth := 2*(1+random.IntN(6)), i%2 == 0
			at := image.Rect(0, 0, 4*cell, 4*cell).Add(image.Pt(2*random.IntN(5), 2*random.IntN(5)))
			a := noisePlanes(random, at.Max.X+random.IntN(9), at.Max.Y+random.IntN(9), s)
			b := a.clone()
			for k := range b.all {
				for c := range 16 {
					box := image.Rect(0, 0, cell, cell).Add(at.Min).Add(image.Pt(c%4*cell, c/4*cell))
					var all []byte
					b.eachTouched(k, box, func(samples []byte) { all = append(all, samples...) })
					random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
					b.eachTouched(k, box, func(samples []byte) { all = all[copy(samples, all):] })
				}
			}
			in := a.clone()
			for _, p := range []*planes{a, b} {
				paint, err := p.Mosaic(t.Context(), at, 4, smooth)
				if err != nil {
					t.Fatal(err)
				}
				for y := at.Min.Y; y < at.Max.Y; y++ {
					paint(y, at.Min.X, at.Max.X)
				}
			}
			for k := range a.all {
				if !bytes.Equal(a.all[k].samples, b.all[k].samples) {
					t.Fatalf("%s: plane %d shows more than the means of cells of %v", name, k, at)
				}
				a.eachTouched(k, at, func(samples []byte) { clear(samples) })
				in.eachTouched(k, at, func(samples []byte) { clear(samples) })
				if !bytes.Equal(a.all[k].samples, in.all[k].samples) {
					t.Fatalf("%s: plane %d changed beside %v", name, k, at)
				}
			}
		}
	}
}

// JPEGs of the usual samplings are painted in planes, upright, at the pixels at which decoded pixels are.
func TestPaintable_isUpright(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for name, s := range paintedSamplings {
		for orientation := 1; orientation <= 8; orientation++ {
			grey := newPlanes(48, 32, s...)
			for i, c := range grey.all {
				for k := range c.samples {
					c.samples[k] = []byte{200, 128, 128}[i]
				}
			}
			file, err := grey.encode(t.Context(), Encoding{Quality: 95})
			if err != nil {
				t.Fatal(err)
			}
			m, err := Open(file.Data, Limits{MaxSide: 100, MaxPixels: 1e4})
			if err != nil {
				t.Fatal(err)
			}
			m.Orientation = orientation
			width, height := m.Size()
			p, err := m.Paintable(t.Context(), JPEG, color.RGBA{A: 255})
			if err != nil {
				t.Fatal(err)
			}
			at := region(random, width, height)
			paint := p.Solid(color.RGBA{A: 255})
			for y := at.Min.Y; y < at.Max.Y; y++ {
				paint(y, at.Min.X, at.Max.X)
			}
			out, err := p.EncodeLike(t.Context(), m, JPEG)
			if err != nil {
				t.Fatal(err)
			}
			if out.Path != Planar || out.Width != width || out.Height != height {
				t.Fatalf("%s, orientation %d: %s, %d×%d", name, orientation, out.Path, out.Width, out.Height)
			}
			checkBlack(t, name, out.Data, at)
		}
	}
}

// checkBlack checks that a JPEG is black inside a rectangle, and bright outside.
func checkBlack(t *testing.T, name string, data []byte, at image.Rectangle) {
	t.Helper()
	m, err := Open(data, Limits{MaxSide: 100, MaxPixels: 1e4})
	if err != nil {
		t.Fatal(err)
	}
	got, err := m.Pixels(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range got.Width * got.Height {
		isBlack := got.Pix[i*got.Channels+1] < 100
		if pixel := image.Pt(i%got.Width, i/got.Width); isBlack != pixel.In(at) {
			t.Fatalf("%s: pixel %v is black: %v; painted was %v", name, pixel, isBlack, at)
		}
	}
}

// Grey that gets a colour, and samplings whose colours do not have a half or all of the resolution, become pixels.
func TestPaintable_otherwisePixels(t *testing.T) {
	for name, c := range map[string]struct {
		s     []sampling
		solid color.RGBA
	}{
		"red in grey":         {[]sampling{{1, 1}}, color.RGBA{R: 255, A: 255}},
		"4:1:1":               {[]sampling{{4, 1}, {1, 1}, {1, 1}}, color.RGBA{A: 255}},
		"luma is subsampled":  {[]sampling{{1, 1}, {2, 1}, {1, 1}}, color.RGBA{A: 255}},
		"mirrored, odd width": {paintedSamplings["4:2:0"], color.RGBA{A: 255}},
	} {
		file, err := newPlanes(33, 16, c.s...).encode(t.Context(), Encoding{Quality: 90})
		if err != nil {
			t.Fatal(name, err)
		}
		m, err := Open(file.Data, Limits{MaxSide: 100, MaxPixels: 1e4})
		if err != nil {
			t.Fatal(err)
		}
		m.Orientation = 2
		p, err := m.Paintable(t.Context(), JPEG, c.solid)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := p.(*Pixels); !ok {
			t.Errorf("%s: %T, want pixels", name, p)
		}
	}
}
