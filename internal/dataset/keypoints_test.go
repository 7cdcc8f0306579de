package dataset_test

import (
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"imageflow.dev/internal/dataset"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// TestKeypoints are in COCO, unless they are uncertain or outside the image, and all in JSON lines.
func TestKeypoints(t *testing.T) {
	person := found(0, 0.5, 10, 20, 40, 60)
	person.Keypoints = []*imageflowv1.Keypoint{
		{X: 12, Y: 34.5, Confidence: proto.Float32(0.75)}, {X: 50, Y: 60, Confidence: proto.Float32(0.25)},
		{X: -1, Y: 5}, {X: 640, Y: 0},
	}
	store := local(t, detection("a.jpg", person))
	r := export(t, store, dataset.Options{Format: "coco"})
	if want := `"score":0.5,"keypoints":[12,34.5,2,0,0,0,0,0,0,640,0,2],"num_keypoints":2}`; !strings.Contains(r.stream, want) {
		t.Errorf("got %s, want %s", r.stream, want)
	}
	r = export(t, store, dataset.Options{Format: "jsonl"})
	want := `"keypoints":[{"x":12,"y":34.5,"confidence":0.75},{"x":50,"y":60,"confidence":0.25},{"x":-1,"y":5},{"x":640,"y":0}]`
	if !strings.Contains(r.stream, want) {
		t.Errorf("got %s, want %s", r.stream, want)
	}
}

func TestKeypoints_areChecked(t *testing.T) {
	person := found(0, 0.5, 10, 20, 40, 60)
	person.Keypoints = []*imageflowv1.Keypoint{{X: float32(math.NaN())}}
	r := export(t, local(t, detection("a.jpg", person)), dataset.Options{Format: "coco"})
	if len(r.failed) != 1 || !strings.Contains(r.failed[0], "keypoint") {
		t.Errorf("failed %q, want an error about the keypoint", r.failed)
	}
}
