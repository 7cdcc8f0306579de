package detect_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"imageflow.dev/functions"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// demo returns the processor for the demo model.
func demo(t testing.TB) functions.Processor {
	t.Helper()
	return processorOf(repository(t, filepath.Join("model", "repository")), "yolo")
}

// detectIn applies the processor to an encoded image.
func detectIn(t testing.TB, p functions.Processor, data []byte, r *request) *response {
	t.Helper()
	m := open(t, data)
	_, resp, err := apply(t.Context(), p, r, functions.Input{Image: m, Format: m.Format})
	if err != nil {
		t.Error(err)
	}
	return resp
}

// scene is a held-out image and its objects.
type scene struct {
	File    string
	Objects []labelledObject
	data    []byte
}

// labelledObject is an object of a scene. Its box is in pixels of the scene.
type labelledObject struct {
	ClassName      string `json:"class_name"`
	ClassID        int32  `json:"class_id"`
	X1, Y1, X2, Y2 float32
}

// heldOut returns the ten scenes in testdata.
func heldOut(t *testing.T) []scene { return readScenes(t, filepath.Join("model", "testdata")) }

func readScenes(t *testing.T, folder string) []scene {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "heldout.json"))
	if err != nil {
		t.Fatal(err)
	}
	var scenes []scene
	if err := json.Unmarshal(text, &scenes); err != nil {
		t.Fatal(err)
	}
	for i := range scenes {
		if scenes[i].data, err = os.ReadFile(filepath.Join(folder, scenes[i].File)); err != nil {
			t.Fatal(err)
		}
	}
	return scenes
}

// matched reports for each detection, sorted by descending confidence, whether it
// matches an object of its class with at least minIoU. An object matches only once.
func matched(found []*imageflowv1.Detection, s scene, minIoU float32) []bool {
	taken, right := make([]bool, len(s.Objects)), make([]bool, len(found))
	for k, d := range found {
		best, at := minIoU, -1
		for i, o := range s.Objects {
			v := iou(d.GetBbox(), &imageflowv1.BoundingBox{X1: o.X1, Y1: o.Y1, X2: o.X2, Y2: o.Y2})
			if !taken[i] && o.ClassID == d.GetClassId() && v >= best {
				best, at = v, i
			}
		}
		if at >= 0 {
			taken[at], right[k] = true, true
		}
	}
	return right
}

// countMatches returns the number of detections that match an object at IoU 0.5.
func countMatches(found []*imageflowv1.Detection, s scene) int {
	count := 0
	for _, right := range matched(found, s, 0.5) {
		if right {
			count++
		}
	}
	return count
}

// iou returns the intersection over union of two boxes.
func iou(a, b *imageflowv1.BoundingBox) float32 {
	area := func(x1, y1, x2, y2 float32) float32 { return max(0, x2-x1) * max(0, y2-y1) }
	common := area(max(a.X1, b.X1), max(a.Y1, b.Y1), min(a.X2, b.X2), min(a.Y2, b.Y2))
	return common / (area(a.X1, a.Y1, a.X2, a.Y2) + area(b.X1, b.Y1, b.X2, b.Y2) - common)
}

// TestDemoModel_findsHeldOutObjects checks the scores of "the ten in testdata" in
// model/README.md, at confidence 0.5 and IoU 0.5. They were measured with another
// decoder, so one object may differ.
func TestDemoModel_findsHeldOutObjects(t *testing.T) {
	const precision, recall, one = 0.968, 1.0, 0.05
	p, scenes := demo(t), heldOut(t)
	right, made, there := 0, 0, 0
	for _, s := range scenes {
		found := detectIn(t, p, s.data, &request{ConfidenceThreshold: 0.5}).GetDetections()
		right, made, there = right+countMatches(found, s), made+len(found), there+len(s.Objects)
	}
	if len(scenes) != 10 || there != 30 {
		t.Fatalf("%d images with %d objects, want 10 with 30", len(scenes), there)
	}
	t.Logf("%d of %d right, of %d objects", right, made, there)
	if got := float64(right) / float64(made); got < precision-one {
		t.Errorf("precision %.3f, want %g", got, precision)
	}
	if got := float64(right) / float64(there); got < recall-one {
		t.Errorf("recall %.3f, want %g", got, recall)
	}
}

// TestApply_isSafeForConcurrentUse: concurrent requests get the same detections as
// single ones.
func TestApply_isSafeForConcurrentUse(t *testing.T) {
	p, scenes := demo(t), heldOut(t)
	var wg sync.WaitGroup
	for _, s := range scenes {
		want := lines(detectIn(t, p, s.data, &request{}))
		for range 2 {
			wg.Go(func() {
				if got := lines(detectIn(t, p, s.data, &request{})); !slices.Equal(got, want) {
					t.Errorf("%s: got %q, want %q", s.File, got, want)
				}
			})
		}
	}
	wg.Wait()
}

// TestDetections_areSortedAndInTheImage: detections have descending confidences above
// the threshold, and boxes inside the image.
func TestDetections_areSortedAndInTheImage(t *testing.T) {
	p := demo(t)
	for _, s := range heldOut(t) {
		width, height := open(t, s.data).Size()
		last := float32(1)
		for _, d := range detectIn(t, p, s.data, &request{ConfidenceThreshold: 0.01}).GetDetections() {
			b := d.GetBbox()
			if d.GetConfidence() > last || d.GetConfidence() < 0.01 {
				t.Errorf("%s: confidence %g after %g", s.File, d.GetConfidence(), last)
			}
			if !(0 <= b.X1 && b.X1 < b.X2 && b.X2 <= float32(width) && 0 <= b.Y1 && b.Y1 < b.Y2 && b.Y2 <= float32(height)) {
				t.Errorf("%s: %v in %d×%d", s.File, b, width, height)
			}
			last = d.GetConfidence()
		}
	}
}

func BenchmarkDetect1080p(b *testing.B) {
	data, err := os.ReadFile(filepath.Join("..", "..", "test", "images", "sample.jpg"))
	if err != nil {
		b.Fatal(err)
	}
	p := demo(b)
	for name, r := range map[string]*request{"boxes only": {}, "drawn": {DrawBoxes: true}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				detectIn(b, p, data, r)
			}
		})
	}
}
