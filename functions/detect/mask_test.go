package detect_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	"imageflow.dev/functions"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/testing/onnx"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// TestMasks_arePixelsOfTheImage: run lengths are the pixels whose corner is in the box and whose probability exceeds
// 0.5.
func TestMasks_arePixelsOfTheImage(t *testing.T) {
	random := newRandom()
	for i := range 6 {
		s := randomSegments(random)
		p, err := newProcessor(t, s.model(i%2 == 0))
		if err != nil {
			t.Fatal(err)
		}
		const width, height, scale = 512, 256, 8 // under 16 rows of padding
		resp := detectIn(t, p, blackPNG(t, width, height), &request{Masks: []imageflowv1.MaskFormat{rle}})
		if len(resp.GetDetections()) != len(s.boxes) {
			t.Fatalf("got %v", lines(resp))
		}
		for j, d := range resp.GetDetections() {
			if len(d.GetMask().GetPolygons()) > 0 {
				t.Error("the mask has polygons that were not requested")
			}
			got := decodeRuns(t, d.GetMask().GetRle(), width, height)
			for at, inMask := range got {
				x, y := float64(at%width)+0.5, float64(at/width)+0.5
				b := d.GetBbox()
				want := s.probability(j, x/scale, y/scale+16)
				inBox := x-0.5 >= float64(b.X1) && x-0.5 < float64(b.X2) && y-0.5 >= float64(b.Y1) && y-0.5 < float64(b.Y2)
				if inMask != (inBox && want > 0.5) && math.Abs(want-0.5) > 1e-5 {
					t.Fatalf("box %d, pixel %g, %g: in the mask %v, probability %g, in the box %v", j, x, y, inMask, want, inBox)
				}
			}
		}
	}
}

// TestMasks_polygons cover the same pixels as the run lengths, but for holes and within their tolerance.
func TestMasks_polygons(t *testing.T) {
	random := newRandom()
	for range 6 {
		s := randomSegments(random)
		p, err := newProcessor(t, s.model(false))
		if err != nil {
			t.Fatal(err)
		}
		const width, height = 512, 256
		resp := detectIn(t, p, blackPNG(t, width, height), &request{Masks: []imageflowv1.MaskFormat{rle, polygons}})
		for _, d := range resp.GetDetections() {
			runs := decodeRuns(t, d.GetMask().GetRle(), width, height)
			both, either, points := 0, 0, 0
			for at, inMask := range runs {
				inPolygon := isInside(d.GetMask(), float64(at%width)+0.5, float64(at/width)+0.5)
				if inMask && inPolygon {
					both++
				}
				if inMask || inPolygon {
					either++
				}
			}
			for _, polygon := range d.GetMask().GetPolygons() {
				points += len(polygon.GetPoints()) / 2
			}
			if float64(both) < 0.97*float64(either) || points > 200 {
				t.Errorf("IoU %d/%d with %d points", both, either, points)
			}
		}
	}
}

// TestMasks_shapes has a mask with a known shape: a disk with a hole, and two squares that touch at a corner.
func TestMasks_shapes(t *testing.T) {
	s := segments{boxes: [][4]float32{{0, 0, 64, 64}}, coefficients: [][protoCount]float32{{1}}}
	s.prototypes = shaped(1, protoCount, side, side) // a number for each pixel
	for i := range side * side {
		x, y := i%side, i/side
		switch r := math.Hypot(float64(x)-19.5, float64(y)-19.5); {
		case r < 16 && r > 5, x >= 40 && x < 50 && y >= 40 && y < 50, x >= 50 && x < 60 && y >= 50 && y < 60:
			s.prototypes.Data[i] = 1
		default:
			s.prototypes.Data[i] = -1
		}
	}
	p, err := newProcessor(t, s.model(false))
	if err != nil {
		t.Fatal(err)
	}
	resp := detectIn(t, p, blackPNG(t, side, side), &request{Masks: []imageflowv1.MaskFormat{polygons}})
	all := resp.GetDetections()[0].GetMask().GetPolygons()
	if len(all) != 3 {
		t.Fatalf("%d polygons, want 3: %v", len(all), all)
	}
	if got, want := fmt.Sprint(all[1].Points), "[50 40 50 50 40 50 40 40]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	mask := resp.GetDetections()[0].GetMask()
	if !isInside(mask, 19.5, 19.5) || !isInside(mask, 30, 19.5) || isInside(mask, 5, 5) || isInside(mask, 55, 45) {
		t.Error("the polygons do not have the shape of the mask without its hole")
	}
}

// TestMasks_wholeColumns: runs that go on in the next column are one, as pycocotools writes them.
func TestMasks_wholeColumns(t *testing.T) {
	s := segments{boxes: [][4]float32{{0, 0, 64, 64}}, coefficients: [][protoCount]float32{{1}}}
	for sign, want := range map[float32]string{1: "0PP4", -1: "PP4"} {
		s.prototypes = shaped(1, protoCount, protoSide, protoSide)
		for i := range s.prototypes.Data {
			s.prototypes.Data[i] = sign
		}
		p, err := newProcessor(t, s.model(false))
		if err != nil {
			t.Fatal(err)
		}
		resp := detectIn(t, p, blackPNG(t, side, side), &request{Masks: []imageflowv1.MaskFormat{rle}})
		if got := resp.GetDetections()[0].GetMask().GetRle().GetCounts(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestMasks_areInTheOriginal: polygons are, run lengths stay in the given image.
func TestMasks_areInTheOriginal(t *testing.T) {
	s := randomSegments(newRandom())
	p, err := newProcessor(t, s.model(false))
	if err != nil {
		t.Fatal(err)
	}
	sideCar, err := protojson.Marshal(&imageflowv1.ResizeMetadata{
		OriginalWidth: 200, OriginalHeight: 160, OutputWidth: side, OutputHeight: side,
		OriginalFromOutput: &imageflowv1.AffineMap{Xy: 2, X0: 3, Yx: -2, Y0: 150},
	})
	if err != nil {
		t.Fatal(err)
	}
	r := &request{Masks: []imageflowv1.MaskFormat{rle, polygons}}
	in := functions.Input{Image: greyImage(t, side, side), Format: imaging.PNG}
	_, plain, err := apply(t.Context(), p, r, in)
	if err != nil {
		t.Fatal(err)
	}
	r.ResizeMetadataRef, in.Reference = &imageflowv1.ImageData{ObjectKey: "a_resize.json"}, sideCar
	_, mapped, err := apply(t.Context(), p, r, in)
	if err != nil {
		t.Fatal(err)
	}
	for i, d := range mapped.GetDetections() {
		before := plain.GetDetections()[i].GetMask()
		if d.GetMask().GetRle().GetCounts() != before.GetRle().GetCounts() || before.GetRle().GetCounts() == "" {
			t.Error("the run lengths changed")
		}
		for j, polygon := range before.GetPolygons() {
			for k := 0; k < len(polygon.Points); k += 2 {
				x, y := 2*polygon.Points[k+1]+3, 150-2*polygon.Points[k]
				if to := d.GetMask().GetPolygons()[j].Points; to[k] != x || to[k+1] != y {
					t.Fatalf("a point is at %g, %g, want %g, %g", to[k], to[k+1], x, y)
				}
			}
		}
	}
}

// TestMasks_areDrawn also if only run lengths are requested, but not otherwise.
func TestMasks_areDrawn(t *testing.T) {
	s := randomSegments(newRandom())
	p, err := newProcessor(t, s.model(false))
	if err != nil {
		t.Fatal(err)
	}
	painted := func(formats ...imageflowv1.MaskFormat) (n int) {
		in := functions.Input{Image: greyImage(t, side, side), Format: imaging.PNG}
		out, resp, err := apply(t.Context(), p, &request{DrawBoxes: true, Masks: formats}, in)
		if err != nil {
			t.Fatal(err)
		}
		if mask := resp.GetDetections()[0].GetMask(); (mask != nil) != (len(formats) > 0) || len(mask.GetPolygons()) > 0 {
			t.Errorf("formats %v: got %v", formats, mask)
		}
		pixels, err := open(t, out.Data).Pixels(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(pixels.Pix); i += pixels.Channels {
			if pixels.Pix[i] != 100 {
				n++
			}
		}
		return n
	}
	if plain, drawn := painted(), painted(rle); drawn < plain+20 {
		t.Errorf("%d pixels are painted with masks, %d without", drawn, plain)
	}
}

// TestMasks_areRefused: the error names the field and the way out.
func TestMasks_areRefused(t *testing.T) {
	many := randomSegments(newRandom())
	for len(many.boxes) < 80 {
		many.boxes = append(many.boxes, [4]float32{1, 1, 63, 63})
		many.coefficients = append(many.coefficients, many.coefficients[0])
	}
	for want, m := range map[string]onnx.Model{
		"task segment":         onnx.Always(input, endToEnd(object{10, 20, 30, 50, []float32{0.9, 0}}), metadata()),
		"lower max_detections": many.model(true),
	} {
		p, err := newProcessor(t, m)
		if err != nil {
			t.Fatal(err)
		}
		r := &request{Masks: []imageflowv1.MaskFormat{rle}, ConfidenceThreshold: 1e-9}
		in := functions.Input{Image: greyImage(t, side, side), Format: imaging.PNG}
		_, _, err = apply(t.Context(), p, r, in)
		var e *functions.Error
		if !errors.As(err, &e) || e.Kind != functions.Invalid || e.Field != "masks" || !strings.Contains(e.Message, want) {
			t.Errorf("got %v, want Invalid for masks with %q", err, want)
		}
	}
}
