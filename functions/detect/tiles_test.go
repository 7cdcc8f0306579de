package detect_test

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/draw"
	"image/jpeg"
	_ "image/png"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"imageflow.dev/functions"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/inference"
	"imageflow.dev/internal/testing/onnx"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

type tiles = imageflowv1.Tiles

// mosaic returns the held-out scenes side by side, in rows of columns, as one scene of a JPEG.
func mosaic(t *testing.T, columns, rows int) scene {
	t.Helper()
	var all scene
	scenes := heldOut(t)
	var canvas *image.RGBA
	for i := range columns * rows {
		s := scenes[i%len(scenes)]
		m, _, err := image.Decode(bytes.NewReader(s.data))
		if err != nil {
			t.Fatal(err)
		}
		size := m.Bounds().Size()
		if canvas == nil {
			canvas = image.NewRGBA(image.Rect(0, 0, columns*size.X, rows*size.Y))
		}
		at := image.Pt(i%columns*size.X, i/columns*size.Y)
		draw.Draw(canvas, image.Rectangle{at, at.Add(size)}, m, m.Bounds().Min, draw.Src)
		for _, o := range s.Objects {
			x, y := float32(at.X), float32(at.Y)
			o.X1, o.X2, o.Y1, o.Y2 = o.X1+x, o.X2+x, o.Y1+y, o.Y2+y
			all.Objects = append(all.Objects, o)
		}
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, canvas, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	all.data = out.Bytes()
	return all
}

// TestTiles_findSmallObjects has 60 objects in an image of 3200×1920 pixels, of which the model's input
// shows 384×230.
func TestTiles_findSmallObjects(t *testing.T) {
	p, s := demo(t), mosaic(t, 5, 4)
	without := countMatches(detectIn(t, p, s.data, &request{ConfidenceThreshold: 0.5}).GetDetections(), s)
	resp := detectIn(t, p, s.data, &request{ConfidenceThreshold: 0.5, Tiles: &tiles{Size: 640}})
	found := resp.GetDetections()
	with := countMatches(found, s)
	t.Logf("%d of %d objects, %d boxes; without tiles %d", with, len(s.Objects), len(found), without)
	if with < without || with < 57 || len(found)-with > 4 {
		t.Errorf("%d of %d objects and %d other boxes, want at least 57 and at most 4; without tiles %d",
			with, len(s.Objects), len(found)-with, without)
	}
	if exact := countNear(found, s, 2); exact < 12 {
		t.Errorf("%d boxes are right within 2 pixels, want at least 12", exact)
	}
	if m := resp.GetMetadata(); m.GetTiles() != 25 || m.GetInferenceTimeMs() <= 0 || int(m.GetTotalDetections()) != len(found) {
		t.Errorf("got %v, want 24 tiles and the whole image", m)
	}
}

// countNear returns the number of objects of which a box of their class is near on all sides.
func countNear(found []*imageflowv1.Detection, s scene, pixels float64) (n int) {
	for _, o := range s.Objects {
		at := image.Rect(int(o.X1), int(o.Y1), int(o.X2), int(o.Y2))
		if slices.ContainsFunc(found, func(d *imageflowv1.Detection) bool {
			return d.GetClassId() == o.ClassID && isNear(d.GetBbox(), at, pixels)
		}) {
			n++
		}
	}
	return n
}

// TestTiles_mergeCutObjects has rectangles of random places and sizes, which the borders of tiles cut.
func TestTiles_mergeCutObjects(t *testing.T) {
	p, err := newProcessor(t, finder(size{side, side}))
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(3, 4))
	for _, overlap := range []float64{0.2, 0.5} {
		for range 20 {
			at := image.Rect(0, 0, 10+random.IntN(180), 10+random.IntN(120)).Add(image.Pt(random.IntN(110), random.IntN(70)))
			for _, withoutWhole := range []bool{false, true} {
				r := &request{Tiles: &tiles{Overlap: &overlap, WithoutWhole: withoutWhole}}
				_, resp, err := apply(t.Context(), p, r, functions.Input{Image: redRectangle(t, 300, 200, at), Format: imaging.PNG})
				if err != nil {
					t.Fatal(err)
				}
				found := resp.GetDetections()
				if len(found) != 1 || !isNear(found[0].GetBbox(), at, 2) {
					t.Errorf("%v, overlap %g, without whole %t: got %q", at, overlap, withoutWhole, lines(resp))
				}
			}
		}
	}
}

// isNear reports whether the sides of a box are within some pixels of those of a rectangle.
func isNear(b *imageflowv1.BoundingBox, r image.Rectangle, pixels float64) bool {
	near := func(v float32, want int) bool { return math.Abs(float64(v)-float64(want)) <= pixels }
	return near(b.X1, r.Min.X) && near(b.Y1, r.Min.Y) && near(b.X2, r.Max.X) && near(b.Y2, r.Max.Y)
}

// countTiles returns the number of tiles of a grey image.
func countTiles(t *testing.T, p functions.Processor, width, height int, tiles *tiles) (int32, error) {
	t.Helper()
	in := functions.Input{Image: greyImage(t, width, height), Format: imaging.PNG}
	_, resp, err := apply(t.Context(), p, &request{Tiles: tiles}, in)
	return resp.GetMetadata().GetTiles(), err
}

func TestTiles_haveANumber(t *testing.T) {
	p, err := newProcessor(t, onnx.Always(input, v8(cat(0, 0, 9, 9, 0.9)), metadata()))
	if err != nil {
		t.Fatal(err)
	}
	none := 0.
	for _, c := range []struct {
		width, height int
		tiles         *tiles
		want          int32
	}{
		{64, 64, &tiles{}, 1}, {65, 64, &tiles{}, 3}, {115, 64, &tiles{}, 3}, {116, 64, &tiles{}, 4},
		{128, 128, &tiles{Overlap: &none}, 5}, {128, 128, &tiles{Overlap: &none, WithoutWhole: true}, 4},
		{400, 20, &tiles{Size: 100, Overlap: &none}, 5}, {9, 9, &tiles{Max: 1}, 1},
	} {
		if got, err := countTiles(t, p, c.width, c.height, c.tiles); err != nil || got != c.want {
			t.Errorf("%d×%d, %v: %d tiles, want %d; %v", c.width, c.height, c.tiles, got, c.want, err)
		}
	}
}

// TestTiles_areBounded: a refusal names a size that is not refused.
func TestTiles_areBounded(t *testing.T) {
	p, err := newProcessor(t, onnx.Always(input, v8(cat(0, 0, 9, 9, 0.9)), metadata()))
	if err != nil {
		t.Fatal(err)
	}
	none := 0.
	for _, refused := range []*tiles{{}, {Max: 3}, {Size: 33, Max: 50}, {Overlap: &none, Max: 1}} {
		_, err := countTiles(t, p, 1000, 300, refused)
		var e *functions.Error
		if !errors.As(err, &e) || e.Kind != functions.Invalid || e.Field != "tiles.size" {
			t.Fatalf("%v: got %v, want Invalid for tiles.size", refused, err)
		}
		_, advice, _ := strings.Cut(e.Message, "a size of ")
		n, _ := strconv.Atoi(advice)
		refused.Size = int32(n)
		if got, err := countTiles(t, p, 1000, 300, refused); err != nil {
			t.Errorf("%q: %d tiles, %v", e.Message, got, err)
		}
	}
}

// TestTiles_haveSelection: what is selected counts among the merged boxes.
func TestTiles_haveSelection(t *testing.T) {
	// In each tile of 64×64 pixels and in the whole image, which is twice as large.
	output := v8(cat(0, 0, 20, 20, 0.9), cat(40, 40, 60, 60, 0.8), object{0, 40, 20, 60, []float32{0, 0.7}})
	none := 0.
	r := &request{
		Tiles: &tiles{Overlap: &none, WithoutWhole: true}, Classes: []string{"cat"}, MaxDetections: 3,
		Regions: []*region{{X1: 64, X2: 128, Y2: 128}},
	}
	expect(t, detectConstant(t, output, greyImage(t, 128, 128), r),
		"cat/0 0.90: 64.0 0.0 84.0 20.0", "cat/0 0.90: 64.0 64.0 84.0 84.0", "cat/0 0.80: 104.0 40.0 124.0 60.0")
}

// TestTiles_stopWithTheContext uses a model whose third run ends the context.
func TestTiles_stopWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	m := newFakeModel("1")
	p := processorOf(&fakeRepository{&cancelling{m, 3, cancel}}, "m")
	_, _, err := apply(ctx, p, &request{Tiles: &tiles{}}, functions.Input{Image: greyImage(t, 300, 300), Format: imaging.PNG})
	if runs := m.runs.Load(); !errors.Is(err, context.Canceled) || runs != 3 {
		t.Errorf("%d runs, %v, want 3 and the context's error", runs, err)
	}
}

// cancelling is a model that cancels at a run.
type cancelling struct {
	*fakeModel
	at     int64
	cancel func()
}

func (m *cancelling) Infer(ctx context.Context, in []inference.Tensor, use func([]inference.Tensor) error) error {
	if m.runs.Load() == m.at-1 {
		m.cancel()
	}
	return m.fakeModel.Infer(ctx, in, use)
}

// TestTiles_haveAFootprint: the pixels of the image are in memory beside what plain detection needs.
func TestTiles_haveAFootprint(t *testing.T) {
	p := demo(t)
	m := open(t, mosaic(t, 5, 4).data)
	in := functions.Input{Image: m, Format: m.Format}
	plain, tiled := p.Footprint(&request{}, in), p.Footprint(&request{Tiles: &tiles{}}, in)
	if pixels := int64(3 * m.Width * m.Height); tiled < plain+pixels {
		t.Errorf("%d bytes with tiles, %d without, want %d more", tiled, plain, pixels)
	}
}
