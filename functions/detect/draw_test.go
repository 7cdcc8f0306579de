package detect_test

import (
	"bytes"
	"image"
	"image/color"
	"math/rand/v2"
	"testing"

	"imageflow.dev/functions"
	"imageflow.dev/functions/detect"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/testing/onnx"
)

func newRandom() *rand.Rand { return rand.New(rand.NewPCG(3, 4)) }

// randomRect returns a rectangle whose sides have at least minSide pixels.
func randomRect(random *rand.Rand, width, height, minSide int) image.Rectangle {
	x, y := random.IntN(width-minSide+1), random.IntN(height-minSide+1)
	return image.Rect(x, y, x+minSide+random.IntN(width-x-minSide+1), y+minSide+random.IntN(height-y-minSide+1))
}

// TestDrawBox_changesOnlyBoxAndLabel draws boxes of random sizes at random positions.
func TestDrawBox_changesOnlyBoxAndLabel(t *testing.T) {
	random := newRandom()
	sizes := []image.Point{{1, 1}, {1, 700}, {700, 1}, {5, 3}, {60, 40}, {500, 300}, {1700, 20}}
	for run := range 400 {
		size := sizes[run%len(sizes)]
		p := imaging.NewPixels(size.X, size.Y, 3+run/len(sizes)%2)
		for i := range p.Pix {
			p.Pix[i] = byte(i)
		}
		before := bytes.Clone(p.Pix)
		box := randomRect(random, size.X, size.Y, 1)
		x1, y1, x2, y2 := float32(box.Min.X)+0.4, float32(box.Min.Y)+0.4, float32(box.Max.X)-0.3, float32(box.Max.Y)-0.3
		label := detect.DrawBox(p, x1, y1, x2, y2, run, "bottle 0.97")
		whole := image.Rectangle{Max: size}
		if !label.In(whole) {
			t.Errorf("%v, box %v: the label %v exceeds the image", size, box, label)
		}
		if label.Empty() == (min(size.X, 5*size.Y) >= 60) {
			t.Errorf("%v, box %v: the label is %v", size, box, label)
		}
		for i := range p.Pix {
			at := image.Pt(i/p.Channels%size.X, i/p.Channels/size.X)
			if p.Pix[i] != before[i] && !at.In(box) && !at.In(label) {
				t.Fatalf("%v, box %v, label %v: the pixel at %v changed", size, box, label, at)
			}
		}
		corner := (box.Min.Y*size.X + box.Min.X) * p.Channels
		if bytes.Equal(p.Pix[corner:corner+3], before[corner:corner+3]) {
			t.Errorf("%v, box %v: the corner is not painted", size, box)
		}
	}
}

// TestDrawBox_scalesWithTheImage: lines and text have the same size relative to the
// image, but stay legible in small images.
func TestDrawBox_scalesWithTheImage(t *testing.T) {
	for _, size := range []int{120, 640, 1920, 6000} {
		p := imaging.NewPixels(size, size/2, 3)
		label := detect.DrawBox(p, float32(size/4), float32(size/4), float32(size/2), float32(size*2/5), 3, "bottle 0.97")
		if got := label.Dy(); got < max(10, size/50) || got > max(14, size/35) {
			t.Errorf("%d pixels: the height of the label is %d", size, got)
		}
		line := 0
		for x := range size/2 - size/4 { // from the left side to the right
			if p.Pix[3*(size/3*size+size/4+x)] != 0 {
				line++
			}
		}
		if want := 2 * max(1, (size+200)/400); line != want {
			t.Errorf("%d pixels: the width of both lines is %d, want %d", size, line, want)
		}
		ink := 0
		for y := label.Min.Y; y < label.Max.Y; y++ {
			for x := label.Min.X; x < label.Max.X; x++ {
				if pixel := p.Pix[3*(y*size+x):]; pixel[0] < 60 && pixel[1] < 60 && pixel[2] < 60 {
					ink++
				}
			}
		}
		if part := float64(ink) / float64(label.Dx()*label.Dy()); part < 0.04 || part > 0.4 {
			t.Errorf("%d pixels: %.2f of the label is ink", size, part)
		}
	}
}

// TestColour_isUniqueAndLight: black text is legible on the colour of every class.
func TestColour_isUniqueAndLight(t *testing.T) {
	seen := map[color.RGBA]int{}
	for class := range 365 {
		c := detect.Colour(class)
		if other, ok := seen[c]; ok {
			t.Errorf("classes %d and %d have the same colour %v", other, class, c)
		}
		seen[c] = class
		if luma := 0.299*float64(c.R) + 0.587*float64(c.G) + 0.114*float64(c.B); luma < 149 || c.A != 255 {
			t.Errorf("class %d has the colour %v with luma %.0f", class, c, luma)
		}
	}
}

func TestDrawing_keepsFormat(t *testing.T) {
	p, err := newProcessor(t, onnx.Always(input, v8(object{10, 20, 30, 50, []float32{0.9, 0}}), metadata()))
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []imaging.Format{imaging.JPEG, imaging.PNG, imaging.WebP} {
		source, err := imaging.NewPixels(100, 80, 3).Encode(t.Context(), format)
		if err != nil {
			t.Fatal(err)
		}
		m := open(t, source.Data)
		out, _, err := apply(t.Context(), p, &request{DrawBoxes: true}, functions.Input{Image: m, Format: m.Format})
		if err != nil {
			t.Fatal(err)
		}
		drawn := open(t, out.Data)
		if drawn.Format != format || drawn.Width != 100 || drawn.Height != 80 {
			t.Errorf("a %s of 100×80 became a %s of %d×%d", format, drawn.Format, drawn.Width, drawn.Height)
		}
		if out.Format != format || out.Width != 100 || out.Height != 80 {
			t.Errorf("a %s of 100×80 is reported as a %s of %d×%d", format, out.Format, out.Width, out.Height)
		}
		pixels, err := drawn.Pixels(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		// In the letterbox the image has 64×51 pixels and starts at y = 6, so the box
		// starts at (15.6, 22).
		if v := pixels.Pix[(40*100+15)*3]; v < 100 {
			t.Errorf("%s: the left side of the box is %d, want its colour", format, v)
		}
		if v := pixels.Pix[(40*100+30)*3]; v > 20 {
			t.Errorf("%s: a pixel inside the box is %d, want black", format, v)
		}
	}
}
