package filter_test

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"maps"
	"slices"
	"testing"

	"buf.build/go/protovalidate"

	"imageflow.dev/functions"
	"imageflow.dev/functions/filter"
	"imageflow.dev/internal/imaging"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

const watermark = imageflowv1.FilterType_FILTER_TYPE_WATERMARK

// marked returns the request of an opaque watermark.
func marked(t testing.TB, m image.Image, w *imageflowv1.Watermark) *request {
	t.Helper()
	w.ImageBytes = encodedPNG(t, m)
	return &request{FilterType: watermark, Intensity: 1, Watermark: w}
}

func encodedPNG(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestWatermark_places(t *testing.T) {
	in, m := noise(12, 9, true), noise(3, 2, true)
	slices.Reverse(m.Pix[:3]) // not the corner of the image
	for gravity, at := range map[string]image.Point{
		"UNSPECIFIED": {4, 3}, "CENTER": {4, 3}, "TOP": {4, 1}, "BOTTOM": {4, 6}, "LEFT": {1, 3}, "RIGHT": {8, 3},
		"TOP_LEFT": {1, 1}, "TOP_RIGHT": {8, 1}, "BOTTOM_LEFT": {1, 6}, "BOTTOM_RIGHT": {8, 6},
	} {
		g := imageflowv1.Gravity(imageflowv1.Gravity_value["GRAVITY_"+gravity])
		want := image.NewNRGBA(in.Rect)
		draw.Draw(want, in.Rect, in, image.Point{}, draw.Src)
		draw.Draw(want, m.Rect.Add(at), m, image.Point{}, draw.Src)
		got := filtered(t, in, marked(t, m, &imageflowv1.Watermark{Gravity: g, Margin: 1}))
		if !bytes.Equal(got.Pix, want.Pix) {
			t.Errorf("%s: got %v, want the mark at %v", gravity, got.Pix, at)
		}
	}
}

func TestWatermark_blends(t *testing.T) {
	red, blue, none := color.NRGBA{255, 0, 100, 255}, color.NRGBA{0, 100, 200, 255}, color.NRGBA{9, 9, 9, 0}
	with := func(c color.NRGBA, alpha uint8) color.NRGBA { c.A = alpha; return c }
	for name, c := range map[string]struct {
		under, mark color.NRGBA
		opacity     float32
		want        color.NRGBA
	}{
		"opaque":                        {blue, red, 1, red},
		"half opacity":                  {blue, red, 0.5, color.NRGBA{128, 50, 150, 255}},
		"half alpha":                    {blue, with(red, 128), 1, color.NRGBA{128, 50, 150, 255}},
		"half of both":                  {blue, with(red, 128), 0.5, color.NRGBA{64, 75, 175, 255}},
		"transparent":                   {blue, with(red, 0), 1, blue},
		"opaque on transparent":         {none, red, 1, red},
		"half on transparent":           {none, red, 0.5, with(red, 128)},
		"half on half":                  {color.NRGBA{0, 0, 255, 128}, color.NRGBA{255, 0, 0, 128}, 1, color.NRGBA{170, 0, 85, 192}},
		"almost nothing on transparent": {none, with(red, 1), 1, with(red, 1)},
	} {
		r := marked(t, flat(2, 2, c.mark), &imageflowv1.Watermark{Gravity: imageflowv1.Gravity_GRAVITY_RIGHT})
		r.Intensity = c.opacity
		got := filtered(t, flat(4, 2, c.under), r)
		if at := got.NRGBAAt(3, 1); at != c.want {
			t.Errorf("%s: %v on %v became %v, want %v", name, c.mark, c.under, at, c.want)
		}
		if at := got.NRGBAAt(1, 1); at != c.under {
			t.Errorf("%s: %v beside the mark became %v", name, c.under, at)
		}
	}
}

// TestWatermark_tiles: the marks are 3 pixels wide and 2 high, 1 pixel apart, from the middle on.
func TestWatermark_tiles(t *testing.T) {
	in, m := noise(20, 15, true), noise(3, 2, false)
	for i := 3; i < len(m.Pix); i += 4 {
		m.Pix[i] = 255
	}
	want := image.NewNRGBA(in.Rect)
	draw.Draw(want, in.Rect, in, image.Point{}, draw.Src)
	for y := -10; y < 20; y++ {
		for x := -10; x < 20; x++ {
			draw.Draw(want, m.Rect.Add(image.Pt(8+4*x, 6+3*y)), m, image.Point{}, draw.Src)
		}
	}
	got := filtered(t, in, marked(t, m, &imageflowv1.Watermark{Tile: true, Margin: 1}))
	if !bytes.Equal(got.Pix, want.Pix) {
		t.Error("the tiles differ")
	}
	got = filtered(t, in, marked(t, m, &imageflowv1.Watermark{Tile: true, Margin: 1 << 30}))
	draw.Draw(want, in.Rect, in, image.Point{}, draw.Src)
	draw.Draw(want, m.Rect.Add(image.Pt(8, 6)), m, image.Point{}, draw.Src)
	if !bytes.Equal(got.Pix, want.Pix) {
		t.Error("marks that are far apart are more than one")
	}
}

// TestWatermark_sizes: the mark is 40×20 pixels.
func TestWatermark_sizes(t *testing.T) {
	for name, c := range map[string]struct {
		width, height int
		w             *imageflowv1.Watermark
		want          [4]string // left, top, width, height
	}{
		"own size":             {100, 50, &imageflowv1.Watermark{}, [4]string{"30", "15", "40", "20"}},
		"a quarter":            {100, 50, &imageflowv1.Watermark{Scale: 0.25}, [4]string{"37", "18", "25", "13"}},
		"enlarged":             {400, 300, &imageflowv1.Watermark{Scale: 0.5}, [4]string{"100", "100", "200", "100"}},
		"as high as the image": {100, 30, &imageflowv1.Watermark{Scale: 1}, [4]string{"20", "0", "60", "30"}},
		"too large":            {20, 30, &imageflowv1.Watermark{}, [4]string{"0", "10", "20", "10"}},
		"too large for margin": {44, 100, &imageflowv1.Watermark{Margin: 7}, [4]string{"7", "42", "30", "15"}},
		"tiles without margin": {44, 30, &imageflowv1.Watermark{Margin: 90, Tile: true}, [4]string{"2", "5", "40", "20"}},
		"one pixel":            {1, 1, &imageflowv1.Watermark{}, [4]string{"0", "0", "1", "1"}},
	} {
		m := open(t, encodedPNG(t, noise(c.width, c.height, true)))
		_, resp := apply(t, m, marked(t, noise(40, 20, false), c.w))
		want := map[string]string{"left": c.want[0], "top": c.want[1], "width": c.want[2], "height": c.want[3]}
		if got := resp.GetMetadata().GetAppliedParameters(); !maps.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

// TestWatermark_JPEG: the left half of the mark, 16×16 pixels, is half transparent, the rest entirely.
func TestWatermark_JPEG(t *testing.T) {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, flat(64, 48, color.NRGBA{200, 200, 200, 255}), &jpeg.Options{Quality: 90}); err != nil {
		t.Fatal(err)
	}
	m := image.NewNRGBA(image.Rect(0, 0, 32, 16))
	draw.Draw(m, image.Rect(0, 0, 16, 16), image.NewUniform(color.NRGBA{100, 0, 0, 128}), image.Point{}, draw.Src)
	r := marked(t, m, &imageflowv1.Watermark{Gravity: imageflowv1.Gravity_GRAVITY_TOP_LEFT})
	out, _ := apply(t, open(t, b.Bytes()), r)
	if out.Path != imaging.Planar {
		t.Errorf("the JPEG was made by the path %s", out.Path)
	}
	before, after := pixels(t, b.Bytes()), pixels(t, out.Data)
	for i, v := range after.Pix {
		x, y, c := i/3%64, i/3/64, i%3
		want := before.Pix[i]
		switch near := x < 18 && y < 18; {
		case x < 14 && y < 14:
			want = [3]byte{150, 100, 100}[c]
		case near:
			continue // decoders mix the colours of neighbours
		case v != want:
			t.Fatalf("(%d, %d) outside the mark changed from %d to %d", x, y, want, v)
		}
		if d := int(v) - int(want); d < -6 || d > 6 {
			t.Fatalf("(%d, %d) is %v, want about %d", x, y, after.Pix[i-c:][:3], want)
		}
	}
}

func pixels(t testing.TB, data []byte) *imaging.Pixels {
	t.Helper()
	p, err := open(t, data).Pixels(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestWatermark_refused(t *testing.T) {
	refused(t, &request{FilterType: watermark, Intensity: 1}, "watermark", "needs")
	refused(t, &request{FilterType: blur, Watermark: &imageflowv1.Watermark{}}, "watermark", "FILTER_TYPE_BLUR")
	refused(t, &request{FilterType: watermark, Watermark: &imageflowv1.Watermark{
		Gravity: imageflowv1.Gravity_GRAVITY_ENTROPY,
	}}, "watermark.gravity", "GRAVITY_ENTROPY")
	both := &imageflowv1.Watermark{Image: &imageflowv1.ImageData{ObjectKey: "a.png"}, ImageBytes: []byte{1}}
	for name, w := range map[string]*imageflowv1.Watermark{
		"no mark": {}, "two marks": both, "scale": {ImageBytes: []byte{1}, Scale: 1.01},
		"gravity": {ImageBytes: []byte{1}, Gravity: 99}, "margin": {ImageBytes: []byte{1}, Margin: -1},
		"too many bytes": {ImageBytes: make([]byte, 128<<10+1)},
	} {
		if protovalidate.Validate(w) == nil {
			t.Errorf("%s: valid", name)
		}
	}
	in := functions.Input{Image: open(t, encodedPNG(t, noise(20, 10, true))), Format: imaging.PNG}
	stored := &imageflowv1.Watermark{Image: &imageflowv1.ImageData{ObjectKey: "a.png"}}
	for field, w := range map[string]*imageflowv1.Watermark{
		"watermark.image.object_key": stored,
		"watermark.image_bytes":      {ImageBytes: []byte("GIF89a")},
		"watermark.margin":           {ImageBytes: encodedPNG(t, noise(1, 1, true)), Margin: 5},
	} {
		_, _, err := filter.Processor.Apply(t.Context(), &request{FilterType: watermark, Intensity: 1, Watermark: w}, in)
		if e := functions.AsError(err); e.Kind != functions.Invalid || e.Field != field {
			t.Errorf("got %v, want Invalid for %s", err, field)
		}
	}
}

// TestWatermark_footprint: a mark takes memory before and after it is scaled.
func TestWatermark_footprint(t *testing.T) {
	in := functions.Input{Image: open(t, encodedPNG(t, noise(20, 10, true))), Format: imaging.PNG}
	small := marked(t, noise(10, 10, false), &imageflowv1.Watermark{})
	large := marked(t, noise(10, 10, false), &imageflowv1.Watermark{Scale: 1, Tile: true})
	blurred := filter.Processor.Footprint(&request{FilterType: gaussian, Intensity: 1}, in)
	one, tiles := filter.Processor.Footprint(small, in), filter.Processor.Footprint(large, in)
	if one < blurred+2*4*100 || tiles < one {
		t.Errorf("%d bytes without, %d with a small and %d with a large mark", blurred, one, tiles)
	}
}
