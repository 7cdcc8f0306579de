package filter_test

import (
	"image"
	"math"
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	"imageflow.dev/functions"
	"imageflow.dev/functions/filter"
	"imageflow.dev/functions/resize"
	"imageflow.dev/internal/imaging"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// geometryAtRandom returns a resize with a random part, rotation, flip, fit and border.
func geometryAtRandom(random *rand.Rand, width, height int) *imageflowv1.ResizeRequest {
	w, h := 30+random.IntN(width-30), 30+random.IntN(height-30)
	r := &imageflowv1.ResizeRequest{
		TargetWidth: int32(40 + random.IntN(150)), TargetHeight: int32(40 + random.IntN(150)), Enlarge: random.IntN(2) == 0,
		Fit: imageflowv1.Fit(random.IntN(5)), Rotate: int32(90 * random.IntN(4)), Flip: imageflowv1.Flip(random.IntN(3)),
		Crop: &imageflowv1.Crop{
			Left: float64(random.IntN(width - w)), Top: float64(random.IntN(height - h)), Width: float64(w), Height: float64(h),
		},
	}
	if random.IntN(2) == 0 {
		r.Angle = 360*random.Float64() - 180
	}
	if random.IntN(2) == 0 {
		r.CropAfter = &imageflowv1.Crop{Left: 0.2 * random.Float64(), Width: 0.8, Height: 0.7, Fractions: true}
	}
	if random.IntN(2) == 0 {
		r.Extend = &imageflowv1.Extend{Left: int32(random.IntN(20)), Bottom: int32(random.IntN(20))}
	}
	return r
}

// bounds are left, top, right and bottom.
type bounds [4]float64

func boundsOf(r image.Rectangle) bounds {
	return bounds{float64(r.Min.X), float64(r.Min.Y), float64(r.Max.X), float64(r.Max.Y)}
}

func (b bounds) within(o bounds) bounds {
	clip := func(v, least, most float64) float64 { return min(max(v, least), most) }
	return bounds{clip(b[0], o[0], o[2]), clip(b[1], o[1], o[3]), clip(b[2], o[0], o[2]), clip(b[3], o[1], o[3])}
}

// quad are the corners of a rectangle after a map.
type quad [4][2]float64

func at(a *imageflowv1.AffineMap, x, y float64) (float64, float64) {
	return a.GetXx()*x + a.GetXy()*y + a.GetX0(), a.GetYx()*x + a.GetYy()*y + a.GetY0()
}

func inverse(a *imageflowv1.AffineMap) *imageflowv1.AffineMap {
	det := a.GetXx()*a.GetYy() - a.GetXy()*a.GetYx()
	b := &imageflowv1.AffineMap{Xx: a.GetYy() / det, Xy: -a.GetXy() / det, Yx: -a.GetYx() / det, Yy: a.GetXx() / det}
	x, y := at(b, a.GetX0(), a.GetY0())
	b.X0, b.Y0 = -x, -y
	return b
}

func mapped4(a *imageflowv1.AffineMap, b bounds) (q quad) {
	for i, p := range [][2]float64{{b[0], b[1]}, {b[2], b[1]}, {b[2], b[3]}, {b[0], b[3]}} {
		q[i][0], q[i][1] = at(a, p[0], p[1])
	}
	return q
}

func (q quad) bounds() bounds {
	b := bounds{q[0][0], q[0][1], q[0][0], q[0][1]}
	for _, p := range q[1:] {
		b = bounds{min(b[0], p[0]), min(b[1], p[1]), max(b[2], p[0]), max(b[3], p[1])}
	}
	return b
}

// has reports whether a point is inside.
func (q quad) has(x, y float64) bool {
	sign := 0.0
	for i, p := range q {
		next := q[(i+1)%4]
		cross := (next[0]-p[0])*(y-p[1]) - (next[1]-p[1])*(x-p[0])
		if cross*sign < 0 {
			return false
		}
		sign += cross
	}
	return true
}

// detectedIn returns the side-car of a detection in the output of a resize, with a box in the original.
func detectedIn(t *testing.T, m *imageflowv1.ResizeMetadata, b bounds) []byte {
	t.Helper()
	sideCar, err := protojson.Marshal(&imageflowv1.DetectionResponse{
		Detections: []*imageflowv1.Detection{{Bbox: &imageflowv1.BoundingBox{
			X1: float32(b[0]), Y1: float32(b[1]), X2: float32(b[2]), Y2: float32(b[3]),
		}}},
		Metadata: &imageflowv1.DetectionMetadata{
			ImageWidth: m.GetOutputWidth(), ImageHeight: m.GetOutputHeight(), OriginalFromImage: m.GetOriginalFromOutput(),
			OriginalWidth: m.GetOriginalWidth(), OriginalHeight: m.GetOriginalHeight(),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return sideCar
}

// TestRedaction_followsTheMap: whatever a resize did to an image of any format and orientation, what detection found
// in its output is hidden, and nothing beside its margin: in the original and in the output.
func TestRedaction_followsTheMap(t *testing.T) {
	for _, c := range codecs {
		t.Run(c.name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(9, 10))
			data := c.encode(t, noise(120, 90, true))
			for range map[bool]int{true: 150, false: 40}[c.format == imaging.PNG] {
				m := open(t, data)
				m.Orientation = 1 + random.IntN(8)
				checkMap(t, m, c, random)
			}
		})
	}
}

// checkMap resizes an image at random, and redacts it and the output.
func checkMap(t *testing.T, m *imaging.Image, c codec, random *rand.Rand) {
	t.Helper()
	width, height := m.Size()
	g := geometryAtRandom(random, width, height)
	out, resp, err := resize.Processor.Apply(t.Context(), g, functions.Input{Image: m, Format: imaging.PNG})
	if err != nil {
		t.Fatal(g, err)
	}
	if out.Width == width && out.Height == height || min(out.Width, out.Height) < 5 {
		return // the side-car of one size is ambiguous
	}
	metadata := resp.(*imageflowv1.ResizeResponse).GetMetadata()
	toOriginal := metadata.GetOriginalFromOutput()
	x, y := random.IntN(out.Width-4), random.IntN(out.Height-4)
	found := image.Rect(x, y, x+4+random.IntN(out.Width-x-3), y+4+random.IntN(out.Height-y-3))
	whole := boundsOf(image.Rect(0, 0, width, height))
	inOriginal := mapped4(toOriginal, boundsOf(found))
	box := inOriginal.bounds().within(whole)
	if box[0] >= box[2] || box[1] >= box[3] {
		return // beside the original, which detection does not report
	}
	sideCar, margin := detectedIn(t, metadata, box), random.Float64()/2
	checkHidden(t, m, c.spread(), sideCar, margin, box, inOriginal.has)

	inOutput := mapped4(inverse(toOriginal), box)
	checkHidden(t, open(t, out.Data), 0, sideCar, margin, inOutput.bounds(), func(x, y float64) bool {
		ox, oy := at(toOriginal, x, y)
		return image.Pt(int(x), int(y)).In(found) && ox >= 0 && oy >= 0 && ox < whole[2] && oy < whole[3]
	})
}

// checkHidden redacts an image by a side-car. The points of hidden are hidden, and those outside the box and
// its margin, by more than spread pixels, are not changed.
func checkHidden(
	t *testing.T, m *imaging.Image, spread int, sideCar []byte, margin float64, box bounds, hidden func(x, y float64) bool,
) {
	t.Helper()
	before, err := m.Pixels(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r := redacting(fill, &imageflowv1.Redaction{
		Detections: &imageflowv1.ImageData{ObjectKey: "x.json"}, Margin: margin, Color: "010203",
	})
	out, _, err := filter.Processor.Apply(t.Context(), r, functions.Input{Image: m, Format: imaging.PNG, Reference: sideCar})
	if err != nil {
		t.Fatal(err)
	}
	after, err := open(t, out.Data).Pixels(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// Boxes are of float32.
	across, down := margin*(box[2]-box[0])+0.01, margin*(box[3]-box[1])+0.01
	allowed := image.Rect(int(math.Floor(box[0]-across)), int(math.Floor(box[1]-down)),
		int(math.Ceil(box[2]+across)), int(math.Ceil(box[3]+down))).Inset(-spread)
	for i := range before.Width * before.Height {
		x, y := i%before.Width, i/before.Width
		was, is := before.Pix[i*before.Channels:], after.Pix[i*after.Channels:]
		if hidden(float64(x)+0.5, float64(y)+0.5) && [3]byte(is) != [3]byte{1, 2, 3} {
			t.Fatalf("orientation %d, box %.1f: pixel %d, %d is not hidden", m.Orientation, box, x, y)
		}
		if !image.Pt(x, y).In(allowed) && [3]byte(is) != [3]byte(was) {
			t.Fatalf("orientation %d, box %.1f: pixel %d, %d changed", m.Orientation, box, x, y)
		}
	}
}
