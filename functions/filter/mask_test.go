package filter_test

import (
	"bytes"
	"image"
	"image/draw"
	"image/png"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	"imageflow.dev/functions"
	"imageflow.dev/functions/filter"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

const maskShape = imageflowv1.RedactionShape_REDACTION_SHAPE_MASK

// star returns a polygon with arms around a point, and the box around it.
func star(random *rand.Rand, x, y, radius float64) (*imageflowv1.Polygon, *imageflowv1.BoundingBox) {
	p := &imageflowv1.Polygon{}
	b := &imageflowv1.BoundingBox{X1: math.MaxFloat32, Y1: math.MaxFloat32}
	for i := range 12 {
		r := radius * (0.3 + 0.7*random.Float64())
		px, py := float32(x+r*math.Cos(float64(i)*math.Pi/6)), float32(y+r*math.Sin(float64(i)*math.Pi/6))
		p.Points = append(p.Points, px, py)
		b.X1, b.Y1, b.X2, b.Y2 = min(b.X1, px), min(b.Y1, py), max(b.X2, px), max(b.Y2, py)
	}
	return p, b
}

// inPolygon reports whether a point is inside a polygon, by the angle that it turns around the point.
func inPolygon(p *imageflowv1.Polygon, x, y float64) bool {
	turn := 0.0
	for k := 0; k < len(p.Points); k += 2 {
		next := (k + 2) % len(p.Points)
		ax, ay := float64(p.Points[k])-x, float64(p.Points[k+1])-y
		bx, by := float64(p.Points[next])-x, float64(p.Points[next+1])-y
		turn += math.Atan2(ax*by-ay*bx, ax*bx+ay*by)
	}
	return math.Abs(turn) > math.Pi
}

// masked applies a redaction of shape MASK to an image, by the side-car of a detection with a mask in it.
func masked(t *testing.T, in *image.NRGBA, r *imageflowv1.Redaction, found *imageflowv1.DetectionResponse) (*image.NRGBA, error) {
	t.Helper()
	sideCar, err := protojson.Marshal(found)
	if err != nil {
		t.Fatal(err)
	}
	r.Shape, r.Detections = maskShape, &imageflowv1.ImageData{ObjectKey: "x.json"}
	m := open(t, encodedPNG(t, in))
	req := redacting(fill, r)
	if err := filter.Processor.Check(req); err != nil {
		t.Fatal(err)
	}
	out, _, err := filter.Processor.Apply(t.Context(), req, functions.Input{Image: m, Format: m.Format, Reference: sideCar})
	if err != nil {
		return nil, err
	}
	decoded, err := png.Decode(bytes.NewReader(out.Data))
	if err != nil {
		t.Fatal(err)
	}
	got := image.NewNRGBA(decoded.Bounds())
	draw.Draw(got, got.Bounds(), decoded, image.Point{}, draw.Src)
	return got, nil
}

// TestMask_coversTheObject: pixels of the mask are hidden, and only those at most a pixel and the margin away.
func TestMask_coversTheObject(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	const width, height = 120, 90
	in := noise(width, height, true)
	for i := range 40 {
		// Some reach beyond the edge of the image.
		polygon, box := star(random, 20+80*random.Float64(), 15+60*random.Float64(), 25)
		r := &imageflowv1.Redaction{Invert: i%4 == 3, Margin: []float64{0, 0.1}[i%2]}
		across := int(math.Ceil(r.Margin*float64(box.X2-box.X1))) + 2
		down := int(math.Ceil(r.Margin*float64(box.Y2-box.Y1))) + 2
		got, err := masked(t, in, r, &imageflowv1.DetectionResponse{
			Detections: []*imageflowv1.Detection{{Bbox: box, Mask: &imageflowv1.Mask{Polygons: []*imageflowv1.Polygon{polygon}}}},
			Metadata:   &imageflowv1.DetectionMetadata{ImageWidth: width, ImageHeight: height},
		})
		if err != nil {
			t.Fatal(err)
		}
		near := func(x, y int) bool { // whether the mask has a pixel in the margin
			for v := y - down; v <= y+down; v++ {
				for u := x - across; u <= x+across; u++ {
					if inPolygon(polygon, float64(u)+0.5, float64(v)+0.5) {
						return true
					}
				}
			}
			return false
		}
		for range 600 {
			x, y := random.IntN(width), random.IntN(height)
			inside, outside := inPolygon(polygon, float64(x)+0.5, float64(y)+0.5), !near(x, y)
			hidden := got.NRGBAAt(x, y) != in.NRGBAAt(x, y)
			if r.Invert {
				hidden = !hidden
			}
			if inside && !hidden || outside && hidden {
				t.Fatalf("%v: pixel %d, %d: in the mask %v, far from it %v, hidden %v", r, x, y, inside, outside, hidden)
			}
		}
	}
}

// TestMask_isMapped: the mask is in the original that the image was made from. A rotated box is one, too, and
// a given box stays a box.
func TestMask_isMapped(t *testing.T) {
	in := noise(40, 60, true)
	found := &imageflowv1.DetectionResponse{
		Detections: []*imageflowv1.Detection{{
			Bbox:       &imageflowv1.BoundingBox{X1: 10, Y1: 20, X2: 30, Y2: 40},
			RotatedBox: &imageflowv1.RotatedBox{Corners: []float32{20, 20, 30, 30, 20, 40, 10, 30}},
		}},
		Metadata: &imageflowv1.DetectionMetadata{
			ImageWidth: 40, ImageHeight: 60, OriginalFromImage: turned, OriginalWidth: 120, OriginalHeight: 80,
		},
	}
	got, err := masked(t, in, &imageflowv1.Redaction{Boxes: []*imageflowv1.BoundingBox{boxOf(image.Rect(0, 50, 4, 54))}}, found)
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[image.Point]bool{ // the object is at 20, 5 to 30, 15
		{25, 10}: true, {25, 7}: true, {21, 6}: true, {20, 5}: false, {28, 14}: false, {20, 30}: false,
		{0, 50}: true, {3, 53}: true, {4, 54}: false,
	} {
		if hidden := got.NRGBAAt(at.X, at.Y) != in.NRGBAAt(at.X, at.Y); hidden != want {
			t.Errorf("pixel %v: hidden %v, want %v", at, hidden, want)
		}
	}
}

// TestMask_isNeeded: without masks, or with masks that are none, nothing comes out.
func TestMask_isNeeded(t *testing.T) {
	nan := float32(math.NaN())
	for want, mask := range map[string]*imageflowv1.Mask{
		"masks=MASK_FORMAT_POLYGON": nil,
		"a polygon is no list":      {Polygons: []*imageflowv1.Polygon{{Points: []float32{1, 2, 3, 4, nan, 6}}}},
	} {
		_, err := masked(t, noise(40, 60, true), &imageflowv1.Redaction{}, &imageflowv1.DetectionResponse{
			Detections: []*imageflowv1.Detection{{Bbox: boxOf(image.Rect(10, 20, 30, 40)), Mask: mask}},
			Metadata:   &imageflowv1.DetectionMetadata{ImageWidth: 40, ImageHeight: 60},
		})
		if err == nil || functions.AsError(err).Kind != functions.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want Invalid with %q", err, want)
		}
	}
}
