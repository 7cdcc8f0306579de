package dataset_test

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"imageflow.dev/internal/dataset"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// person returns an object with keypoints: visible, uncertain, outside the image, and on its edge without a
// confidence.
func person() *imageflowv1.Detection {
	d := found(0, 0.5, 160, 120, 480, 360)
	d.Keypoints = []*imageflowv1.Keypoint{
		{X: 320, Y: 120.5, Confidence: proto.Float32(0.75)}, {X: 50, Y: 60, Confidence: proto.Float32(0.25)},
		{X: -1, Y: 5}, {X: 640, Y: 0},
	}
	return d
}

func TestKeypoints_inCOCO(t *testing.T) {
	r := export(t, local(t, detection("a.jpg", person()), detection("b.jpg")), dataset.Options{Format: "coco"})
	for _, want := range []string{
		`"score":0.5,"keypoints":[320,120.5,2,0,0,0,0,0,0,640,0,2],"num_keypoints":2}`,
		`{"id":1,"name":"dog","keypoints":["kp_0","kp_1","kp_2","kp_3"],"skeleton":[]}`,
	} {
		if !strings.Contains(r.stream, want) {
			t.Errorf("got %s, without %s", r.stream, want)
		}
	}
}

// TestKeypoints_inYOLO: labels are those of the task pose, also if the objects have polygons.
func TestKeypoints_inYOLO(t *testing.T) {
	segmented := person()
	segmented.Mask = &imageflowv1.Mask{Polygons: []*imageflowv1.Polygon{polygon(160, 120, 480, 120, 480, 360)}}
	r := inFolder(t, local(t, detection("a.jpg", person(), segmented), detection("b.jpg")), dataset.Options{Format: "yolo"})
	wantText(t, "data.yaml", r.read(t, "data.yaml"), "train: train.txt\nval: train.txt\nkpt_shape: [4, 3]\nnames:\n  0: \"dog\"")
	line := "0 0.500000000 0.500000000 0.500000000 0.500000000 0.500000000 0.251041667 2" +
		" 0.000000000 0.000000000 0 0.000000000 0.000000000 0 1.000000000 0.000000000 2\n"
	wantText(t, "the label", r.read(t, "labels/a.txt"), line+line)
	wantText(t, "the label without objects", r.read(t, "labels/b.txt"), "")
}

func TestKeypoints_inJSONLines(t *testing.T) {
	r := export(t, local(t, detection("a.jpg", person())), dataset.Options{Format: "jsonl"})
	want := `"keypoints":[{"x":320,"y":120.5,"confidence":0.75},{"x":50,"y":60,"confidence":0.25},{"x":-1,"y":5},{"x":640,"y":0}]`
	if !strings.Contains(r.stream, want) {
		t.Errorf("got %s, want %s", r.stream, want)
	}
}

// TestKeypoints_ofOtherNumber: readers would leave out images with another number of keypoints without a word.
func TestKeypoints_ofOtherNumber(t *testing.T) {
	fewer := person()
	fewer.Keypoints = fewer.Keypoints[:3]
	for name, other := range map[string]*imageflowv1.Detection{"3": fewer, "0": found(0, 0.5, 0, 0, 9, 9)} {
		t.Run(name, func(t *testing.T) {
			store := local(t, detection("a.jpg"), detection("b.jpg", person()), detection("c.jpg", other))
			for _, format := range []string{"coco", "yolo"} {
				r := export(t, store, dataset.Options{Format: format, Out: filepath.Join(t.TempDir(), "out")})
				want := "c_ai-detection.json: an object has " + name + " keypoints, but those before 4"
				if r.err == nil || !strings.Contains(r.err.Error(), want) {
					t.Errorf("%s: got %v, want %s", format, r.err, want)
				}
			}
			if r := export(t, store, dataset.Options{Format: "jsonl"}); r.err != nil || r.Boxes != 2 {
				t.Errorf("jsonl: %+v", r)
			}
		})
	}
}

func TestKeypoints_areChecked(t *testing.T) {
	d := person()
	d.Keypoints[2].X = float32(math.NaN())
	r := export(t, local(t, detection("a.jpg", d)), dataset.Options{Format: "coco"})
	if len(r.failed) != 1 || !strings.Contains(r.failed[0], "keypoint") {
		t.Errorf("failed %q, want an error about the keypoint", r.failed)
	}
}
