package dataset_test

import (
	"strings"
	"testing"

	"imageflow.dev/internal/dataset"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// A mask of 640×480 pixels by pycocotools 2.0: the square from 10, 20 to 40, 60 without the one from 10, 30
// to 20, 40.
var square = &imageflowv1.RunLengths{
	Size:   []int32{480, 640},
	Counts: `df4:::^=FbB:^=FbB:^=FbB:^=FbB:^=FbB:^=FbB:^=FbB:^=FbB:^=FbB:^=d000000000000000000000000000000000000000\Wi8`,
}

func polygon(points ...float32) *imageflowv1.Polygon { return &imageflowv1.Polygon{Points: points} }

// segmented returns a detection with two polygons, the first of which ends outside the image.
func segmented() *imageflowv1.Detection {
	d := found(0, 0.5, 10, 20, 40, 60)
	d.Mask = &imageflowv1.Mask{Polygons: []*imageflowv1.Polygon{
		polygon(-16, 48, 64, 48, 64, 96, -16, 96), polygon(32, 24, 64, 24, 64, 48),
	}}
	return d
}

func TestMasks_inCOCO(t *testing.T) {
	runs := found(0, 0.5, 10, 20, 40, 60)
	runs.Mask = &imageflowv1.Mask{Rle: square}
	turned := found(0, 0.5, 10, 20, 40, 60)
	turned.RotatedBox = &imageflowv1.RotatedBox{Corners: []float32{20, 10, 40, 30, 30, 40, 10, 20}}
	r := export(t, local(t, detection("a.jpg", segmented(), runs, turned)), dataset.Options{Format: "coco"})
	for _, want := range []string{
		`"area":3456,"iscrowd":0,"score":0.5,"segmentation":[[0,48,64,48,64,96,0,96],[32,24,64,24,64,48]]}`,
		`"area":1100,"iscrowd":0,"score":0.5,"segmentation":{"size":[480,640],"counts":"df4:::^=`,
		`"area":400,"iscrowd":0,"score":0.5,"segmentation":[[20,10,40,30,30,40,10,20]]}`,
	} {
		if !strings.Contains(r.stream, want) {
			t.Errorf("got %s, without %s", r.stream, want)
		}
	}
}

// TestMasks_inYOLO: labels are segments if all objects of the image have polygons.
func TestMasks_inYOLO(t *testing.T) {
	store := local(t, detection("a.jpg", segmented(), segmented()), detection("b.jpg", segmented(), found(0, 0.5, 0, 0, 64, 48)))
	r := inFolder(t, store, dataset.Options{Format: "yolo"})
	line := "0 0.000000000 0.100000000 0.100000000 0.100000000 0.100000000 0.200000000 0.000000000 0.200000000\n"
	wantText(t, "segments", r.read(t, "labels/a.txt"), line+line)
	wantText(t, "boxes", r.read(t, "labels/b.txt"),
		"0 0.039062500 0.083333333 0.046875000 0.083333333\n0 0.050000000 0.050000000 0.100000000 0.100000000")
}

// TestMasks_ofTheOriginal: run lengths of the resized image are left out.
func TestMasks_ofTheOriginal(t *testing.T) {
	d := segmented()
	d.Mask.Rle = square
	step := detection("in/a_resize.jpg", d)
	step.Metadata.OriginalFromImage = &imageflowv1.AffineMap{Xx: -1, X0: 640, Yy: 1}
	step.Metadata.OriginalWidth, step.Metadata.OriginalHeight = 640, 480
	step.Result.Metadata["reference_execution_id"] = "in/a"
	r := export(t, local(t, step), dataset.Options{Format: "jsonl"})
	if !strings.Contains(r.stream, `"polygons":[[0,48,`) || strings.Contains(r.stream, "rle") {
		t.Errorf("got %s, want polygons only", r.stream)
	}
}

func TestMasks_areChecked(t *testing.T) {
	for name, mask := range map[string]*imageflowv1.Mask{
		"polygon":     {Polygons: []*imageflowv1.Polygon{polygon(1, 2, 3, 4, 5)}},
		"run lengths": {Rle: &imageflowv1.RunLengths{Size: square.Size, Counts: square.Counts[1:]}},
	} {
		t.Run(name, func(t *testing.T) {
			d := found(0, 0.5, 10, 20, 40, 60)
			d.Mask = mask
			r := export(t, local(t, detection("a.jpg", d)), dataset.Options{Format: "coco"})
			if len(r.failed) != 1 || !strings.Contains(r.failed[0], name) {
				t.Errorf("failed %q", r.failed)
			}
		})
	}
}
