package detect_test

import (
	"cmp"
	"math"
	"math/cmplx"
	"slices"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	"imageflow.dev/functions"
	"imageflow.dev/functions/detect"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/testing/onnx"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// oriented is a rectangle that is turned by an angle, and its confidence.
type oriented struct{ x, y, width, height, angle, score float32 }

// orientedModel returns a model of Ultralytics' task obb with one class and an input of 64×64 pixels: the
// angle is the last value of an anchor, or of a row.
func orientedModel(endToEnd bool, boxes ...oriented) onnx.Model {
	const anchors, kept = 84, 300
	output := shaped(1, 6, anchors)
	if endToEnd {
		output = shaped(1, kept, 7)
	}
	for i, b := range boxes {
		if endToEnd {
			copy(output.Data[7*i:], []float32{b.x, b.y, b.width, b.height, b.score, 0, b.angle})
			continue
		}
		for j, v := range []float32{b.x, b.y, b.width, b.height, b.score, b.angle} {
			output.Data[j*anchors+i] = v
		}
	}
	settings := map[string]string{"names": "{0: 'ship'}", "task": "obb"}
	if endToEnd {
		settings["end2end"] = "True"
	}
	return onnx.Always(input, output, settings)
}

// cornersOf returns the corners of a rectangle on the plane of complex numbers, in any order.
func cornersOf(b oriented) (all []complex128) {
	turn := cmplx.Rect(1, float64(b.angle))
	for _, corner := range []complex128{complex(-1, -1), complex(1, -1), complex(1, 1), complex(-1, 1)} {
		inner := complex(real(corner)*float64(b.width)/2, imag(corner)*float64(b.height)/2)
		all = append(all, complex(float64(b.x), float64(b.y))+turn*inner)
	}
	return all
}

// expectRotated compares the rectangle of a detection with mapped corners.
func expectRotated(t *testing.T, d *imageflowv1.Detection, b oriented, width, height float64, to func(complex128) complex128) {
	t.Helper()
	var want, got []complex128
	for _, c := range cornersOf(b) {
		want = append(want, to(c))
	}
	r := d.GetRotatedBox()
	for i := 0; i < len(r.GetCorners()); i += 2 {
		got = append(got, complex(float64(r.GetCorners()[i]), float64(r.GetCorners()[i+1])))
	}
	described := cornersOf(oriented{r.GetCx(), r.GetCy(), r.GetWidth(), r.GetHeight(), r.GetAngle(), 0})
	for _, all := range [][]complex128{got, described} {
		for _, c := range want {
			near := func(g complex128) bool { return cmplx.Abs(g-c) < 0.01 }
			if len(all) != 4 || !slices.ContainsFunc(all, near) {
				t.Fatalf("got %v, without the corner %v", r, c)
			}
		}
	}
	if !(r.GetAngle() >= 0 && r.GetAngle() < math.Pi/2+1e-6) {
		t.Errorf("angle %g, want one in [0, π/2)", r.GetAngle())
	}
	x := func(a, b complex128) int { return cmp.Compare(real(a), real(b)) }
	y := func(a, b complex128) int { return cmp.Compare(imag(a), imag(b)) }
	clip := func(v, limit float64) float64 { return min(max(v, 0), limit) }
	edges := []float64{
		clip(real(slices.MinFunc(want, x)), width), clip(imag(slices.MinFunc(want, y)), height),
		clip(real(slices.MaxFunc(want, x)), width), clip(imag(slices.MaxFunc(want, y)), height),
	}
	for i, v := range []float32{d.GetBbox().GetX1(), d.GetBbox().GetY1(), d.GetBbox().GetX2(), d.GetBbox().GetY2()} {
		if math.Abs(float64(v)-edges[i]) > 0.01 {
			t.Errorf("box %v, want %v", d.GetBbox(), edges)
		}
	}
}

// TestRotated_areInTheImage: rectangles and the boxes around them are in pixels of the image.
func TestRotated_areInTheImage(t *testing.T) {
	random := newRandom()
	for i := range 20 {
		b := oriented{20 + 24*random.Float32(), 24 + 16*random.Float32(), 5 + 20*random.Float32(), 5 + 20*random.Float32(),
			float32(math.Pi) * (4*random.Float32() - 2), 0.9}
		p, err := newProcessor(t, orientedModel(i%2 == 0, b))
		if err != nil {
			t.Fatal(err)
		}
		const width, height = 512, 256 // 8 pixels for one of the input, under 16 rows of padding
		resp := detectIn(t, p, blackPNG(t, width, height), &request{})
		if len(resp.GetDetections()) != 1 {
			t.Fatalf("got %v, want one box", lines(resp))
		}
		expectRotated(t, resp.GetDetections()[0], b, width, height, func(c complex128) complex128 { return 8 * (c - 16i) })
	}
}

// TestRotated_areInTheOriginal: also after a turn and a flip.
func TestRotated_areInTheOriginal(t *testing.T) {
	b := oriented{30, 25, 24, 9, 0.4, 0.9}
	p, err := newProcessor(t, orientedModel(false, b))
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range []*imageflowv1.AffineMap{{Xy: 2, X0: 3, Yx: -2, Y0: 150}, {Xx: -2, X0: 150, Yy: 2, Y0: 7}} {
		sideCar, err := protojson.Marshal(&imageflowv1.ResizeMetadata{
			OriginalWidth: 200, OriginalHeight: 160, OutputWidth: side, OutputHeight: side, OriginalFromOutput: a,
		})
		if err != nil {
			t.Fatal(err)
		}
		r := &request{ResizeMetadataRef: &imageflowv1.ImageData{ObjectKey: "a_resize.json"}}
		in := functions.Input{Image: greyImage(t, side, side), Format: imaging.PNG, Reference: sideCar}
		_, resp, err := apply(t.Context(), p, r, in)
		if err != nil {
			t.Fatal(err)
		}
		expectRotated(t, resp.GetDetections()[0], b, 200, 160, func(c complex128) complex128 {
			return complex(a.GetXx()*real(c)+a.GetXy()*imag(c)+a.GetX0(), a.GetYx()*real(c)+a.GetYy()*imag(c)+a.GetY0())
		})
	}
}

// TestRotatedIoU has numbers of a program in Python after batch_probiou of Ultralytics.
func TestRotatedIoU(t *testing.T) {
	for _, c := range []struct {
		a, b [5]float64
		want float32
	}{
		{[5]float64{30, 30, 20, 10, 0.3}, [5]float64{30, 30, 20, 10, 0.3}, 0.999553},
		{[5]float64{30, 30, 20, 10, 0.3}, [5]float64{33, 28, 18, 12, 0.5}, 0.638020},
		{[5]float64{30, 30, 40, 6, 0.7}, [5]float64{30, 30, 40, 6, 0.7 + math.Pi/2}, 0.159404},
		{[5]float64{30, 30, 40, 6, 0.7}, [5]float64{36, 35, 40, 6, 0.7}, 0.764101},
		{[5]float64{10, 10, 5, 5, 0}, [5]float64{50, 50, 5, 5, 1}, 0},
	} {
		if got := detect.RotatedIoU(c.a, c.b); max(got-c.want, c.want-got) > 1e-5 {
			t.Errorf("%v, %v: got %g, want %g", c.a, c.b, got, c.want)
		}
	}
}

// TestRotated_areSuppressed by the overlap of the rectangles, not of the boxes around them.
func TestRotated_areSuppressed(t *testing.T) {
	crossing := []oriented{{30, 30, 40, 6, 0.7, 0.9}, {30, 30, 40, 6, 0.7 + math.Pi/2, 0.8}, {31, 31, 40, 6, 0.72, 0.7}}
	for threshold, want := range map[float32]int{0: 2, 0.1: 1, 0.98: 3} {
		p, err := newProcessor(t, orientedModel(false, crossing...))
		if err != nil {
			t.Fatal(err)
		}
		resp := detectIn(t, p, blackPNG(t, side, side), &request{NmsThreshold: threshold})
		if len(resp.GetDetections()) != want {
			t.Errorf("threshold %g: got %v, want %d", threshold, lines(resp), want)
		}
	}
}

// TestRotated_areDrawn along their sides.
func TestRotated_areDrawn(t *testing.T) {
	p, err := newProcessor(t, orientedModel(true, oriented{32, 40, 28, 28, math.Pi / 4, 0.9}))
	if err != nil {
		t.Fatal(err)
	}
	painted := drawnOnGrey(t, p)
	if !painted(42, 30) || !painted(22, 50) || painted(51, 59) || painted(32, 40) {
		t.Error("the turned box is not drawn, or more than it")
	}
}
