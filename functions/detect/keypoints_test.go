package detect_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	"imageflow.dev/functions"
	"imageflow.dev/functions/detect"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/testing/onnx"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// person is an object with keypoints: x, y and confidence of each.
type person struct {
	x1, y1, x2, y2, score float32
	points                [][3]float32
}

// poses returns the output of a model of Ultralytics with one class: values of each keypoint in a
// column of an anchor (v8), or in a row of a box (end-to-end).
func poses(endToEnd bool, values int, people ...person) onnx.Tensor {
	const anchors, kept = 84, 300
	width := int64(5 + values*len(people[0].points))
	t := shaped(1, width, anchors)
	if endToEnd {
		width++
		t = shaped(1, kept, width)
	}
	for i, p := range people {
		row := []float32{(p.x1 + p.x2) / 2, (p.y1 + p.y2) / 2, p.x2 - p.x1, p.y2 - p.y1, p.score}
		if endToEnd {
			row = []float32{p.x1, p.y1, p.x2, p.y2, p.score, 0}
		}
		for _, k := range p.points {
			row = append(row, k[:values]...)
		}
		for j, v := range row {
			if endToEnd {
				t.Data[i*len(row)+j] = v
			} else {
				t.Data[j*anchors+i] = v
			}
		}
	}
	return t
}

// poseModel returns a model with an input of 64×64 pixels.
func poseModel(endToEnd bool, values int, people ...person) onnx.Model {
	return onnx.Always(input, poses(endToEnd, values, people...), map[string]string{
		"names": "{0: 'person'}", "task": "pose", "kpt_shape": fmt.Sprintf("[%d, %d]", len(people[0].points), values),
		"end2end": map[bool]string{true: "True", false: "False"}[endToEnd],
	})
}

// randomPeople returns two people in the input with keypoints, some of them outside their box.
func randomPeople(random *rand.Rand) (people []person) {
	for i := range 2 {
		left := float32(32 * i)
		p := person{left, 20, left + 25, 45, 0.9 - 0.1*float32(i), nil}
		for range 5 {
			p.points = append(p.points, [3]float32{left + 40*random.Float32(), 70 * random.Float32(), random.Float32()})
		}
		people = append(people, p)
	}
	return people
}

// expectKeypoints compares keypoints with those of the input, mapped to the image.
func expectKeypoints(
	t *testing.T, d *imageflowv1.Detection, want [][3]float32, values int, toImage func(x, y float32) (x2, y2 float32),
) {
	t.Helper()
	if len(d.GetKeypoints()) != len(want) {
		t.Fatalf("%d keypoints, want %d", len(d.GetKeypoints()), len(want))
	}
	for i, k := range d.GetKeypoints() {
		x, y := toImage(want[i][0], want[i][1])
		if far := max(k.GetX()-x, x-k.GetX(), k.GetY()-y, y-k.GetY()); !(far < 0.01) {
			t.Errorf("keypoint %d is at %g, %g, want %g, %g", i, k.GetX(), k.GetY(), x, y)
		}
		if (k.Confidence != nil) != (values == 3) || values == 3 && k.GetConfidence() != want[i][2] {
			t.Errorf("keypoint %d has confidence %v, want %g of %d values", i, k.Confidence, want[i][2], values)
		}
	}
}

// TestKeypoints_areInTheImage: keypoints are in pixels of the image, in the order of the model.
func TestKeypoints_areInTheImage(t *testing.T) {
	random := newRandom()
	for _, endToEnd := range []bool{false, true} {
		for _, values := range []int{2, 3} {
			people := randomPeople(random)
			p, err := newProcessor(t, poseModel(endToEnd, values, people...))
			if err != nil {
				t.Fatal(err)
			}
			const width, height = 512, 256 // 8 pixels for one of the input, under 16 rows of padding
			resp := detectIn(t, p, blackPNG(t, width, height), &request{})
			if len(resp.GetDetections()) != 2 {
				t.Fatalf("got %v, want 2 people", lines(resp))
			}
			for i, d := range resp.GetDetections() {
				expectKeypoints(t, d, people[i].points, values, func(x, y float32) (float32, float32) { return 8 * x, 8 * (y - 16) })
			}
		}
	}
}

// TestKeypoints_areInTheOriginal: they follow the map of a resize, and are not clipped.
func TestKeypoints_areInTheOriginal(t *testing.T) {
	people := randomPeople(newRandom())
	p, err := newProcessor(t, poseModel(false, 3, people...))
	if err != nil {
		t.Fatal(err)
	}
	sideCar, err := protojson.Marshal(&imageflowv1.ResizeMetadata{
		OriginalWidth: 200, OriginalHeight: 150, OutputWidth: side, OutputHeight: side,
		OriginalFromOutput: &imageflowv1.AffineMap{Xy: 2, X0: 3, Yx: -1, Y0: 60},
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
	for i, d := range resp.GetDetections() {
		expectKeypoints(t, d, people[i].points, 3, func(x, y float32) (float32, float32) { return 2*y + 3, 60 - x })
	}
}

// TestKeypoints_ofTiles: those of a tile are in pixels of the image.
func TestKeypoints_ofTiles(t *testing.T) {
	people := randomPeople(newRandom())[:1]
	p, err := newProcessor(t, poseModel(false, 3, people...))
	if err != nil {
		t.Fatal(err)
	}
	overlap := 0.0
	resp := detectIn(t, p, blackPNG(t, 2*side, side), &request{Tiles: &imageflowv1.Tiles{Overlap: &overlap, WithoutWhole: true}})
	if len(resp.GetDetections()) != 2 {
		t.Fatalf("got %v, want one person in each tile", lines(resp))
	}
	for i, d := range resp.GetDetections() {
		expectKeypoints(t, d, people[0].points, 3, func(x, y float32) (float32, float32) { return x + float32(side*i), y })
	}
}

// drawnOnGrey draws what is found in a grey image, and returns whether a pixel is painted.
func drawnOnGrey(t *testing.T, p functions.Processor) func(x, y int) bool {
	t.Helper()
	in := functions.Input{Image: greyImage(t, side, side), Format: imaging.PNG}
	out, _, err := apply(t.Context(), p, &request{DrawBoxes: true}, in)
	if err != nil {
		t.Fatal(err)
	}
	pixels, err := open(t, out.Data).Pixels(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return func(x, y int) bool { return pixels.Pix[(y*pixels.Width+x)*pixels.Channels] != 100 }
}

// TestKeypoints_areDrawn: visible ones in the image are.
func TestKeypoints_areDrawn(t *testing.T) {
	someone := person{10, 10, 20, 20, 0.9, [][3]float32{{40, 50, 0.9}, {55, 50, 0.2}, {70, 50, 1}}}
	p, err := newProcessor(t, poseModel(false, 3, someone))
	if err != nil {
		t.Fatal(err)
	}
	painted := drawnOnGrey(t, p)
	if !painted(40, 50) || painted(43, 50) || painted(55, 50) || painted(side-1, 50) {
		t.Error("the visible keypoint is not drawn, or another one is")
	}
}

func TestKeypoints_areDescribed(t *testing.T) {
	dir := t.TempDir()
	if err := poseModel(true, 3, randomPeople(newRandom())...).Save(dir, "m", "1", "model.onnx"); err != nil {
		t.Fatal(err)
	}
	resp, err := detect.NewModels(repository(t, dir), "m").Get(t.Context(), &imageflowv1.GetModelRequest{})
	if err != nil || !strings.Contains(strings.Join(resp.GetNotes(), "\n"), "5 keypoints") {
		t.Errorf("notes %q, %v, want 5 keypoints", resp.GetNotes(), err)
	}
}

// TestKeypoints_shapeIsChecked: the error names the metadata.
func TestKeypoints_shapeIsChecked(t *testing.T) {
	for _, shape := range []string{"", "17", "[17, 4]", "[0, 3]", "[1000000000, 3]"} {
		m := poseModel(false, 3, randomPeople(newRandom())...)
		m.Metadata["kpt_shape"] = shape
		if _, err := newProcessor(t, m); err == nil || !strings.Contains(err.Error(), "kpt_shape") {
			t.Errorf("%q: got %v, want an error about kpt_shape", shape, err)
		}
	}
}
